/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child commits records and says so for each through a pipe; it is killed at some moment; every
 * record it said is there, whole, and the next one can be written.  A hundred times.
 */
#include "state_help.h"

#include <fcntl.h>
#include <time.h>

#define KILLS 100
#define VALUE 300
#define MSEC  1000000L

static void value_of(unsigned int n, unsigned char value[VALUE])
{
    for (unsigned int i = 0; i < VALUE; i++) {
        value[i] = (unsigned char)((n * 31 + i * 7) & 0xFF);
    }
}

/* Never returns.  Each number is put twice, under two names, in one transaction. */
static void commit_for_ever(help_t *help, unsigned int from, int said)
{
    mnet_store_t *store;
    const char *why;
    apr_pool_t *pool;

    if (mnet_store_open(&store, &mnet_store_lmdb, help->dir, 64 << 20, NULL, &why, help->pool) !=
        APR_SUCCESS) {
        (void)fprintf(stderr, "# child: %s\n", why);
        _exit(1);
    }
    for (unsigned int n = from;; n++) {
        unsigned char value[VALUE];
        mnet_txn_t *txn;

        value_of(n, value);
        if (apr_pool_create(&pool, help->pool) != APR_SUCCESS ||
            mnet_txn_begin(store, MNET_WRITE, &txn, pool) != APR_SUCCESS ||
            mnet_txn_put(txn, "one", &n, sizeof(n), value, VALUE) != APR_SUCCESS ||
            mnet_txn_put(txn, "two", &n, sizeof(n), value, VALUE) != APR_SUCCESS ||
            mnet_txn_commit(txn) != APR_SUCCESS ||
            write(said, &n, sizeof(n)) != (ssize_t)sizeof(n)) {
            _exit(2);
        }
        apr_pool_destroy(pool);
    }
}

/* The number after the last one that was said. */
static unsigned int run_and_kill(help_t *help, unsigned int from, long nanoseconds)
{
    struct timespec wait = {0, nanoseconds};
    unsigned int n, next = from;
    int said[2];
    pid_t pid;

    assert_int_equal(pipe(said), 0);
    (void)fcntl(said[1], F_SETPIPE_SZ, 1 << 20);
    pid = help_fork();
    if (pid == 0) {
        commit_for_ever(help, from, said[1]);
    }
    (void)close(said[1]);
    assert_int_equal(read(said[0], &n, sizeof(n)), (ssize_t)sizeof(n)); /* at least one */
    assert_int_equal(n, next++);
    (void)nanosleep(&wait, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(help_wait(pid), -SIGKILL);
    while (read(said[0], &n, sizeof(n)) == (ssize_t)sizeof(n)) {
        assert_int_equal(n, next);
        next = n + 1;
    }
    (void)close(said[0]);
    return next;
}

static int is_there(mnet_txn_t *txn, const char *group, unsigned int n)
{
    unsigned char value[VALUE];
    const void *data;
    apr_size_t len;

    value_of(n, value);
    return mnet_txn_get(txn, group, &n, sizeof(n), &data, &len) == APR_SUCCESS && len == VALUE &&
           memcmp(data, value, VALUE) == 0;
}

static void nothing_acknowledged_is_lost(void **state)
{
    help_t *help = *state;
    unsigned int next = 0, lost = 0, halves = 0;

    srand(1);
    for (int k = 0; k < KILLS; k++) {
        mnet_store_t *store;
        mnet_txn_t *txn;
        int one, two;

        next = run_and_kill(help, next, rand() % 40000 * MSEC / 1000);
        store = help_open(help, &mnet_store_lmdb, 64 << 20);
        txn = help_begin(help, store, MNET_READ);
        for (unsigned int n = 0; n < next; n++) {
            lost += !is_there(txn, "one", n) || !is_there(txn, "two", n);
        }
        /* The one under way: committed and not said, or nothing of it. */
        one = is_there(txn, "one", next);
        two = is_there(txn, "two", next);
        halves += one != two;
        next += one && two;
        mnet_txn_abort(txn);
        mnet_store_close(store);
    }
    print_message("# %d kills, %u acknowledged, %u lost, %u halves\n", KILLS, next, lost, halves);
    assert_int_equal(lost, 0);
    assert_int_equal(halves, 0);
    assert_true(next >= KILLS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_acknowledged_is_lost, help_setup, help_teardown),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
