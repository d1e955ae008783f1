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

#include <apr_pools.h>
#include <openssl/evp.h>

typedef enum { MNET_RSA_SIGN, MNET_RSA_VERIFY, MNET_RSA_WRAP, MNET_RSA_UNWRAP } mnet_rsa_op_e;

typedef struct mnet_rsa_contexts_t mnet_rsa_contexts_t;

/* NULL if there is no memory. */
mnet_rsa_contexts_t *mnet_rsa_contexts_create(OSSL_LIB_CTX *libctx, apr_pool_t *pool);
void mnet_rsa_contexts_free(mnet_rsa_contexts_t *contexts);

/* One for this operation with this key, to be freed by the caller; NULL if OpenSSL refuses. */
EVP_PKEY_CTX *mnet_rsa_context(mnet_rsa_contexts_t *contexts, EVP_PKEY *key, mnet_rsa_op_e op);

#endif
