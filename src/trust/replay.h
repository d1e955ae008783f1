/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_REPLAY_H
#define MNET_TRUST_REPLAY_H

/*
 * A replay is a session key seen before (design.md).  A call that changes something claims
 * SHA-256(site, peer, session key) in the same transaction as its effect; one that only reads is
 * held against the recent past in shared memory.
 */

#include "state/shared.h"
#include "state/store.h"
#include "trust/peers.h"

typedef struct mnet_replay_name_t {
    unsigned char bytes[MNET_SHA256];
} mnet_replay_name_t;

apr_status_t mnet_replay_name(const mnet_crypto_t *crypto, const mnet_site_t *site,
                              const mnet_peer_t *peer,
                              const unsigned char session_key[MNET_SESSION_KEY],
                              mnet_replay_name_t *name);
/* MNET_E_REPLAY if it was claimed before and until is not yet past. */
apr_status_t mnet_replay_claim(mnet_txn_t *txn, const mnet_replay_name_t *name, apr_time_t now,
                               apr_time_t until);
/* For calls that only read: was it claimed?  No write. */
int mnet_replay_claimed(mnet_txn_t *txn, const mnet_replay_name_t *name, apr_time_t now);
/* Removes what is past, at most max of them in one short transaction; *left: 1 if more wait. */
apr_status_t mnet_replay_purge(mnet_store_t *store, apr_time_t now, int max, int *left,
                               apr_pool_t *pool);

#endif
