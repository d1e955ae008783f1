/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names, transactions and walks over whatever store is underneath; and the rules of use that hold
 * for every one of them.
 */
#include "state/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/status.h"
#include "state/record.h"

#define META       "meta"
#define FORMAT     "format"
#define GENERATION "generation"
#define SAY_AGAIN  apr_time_from_sec(60)

struct mnet_store_t {
    const mnet_store_ops_t *ops;
    void *self; /* NULL: closed */
    const char *dir;
    const mnet_log_t *log;
    apr_pool_t *pool;
    pid_t pid;
    char *mark; /* a page that a fork empties: 1 in the opener; NULL: none to be had */
    _Atomic uintptr_t writer;   /* the thread that has the write transaction of this process */
    _Atomic int said;           /* the last failure logged, and when: a full store is */
    _Atomic apr_time_t said_at; /* not a line per request */
    _Atomic uint64_t known;     /* a stamp, and the generation as of it */
};

struct mnet_txn_t {
    mnet_store_t *store;
    void *self; /* NULL: over */
    mnet_txn_e kind;
    apr_status_t spoiled;
    apr_pool_t *pool;
};

typedef struct name_t {
    unsigned char bytes[MNET_STORE_KEY_MAX + 1]; /* one more: to step past a name */
    apr_size_t len;
} name_t;

static apr_status_t name_set(name_t *name, const char *group, const void *key, apr_size_t key_len)
{
    apr_size_t group_len = group ? strlen(group) + 1 : 0;

    if (group_len < 2 || group_len > MNET_STORE_KEY_MAX ||
        key_len > MNET_STORE_KEY_MAX - group_len || (key_len && !key)) {
        return MNET_E_LIMIT;
    }
    memcpy(name->bytes, group, group_len);
    if (key_len) {
        memcpy(name->bytes + group_len, key, key_len);
    }
    name->len = group_len + key_len;
    return APR_SUCCESS;
}

/* As memcmp, a shorter one first. */
static int name_compare(const name_t *a, const name_t *b)
{
    int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

    return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* Each thread's own, never 0. */
static uintptr_t this_thread(void)
{
    return (uintptr_t)pthread_self();
}

/* A failure, in the log at most once a minute while it stays the same one. */
static void say_failure(mnet_store_t *store, apr_status_t rv, const char *doing)
{
    apr_time_t now = apr_time_now();
    apr_time_t before = atomic_load(&store->said_at);

    if (atomic_exchange(&store->said, rv) == rv && now - before < SAY_AGAIN && now >= before) {
        return;
    }
    atomic_store(&store->said_at, now);
    if (rv == MNET_E_FULL) {
        mnet_log(store->log, MNET_LOG_ERR, APR_SUCCESS, "MNET0203",
                 "the store in %s is full: nothing new is kept until MnetStateSize is raised "
                 "(and httpd restarted) or records expire",
                 store->dir);
    } else if (APR_STATUS_IS_ENOSPC(rv) || rv == EDQUOT) {
        mnet_log(store->log, MNET_LOG_ERR, rv, "MNET0204",
                 "no room on the disk of %s: nothing new is kept until some is made there",
                 store->dir);
    } else {
        mnet_log(store->log, MNET_LOG_ERR, rv, "MNET0205", "the store in %s: cannot %s", store->dir,
                 doing);
    }
}

/* --- opening -----------------------------------------------------------------------------------
 */

/* In a transaction: what is in the store, *format 0 for a new one. */
static apr_status_t read_format(mnet_txn_t *txn, int *format)
{
    const mnet_store_ops_t *ops = txn->store->ops;
    const void *name, *data;
    apr_size_t name_len, len;
    apr_status_t rv;

    *format = 0;
    rv = mnet_txn_get(txn, META, FORMAT, strlen(FORMAT), &data, &len);
    if (rv == APR_SUCCESS) {
        *format = len ? ((const unsigned char *)data)[0] : -1;
    } else if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = ops->seek(txn->self, "", 1, &name, &name_len, &data, &len);
        if (rv == APR_SUCCESS) {
            *format = -1; /* records, but not of ours */
        } else if (APR_STATUS_IS_NOTFOUND(rv)) {
            rv = APR_SUCCESS;
        }
    }
    return rv;
}

static apr_status_t write_format(mnet_txn_t *txn)
{
    apr_size_t len;
    const void *record = mnet_pack_end(mnet_pack_create(MNET_STORE_FORMAT, txn->pool), &len);
    apr_status_t rv = mnet_txn_put(txn, META, FORMAT, strlen(FORMAT), record, len);

    /* The generation is there from the start, so that a full store can still count it up. */
    return rv == APR_SUCCESS ? mnet_txn_touch(txn) : rv;
}

