/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CLIENT_H
#define MNET_RPC_CLIENT_H

/*
 * Calling a peer: the subscription is checked, the call is signed, sealed, posted; the reply is
 * opened, verified and read; a 7025 is followed once (protocol 4.4).  Takes part in the outgoing
 * gate and the circuit breaker.  Never called inside a transaction.
 */

#include <apr_pools.h>

#include "rpc/engine.h"
#include "rpc/reply.h"
#include "wire/value.h"

typedef struct mnet_outgoing_t {
    mnet_host_t *host;
    const char *peer; /* its wwwroot */
    const char *method;
    const apr_array_header_t *params; /* mnet_value_t * */
    apr_off_t max_reply;              /* 0: MnetMaxBody */
    apr_interval_time_t timeout;      /* 0: MnetTimeout */
    apr_interval_time_t think;        /* more than that until the answer begins */
    int even_if_down; /* ask although the circuit breaker is open (mnetctl, pings) */
    int no_follow;    /* a refetch is under way: do not follow a 7025 again */
    /*
     * Takes the answer's one text if it is long, instead of a file; the value is an empty string
     * then.  It comes before anybody can say whether it is the peer's: nothing of it counts unless
     * the reply is OK.  NULL: none
     */
    const mnet_sink_t *text;
    mnet_progress_fn *progress; /* of the answer; NULL: nobody asks */
    void *progress_baton;
} mnet_outgoing_t;

/* Always sets *reply, in pool. */
void mnet_client_call(const mnet_outgoing_t *call, mnet_reply_t **reply, apr_pool_t *pool);

#endif
