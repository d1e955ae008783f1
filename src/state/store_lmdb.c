/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store on LMDB: one environment, one unnamed database, every commit synced.
 *
 * LMDB asks that nothing of a process be under way while its map is replaced.  So transactions are
 * counted, and the rare work on the environment itself (another process has let the file grow
 * beyond our map; a failed write to the meta page, after which LMDB wants to be opened anew; the
 * close) keeps new ones out for as long as it waits for the others.
 */
#include "state/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_time.h>
#include <lmdb.h>

#include "base/status.h"
#include "state/store_dir.h"

/*
 * The same in every opener, because the first one decides for all.  A reader takes a slot for the
 * microseconds of its look-up, so this bounds threads inside one at the same instant, not children;
 * at 64 bytes each they make a lock file of 64 KiB.
 */
#define READERS 1024

#define SIZE_DEFAULT ((size_t)1 << 30)
#define CHECK_EVERY  apr_time_from_sec(60)
#define WAIT_STEP    apr_time_from_msec(1)
#define WAIT_MAX     2000 /* steps */
#define OPEN_TRIES   20
#define BEGIN_TRIES  4
#define IDLE         16

typedef struct lmdb_t {
    MDB_env *env; /* NULL: could not be opened anew */
    MDB_dbi dbi;
    mnet_store_dir_t dir;
    size_t max_size;     /* 0: as the file remembers */
    atomic_size_t pages; /* of the map */
    size_t page;
    const mnet_log_t *log;
    atomic_int active;            /* transactions of this process */
    atomic_int held;              /* 1: no new ones */
    _Atomic apr_time_t looked_at; /* for readers that died */
    /* Read transactions that are over but keep their reader slot: to begin one anew takes no lock.
     */
    _Atomic(MDB_txn *) idle[IDLE];
} lmdb_t;

typedef struct lmdb_txn_t {
    lmdb_t *db;
    MDB_txn *txn;
    MDB_cursor *cursor;
    mnet_txn_e kind;
} lmdb_txn_t;

/* LMDB's codes as ours; its errno values are APR's. */
static apr_status_t status_of(const lmdb_t *db, int rc)
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
                 "all %d readers of the store in %s are taken", READERS, db->dir.path);
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

/* --- the environment ---------------------------------------------------------------------------
 */

static void look_for_dead_readers(lmdb_t *db)
{
    int dead = 0;

    atomic_store(&db->looked_at, apr_time_now());
    if (mdb_reader_check(db->env, &dead) == MDB_SUCCESS && dead > 0) {
        mnet_log(db->log, MNET_LOG_INFO, APR_SUCCESS, "MNET0209",
                 "forgot %d readers of the store in %s whose process died", dead, db->dir.path);
    }
}

/* The size asked of LMDB, a whole number of pages; 0: what the file says. */
static size_t map_size(const lmdb_t *db)
{
    struct stat st;
    size_t size = db->max_size;

    if (size == 0) {
        const char *sep = "/data.mdb";
        char file[4096];

        if (apr_snprintf(file, sizeof(file), "%s%s", db->dir.path, sep) < (int)sizeof(file) - 1 &&
            stat(file, &st) == 0 && st.st_size > 0) {
            return 0;
        }
        size = SIZE_DEFAULT;
    }
    return (size + db->page - 1) / db->page * db->page;
}

static void learn_pages(lmdb_t *db)
{
    MDB_envinfo info;
    MDB_stat stat;

    if (mdb_env_info(db->env, &info) == MDB_SUCCESS &&
        mdb_env_stat(db->env, &stat) == MDB_SUCCESS && stat.ms_psize > 0) {
        atomic_store(&db->pages, info.me_mapsize / stat.ms_psize);
    }
}

/*
 * A file that was cut short would kill the process (SIGBUS) where the map reads past its end.  Made
 * as long as its header says, LMDB finds pages that are none and answers MDB_CORRUPTED instead.
 * Only ever lengthened: another process may be writing.
 */
