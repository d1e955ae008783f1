/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_RSA_CONTEXT_H
#define MNET_WIRE_RSA_CONTEXT_H

/*
 * Inside of wire/crypto.h: contexts for RSA operations, ready to be used.  Making one costs OpenSSL
 * several look-ups of names under locks, a copy of one made before costs next to nothing; four a
 * call are worth keeping (measured: 2 microseconds each).
 *
 * What is kept holds its key: a key that was rotated away stays in memory until its place is needed
 * or the process ends.
 */

#include <openssl/evp.h>

#include "wire/crypto.h"

typedef enum { MNET_RSA_SIGN, MNET_RSA_VERIFY, MNET_RSA_WRAP, MNET_RSA_UNWRAP } mnet_rsa_op_e;

typedef struct mnet_rsa_contexts_t mnet_rsa_contexts_t;

/* NULL if there is no memory. */
mnet_rsa_contexts_t *mnet_rsa_contexts_create(apr_pool_t *pool);
void mnet_rsa_contexts_free(mnet_rsa_contexts_t *contexts);

/* Those of a mnet_crypto_t; in crypto.c. */
mnet_rsa_contexts_t *mnet_crypto_rsa_contexts(const mnet_crypto_t *crypto);

/* One for this operation with this key, to be freed by the caller; NULL if OpenSSL refuses. */
EVP_PKEY_CTX *mnet_rsa_context(const mnet_crypto_t *crypto, EVP_PKEY *key, mnet_rsa_op_e op);

#endif
