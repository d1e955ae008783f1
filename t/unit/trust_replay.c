/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include <apr_thread_proc.h>

#include "trust/replay.h"

#define WINDOW SEC(60)

static mnet_replay_name_t name_of(int n)
{
    mnet_replay_name_t name;
    memset(name.bytes, 0, sizeof(name.bytes));
    memcpy(name.bytes + 8, &n, sizeof(n));
    return name;
}

static apr_status_t claim_in(fixture_t *f, mnet_replay_name_t name, apr_time_t now,
                             apr_time_t until)
{
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    apr_status_t rv = mnet_replay_claim(txn, &name, now, until);
    if (rv == APR_SUCCESS) {
        OK(mnet_txn_commit(txn));
    } else {
        mnet_txn_abort(txn);
    }
    return rv;
}

static apr_status_t claim(fixture_t *f, int n, apr_time_t now)
{
    return claim_in(f, name_of(n), now, now + WINDOW);
}

static int claimed(fixture_t *f, int n, apr_time_t now)
{
    mnet_txn_t *txn;
    mnet_replay_name_t name = name_of(n);
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    int is = mnet_replay_claimed(txn, &name, now);
    mnet_txn_abort(txn);
    return is;
}

static apr_status_t count_one(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    ++*(int *)baton;
    return APR_SUCCESS;
}

static int count(fixture_t *f, const char *group)
{
    mnet_txn_t *txn;
    int n = 0;
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    OK(mnet_txn_each(txn, group, NULL, 0, NULL, 0, count_one, &n));
    mnet_txn_abort(txn);
    return n;
}

static int purge(fixture_t *f, apr_time_t now, int max)
{
    int left = -1;
    OK(mnet_replay_purge(f->store, now, max, &left, f->pool));
    return left;
}

static void test_claimed_once(void **state)
{
    fixture_t *f = *state;
    assert_false(claimed(f, 1, NOON));
    OK(claim(f, 1, NOON));
    assert_true(claimed(f, 1, NOON));
    assert_int_equal(claim(f, 1, NOON + 1), MNET_E_REPLAY);
    OK(claim(f, 2, NOON));
}

static void test_until_the_very_end(void **state)
{
    fixture_t *f = *state;
    OK(claim(f, 1, NOON));
    assert_true(claimed(f, 1, NOON + WINDOW));
    assert_int_equal(claim(f, 1, NOON + WINDOW), MNET_E_REPLAY);
    assert_false(claimed(f, 1, NOON + WINDOW + 1));
    OK(claim(f, 1, NOON + WINDOW + 1));
    assert_int_equal(count(f, "replay"), 1);
    assert_int_equal(count(f, "replay-until"), 1);
}

/* A claim that is not committed was none. */
static void test_aborted(void **state)
{
    fixture_t *f = *state;
    mnet_txn_t *txn;
    mnet_replay_name_t name = name_of(1);
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    OK(mnet_replay_claim(txn, &name, NOON, NOON + WINDOW));
    assert_int_equal(mnet_replay_claim(txn, &name, NOON, NOON + WINDOW), MNET_E_REPLAY);
    mnet_txn_abort(txn);
    assert_false(claimed(f, 1, NOON));
    OK(claim(f, 1, NOON));
}

static void test_unreadable_is_taken_for_a_claim(void **state)
{
    fixture_t *f = *state;
    mnet_txn_t *txn;
    mnet_replay_name_t name = name_of(1);
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    OK(mnet_txn_put(txn, "replay", name.bytes, sizeof(name.bytes), "\x63", 1));
    OK(mnet_txn_commit(txn));
    assert_true(claimed(f, 1, NOON));
    assert_int_equal(claim(f, 1, NOON), MNET_E_VERSION);
}

static void test_arguments(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(claim_in(f, name_of(1), NOON, -1), MNET_E_INVALID);
}

static void test_purge(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 10; i++) {
        OK(claim(f, i, NOON + SEC(i)));
    }
    assert_int_equal(purge(f, NOON + WINDOW, 100), 0);
    assert_int_equal(count(f, "replay"), 10);
    assert_int_equal(purge(f, NOON + WINDOW + SEC(4), 100), 0);
    assert_int_equal(count(f, "replay"), 6);
    assert_int_equal(count(f, "replay-until"), 6);
    assert_false(claimed(f, 3, NOON));
    assert_true(claimed(f, 4, NOON + WINDOW + SEC(4)));
}

static void test_purge_in_pieces(void **state)
{
    fixture_t *f = *state;
    apr_time_t past = NOON + WINDOW + 1;
    for (int i = 0; i < 10; i++) {
        OK(claim(f, i, NOON));
    }
    assert_int_equal(purge(f, past, 4), 1);
    assert_int_equal(count(f, "replay"), 6);
    assert_int_equal(purge(f, past, 4), 1);
    assert_int_equal(purge(f, past, 4), 0);
    assert_int_equal(count(f, "replay"), 0);
    assert_int_equal(count(f, "replay-until"), 0);
    assert_int_equal(purge(f, past, 4), 0);
}

