/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_STATE_STORE_H
#define MNET_STATE_STORE_H

/*
 * What must survive: a small transactional store of records, LMDB underneath, in
 * MnetStateDir.  A commit that answered APR_SUCCESS is on the disk.  Any number of processes
 * (children of httpd, mnetctl) and threads may use it at once; there is one writer at a time.
 *
 * A record is named by a group ("key", "peer", "replay", ...) and a key of any bytes; long keys
 * are the caller's to hash.  Rules of use (design.md): no RSA, no network and no lock of ours
 * inside a write transaction; no read transaction outlives its look-up; a store opened before a
 * fork is closed before it.
 */

#include <apr_pools.h>
#include <apr_time.h>

#include "base/log.h"

#define MNET_STORE_KEY_MAX   480                    /* bytes of group, a NUL, and key together */
#define MNET_STORE_VALUE_MAX ((apr_size_t)16 << 20) /* bytes of a record */
#define MNET_STORE_SIZE_MIN  ((apr_off_t)4 << 20)   /* the least MnetStateSize */
#define MNET_STORE_FORMAT    1                      /* what the record "meta", "format" says */

typedef struct mnet_store_t mnet_store_t;
typedef struct mnet_txn_t mnet_txn_t;
/*
 * A store that is full keeps some room back.  From that, what ends something (a session, a key's
 * time) may take a quarter, and what brings accepted work to its end another, so that both make
 * room; the rest is for what only deletes.
 */
typedef enum { MNET_READ, MNET_WRITE, MNET_WRITE_END, MNET_WRITE_WORK } mnet_txn_e;

/*
 * The operations under a store, so that a test can fail or stop at the Nth one and another
 * store can follow.  All of them may answer any apr_status_t.
 */
typedef struct mnet_store_ops_t {
    const char *name;
    apr_status_t (*open)(void **self, const char *dir, apr_off_t max_size, const mnet_log_t *log,
                         const char **why, apr_pool_t *pool);
    void (*close)(void *self);
    apr_status_t (*begin)(void *self, mnet_txn_e kind, void **txn, apr_pool_t *pool);
    apr_status_t (*get)(void *txn, const void *key, apr_size_t key_len, const void **data,
                        apr_size_t *len);
    apr_status_t (*put)(void *txn, const void *key, apr_size_t key_len, const void *data,
                        apr_size_t len);
    apr_status_t (*del)(void *txn, const void *key, apr_size_t key_len);
    /* The first record whose key is >= key (found_key valid until the next operation). */
    apr_status_t (*seek)(void *txn, const void *key, apr_size_t key_len, const void **found_key,
                         apr_size_t *found_len, const void **data, apr_size_t *len);
    apr_status_t (*commit)(void *txn); /* the txn is gone whatever it answers */
    void (*abort)(void *txn);
    /* NULL: this store has none.  As mnet_store_stamp; and what a read transaction sees. */
    apr_uint64_t (*stamp)(void *self);
    apr_uint64_t (*txn_stamp)(void *txn);
    apr_status_t (*room)(void *txn, apr_off_t *used, apr_off_t *usable); /* NULL: not known */
} mnet_store_ops_t;

extern const mnet_store_ops_t mnet_store_lmdb;

/*
 * Opens, and makes if missing, the store in dir (which must exist, mode 0700).  max_size:
 * MnetStateSize in bytes, at least MNET_STORE_SIZE_MIN; 0: what the store remembers, 1 GiB for a
 * new one (mnetctl).  Files are mode 0600 and belong to the owner of dir, whoever opens it
 * (mnetctl as root).  Closed with the pool.  *why: what is wrong and what to do, in pool.
 *
 * A process has at most one store of a directory open at a time: a second one, or any other open()
 * and close() of its files, would drop LMDB's locks.  Nothing here remembers what is open; opening
 * again after the close is fine.  A child of the opener is refused (APR_EINVAL); its close and its
 * aborts only forget.
 */
