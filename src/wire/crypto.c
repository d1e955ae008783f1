/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include <apr_strings.h>
#include <stdatomic.h>

#include "base/status.h"
#include "wire/rsa_context.h"

struct mnet_crypto_t {
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *standard;
    OSSL_PROVIDER *legacy;
    EVP_CIPHER *rc4;
    EVP_MD *sha1;
    EVP_MD *sha256;
    mnet_rsa_contexts_t *contexts;
    /* Contexts of SHA-256 that nobody uses now: to make one anew costs more than a short digest. */
    _Atomic(EVP_MD_CTX *) *idle;
};

#define IDLE 16

struct mnet_digest_t {
    EVP_MD_CTX *ctx;
};

#define RC4_KEY_MAX 256
#define RC4_PIECE   4096
#define RC4_LARGE   (32 * 1024) /* for whoever writes more than that at once */

struct mnet_rc4_t {
    EVP_CIPHER_CTX *ctx;
    const mnet_sink_t *to;
    apr_pool_t *pool;
    unsigned char *large; /* NULL: not needed yet */
    unsigned char piece[RC4_PIECE];
};

/* --- the context --- */

static apr_status_t crypto_free(void *data)
{
    mnet_crypto_t *crypto = data;

    mnet_rsa_contexts_free(crypto->contexts);
    for (int i = 0; i < IDLE; i++)
        EVP_MD_CTX_free(atomic_exchange(&crypto->idle[i], NULL));
    EVP_CIPHER_free(crypto->rc4);
    EVP_MD_free(crypto->sha1);
    EVP_MD_free(crypto->sha256);
    if (crypto->legacy)
        OSSL_PROVIDER_unload(crypto->legacy);
    if (crypto->standard)
        OSSL_PROVIDER_unload(crypto->standard);
    OSSL_LIB_CTX_free(crypto->libctx);
    return APR_SUCCESS;
}

/* OpenSSL's own words for the newest error, which goes out of its queue. */
static const char *openssl_problem(apr_pool_t *pool)
{
    char text[256];
    unsigned long code = ERR_peek_last_error();

    if (!code)
        return "no reason given";
    ERR_error_string_n(code, text, sizeof text);
    return apr_pstrdup(pool, text);
}

static const char *load_providers(mnet_crypto_t *crypto, apr_pool_t *pool)
{
    crypto->standard = OSSL_PROVIDER_load(crypto->libctx, "default");
    if (!crypto->standard)
        return apr_psprintf(pool, "OpenSSL's default provider cannot be loaded (%s)",
                            openssl_problem(pool));
    crypto->legacy = OSSL_PROVIDER_load(crypto->libctx, "legacy");
    if (!crypto->legacy)
        return apr_psprintf(
            pool,
            "OpenSSL's legacy provider, which has the RC4 that MNET needs, cannot be loaded (%s): "
            "install the package with its legacy.so (Debian 13 and later: "
            "openssl-provider-legacy; Debian 12: libssl3; Fedora and RHEL: openssl-libs), or name "
            "its directory in the environment variable OPENSSL_MODULES; openssl.cnf need not be "
            "changed",
            openssl_problem(pool));
    return NULL;
}

static const char *fetch_algorithms(mnet_crypto_t *crypto, apr_pool_t *pool)
{
    const char *missing = NULL;

    if (!(crypto->rc4 = EVP_CIPHER_fetch(crypto->libctx, "RC4", NULL)))
        missing = "RC4";
    else if (!(crypto->sha1 = EVP_MD_fetch(crypto->libctx, "SHA1", NULL)))
        missing = "SHA-1";
    else if (!(crypto->sha256 = EVP_MD_fetch(crypto->libctx, "SHA256", NULL)))
        missing = "SHA-256";
    if (!missing)
        return NULL;
    return apr_psprintf(pool,
                        "this OpenSSL was built without %s, which MNET needs (%s): use a build "
                        "that has it, as the distributions' packages do",
                        missing, openssl_problem(pool));
}

