/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_vectors.h"

#include <apr_thread_proc.h>

#include "wire/rsa_context.h"

#define KEYS 6
static const char *const names[KEYS] = {"keys/moodle-783647bf.p8", "keys/moodle-2895f363.p8",
                                        "keys/moodle-31130b1b.p8", "keys/mahara-f4b950dd.p8",
                                        "keys/mahara-0c94282e.p8", "keys/mahara-9d439e4d.p8"};

static const unsigned char sha1[MNET_SHA1] = "a digest of 20 byte";

typedef struct expected_t {
    unsigned char signature[MNET_MODULUS_MAX];
    apr_size_t len;
} expected_t;

static void sign_all(const fixture_t *f, expected_t expected[KEYS])
{
    int i;

    for (i = 0; i < KEYS; i++)
        assert_int_equal(mnet_rsa_sign(f->crypto, vector_key(f, names[i]), sha1,
                                       expected[i].signature, &expected[i].len),
                         APR_SUCCESS);
}

static int signs_as(const fixture_t *f, EVP_PKEY *key, const expected_t *expected)
{
    unsigned char signature[MNET_MODULUS_MAX];
    apr_size_t len;

    return mnet_rsa_sign(f->crypto, key, sha1, signature, &len) == APR_SUCCESS &&
           len == expected->len && memcmp(signature, expected->signature, len) == 0;
}

static void test_each_operation_has_its_own(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = vector_key(f, names[0]);
    int op;

    for (op = MNET_RSA_SIGN; op <= MNET_RSA_UNWRAP; op++) {
        EVP_PKEY_CTX *fresh = mnet_rsa_context(mnet_crypto_rsa_contexts(f->crypto), key, op);
        EVP_PKEY_CTX *copied = mnet_rsa_context(mnet_crypto_rsa_contexts(f->crypto), key, op);

        assert_non_null(fresh);
        assert_non_null(copied);
        assert_ptr_not_equal(fresh, copied);
        assert_ptr_equal(EVP_PKEY_CTX_get0_pkey(copied), key);
        EVP_PKEY_CTX_free(fresh);
        EVP_PKEY_CTX_free(copied);
    }
}

/* The padding that was set once is in every copy. */
static void test_every_operation_again_and_again(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = vector_key(f, names[0]);
    static const unsigned char session_key[MNET_SESSION_KEY] = "sixteen bytes..";
    int i;

    for (i = 0; i < 5; i++) {
        unsigned char room[MNET_MODULUS_MAX], back[MNET_SESSION_KEY];
        apr_size_t len;

        assert_int_equal(mnet_rsa_sign(f->crypto, key, sha1, room, &len), APR_SUCCESS);
        assert_int_equal(mnet_rsa_verify(f->crypto, key, sha1, room, len), APR_SUCCESS);
        assert_int_equal(mnet_rsa_wrap(f->crypto, key, session_key, room, &len), APR_SUCCESS);
        assert_int_equal(mnet_rsa_unwrap(f->crypto, key, room, len, back), APR_SUCCESS);
        assert_memory_equal(back, session_key, sizeof back);
    }
}

/* Far more keys than are kept: each signs as itself, the first time and later. */
static void test_more_keys_than_places(void **state)
{
    fixture_t *f = *state;
    expected_t expected[KEYS];
    EVP_PKEY *keys[600];
    int i, round;

    sign_all(f, expected);
    for (i = 0; i < 600; i++)
        keys[i] = vector_key(f, names[i % KEYS]);
    for (round = 0; round < 2; round++) {
        for (i = 0; i < 600; i++)
            assert_true(signs_as(f, keys[i], &expected[i % KEYS]));
    }
}

/* An address may be used again once its key is gone: a kept key is not gone. */
static void test_keys_come_and_go(void **state)
{
    fixture_t *f = *state;
    expected_t expected[KEYS];
    int i;

    sign_all(f, expected);
    for (i = 0; i < 300; i++) {
        fixture_t other = {NULL, f->crypto};

        apr_pool_create(&other.pool, f->pool);
        assert_true(signs_as(f, vector_key(&other, names[i % KEYS]), &expected[i % KEYS]));
        apr_pool_destroy(other.pool);
    }
}

static void test_what_cannot_be_is_refused(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *ec =
        keep_key(EVP_PKEY_Q_keygen(mnet_crypto_libctx(f->crypto), NULL, "EC", "P-256"), f->pool);

    assert_null(mnet_rsa_context(mnet_crypto_rsa_contexts(f->crypto), ec, MNET_RSA_UNWRAP));
    assert_null(mnet_rsa_context(mnet_crypto_rsa_contexts(f->crypto), ec, MNET_RSA_UNWRAP));
}

#define THREADS 4
typedef struct worker_t {
    const fixture_t *f;
    EVP_PKEY **keys;
    const expected_t *expected;
    int first;
    int right;
} worker_t;

static void *APR_THREAD_FUNC work(apr_thread_t *thread, void *data)
{
    worker_t *worker = data;
    int i;

    for (i = 0; i < 120; i++) {
        int which = (worker->first + i) % 60;

        worker->right += signs_as(worker->f, worker->keys[which], &worker->expected[which % KEYS]);
    }
    return NULL;
}

static void test_threads_share_them(void **state)
{
    fixture_t *f = *state;
    fixture_t fresh = {f->pool, NULL}; /* nothing kept yet: all threads begin with nothing */
    expected_t expected[KEYS];
    EVP_PKEY *keys[60];
    apr_thread_t *threads[THREADS];
    worker_t workers[THREADS];
    const char *why;
    apr_status_t rv;
    int i;

    assert_int_equal(mnet_crypto_create(&fresh.crypto, &why, f->pool), APR_SUCCESS);
    sign_all(f, expected);
    for (i = 0; i < 60; i++)
        keys[i] = vector_key(&fresh, names[i % KEYS]);
    for (i = 0; i < THREADS; i++) {
        worker_t worker = {&fresh, keys, expected, i, 0};

        workers[i] = worker;
        assert_int_equal(apr_thread_create(&threads[i], NULL, work, &workers[i], f->pool),
                         APR_SUCCESS);
    }
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(apr_thread_join(&rv, threads[i]), APR_SUCCESS);
        assert_int_equal(workers[i].right, 120);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_operation_has_its_own),
        cmocka_unit_test(test_every_operation_again_and_again),
        cmocka_unit_test(test_more_keys_than_places),
        cmocka_unit_test(test_keys_come_and_go),
        cmocka_unit_test(test_what_cannot_be_is_refused),
        cmocka_unit_test(test_threads_share_them),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
