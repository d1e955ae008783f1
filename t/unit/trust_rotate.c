/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include <sys/wait.h>
#include <apr_thread_proc.h>

#include "failing_store.h"
#include "trust/key_record.h"
#include "trust/keyring.h"

#define OURS    "https://gw.example.org"
#define DAYS(n) SEC((n)*86400)

static mnet_keyring_t *keyring_with(fixture_t *f, apr_interval_time_t lifetime, int history)
{
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    site->key_bits = KEY_BITS;
    site->key_lifetime = lifetime;
    site->key_history = history;
    return mnet_keyring_create(f->crypto, f->store, site, &f->log, f->pool);
}

static int rotated(fixture_t *f, mnet_keyring_t *keyring, apr_time_t now, int force)
{
    int made = -1;
    OK(mnet_keyring_rotate(keyring, now, force, &made, f->pool));
    return made;
}

static const mnet_ring_t *got(fixture_t *f, mnet_keyring_t *keyring)
{
    mnet_txn_t *txn;
    const mnet_ring_t *ring = NULL;
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    OK(mnet_keyring_get(keyring, txn, &ring, f->pool));
    mnet_txn_abort(txn);
    return ring;
}

/* --- when --- */

static void test_made_if_there_is_none(void **state)
{
    fixture_t *f = *state;
    mnet_keyring_t *keyring = keyring_with(f, DAYS(365), 6);
    assert_int_equal(rotated(f, keyring, NOON, 0), 1);
    assert_int_equal(rotated(f, keyring, NOON, 0), 0);
    assert_int_equal(got(f, keyring)->count, 1);
    assert_true(fixture_logged(f, "MNET0304"));
}

static void check_due(fixture_t *f, apr_interval_time_t lifetime, apr_interval_time_t early)
{
    mnet_keyring_t *keyring = keyring_with(f, lifetime, 6);
    apr_time_t due = NOON + lifetime - early;
    assert_int_equal(rotated(f, keyring, NOON, 0), 1);
    assert_int_equal(rotated(f, keyring, due - 1, 0), 0);
    assert_int_equal(rotated(f, keyring, due, 0), 1);
    assert_int_equal(rotated(f, keyring, due, 0), 0);
}

static void test_due_seven_days_before(void **state)
{
    check_due(*state, DAYS(365), DAYS(7));
}

static void test_due_a_tenth_before(void **state)
{
    check_due(*state, DAYS(28), DAYS(28) / 10);
}

static void test_due_with_seconds(void **state)
{
    check_due(*state, SEC(20), SEC(2));
}

static void test_due_when_expired(void **state)
{
    fixture_t *f = *state;
    mnet_keyring_t *keyring = keyring_with(f, DAYS(28), 6);
    rotated(f, keyring, NOON, 0);
    assert_int_equal(rotated(f, keyring, NOON + DAYS(1000), 0), 1);
}

static void test_force(void **state)
{
    fixture_t *f = *state;
    mnet_keyring_t *keyring = keyring_with(f, DAYS(28), 6);
    rotated(f, keyring, NOON, 0);
    assert_int_equal(rotated(f, keyring, NOON, 1), 1);
    assert_int_equal(got(f, keyring)->count, 2);
}

/* --- what becomes of the old ones --- */

static void check_history(fixture_t *f, int history)
{
    mnet_keyring_t *keyring = keyring_with(f, DAYS(28), history);
    for (int i = 0; i < history + 3; i++) {
        rotated(f, keyring, NOON + DAYS(i), 1);
    }
    const mnet_ring_t *ring = got(f, keyring);
    assert_int_equal(ring->count, history + 1);
    for (int i = 0; i < ring->count; i++) {
        assert_int_equal(ring->created[i], NOON + DAYS(history + 2 - i));
    }
}

static void test_history(void **state)
{
    check_history(*state, 2);
}

static void test_history_of_none(void **state)
{
    check_history(*state, 0);
}

static apr_status_t count_one(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    ++*(int *)baton;
    return APR_SUCCESS;
}

/* What is history no longer is gone from the store too. */
static void test_trimmed_in_the_store(void **state)
{
    fixture_t *f = *state;
    mnet_txn_t *txn;
    int count = 0;
    mnet_keyring_t *keyring = keyring_with(f, DAYS(28), 1);
    for (int i = 0; i < 5; i++) {
        rotated(f, keyring, NOON, 1);
    }
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    OK(mnet_txn_each(txn, MNET_KEY_GROUP, NULL, 0, NULL, 0, count_one, &count));
    mnet_txn_abort(txn);
    assert_int_equal(count, 2);
}

