/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CLIENT_LEAD_H
#define MNET_RPC_CLIENT_LEAD_H

/*
 * What stands before the message in an answer: the warnings of a PHP whose display_errors is on.
 * They are left out, for a package is given out once, and would be lost with them.  Nothing is
 * believed for that: the message has to open and be signed as any other.
 */

#include <apr_pools.h>

#include "base/sink.h"

#define MNET_LEAD_MAX (16 * 1024) /* more is no message's */

typedef struct mnet_lead_t {
    const mnet_sink_t *to; /* takes the message; its errors come back */
    apr_pool_t *pool;
    char *text; /* what came until now, if it did not begin as a message does */
    apr_size_t len;
    int begun;          /* the rest goes to the sink as it comes */
    apr_size_t skipped; /* that many bytes were left out */
} mnet_lead_t;

apr_status_t mnet_lead_write(mnet_lead_t *lead, const char *data, apr_size_t len);
/* No more comes: what was kept back, and is no lead, goes to the sink. */
apr_status_t mnet_lead_end(mnet_lead_t *lead);

#endif
