/* SPDX-License-Identifier: Apache-2.0 */
/* The store on LMDB: its transactions and records. */
#include "state/store_lmdb_int.h"

#include <apr_time.h>

#include "base/status.h"

#define CHECK_EVERY apr_time_from_sec(60)
#define BEGIN_TRIES 4

typedef struct lmdb_txn_t {
    mnet_lmdb_t *db;
    MDB_txn *txn;
    MDB_cursor *cursor;
    mnet_txn_e kind;
} lmdb_txn_t;

/* LMDB's codes as ours; its errno values are APR's. */
static apr_status_t status_of(const mnet_lmdb_t *db, int rc)
{
    if (rc >= 0) {
        return rc;
    }
    switch (rc) {
    case MDB_NOTFOUND:
        return APR_NOTFOUND;
    case MDB_KEYEXIST:
        return MNET_E_EXISTS;
    case MDB_MAP_FULL:
        return MNET_E_FULL;
    case MDB_MAP_RESIZED:
        return MNET_E_BUSY;
    case MDB_READERS_FULL:
        mnet_log(db->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0212",
                 "all %d readers of the store in %s are taken", MNET_LMDB_READERS, db->dir.path);
        return MNET_E_BUSY;
    case MDB_BAD_VALSIZE:
    case MDB_TXN_FULL:
        return MNET_E_LIMIT;
    case MDB_VERSION_MISMATCH:
        return MNET_E_VERSION;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
        mnet_log(db->log, MNET_LOG_ERR, APR_SUCCESS, "MNET0210",
                 "the store in %s is damaged (%s): stop httpd and restore data.mdb from a backup",
                 db->dir.path, mdb_strerror(rc));
        return APR_EGENERAL;
    case MDB_PANIC:
        mnet_log(db->log, MNET_LOG_ERR, APR_SUCCESS, "MNET0211",
                 "a write to the store in %s failed and it could not be opened anew: look at the "
                 "disk, then restart httpd",
                 db->dir.path);
        return APR_EGENERAL;
    default:
        mnet_log(db->log, MNET_LOG_ERR, APR_SUCCESS, "MNET0213", "the store in %s: LMDB says: %s",
                 db->dir.path, mdb_strerror(rc));
        return APR_EGENERAL;
    }
}

/* --- transactions ------------------------------------------------------------------------------
 */

static int begin_once(mnet_lmdb_t *db, mnet_txn_e kind, MDB_txn **txn)
{
    unsigned int flags = kind == MNET_READ ? MDB_RDONLY : 0;
    int rc;

    if (!db->env) {
        return MDB_PANIC;
    }
    if (kind != MNET_READ && apr_time_now() - atomic_load(&db->looked_at) > CHECK_EVERY) {
        mnet_lmdb_look_for_dead(db); /* one that died keeps its pages from being used again */
    }
    *txn = kind == MNET_READ ? mnet_lmdb_take_idle(db) : NULL;
    if (*txn) {
        return MDB_SUCCESS;
    }
    rc = mdb_txn_begin(db->env, NULL, flags, txn);
    if (rc == MDB_READERS_FULL) {
        mnet_lmdb_look_for_dead(db);
        rc = mdb_txn_begin(db->env, NULL, flags, txn);
    }
    return rc;
}

static apr_status_t lmdb_begin(void *self, mnet_txn_e kind, void **out, apr_pool_t *pool)
{
    mnet_lmdb_t *db = self;
    lmdb_txn_t *txn = apr_pcalloc(pool, sizeof(*txn));
    int rc = MDB_SUCCESS;

    txn->db = db;
    txn->kind = kind;
    for (int i = 0; i < BEGIN_TRIES; i++) {
        apr_status_t rv = mnet_lmdb_enter(db);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        rc = begin_once(db, kind, &txn->txn);
        if (rc == MDB_SUCCESS) {
            *out = txn;
            return APR_SUCCESS;
        }
        mnet_lmdb_leave(db);
        if (rc == MDB_MAP_RESIZED || rc == MDB_PANIC) {
            int mended = mnet_lmdb_mend(db, rc);

            if (mended != MDB_SUCCESS) {
                return status_of(db, rc == MDB_PANIC ? MDB_PANIC : mended);
            }
        } else {
            break;
        }
    }
    return status_of(db, rc);
}

static void close_cursor(lmdb_txn_t *txn)
{
    if (txn->cursor) {
        mdb_cursor_close(txn->cursor);
        txn->cursor = NULL;
    }
}

static apr_status_t lmdb_commit(void *self)
{
    lmdb_txn_t *txn = self;
    int rc;

    close_cursor(txn);
    rc = mdb_txn_commit(txn->txn);
    mnet_lmdb_leave(txn->db);
    return status_of(txn->db, rc);
}

static void lmdb_abort(void *self)
{
    lmdb_txn_t *txn = self;

    close_cursor(txn);
    if (txn->kind != MNET_READ || !mnet_lmdb_keep_idle(txn->db, txn->txn)) {
        mdb_txn_abort(txn->txn);
    }
    mnet_lmdb_leave(txn->db);
}

/* --- records -----------------------------------------------------------------------------------
 */

static MDB_val val(const void *data, apr_size_t len)
{
    MDB_val v = {len, (void *)data};

    return v;
}

