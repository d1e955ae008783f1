/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a sealed message.  Whoever sent it may be trying keys: until one opens it, every message
 * costs the same, a private operation and a look at the first bytes for each key of the ring, and
 * nothing tells which step failed (protocol 11, 5).
 */
#include "wire/message.h"

#include <string.h>

#include <apr_strings.h>
#include <openssl/crypto.h>

#include "base/status.h"

/* How much of the plain text is looked at, and how far into it white space may reach. */
#define HEAD       64
#define HEAD_BLANK 32

typedef struct head_t {
    char data[HEAD];
    apr_size_t len;
} head_t;

/* A sink that takes HEAD bytes and then says APR_EOF. */
static apr_status_t take_head(void *baton, const char *data, apr_size_t len)
{
    head_t *head = baton;
    apr_size_t n = len < HEAD - head->len ? len : HEAD - head->len;

    memcpy(head->data + head->len, data, n);
    head->len += n;
    return head->len == HEAD ? APR_EOF : APR_SUCCESS;
}

static apr_status_t read_head(mnet_spool_t *from, head_t *head)
{
    mnet_sink_t to = {take_head, head};
    apr_status_t rv;

    rv = mnet_spool_pour(from, &to);
    return APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv;
}

/* The first 8 bytes from data on, as a number that is good for comparing only. */
static apr_uint64_t word(const char *data)
{
    apr_uint64_t w;

    memcpy(&w, data, sizeof w);
    return w;
}

/*
 * Does it begin as a message does, after a mark of UTF-8 and white space?  Every place is looked
 * at, whatever is found: the time says nothing about the text.
 */
static int begins_as_message(const head_t *head)
{
    const apr_uint64_t five = word("\xff\xff\xff\xff\xff\0\0"), declaration = word("<?xml\0\0");
    const apr_uint64_t message = word("<signedMessage"), call = word("<methodCall"),
                       response = word("<methodResponse");
    unsigned int blank = 1, found = 0;
    apr_size_t at;

    for (at = 0; at < HEAD_BLANK; at++) {
        unsigned char c = (unsigned char)head->data[at];
        apr_uint64_t w = word(head->data + at);

        found |=
            blank & ((w == message) | (w == call) | (w == response) | ((w & five) == declaration));
        blank &= (c == ' ') | (c == '\n') | (c == '\r') | (c == '\t') | ((c == 0xef) & (at == 0)) |
                 ((c == 0xbb) & (at == 1)) | ((c == 0xbf) & (at == 2));
    }
    return (int)found;
}

/* The wrapped key for one key of the ring; a stand-in of the right length where it has another. */
static apr_status_t unwrap(const mnet_crypto_t *crypto, const mnet_message_t *sealed, EVP_PKEY *key,
                           unsigned char session_key[MNET_SESSION_KEY], int *fits)
{
    unsigned char standin[MNET_MODULUS_MAX] = {0};
    apr_size_t size = (apr_size_t)EVP_PKEY_get_size(key);
    apr_size_t held = sealed->wrapped_len;

    *fits = held == size;
    if (*fits)
        return mnet_rsa_unwrap(crypto, key, sealed->wrapped, held, session_key);
    if (!size || size > sizeof standin)
        return MNET_E_CRYPTO;
    if (held > size - 1)
        held = size - 1;
    if (held)
        memcpy(standin + 1, sealed->wrapped, held);
    return mnet_rsa_unwrap(crypto, key, standin, size, session_key);
}

/* One key of the ring.  *opens: it is this one. */
static apr_status_t try_key(const mnet_crypto_t *crypto, const mnet_message_t *sealed,
                            const head_t *cipher, EVP_PKEY *key,
                            unsigned char session_key[MNET_SESSION_KEY], int *opens,
                            apr_pool_t *pool)
{
    head_t plain = {{0}, 0};
    mnet_sink_t to = {take_head, &plain};
    mnet_rc4_t *rc4;
    int fits;
    apr_status_t rv;

    *opens = 0;
    rv = unwrap(crypto, sealed, key, session_key, &fits);
    if (rv == APR_SUCCESS)
        rv = mnet_rc4_create(&rc4, crypto, session_key, MNET_SESSION_KEY, &to, pool);
    if (rv != APR_SUCCESS)
        return rv;
    rv = mnet_rc4_write(rc4, cipher->data, cipher->len);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv))
        return rv;
    *opens = begins_as_message(&plain) & fits;
    OPENSSL_cleanse(&plain, sizeof plain);
    return APR_SUCCESS;
}

