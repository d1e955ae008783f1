/* SPDX-License-Identifier: Apache-2.0 */
/* What holds of every store: names, transactions, walks, the generation, the format. */
#include "state_help.h"

#include <lmdb.h>

#include "failing_store.h"

static void a_record_is_kept_and_replaced_and_removed(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    mnet_txn_t *txn;

    assert_string_equal(help_get(store, "key", "a", help->pool), "-");
    assert_int_equal(help_put(store, "key", "a", "one", 3, help->pool), APR_SUCCESS);
    assert_int_equal(help_put(store, "key", "a", "two", 3, help->pool), APR_SUCCESS);
    mnet_store_close(store);
    store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    assert_string_equal(help_get(store, "key", "a", help->pool), "two");
    txn = help_begin(help, store, MNET_WRITE);
    assert_int_equal(mnet_txn_del(txn, "key", "a", 1), APR_SUCCESS);
    assert_int_equal(mnet_txn_del(txn, "key", "a", 1), APR_NOTFOUND);
    assert_int_equal(mnet_txn_commit(txn), APR_SUCCESS);
    mnet_txn_abort(txn);
    assert_string_equal(help_get(store, "key", "a", help->pool), "-");
}

static void nothing_of_an_abort_is_kept(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    mnet_txn_t *txn = help_begin(help, store, MNET_WRITE);
    apr_pool_t *pool;

    assert_int_equal(mnet_txn_put(txn, "key", "a", 1, "x", 1), APR_SUCCESS);
    mnet_txn_abort(txn);
    assert_int_equal(mnet_txn_commit(txn), APR_EINVAL);
    assert_string_equal(help_get(store, "key", "a", help->pool), "-");

    assert_int_equal(apr_pool_create(&pool, help->pool), APR_SUCCESS);
    assert_int_equal(mnet_txn_begin(store, MNET_WRITE, &txn, pool), APR_SUCCESS);
    assert_int_equal(mnet_txn_put(txn, "key", "b", 1, "x", 1), APR_SUCCESS);
    apr_pool_destroy(pool);
    assert_string_equal(help_get(store, "key", "b", help->pool), "-");
    assert_int_equal(help_put(store, "key", "c", "x", 1, help->pool), APR_SUCCESS);
}

static void a_reader_sees_one_moment(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    mnet_txn_t *before = help_begin(help, store, MNET_READ);
    const void *data;
    apr_size_t len;

    assert_int_equal(help_put(store, "key", "a", "x", 1, help->pool), APR_SUCCESS);
    assert_int_equal(mnet_txn_get(before, "key", "a", 1, &data, &len), APR_NOTFOUND);
    assert_null(data);
    mnet_txn_abort(before);
    assert_string_equal(help_get(store, "key", "a", help->pool), "x");
}

static void a_reader_writes_nothing(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    mnet_txn_t *txn = help_begin(help, store, MNET_READ);

    assert_int_equal(mnet_txn_put(txn, "key", "a", 1, "x", 1), APR_EINVAL);
    assert_int_equal(mnet_txn_del(txn, "key", "a", 1), APR_EINVAL);
    assert_int_equal(mnet_txn_touch(txn), APR_EINVAL);
    assert_int_equal(mnet_txn_commit(txn), APR_SUCCESS);
}

static void groups_do_not_mix(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);

    assert_int_equal(help_put(store, "a", "bc", "1", 1, help->pool), APR_SUCCESS);
    assert_int_equal(help_put(store, "ab", "c", "2", 1, help->pool), APR_SUCCESS);
    assert_string_equal(help_get(store, "a", "bc", help->pool), "1");
    assert_string_equal(help_get(store, "ab", "c", help->pool), "2");
    assert_string_equal(help_get(store, "abc", "", help->pool), "-");
}

