/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store on LMDB with other processes: one killed while it writes or reads, one that lets the
 * file grow, many that open and close; and a disk that is full or fails.
 */
#include "state_help.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* --- a disk that fails: liblmdb finds these before libc's ---------------------------------------
 */

static struct {
    int writes; /* the errno of every write of a page; 0: it works */
    int syncs;
    int metas; /* of a write to one of the first two pages */
} disk;

static int fails(int with)
{
    errno = with;
    return with != 0;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    if (fails(at < 2 * 4096 ? disk.metas : disk.writes)) {
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, len, at);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    return fails(disk.writes) ? -1 : syscall(SYS_writev, fd, parts, n);
}

int fdatasync(int fd)
{
    return fails(disk.syncs) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static void disk_mends(void)
{
    memset(&disk, 0, sizeof(disk));
}

static void after_a_failure(help_t *help, mnet_store_t *store, int failure)
{
    assert_int_equal(help_put(store, "g", "b", "lost", 4, help->pool), failure);
    assert_string_equal(help_get(store, "g", "a", help->pool), "kept");
    assert_string_equal(help_get(store, "g", "b", help->pool), "-");
    disk_mends();
    assert_int_equal(help_put(store, "g", "b", "new", 3, help->pool), APR_SUCCESS);
    mnet_store_close(store);
    store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    assert_string_equal(help_get(store, "g", "a", help->pool), "kept");
    assert_string_equal(help_get(store, "g", "b", help->pool), "new");
}

static mnet_store_t *with_a(help_t *help)
{
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);

    assert_int_equal(help_put(store, "g", "a", "kept", 4, help->pool), APR_SUCCESS);
    return store;
}

static void a_full_disk_loses_nothing_and_is_got_over(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);

    disk.writes = ENOSPC;
    after_a_failure(help, store, ENOSPC);
    assert_non_null(strstr(help->said, "MNET0204 no room on the disk"));
}

static void a_sync_that_fails_commits_nothing(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);

    disk.syncs = EIO;
    after_a_failure(help, store, EIO);
}

static void a_meta_page_that_fails_is_got_over(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);

    disk.metas = EIO;
    after_a_failure(help, store, EIO);
    assert_non_null(strstr(help->said, "MNET0215"));
}

static void a_full_disk_is_said_once(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);
    const char *first;

    disk.writes = ENOSPC;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(help_put(store, "g", "b", "x", 1, help->pool), ENOSPC);
    }
    disk_mends();
    first = strstr(help->said, "MNET0204");
    assert_non_null(first);
    assert_null(strstr(first + 1, "MNET0204"));
}

/* --- a store that is full ----------------------------------------------------------------------
 */

static apr_status_t remove_it(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    int *left = baton;

    (void)data;
    (void)len;
    return (*left)-- > 0 ? mnet_txn_del(txn, "g", key, key_len) : APR_EOF;
}

/* Puts these records in one transaction. */
static apr_status_t put_some(mnet_store_t *store, int from, int n, const void *value,
                             apr_size_t len, apr_pool_t *parent)
{
    apr_pool_t *pool;
    mnet_txn_t *txn;
    apr_status_t rv;

    assert_int_equal(apr_pool_create(&pool, parent), APR_SUCCESS);
    rv = mnet_txn_begin(store, MNET_WRITE, &txn, pool);
    for (int i = from; i < from + n && rv == APR_SUCCESS; i++) {
        unsigned int key = (unsigned int)i * 2654435761U; /* in no order */

        rv = mnet_txn_put(txn, "g", &key, sizeof(key), value, len);
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_txn_commit(txn);
    }
    apr_pool_destroy(pool);
    return rv;
}

/* Fills it to the last with records of this length; how many there was room for. */
static int fill(help_t *help, mnet_store_t *store, apr_size_t len)
{
    char *value = apr_pcalloc(help->pool, len);
    int n = 0;

    for (int batch = 64; batch > 0; batch /= 4) {
        apr_status_t rv;

        while ((rv = put_some(store, n, batch, value, len, help->pool)) == APR_SUCCESS) {
            n += batch;
        }
        assert_int_equal(rv, MNET_E_FULL);
    }
    return n;
}

