/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "trust/replay.h"
#include "trust/share.h"

#define DAY   SEC(86400)
#define MONTH (30 * DAY)

static apr_status_t ended(mnet_txn_t *txn, apr_status_t rv)
{
    if (rv == APR_SUCCESS) {
        return mnet_txn_commit(txn);
    }
    mnet_txn_abort(txn);
    return rv;
}

static apr_status_t take(fixture_t *f, apr_uint64_t peer, apr_int64_t bytes, apr_time_t now,
                         apr_time_t until)
{
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    return ended(txn, mnet_share_take(txn, peer, MNET_SHARE_CALLS, bytes, now, until));
}

static apr_status_t keep(fixture_t *f, apr_uint64_t peer, apr_int64_t bytes)
{
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    return ended(txn, mnet_share_keep(txn, peer, MNET_SHARE_CALLS, bytes, NOON));
}

static mnet_share_t look(fixture_t *f, apr_uint64_t peer, apr_time_t now)
{
    mnet_txn_t *txn;
    mnet_share_t share;
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    OK(mnet_share_look(txn, peer, now, &share));
    mnet_txn_abort(txn);
    return share;
}

static void test_third(void **state)
{
    fixture_t *f = *state;
    apr_int64_t most = look(f, 1, NOON).most;
    assert_true(most > STORE_SIZE / 4 && most <= STORE_SIZE / MNET_SHARE_PARTS);
    assert_int_equal(look(f, 1, NOON).used, 0);
    OK(take(f, 1, most - 10, NOON, NOON + MONTH));
    assert_int_equal(take(f, 1, 11, NOON, NOON + MONTH), MNET_E_SHARE);
    assert_int_equal(keep(f, 1, 11), MNET_E_SHARE);
    OK(take(f, 1, 10, NOON, NOON + MONTH));
    assert_int_equal(look(f, 1, NOON).used, most);
    OK(take(f, 2, most, NOON, NOON + MONTH));
}

/* Its users may still land. */
static void test_users(void **state)
{
    fixture_t *f = *state;
    apr_int64_t most = look(f, 1, NOON).most;
    mnet_txn_t *txn;
    OK(take(f, 1, most, NOON, NOON + MONTH));
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    OK(mnet_share_keep(txn, 1, MNET_SHARE_USERS, most / 9, NOON));
    assert_int_equal(mnet_share_take(txn, 1, MNET_SHARE_USERS, most / 9, NOON, NOON + DAY),
                     MNET_E_SHARE);
    mnet_txn_abort(txn);
    assert_int_equal(mnet_share_of(0), 0);
    for (apr_size_t len = 1; len < 20000; len++) {
        assert_in_range(mnet_share_of(len), len + 100, len + 5000);
    }
}

/* What is counted is counted to its time, and hardly longer. */
static void test_past(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 100; i++) {
        OK(take(f, 1, 7, NOON + i * DAY / 10, NOON + i * DAY / 10 + MONTH));
    }
    for (int i = 0; i < 100; i++) {
        apr_time_t end = NOON + i * DAY / 10 + MONTH;
        int live = 100 - i;
        assert_true(look(f, 1, end).used >= 7 * live);
        assert_true(look(f, 1, end + 1).used <= 7 * (live - 1 + 15));
    }
    assert_int_equal(look(f, 1, NOON + 10 * DAY + MONTH + 2 * DAY).used, 0);
    OK(take(f, 1, 5, NOON + 50 * DAY, NOON + 51 * DAY));
    assert_int_equal(look(f, 1, NOON + 50 * DAY).used, 5);
}

/* Times of all kinds: nothing is lost, and the record stays small. */
static void test_many_times(void **state)
{
    fixture_t *f = *state;
    const void *data;
    apr_size_t len;
    mnet_txn_t *txn;
    unsigned seed = 7;
    for (int i = 0; i < 2000; i++) {
        seed = seed * 1103515245 + 12345;
        OK(take(f, 1, 3, NOON, NOON + 1 + SEC(seed >> 8)));
    }
    assert_int_equal(look(f, 1, NOON).used, 6000);
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    OK(mnet_txn_get(txn, "replay-use", "\0\0\0\0\0\0\0\1", 8, &data, &len));
    assert_true(len < 1100);
    mnet_txn_abort(txn);
}