static void names_and_records_have_limits(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    char *key = apr_pcalloc(help->pool, MNET_STORE_KEY_MAX + 1);
    mnet_txn_t *txn = help_begin(help, store, MNET_WRITE);
    const void *data;
    apr_size_t len;

    memset(key, 'k', MNET_STORE_KEY_MAX);
    key[3] = 0;
    assert_int_equal(mnet_txn_put(txn, "g", key, MNET_STORE_KEY_MAX - 2, "x", 1), APR_SUCCESS);
    assert_int_equal(mnet_txn_put(txn, "g", NULL, 0, "", 0), APR_SUCCESS);
    assert_int_equal(mnet_txn_get(txn, "g", key, MNET_STORE_KEY_MAX - 2, &data, &len), APR_SUCCESS);
    assert_int_equal(mnet_txn_get(txn, "g", "", 0, &data, &len), APR_SUCCESS);
    assert_int_equal(len, 0);
    assert_int_equal(mnet_txn_get(txn, "g", key, MNET_STORE_KEY_MAX - 1, &data, &len),
                     MNET_E_LIMIT);
    assert_int_equal(mnet_txn_get(txn, "", "a", 1, &data, &len), MNET_E_LIMIT);
    assert_int_equal(mnet_txn_get(txn, "g", "a", APR_SIZE_MAX, &data, &len), MNET_E_LIMIT);
    assert_int_equal(mnet_txn_put(txn, "g", "a", 1, "x", APR_SIZE_MAX), MNET_E_LIMIT);
    mnet_txn_abort(txn);
}

static void a_failed_change_spoils_its_transaction(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    mnet_txn_t *txn = help_begin(help, store, MNET_WRITE);

    assert_int_equal(mnet_txn_put(txn, "g", "a", 1, "x", 1), APR_SUCCESS);
    assert_int_equal(mnet_txn_put(txn, "g", "b", 1, "x", MNET_STORE_VALUE_MAX + 1), MNET_E_LIMIT);
    assert_int_equal(mnet_txn_put(txn, "g", "c", 1, "x", 1), MNET_E_LIMIT);
    assert_int_equal(mnet_txn_commit(txn), MNET_E_LIMIT);
    assert_string_equal(help_get(store, "g", "a", help->pool), "-");
}

/* --- walks -------------------------------------------------------------------------------------
 */

typedef struct walk_t {
    char seen[2048];
    int remove;         /* every record shown */
    const char *end_at; /* the walk is stopped there */
    apr_status_t end_with;
} walk_t;

static apr_status_t walked(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                           const void *data, apr_size_t len)
{
    walk_t *walk = baton;
    size_t used = strlen(walk->seen);

    (void)snprintf(walk->seen + used, sizeof(walk->seen) - used, "%.*s=%.*s ", (int)key_len,
                   (const char *)key, (int)len, (const char *)data);
    if (walk->remove) {
        assert_int_equal(mnet_txn_del(txn, "g", key, key_len), APR_SUCCESS);
    }
    if (walk->end_at && strlen(walk->end_at) == key_len && !memcmp(walk->end_at, key, key_len)) {
        return walk->end_with;
    }
    return APR_SUCCESS;
}

static const char *walk_from(mnet_txn_t *txn, const char *prefix, const char *from, walk_t *walk)
{
    walk->seen[0] = 0;
    assert_int_equal(mnet_txn_each(txn, "g", prefix, strlen(prefix), from, from ? strlen(from) : 0,
                                   walked, walk),
                     APR_SUCCESS);
    return walk->seen;
}

static mnet_store_t *with_records(help_t *help)
{
    static const char *const keys[] = {"b", "a", "ba", "c", "bb", ""};
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(help_put(store, "g", keys[i], "v", 1, help->pool), APR_SUCCESS);
    }
    assert_int_equal(help_put(store, "f", "zz", "v", 1, help->pool), APR_SUCCESS);
    assert_int_equal(help_put(store, "g1", "a", "v", 1, help->pool), APR_SUCCESS);
    assert_int_equal(help_put(store, "h", "a", "v", 1, help->pool), APR_SUCCESS);
    return store;
}