static apr_status_t check_format(mnet_store_t *store, const char **why, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    int format = 0;
    apr_status_t rv = mnet_txn_begin(store, MNET_READ, &txn, pool);

    if (rv == APR_SUCCESS) {
        rv = read_format(txn, &format);
        mnet_txn_abort(txn);
    }
    if (rv == APR_SUCCESS && format == 0) {
        rv = mnet_txn_begin(store, MNET_WRITE, &txn, pool);
        if (rv == APR_SUCCESS) {
            rv = read_format(txn, &format); /* another process may have been first */
            if (rv == APR_SUCCESS && format == 0) {
                rv = write_format(txn);
                format = MNET_STORE_FORMAT;
            }
            rv = rv == APR_SUCCESS ? mnet_txn_commit(txn) : rv;
            mnet_txn_abort(txn);
        }
    }
    if (rv != APR_SUCCESS) {
        char text[200];

        *why = apr_psprintf(pool, "the store in %s cannot be used: %s", store->dir,
                            mnet_strerror(rv, text, sizeof(text)));
    } else if (format < 0) {
        *why = apr_psprintf(pool,
                            "%s holds the database of another program: give MnetStateDir a "
                            "directory of its own",
                            store->dir);
        rv = MNET_E_VERSION;
    } else if (format != MNET_STORE_FORMAT) {
        *why = apr_psprintf(pool,
                            "the store in %s is of version %d and this mod_mnet knows version %d: "
                            "use the version of mod_mnet that wrote it, or another MnetStateDir",
                            store->dir, format, MNET_STORE_FORMAT);
        rv = MNET_E_VERSION;
    }
    return rv;
}

/* Are we in another process than the opener?  Asked at every transaction, so without a system call.
 */
static int forked(const mnet_store_t *store)
{
    return store->mark ? !*(volatile char *)store->mark : store->pid != getpid();
}

static char *make_mark(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *mark = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mark == MAP_FAILED) {
        return NULL;
    }
    if (madvise(mark, page, MADV_WIPEONFORK) != 0) {
        munmap(mark, page);
        return NULL;
    }
    *mark = 1;
    return mark;
}

static apr_status_t mark_cleanup(void *data)
{
    mnet_store_t *store = data;

    munmap(store->mark, (size_t)sysconf(_SC_PAGESIZE));
    store->mark = NULL;
    return APR_SUCCESS;
}

static apr_status_t store_cleanup(void *data)
{
    mnet_store_t *store = data;
    void *self = store->self;

    store->self = NULL;
    /* In a child of the opener it is not ours: LMDB would free the parent's reader slots. */
    if (self && !forked(store)) {
        store->ops->close(self);
    }
    return APR_SUCCESS;
}

apr_status_t mnet_store_open(mnet_store_t **out, const mnet_store_ops_t *ops, const char *dir,
                             apr_off_t max_size, const mnet_log_t *log, const char **why,
                             apr_pool_t *pool)
{
    mnet_store_t *store = apr_pcalloc(pool, sizeof(*store));
    apr_status_t rv;

    *out = NULL;
    *why = NULL;
    store->ops = ops;
    store->dir = apr_pstrdup(pool, dir);
    store->log = log;
    store->pool = pool;
    store->pid = getpid();
    store->mark = make_mark();
    if (store->mark) {
        apr_pool_cleanup_register(pool, store, mark_cleanup, apr_pool_cleanup_null);
    }
    rv = ops->open(&store->self, store->dir, max_size, log, why, pool);
    if (rv != APR_SUCCESS) {
        if (!*why) {
            char text[200];

            *why = apr_psprintf(pool, "cannot open the store in %s: %s", dir,
                                mnet_strerror(rv, text, sizeof(text)));
        }
        return rv;
    }
    apr_pool_cleanup_register(pool, store, store_cleanup, apr_pool_cleanup_null);
    rv = check_format(store, why, pool);
    if (rv != APR_SUCCESS) {
        mnet_store_close(store);
        return rv;
    }
    *out = store;
    return APR_SUCCESS;
}

void mnet_store_close(mnet_store_t *store)
{
    if (store && store->self) {
        apr_pool_cleanup_run(store->pool, store, store_cleanup);
    }
}

/* --- transactions ------------------------------------------------------------------------------
 */

static apr_status_t txn_cleanup(void *data)
{
    mnet_txn_t *txn = data;
    mnet_store_t *store = txn->store;
    void *self = txn->self;

    txn->self = NULL;
    if (!self || !store->self || forked(store)) {
        return APR_SUCCESS;
    }
    store->ops->abort(self);
    if (txn->kind != MNET_READ) {
        atomic_store(&store->writer, 0);
    }
    return APR_SUCCESS;
}