static apr_status_t claim_many(fixture_t *f, int from, int many)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool);
    for (int n = from; rv == APR_SUCCESS && n < from + many; n++) {
        mnet_replay_name_t name;
        OK(mnet_sha256(f->crypto, &n, sizeof(n), NULL, 0, name.bytes));
        rv = mnet_replay_claim(txn, &name, NOON + n, NOON + n + WINDOW);
    }
    rv = rv == APR_SUCCESS ? mnet_txn_commit(txn) : rv;
    mnet_txn_abort(txn);
    return rv;
}

/* A store as small as there is one, full of claims: each that goes dirties a page of its own. */
static void test_purge_of_a_full_store(void **state)
{
    fixture_t *f = *state;
    const char *why = NULL;
    apr_status_t rv = APR_SUCCESS;
    int n = 0, left = 1;
    mnet_store_close(f->store);
    OK(apr_file_remove(apr_pstrcat(f->pool, f->dir, "/data.mdb", NULL), f->pool));
    OK(mnet_store_open(&f->store, &mnet_store_lmdb, f->dir, MNET_STORE_SIZE_MIN, &f->log, &why,
                       f->pool));
    for (int batch = 20; batch > 0; batch -= 19) {
        for (rv = APR_SUCCESS; rv == APR_SUCCESS && n < 100000; n += batch) {
            rv = claim_many(f, n, batch);
        }
    }
    assert_int_equal(rv, MNET_E_FULL);
    for (int i = 0; left && i < n; i++) {
        left = purge(f, NOON + SEC(86400), 500);
    }
    assert_int_equal(left, 0);
    assert_int_equal(count(f, "replay"), 0);
    assert_int_equal(count(f, "replay-until"), 0);
}

static void test_names(void **state)
{
    fixture_t *f = *state;
    const unsigned char key[MNET_SESSION_KEY] = {1}, other[MNET_SESSION_KEY] = {2};
    mnet_replay_name_t names[5], again;
    mnet_peer_t a = {.facts = mnet_peer_facts_create("https://a.example", f->pool)};
    mnet_peer_t b = {.facts = mnet_peer_facts_create("https://b.example", f->pool)};
    mnet_peer_t longer = {.facts = mnet_peer_facts_create("ehttps://a.example", f->pool)};
    mnet_site_t *one = mnet_site_create("https://gw.example", f->pool);
    mnet_site_t *two = mnet_site_create("https://gw.exampl", f->pool);
    OK(mnet_replay_name(f->crypto, one, &a, key, &names[0]));
    OK(mnet_replay_name(f->crypto, one, &b, key, &names[1]));
    OK(mnet_replay_name(f->crypto, one, &a, other, &names[2]));
    OK(mnet_replay_name(f->crypto, two, &a, key, &names[3]));
    OK(mnet_replay_name(f->crypto, two, &longer, key, &names[4]));
    OK(mnet_replay_name(f->crypto, one, &a, key, &again));
    assert_memory_equal(&again, &names[0], sizeof(again));
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < i; j++) {
            assert_memory_not_equal(&names[i], &names[j], sizeof(again));
        }
    }
}

/* --- threads --- */

typedef struct claimer_t {
    fixture_t *f;
    int won, bad;
} claimer_t;

static void *APR_THREAD_FUNC claim_all(apr_thread_t *thread, void *data)
{
    claimer_t *claimer = data;
    apr_pool_t *pool;
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    for (int i = 0; i < 20; i++) {
        mnet_txn_t *txn;
        mnet_replay_name_t name = name_of(i);
        apr_status_t rv = mnet_txn_begin(claimer->f->store, MNET_WRITE, &txn, pool);
        if (rv == APR_SUCCESS) {
            rv = mnet_replay_claim(txn, &name, NOON, NOON + WINDOW);
            if (rv == APR_SUCCESS) {
                rv = mnet_txn_commit(txn);
            } else {
                mnet_txn_abort(txn);
            }
        }
        claimer->won += rv == APR_SUCCESS;
        claimer->bad += rv != APR_SUCCESS && rv != MNET_E_REPLAY;
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void test_one_of_many_wins(void **state)
{
    fixture_t *f = *state;
    apr_thread_t *threads[4];
    claimer_t claimers[4];
    apr_status_t rv;
    int won = 0;
    for (int i = 0; i < 4; i++) {
        claimers[i] = (claimer_t){f, 0, 0};
        OK(apr_thread_create(&threads[i], NULL, claim_all, &claimers[i], f->pool));
    }
    for (int i = 0; i < 4; i++) {
        OK(apr_thread_join(&rv, threads[i]));
        won += claimers[i].won;
        assert_int_equal(claimers[i].bad, 0);
    }
    assert_int_equal(won, 20);
}

int main(void)
{
#define STORE_TEST(t)                                                                              \
    cmocka_unit_test_setup_teardown(t, fixture_store_setup, fixture_store_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_claimed_once),     STORE_TEST(test_until_the_very_end),
        STORE_TEST(test_aborted),          STORE_TEST(test_unreadable_is_taken_for_a_claim),
        STORE_TEST(test_arguments),        STORE_TEST(test_purge),
        STORE_TEST(test_purge_in_pieces),  STORE_TEST(test_names),
        STORE_TEST(test_one_of_many_wins), STORE_TEST(test_purge_of_a_full_store),
    };
    alarm(300); /* a test that hangs fails */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
