/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CLIENT_PRIVATE_H
#define MNET_RPC_CLIENT_PRIVATE_H

/* What the files of the client share: one attempt at a call, from the look-up to the verdict. */

#include <apr_pools.h>

#include "rpc/client.h"
#include "wire/message.h"

typedef struct mnet_attempt_t {
    const mnet_outgoing_t *call;
    mnet_host_t *host;
    apr_pool_t *pool;
    mnet_reply_t *reply;
    const mnet_peer_t *peer;
    const mnet_ring_t *ring;
    mnet_message_t *message;      /* what came back */
    mnet_message_t *fault;        /* the SIGNED part of a 7025 that may be followed, or NULL */
    const char *offered;          /* its text */
    int plain;                    /* the verdict rests on a document without any envelope */
    mnet_xmlrpc_stream_t *stream; /* read the payload as it came; NULL: it lies in a spool */
} mnet_attempt_t;

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

/* Fills in a reply that is not OK; the kind it got comes back as MNET_E_PEER for convenience. */
apr_status_t mnet_reply_set(mnet_reply_t *reply, mnet_call_kind_e kind, apr_pool_t *pool,
                            const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* How answers to us are read. */
mnet_reading_t mnet_client_reading(mnet_host_t *host, apr_off_t max, mnet_charset_e charset);

/* Posts and reads the answer's outermost layer.  Not APR_SUCCESS: reply says why. */
apr_status_t mnet_client_post(mnet_post_t *post, mnet_message_t **message, mnet_reply_t *reply,
                              apr_pool_t *pool);

/* Opens, verifies and reads attempt->message, and fills in attempt->reply, or ->fault. */
void mnet_client_judge(mnet_attempt_t *attempt);

#endif
