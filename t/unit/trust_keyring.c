/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include <apr_atomic.h>
#include <apr_thread_proc.h>

#include "trust/key_record.h"
#include "trust/keyring.h"

#define OURS "https://gw.example.org"

static mnet_site_t *site_of(fixture_t *f, const char *wwwroot)
{
    mnet_site_t *site = mnet_site_create(wwwroot, f->pool);
    site->key_bits = KEY_BITS;
    site->key_history = 2;
    return site;
}

static mnet_keyring_t *keyring_of(fixture_t *f, const char *wwwroot)
{
    mnet_keyring_t *keyring =
        mnet_keyring_create(f->crypto, f->store, site_of(f, wwwroot), &f->log, f->pool);
    assert_non_null(keyring);
    return keyring;
}

static void rotate(fixture_t *f, mnet_keyring_t *keyring)
{
    int made = 0;
    OK(mnet_keyring_rotate(keyring, NOON, 1, &made, f->pool));
    assert_int_equal(made, 1);
}

/* The ring in a transaction of its own. */
static apr_status_t get(fixture_t *f, mnet_keyring_t *keyring, const mnet_ring_t **ring,
                        apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_pool_t *scratch;
    OK(apr_pool_create(&scratch, f->pool));
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, scratch));
    apr_status_t rv = mnet_keyring_get(keyring, txn, ring, pool);
    mnet_txn_abort(txn);
    apr_pool_destroy(scratch);
    return rv;
}

static const mnet_ring_t *got(fixture_t *f, mnet_keyring_t *keyring)
{
    const mnet_ring_t *ring = NULL;
    OK(get(f, keyring, &ring, f->pool));
    return ring;
}

static void touch(fixture_t *f)
{
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    OK(mnet_txn_touch(txn));
    OK(mnet_txn_commit(txn));
}

/* Puts bytes in the place of key number seq. */
static void overwrite(fixture_t *f, apr_uint64_t seq, const void *data, apr_size_t len)
{
    unsigned char name[MNET_KEY_NAME_MAX];
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    OK(mnet_txn_put(txn, MNET_KEY_GROUP, name, mnet_key_name(name, OURS, &seq), data, len));
    OK(mnet_txn_touch(txn));
    OK(mnet_txn_commit(txn));
}

static void test_no_key_yet(void **state)
{
    fixture_t *f = *state;
    const mnet_ring_t *ring = NULL;
    assert_int_equal(get(f, keyring_of(f, OURS), &ring, f->pool), APR_NOTFOUND);
    assert_null(ring);
}

/* A key that was made signs, and its certificate verifies. */
static void test_key_works(void **state)
{
    fixture_t *f = *state;
    unsigned char sha1[MNET_SHA1] = {1, 2, 3}, signature[MNET_MODULUS_MAX];
    apr_size_t len = 0;
    mnet_certificate_t *certificate;
    const char *why;
    mnet_keyring_t *keyring = keyring_of(f, OURS);
    rotate(f, keyring);
    const mnet_ring_t *ring = got(f, keyring);
    assert_int_equal(ring->count, 1);
    assert_int_equal(ring->created[0], NOON);
    assert_int_equal(ring->not_after[0], NOON + SEC(365 * 86400));
    OK(mnet_certificate_read(f->crypto, ring->pems[0], &certificate, &why, f->pool));
    assert_null(mnet_certificate_mismatch(certificate, OURS, f->pool));
    OK(mnet_rsa_sign(f->crypto, ring->keys[0], sha1, signature, &len));
    OK(mnet_rsa_verify(f->crypto, certificate->key, sha1, signature, len));
}

static void test_newest_first(void **state)
{
    fixture_t *f = *state;
    mnet_keyring_t *keyring = keyring_of(f, OURS);
    rotate(f, keyring);
    const char *first = got(f, keyring)->pems[0];
    rotate(f, keyring);
    const char *second = got(f, keyring)->pems[0];
    rotate(f, keyring);
    const mnet_ring_t *ring = got(f, keyring);
    assert_int_equal(ring->count, 3);
    assert_string_equal(ring->pems[1], second);
    assert_string_equal(ring->pems[2], first);
    assert_string_not_equal(ring->pems[0], second);
}

