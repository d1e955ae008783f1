/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/text.h"
#include "service/backend.h"

#define SHA256_BLOCK 64

/* HMAC-SHA-256 (RFC 2104) of two digests: OpenSSL's own looks its algorithms up anew each time. */
static const char *hmac(const mnet_crypto_t *crypto, const unsigned char *secret, const char *text,
                        apr_pool_t *pool)
{
    unsigned char inner[SHA256_BLOCK], outer[SHA256_BLOCK], digest[MNET_SHA256];
    const char *hex = NULL;
    int i;

    memset(inner, 0x36, sizeof(inner));
    memset(outer, 0x5c, sizeof(outer));
    for (i = 0; i < MNET_BACKEND_SECRET; i++) {
        inner[i] ^= secret[i];
        outer[i] ^= secret[i];
    }
    if (!mnet_sha256(crypto, inner, sizeof(inner), text, strlen(text), digest) &&
        !mnet_sha256(crypto, outer, sizeof(outer), digest, sizeof(digest), digest)) {
        hex = mnet_hex(digest, sizeof(digest), pool);
    }
    OPENSSL_cleanse(inner, sizeof(inner));
    OPENSSL_cleanse(outer, sizeof(outer));
    return hex;
}

/* No part has a line end in it: headers_ok, or httpd's own reading of a request. */
static const char *prove(const mnet_crypto_t *crypto, const unsigned char *secret,
                         const mnet_backend_told_t *told, apr_int64_t minute, apr_pool_t *pool)
{
    const char *text =
        apr_psprintf(pool, "%" APR_INT64_T_FMT "\n%s\n%s\n%s\n%s\n%s", minute, told->authority,
                     told->path, told->peer, told->application, told->method);

    return hmac(crypto, secret, text, pool);
}

const char *mnet_backend_prove(const mnet_crypto_t *crypto, const unsigned char *secret,
                               const mnet_backend_told_t *told, apr_time_t now, apr_pool_t *pool)
{
    return prove(crypto, secret, told, apr_time_sec(now) / 60, pool);
}

int mnet_backend_proven(const mnet_crypto_t *crypto, const unsigned char *secret, const char *proof,
                        const mnet_backend_told_t *told, apr_time_t now, apr_pool_t *pool)
{
    apr_int64_t minute = apr_time_sec(now) / 60;
    int off, proven = 0;

    if (!secret || !proof || !told->authority || !told->path || !told->peer || !told->application ||
        !told->method) {
        return 0;
    }
    for (off = -1; off <= 1; off++) {
        proven |= mnet_equal_secret(proof, prove(crypto, secret, told, minute + off, pool));
    }
    return proven;
}