static int lengthen(lmdb_t *db)
{
    mdb_filehandle_t fd;
    MDB_envinfo info;
    MDB_stat pages;
    struct stat st;
    off_t need;

    if (mdb_env_get_fd(db->env, &fd) != MDB_SUCCESS || fstat(fd, &st) != 0 ||
        mdb_env_info(db->env, &info) != MDB_SUCCESS ||
        mdb_env_stat(db->env, &pages) != MDB_SUCCESS) {
        return EIO;
    }
    need = ((off_t)info.me_last_pgno + 1) * (off_t)pages.ms_psize;
    return need > st.st_size ? posix_fallocate(fd, st.st_size, need - st.st_size) : 0;
}

static int env_open_once(lmdb_t *db, size_t size)
{
    mdb_filehandle_t fd;
    MDB_txn *txn;
    int rc = mdb_env_create(&db->env);

    if (rc != MDB_SUCCESS) {
        db->env = NULL;
        return rc;
    }
    rc = mdb_env_set_maxreaders(db->env, READERS);
    if (rc == MDB_SUCCESS && size > 0) {
        rc = mdb_env_set_mapsize(db->env, size);
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_open(db->env, db->dir.path, MDB_NOTLS, 0600);
    }
    if (rc == MDB_SUCCESS) {
        rc = lengthen(db);
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_dbi_open(txn, NULL, 0, &db->dbi);
        mdb_txn_abort(txn);
    }
    /* LMDB leaves this one file open to what a CGI script runs; its others it does not. */
    if (rc == MDB_SUCCESS && mdb_env_get_fd(db->env, &fd) == MDB_SUCCESS &&
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        rc = errno;
    }
    if (rc != MDB_SUCCESS) {
        mdb_env_close(db->env);
        db->env = NULL;
    }
    return rc;
}

static int env_open(lmdb_t *db)
{
    apr_status_t rv = mnet_store_dir_borrow(&db->dir);
    int rc = rv;

    if (rv != APR_SUCCESS) {
        return rc;
    }
    /* LMDB's manual: an open can fail if another process opens or closes at the same moment.
     * Those that meet there try again at unequal times. */
    for (int i = 0; i < OPEN_TRIES; i++) {
        rc = env_open_once(db, map_size(db));
        if (rc != EAGAIN && rc != EBUSY && rc != EINVAL && rc != MDB_INVALID &&
            rc != MDB_READERS_FULL) {
            break;
        }
        apr_sleep(WAIT_STEP * (1 + (getpid() + 7 * i) % 23));
    }
    mnet_store_dir_done(&db->dir);
    if (rc == MDB_SUCCESS) {
        learn_pages(db);
        look_for_dead_readers(db);
    }
    return rc;
}

/* Keeps new transactions out and waits for those under way.  0: one of them does not end. */
static int hold(lmdb_t *db)
{
    int steps = 0;

    atomic_store(&db->held, 1);
    while (atomic_load(&db->active) > 0 && steps++ < WAIT_MAX) {
        apr_sleep(WAIT_STEP);
    }
    return atomic_load(&db->active) == 0;
}

static apr_status_t enter(lmdb_t *db)
{
    for (int steps = 0; steps < 2 * WAIT_MAX; steps++) {
        atomic_fetch_add(&db->active, 1);
        if (!atomic_load(&db->held)) {
            return APR_SUCCESS;
        }
        atomic_fetch_sub(&db->active, 1);
        apr_sleep(WAIT_STEP);
    }
    return MNET_E_BUSY;
}

static void leave(lmdb_t *db)
{
    atomic_fetch_sub(&db->active, 1);
}

/* Before the environment goes, or its map: with no transaction under way. */
static void drop_idle(lmdb_t *db)
{
    for (int i = 0; i < IDLE; i++) {
        MDB_txn *txn = atomic_exchange(&db->idle[i], NULL);

        if (txn) {
            mdb_txn_abort(txn);
        }
    }
}

