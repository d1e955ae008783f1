/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions in use, kept by a process: a table of sets that the cookie's id chooses, of a few blocks
 * (session_block.h) that those who found them share.  An id that no session has never gets into it.
 * Blocks that nobody used for a while go when others come.
 *
 * With many sessions a find is as long as it waits for memory.  So the slots are in large pages
 * once there are many blocks, and who knows early that a find is to come has the lines fetched
 * while it does other things.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <apr_thread_mutex.h>
#include <openssl/rand.h>

#include "service/session_block.h"

#define SETS       (1 << 15)
#define WAYS       8
#define LOCKS      64
#define BYTES_MAX  ((apr_size_t)128 << 20) /* of all blocks of a site in a process */
#define UNUSED_FOR (15 * 60)               /* seconds */
#define SWEEP      8                       /* sets that are looked at when a block comes */
#define HUGE_PAGE  ((apr_size_t)2 << 20)
#define CROWD      4096 /* blocks; there is hardly a page of the slots then that is not in use */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* younger than some headers; an older system refuses it */
#endif

/* Changed by who has the lock of its set; who fetches ahead reads it without. */
typedef struct slot_t {
    mnet_session_block_t *_Atomic block; /* NULL: none */
    _Atomic apr_uint32_t tag;
    _Atomic apr_uint32_t mark; /* the upper half of the session's name in shared memory */
} slot_t;

#define SET_SIZE (WAYS * sizeof(slot_t))

typedef struct mnet_kept_t {
    slot_t *slots;                    /* SETS of WAYS */
    apr_thread_mutex_t *locks[LOCKS]; /* of the sets whose number comes to theirs */
    apr_uint64_t key[2];              /* random: nobody outside knows who shares a set */
    atomic_size_t bytes;              /* of the blocks in the table */
    atomic_int blocks;                /* how many are in it */
    atomic_flag crowded;              /* there were more than CROWD once */
    atomic_uint hand;                 /* of the sweep */
} mnet_kept_t;

static apr_status_t let_go(void *data)
{
    mnet_host_t *host = data;
    mnet_kept_t *table = host->kept;

    host->kept = NULL;
    for (int i = 0; i < SETS * WAYS; i++) {
        mnet_session_block_drop(table->slots[i].block);
    }
    munmap(table->slots, SETS * SET_SIZE);
    return APR_SUCCESS;
}

/* Their pages come as they are used.  NULL: out of memory. */
static slot_t *make_slots(void)
{
    const apr_size_t size = SETS * SET_SIZE;
    char *all = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    apr_size_t before;

    if (all == MAP_FAILED) {
        return NULL;
    }
    before = -(uintptr_t)all % HUGE_PAGE;
    if (before) {
        munmap(all, before);
    }
    if (before < HUGE_PAGE) {
        munmap(all + before + size, HUGE_PAGE - before);
    }
    return (slot_t *)(void *)(all + before);
}

/*
 * To find the page of a slot costs more than to fetch the slot, where many are in use: a few large
 * pages are found at once.  Not before, since a small site's would mostly be empty.  A system that
 * has none goes on as it is.
 */
static void enlarge_pages(mnet_kept_t *table)
{
    if (!atomic_flag_test_and_set(&table->crowded) &&
        !madvise(table->slots, SETS * SET_SIZE, MADV_HUGEPAGE)) {
        madvise(table->slots, SETS * SET_SIZE, MADV_COLLAPSE);
    }
}