static apr_status_t lmdb_get(void *self, const void *key, apr_size_t key_len, const void **data,
                             apr_size_t *len)
{
    lmdb_txn_t *txn = self;
    MDB_val name = val(key, key_len);
    MDB_val found;
    int rc = mdb_get(txn->txn, txn->db->dbi, &name, &found);

    if (rc == MDB_SUCCESS) {
        *data = found.mv_data;
        *len = found.mv_size;
    }
    return status_of(txn->db, rc);
}

/*
 * Pages in use, of those that records may use.  The others are a reserve, without which a store
 * that is full to the last page could never be emptied: a deletion copies the pages it changes.
 */
static int count_pages(lmdb_txn_t *txn, size_t *used, size_t *usable, size_t *size)
{
    size_t pages = atomic_load(&txn->db->pages);
    size_t reserve = pages / 16 < 64 ? 64 : pages / 16 > 1024 ? 1024 : pages / 16;
    MDB_stat stat;

    reserve -= txn->kind == MNET_WRITE_WORK  ? reserve / 2
               : txn->kind == MNET_WRITE_END ? reserve / 4
                                             : 0;
    *used = 2 + 4; /* the meta pages; a path of the tree */
    *usable = pages > reserve ? pages - reserve : 0;
    for (unsigned int dbi = 0; dbi <= 1; dbi++) { /* LMDB's list of free pages, and ours */
        int rc = mdb_stat(txn->txn, dbi ? txn->db->dbi : 0, &stat);

        if (rc != MDB_SUCCESS) {
            return rc;
        }
        *used += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    }
    *size = stat.ms_psize;
    return MDB_SUCCESS;
}

/* Would a record of len more bytes leave less than what is kept back from this transaction? */
static int is_low(lmdb_txn_t *txn, apr_size_t len)
{
    size_t used, usable, size;

    return count_pages(txn, &used, &usable, &size) == MDB_SUCCESS && used + len / size + 1 > usable;
}

static apr_status_t lmdb_room(void *self, apr_off_t *used, apr_off_t *usable)
{
    lmdb_txn_t *txn = self;
    size_t taken, all, size;
    int rc = count_pages(txn, &taken, &all, &size);

    if (rc == MDB_SUCCESS) {
        *used = (apr_off_t)(taken * size);
        *usable = (apr_off_t)(all * size);
    }
    return status_of(txn->db, rc);
}

static apr_status_t lmdb_put(void *self, const void *key, apr_size_t key_len, const void *data,
                             apr_size_t len)
{
    lmdb_txn_t *txn = self;
    MDB_val name = val(key, key_len);
    MDB_val value = val(data, len);
    MDB_val old;

    if (is_low(txn, len) &&
        (mdb_get(txn->txn, txn->db->dbi, &name, &old) != MDB_SUCCESS || old.mv_size < len)) {
        return MNET_E_FULL;
    }
    return status_of(txn->db, mdb_put(txn->txn, txn->db->dbi, &name, &value, 0));
}

static apr_status_t lmdb_del(void *self, const void *key, apr_size_t key_len)
{
    lmdb_txn_t *txn = self;
    MDB_val name = val(key, key_len);

    return status_of(txn->db, mdb_del(txn->txn, txn->db->dbi, &name, NULL));
}

static apr_status_t lmdb_seek(void *self, const void *key, apr_size_t key_len,
                              const void **found_key, apr_size_t *found_len, const void **data,
                              apr_size_t *len)
{
    lmdb_txn_t *txn = self;
    MDB_val name = val(key, key_len);
    MDB_val value;
    int rc = MDB_SUCCESS;

    if (!txn->cursor) {
        rc = mdb_cursor_open(txn->txn, txn->db->dbi, &txn->cursor);
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_cursor_get(txn->cursor, &name, &value, MDB_SET_RANGE);
    }
    if (rc == MDB_SUCCESS) {
        *found_key = name.mv_data;
        *found_len = name.mv_size;
        *data = value.mv_data;
        *len = value.mv_size;
    }
    return status_of(txn->db, rc);
}

/* --- stamps ------------------------------------------------------------------------------------
 *
 * LMDB numbers its transactions.  The writer puts the number into the meta page, which every
 * process has mapped, before its commit returns; readers begin at it a little later.  So a number
 * that is still the one of a transaction that was read says that nothing was committed since.
 */

static apr_uint64_t lmdb_stamp(void *self)
{
    mnet_lmdb_t *db = self;
    MDB_envinfo info;
    apr_uint64_t stamp = 0;

    atomic_fetch_add(&db->active, 1); /* as enter, but it does not wait */
    if (!atomic_load(&db->held) && db->env && mdb_env_info(db->env, &info) == MDB_SUCCESS) {
        stamp = info.me_last_txnid;
    }
    mnet_lmdb_leave(db);
    return stamp;
}

static apr_uint64_t lmdb_txn_stamp(void *self)
{
    lmdb_txn_t *txn = self;

    return txn->kind == MNET_READ ? mdb_txn_id(txn->txn) : 0;
}

const mnet_store_ops_t mnet_store_lmdb = {
    "lmdb",    mnet_lmdb_open, mnet_lmdb_close, lmdb_begin, lmdb_get,       lmdb_put, lmdb_del,
    lmdb_seek, lmdb_commit,    lmdb_abort,      lmdb_stamp, lmdb_txn_stamp, lmdb_room};