static void test_old_key_still_opens(void **state)
{
    fixture_t *f = *state;
    unsigned char session_key[MNET_SESSION_KEY] = "0123456789abcde", wrapped[MNET_MODULUS_MAX];
    unsigned char opened[MNET_SESSION_KEY];
    apr_size_t len = 0;
    mnet_certificate_t *certificate;
    const char *why;
    mnet_keyring_t *keyring = keyring_with(f, DAYS(28), 6);
    rotated(f, keyring, NOON, 0);
    OK(mnet_certificate_read(f->crypto, got(f, keyring)->pems[0], &certificate, &why, f->pool));
    OK(mnet_rsa_wrap(f->crypto, certificate->key, session_key, wrapped, &len));
    rotated(f, keyring, NOON, 1);
    OK(mnet_rsa_unwrap(f->crypto, got(f, keyring)->keys[1], wrapped, len, opened));
    assert_memory_equal(opened, session_key, MNET_SESSION_KEY);
}

/* --- an unreadable current key --- */

static void spoil(fixture_t *f, apr_uint64_t seq)
{
    unsigned char name[MNET_KEY_NAME_MAX];
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    OK(mnet_txn_put(txn, MNET_KEY_GROUP, name, mnet_key_name(name, OURS, &seq), "\x63", 1));
    OK(mnet_txn_touch(txn));
    OK(mnet_txn_commit(txn));
}

static void test_unreadable_is_not_replaced(void **state)
{
    fixture_t *f = *state;
    int made = -1;
    mnet_keyring_t *keyring = keyring_with(f, DAYS(28), 6);
    rotated(f, keyring, NOON, 0);
    spoil(f, 1);
    assert_int_equal(mnet_keyring_rotate(keyring, NOON + DAYS(99), 0, &made, f->pool),
                     MNET_E_VERSION);
    assert_int_equal(made, 0);
    assert_true(fixture_logged(f, "MNET0303"));
}

static void test_unreadable_is_replaced_by_force(void **state)
{
    fixture_t *f = *state;
    mnet_keyring_t *keyring = keyring_with(f, DAYS(28), 6);
    rotated(f, keyring, NOON, 0);
    spoil(f, 1);
    assert_int_equal(rotated(f, keyring, NOON, 1), 1);
    assert_int_equal(got(f, keyring)->count, 1);
}

/* --- two at once --- */

typedef struct racer_t {
    fixture_t *f;
    mnet_keyring_t *keyring;
    int force, made;
    apr_status_t rv;
} racer_t;

static void *APR_THREAD_FUNC race(apr_thread_t *thread, void *data)
{
    racer_t *racer = data;
    apr_pool_t *pool;
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    racer->rv = mnet_keyring_rotate(racer->keyring, NOON, racer->force, &racer->made, pool);
    apr_pool_destroy(pool);
    return NULL;
}

static void test_threads_at_once_make_one(void **state)
{
    fixture_t *f = *state;
    apr_thread_t *threads[4];
    racer_t racers[4];
    apr_status_t rv;
    int made = 0;
    mnet_keyring_t *keyring = keyring_with(f, DAYS(28), 6);
    for (int i = 0; i < 4; i++) {
        racers[i] = (racer_t){f, keyring_with(f, DAYS(28), 6), 0, 0, APR_EGENERAL};
        OK(apr_thread_create(&threads[i], NULL, race, &racers[i], f->pool));
    }
    for (int i = 0; i < 4; i++) {
        OK(apr_thread_join(&rv, threads[i]));
        OK(racers[i].rv);
        made += racers[i].made;
    }
    assert_int_equal(made, 1);
    assert_int_equal(got(f, keyring)->count, 1);
}

/* In a child: opens the store, rotates, and ends with what was made (or 9). */
static pid_t fork_rotate(fixture_t *f, const mnet_store_ops_t *ops, apr_time_t now, int force)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int made = 0;
        const char *why;
        if (mnet_store_open(&f->store, ops, f->dir, STORE_SIZE, &f->log, &why, f->pool) !=
            APR_SUCCESS) {
            _exit(8);
        }
        if (mnet_keyring_rotate(keyring_with(f, DAYS(28), 1), now, force, &made, f->pool) !=
            APR_SUCCESS) {
            _exit(9);
        }
        mnet_store_close(f->store);
        _exit(made);
    }
    return pid;
}

