/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CLIENT_POST_H
#define MNET_RPC_CLIENT_POST_H

/* A message to a peer, and the outermost layer of what it answers. */

#include <apr_pools.h>

#include "rpc/engine.h"
#include "rpc/reply.h"
#include "wire/message.h"

/* One POST of a body to a peer. */
typedef struct mnet_post_t {
    mnet_host_t *host;
    const mnet_peer_facts_t *facts;
    const mnet_application_t *application;
    apr_uint64_t peer; /* for the circuit breaker; 0: it takes no part */
    mnet_spool_t *body;
    apr_interval_time_t timeout; /* 0: MnetTimeout */
    apr_interval_time_t think;   /* more than that until the answer begins */
    apr_off_t max_reply;         /* 0: MnetMaxBody */
    mnet_charset_e charset;      /* of a bare answer */
    mnet_progress_fn *progress;  /* or NULL */
    void *progress_baton;
    int verified; /* out: it came over verified TLS */
} mnet_post_t;

/* How answers to us are read. */
mnet_reading_t mnet_client_reading(mnet_host_t *host, apr_off_t max, mnet_charset_e charset);

/* Posts and reads the answer's outermost layer.  Not APR_SUCCESS: reply says why. */
apr_status_t mnet_client_post(mnet_post_t *post, mnet_message_t **message, mnet_reply_t *reply,
                              apr_pool_t *pool);

#endif
