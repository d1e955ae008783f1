/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_T_STATE_HELP_H
#define MNET_T_STATE_HELP_H

/* What the tests of src/state share: a pool, a directory and a log to look at. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include "base/log.h"
#include "base/status.h"
#include "state/store.h"

#define SIZE_SMALL MNET_STORE_SIZE_MIN

typedef struct help_t {
    apr_pool_t *pool;
    char dir[64];
    mnet_log_t log;
    char said[8192]; /* "MNET0203 text\n" of every line */
} help_t;

static inline void help_write(void *baton, int level, apr_status_t rv, const char *id,
                              const char *text)
{
    help_t *help = baton;
    size_t used = strlen(help->said);

    (void)level;
    (void)rv;
    (void)snprintf(help->said + used, sizeof(help->said) - used, "%s %s\n", id, text);
}

static inline int help_setup(void **state)
{
    help_t *help = calloc(1, sizeof(*help));
    const char *tmp = getenv("TMPDIR");

    if (!help || apr_pool_create(&help->pool, NULL) != APR_SUCCESS) {
        return -1;
    }
    (void)snprintf(help->dir, sizeof(help->dir), "%.30s/mnet-state-XXXXXX", tmp ? tmp : "/tmp");
    help->log.write = help_write;
    help->log.baton = help;
    help->log.level = MNET_LOG_DEBUG;
    *state = help;
    return mkdtemp(help->dir) ? 0 : -1;
}

static inline const char *help_file(help_t *help, const char *name)
{
    return apr_pstrcat(help->pool, help->dir, "/", name, NULL);
}

static inline int help_teardown(void **state)
{
    help_t *help = *state;
    char file[128];

    apr_pool_destroy(help->pool);
    (void)snprintf(file, sizeof(file), "%s/data.mdb", help->dir);
    (void)unlink(file);
    (void)snprintf(file, sizeof(file), "%s/lock.mdb", help->dir);
    (void)unlink(file);
    (void)rmdir(help->dir);
    free(help);
    return 0;
}

static inline mnet_store_t *help_open(help_t *help, const mnet_store_ops_t *ops, apr_off_t size)
{
    mnet_store_t *store = NULL;
    const char *why = NULL;
    apr_status_t rv = mnet_store_open(&store, ops, help->dir, size, &help->log, &why, help->pool);

    if (rv != APR_SUCCESS) {
        print_error("open: %d %s\n", rv, why ? why : "-");
    }
    assert_int_equal(rv, APR_SUCCESS);
    return store;
}

static inline mnet_txn_t *help_begin(help_t *help, mnet_store_t *store, mnet_txn_e kind)
{
    mnet_txn_t *txn = NULL;

    assert_int_equal(mnet_txn_begin(store, kind, &txn, help->pool), APR_SUCCESS);
    return txn;
}

/* One record in a transaction of its own; the answer of the first thing that failed. */
static inline apr_status_t help_put(mnet_store_t *store, const char *group, const char *key,
                                    const void *data, apr_size_t len, apr_pool_t *parent)
{
    apr_pool_t *pool;
    mnet_txn_t *txn;
    apr_status_t rv = apr_pool_create(&pool, parent);

    if (rv == APR_SUCCESS) {
        rv = mnet_txn_begin(store, MNET_WRITE, &txn, pool);
        if (rv == APR_SUCCESS) {
            rv = mnet_txn_put(txn, group, key, strlen(key), data, len);
        }
        if (rv == APR_SUCCESS) {
            rv = mnet_txn_commit(txn);
        }
        apr_pool_destroy(pool);
    }
    return rv;
}

/* The record as a text, "-" if there is none, "!" if it cannot be had. */
static inline const char *help_get(mnet_store_t *store, const char *group, const char *key,
                                   apr_pool_t *pool)
{
    mnet_txn_t *txn;
    const void *data;
    apr_size_t len;
    const char *text = "!";
    apr_status_t rv = mnet_txn_begin(store, MNET_READ, &txn, pool);

    if (rv == APR_SUCCESS) {
        rv = mnet_txn_get(txn, group, key, strlen(key), &data, &len);
        text = rv == APR_SUCCESS            ? apr_pstrmemdup(pool, data, len)
               : APR_STATUS_IS_NOTFOUND(rv) ? "-"
                                            : "!";
        mnet_txn_abort(txn);
    }
    return text;
}

/* A child that does not outlive a test that failed. */
static inline pid_t help_fork(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)) {
        _exit(99);
    }
    return pid;
}

/* How a child ended: its exit status, or -SIGNAL. */
static inline int help_wait(pid_t pid)
{
    int status = 0;
    pid_t done;

    do {
        done = waitpid(pid, &status, 0);
    } while (done < 0 && errno == EINTR);
    assert_int_equal(done, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int help_main_begin(void)
{
    /* A test that hangs fails. */
    (void)alarm(300);
    return apr_initialize() == APR_SUCCESS ? 0 : 1;
}

#endif
