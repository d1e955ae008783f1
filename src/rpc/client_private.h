/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CLIENT_PRIVATE_H
#define MNET_RPC_CLIENT_PRIVATE_H

/* What the files of the client share: one attempt at a call, from the look-up to the verdict. */

#include <apr_pools.h>

#include "rpc/client.h"
#include "rpc/client_post.h"
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
    apr_time_t started;           /* it cannot have been answered before */
    int plain;                    /* the verdict rests on a document without any envelope */
    mnet_xmlrpc_stream_t *stream; /* read the payload as it came; NULL: it lies in a spool */
} mnet_attempt_t;

/* Opens, verifies and reads attempt->message, and fills in attempt->reply, or ->fault. */
void mnet_client_judge(mnet_attempt_t *attempt);

#endif
