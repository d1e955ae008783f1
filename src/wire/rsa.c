/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA as MNET uses it.  OpenSSL does the arithmetic (blinded, constant in time); the encodings of
 * RFC 8017 on either side of it are checked here, byte for byte:
 *   - signing and verifying hand OpenSSL a whole DigestInfo without naming a digest, so that no
 *     policy against SHA-1 (RHEL's, a security level) has a say;
 *   - unwrapping takes raw RSA and removes the padding itself, because OpenSSL before 3.2 reports
 *     bad padding and later ones answer it with a text of their own of any length.
 */
#include "wire/crypto.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "base/status.h"
#include "wire/rsa_context.h"

/* SEQUENCE { SEQUENCE { OID 1.3.14.3.2.26, NULL }, OCTET STRING of 20 } (RFC 8017, 9.2, note 1) */
static const unsigned char sha1_prefix[] = {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                                            0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};
#define DIGEST_INFO (sizeof sha1_prefix + MNET_SHA1)

/* The bytes of a key's modulus; 0 if it is no RSA key of a size we use. */
static apr_size_t modulus_size(const EVP_PKEY *key)
{
    int size;

    if (!key || !EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) < MNET_RSA_BITS_MIN)
        return 0;
    size = EVP_PKEY_get_size(key);
    return size > 0 && size <= MNET_MODULUS_MAX ? (apr_size_t)size : 0;
}

static void digest_info(unsigned char out[DIGEST_INFO], const unsigned char sha1[MNET_SHA1])
{
    memcpy(out, sha1_prefix, sizeof sha1_prefix);
    memcpy(out + sizeof sha1_prefix, sha1, MNET_SHA1);
}

apr_status_t mnet_rsa_sign(const mnet_crypto_t *crypto, EVP_PKEY *key,
                           const unsigned char sha1[MNET_SHA1], unsigned char *signature,
                           apr_size_t *len)
{
    unsigned char info[DIGEST_INFO];
    size_t written = MNET_MODULUS_MAX;
    EVP_PKEY_CTX *ctx;
    int done;

    *len = 0;
    if (!modulus_size(key))
        return MNET_E_CRYPTO;
    digest_info(info, sha1);
    ERR_set_mark();
    ctx = mnet_rsa_context(mnet_crypto_rsa_contexts(crypto), key, MNET_RSA_SIGN);
    done = ctx && EVP_PKEY_sign(ctx, signature, &written, info, sizeof info) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_pop_to_mark();
    if (!done)
        return MNET_E_CRYPTO;
    *len = written;
    return APR_SUCCESS;
}

/*
 * OpenSSL removes 00 01 FF..FF 00 (all FF, to the byte); what remains must be our DigestInfo and
 * nothing else, so the padding's length is fixed too and nothing can hide in it or behind it.
 */
apr_status_t mnet_rsa_verify(const mnet_crypto_t *crypto, EVP_PKEY *key,
                             const unsigned char sha1[MNET_SHA1], const unsigned char *signature,
                             apr_size_t len)
{
    unsigned char expected[DIGEST_INFO];
    unsigned char recovered[MNET_MODULUS_MAX];
    size_t written = sizeof recovered;
    apr_size_t size = modulus_size(key);
    EVP_PKEY_CTX *ctx;
    int done;

    if (!size)
        return MNET_E_CRYPTO;
    if (len != size)
        return MNET_E_SIGNATURE;
    digest_info(expected, sha1);
    ERR_set_mark();
    ctx = mnet_rsa_context(mnet_crypto_rsa_contexts(crypto), key, MNET_RSA_VERIFY);
    done = ctx && EVP_PKEY_verify_recover(ctx, recovered, &written, signature, len) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_pop_to_mark();
    if (!ctx)
        return MNET_E_CRYPTO;
    if (!done || written != sizeof expected ||
        CRYPTO_memcmp(recovered, expected, sizeof expected) != 0)
        return MNET_E_SIGNATURE;
    return APR_SUCCESS;
}