/* The first key of the ring that opens it: *index, or -1. */
static apr_status_t find_key(const mnet_crypto_t *crypto, const mnet_message_t *sealed,
                             EVP_PKEY *const *ring, int keys, int *index,
                             unsigned char session_key[MNET_SESSION_KEY], apr_pool_t *pool)
{
    head_t cipher = {{0}, 0};
    apr_status_t rv = read_head(sealed->cipher, &cipher);
    apr_pool_t *scratch;
    int i, opens = 0;

    *index = -1;
    if (rv == APR_SUCCESS)
        rv = apr_pool_create(&scratch, pool);
    if (rv != APR_SUCCESS)
        return rv;
    for (i = 0; i < keys && rv == APR_SUCCESS && !opens; i++) {
        apr_pool_clear(scratch);
        rv = try_key(crypto, sealed, &cipher, ring[i], session_key, &opens, scratch);
        if (opens)
            *index = i;
    }
    apr_pool_destroy(scratch);
    return rv;
}

/* The whole cipher text through RC4 into a second reader. */
static apr_status_t read_inner(const mnet_reading_t *how, const mnet_message_t *sealed,
                               const unsigned char session_key[MNET_SESSION_KEY],
                               mnet_message_t **inner, const char **why, apr_pool_t *pool)
{
    mnet_message_reader_t *reader = mnet_message_reader_create(how, pool);
    mnet_sink_t to = {mnet_message_reader_write, reader};
    mnet_sink_t through = {mnet_rc4_write, NULL};
    mnet_message_t *message;
    mnet_rc4_t *rc4;
    apr_status_t rv;

    rv = mnet_rc4_create(&rc4, how->crypto, session_key, MNET_SESSION_KEY, &to, pool);
    if (rv != APR_SUCCESS)
        return rv;
    through.baton = rc4;
    rv = mnet_spool_pour(sealed->cipher, &through);
    if (rv == APR_SUCCESS)
        rv = mnet_message_reader_end(reader, &message);
    if (rv != APR_SUCCESS) {
        *why = mnet_message_reader_problem(reader);
        return rv;
    }
    if (message->envelope == MNET_ENCRYPTED) {
        *why = "an encryptedMessage in an encryptedMessage";
        return MNET_E_XML;
    }
    *inner = message;
    return APR_SUCCESS;
}

apr_status_t mnet_message_open(const mnet_reading_t *how, const mnet_message_t *sealed,
                               EVP_PKEY *const *ring, int keys, int *index,
                               unsigned char session_key[MNET_SESSION_KEY], mnet_message_t **inner,
                               const char **why, apr_pool_t *pool)
{
    apr_status_t rv;

    *inner = NULL;
    *why = "";
    *index = -1;
    memset(session_key, 0, MNET_SESSION_KEY);
    if (sealed->envelope != MNET_ENCRYPTED) {
        *why = "it is not encrypted";
        return MNET_E_INVALID;
    }
    rv = find_key(how->crypto, sealed, ring, keys, index, session_key, pool);
    if (rv == APR_SUCCESS && *index < 0) {
        *why = "no key opens it";
        rv = MNET_E_NOKEY;
    }
    if (rv == APR_SUCCESS)
        rv = read_inner(how, sealed, session_key, inner, why, pool);
    if (rv != APR_SUCCESS)
        OPENSSL_cleanse(session_key, MNET_SESSION_KEY);
    return rv;
}

apr_status_t mnet_message_verify(const mnet_crypto_t *crypto, const mnet_message_t *message,
                                 EVP_PKEY *key)
{
    if (message->envelope != MNET_SIGNED)
        return MNET_E_SIGNATURE;
    return mnet_rsa_verify(crypto, key, message->sha1, message->signature, message->signature_len);
}