static void full_and_emptied(help_t *help, apr_size_t len, int least)
{
    mnet_store_t *store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    mnet_txn_t *txn;
    int left, n = fill(help, store, len);

    assert_in_range(n, least, 100000);
    assert_non_null(strstr(help->said, "MNET0203"));
    assert_non_null(strstr(help->said, "MnetStateSize"));
    txn = help_begin(help, store, MNET_WRITE);
    assert_int_equal(mnet_txn_touch(txn), APR_SUCCESS);
    assert_int_equal(mnet_txn_commit(txn), APR_SUCCESS);
    do { /* as a purge does it */
        left = 50;
        txn = help_begin(help, store, MNET_WRITE);
        assert_int_equal(mnet_txn_each(txn, "g", NULL, 0, NULL, 0, remove_it, &left), APR_SUCCESS);
        assert_int_equal(mnet_txn_commit(txn), APR_SUCCESS);
    } while (left < 0);
    /* All of it can be used again, and as much as before. */
    assert_in_range(fill(help, store, len), n - n / 10, n + n / 10);
}

static void a_full_store_says_so_and_can_be_emptied(void **state)
{
    full_and_emptied(*state, 300, 7000);
}

static void big_records_too(void **state)
{
    full_and_emptied(*state, 50000, 50);
}

static void a_transaction_too_big_leaves_the_store_as_it_was(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);
    mnet_txn_t *txn = help_begin(help, store, MNET_WRITE);
    char *value = apr_pcalloc(help->pool, 100000);
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; i < 60 && rv == APR_SUCCESS; i++) {
        rv = mnet_txn_put(txn, "g", &i, sizeof(i), value, 100000);
    }
    assert_int_equal(rv, MNET_E_FULL);
    assert_int_equal(mnet_txn_commit(txn), MNET_E_FULL);
    assert_string_equal(help_get(store, "g", "a", help->pool), "kept");
    assert_int_equal(help_put(store, "g", "b", value, 100000, help->pool), APR_SUCCESS);
}

/* --- sizes -------------------------------------------------------------------------------------
 */

/* Opens with size and puts n records of 10000 bytes; 0 if all went well.  In a child. */
static int grow(help_t *help, apr_off_t size, int n)
{
    static char value[10000];
    mnet_store_t *store;
    const char *why;

    if (mnet_store_open(&store, &mnet_store_lmdb, help->dir, size, NULL, &why, help->pool) !=
        APR_SUCCESS) {
        return 1;
    }
    for (int i = 0; i < n; i += 10) {
        if (put_some(store, i, 10, value, sizeof(value), help->pool) != APR_SUCCESS) {
            return 2;
        }
    }
    mnet_store_close(store);
    return 0;
}

static int child_grows(help_t *help, apr_off_t size, int n)
{
    pid_t pid = help_fork();

    if (pid == 0) {
        _exit(grow(help, size, n));
    }
    return help_wait(pid);
}

static void a_file_grown_by_another_process_is_followed(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);

    assert_int_equal(child_grows(help, 4 * SIZE_SMALL, 800), 0);
    assert_string_equal(help_get(store, "g", "a", help->pool), "kept");
    assert_non_null(strstr(help->said, "MNET0214"));
    assert_int_equal(help_put(store, "g", "a", "more", 4, help->pool), APR_SUCCESS);
    assert_string_equal(help_get(store, "g", "a", help->pool), "more");
}

static void a_reader_is_safe_while_another_wants_to_follow(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);
    mnet_txn_t *open_one = help_begin(help, store, MNET_READ), *other;
    const void *data;
    apr_size_t len;

    assert_int_equal(child_grows(help, 16 * SIZE_SMALL, 800), 0);
    assert_int_equal(mnet_txn_begin(store, MNET_READ, &other, help->pool), MNET_E_BUSY);
    assert_int_equal(mnet_txn_get(open_one, "g", "a", 1, &data, &len), APR_SUCCESS);
    assert_memory_equal(data, "kept", 4);
    mnet_txn_abort(open_one);
    assert_string_equal(help_get(store, "g", "a", help->pool), "kept");
}

static void no_size_means_as_before(void **state)
{
    help_t *help = *state;

    assert_int_equal(child_grows(help, 4 * SIZE_SMALL, 10), 0);
    assert_int_equal(child_grows(help, 0, 1000), 0);  /* more than SIZE_SMALL */
    assert_int_equal(child_grows(help, 0, 10000), 2); /* not more than four of it */
}

