/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_KEYRING_INT_H
#define MNET_TRUST_KEYRING_INT_H

/* Inside this room: what reading (keyring.c) and rotating (rotate.c) share. */

#include "trust/keyring.h"

typedef struct mnet_keyring_parts_t {
    const mnet_crypto_t *crypto;
    mnet_store_t *store;
    const mnet_site_t *site;
    const mnet_log_t *log;
} mnet_keyring_parts_t;

const mnet_keyring_parts_t *mnet_keyring_parts(const mnet_keyring_t *keyring);

/* How many keys a ring has at most: the current one and the history. */
static inline int mnet_keyring_most(const mnet_site_t *site)
{
    return site->key_history < 0 ? 1 : site->key_history > 1000 ? 1001 : site->key_history + 1;
}

#endif
