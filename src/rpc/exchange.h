/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_EXCHANGE_H
#define MNET_RPC_EXCHANGE_H

/*
 * One exchange from inside: what the files of the server's pipeline hand to each other.
 *
 *   server.c          bytes in, and the order of things
 *   server_trust.c    who sent it, and whether that may be believed
 *   server_dispatch.c the method, its permission, its handler
 *   server_reply.c    the answer's document and envelopes
 */

#include <apr_pools.h>

#include "rpc/call.h"
#include "rpc/fault.h"
#include "rpc/server.h"
#include "wire/message.h"

struct mnet_exchange_t {
    mnet_request_t request;
    mnet_host_t *host;
    mnet_engine_t *engine;
    apr_pool_t *pool;
    apr_time_t started;
    mnet_reading_t reading;
    mnet_message_reader_t *reader;
    apr_off_t received;
    apr_status_t spoilt; /* the reader's first trouble */

    /* What trust established.  peer is NULL for a bare keyswap. */
    mnet_message_t *message;
    const mnet_peer_t *peer;
    const mnet_ring_t *ring;
    int key; /* the index in the ring that opened it */
    int sealed;
    mnet_document_t *document;
    mnet_replay_name_t replay;
    apr_time_t replay_until;
    apr_int64_t apart; /* seconds its clock is ahead of ours; 0: none, or not believed */

    /* The answer: its envelopes mirror the request's. */
    EVP_PKEY *sign, *seal;
    int code; /* of a fault; 0: none */
    const char *text;
    mnet_value_t *result;
    void (*answered)(void *baton, int whole); /* mnet_call_t's; NULL: nobody asks */
    void *answered_baton;
    apr_status_t broken; /* no answer can be made at all */
};

/* Is a line of that level wanted?  Its texts are dear. */
int mnet_exchange_logs(const mnet_exchange_t *exchange, int level);
/* Whom the message says it is from, and what it calls, fit for a log. */
const char *mnet_exchange_claimed(const mnet_exchange_t *exchange);
const char *mnet_exchange_called(const mnet_exchange_t *exchange);

/*
 * Answers with a fault and logs one line about it: address, whom it claims to be from, the
 * sentence.  Returns 0, as every step of the pipeline does that ends it.
 */
int mnet_exchange_refuse(mnet_exchange_t *exchange, int code, int level, const char *id,
                         const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Trouble of our own (the store, memory): logged, and a fault 7000, or no answer if even that
 * makes no sense. */
int mnet_exchange_fail(mnet_exchange_t *exchange, apr_status_t rv, const char *id,
                       const char *what);

/* 1: exchange->document may be dispatched; 0: the fault is set (or broken). */
int mnet_exchange_trust(mnet_exchange_t *exchange);
/* Runs the method: sets result or the fault. */
void mnet_exchange_dispatch(mnet_exchange_t *exchange);
/* Writes the answer. */
apr_status_t mnet_exchange_reply(mnet_exchange_t *exchange, apr_off_t *length,
                                 const mnet_sink_t *to);

/* Is it system/keyswap in either spelling? */
int mnet_is_keyswap(const mnet_document_t *document);

#endif
