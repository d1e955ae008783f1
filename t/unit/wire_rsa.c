/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_vectors.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

static const unsigned char counting[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const unsigned char sha1_info[15] = {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                                            0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};

/* m^e or m^d, without padding: how a forger and an attacker make their blocks. */
static apr_size_t raw(const fixture_t *f, EVP_PKEY *key, int is_private, const unsigned char *in,
                      unsigned char *out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(mnet_crypto_libctx(f->crypto), key, NULL);
    size_t size = (size_t)EVP_PKEY_get_size(key), written = size;

    if (is_private) {
        assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
        assert_int_equal(EVP_PKEY_sign(ctx, out, &written, in, size), 1);
    } else {
        assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
        assert_int_equal(EVP_PKEY_encrypt(ctx, out, &written, in, size), 1);
    }
    EVP_PKEY_CTX_free(ctx);
    return written;
}

static EVP_PKEY *appendix_key(const fixture_t *f)
{
    return vector_key(f, "appendix-c/key.p8");
}

static void digest_of(const fixture_t *f, const char *data, apr_size_t len,
                      unsigned char out[MNET_SHA1])
{
    mnet_digest_t *digest = mnet_sha1_create(f->crypto, f->pool);

    assert_int_equal(mnet_digest_write(digest, data, len), APR_SUCCESS);
    assert_int_equal(mnet_digest_end(digest, out), APR_SUCCESS);
}

/* --- signatures --- */

static void test_appendix_c_signature(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = appendix_key(f);
    unsigned char sha1[MNET_SHA1], signature[MNET_MODULUS_MAX], *expected;
    apr_size_t len, signature_len, expected_len;
    const char *plain = read_vector("appendix-c/plain.xml", &len, f->pool);
    const char *envelope;

    digest_of(f, plain, len, sha1);
    assert_string_equal(hex_of(sha1, sizeof sha1, f->pool),
                        "b03d43dd96d83442c80d3bddd48b0656bbd815ef");
    envelope = read_vector("appendix-c/signed.xml", &len, f->pool);
    expected =
        base64_between(envelope, "<SignatureValue>", "</SignatureValue>", &expected_len, f->pool);
    assert_int_equal(mnet_rsa_sign(f->crypto, key, sha1, signature, &signature_len), APR_SUCCESS);
    assert_int_equal(signature_len, expected_len);
    assert_memory_equal(signature, expected, expected_len);
}

/* PHP's openssl_sign made these. */
static void test_every_captured_signature(void **state)
{
    fixture_t *f = *state;
    apr_array_header_t *all = read_vectors(f->pool);
    int i, seen = 0;

    for (i = 0; i < all->nelts; i++) {
        const vector_t *vector = APR_ARRAY_IDX(all, i, const vector_t *);
        const char *envelope, *plain;
        unsigned char sha1[MNET_SHA1], *signature;
        apr_size_t len, signature_len;

        if (!vector->is_signed || !vector->signature_cert)
            continue;
        envelope =
            read_vector(vector->signed_file ? vector->signed_file : vector->wire, &len, f->pool);
        signature = base64_between(envelope, "<SignatureValue>", "</SignatureValue>",
                                   &signature_len, f->pool);
        plain = read_vector(vector->plain_file, &len, f->pool);
        digest_of(f, plain, len, sha1);
        assert_int_equal(mnet_rsa_verify(f->crypto, vector_cert_key(f, vector->signature_cert),
                                         sha1, signature, signature_len),
                         APR_SUCCESS);
        sha1[19] ^= 1;
        assert_int_equal(mnet_rsa_verify(f->crypto, vector_cert_key(f, vector->signature_cert),
                                         sha1, signature, signature_len),
                         MNET_E_SIGNATURE);
        seen++;
    }
    assert_true(seen > 100);
}

static void sign_and_verify(const fixture_t *f, EVP_PKEY *key)
{
    unsigned char sha1[MNET_SHA1] = "0123456789abcdefghi", signature[MNET_MODULUS_MAX];
    apr_size_t len, i;

    assert_int_equal(mnet_rsa_sign(f->crypto, key, sha1, signature, &len), APR_SUCCESS);
    assert_int_equal(len, EVP_PKEY_get_size(key));
    assert_int_equal(mnet_rsa_verify(f->crypto, key, sha1, signature, len), APR_SUCCESS);
    for (i = 0; i < len; i += 13) {
        signature[i] ^= 0x40;
        assert_int_equal(mnet_rsa_verify(f->crypto, key, sha1, signature, len), MNET_E_SIGNATURE);
        signature[i] ^= 0x40;
    }
    assert_int_equal(mnet_rsa_verify(f->crypto, key, sha1, signature, len - 1), MNET_E_SIGNATURE);
    assert_int_equal(mnet_rsa_verify(f->crypto, key, sha1, signature, len + 1), MNET_E_SIGNATURE);
    assert_int_equal(mnet_rsa_verify(f->crypto, key, sha1, signature, 0), MNET_E_SIGNATURE);
    assert_int_equal(ERR_peek_error(), 0);
}

static void wrap_and_unwrap(const fixture_t *f, EVP_PKEY *key)
{
    unsigned char wrapped[MNET_MODULUS_MAX], session[MNET_SESSION_KEY];
    apr_size_t len;

    assert_int_equal(mnet_rsa_wrap(f->crypto, key, counting, wrapped, &len), APR_SUCCESS);
    assert_int_equal(len, EVP_PKEY_get_size(key));
    assert_int_equal(mnet_rsa_unwrap(f->crypto, key, wrapped, len, session), APR_SUCCESS);
    assert_memory_equal(session, counting, sizeof session);
    assert_int_equal(mnet_rsa_unwrap(f->crypto, key, wrapped, len - 1, session), MNET_E_CRYPTO);
    assert_int_equal(mnet_rsa_unwrap(f->crypto, key, wrapped, 0, session), MNET_E_CRYPTO);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_keys_of_every_size(void **state)
{
    static const size_t bits[] = {1024, 1031, 2048, 3072, 4096};
    fixture_t *f = *state;
    size_t i;

    for (i = 0; i < sizeof bits / sizeof *bits; i++) {
        EVP_PKEY *key = make_key(f, bits[i]);

        sign_and_verify(f, key);
        wrap_and_unwrap(f, key);
    }
}

static void test_other_keys_are_refused(void **state)
{
    fixture_t *f = *state;
    OSSL_LIB_CTX *libctx = mnet_crypto_libctx(f->crypto);
    EVP_PKEY *keys[3];
    unsigned char room[MNET_MODULUS_MAX] = {0}, sha1[MNET_SHA1] = {0};
    apr_size_t len;
    int i;

    keys[0] = keep_key(EVP_PKEY_Q_keygen(libctx, NULL, "RSA", (size_t)768), f->pool);
    keys[1] = keep_key(EVP_PKEY_Q_keygen(libctx, NULL, "EC", "P-256"), f->pool);
    keys[2] = NULL;
    for (i = 0; i < 3; i++) {
        assert_int_equal(mnet_rsa_sign(f->crypto, keys[i], sha1, room, &len), MNET_E_CRYPTO);
        assert_int_equal(mnet_rsa_verify(f->crypto, keys[i], sha1, room, 96), MNET_E_CRYPTO);
        assert_int_equal(mnet_rsa_wrap(f->crypto, keys[i], counting, room, &len), MNET_E_CRYPTO);
        assert_int_equal(mnet_rsa_unwrap(f->crypto, keys[i], room, 96, sha1), MNET_E_CRYPTO);
    }
}

/* A key loaded in OpenSSL's default context works here all the same. */
static void test_a_key_from_another_context(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = keep_key(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), f->pool);

    sign_and_verify(f, key);
    wrap_and_unwrap(f, key);
}

static void test_a_public_key_cannot_sign(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = vector_cert_key(f, "keys/moodle-783647bf.crt");
    unsigned char sha1[MNET_SHA1] = {0}, room[MNET_MODULUS_MAX] = {0}, session[16];
    apr_size_t len;

    assert_int_equal(mnet_rsa_sign(f->crypto, key, sha1, room, &len), MNET_E_CRYPTO);
    assert_int_equal(len, 0);
    assert_int_equal(mnet_rsa_unwrap(f->crypto, key, room, 256, session), MNET_E_CRYPTO);
}

/* EM = 00 01 FF*pad 00 info hash rest 0..., as a careless verifier would read it. */
static apr_status_t forged(const fixture_t *f, EVP_PKEY *key, const unsigned char *info,
                           apr_size_t info_len, int pad, int type, unsigned char fill)
{
    static const unsigned char sha1[MNET_SHA1] = "the digest of a lie";
    apr_size_t size = (apr_size_t)EVP_PKEY_get_size(key);
    unsigned char em[MNET_MODULUS_MAX], signature[MNET_MODULUS_MAX];

    memset(em, 0, sizeof em);
    em[1] = (unsigned char)type;
    memset(em + 2, fill, (apr_size_t)pad);
    if (info_len)
        memcpy(em + 3 + pad, info, info_len);
    memcpy(em + 3 + pad + info_len, sha1, sizeof sha1);
    raw(f, key, 1, em, signature);
    return mnet_rsa_verify(f->crypto, key, sha1, signature, size);
}

static void test_lax_signatures_are_refused(void **state)
{
    /* As PKCS#1 allowed before 2.0: without the NULL; and with lengths in long form. */
    static const unsigned char no_null[] = {0x30, 0x1f, 0x30, 0x07, 0x06, 0x05, 0x2b,
                                            0x0e, 0x03, 0x02, 0x1a, 0x04, 0x14};
    static const unsigned char ber[] = {0x30, 0x81, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b,
                                        0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};
    static const unsigned char md5ish[] = {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                                           0x03, 0x02, 0x1b, 0x05, 0x00, 0x04, 0x14};
    fixture_t *f = *state;
    EVP_PKEY *key = appendix_key(f);
    int full = 256 - 3 - 35;

    assert_int_equal(forged(f, key, sha1_info, 15, full, 1, 0xff), APR_SUCCESS);
    /* Bleichenbacher, 2006: short padding, rubbish behind. */
    assert_int_equal(forged(f, key, sha1_info, 15, 8, 1, 0xff), MNET_E_SIGNATURE);
    assert_int_equal(forged(f, key, sha1_info, 15, full - 1, 1, 0xff), MNET_E_SIGNATURE);
    assert_int_equal(forged(f, key, sha1_info, 15, 0, 1, 0xff), MNET_E_SIGNATURE);
    assert_int_equal(forged(f, key, sha1_info, 15, full, 1, 0xfe), MNET_E_SIGNATURE);
    assert_int_equal(forged(f, key, sha1_info, 15, full, 2, 0xff), MNET_E_SIGNATURE);
    assert_int_equal(forged(f, key, sha1_info, 15, full, 0, 0x00), MNET_E_SIGNATURE);
    assert_int_equal(forged(f, key, no_null, sizeof no_null, full + 2, 1, 0xff), MNET_E_SIGNATURE);
    assert_int_equal(forged(f, key, ber, sizeof ber, full - 1, 1, 0xff), MNET_E_SIGNATURE);
    assert_int_equal(forged(f, key, md5ish, sizeof md5ish, full, 1, 0xff), MNET_E_SIGNATURE);
    assert_int_equal(forged(f, key, NULL, 0, full + 15, 1, 0xff), MNET_E_SIGNATURE);
}

static void test_a_signature_not_below_the_modulus(void **state)
{
    fixture_t *f = *state;
    unsigned char sha1[MNET_SHA1] = {0}, signature[256];

    memset(signature, 0xff, sizeof signature);
    assert_int_equal(mnet_rsa_verify(f->crypto, appendix_key(f), sha1, signature, 256),
                     MNET_E_SIGNATURE);
}

/* --- session keys --- */

static void test_appendix_c_session_key(void **state)
{
    fixture_t *f = *state;
    unsigned char session[MNET_SESSION_KEY];
    apr_size_t len;
    const char *wrapped = read_vector("appendix-c/wrapped.bin", &len, f->pool);

    assert_int_equal(
        mnet_rsa_unwrap(f->crypto, appendix_key(f), (const unsigned char *)wrapped, len, session),
        APR_SUCCESS);
    assert_memory_equal(session, counting, sizeof session);
}

/* PHP's openssl_seal made these. */
static void test_every_captured_session_key(void **state)
{
    fixture_t *f = *state;
    apr_array_header_t *all = read_vectors(f->pool);
    int i, seen = 0;

    for (i = 0; i < all->nelts; i++) {
        const vector_t *vector = APR_ARRAY_IDX(all, i, const vector_t *);
        unsigned char session[MNET_SESSION_KEY], *wrapped;
        apr_size_t len;
        const char *wire;

        if (!vector->decrypt_key || !vector->is_encrypted)
            continue;
        wire = strstr(read_vector(vector->wire, &len, f->pool), "<EncryptedKey ");
        assert_non_null(wire);
        wrapped = base64_between(wire, "<CipherValue>", "</CipherValue>", &len, f->pool);
        assert_int_equal(
            mnet_rsa_unwrap(f->crypto, vector_key(f, vector->decrypt_key), wrapped, len, session),
            APR_SUCCESS);
        assert_string_equal(hex_of(session, sizeof session, f->pool), vector->session_key);
        seen++;
    }
    assert_int_equal(seen, 148);
}

/* A block that must unwrap to random keys: a success both times, never the same one. */
static void assert_hidden(const fixture_t *f, EVP_PKEY *key, const unsigned char *wrapped,
                          apr_size_t len, const unsigned char *em)
{
    unsigned char first[MNET_SESSION_KEY] = {0}, second[MNET_SESSION_KEY] = {0};

    ERR_clear_error();
    assert_int_equal(mnet_rsa_unwrap(f->crypto, key, wrapped, len, first), APR_SUCCESS);
    assert_int_equal(mnet_rsa_unwrap(f->crypto, key, wrapped, len, second), APR_SUCCESS);
    assert_int_equal(ERR_peek_error(), 0);
    assert_memory_not_equal(first, second, sizeof first);
    if (em)
        assert_memory_not_equal(first, em + len - MNET_SESSION_KEY, sizeof first);
}

/* A lawful block: 00 02 PS 00 0..15. */
static void lawful(unsigned char *em, apr_size_t size)
{
    memset(em, 0xa5, size);
    em[0] = 0;
    em[1] = 2;
    em[size - 17] = 0;
    memcpy(em + size - 16, counting, 16);
}

static void test_lawful_block(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = appendix_key(f);
    unsigned char em[256], wrapped[256], session[MNET_SESSION_KEY];

    lawful(em, sizeof em);
    raw(f, key, 0, em, wrapped);
    assert_int_equal(mnet_rsa_unwrap(f->crypto, key, wrapped, sizeof wrapped, session),
                     APR_SUCCESS);
    assert_memory_equal(session, counting, sizeof session);
}

/* Every single byte of the padding made wrong, one at a time. */
static void test_every_bad_byte_gives_a_random_key(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = appendix_key(f);
    unsigned char em[256], wrapped[256];
    int i;

    for (i = 0; i <= 256 - 17; i++) {
        lawful(em, sizeof em);
        /* 1 in front keeps it below the modulus; a zero anywhere in PS; no zero at its end. */
        em[i] = i == 0 ? 1 : i == 1 ? 1 : i == 256 - 17 ? 7 : 0;
        raw(f, key, 0, em, wrapped);
        assert_hidden(f, key, wrapped, sizeof wrapped, em);
    }
}

/* Blocks that are lawful PKCS#1, but of a message of another length than 16. */
static void test_other_lengths_give_a_random_key(void **state)
{
    static const int lengths[] = {0, 1, 5, 8, 15, 17, 24, 32, 48, 245};
    fixture_t *f = *state;
    EVP_PKEY *key = appendix_key(f);
    unsigned char em[256], wrapped[256];
    size_t i;

    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(em, 0xa5, sizeof em);
        em[0] = 0;
        em[1] = 2;
        em[255 - lengths[i]] = 0;
        raw(f, key, 0, em, wrapped);
        assert_hidden(f, key, wrapped, sizeof wrapped, em);
    }
}