static MDB_txn *take_idle(lmdb_t *db)
{
    for (int i = 0; i < IDLE; i++) {
        MDB_txn *txn = atomic_load_explicit(&db->idle[i], memory_order_relaxed);

        if (txn && atomic_compare_exchange_strong(&db->idle[i], &txn, NULL)) {
            if (mdb_txn_renew(txn) == MDB_SUCCESS) {
                return txn;
            }
            mdb_txn_abort(txn);
        }
    }
    return NULL;
}

/* 0: there is no room, or it is none to keep. */
static int keep_idle(lmdb_t *db, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    for (int i = 0; i < IDLE; i++) {
        MDB_txn *none = NULL;

        if (atomic_compare_exchange_strong(&db->idle[i], &none, txn)) {
            return 1;
        }
    }
    return 0;
}

/* Follows the file's growth, or opens anew.  Called outside any transaction of this thread's. */
static int mend(lmdb_t *db, int rc)
{
    int free_now = 0;

    if (!atomic_compare_exchange_strong(&db->held, &free_now, 1)) {
        return MDB_SUCCESS; /* another thread is at it; enter waits for it */
    }
    if (!hold(db)) {
        rc = MDB_MAP_RESIZED;
    } else if (rc == MDB_MAP_RESIZED) {
        drop_idle(db);
        rc = mdb_env_set_mapsize(db->env, 0);
        if (rc == MDB_SUCCESS) {
            learn_pages(db);
            mnet_log(db->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET0214",
                     "the store in %s grew beyond the MnetStateSize of this process, which "
                     "follows it",
                     db->dir.path);
        } else {
            mdb_env_close(db->env); /* the old map is gone */
            db->env = NULL;
        }
    } else {
        if (db->env) {
            drop_idle(db);
            mdb_env_close(db->env);
        }
        rc = env_open(db);
        if (rc == MDB_SUCCESS) {
            mnet_log(db->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0215",
                     "the store in %s was opened anew after a write to it failed", db->dir.path);
        }
    }
    atomic_store(&db->held, 0);
    return rc;
}

static const char *why_not(const lmdb_t *db, int rc, apr_pool_t *pool)
{
    const char *path = db->dir.path;

    switch (rc) {
    case MDB_INVALID:
        return apr_psprintf(pool,
                            "%s/data.mdb is not a store of mod_mnet: move it away, or restore it "
                            "from a backup",
                            path);
    case MDB_VERSION_MISMATCH:
        return apr_psprintf(pool,
                            "%s is of another version of LMDB (this is %s): use the one that "
                            "wrote it, or mdb_dump and mdb_load",
                            path, MDB_VERSION_STRING);
    case EACCES:
    case EPERM:
        return apr_psprintf(pool,
                            "%s cannot be read and written by this user: it and the files in it "
                            "must belong to the server's user",
                            path);
    case ENOMEM:
        return apr_psprintf(pool,
                            "no address space for the store in %s: lower MnetStateSize or raise "
                            "the limit of virtual memory",
                            path);
    case ENOSPC:
        return apr_psprintf(pool, "no room on the disk of %s", path);
    default:
        return apr_psprintf(pool, "cannot open the store in %s: %s", path, mdb_strerror(rc));
    }
}