static void a_walk_shows_a_group_in_order(void **state)
{
    help_t *help = *state;
    mnet_txn_t *txn = help_begin(help, with_records(help), MNET_READ);
    walk_t walk = {""};

    assert_string_equal(walk_from(txn, "", NULL, &walk), "=v a=v b=v ba=v bb=v c=v ");
    assert_string_equal(walk_from(txn, "b", NULL, &walk), "b=v ba=v bb=v ");
    assert_string_equal(walk_from(txn, "b", "ba", &walk), "ba=v bb=v ");
    assert_string_equal(walk_from(txn, "b", "a", &walk), "b=v ba=v bb=v ");
    assert_string_equal(walk_from(txn, "", "bab", &walk), "bb=v c=v ");
    assert_string_equal(walk_from(txn, "b", "c", &walk), "");
    assert_string_equal(walk_from(txn, "x", NULL, &walk), "");
    mnet_txn_abort(txn);
}

static apr_status_t count_it(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                             const void *data, apr_size_t len)
{
    (void)txn;
    (void)key;
    (void)key_len;
    (void)data;
    (void)len;
    ++*(int *)baton;
    return APR_SUCCESS;
}

static void keys_that_differ_by_a_nul_are_all_shown(void **state)
{
    help_t *help = *state;
    mnet_txn_t *txn = help_begin(help, help_open(help, &mnet_store_lmdb, SIZE_SMALL), MNET_WRITE);
    int count = 0;

    for (apr_size_t len = 0; len <= 4; len++) {
        assert_int_equal(mnet_txn_put(txn, "g", "\0\0\0\0", len, "v", 1), APR_SUCCESS);
    }
    assert_int_equal(mnet_txn_each(txn, "g", NULL, 0, NULL, 0, count_it, &count), APR_SUCCESS);
    assert_int_equal(count, 5);
    mnet_txn_abort(txn);
}

static void a_walk_can_be_stopped(void **state)
{
    help_t *help = *state;
    mnet_txn_t *txn = help_begin(help, with_records(help), MNET_READ);
    walk_t walk = {.end_at = "ba", .end_with = APR_EOF};

    assert_string_equal(walk_from(txn, "", "a", &walk), "a=v b=v ba=v ");
    walk.end_with = APR_EGENERAL;
    assert_int_equal(mnet_txn_each(txn, "g", NULL, 0, NULL, 0, walked, &walk), APR_EGENERAL);
    mnet_txn_abort(txn);
}

static void a_walk_may_remove_what_it_is_shown(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_records(help);
    mnet_txn_t *txn = help_begin(help, store, MNET_WRITE);
    walk_t walk = {.remove = 1};

    assert_string_equal(walk_from(txn, "b", NULL, &walk), "b=v ba=v bb=v ");
    assert_int_equal(mnet_txn_commit(txn), APR_SUCCESS);
    txn = help_begin(help, store, MNET_READ);
    walk.remove = 0;
    assert_string_equal(walk_from(txn, "", NULL, &walk), "=v a=v c=v ");
    mnet_txn_abort(txn);
    assert_string_equal(help_get(store, "g1", "a", help->pool), "v");
}

static apr_status_t remove_every_second(void *baton, mnet_txn_t *txn, const void *key,
                                        apr_size_t key_len, const void *data, apr_size_t len)
{
    int *count = baton;

    (void)data;
    (void)len;
    return (*count)++ % 2 ? mnet_txn_del(txn, "n", key, key_len) : APR_SUCCESS;
}

static void removing_over_many_pages_misses_none(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    mnet_txn_t *txn = help_begin(help, store, MNET_WRITE);
    char value[100] = "";
    int count = 0;

    for (int i = 0; i < 5000; i++) {
        const char *key = apr_psprintf(help->pool, "%05d", i);

        assert_int_equal(mnet_txn_put(txn, "n", key, 5, value, sizeof(value)), APR_SUCCESS);
    }
    assert_int_equal(mnet_txn_each(txn, "n", NULL, 0, NULL, 0, remove_every_second, &count),
                     APR_SUCCESS);
    assert_int_equal(count, 5000);
    assert_int_equal(mnet_txn_each(txn, "n", NULL, 0, NULL, 0, remove_every_second, &count),
                     APR_SUCCESS);
    assert_int_equal(count, 7500);
    assert_int_equal(mnet_txn_commit(txn), APR_SUCCESS);
}

/* --- the generation, the format ----------------------------------------------------------------
 */

static apr_uint64_t generation(help_t *help, mnet_store_t *store)
{
    mnet_txn_t *txn = help_begin(help, store, MNET_READ);
    apr_uint64_t n = mnet_txn_generation(txn);

    mnet_txn_abort(txn);
    return n;
}