/* Not parsed again while nothing changed, nor when something else did. */
static void test_parsed_once(void **state)
{
    fixture_t *f = *state;
    mnet_keyring_t *keyring = keyring_of(f, OURS);
    rotate(f, keyring);
    const mnet_ring_t *ring = got(f, keyring);
    assert_ptr_equal(got(f, keyring), ring);
    touch(f);
    assert_ptr_equal(got(f, keyring), ring);
    assert_ptr_equal(got(f, keyring), ring);
}

static void test_stamp_changes_with_rotation(void **state)
{
    fixture_t *f = *state;
    mnet_keyring_t *keyring = keyring_of(f, OURS);
    rotate(f, keyring);
    apr_uint64_t stamp = got(f, keyring)->stamp;
    rotate(f, keyring);
    assert_int_not_equal(got(f, keyring)->stamp, stamp);
}

/* Another object over the same store stands for another process. */
static void test_rotation_elsewhere_is_seen(void **state)
{
    fixture_t *f = *state;
    mnet_keyring_t *here = keyring_of(f, OURS), *there = keyring_of(f, OURS);
    rotate(f, here);
    const mnet_ring_t *before = got(f, here);
    rotate(f, there);
    const mnet_ring_t *after = got(f, here);
    assert_ptr_not_equal(after, before);
    assert_string_equal(after->pems[0], got(f, there)->pems[0]);
    /* What was lent before is still whole. */
    assert_int_equal(before->count, 1);
    assert_string_equal(before->pems[0], after->pems[1]);
}

/* A transaction from before a rotation gets a ring that has its key all the same. */
static void test_older_transaction(void **state)
{
    fixture_t *f = *state;
    const mnet_ring_t *ring = NULL;
    mnet_txn_t *old;
    mnet_keyring_t *keyring = keyring_of(f, OURS);
    rotate(f, keyring);
    const char *first = got(f, keyring)->pems[0];
    OK(mnet_txn_begin(f->store, MNET_READ, &old, f->pool));
    rotate(f, keyring);
    const mnet_ring_t *newest = got(f, keyring);
    OK(mnet_keyring_get(keyring, old, &ring, f->pool));
    mnet_txn_abort(old);
    assert_ptr_equal(ring, newest);
    assert_string_equal(ring->pems[1], first);
}

/* A ring outlives the keyring that lent it. */
static void test_lent_until_the_pool_is_cleared(void **state)
{
    fixture_t *f = *state;
    apr_pool_t *life, *request;
    const mnet_ring_t *ring = NULL;
    OK(apr_pool_create(&life, f->pool));
    OK(apr_pool_create(&request, f->pool));
    mnet_keyring_t *keyring =
        mnet_keyring_create(f->crypto, f->store, site_of(f, OURS), &f->log, life);
    rotate(f, keyring);
    OK(get(f, keyring, &ring, request));
    apr_pool_destroy(life);
    assert_int_equal(EVP_PKEY_get_bits(ring->keys[0]), KEY_BITS);
    apr_pool_destroy(request);
}

static void test_sites_have_their_own(void **state)
{
    fixture_t *f = *state;
    const mnet_ring_t *ring = NULL;
    mnet_keyring_t *one = keyring_of(f, OURS), *two = keyring_of(f, OURS "/two");
    rotate(f, one);
    assert_int_equal(get(f, two, &ring, f->pool), APR_NOTFOUND);
    rotate(f, two);
    assert_string_not_equal(got(f, one)->pems[0], got(f, two)->pems[0]);
    assert_int_equal(got(f, one)->count, 1);
}

static void test_old_key_unreadable_is_skipped(void **state)
{
    fixture_t *f = *state;
    mnet_keyring_t *keyring = keyring_of(f, OURS);
    rotate(f, keyring);
    rotate(f, keyring);
    rotate(f, keyring);
    overwrite(f, 2, "\x63junk", 5);
    const mnet_ring_t *ring = got(f, keyring);
    assert_int_equal(ring->count, 2);
    assert_true(fixture_logged(f, "MNET0302"));
    assert_false(fixture_logged(f, "MNET0301"));
}