static apr_status_t lmdb_open(void **self, const char *dir, apr_off_t max_size,
                              const mnet_log_t *log, const char **why, apr_pool_t *pool)
{
    lmdb_t *db = apr_pcalloc(pool, sizeof(*db));
    long page = sysconf(_SC_PAGESIZE);
    apr_status_t rv;
    int rc;

    *self = NULL;
    db->log = log;
    db->page = page > 0 ? (size_t)page : 4096;
    if (max_size < 0 || (max_size > 0 && max_size < MNET_STORE_SIZE_MIN) ||
        (apr_uint64_t)max_size > SIZE_MAX / 2) {
        *why =
            apr_psprintf(pool, "MnetStateSize is at least %dm", (int)(MNET_STORE_SIZE_MIN >> 20));
        return MNET_E_INVALID;
    }
    db->max_size = (size_t)max_size;
    rv = mnet_store_dir_check(&db->dir, dir, log, why, pool);
    if (rv == APR_SUCCESS) {
        rv = mnet_store_dir_adopt(&db->dir, "data.mdb", why, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_store_dir_adopt(&db->dir, "lock.mdb", why, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rc = env_open(db);
    if (rc != MDB_SUCCESS) {
        *why = why_not(db, rc, pool);
        return rc > 0 ? rc : rc == MDB_VERSION_MISMATCH ? MNET_E_VERSION : APR_EGENERAL;
    }
    *self = db;
    return APR_SUCCESS;
}

static void lmdb_close(void *self)
{
    lmdb_t *db = self;

    if (!db->env) {
        return;
    }
    if (!hold(db)) {
        /* Unmapping would crash the thread that reads; the end of the process cleans up. */
        mnet_log(db->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET0206",
                 "the store in %s is left open: a transaction has not ended", db->dir.path);
        return;
    }
    drop_idle(db);
    mdb_env_close(db->env);
    db->env = NULL;
}

/* --- transactions ------------------------------------------------------------------------------
 */

static int begin_once(lmdb_t *db, mnet_txn_e kind, MDB_txn **txn)
{
    unsigned int flags = kind == MNET_READ ? MDB_RDONLY : 0;
    int rc;

    if (!db->env) {
        return MDB_PANIC;
    }
    if (kind != MNET_READ && apr_time_now() - atomic_load(&db->looked_at) > CHECK_EVERY) {
        look_for_dead_readers(db); /* one that died keeps its pages from being used again */
    }
    *txn = kind == MNET_READ ? take_idle(db) : NULL;
    if (*txn) {
        return MDB_SUCCESS;
    }
    rc = mdb_txn_begin(db->env, NULL, flags, txn);
    if (rc == MDB_READERS_FULL) {
        look_for_dead_readers(db);
        rc = mdb_txn_begin(db->env, NULL, flags, txn);
    }
    return rc;
}

static apr_status_t lmdb_begin(void *self, mnet_txn_e kind, void **out, apr_pool_t *pool)
{
    lmdb_t *db = self;
    lmdb_txn_t *txn = apr_pcalloc(pool, sizeof(*txn));
    int rc = MDB_SUCCESS;

    txn->db = db;
    txn->kind = kind;
    for (int i = 0; i < BEGIN_TRIES; i++) {
        apr_status_t rv = enter(db);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        rc = begin_once(db, kind, &txn->txn);
        if (rc == MDB_SUCCESS) {
            *out = txn;
            return APR_SUCCESS;
        }
        leave(db);
        if (rc == MDB_MAP_RESIZED || rc == MDB_PANIC) {
            int mended = mend(db, rc);

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
    leave(txn->db);
    return status_of(txn->db, rc);
}

static void lmdb_abort(void *self)
{
    lmdb_txn_t *txn = self;

    close_cursor(txn);
    if (txn->kind != MNET_READ || !keep_idle(txn->db, txn->txn)) {
        mdb_txn_abort(txn->txn);
    }
    leave(txn->db);
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
    lmdb_t *db = self;
    MDB_envinfo info;
    apr_uint64_t stamp = 0;

    atomic_fetch_add(&db->active, 1); /* as enter, but it does not wait */
    if (!atomic_load(&db->held) && db->env && mdb_env_info(db->env, &info) == MDB_SUCCESS) {
        stamp = info.me_last_txnid;
    }
    leave(db);
    return stamp;
}

static apr_uint64_t lmdb_txn_stamp(void *self)
{
    lmdb_txn_t *txn = self;

    return txn->kind == MNET_READ ? mdb_txn_id(txn->txn) : 0;
}

const mnet_store_ops_t mnet_store_lmdb = {
    "lmdb",    lmdb_open,   lmdb_close, lmdb_begin, lmdb_get,       lmdb_put, lmdb_del,
    lmdb_seek, lmdb_commit, lmdb_abort, lmdb_stamp, lmdb_txn_stamp, lmdb_room};