static void test_odd_blocks_give_a_random_key(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = appendix_key(f);
    unsigned char em[256] = {0}, wrapped[256] = {0};
    int type;

    assert_hidden(f, key, wrapped, sizeof wrapped, em); /* 0 */
    wrapped[255] = 1;
    assert_hidden(f, key, wrapped, sizeof wrapped, em); /* 1 */
    for (type = 0; type < 256; type += type == 1 ? 2 : 1) {
        lawful(em, sizeof em);
        em[1] = (unsigned char)type;
        raw(f, key, 0, em, wrapped);
        if (type != 2)
            assert_hidden(f, key, wrapped, sizeof wrapped, em);
    }
}

/* Not below the modulus: no RSA block at all, and yet the same answer. */
static void test_a_block_not_below_the_modulus(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = appendix_key(f);
    BIGNUM *n = NULL;
    unsigned char wrapped[256];

    memset(wrapped, 0xff, sizeof wrapped);
    assert_hidden(f, key, wrapped, sizeof wrapped, NULL);
    assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_bn2binpad(n, wrapped, sizeof wrapped), 256);
    assert_hidden(f, key, wrapped, sizeof wrapped, NULL);
    BN_free(n);
}

/*
 * The substitute worked on instead begins with a zero and may be lawful itself: it must not count.
 * c + n opens to nothing although c opens to a key.
 */
