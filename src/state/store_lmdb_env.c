/* SPDX-License-Identifier: Apache-2.0 */
#include "state/store_lmdb_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/status.h"

#define SIZE_DEFAULT ((size_t)1 << 30)
#define WAIT_STEP    apr_time_from_msec(1)
#define WAIT_MAX     2000 /* steps */
#define OPEN_TRIES   20

void mnet_lmdb_look_for_dead(mnet_lmdb_t *db)
{
    int dead = 0;

    atomic_store(&db->looked_at, apr_time_now());
    if (mdb_reader_check(db->env, &dead) == MDB_SUCCESS && dead > 0) {
        mnet_log(db->log, MNET_LOG_INFO, APR_SUCCESS, "MNET0209",
                 "forgot %d readers of the store in %s whose process died", dead, db->dir.path);
    }
}

/* The size asked of LMDB, a whole number of pages; 0: what the file says. */
static size_t map_size(const mnet_lmdb_t *db)
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

static void learn_pages(mnet_lmdb_t *db)
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
static int lengthen(mnet_lmdb_t *db)
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

static int env_open_once(mnet_lmdb_t *db, size_t size)
{
    mdb_filehandle_t fd;
    MDB_txn *txn;
    int rc = mdb_env_create(&db->env);

    if (rc != MDB_SUCCESS) {
        db->env = NULL;
        return rc;
    }
    rc = mdb_env_set_maxreaders(db->env, MNET_LMDB_READERS);
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

static int env_open(mnet_lmdb_t *db)
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
        mnet_lmdb_look_for_dead(db);
    }
    return rc;
}

/* Keeps new transactions out and waits for those under way.  0: one of them does not end. */
static int hold(mnet_lmdb_t *db)
{
    int steps = 0;

    atomic_store(&db->held, 1);
    while (atomic_load(&db->active) > 0 && steps++ < WAIT_MAX) {
        apr_sleep(WAIT_STEP);
    }
    return atomic_load(&db->active) == 0;
}

apr_status_t mnet_lmdb_enter(mnet_lmdb_t *db)
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

void mnet_lmdb_leave(mnet_lmdb_t *db)
{
    atomic_fetch_sub(&db->active, 1);
}

/* Before the environment goes, or its map: with no transaction under way. */
static void drop_idle(mnet_lmdb_t *db)
{
    for (int i = 0; i < MNET_LMDB_IDLE; i++) {
        MDB_txn *txn = atomic_exchange(&db->idle[i], NULL);

        if (txn) {
            mdb_txn_abort(txn);
        }
    }
}

MDB_txn *mnet_lmdb_take_idle(mnet_lmdb_t *db)
{
    for (int i = 0; i < MNET_LMDB_IDLE; i++) {
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
int mnet_lmdb_keep_idle(mnet_lmdb_t *db, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    for (int i = 0; i < MNET_LMDB_IDLE; i++) {
        MDB_txn *none = NULL;

        if (atomic_compare_exchange_strong(&db->idle[i], &none, txn)) {
            return 1;
        }
    }
    return 0;
}

/* Follows the file's growth, or opens anew.  Called outside any transaction of this thread's. */
int mnet_lmdb_mend(mnet_lmdb_t *db, int rc)
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

static const char *why_not(const mnet_lmdb_t *db, int rc, apr_pool_t *pool)
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

apr_status_t mnet_lmdb_open(void **self, const char *dir, apr_off_t max_size, const mnet_log_t *log,
                            const char **why, apr_pool_t *pool)
{
    mnet_lmdb_t *db = apr_pcalloc(pool, sizeof(*db));
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

void mnet_lmdb_close(void *self)
{
    mnet_lmdb_t *db = self;

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
