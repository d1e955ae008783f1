/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_vectors.h"

#include <openssl/err.h>
#include <openssl/provider.h>

/* The key of the MNET protocol reference, appendix C, and the others there. */
static const unsigned char counting[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static const char *rc4_hex(const fixture_t *f, const void *key, apr_size_t key_len,
                           const char *text, apr_size_t len, apr_size_t step)
{
    keep_t *keep = keep_create(f->pool);
    mnet_rc4_t *rc4;
    apr_size_t at;

    assert_int_equal(mnet_rc4_create(&rc4, f->crypto, key, key_len, &keep->sink, f->pool),
                     APR_SUCCESS);
    for (at = 0; at < len; at += step)
        assert_int_equal(mnet_rc4_write(rc4, text + at, len - at < step ? len - at : step),
                         APR_SUCCESS);
    return hex_of((unsigned char *)keep->data, keep->len, f->pool);
}

/* The plain texts that have gone round with RC4 since 1994. */
static void test_rc4_known_answers(void **state)
{
    assert_string_equal(rc4_hex(*state, "Key", 3, "Plaintext", 9, 9), "bbf316e8d940af0ad3");
    assert_string_equal(rc4_hex(*state, "Wiki", 4, "pedia", 5, 5), "1021bf0420");
    assert_string_equal(rc4_hex(*state, "Secret", 6, "Attack at dawn", 14, 14),
                        "45a01f645fc35b383552544b9bf5");
}

/* RFC 6229: the key streams of 0102030405 and of 0102..10, at 0 and at 4096. */
static void test_rc4_rfc6229(void **state)
{
    static const char zeros[4112];
    static const char key[] = "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20";
    const char *hex = rc4_hex(*state, key, 16, zeros, sizeof zeros, 1000);

    assert_memory_equal(hex, "9ac7cc9a609d1ef7b2932899cde41b97", 32);
    assert_string_equal(hex + 2 * 4096, "a36a4c301ae8ac13610ccbc12256cacc");
    hex = rc4_hex(*state, key, 5, zeros, sizeof zeros, 1000);
    assert_memory_equal(hex, "b2396305f03dc027ccc3524a0a1118a8", 32);
    assert_string_equal(hex + 2 * 4096, "ff25b58995996707e51fbdf08b34d875");
}

static void test_rc4_pieces_do_not_matter(void **state)
{
    fixture_t *f = *state;
    char *text = apr_palloc(f->pool, 20000);
    const char *whole;
    apr_size_t i;

    for (i = 0; i < 20000; i++)
        text[i] = (char)(i * 7);
    whole = rc4_hex(f, counting, 16, text, 20000, 20000);
    assert_string_equal(rc4_hex(f, counting, 16, text, 20000, 1), whole);
    assert_string_equal(rc4_hex(f, counting, 16, text, 20000, 4096), whole);
    assert_string_equal(rc4_hex(f, counting, 16, text, 20000, 4097), whole);
}

static void test_rc4_twice_is_the_text(void **state)
{
    fixture_t *f = *state;
    keep_t *keep = keep_create(f->pool);
    mnet_rc4_t *first, *second;
    mnet_sink_t to_second = {mnet_rc4_write, NULL};

    assert_int_equal(mnet_rc4_create(&second, f->crypto, counting, 16, &keep->sink, f->pool),
                     APR_SUCCESS);
    to_second.baton = second;
    assert_int_equal(mnet_rc4_create(&first, f->crypto, counting, 16, &to_second, f->pool),
                     APR_SUCCESS);
    assert_int_equal(mnet_rc4_write(first, "there and back", 14), APR_SUCCESS);
    assert_string_equal(keep->data, "there and back");
}

static void test_rc4_refuses_a_key_of_no_length(void **state)
{
    fixture_t *f = *state;
    keep_t *keep = keep_create(f->pool);
    mnet_rc4_t *rc4;

    assert_int_equal(mnet_rc4_create(&rc4, f->crypto, counting, 0, &keep->sink, f->pool),
                     MNET_E_INVALID);
    assert_null(rc4);
    assert_int_equal(mnet_rc4_create(&rc4, f->crypto, counting, 257, &keep->sink, f->pool),
                     MNET_E_INVALID);
}

static apr_status_t refuse(void *baton, const char *data, apr_size_t len)
{
    return MNET_E_LIMIT;
}

static void test_rc4_hands_back_what_the_sink_says(void **state)
{
    fixture_t *f = *state;
    mnet_sink_t to = {refuse, NULL};
    mnet_rc4_t *rc4;

    assert_int_equal(mnet_rc4_create(&rc4, f->crypto, counting, 16, &to, f->pool), APR_SUCCESS);
    assert_int_equal(mnet_rc4_write(rc4, "x", 1), MNET_E_LIMIT);
}

static const char *sha1_hex(const fixture_t *f, const char *text, apr_size_t len, apr_size_t step)
{
    mnet_digest_t *digest = mnet_sha1_create(f->crypto, f->pool);
    unsigned char out[MNET_SHA1];
    apr_size_t at;

    assert_non_null(digest);
    for (at = 0; at < len; at += step)
        assert_int_equal(mnet_digest_write(digest, text + at, len - at < step ? len - at : step),
                         APR_SUCCESS);
    assert_int_equal(mnet_digest_end(digest, out), APR_SUCCESS);
    return hex_of(out, sizeof out, f->pool);
}

/* FIPS 180's examples. */
static void test_sha1_known_answers(void **state)
{
    fixture_t *f = *state;
    char *million = apr_palloc(f->pool, 1000000);

    memset(million, 'a', 1000000);
    assert_string_equal(sha1_hex(f, "", 0, 1), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_string_equal(sha1_hex(f, "abc", 3, 1), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_string_equal(sha1_hex(f, million, 1000000, 4001),
                        "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

static void test_sha256_of_two_parts(void **state)
{
    fixture_t *f = *state;
    unsigned char out[MNET_SHA256];

    assert_int_equal(mnet_sha256(f->crypto, "a", 1, "bc", 2, out), APR_SUCCESS);
    assert_string_equal(hex_of(out, sizeof out, f->pool),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(mnet_sha256(f->crypto, NULL, 0, NULL, 0, out), APR_SUCCESS);
    assert_string_equal(hex_of(out, sizeof out, f->pool),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* Appendix C: the RC4 of its signed envelope, by the sums given there. */
static void test_appendix_c(void **state)
{
    fixture_t *f = *state;
    apr_size_t len;
    const char *text = read_vector("appendix-c/signed.xml", &len, f->pool);
    keep_t *keep = keep_create(f->pool);
    unsigned char sum[MNET_SHA256];
    mnet_rc4_t *rc4;

    assert_int_equal(len, 1520);
    assert_int_equal(mnet_rc4_create(&rc4, f->crypto, counting, 16, &keep->sink, f->pool),
                     APR_SUCCESS);
    assert_int_equal(mnet_rc4_write(rc4, text, len), APR_SUCCESS);
    assert_int_equal(mnet_sha256(f->crypto, keep->data, keep->len, NULL, 0, sum), APR_SUCCESS);
    assert_string_equal(hex_of(sum, sizeof sum, f->pool),
                        "1bac0cd003467167d300ce188cd932fa1a8df67e69d1fa8768f9428fd3217342");
    assert_string_equal(hex_of((unsigned char *)keep->data, 16, f->pool),
                        "d5a338942bc26fa974a8fea960e0087e");
    assert_string_equal(hex_of((unsigned char *)keep->data + 1512, 8, f->pool), "e93c8639899c3382");
}

static void test_random_differs(void **state)
{
    fixture_t *f = *state;
    unsigned char a[32] = {0}, b[32] = {0};

    assert_int_equal(mnet_random(f->crypto, a, sizeof a), APR_SUCCESS);
    assert_int_equal(mnet_random(f->crypto, b, sizeof b), APR_SUCCESS);
    assert_memory_not_equal(a, b, sizeof a);
}

/* RC4 is for MNET alone: the rest of the process, mod_ssl included, has it no more than before. */
static void test_the_process_has_no_rc4(void **state)
{
    fixture_t *f = *state;
    EVP_CIPHER *ours = EVP_CIPHER_fetch(mnet_crypto_libctx(f->crypto), "RC4", NULL);
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);

    assert_non_null(ours);
    assert_non_null(aes);
    EVP_CIPHER_free(ours);
    EVP_CIPHER_free(aes);
    assert_null(EVP_CIPHER_fetch(NULL, "RC4", NULL));
    assert_int_equal(OSSL_PROVIDER_available(NULL, "legacy"), 0);
    ERR_clear_error();
}

static void test_a_missing_provider_is_named(void **state)
{
    fixture_t *f = *state;
    apr_pool_t *pool;
    mnet_crypto_t *crypto;
    const char *why = NULL;

    apr_pool_create(&pool, f->pool);
    setenv("OPENSSL_MODULES", "/nonexistent", 1);
    assert_int_equal(mnet_crypto_create(&crypto, &why, pool), MNET_E_CRYPTO);
    unsetenv("OPENSSL_MODULES");
    assert_null(crypto);
    assert_non_null(strstr(why, "legacy provider"));
    assert_non_null(strstr(why, "openssl-provider-legacy"));
    assert_int_equal(ERR_peek_error(), 0);
    apr_pool_destroy(pool);
}

/* Making and freeing contexts again and again, as graceful restarts do, leaves the next one well.
 */
static void test_contexts_come_and_go(void **state)
{
    fixture_t *f = *state;
    int i;

    for (i = 0; i < 20; i++) {
        fixture_t other = {NULL, NULL};
        const char *why = NULL;

        apr_pool_create(&other.pool, f->pool);
        assert_int_equal(mnet_crypto_create(&other.crypto, &why, other.pool), APR_SUCCESS);
        assert_string_equal(rc4_hex(&other, "Key", 3, "Plaintext", 9, 9), "bbf316e8d940af0ad3");
        apr_pool_destroy(other.pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rc4_known_answers),
        cmocka_unit_test(test_rc4_rfc6229),
        cmocka_unit_test(test_rc4_pieces_do_not_matter),
        cmocka_unit_test(test_rc4_twice_is_the_text),
        cmocka_unit_test(test_rc4_refuses_a_key_of_no_length),
        cmocka_unit_test(test_rc4_hands_back_what_the_sink_says),
        cmocka_unit_test(test_sha1_known_answers),
        cmocka_unit_test(test_sha256_of_two_parts),
        cmocka_unit_test(test_appendix_c),
        cmocka_unit_test(test_random_differs),
        cmocka_unit_test(test_the_process_has_no_rc4),
        cmocka_unit_test(test_a_missing_provider_is_named),
        cmocka_unit_test(test_contexts_come_and_go),
    };

    /* A system that gives every process RC4 would hide what is asserted here. */
    setenv("OPENSSL_CONF", "/dev/null", 1);
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
