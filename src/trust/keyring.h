/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_KEYRING_H
#define MNET_TRUST_KEYRING_H

/*
 * Our own keys (protocol 4): the current one, and the old ones that still open a message.  They
 * live in the store (group "key") and are parsed once per process and change: a ring is
 * immutable and counted, so that a thread works on with the one it got while another loads the
 * next.  There is never a moment without a current key: the new one takes its place in the same
 * transaction that makes the old one history.
 */

#include <apr_pools.h>
#include <apr_time.h>

#include "base/log.h"
#include "state/store.h"
#include "trust/site.h"
#include "wire/crypto.h"

typedef struct mnet_ring_t {
    int count;               /* at least 1 */
    EVP_PKEY *const *keys;   /* private; the current one first, then newest first */
    const char *const *pems; /* their certificates */
    const apr_time_t *created;
    const apr_time_t *not_after;
    apr_uint64_t stamp; /* changes with every rotation of this ring */
} mnet_ring_t;

typedef struct mnet_keyring_t mnet_keyring_t;

/* One per site and process; loads nothing yet. */
mnet_keyring_t *mnet_keyring_create(const mnet_crypto_t *crypto, mnet_store_t *store,
                                    const mnet_site_t *site, const mnet_log_t *log,
                                    apr_pool_t *pool);

/*
 * The ring as of now.  txn: an open read transaction, in which the generation was looked at anyway.
 * Valid until pool is cleared (which gives it back).  APR_NOTFOUND: no key was ever made.  An old
 * key that cannot be read is left out; if the current one cannot, that is the answer.
 */
apr_status_t mnet_keyring_get(mnet_keyring_t *keyring, mnet_txn_t *txn, const mnet_ring_t **ring,
                              apr_pool_t *pool);

/*
 * Makes a key if there is none, replaces one that is due: within a tenth of its lifetime (at most
 * 7 days) before it expires, or any with force.  Old keys beyond the history go.  *made: 1 if a
 * new key is current now.  Two processes at once make one key.  A current key that cannot be read
 * is replaced with force only.
 */
apr_status_t mnet_keyring_rotate(mnet_keyring_t *keyring, apr_time_t now, int force, int *made,
                                 apr_pool_t *pool);

#endif
