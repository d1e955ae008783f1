/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_PEERS_H
#define MNET_TRUST_PEERS_H

/*
 * The peers of a site: those of the configuration and those of the store, one view of both.  A
 * peer's certificate is parsed once per process and change; looking one up costs the same with ten
 * peers as with ten thousand.
 */

#include <apr_pools.h>
#include <apr_time.h>

#include "base/log.h"
#include "state/store.h"
#include "trust/certificate.h"
#include "trust/site.h"

/* How a certificate came to be the one we trust. */
typedef enum {
    MNET_TRUST_NONE,      /* there is none */
    MNET_TRUST_CONFIG,    /* MnetPeerCertificate */
    MNET_TRUST_CONFIRMED, /* an administrator confirmed the fingerprint */
    MNET_TRUST_ROTATED,   /* accepted by the rules of rotation (protocol 4.4) */
    MNET_TRUST_KEYSWAP    /* by MnetRegisterAllHosts, on first contact, nobody confirmed it */
} mnet_trust_e;

/* The part of a peer that only the store has (group "peer"). */
typedef struct mnet_peer_state_t {
    const mnet_peer_facts_t *facts; /* said by mnetctl, the admin page or keyswap; NULL: none */
    mnet_trust_e trust;             /* of certificate; in a mnet_peer_t: of the one in force */
    const char *certificate;        /* PEM: the one in force, unless the configuration's is newer */
    const char *config_sha256;      /* of the MnetPeerCertificate it superseded, or NULL */
    const char *previous;           /* PEM: the one before, or NULL */
    const char *pending;            /* PEM: offered, waits for an administrator, or NULL */
    const char *pending_why;        /* one sentence */
    apr_time_t added, rekeyed, heard, reached;
    const char *methods; /* learnt by system/listMethods: "service path\n..." or NULL */
} mnet_peer_state_t;

typedef struct mnet_peer_t {
    const mnet_peer_facts_t *facts; /* merged: what counts */
    const mnet_peer_state_t *state; /* never NULL */
    int configured;                 /* it has a <MnetPeer> */
    const mnet_application_t *application;
    const mnet_certificate_t *certificate; /* NULL: none trusted yet */
    apr_uint64_t id;                       /* for mnet_shared_*: of SHA-256 of the wwwroot */
} mnet_peer_t;

apr_status_t mnet_peer_id(const mnet_crypto_t *crypto, const char *wwwroot, apr_uint64_t *id);

typedef struct mnet_peers_t mnet_peers_t;

mnet_peers_t *mnet_peers_create(const mnet_crypto_t *crypto, mnet_store_t *store,
                                const mnet_site_t *site, const mnet_log_t *log, apr_pool_t *pool);

/*
 * A peer by its wwwroot, byte for byte (protocol 1).  Immutable; valid until pool is cleared.
 * APR_NOTFOUND: unknown, or no longer active; or made in the store while the configuration has it
 * under the other scheme.  txn: any that has not touched the generation.
 */
apr_status_t mnet_peers_find(mnet_peers_t *peers, mnet_txn_t *txn, const char *wwwroot,
                             const mnet_peer_t **peer, apr_pool_t *pool);
/* All of them, active or not, by wwwroot: const mnet_peer_t * */
apr_status_t mnet_peers_list(mnet_peers_t *peers, mnet_txn_t *txn, apr_array_header_t **list,
                             apr_pool_t *pool);

/*
 * Changes what the store has of a peer, in a transaction of its own: change is given the state as
 * it is (a fresh one if there was none) and edits it in place; what it answers comes back and,
 * unless APR_SUCCESS, nothing is written.  Touches the generation, unless nothing changed.  A state
 * without facts makes no peer of a wwwroot that is not configured.  MNET_E_INVALID: no fit
 * wwwroot, or our own; MNET_E_EXISTS: a new peer that another is but for the scheme.
 */
typedef apr_status_t mnet_peer_change_fn(void *baton, mnet_peer_state_t *state, apr_pool_t *pool);
apr_status_t mnet_peers_change(mnet_peers_t *peers, const char *wwwroot,
                               mnet_peer_change_fn *change, void *baton, apr_pool_t *pool);
/* Forgets all the store has of a peer, rotated certificates included.  APR_NOTFOUND: nothing. */
apr_status_t mnet_peers_remove(mnet_peers_t *peers, const char *wwwroot, apr_pool_t *pool);

/* Accepts a certificate for a peer (it must name its wwwroot: MNET_E_INVALID and *why otherwise):
 * the one in force becomes the previous one.  Accepting that one again changes but its trust, and
 * only for the better.  One that is confirmed is instead of any that waits.  APR_NOTFOUND: there is
 * no such peer. */
apr_status_t mnet_peers_accept(mnet_peers_t *peers, const char *wwwroot, const char *pem,
                               mnet_trust_e trust, apr_time_t now, const char **why,
                               apr_pool_t *pool);
/* Keeps a certificate for an administrator to confirm, unless it is in force.  MNET_E_INVALID: it
 * cannot be read or names another site; APR_NOTFOUND as above. */
apr_status_t mnet_peers_offer(mnet_peers_t *peers, const char *wwwroot, const char *pem,
                              const char *why_pending, apr_pool_t *pool);

#endif