static int ended(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_processes_at_once_make_one(void **state)
{
    fixture_t *f = *state;
    pid_t pids[3];
    int made = 0;
    mnet_store_close(f->store);
    for (int i = 0; i < 3; i++) {
        pids[i] = fork_rotate(f, &mnet_store_lmdb, NOON, 0);
    }
    for (int i = 0; i < 3; i++) {
        made += ended(pids[i]);
    }
    fixture_open(f, &mnet_store_lmdb);
    assert_int_equal(made, 1);
    assert_int_equal(got(f, keyring_with(f, DAYS(28), 1))->count, 1);
}

/* --- failures and crashes --- */

/* Whatever operation fails: the answer says so and the old key is current; in the end one more. */
static void test_failing_at_every_operation(void **state)
{
    fixture_t *f = *state;
    int made = 0, at = 0;
    mnet_store_close(f->store);
    memset(&failing_store, 0, sizeof(failing_store));
    fixture_open(f, &mnet_store_failing);
    mnet_keyring_t *keyring = keyring_with(f, DAYS(28), 1);
    rotated(f, keyring, NOON, 0);
    rotated(f, keyring, NOON, 1);
    while (!made) {
        const mnet_ring_t *before = got(f, keyring);
        failing_store.count = 0;
        failing_store.how = FAILING_ANSWER;
        failing_store.rv = MNET_E_FULL;
        failing_store.at = ++at;
        apr_status_t rv = mnet_keyring_rotate(keyring, NOON, 1, &made, f->pool);
        failing_store.at = 0;
        const mnet_ring_t *after = got(f, keyring);
        assert_int_equal(rv == APR_SUCCESS, made);
        assert_int_equal(after->count, 2);
        if (!made) {
            assert_string_equal(after->pems[0], before->pems[0]);
        } else {
            assert_string_equal(after->pems[1], before->pems[0]);
        }
    }
    assert_true(at > 6);
}

/* A process that ends before or after any operation leaves exactly one current key: the old one,
 * or the new one with the old one as history. */
static void check_crashes(fixture_t *f, failing_how_e how)
{
    int ends = FAILING_STATUS, at = 0;
    mnet_keyring_t *keyring = keyring_with(f, DAYS(28), 1);
    rotated(f, keyring, NOON, 0);
    rotated(f, keyring, NOON, 1);
    while (ends == FAILING_STATUS) {
        const char *before = got(f, keyring)->pems[0];
        mnet_store_close(f->store);
        failing_store.count = 0;
        failing_store.how = how;
        failing_store.at = ++at;
        ends = ended(fork_rotate(f, &mnet_store_failing, NOON, 1));
        fixture_open(f, &mnet_store_lmdb);
        keyring = keyring_with(f, DAYS(28), 1);
        const mnet_ring_t *after = got(f, keyring);
        assert_int_equal(after->count, 2);
        assert_true(!strcmp(after->pems[0], before) || !strcmp(after->pems[1], before));
    }
    assert_int_equal(ends, 1);
    assert_true(at > 6);
}

static void test_crash_before_every_operation(void **state)
{
    check_crashes(*state, FAILING_EXIT);
}

static void test_crash_after_every_operation(void **state)
{
    check_crashes(*state, FAILING_EXIT_AFTER);
}

int main(void)
{
#define STORE_TEST(t)                                                                              \
    cmocka_unit_test_setup_teardown(t, fixture_store_setup, fixture_store_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_made_if_there_is_none),
        STORE_TEST(test_due_seven_days_before),
        STORE_TEST(test_due_a_tenth_before),
        STORE_TEST(test_due_with_seconds),
        STORE_TEST(test_due_when_expired),
        STORE_TEST(test_force),
        STORE_TEST(test_history),
        STORE_TEST(test_history_of_none),
        STORE_TEST(test_trimmed_in_the_store),
        STORE_TEST(test_old_key_still_opens),
        STORE_TEST(test_unreadable_is_not_replaced),
        STORE_TEST(test_unreadable_is_replaced_by_force),
        STORE_TEST(test_threads_at_once_make_one),
        STORE_TEST(test_processes_at_once_make_one),
        STORE_TEST(test_failing_at_every_operation),
        STORE_TEST(test_crash_before_every_operation),
        STORE_TEST(test_crash_after_every_operation),
    };
    alarm(300); /* a test that hangs fails */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