static void a_size_beyond_reason_is_refused(void **state)
{
    static const apr_off_t sizes[] = {-1, 1, SIZE_SMALL - 1, APR_INT64_MAX};
    help_t *help = *state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        mnet_store_t *store;
        const char *why = NULL;

        assert_int_not_equal(mnet_store_open(&store, &mnet_store_lmdb, help->dir, sizes[i],
                                             &help->log, &why, help->pool),
                             APR_SUCCESS);
        assert_non_null(strstr(why, "MnetStateSize"));
    }
}

/* --- processes that are killed -----------------------------------------------------------------
 */

/* A child that opens, begins n transactions, says so, and waits to be killed. */
static void killed_inside(help_t *help, mnet_txn_e kind, int n)
{
    int ready[2];
    char byte = 0;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = help_fork();
    if (pid == 0) {
        mnet_store_t *store;
        mnet_txn_t *txn;
        const char *why;
        apr_status_t rv = mnet_store_open(&store, &mnet_store_lmdb, help->dir, SIZE_SMALL, NULL,
                                          &why, help->pool);

        for (int i = 0; i < n && rv == APR_SUCCESS; i++) {
            rv = mnet_txn_begin(store, kind, &txn, help->pool);
        }
        if (rv == APR_SUCCESS && kind == MNET_WRITE) {
            rv = mnet_txn_put(txn, "g", "half", 4, "x", 1);
        }
        byte = rv == APR_SUCCESS ? 'y' : 'n';
        (void)!write(ready[1], &byte, 1);
        for (;;) {
            (void)pause();
        }
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(help_wait(pid), -SIGKILL);
    assert_int_equal(byte, 'y');
}

static void a_killed_writer_blocks_nobody(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);

    for (int i = 0; i < 3; i++) {
        killed_inside(help, MNET_WRITE, 1);
        assert_int_equal(help_put(store, "g", "b", "x", 1, help->pool), APR_SUCCESS);
        assert_string_equal(help_get(store, "g", "half", help->pool), "-");
        assert_string_equal(help_get(store, "g", "a", help->pool), "kept");
    }
}

static void killed_readers_give_their_slots_back(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);

    /* 1024 slots: without the first child's, the second one could not begin. */
    killed_inside(help, MNET_READ, 1000);
    killed_inside(help, MNET_READ, 1000);
    for (int i = 0; i < 1024; i++) {
        (void)help_begin(help, store, MNET_READ);
    }
    assert_non_null(strstr(help->said, "MNET0209"));
}

static void more_readers_than_slots_are_busy(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);
    mnet_txn_t *last = NULL, *none;

    for (int i = 0; i < 1024; i++) {
        last = help_begin(help, store, MNET_READ);
    }
    assert_int_equal(mnet_txn_begin(store, MNET_READ, &none, help->pool), MNET_E_BUSY);
    assert_non_null(strstr(help->said, "MNET0212"));
    mnet_txn_abort(last);
    mnet_txn_abort(help_begin(help, store, MNET_READ));
}

/* --- many at once ------------------------------------------------------------------------------
 */

#define CHILDREN 4
#define COUNTS   40

/* One more, in a transaction: read, then written. */
static apr_status_t count_up(mnet_store_t *store, apr_pool_t *parent)
{
    apr_pool_t *pool;
    mnet_txn_t *txn;
    apr_status_t rv = apr_pool_create(&pool, parent);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = mnet_txn_begin(store, MNET_WRITE, &txn, pool);
    if (rv == APR_SUCCESS) {
        (void)mnet_txn_touch(txn);
        rv = mnet_txn_commit(txn);
    }
    apr_pool_destroy(pool);
    return rv;
}

static apr_uint64_t counted(help_t *help, mnet_store_t *store)
{
    mnet_txn_t *txn = help_begin(help, store, MNET_READ);
    apr_uint64_t n = mnet_txn_generation(txn);

    mnet_txn_abort(txn);
    return n;
}

