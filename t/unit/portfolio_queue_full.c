/* SPDX-License-Identifier: Apache-2.0 */
/* A store as small as there is one, filled to its reserve. */
#define WORLD_STATE_SIZE MNET_STORE_SIZE_MIN
#include "queue_help.h"

#include <stdio.h>

/* Until an ordinary write has no room. */
static void fill_the_store(void)
{
    char bytes[3000];
    apr_status_t rv = APR_SUCCESS;

    memset(bytes, 'x', sizeof(bytes));
    for (apr_size_t len = sizeof(bytes); len > 10; len /= 10) {
        for (int i = 0; i < 100000; i++) {
            mnet_txn_t *txn;
            char key[32];
            int key_len = snprintf(key, sizeof(key), "%d %d", (int)len, i);

            assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool),
                             0);
            for (int j = 0; !(rv = mnet_txn_put(txn, "a", key, (apr_size_t)key_len, bytes, len)) &&
                            j < (int)len / 30 - 1;
                 j++, i++) {
                key_len = snprintf(key, sizeof(key), "%d %d", (int)len, i);
            }
            if (rv) {
                mnet_txn_abort(txn);
                break;
            }
            assert_int_equal(mnet_txn_commit(txn), 0);
        }
    }
    assert_int_equal(rv, MNET_E_FULL);
}

/* What was accepted is worked on and makes room, whether it goes well or not. */
static void test_a_full_store_does_not_stop_it(void **state)
{
    apr_time_t now = apr_time_now();
    apr_array_header_t *items;
    mnet_txn_t *txn;
    const char *dropped;

    for (int i = 0; i < 40; i++) {
        put(apr_psprintf(world->pool, "https://p%d.example", i), now, now);
    }
    dropped = put("https://dropped.example", now + MINUTES(60), now);
    fill_the_store();
    for (int round = 0; round < 10; round++) {
        items = claim(4, 4, now);
        assert_int_equal(items->nelts, 4);
        for (int i = 0; i < 4; i++) {
            mnet_queue_run_t run = {
                .host = host(), .item = item_at(items, i), .pool = world->pool, .owner = *us()};

            assert_int_equal(mnet_queue_progress(&run, 10, 20), 0);
            if (i == 3) {
                assert_int_equal(give_back(run.item, MNET_QUEUE_RETRY, 0, now), MNET_QUEUE_WAITING);
            } else {
                assert_int_equal(give_back(run.item, MNET_QUEUE_DONE, 0, now), -1);
            }
        }
    }
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE_WORK, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_drop(host(), txn, dropped, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_null(look(dropped));
}

/* The reserve is not anybody's who asks: most of it is for deleting. */
static void test_its_reserve_has_an_end(void **state)
{
    static const mnet_txn_e kinds[] = {MNET_WRITE_END, MNET_WRITE_WORK};
    apr_off_t used, usable[3];
    char bytes[1000];
    mnet_txn_t *txn;

    fill_the_store();
    memset(bytes, 'x', sizeof(bytes));
    for (int k = 0; k < 2; k++) {
        apr_status_t rv = APR_SUCCESS;
        int n = 0;

        for (; !rv && n < 1000; n++) {
            char key[32];
            int len = snprintf(key, sizeof(key), "b %d %d", k, n);

            assert_int_equal(mnet_txn_begin(host()->engine->store, kinds[k], &txn, world->pool), 0);
            rv = mnet_txn_put(txn, "a", key, (apr_size_t)len, bytes, sizeof(bytes));
            rv = rv ? rv : mnet_txn_commit(txn);
            mnet_txn_abort(txn);
        }
        assert_int_equal(rv, MNET_E_FULL);
        assert_in_range(n, 10, 200);
    }
    for (int k = 0; k < 3; k++) {
        assert_int_equal(
            mnet_txn_begin(host()->engine->store, k ? kinds[k - 1] : MNET_WRITE, &txn, world->pool),
            0);
        assert_int_equal(mnet_txn_room(txn, &used, &usable[k]), 0);
        mnet_txn_abort(txn);
    }
    assert_true(usable[0] < usable[1] && usable[1] < usable[2]);
    assert_true(usable[2] <= MNET_STORE_SIZE_MIN - 32 * 4096);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_full_store_does_not_stop_it),
        T(test_its_reserve_has_an_end),
    };
    int rv;

    alarm(120); /* a test that hangs fails */
    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