apr_status_t mnet_txn_begin(mnet_store_t *store, mnet_txn_e kind, mnet_txn_t **out,
                            apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv;

    *out = NULL;
    if (!store || !store->self) {
        return APR_EINVAL;
    }
    if (forked(store)) {
        mnet_log(store->log, MNET_LOG_ERR, APR_SUCCESS, "MNET0201",
                 "the store in %s was opened before a fork and cannot be used after it",
                 store->dir);
        return APR_EINVAL;
    }
    if (kind != MNET_READ && atomic_load(&store->writer) == this_thread()) {
        mnet_log(store->log, MNET_LOG_ERR, APR_SUCCESS, "MNET0202",
                 "a second write transaction in one thread would wait for itself: refused");
        return EDEADLK;
    }
    txn = apr_pcalloc(pool, sizeof(*txn));
    txn->store = store;
    txn->kind = kind;
    txn->pool = pool;
    rv = store->ops->begin(store->self, kind, &txn->self, pool);
    if (rv != APR_SUCCESS) {
        say_failure(store, rv, kind == MNET_READ ? "begin to read" : "begin to write");
        return rv;
    }
    if (kind != MNET_READ) {
        atomic_store(&store->writer, this_thread());
    }
    apr_pool_cleanup_register(pool, txn, txn_cleanup, apr_pool_cleanup_null);
    *out = txn;
    return APR_SUCCESS;
}

apr_status_t mnet_txn_commit(mnet_txn_t *txn)
{
    mnet_store_t *store = txn->store;
    void *self = txn->self;
    apr_status_t rv;

    if (!self || forked(store)) {
        return APR_EINVAL;
    }
    if (txn->spoiled != APR_SUCCESS || txn->kind == MNET_READ) {
        mnet_txn_abort(txn);
        return txn->spoiled;
    }
    apr_pool_cleanup_kill(txn->pool, txn, txn_cleanup);
    txn->self = NULL;
    rv = store->ops->commit(self);
    atomic_store(&store->writer, 0);
    if (rv != APR_SUCCESS) {
        say_failure(store, rv, "commit");
    } else {
        atomic_store(&store->said, APR_SUCCESS);
    }
    return rv;
}

void mnet_txn_abort(mnet_txn_t *txn)
{
    if (txn && txn->self) {
        apr_pool_cleanup_run(txn->pool, txn, txn_cleanup);
    }
}

/* --- records -----------------------------------------------------------------------------------
 */

apr_status_t mnet_txn_get(mnet_txn_t *txn, const char *group, const void *key, apr_size_t key_len,
                          const void **data, apr_size_t *len)
{
    name_t name;
    apr_status_t rv = name_set(&name, group, key, key_len);

    *data = NULL;
    *len = 0;
    if (rv == APR_SUCCESS) {
        rv = txn->self ? txn->store->ops->get(txn->self, name.bytes, name.len, data, len)
                       : APR_EINVAL;
        if (rv != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(rv)) {
            say_failure(txn->store, rv, "read a record");
        }
    }
    return rv;
}

/* What a change answered: its failure spoils the transaction, so that no half of it is kept. */
static apr_status_t changed(mnet_txn_t *txn, apr_status_t rv)
{
    if (rv != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(rv)) {
        txn->spoiled = rv;
        say_failure(txn->store, rv, "write a record");
    }
    return rv;
}

static apr_status_t may_change(mnet_txn_t *txn)
{
    return txn->self && txn->kind != MNET_READ ? txn->spoiled : APR_EINVAL;
}

apr_status_t mnet_txn_put(mnet_txn_t *txn, const char *group, const void *key, apr_size_t key_len,
                          const void *data, apr_size_t len)
{
    name_t name;
    apr_status_t rv = may_change(txn);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = name_set(&name, group, key, key_len);
    if (rv == APR_SUCCESS && (len > MNET_STORE_VALUE_MAX || (len && !data))) {
        rv = MNET_E_LIMIT;
    }
    if (rv == APR_SUCCESS) {
        rv = txn->store->ops->put(txn->self, name.bytes, name.len, data, len);
    }
    return changed(txn, rv);
}

apr_status_t mnet_txn_del(mnet_txn_t *txn, const char *group, const void *key, apr_size_t key_len)
{
    name_t name;
    apr_status_t rv = may_change(txn);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = name_set(&name, group, key, key_len);
    if (rv == APR_SUCCESS) {
        rv = txn->store->ops->del(txn->self, name.bytes, name.len);
    }
    return changed(txn, rv);
}

