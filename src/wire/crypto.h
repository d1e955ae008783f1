/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_CRYPTO_H
#define MNET_WIRE_CRYPTO_H

/*
 * The cryptography of MNET, in an OpenSSL library context of its own (OSSL_LIB_CTX) with the
 * default and the legacy provider: RC4 is there for MNET and for nothing else in the process, and
 * the system's openssl.cnf is neither needed nor read.  Algorithms are fetched once.  Everything
 * here may be used by any number of threads at once.
 */

#include <apr_pools.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/sink.h"

#define MNET_SESSION_KEY  16   /* bytes: RC4-128 (protocol 2.4) */
#define MNET_MODULUS_MAX  1024 /* bytes: no RSA key over 8192 bits is used */
#define MNET_RSA_BITS_MIN 1024

typedef struct mnet_crypto_t mnet_crypto_t;

/* Freed with the pool.  *why: which provider is missing and what to install. */
apr_status_t mnet_crypto_create(mnet_crypto_t **crypto, const char **why, apr_pool_t *pool);
OSSL_LIB_CTX *mnet_crypto_libctx(const mnet_crypto_t *crypto);
/* Within the room: the contexts that wire/rsa_context.h keeps ready. */
struct mnet_rsa_contexts_t *mnet_crypto_rsa_contexts(const mnet_crypto_t *crypto);

/* --- digest and signature: RSASSA-PKCS1-v1_5 with SHA-1 (RFC 8017, 8.2) --- */

/* SHA-1 as a stream.  Belongs to the pool. */
typedef struct mnet_digest_t mnet_digest_t;
#define MNET_SHA1   20
#define MNET_SHA256 32
mnet_digest_t *mnet_sha1_create(const mnet_crypto_t *crypto, apr_pool_t *pool);
apr_status_t mnet_digest_write(void *digest, const char *data, apr_size_t len); /* mnet_sink_fn */
apr_status_t mnet_digest_end(mnet_digest_t *digest, unsigned char out[MNET_SHA1]);

/* SHA-256 of parts, at once: the name under which a replay is remembered, fingerprints. */
apr_status_t mnet_sha256(const mnet_crypto_t *crypto, const void *a, apr_size_t a_len,
                         const void *b, apr_size_t b_len, unsigned char out[MNET_SHA256]);

/* Signs a SHA-1.  signature: MNET_MODULUS_MAX bytes of room; *len: bytes written. */
apr_status_t mnet_rsa_sign(const mnet_crypto_t *crypto, EVP_PKEY *key,
                           const unsigned char sha1[MNET_SHA1], unsigned char *signature,
                           apr_size_t *len);
/* MNET_E_SIGNATURE if it is not a signature of that digest by that key.  Independent of any
 * system-wide policy against SHA-1 (protocol 11, 4). */
apr_status_t mnet_rsa_verify(const mnet_crypto_t *crypto, EVP_PKEY *key,
                             const unsigned char sha1[MNET_SHA1], const unsigned char *signature,
                             apr_size_t len);

/* --- session keys: RSAES-PKCS1-v1_5 (RFC 8017, 7.2) --- */

apr_status_t mnet_rsa_wrap(const mnet_crypto_t *crypto, EVP_PKEY *key,
                           const unsigned char session_key[MNET_SESSION_KEY],
                           unsigned char *wrapped, apr_size_t *len);
/*
 * Unwraps in constant time: on any fault of the padding, or a length other than 16, session_key is
 * a random one and the answer is APR_SUCCESS all the same; the same work is done in every case, on
 * OpenSSL 3.0 (which reports bad padding) as on 3.2 and later (which hides it in its own way): raw
 * RSA, and our own unpadding.  MNET_E_CRYPTO only for what does not depend on the secret: a
 * wrapped length other than the modulus, no entropy.
 */
apr_status_t mnet_rsa_unwrap(const mnet_crypto_t *crypto, EVP_PKEY *key,
                             const unsigned char *wrapped, apr_size_t len,
                             unsigned char session_key[MNET_SESSION_KEY]);

apr_status_t mnet_random(const mnet_crypto_t *crypto, unsigned char *out, apr_size_t len);

/* --- RC4 as a stream (both directions are the same) --- */

typedef struct mnet_rc4_t mnet_rc4_t;
/* Belongs to the pool, cleansed with it. */
apr_status_t mnet_rc4_create(mnet_rc4_t **rc4, const mnet_crypto_t *crypto,
                             const unsigned char *key, apr_size_t key_len, const mnet_sink_t *to,
                             apr_pool_t *pool);
apr_status_t mnet_rc4_write(void *rc4, const char *data, apr_size_t len); /* mnet_sink_fn */

#endif