/* A busy site, of which things of every kind go all the time: what is past is counted no more. */
static void test_busy(void **state)
{
    static const struct {
        apr_time_t every, lives;
    } kinds[] = {
        {SEC(300), SEC(8 * 3600)}, {SEC(900), 2 * DAY}, {SEC(3600), 7 * DAY}, {SEC(600), MONTH}};
    fixture_t *f = *state;
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    for (apr_time_t now = NOON; now <= NOON + 100 * DAY; now += SEC(300)) {
        apr_int64_t there = 0;
        for (int i = 0; i < 4; i++) {
            if (!((now - NOON) % kinds[i].every)) {
                OK(mnet_share_take(txn, 1, MNET_SHARE_CALLS, 1, now, now + kinds[i].lives));
            }
            there += kinds[i].lives / kinds[i].every;
        }
        if (now > NOON + MONTH && !((now - NOON) % DAY)) {
            mnet_share_t share;
            OK(mnet_share_look(txn, 1, now, &share));
            assert_in_range(share.used, there, there * 5 / 4);
        }
    }
    mnet_txn_abort(txn);
}

static void put(fixture_t *f, const void *data, apr_size_t len)
{
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    OK(mnet_txn_put(txn, "replay-use", "\0\0\0\0\0\0\0\1", 8, data, len));
    OK(mnet_txn_commit(txn));
}

static void give(fixture_t *f, apr_int64_t bytes, apr_time_t now, apr_time_t until)
{
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    OK(ended(txn, mnet_share_give(txn, 1, bytes, now, until)));
}

/* What ends before its time counts no more; what ended by itself is not taken from the others. */
static void test_given(void **state)
{
    fixture_t *f = *state;
    give(f, 5, NOON, NOON + DAY); /* nothing was taken */
    assert_int_equal(look(f, 1, NOON).used, 0);
    for (int i = 0; i < 100; i++) {
        OK(take(f, 1, 7, NOON + SEC(900 * i), NOON + SEC(900 * i) + DAY));
    }
    OK(take(f, 1, 100, NOON, NOON + MONTH));
    for (int i = 0; i < 100; i += 2) {
        give(f, 7, NOON + SEC(900 * i) + DAY / 2, NOON + SEC(900 * i) + DAY);
    }
    assert_in_range(look(f, 1, NOON).used, 100, 100 + 50 * 7);
    give(f, 100, NOON + 3 * DAY, NOON + DAY); /* long past */
    assert_int_equal(look(f, 1, NOON + 3 * DAY).used, 100);
    give(f, 1000, NOON + 3 * DAY, NOON + MONTH);
    assert_int_equal(look(f, 1, NOON + 3 * DAY).used, 0);
    put(f, "\2", 1);
    give(f, 7, NOON, NOON + DAY); /* a later version's is left alone */
}

static void test_kept(void **state)
{
    fixture_t *f = *state;
    OK(keep(f, 1, 1000));
    OK(take(f, 1, 1, NOON, NOON + DAY));
    assert_int_equal(look(f, 1, NOON + MONTH).used, 1000);
    OK(keep(f, 1, -400));
    assert_int_equal(look(f, 1, NOON + MONTH).used, 600);
    OK(keep(f, 1, -4000));
    assert_int_equal(look(f, 1, NOON + MONTH).used, 0);
}