apr_status_t mnet_crypto_create(mnet_crypto_t **crypto, const char **why, apr_pool_t *pool)
{
    mnet_crypto_t *made = apr_pcalloc(pool, sizeof *made);

    *crypto = NULL;
    *why = NULL;
    made->idle = apr_pcalloc(pool, IDLE * sizeof *made->idle);
    made->libctx = OSSL_LIB_CTX_new();
    if (!made->libctx) {
        *why = "OpenSSL has no memory for a library context";
        return APR_ENOMEM;
    }
    apr_pool_cleanup_register(pool, made, crypto_free, apr_pool_cleanup_null);
    made->contexts = mnet_rsa_contexts_create(made->libctx, pool);
    if (!made->contexts) {
        *why = "OpenSSL has no memory for a lock";
        apr_pool_cleanup_run(pool, made, crypto_free);
        return APR_ENOMEM;
    }
    ERR_set_mark();
    *why = load_providers(made, pool);
    if (!*why)
        *why = fetch_algorithms(made, pool);
    ERR_pop_to_mark();
    if (*why) {
        apr_pool_cleanup_run(pool, made, crypto_free);
        return MNET_E_CRYPTO;
    }
    *crypto = made;
    return APR_SUCCESS;
}

OSSL_LIB_CTX *mnet_crypto_libctx(const mnet_crypto_t *crypto)
{
    return crypto->libctx;
}

mnet_rsa_contexts_t *mnet_crypto_rsa_contexts(const mnet_crypto_t *crypto)
{
    return crypto->contexts;
}

apr_status_t mnet_random(const mnet_crypto_t *crypto, unsigned char *out, apr_size_t len)
{
    return RAND_priv_bytes_ex(crypto->libctx, out, len, 0) == 1 ? APR_SUCCESS : MNET_E_CRYPTO;
}

/* --- digests --- */

static apr_status_t digest_free(void *data)
{
    mnet_digest_t *digest = data;

    EVP_MD_CTX_free(digest->ctx);
    digest->ctx = NULL;
    return APR_SUCCESS;
}

mnet_digest_t *mnet_sha1_create(const mnet_crypto_t *crypto, apr_pool_t *pool)
{
    mnet_digest_t *digest = apr_palloc(pool, sizeof *digest);

    digest->ctx = EVP_MD_CTX_new();
    if (!digest->ctx)
        return NULL;
    apr_pool_cleanup_register(pool, digest, digest_free, apr_pool_cleanup_null);
    if (EVP_DigestInit_ex2(digest->ctx, crypto->sha1, NULL) != 1)
        return NULL;
    return digest;
}

apr_status_t mnet_digest_write(void *digest, const char *data, apr_size_t len)
{
    mnet_digest_t *self = digest;

    return EVP_DigestUpdate(self->ctx, data, len) == 1 ? APR_SUCCESS : MNET_E_CRYPTO;
}

apr_status_t mnet_digest_end(mnet_digest_t *digest, unsigned char out[MNET_SHA1])
{
    unsigned int len = 0;

    if (EVP_DigestFinal_ex(digest->ctx, out, &len) != 1 || len != MNET_SHA1)
        return MNET_E_CRYPTO;
    return APR_SUCCESS;
}

static EVP_MD_CTX *take_idle(const mnet_crypto_t *crypto)
{
    EVP_MD_CTX *ctx = NULL;

    for (int i = 0; i < IDLE && !ctx; i++)
        ctx = atomic_exchange_explicit(&crypto->idle[i], NULL, memory_order_acquire);
    return ctx ? ctx : EVP_MD_CTX_new();
}