apr_status_t mnet_sessions_keep(mnet_host_t *host, apr_pool_t *pool)
{
    mnet_kept_t *table;
    apr_status_t rv = APR_SUCCESS;

    if (host->kept) {
        return APR_SUCCESS;
    }
    table = apr_pcalloc(pool, sizeof(*table));
    for (int i = 0; i < LOCKS && !rv; i++) {
        rv = apr_thread_mutex_create(&table->locks[i], APR_THREAD_MUTEX_DEFAULT, pool);
    }
    if (!rv && RAND_bytes((unsigned char *)table->key, sizeof(table->key)) != 1) {
        rv = APR_EGENERAL;
    }
    table->slots = rv ? NULL : make_slots();
    if (!table->slots) {
        return rv ? rv : APR_ENOMEM;
    }
    atomic_flag_clear(&table->crowded);
    host->kept = table;
    apr_pool_cleanup_register(pool, host, let_go, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

/* An id is random, and who chose one of his own has no session by it. */
static apr_uint64_t hash_of(const mnet_kept_t *table, const char *id)
{
    apr_uint64_t a, b;

    memcpy(&a, id, sizeof(a));
    memcpy(&b, id + sizeof(a), sizeof(b));
    a = (a ^ table->key[0]) * 0x9E3779B97F4A7C15ULL;
    b = (b ^ table->key[1] ^ a >> 29) * 0xBF58476D1CE4E5B9ULL;
    return a ^ b ^ b >> 32;
}

static slot_t *take_set(mnet_kept_t *table, apr_uint64_t hash)
{
    apr_thread_mutex_lock(table->locks[hash % LOCKS]);
    return table->slots + hash % SETS * WAYS;
}

static void leave_set(mnet_kept_t *table, apr_uint64_t hash)
{
    apr_thread_mutex_unlock(table->locks[hash % LOCKS]);
}

static apr_uint32_t tag_of(apr_uint64_t hash)
{
    return (apr_uint32_t)(hash >> 32);
}

/* In a set that was taken; NULL: it is not there. */
static slot_t *find_slot(slot_t *set, apr_uint64_t hash, const char *id)
{
    for (int i = 0; i < WAYS; i++) {
        if (set[i].block && set[i].tag == tag_of(hash)) {
            mnet_session_block_fetch(set[i].block);
            if (mnet_session_block_is(set[i].block, id)) {
                return &set[i];
            }
        }
    }
    return NULL;
}

/* The one to give up for another: an empty one, or the one longest unused. */
static slot_t *find_room(slot_t *set)
{
    slot_t *oldest = set;

    for (int i = 0; i < WAYS && oldest->block; i++) {
        if (!set[i].block || atomic_load(&set[i].block->used) < atomic_load(&oldest->block->used)) {
            oldest = &set[i];
        }
    }
    return oldest;
}

/* What a slot of a set that was taken has from now on; what it had is the caller's to drop. */
static mnet_session_block_t *exchange(mnet_kept_t *table, slot_t *slot, mnet_session_block_t *block,
                                      apr_uint64_t hash)
{
    mnet_session_block_t *old = slot->block;

    slot->block = block;
    slot->tag = tag_of(hash);
    slot->mark = block ? (apr_uint32_t)(block->kept.mark >> 32) : 0;
    if (block) {
        atomic_fetch_add(&table->bytes, block->size);
        atomic_fetch_add(&table->blocks, 1);
    }
    if (old) {
        atomic_fetch_sub(&table->bytes, old->size);
        atomic_fetch_sub(&table->blocks, 1);
    }
    return old;
}

static apr_status_t give_back(void *data)
{
    mnet_session_block_drop(data);
    return APR_SUCCESS;
}

mnet_kept_session_t *mnet_kept_find(mnet_host_t *host, const char *id, apr_time_t now,
                                    apr_pool_t *pool)
{
    mnet_kept_t *table = host->kept;
    unsigned int seconds = (unsigned int)apr_time_sec(now);
    apr_uint64_t hash;
    mnet_session_block_t *block;
    slot_t *slot;

    if (!table) {
        return NULL;
    }
    hash = hash_of(table, id);
    slot = find_slot(take_set(table, hash), hash, id);
    block = slot ? slot->block : NULL;
    if (block) {
        atomic_fetch_add(&block->refs, 1);
        if (atomic_load(&block->used) != seconds) {
            atomic_store(&block->used, seconds);
        }
    }
    leave_set(table, hash);
    if (!block) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, block, give_back, apr_pool_cleanup_null);
    return &block->kept;
}

/* A request may have begun a little before another one's. */
static int is_unused(const mnet_session_block_t *block, unsigned int seconds)
{
    return (int)(seconds - atomic_load(&block->used)) > UNUSED_FOR;
}

/* Looks at a few sets for what nobody uses any more. */
static void sweep(mnet_kept_t *table, unsigned int seconds)
{
    unsigned int at = atomic_fetch_add(&table->hand, SWEEP);

    for (unsigned int i = at; i != at + SWEEP; i++) {
        mnet_session_block_t *old[WAYS] = {NULL};
        slot_t *set = take_set(table, i);

        for (int j = 0; j < WAYS; j++) {
            if (set[j].block && is_unused(set[j].block, seconds)) {
                old[j] = exchange(table, &set[j], NULL, 0);
            }
        }
        leave_set(table, i);
        for (int j = 0; j < WAYS; j++) {
            mnet_session_block_drop(old[j]);
        }
    }
}

void mnet_kept_put(mnet_host_t *host, const char *id, const mnet_kept_session_t *read,
                   apr_time_t now, apr_pool_t *pool)
{
    mnet_kept_t *table = host->kept;
    mnet_session_block_t *block;
    apr_uint64_t hash;
    slot_t *set, *slot;

    if (!table) {
        return;
    }
    sweep(table, (unsigned int)apr_time_sec(now));
    block = atomic_load(&table->bytes) < BYTES_MAX ? mnet_session_block_make(id, read, pool) : NULL;
    if (!block) {
        mnet_kept_forget(host, id);
        return;
    }
    atomic_init(&block->used, (unsigned int)apr_time_sec(now));
    hash = hash_of(table, id);
    set = take_set(table, hash);
    slot = find_slot(set, hash, id);
    block = exchange(table, slot ? slot : find_room(set), block, hash);
    leave_set(table, hash);
    mnet_session_block_drop(block);
    if (atomic_load(&table->blocks) > CROWD) {
        enlarge_pages(table);
    }
}

void mnet_kept_forget(mnet_host_t *host, const char *id)
{
    mnet_kept_t *table = host->kept;
    mnet_session_block_t *old = NULL;
    apr_uint64_t hash;
    slot_t *slot;

    if (!table) {
        return;
    }
    hash = hash_of(table, id);
    slot = find_slot(take_set(table, hash), hash, id);
    if (slot) {
        old = exchange(table, slot, NULL, 0);
    }
    leave_set(table, hash);
    mnet_session_block_drop(old);
}

/* --- ahead of a find: nothing of a block is read, which may go at any moment --- */

void mnet_session_expect(const mnet_host_t *host, const char *id)
{
    const mnet_kept_t *table = host->kept;

    if (table) {
        mnet_fetch(table->slots + hash_of(table, id) % SETS * WAYS, SET_SIZE);
    }
}

void mnet_session_fetch(const mnet_host_t *host, const char *id)
{
    const mnet_kept_t *table = host->kept;
    apr_uint64_t hash;
    const slot_t *set;

    if (!table) {
        return;
    }
    hash = hash_of(table, id);
    set = table->slots + hash % SETS * WAYS;
    for (int i = 0; i < WAYS; i++) {
        const mnet_session_block_t *block = set[i].block;

        if (block && set[i].tag == tag_of(hash)) {
            mnet_session_block_fetch(block);
            mnet_shared_fetch(host->engine->shared, (apr_uint64_t)set[i].mark << 32);
        }
    }
}
