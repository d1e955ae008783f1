/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Input: a byte that says what to do, then a text.  The text is read as a message, which must not
 * depend on the pieces; it is what a sealed message holds, which opens to the same message; and it
 * is signed and sealed, read, opened and verified again.
 */

#include "fuzz_help.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "wire/message.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_disable()
#define __lsan_enable()
#endif

static mnet_crypto_t *crypto;
static EVP_PKEY *key;

static apr_status_t read_pieces(const mnet_reading_t *how, const char *text, apr_size_t len,
                                apr_size_t step, mnet_message_t **message, apr_pool_t *pool)
{
    mnet_message_reader_t *reader = mnet_message_reader_create(how, pool);
    mnet_sink_t to = {mnet_message_reader_write, reader};
    apr_status_t rv = write_pieces(&to, text, len, step);

    *message = NULL;
    if (rv == APR_SUCCESS) {
        rv = mnet_message_reader_end(reader, message);
    }
    MUST((rv == APR_SUCCESS) == (*message != NULL));
    return rv;
}

static int same_spool(mnet_spool_t *a, mnet_spool_t *b)
{
    if (mnet_spool_length(a) != mnet_spool_length(b)) {
        return 0;
    }
    return !mnet_spool_text(a) || !mnet_spool_text(b) ||
           !memcmp(mnet_spool_text(a), mnet_spool_text(b), (size_t)mnet_spool_length(a));
}

static void check_same(const mnet_message_t *a, const mnet_message_t *b)
{
    MUST(a->envelope == b->envelope);
    if (a->envelope == MNET_PLAIN) {
        MUST(a->document && b->document && a->document->kind == b->document->kind);
        return;
    }
    MUST(a->wwwroot && b->wwwroot && !strcmp(a->wwwroot, b->wwwroot));
    if (a->envelope == MNET_SIGNED) {
        MUST(same_spool(a->payload, b->payload));
        MUST(a->timestamp == b->timestamp);
        MUST(!memcmp(a->sha1, b->sha1, sizeof(a->sha1)));
        MUST(a->signature_len == b->signature_len);
    } else {
        MUST(same_spool(a->cipher, b->cipher));
        MUST(a->wrapped_len == b->wrapped_len);
    }
}

/* Wraps the text and reads the envelope. */
static mnet_message_t *sealed(const mnet_reading_t *how, mnet_spool_t *payload, EVP_PKEY *sign,
                              apr_pool_t *pool)
{
    mnet_wrapping_t wrapping = {crypto, sign, key, "https://a.example", "https://a.example/k", 99};
    mnet_spool_t *wire = mnet_spool_create(0, NULL, pool);
    mnet_message_reader_t *reader = mnet_message_reader_create(how, pool);
    mnet_sink_t to = {mnet_spool_write, wire}, in = {mnet_message_reader_write, reader};
    mnet_message_t *message;
    apr_off_t length = -1;

    MUST(mnet_message_wrap(&wrapping, payload, &length, &to, pool) == APR_SUCCESS);
    MUST(length == mnet_spool_length(wire));
    MUST(mnet_spool_pour(wire, &in) == APR_SUCCESS);
    MUST(mnet_message_reader_end(reader, &message) == APR_SUCCESS);
    MUST(message->envelope == MNET_ENCRYPTED);
    return message;
}

static void check_wrapped(const mnet_reading_t *how, const char *text, apr_size_t len,
                          apr_pool_t *pool)
{
    unsigned char session_key[MNET_SESSION_KEY];
    mnet_spool_t *payload = mnet_spool_create(0, NULL, pool);
    mnet_message_t *inner;
    const char *why = "";
    int index = -1;

    MUST(mnet_spool_write(payload, text, len) == APR_SUCCESS);
    MUST(mnet_message_open(how, sealed(how, payload, key, pool), &key, 1, &index, session_key,
                           &inner, &why, pool) == APR_SUCCESS);
    MUST(index == 0 && inner->envelope == MNET_SIGNED);
    MUST(same_spool(payload, inner->payload));
    MUST(inner->timestamp == 99);
    MUST(mnet_message_verify(crypto, inner, key) == APR_SUCCESS);
}

static void check_sealed(const mnet_reading_t *how, const char *text, apr_size_t len,
                         const mnet_message_t *bare, apr_pool_t *pool)
{
    unsigned char session_key[MNET_SESSION_KEY];
    mnet_spool_t *payload = mnet_spool_create(0, NULL, pool);
    mnet_message_t *inner = NULL;
    const char *why = "";
    apr_status_t rv;
    int index = -1;

    MUST(mnet_spool_write(payload, text, len) == APR_SUCCESS);
    rv = mnet_message_open(how, sealed(how, payload, NULL, pool), &key, 1, &index, session_key,
                           &inner, &why, pool);
    if (rv == APR_SUCCESS) {
        MUST(bare && inner);
        check_same(bare, inner);
    }
}

/* Made once and kept, with what the first use of the key leaves behind: no leak. */
static void prepare(mnet_reading_t *how)
{
    static apr_pool_t *pool;
    const char *why;

    if (!pool) {
        __lsan_disable();
        apr_pool_create(&pool, NULL);
        MUST(mnet_crypto_create(&crypto, &why, pool) == APR_SUCCESS);
        key = EVP_PKEY_Q_keygen(mnet_crypto_libctx(crypto), NULL, "RSA", (size_t)1024);
        MUST(key);
        how->crypto = crypto;
        check_wrapped(how, "x", 1, pool);
        __lsan_enable();
    }
    how->crypto = crypto;
}

static void fuzz(const char *data, apr_size_t len, apr_pool_t *pool)
{
    mnet_reading_t how = {NULL, &mnet_xml_limits_peer, MNET_CHARSET_UTF8, 0, NULL};
    mnet_message_t *message, *other;
    const char *text = data + 1;
    apr_status_t rv;

    len--;
    prepare(&how);
    rv = read_pieces(&how, text, len, len + 1, &message, pool);
    MUST((read_pieces(&how, text, len, 1 + (unsigned char)data[0] % 32, &other, pool) ==
          APR_SUCCESS) == (rv == APR_SUCCESS));
    if (message) {
        check_same(message, other);
        if (message->envelope == MNET_SIGNED) {
            (void)mnet_message_verify(crypto, message, key);
        }
    }
    if ((unsigned char)data[0] & 0x40) {
        check_sealed(&how, text, len, message, pool);
    }
    if ((unsigned char)data[0] & 0x80 && len) {
        check_wrapped(&how, text, len, pool);
    }
}
