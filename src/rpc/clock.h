/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CLOCK_H
#define MNET_RPC_CLOCK_H

/*
 * A peer's clock and ours.  A Moodle or a Mahara throws an answer away whose time is more than 15
 * seconds after the one by its own clock, when all is done here and logged as done; so an answer
 * bears the time by the clock of whoever asked, which stands in its request.
 */

#include "rpc/engine.h"

#define MNET_CLOCK_NEAR 5    /* seconds apart that are none: the way took them */
#define MNET_CLOCK_FAR  3600 /* that are believed when MnetClockSkew believes any */

/* How many seconds a time is before (less than 0) or after the span in which it was taken. */
apr_int64_t mnet_clock_apart(apr_int64_t timestamp, apr_time_t from, apr_time_t until);
/* Is a clock that far off still one?  (MnetClockSkew) */
int mnet_clock_ok(const mnet_site_t *site, apr_int64_t apart);
/* The time, in seconds, that an answer bears to a peer whose clock is that far off. */
apr_int64_t mnet_clock_answer(const mnet_site_t *site, apr_int64_t apart, apr_time_t now);
/* Says so if it is more than MNET_CLOCK_NEAR, at most once an hour for each peer. */
void mnet_clock_say(const mnet_host_t *host, const char *peer, apr_int64_t apart, apr_time_t now);

#endif
