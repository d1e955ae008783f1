/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_LEDGER_PULL_H
#define MNET_SCHOOL_LEDGER_PULL_H

/*
 * Fetching what a peer has: one user's enrolments, or everything it lets us ask for.  No
 * transaction is open while the peer is asked.  Doing it again changes nothing but what changed
 * there.
 */

#include "rpc/client.h"
#include "school/ledger.h"

typedef struct mnet_pull_t {
    mnet_host_t *host;
    const char *peer; /* wwwroot */
    apr_time_t now;
    int even_if_down;
    apr_pool_t *pool;
    apr_pool_t *scratch; /* of what is cleared sooner; NULL: pool */
    /* out */
    apr_int64_t added, changed, same;
    apr_array_header_t *told;  /* const char *: what changed, in words */
    apr_array_header_t *notes; /* const char *: what could not be asked or understood */
    const mnet_reply_t *reply; /* the peer's last one */
} mnet_pull_t;

void mnet_pull_begin(mnet_pull_t *pull, mnet_host_t *host, const char *peer, apr_time_t now,
                     apr_pool_t *pool);
/*
 * list_user_enrolments of a user.  whole: what the peer no longer lists is withdrawn.  MNET_E_PEER:
 * pull->reply is no answer; MNET_E_REFUSED: it makes no sense (a note says why), nothing was
 * entered.
 */
apr_status_t mnet_pull_user(mnet_pull_t *pull, const char *username, int whole);
/*
 * Everything: list_everything if the peer has that, the enrolments of each of its users, and its
 * courses of mnet_enrol with our users in them.  What the peer does not offer is left out, with a
 * note.  MNET_E_PEER: it cannot be reached.
 */
apr_status_t mnet_pull_all(mnet_pull_t *pull);

#endif