apr_status_t mnet_store_open(mnet_store_t **store, const mnet_store_ops_t *ops, const char *dir,
                             apr_off_t max_size, const mnet_log_t *log, const char **why,
                             apr_pool_t *pool);
void mnet_store_close(mnet_store_t *store);

/*
 * Aborted with the pool unless committed.  A write transaction ends in the thread that began it,
 * and a thread that has one is refused a second (EDEADLK).  A write waits for the writer before
 * it, in whichever process.  MNET_E_BUSY: a thousand readers at once, or the file grew beyond this
 * process's map and another transaction of it stays open; try again.
 */
apr_status_t mnet_txn_begin(mnet_store_t *store, mnet_txn_e kind, mnet_txn_t **txn,
                            apr_pool_t *pool);
/* After a put or del that failed (other than APR_NOTFOUND) nothing is committed and the answer is
 * the failure.  The txn is over whatever the answer. */
apr_status_t mnet_txn_commit(mnet_txn_t *txn);
void mnet_txn_abort(mnet_txn_t *txn); /* harmless after a commit */

/* APR_NOTFOUND if there is none.  data: valid until the transaction ends or writes. */
apr_status_t mnet_txn_get(mnet_txn_t *txn, const char *group, const void *key, apr_size_t key_len,
                          const void **data, apr_size_t *len);
mnet_txn_e mnet_txn_kind(const mnet_txn_t *txn);
/*
 * MNET_E_FULL if the store has no room for this kind of transaction: some is kept back so that
 * records can still be deleted, and replaced by others no longer.  data is not what a get of this
 * transaction gave.  MNET_E_LIMIT for a name or record too long.
 */
apr_status_t mnet_txn_put(mnet_txn_t *txn, const char *group, const void *key, apr_size_t key_len,
                          const void *data, apr_size_t len);
apr_status_t mnet_txn_del(mnet_txn_t *txn, const char *group, const void *key, apr_size_t key_len);

/*
 * Every record of a group whose key begins with prefix, in the order of bytes, from the first key
 * >= from (NULL: the first).  each may delete the record it is shown (data is gone then, key
 * stays), nothing else; it stops the walk with APR_EOF, which mnet_txn_each answers as APR_SUCCESS.
 */
typedef apr_status_t mnet_each_fn(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                                  const void *data, apr_size_t len);
apr_status_t mnet_txn_each(mnet_txn_t *txn, const char *group, const void *prefix,
                           apr_size_t prefix_len, const void *from, apr_size_t from_len,
                           mnet_each_fn *each, void *baton);

/*
 * The number that says that keys, peers, sessions or policy changed: read per request (about a
 * microsecond), so that a change by any process is seen by the next one.  Never 0, unless it cannot
 * be read.
 */
apr_uint64_t mnet_txn_generation(mnet_txn_t *txn);

/*
 * The number of the last commit by any process: another one before a commit is answered, so that
 * what was read in a transaction of the same stamp is what a transaction begun now would read.
 * Without a transaction, a lock or a system call.  0, which is like none: it is not known.
 */
apr_uint64_t mnet_store_stamp(mnet_store_t *store);
/* Of a read transaction; 0: not known, or it is no read transaction. */
apr_uint64_t mnet_txn_stamp(mnet_txn_t *txn);
apr_status_t mnet_txn_touch(mnet_txn_t *txn); /* in a write transaction: one more */

/* Bytes in use, and of how many new records can be made by this transaction: a little less than
 * MnetStateSize.
 * APR_ENOTIMPL: this store does not know. */
apr_status_t mnet_txn_room(mnet_txn_t *txn, apr_off_t *used, apr_off_t *usable);
/*
 * How many records, of at most max, a transaction of MNET_WRITE_WORK may change that changes so
 * many pages for each.  A page that is changed is written to another place, and its old one is free
 * only for the transaction after the next: one that took all room there is would leave none for
 * the next, and without that there is never any again.
 */
int mnet_txn_few(mnet_txn_t *txn, int max, int pages);

#endif