static void test_current_key_unreadable_is_an_error(void **state)
{
    fixture_t *f = *state;
    const mnet_ring_t *ring = NULL;
    mnet_keyring_t *keyring = keyring_of(f, OURS);
    rotate(f, keyring);
    rotate(f, keyring);
    overwrite(f, 2, "\x63junk", 5);
    assert_int_equal(get(f, keyring, &ring, f->pool), MNET_E_VERSION);
    assert_null(ring);
    assert_true(fixture_logged(f, "MNET0301"));
}

/* A key beside another's certificate is as bad as none. */
static void test_key_of_another_certificate(void **state)
{
    fixture_t *f = *state;
    mnet_new_key_t *a, *b;
    const mnet_ring_t *ring = NULL;
    apr_size_t len = 0;
    OK(mnet_certificate_make(f->crypto, OURS, "x", "moodle", KEY_BITS, NOON, SEC(60), &a, f->pool));
    OK(mnet_certificate_make(f->crypto, OURS, "x", "moodle", KEY_BITS, NOON, SEC(60), &b, f->pool));
    mnet_key_record_t record = {NOON, 0, NOON, a->pem, b->key_der, b->key_len};
    void *data = mnet_key_pack(&record, &len, f->pool);
    overwrite(f, 1, data, len);
    assert_int_equal(get(f, keyring_of(f, OURS), &ring, f->pool), MNET_E_INVALID);
}

/* --- threads --- */

typedef struct reader_t {
    fixture_t *f;
    mnet_keyring_t *keyring;
    volatile apr_uint32_t *stop;
    int rounds, bad;
} reader_t;

static void *APR_THREAD_FUNC read_on(apr_thread_t *thread, void *data)
{
    reader_t *reader = data;
    apr_pool_t *pool;
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    while (!apr_atomic_read32(reader->stop) || reader->rounds < 50) {
        mnet_txn_t *txn;
        const mnet_ring_t *ring = NULL;
        apr_status_t rv = mnet_txn_begin(reader->f->store, MNET_READ, &txn, pool);
        if (rv == APR_SUCCESS) {
            rv = mnet_keyring_get(reader->keyring, txn, &ring, pool);
            mnet_txn_abort(txn);
        }
        if (rv != APR_SUCCESS || ring->count < 1 ||
            EVP_PKEY_get_bits(ring->keys[ring->count - 1]) != KEY_BITS) {
            reader->bad++;
        }
        reader->rounds++;
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

/* Threads read while another rotates: each always has a whole ring with a current key. */
static void test_readers_beside_rotation(void **state)
{
    fixture_t *f = *state;
    apr_thread_t *threads[3];
    reader_t readers[3];
    volatile apr_uint32_t stop = 0;
    apr_status_t rv;
    mnet_keyring_t *keyring = keyring_of(f, OURS);
    rotate(f, keyring);
    for (int i = 0; i < 3; i++) {
        readers[i] = (reader_t){f, keyring, &stop, 0, 0};
        OK(apr_thread_create(&threads[i], NULL, read_on, &readers[i], f->pool));
    }
    for (int i = 0; i < 8; i++) {
        rotate(f, keyring);
    }
    apr_atomic_set32(&stop, 1);
    for (int i = 0; i < 3; i++) {
        OK(apr_thread_join(&rv, threads[i]));
        assert_int_equal(readers[i].bad, 0);
        assert_true(readers[i].rounds >= 50);
    }
}

int main(void)
{
#define STORE_TEST(t)                                                                              \
    cmocka_unit_test_setup_teardown(t, fixture_store_setup, fixture_store_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_no_key_yet),
        STORE_TEST(test_key_works),
        STORE_TEST(test_newest_first),
        STORE_TEST(test_parsed_once),
        STORE_TEST(test_stamp_changes_with_rotation),
        STORE_TEST(test_rotation_elsewhere_is_seen),
        STORE_TEST(test_older_transaction),
        STORE_TEST(test_lent_until_the_pool_is_cleared),
        STORE_TEST(test_sites_have_their_own),
        STORE_TEST(test_old_key_unreadable_is_skipped),
        STORE_TEST(test_current_key_unreadable_is_an_error),
        STORE_TEST(test_key_of_another_certificate),
        STORE_TEST(test_readers_beside_rotation),
    };
    alarm(300); /* a test that hangs fails */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
