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

/*
 * A bare system/keyswap: the peer's certificate.  *verified: it came over verified TLS.  Used for
 * first contact and to confirm a rotation.  application: what the peer is believed to be.
 */
typedef struct mnet_keyswap_t {
    const char *pem;
    int verified;
} mnet_keyswap_t;
void mnet_client_keyswap(mnet_host_t *host, const mnet_peer_facts_t *facts, mnet_keyswap_t *keyswap,
                         mnet_reply_t **reply, apr_pool_t *pool);

#endif
