/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_REPLY_H
#define MNET_RPC_REPLY_H

/* What became of a call of ours to a peer. */

#include <apr_pools.h>

#include "wire/value.h"

typedef enum {
    MNET_CALL_OK,
    MNET_CALL_POLICY,    /* unknown peer, no certificate of it yet, no subscription, too busy */
    MNET_CALL_TRANSPORT, /* no connection, no answer, a status other than 200, TLS */
    MNET_CALL_TRUST, /* an answer that does not open, is not signed by the peer, has the wrong time
                      */
    MNET_CALL_FAULT  /* the peer answered with a fault */
} mnet_call_kind_e;

typedef struct mnet_reply_t {
    mnet_call_kind_e kind;
    mnet_value_t *value; /* OK */
    int code;            /* FAULT: the peer's; else 0 */
    const char *message; /* not OK: one sentence with the mend where there is one */
    int timed_out;       /* TRANSPORT: nobody answered in time */
    int no_rc4;          /* TRUST, FAULT: the peer's PHP lacks RC4 (protocol 11, 2) */
    int too_long;        /* TRANSPORT: the answer is longer than max_reply */
} mnet_reply_t;

/* "fault", "policy", "trust", "transport": as SetHandler mnet-call and mnetctl say it. */
const char *mnet_call_kind_name(mnet_call_kind_e kind);

/* Fills in a reply that is not OK; the kind it got comes back as MNET_E_PEER for convenience. */
apr_status_t mnet_reply_set(mnet_reply_t *reply, mnet_call_kind_e kind, apr_pool_t *pool,
                            const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
