/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_INTENT_H
#define MNET_PORTFOLIO_INTENT_H

/*
 * An intent: a peer said that one of its users is about to send something, and was given a token.
 * It is in the store before it is answered, and stays there until it expires, also once its package
 * is here, so that whoever says "ready" twice is told the same twice.
 *
 *   group       key                            value
 *   intent      site, SHA-256(token)           intent.c
 *   intent-end  site, expires, SHA-256(token)  nothing
 *   intent-sum  site, SHA-256(peer)            how many of the peer's are open
 */

#include <apr_pools.h>
#include <apr_time.h>

#include "rpc/engine.h"
#include "state/store.h"

#define MNET_INTENTS_OPEN 10000 /* of one peer: what it announced and did not send yet */

typedef enum { MNET_INTENT_OPEN, MNET_INTENT_READY, MNET_INTENT_DONE } mnet_intent_state_e;

typedef struct mnet_intent_t {
    const char *peer, *user;
    int state; /* mnet_intent_state_e */
    apr_time_t expires;
    const char *item;   /* of the queue, from READY on */
    const char *said;   /* SHA-256 of what "ready" said, hexadecimal, from READY on */
    const char *result; /* DONE: what the sender is told besides (querystring) */
} mnet_intent_t;

/* Makes one, in the caller's transaction: its expiry is MnetPortfolioExpire from now.  *token: 40
 * hexadecimal digits, 160 random bits.  MNET_E_LIMIT: its peer has too many that are open. */
apr_status_t mnet_intent_create(const mnet_host_t *host, mnet_txn_t *txn, mnet_intent_t *intent,
                                apr_time_t now, const char **token, apr_pool_t *pool);
/* APR_NOTFOUND: none, whatever the reason. */
apr_status_t mnet_intent_get(const mnet_host_t *host, mnet_txn_t *txn, const char *token,
                             mnet_intent_t **intent, apr_pool_t *pool);
/* expires must be as it was. */
apr_status_t mnet_intent_put(const mnet_host_t *host, mnet_txn_t *txn, const char *token,
                             const mnet_intent_t *intent, apr_pool_t *pool);
apr_status_t mnet_intent_del(const mnet_host_t *host, mnet_txn_t *txn, const char *token,
                             apr_pool_t *pool);
/* Removes what has expired, unless its package is still on its way; in short transactions. */
apr_status_t mnet_intents_tend(const mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

#endif
