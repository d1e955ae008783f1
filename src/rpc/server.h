/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_SERVER_H
#define MNET_RPC_SERVER_H

/*
 * The server's pipeline: bytes of one request in, bytes of the response out; in between trust is
 * checked once, in this order (design.md): known and active peer; unwrap; inner wwwroot equals
 * outer; signature by the peer's certificate; clock; replay; an old key answers 7025; permission.
 */

#include <apr_pools.h>

#include "rpc/engine.h"

typedef struct mnet_exchange_t mnet_exchange_t;

typedef struct mnet_request_t {
    mnet_host_t *host;
    const char *address;        /* the client's, as text */
    const char *user_agent;     /* NULL: none */
    const char *accept_charset; /* NULL: none */
    const char *id;             /* for the log; NULL: none */
    apr_time_t now;
} mnet_request_t;

/*
 * Before the body is read.  MNET_E_BUSY: this address had too many failures (MnetFailureLimit): the
 * answer is 429, without any cryptography.
 */
apr_status_t mnet_exchange_begin(mnet_exchange_t **exchange, const mnet_request_t *request,
                                 apr_pool_t *pool);
/* A mnet_sink_fn; the baton is the exchange.  Takes the body piece by piece.  MNET_E_LIMIT once
 * it is over MnetMaxBody (answer 413); other troubles wait for mnet_exchange_finish, which
 * answers with a fault. */
apr_status_t mnet_exchange_write(void *exchange, const char *data, apr_size_t len);
/*
 * The end of the body: does the work and writes the response, always a document for status 200.
 * *length is told before the first byte goes to the sink.  An error means that no response
 * could be made (no memory, a sink that failed): answer 500.
 */
apr_status_t mnet_exchange_finish(mnet_exchange_t *exchange, apr_off_t *length,
                                  const mnet_sink_t *to);
/*
 * After that: does the method ask whether its answer arrived?  Then find out, and say it by
 * mnet_exchange_answered, which is to be called whatever became of the answer.
 */
int mnet_exchange_asks(const mnet_exchange_t *exchange);
void mnet_exchange_answered(mnet_exchange_t *exchange, int whole);

#endif