apr_status_t mnet_rsa_wrap(const mnet_crypto_t *crypto, EVP_PKEY *key,
                           const unsigned char session_key[MNET_SESSION_KEY],
                           unsigned char *wrapped, apr_size_t *len)
{
    size_t written = MNET_MODULUS_MAX;
    EVP_PKEY_CTX *ctx;
    int done;

    *len = 0;
    if (!modulus_size(key))
        return MNET_E_CRYPTO;
    ERR_set_mark();
    ctx = mnet_rsa_context(mnet_crypto_rsa_contexts(crypto), key, MNET_RSA_WRAP);
    done = ctx && EVP_PKEY_encrypt(ctx, wrapped, &written, session_key, MNET_SESSION_KEY) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_pop_to_mark();
    if (!done)
        return MNET_E_CRYPTO;
    *len = written;
    return APR_SUCCESS;
}

/* --- unwrapping: nothing below branches on, or indexes by, a byte of em --- */

/* The compiler must not learn that a mask has two values only, or it may branch on it. */
static unsigned int opaque(unsigned int mask)
{
    __asm__("" : "+r"(mask));
    return mask;
}

/* All ones if byte (0 to 255) is zero, else 0. */
static unsigned int zero_mask(unsigned int byte)
{
    return opaque(0u - ((byte - 1u) >> 31));
}

/*
 * EM = 00 02 PS 00 M, where M is exactly 16 bytes and PS fills the rest with non-zero bytes (RFC
 * 8017, 7.2.2): copies M over key if that is so and valid is all ones, else leaves key.
 */
static void unpad(unsigned char key[MNET_SESSION_KEY], const unsigned char *em, apr_size_t size,
                  unsigned int valid)
{
    const unsigned char *message = em + size - MNET_SESSION_KEY;
    unsigned int good = opaque(valid);
    apr_size_t i;

    good &= zero_mask(em[0]);
    good &= zero_mask(em[1] ^ 2u);
    for (i = 2; i < size - MNET_SESSION_KEY - 1; i++)
        good &= ~zero_mask(em[i]);
    good &= zero_mask(em[size - MNET_SESSION_KEY - 1]);
    good = opaque(good);
    for (i = 0; i < MNET_SESSION_KEY; i++)
        key[i] = (unsigned char)((message[i] & good) | (key[i] & ~good));
}

static int raw_private(const mnet_crypto_t *crypto, EVP_PKEY *key, const unsigned char *in,
                       apr_size_t size, unsigned char *em)
{
    size_t written = size;
    EVP_PKEY_CTX *ctx = mnet_rsa_context(mnet_crypto_rsa_contexts(crypto), key, MNET_RSA_UNWRAP);
    int done = ctx && EVP_PKEY_decrypt(ctx, em, &written, in, size) == 1 && written == size;

    EVP_PKEY_CTX_free(ctx);
    return done;
}

apr_status_t mnet_rsa_unwrap(const mnet_crypto_t *crypto, EVP_PKEY *key,
                             const unsigned char *wrapped, apr_size_t len,
                             unsigned char session_key[MNET_SESSION_KEY])
{
    unsigned char em[MNET_MODULUS_MAX] = {0};
    unsigned char substitute[MNET_MODULUS_MAX];
    unsigned int valid = ~0u;
    apr_size_t size = modulus_size(key);
    int done;

    if (!size || len != size)
        return MNET_E_CRYPTO;
    if (mnet_random(crypto, session_key, MNET_SESSION_KEY) != APR_SUCCESS)
        return MNET_E_CRYPTO;
    ERR_set_mark();
    done = raw_private(crypto, key, wrapped, size, em);
    if (!done) {
        /* Not below the modulus, as anybody can see: the same work on a number that is. */
        valid = 0;
        memcpy(substitute, wrapped, size);
        substitute[0] = 0;
        done = raw_private(crypto, key, substitute, size, em);
    }
    ERR_pop_to_mark();
    if (done)
        unpad(session_key, em, size, valid);
    OPENSSL_cleanse(em, sizeof em);
    return done ? APR_SUCCESS : MNET_E_CRYPTO;
}