static void keep_idle(const mnet_crypto_t *crypto, EVP_MD_CTX *ctx)
{
    for (int i = 0; i < IDLE; i++) {
        EVP_MD_CTX *none = NULL;

        if (atomic_compare_exchange_strong_explicit(&crypto->idle[i], &none, ctx,
                                                    memory_order_release, memory_order_relaxed))
            return;
    }
    EVP_MD_CTX_free(ctx);
}

apr_status_t mnet_sha256(const mnet_crypto_t *crypto, const void *a, apr_size_t a_len,
                         const void *b, apr_size_t b_len, unsigned char out[MNET_SHA256])
{
    EVP_MD_CTX *ctx = take_idle(crypto);
    unsigned int len = 0;
    int done = ctx && EVP_DigestInit_ex2(ctx, crypto->sha256, NULL) == 1 &&
               (!a_len || EVP_DigestUpdate(ctx, a, a_len) == 1) &&
               (!b_len || EVP_DigestUpdate(ctx, b, b_len) == 1) &&
               EVP_DigestFinal_ex(ctx, out, &len) == 1 && len == MNET_SHA256;

    if (done) /* its end cleansed what it was given */
        keep_idle(crypto, ctx);
    else
        EVP_MD_CTX_free(ctx);
    return done ? APR_SUCCESS : MNET_E_CRYPTO;
}

/* --- RC4 --- */

static apr_status_t rc4_free(void *data)
{
    mnet_rc4_t *rc4 = data;

    EVP_CIPHER_CTX_free(rc4->ctx); /* cleanses its state */
    rc4->ctx = NULL;
    OPENSSL_cleanse(rc4->piece, sizeof rc4->piece);
    if (rc4->large)
        OPENSSL_cleanse(rc4->large, RC4_LARGE);
    return APR_SUCCESS;
}

apr_status_t mnet_rc4_create(mnet_rc4_t **rc4, const mnet_crypto_t *crypto,
                             const unsigned char *key, apr_size_t key_len, const mnet_sink_t *to,
                             apr_pool_t *pool)
{
    mnet_rc4_t *made;

    *rc4 = NULL;
    if (!key_len || key_len > RC4_KEY_MAX)
        return MNET_E_INVALID;
    made = apr_palloc(pool, sizeof *made);
    made->to = to;
    made->pool = pool;
    made->large = NULL;
    made->ctx = EVP_CIPHER_CTX_new();
    if (!made->ctx)
        return APR_ENOMEM;
    apr_pool_cleanup_register(pool, made, rc4_free, apr_pool_cleanup_null);
    if (EVP_EncryptInit_ex2(made->ctx, crypto->rc4, NULL, NULL, NULL) != 1 ||
        EVP_CIPHER_CTX_set_key_length(made->ctx, (int)key_len) != 1 ||
        EVP_EncryptInit_ex2(made->ctx, NULL, key, NULL, NULL) != 1) {
        apr_pool_cleanup_run(pool, made, rc4_free);
        return MNET_E_CRYPTO;
    }
    *rc4 = made;
    return APR_SUCCESS;
}

apr_status_t mnet_rc4_write(void *rc4, const char *data, apr_size_t len)
{
    mnet_rc4_t *self = rc4;
    unsigned char *piece = self->piece;
    apr_size_t most = RC4_PIECE;

    if (len > RC4_PIECE) {
        if (!self->large)
            self->large = apr_palloc(self->pool, RC4_LARGE);
        piece = self->large;
        most = RC4_LARGE;
    }
    while (len) {
        int n = len < most ? (int)len : (int)most;
        int written = 0;
        apr_status_t rv;

        if (EVP_EncryptUpdate(self->ctx, piece, &written, (const unsigned char *)data, n) != 1 ||
            written != n)
            return MNET_E_CRYPTO;
        rv = mnet_sink_write(self->to, (const char *)piece, (apr_size_t)n);
        if (rv != APR_SUCCESS)
            return rv;
        data += n;
        len -= (apr_size_t)n;
    }
    return APR_SUCCESS;
}
