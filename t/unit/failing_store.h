/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_T_FAILING_STORE_H
#define MNET_T_FAILING_STORE_H

/*
 * A store that fails, or ends its process, at the Nth operation; LMDB underneath.  Set
 * failing_store.at (1: the very next operation; 0: never) and open with &mnet_store_failing.
 * FAILING_EXIT ends the process before the operation, FAILING_EXIT_AFTER when it is done; both
 * with FAILING_STATUS.  With failing_store.more so many after the Nth fail as well; with
 * failing_store.commits only commits are counted, and fail.  close and abort cannot fail and are
 * not counted.
 */

#include <unistd.h>

#include "state/store.h"

#define FAILING_STATUS 77

typedef enum { FAILING_ANSWER, FAILING_EXIT, FAILING_EXIT_AFTER } failing_how_e;

static struct {
    int at;
    failing_how_e how;
    apr_status_t rv;   /* FAILING_ANSWER: what is answered */
    _Atomic int count; /* operations so far; set to 0 with at */
    int more, commits;
} failing_store;

static inline int failing_now(void)
{
    failing_store.count++;
    if (failing_store.at == 0 || failing_store.count < failing_store.at ||
        failing_store.count > failing_store.at + failing_store.more) {
        return 0;
    }
    if (failing_store.how == FAILING_EXIT) {
        _exit(FAILING_STATUS);
    }
    return failing_store.how == FAILING_ANSWER;
}

static inline apr_status_t failing_then(apr_status_t rv)
{
    if (failing_store.count == failing_store.at && failing_store.how == FAILING_EXIT_AFTER) {
        _exit(FAILING_STATUS);
    }
    return rv;
}

static apr_status_t failing_open(void **self, const char *dir, apr_off_t max_size,
                                 const mnet_log_t *log, const char **why, apr_pool_t *pool)
{
    if (!failing_store.commits && failing_now()) {
        return failing_store.rv;
    }
    return failing_then(mnet_store_lmdb.open(self, dir, max_size, log, why, pool));
}

static void failing_close(void *self)
{
    mnet_store_lmdb.close(self);
}

static apr_status_t failing_begin(void *self, mnet_txn_e kind, void **txn, apr_pool_t *pool)
{
    if (!failing_store.commits && failing_now()) {
        return failing_store.rv;
    }
    return failing_then(mnet_store_lmdb.begin(self, kind, txn, pool));
}

static apr_status_t failing_get(void *txn, const void *key, apr_size_t key_len, const void **data,
                                apr_size_t *len)
{
    if (!failing_store.commits && failing_now()) {
        return failing_store.rv;
    }
    return failing_then(mnet_store_lmdb.get(txn, key, key_len, data, len));
}

static apr_status_t failing_put(void *txn, const void *key, apr_size_t key_len, const void *data,
                                apr_size_t len)
{
    if (!failing_store.commits && failing_now()) {
        return failing_store.rv;
    }
    return failing_then(mnet_store_lmdb.put(txn, key, key_len, data, len));
}

static apr_status_t failing_del(void *txn, const void *key, apr_size_t key_len)
{
    if (!failing_store.commits && failing_now()) {
        return failing_store.rv;
    }
    return failing_then(mnet_store_lmdb.del(txn, key, key_len));
}

static apr_status_t failing_seek(void *txn, const void *key, apr_size_t key_len,
                                 const void **found_key, apr_size_t *found_len, const void **data,
                                 apr_size_t *len)
{
    if (!failing_store.commits && failing_now()) {
        return failing_store.rv;
    }
    return failing_then(mnet_store_lmdb.seek(txn, key, key_len, found_key, found_len, data, len));
}

static apr_status_t failing_commit(void *txn)
{
    if (failing_now()) {
        mnet_store_lmdb.abort(txn);
        return failing_store.rv;
    }
    return failing_then(mnet_store_lmdb.commit(txn));
}

static void failing_abort(void *txn)
{
    mnet_store_lmdb.abort(txn);
}

static const mnet_store_ops_t mnet_store_failing = {
    "failing",   failing_open, failing_close,  failing_begin, failing_get, failing_put,
    failing_del, failing_seek, failing_commit, failing_abort, NULL,        NULL};

#endif