static void writers_in_processes_take_turns(void **state)
{
    help_t *help = *state;
    pid_t pids[CHILDREN];
    mnet_store_t *store;

    for (int c = 0; c < CHILDREN; c++) {
        pids[c] = help_fork();
        if (pids[c] == 0) {
            const char *why;
            apr_status_t rv = APR_SUCCESS;

            /* Opened anew each time: openings and closings meet as well. */
            for (int i = 0; i < COUNTS && rv == APR_SUCCESS; i++) {
                rv = mnet_store_open(&store, &mnet_store_lmdb, help->dir, SIZE_SMALL, NULL, &why,
                                     help->pool);
                if (rv == APR_SUCCESS) {
                    rv = count_up(store, help->pool);
                    mnet_store_close(store);
                }
            }
            if (rv != APR_SUCCESS) {
                (void)fprintf(stderr, "# %d %s\n", rv, why ? why : "-");
            }
            _exit(rv != APR_SUCCESS);
        }
    }
    for (int c = 0; c < CHILDREN; c++) {
        assert_int_equal(help_wait(pids[c]), 0);
    }
    store = help_open(help, &mnet_store_lmdb, SIZE_SMALL);
    assert_int_equal(counted(help, store), 1 + CHILDREN * COUNTS);
}

static void *thread_counts(void *baton)
{
    mnet_store_t *store = baton;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, NULL);

    for (int i = 0; i < COUNTS && rv == APR_SUCCESS; i++) {
        rv = count_up(store, pool);
        (void)help_get(store, "g", "a", pool);
    }
    apr_pool_destroy(pool);
    return rv == APR_SUCCESS ? baton : NULL;
}

static void writers_in_threads_take_turns(void **state)
{
    help_t *help = *state;
    mnet_store_t *store = with_a(help);
    pthread_t threads[CHILDREN];

    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, thread_counts, store), 0);
    }
    for (int i = 0; i < CHILDREN; i++) {
        void *answer;

        assert_int_equal(pthread_join(threads[i], &answer), 0);
        assert_ptr_equal(answer, store);
    }
    assert_int_equal(counted(help, store), 1 + CHILDREN * COUNTS);
}

/* --- files -------------------------------------------------------------------------------------
 */

static void no_file_stays_open_for_a_script(void **state)
{
    help_t *help = *state;
    DIR *fds;
    const struct dirent *entry;
    int ours = 0;

    (void)with_a(help);
    fds = opendir("/proc/self/fd");
    assert_non_null(fds);
    while ((entry = readdir(fds))) {
        char link[300], target[256] = "";

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%s", entry->d_name);
        (void)!readlink(link, target, sizeof(target) - 1);
        if (strstr(target, help->dir)) {
            ours++;
            assert_true(fcntl((int)strtol(entry->d_name, NULL, 10), F_GETFD) & FD_CLOEXEC);
        }
    }
    (void)closedir(fds);
    assert_in_range(ours, 2, 4);
}

static void what_is_no_store_is_refused(void **state)
{
    help_t *help = *state;
    mnet_store_t *store;
    const char *why = NULL;
    FILE *file = fopen(help_file(help, "data.mdb"), "w");

    assert_non_null(file);
    for (int i = 0; i < 1000; i++) {
        (void)fputs("this is no database\n", file);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_not_equal(mnet_store_open(&store, &mnet_store_lmdb, help->dir, SIZE_SMALL,
                                         &help->log, &why, help->pool),
                         APR_SUCCESS);
    assert_non_null(strstr(why, "data.mdb is not a store"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, help_setup, help_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_full_disk_loses_nothing_and_is_got_over),
        T(a_sync_that_fails_commits_nothing),
        T(a_meta_page_that_fails_is_got_over),
        T(a_full_disk_is_said_once),
        T(a_full_store_says_so_and_can_be_emptied),
        T(big_records_too),
        T(a_transaction_too_big_leaves_the_store_as_it_was),
        T(a_file_grown_by_another_process_is_followed),
        T(a_reader_is_safe_while_another_wants_to_follow),
        T(no_size_means_as_before),
        T(a_size_beyond_reason_is_refused),
        T(a_killed_writer_blocks_nobody),
        T(killed_readers_give_their_slots_back),
        T(more_readers_than_slots_are_busy),
        T(writers_in_processes_take_turns),
        T(writers_in_threads_take_turns),
        T(no_file_stays_open_for_a_script),
        T(what_is_no_store_is_refused),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
