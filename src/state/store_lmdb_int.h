/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_STATE_STORE_LMDB_INT_H
#define MNET_STATE_STORE_LMDB_INT_H

/*
 * The store on LMDB: one environment (store_lmdb_env.c), one unnamed database, every commit synced
 * (store_lmdb.c).
 *
 * LMDB asks that nothing of a process be under way while its map is replaced.  So transactions are
 * counted, and the rare work on the environment itself (another process has let the file grow
 * beyond our map; a failed write to the meta page, after which LMDB wants to be opened anew; the
 * close) keeps new ones out for as long as it waits for the others.
 */

#include <stdatomic.h>

#include <lmdb.h>

#include "state/store.h"
#include "state/store_dir.h"

/*
 * The same in every opener, because the first one decides for all.  A reader takes a slot for the
 * microseconds of its look-up, so this bounds threads inside one at the same instant, not children;
 * at 64 bytes each they make a lock file of 64 KiB.
 */
#define MNET_LMDB_READERS 1024

#define MNET_LMDB_IDLE 16

typedef struct mnet_lmdb_t {
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
    _Atomic(MDB_txn *) idle[MNET_LMDB_IDLE];
} mnet_lmdb_t;

/* As in mnet_store_ops_t. */
apr_status_t mnet_lmdb_open(void **self, const char *dir, apr_off_t max_size, const mnet_log_t *log,
                            const char **why, apr_pool_t *pool);
void mnet_lmdb_close(void *self);

/* Around a transaction: MNET_E_BUSY if none may begin for too long. */
apr_status_t mnet_lmdb_enter(mnet_lmdb_t *db);
void mnet_lmdb_leave(mnet_lmdb_t *db);
/* After MDB_MAP_RESIZED or MDB_PANIC, outside of any: the environment as it must be, or LMDB's
 * code. */
int mnet_lmdb_mend(mnet_lmdb_t *db, int rc);
void mnet_lmdb_look_for_dead(mnet_lmdb_t *db);

/* A read transaction begun anew; NULL: there is none. */
MDB_txn *mnet_lmdb_take_idle(mnet_lmdb_t *db);
/* 0: it is not kept, and the caller's to end. */
int mnet_lmdb_keep_idle(mnet_lmdb_t *db, MDB_txn *txn);

#endif