static void test_the_substitute_never_counts(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = make_key(f, 1024);
    unsigned char em[128], wrapped[128], session[MNET_SESSION_KEY];
    int found = 0, tries;

    for (tries = 0; tries < 20000 && !found; tries++) {
        lawful(em, sizeof em);
        assert_int_equal(mnet_random(f->crypto, em + 2, 8), APR_SUCCESS);
        em[2] |= 1, em[3] |= 1, em[4] |= 1, em[5] |= 1;
        em[6] |= 1, em[7] |= 1, em[8] |= 1, em[9] |= 1;
        raw(f, key, 0, em, wrapped);
        found = wrapped[0] == 0;
    }
    assert_true(found);
    assert_int_equal(mnet_rsa_unwrap(f->crypto, key, wrapped, 128, session), APR_SUCCESS);
    assert_memory_equal(session, counting, sizeof session);
    wrapped[0] = 0xff;
    assert_hidden(f, key, wrapped, sizeof wrapped, em);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appendix_c_signature),
        cmocka_unit_test(test_every_captured_signature),
        cmocka_unit_test(test_keys_of_every_size),
        cmocka_unit_test(test_other_keys_are_refused),
        cmocka_unit_test(test_a_key_from_another_context),
        cmocka_unit_test(test_a_public_key_cannot_sign),
        cmocka_unit_test(test_lax_signatures_are_refused),
        cmocka_unit_test(test_a_signature_not_below_the_modulus),
        cmocka_unit_test(test_appendix_c_session_key),
        cmocka_unit_test(test_every_captured_session_key),
        cmocka_unit_test(test_lawful_block),
        cmocka_unit_test(test_every_bad_byte_gives_a_random_key),
        cmocka_unit_test(test_other_lengths_give_a_random_key),
        cmocka_unit_test(test_odd_blocks_give_a_random_key),
        cmocka_unit_test(test_a_block_not_below_the_modulus),
        cmocka_unit_test(test_the_substitute_never_counts),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
