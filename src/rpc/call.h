/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CALL_H
#define MNET_RPC_CALL_H

/*
 * One call being answered: what a service's method sees.  Everything in it was verified and
 * authorised before; no envelope is in sight.
 */

#include <apr_pools.h>
#include <apr_time.h>

#include "rpc/engine.h"
#include "trust/replay.h"
#include "wire/value.h"

typedef struct mnet_call_t {
    apr_pool_t *pool; /* of the request */
    mnet_host_t *host;
    const mnet_peer_t *peer; /* NULL only for a bare system/keyswap */
    const mnet_method_t *method;
    const char *path;                 /* as called */
    const apr_array_header_t *params; /* mnet_value_t * */
    const char *address;              /* the client's */
    const char *user_agent;           /* may be NULL */
    apr_time_t now;
    const char *id;            /* of the request, for the log */
    mnet_replay_name_t replay; /* of any call by a peer; unset for a bare keyswap */
    apr_time_t replay_until;   /* how long its claim is kept; 0: there is nothing to claim */
    int sealed;                /* it came encrypted */
    apr_off_t room;            /* used in the store when it was claimed; 0: not known */
    /* the answer */
    mnet_value_t *result;
    int fault_code; /* 0: none */
    const char *fault_text;
    /* A handler that must know whether the caller has the whole answer sets this: it is called once
     * the answer was sent, in no transaction.  whole 0: the caller may have a part of it. */
    void (*answered)(void *baton, int whole);
    void *answered_baton;
} mnet_call_t;

/* The parameter at index, or NULL. */
mnet_value_t *mnet_call_param(const mnet_call_t *call, int index);
/* It as text; NULL if it is missing or a container. */
const char *mnet_call_text(const mnet_call_t *call, int index);
/* Answers with a fault; returns APR_SUCCESS so that a handler can return it. */
apr_status_t mnet_call_fault(mnet_call_t *call, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* For MNET_METHOD_CLAIMS: claims the call in the handler's own write transaction.
 * MNET_E_REPLAY, or MNET_E_SHARE (trust/share.h): the handler aborts it and returns that. */
apr_status_t mnet_call_claim(mnet_call_t *call, mnet_txn_t *txn);
/* The same in a transaction of its own, for a call that is refused: a copy of it does nothing
 * later.
 */
apr_status_t mnet_call_claim_alone(mnet_call_t *call);

#endif