apr_status_t mnet_txn_each(mnet_txn_t *txn, const char *group, const void *prefix,
                           apr_size_t prefix_len, const void *from, apr_size_t from_len,
                           mnet_each_fn *each, void *baton)
{
    name_t first, at;
    apr_status_t rv = name_set(&first, group, prefix, prefix_len);
    apr_size_t group_len;

    at.len = 0;
    if (rv == APR_SUCCESS && from) {
        rv = name_set(&at, group, from, from_len);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (at.len == 0 || name_compare(&at, &first) < 0) {
        at = first;
    }
    group_len = strlen(group) + 1;
    while (txn->self) {
        const void *found, *data;
        apr_size_t len;

        rv = txn->store->ops->seek(txn->self, at.bytes, at.len, &found, &at.len, &data, &len);
        if (rv != APR_SUCCESS) {
            return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
        }
        if (at.len < first.len || at.len > MNET_STORE_KEY_MAX ||
            memcmp(found, first.bytes, first.len) != 0) {
            return APR_SUCCESS;
        }
        /* A copy: each may delete the record, and the next one is the least name above this. */
        memcpy(at.bytes, found, at.len);
        rv = each(baton, txn, at.bytes + group_len, at.len - group_len, data, len);
        if (rv != APR_SUCCESS) {
            return rv == APR_EOF ? APR_SUCCESS : rv;
        }
        at.bytes[at.len++] = 0;
    }
    return APR_EINVAL;
}

/* --- the generation ----------------------------------------------------------------------------
 */

static apr_status_t read_generation(mnet_txn_t *txn, apr_uint64_t *generation)
{
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, META, GENERATION, strlen(GENERATION), &data, &len);

    *generation = 0;
    if (rv == APR_SUCCESS && len != 8) {
        return MNET_E_VERSION;
    }
    for (apr_size_t i = 0; i < len; i++) {
        *generation = *generation << 8 | ((const unsigned char *)data)[i];
    }
    return rv;
}

#define GENERATION_BITS 24 /* of store->known; the others are the stamp's */

apr_uint64_t mnet_txn_generation(mnet_txn_t *txn)
{
    apr_uint64_t generation, stamp = mnet_txn_stamp(txn), known = atomic_load(&txn->store->known);

    if (stamp && known >> GENERATION_BITS == stamp) {
        return known & ((1U << GENERATION_BITS) - 1);
    }
    (void)read_generation(txn, &generation); /* 0, which no cache remembers */
    if (stamp && generation && stamp >> (64 - GENERATION_BITS) == 0 &&
        generation >> GENERATION_BITS == 0) {
        atomic_store(&txn->store->known, stamp << GENERATION_BITS | generation);
    }
    return generation;
}

apr_uint64_t mnet_txn_stamp(mnet_txn_t *txn)
{
    return txn->self && txn->kind == MNET_READ && txn->store->ops->txn_stamp
               ? txn->store->ops->txn_stamp(txn->self)
               : 0;
}

apr_status_t mnet_txn_room(mnet_txn_t *txn, apr_off_t *used, apr_off_t *usable)
{
    if (!txn->self || !txn->store->ops->room) {
        return APR_ENOTIMPL;
    }
    return txn->store->ops->room(txn->self, used, usable);
}

#define PAGE 4096

int mnet_txn_few(mnet_txn_t *txn, int max, int pages)
{
    apr_off_t used, usable, few;

    if (mnet_txn_room(txn, &used, &usable)) {
        return max;
    }
    few = (usable - used) / PAGE / 4 / pages; /* a quarter, and with it less than a half */
    return few >= max ? max : few < 1 ? 1 : (int)few;
}

mnet_txn_e mnet_txn_kind(const mnet_txn_t *txn)
{
    return txn->kind;
}

apr_uint64_t mnet_store_stamp(mnet_store_t *store)
{
    return store && store->self && store->ops->stamp && !forked(store)
               ? store->ops->stamp(store->self)
               : 0;
}

apr_status_t mnet_txn_touch(mnet_txn_t *txn)
{
    apr_uint64_t generation;
    unsigned char bytes[8];
    apr_status_t rv = read_generation(txn, &generation);

    if (rv != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(rv)) {
        return changed(txn, rv); /* begun anew, it would repeat what a cache remembers */
    }
    generation++;
    for (int i = 7; i >= 0; i--) {
        bytes[i] = (unsigned char)(generation & 0xFF);
        generation >>= 8;
    }
    return mnet_txn_put(txn, META, GENERATION, strlen(GENERATION), bytes, sizeof(bytes));
}