static void the_generation_counts_committed_touches(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    apr_uint64_t first = generation(help, store);
    mnet_txn_t *txn = help_begin(help, store, MNET_WRITE);

    assert_true(first > 0);
    assert_int_equal(mnet_txn_touch(txn), APR_SUCCESS);
    assert_true(mnet_txn_generation(txn) == first + 1);
    assert_true(generation(help, store) == first);
    assert_int_equal(mnet_txn_commit(txn), APR_SUCCESS);
    assert_true(generation(help, store) == first + 1);
    txn = help_begin(help, store, MNET_WRITE);
    assert_int_equal(mnet_txn_touch(txn), APR_SUCCESS);
    mnet_txn_abort(txn);
    assert_true(generation(help, store) == first + 1);
}

static void the_generation_is_eight_bytes_big_endian(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);

    assert_int_equal(help_put(store, "meta", "generation", "\0\0\0\0\0\1\2\3", 8, help->pool),
                     APR_SUCCESS);
    assert_true(generation(help, store) == 0x010203);
}

static void an_unknown_format_is_refused(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    const char *why = NULL;

    assert_string_equal(help_get(store, "meta", "format", help->pool), "\1");
    assert_int_equal(help_put(store, "meta", "format", "\2", 1, help->pool), APR_SUCCESS);
    mnet_store_close(store);
    assert_int_equal(mnet_store_open(&store, &mnet_store_lmdb, help->dir, SIZE_SMALL, &help->log,
                                     &why, help->pool),
                     MNET_E_VERSION);
    assert_null(store);
    assert_non_null(strstr(why, "version 2"));
    assert_non_null(strstr(why, "version 1"));
}

static void another_programs_database_is_refused(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = NULL;
    const char *why = NULL;
    char k[] = "k", v[] = "v";
    MDB_val key = {1, k}, value = {1, v};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, help->dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    assert_int_equal(mnet_store_open(&store, &mnet_store_lmdb, help->dir, SIZE_SMALL, &help->log,
                                     &why, help->pool),
                     MNET_E_VERSION);
    assert_non_null(strstr(why, "another program"));
}

/* --- rules of use ------------------------------------------------------------------------------
 */

static void a_second_write_in_a_thread_is_refused(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    mnet_txn_t *txn = help_begin(help, store, MNET_WRITE);
    mnet_txn_t *second;

    assert_int_equal(mnet_txn_begin(store, MNET_WRITE, &second, help->pool), EDEADLK);
    assert_non_null(strstr(help->said, "MNET0202"));
    mnet_txn_abort(help_begin(help, store, MNET_READ));
    assert_int_equal(mnet_txn_commit(txn), APR_SUCCESS);
    mnet_txn_abort(help_begin(help, store, MNET_WRITE));
}

static void a_child_is_refused_and_harms_nothing(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    mnet_txn_t *reading = help_begin(help, store, MNET_READ);
    mnet_txn_t *writing = help_begin(help, store, MNET_WRITE);
    const void *data;
    apr_size_t len;
    pid_t pid = help_fork();

    if (pid == 0) {
        mnet_txn_t *txn;
        int refused = mnet_txn_begin(store, MNET_READ, &txn, help->pool) == APR_EINVAL &&
                      mnet_txn_commit(writing) == APR_EINVAL;

        mnet_txn_abort(reading);
        mnet_txn_abort(writing);
        mnet_store_close(store);
        apr_pool_destroy(help->pool);
        _exit(refused && strstr(help->said, "MNET0201") ? 0 : 1);
    }
    assert_int_equal(help_wait(pid), 0);
    assert_int_equal(mnet_txn_get(reading, "meta", "format", 6, &data, &len), APR_SUCCESS);
    mnet_txn_abort(reading);
    assert_int_equal(mnet_txn_put(writing, "g", "a", 1, "x", 1), APR_SUCCESS);
    assert_int_equal(mnet_txn_commit(writing), APR_SUCCESS);
    assert_string_equal(help_get(store, "g", "a", help->pool), "x");
}