static void test_damaged(void **state)
{
    fixture_t *f = *state;
    unsigned char bytes[1100];
    memset(bytes, 0xFF, sizeof(bytes));
    for (apr_size_t len = 0; len < sizeof(bytes); len += 13) {
        bytes[0] = 1;
        put(f, bytes, len);
        OK(take(f, 1, 5, NOON, NOON + DAY));
        assert_int_equal(look(f, 1, NOON).used, 5);
    }
    memset(bytes, 0x7F, sizeof(bytes)); /* the greatest numbers do not wrap */
    bytes[0] = 1;
    put(f, bytes, sizeof(bytes));
    assert_int_equal(look(f, 1, NOON).used, APR_INT64_MAX);
    assert_int_equal(take(f, 1, 5, NOON, NOON + DAY), MNET_E_SHARE);
    put(f, "\2", 1);
    assert_int_equal(take(f, 1, 5, NOON, NOON + DAY), MNET_E_VERSION);
}

/* --- claims --- */

static mnet_replay_name_t name_of(fixture_t *f, unsigned n)
{
    mnet_replay_name_t name;
    OK(mnet_sha256(f->crypto, &n, sizeof(n), NULL, 0, name.bytes));
    return name;
}

static apr_off_t used(fixture_t *f)
{
    apr_off_t used, usable;
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    OK(mnet_txn_room(txn, &used, &usable));
    mnet_txn_abort(txn);
    return used;
}

/* What a claim is said to take is what it takes. */
static void test_claim_takes(void **state)
{
    fixture_t *f = *state;
    enum { CLAIMS = 20000, BATCH = 500 };
    apr_off_t before = used(f), each;
    for (unsigned i = 0; i < CLAIMS;) {
        mnet_txn_t *txn;
        OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
        for (int j = 0; j < BATCH; j++, i++) {
            mnet_replay_name_t name = name_of(f, i);
            OK(mnet_replay_claim(txn, &name, NOON + i, NOON + i + MONTH));
            OK(mnet_share_take(txn, 1, MNET_SHARE_CALLS, MNET_SHARE_CLAIM, NOON + i,
                               NOON + i + MONTH));
        }
        OK(mnet_txn_commit(txn));
    }
    each = (used(f) - before) / CLAIMS;
    print_message("a claim takes %d bytes\n", (int)each);
    assert_true(each <= MNET_SHARE_CLAIM && each > MNET_SHARE_CLAIM * 8 / 10);
}

/* Peers that take all they can leave room to everybody else. */
static void test_greedy(void **state)
{
    fixture_t *f = *state;
    enum { PEERS = 4, BATCH = 200 };
    int going = PEERS;
    unsigned n = 0;
    while (going) {
        going = PEERS;
        for (int peer = 1; peer <= PEERS; peer++) {
            mnet_txn_t *txn;
            apr_status_t rv = APR_SUCCESS;
            OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
            for (int j = 0; j < BATCH && rv == APR_SUCCESS; j++, n++) {
                mnet_replay_name_t name = name_of(f, n);
                OK(mnet_replay_claim(txn, &name, NOON + n, NOON + n + MONTH));
                rv = mnet_share_take(txn, (apr_uint64_t)peer, MNET_SHARE_CALLS, MNET_SHARE_CLAIM,
                                     NOON + n, NOON + n + MONTH);
            }
            going -= ended(txn, rv) == MNET_E_SHARE;
        }
    }
    print_message("%d of %d MB used\n", (int)(used(f) >> 20), STORE_SIZE >> 20);
    assert_true(used(f) < (apr_off_t)STORE_SIZE * 85 / 100);
    OK(take(f, PEERS + 1, 1000000, NOON + n, NOON + n + DAY));
}

int main(void)
{
#define STORE_TEST(t)                                                                              \
    cmocka_unit_test_setup_teardown(t, fixture_store_setup, fixture_store_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_third),  STORE_TEST(test_past),    STORE_TEST(test_many_times),
        STORE_TEST(test_busy),   STORE_TEST(test_kept),    STORE_TEST(test_given),
        STORE_TEST(test_users),  STORE_TEST(test_damaged), STORE_TEST(test_claim_takes),
        STORE_TEST(test_greedy),
    };
    alarm(300); /* a test that hangs fails */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