static void a_store_may_be_opened_again_after_its_close(void **state)
{
    help_t *help = *state;

    for (int i = 0; i < 20; i++) {
        mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
        mnet_txn_t *txn;

        assert_int_equal(help_put(store, "g", "a", "x", 1, help->pool), APR_SUCCESS);
        mnet_store_close(store);
        mnet_store_close(store);
        assert_int_equal(mnet_txn_begin(store, MNET_READ, &txn, help->pool), APR_EINVAL);
    }
}

/* --- a store that fails ------------------------------------------------------------------------
 */

/* Two records and a touch, or nothing of them. */
static apr_status_t change(mnet_store_t *store, const char *value, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(store, MNET_WRITE, &txn, pool);

    if (rv == APR_SUCCESS) {
        (void)mnet_txn_put(txn, "g", "a", 1, value, 1);
        (void)mnet_txn_put(txn, "g", "b", 1, value, 1);
        (void)mnet_txn_touch(txn);
        rv = mnet_txn_commit(txn);
    }
    return rv;
}

static void all_or_nothing_whichever_operation_fails(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = help_open(help, &mnet_store_failing, SIZE_SMALL);
    int at = 0;
    apr_status_t rv = APR_EGENERAL;

    failing_store.rv = EIO;
    failing_store.how = FAILING_ANSWER;
    assert_int_equal(change(store, "1", help->pool), APR_SUCCESS);
    while (rv != APR_SUCCESS && at < 50) {
        const char *a, *b;

        failing_store.count = 0;
        failing_store.at = ++at;
        rv = change(store, "2", help->pool);
        failing_store.at = 0;
        a = help_get(store, "g", "a", help->pool);
        b = help_get(store, "g", "b", help->pool);
        assert_string_equal(a, b);
        assert_string_equal(a, rv == APR_SUCCESS ? "2" : "1");
    }
    assert_int_equal(at, 7); /* begin, put, put, get, put, commit, and none */
}

static void all_or_nothing_wherever_the_process_ends(void **state)
{
    help_t *help = *state;
    int ended = FAILING_STATUS;

    for (int at = 1; ended == FAILING_STATUS && at < 60; at++) {
        for (int after = 0; after <= 1; after++) {
            mnet_store_t *store;
            const char *a;
            pid_t pid = help_fork();

            if (pid == 0) {
                const char *why;

                failing_store.count = 0;
                failing_store.at = at;
                failing_store.how = after ? FAILING_EXIT_AFTER : FAILING_EXIT;
                _exit(mnet_store_open(&store, &mnet_store_failing, help->dir, SIZE_SMALL, NULL,
                                      &why, help->pool) != APR_SUCCESS ||
                      change(store, "3", help->pool) != APR_SUCCESS);
            }
            ended = help_wait(pid);
            assert_true(ended == FAILING_STATUS || ended == 0);
            store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
            a = help_get(store, "g", "a", help->pool);
            assert_string_equal(a, help_get(store, "g", "b", help->pool));
            if (ended == 0) {
                assert_string_equal(a, "3");
            }
            mnet_store_close(store);
        }
    }
    assert_int_equal(ended, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, help_setup, help_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_record_is_kept_and_replaced_and_removed),
        T(nothing_of_an_abort_is_kept),
        T(a_reader_sees_one_moment),
        T(a_reader_writes_nothing),
        T(groups_do_not_mix),
        T(names_and_records_have_limits),
        T(a_failed_change_spoils_its_transaction),
        T(a_walk_shows_a_group_in_order),
        T(keys_that_differ_by_a_nul_are_all_shown),
        T(a_walk_can_be_stopped),
        T(a_walk_may_remove_what_it_is_shown),
        T(removing_over_many_pages_misses_none),
        T(the_generation_counts_committed_touches),
        T(the_generation_is_eight_bytes_big_endian),
        T(an_unknown_format_is_refused),
        T(another_programs_database_is_refused),
        T(a_second_write_in_a_thread_is_refused),
        T(a_child_is_refused_and_harms_nothing),
        T(a_store_may_be_opened_again_after_its_close),
        T(all_or_nothing_whichever_operation_fails),
        T(all_or_nothing_wherever_the_process_ends),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
