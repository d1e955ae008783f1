/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "base/status.h"
#include "trust/counted.h"
#include "trust/peers_int.h"
#include "trust/texts.h"

/* Peers kept parsed by a process and site, about 12 KiB each; beyond, the ones least used go. */
#define CACHE_MAX 16384

/* A parsed peer. */
typedef struct entry_t {
    mnet_counted_t *counted;
    const mnet_peer_t *peer;
    apr_uint64_t generation;          /* as of which it is current */
    unsigned char print[MNET_SHA256]; /* SHA-256 of the record; zeros: there is none */
    int used;                         /* since the hand went by */
    int slot;
} entry_t;

struct mnet_peers_t {
    mnet_peers_parts_t parts;
    apr_thread_mutex_t *lock;  /* for what follows, never held over anything slow */
    apr_pool_t *pool;          /* the cache's own: apr_hash_t grows in it */
    apr_hash_t *cache;         /* wwwroot to entry_t * */
    apr_array_header_t *slots; /* the same entries, for the clock's hand */
    int hand;
};

const mnet_peers_parts_t *mnet_peers_parts(const mnet_peers_t *peers)
{
    return &peers->parts;
}

apr_size_t mnet_peer_name(const mnet_peers_parts_t *parts, unsigned char buf[MNET_PEER_NAME_MAX],
                          const char *wwwroot)
{
    apr_size_t len = strnlen(wwwroot, MNET_WWWROOT_MAX + 1);
    if (!len || len > MNET_WWWROOT_MAX) {
        return 0;
    }
    memcpy(buf, parts->prefix, MNET_SHA256);
    memcpy(buf + MNET_SHA256, wwwroot, len);
    return MNET_SHA256 + len;
}

static apr_status_t let_go(void *data)
{
    mnet_peers_t *peers = data;
    for (int i = 0; i < peers->slots->nelts; i++) {
        mnet_counted_drop(APR_ARRAY_IDX(peers->slots, i, entry_t *)->counted);
    }
    apr_pool_destroy(peers->pool);
    return APR_SUCCESS;
}

mnet_peers_t *mnet_peers_create(const mnet_crypto_t *crypto, mnet_store_t *store,
                                const mnet_site_t *site, const mnet_log_t *log, apr_pool_t *pool)
{
    mnet_peers_t *peers = apr_pcalloc(pool, sizeof(*peers));
    peers->parts.crypto = crypto;
    peers->parts.store = store;
    peers->parts.site = site;
    peers->parts.log = log;
    if (mnet_sha256(crypto, site->wwwroot, strlen(site->wwwroot), NULL, 0, peers->parts.prefix) !=
            APR_SUCCESS ||
        apr_thread_mutex_create(&peers->lock, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_pool_create_unmanaged_ex(&peers->pool, NULL, NULL) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_tag(peers->pool, "mnet_peers");
    peers->cache = apr_hash_make(peers->pool);
    peers->slots = apr_array_make(peers->pool, 16, sizeof(entry_t *));
    apr_pool_cleanup_register(pool, peers, let_go, apr_pool_cleanup_null);
    return peers;
}

/* --- the cache; callers hold the lock --- */

static void cache_remove(mnet_peers_t *peers, entry_t *entry)
{
    entry_t *last = *(entry_t **)apr_array_pop(peers->slots);
    if (last != entry) {
        last->slot = entry->slot;
        APR_ARRAY_IDX(peers->slots, entry->slot, entry_t *) = last;
    }
    apr_hash_set(peers->cache, entry->peer->facts->wwwroot, APR_HASH_KEY_STRING, NULL);
}

/* The first that was not used since the hand last went by. */
static entry_t *cache_victim(mnet_peers_t *peers)
{
    for (;;) {
        peers->hand = (peers->hand + 1) % peers->slots->nelts;
        entry_t *entry = APR_ARRAY_IDX(peers->slots, peers->hand, entry_t *);
        if (!entry->used) {
            return entry;
        }
        entry->used = 0;
    }
}

static void cache_insert(mnet_peers_t *peers, entry_t *entry)
{
    entry->slot = peers->slots->nelts;
    APR_ARRAY_PUSH(peers->slots, entry_t *) = entry;
    apr_hash_set(peers->cache, entry->peer->facts->wwwroot, APR_HASH_KEY_STRING, entry);
}

/* --- the cache from outside --- */

/* The cached peer if it is as new as generation; print, if not NULL: or of that record, which
 * makes it as new. */
static const mnet_peer_t *lend(mnet_peers_t *peers, const char *wwwroot, apr_uint64_t generation,
                               const unsigned char *print, apr_pool_t *pool)
{
    const mnet_peer_t *peer = NULL;
    apr_thread_mutex_lock(peers->lock);
    entry_t *entry = apr_hash_get(peers->cache, wwwroot, APR_HASH_KEY_STRING);
    if (entry && print && entry->generation < generation &&
        !memcmp(entry->print, print, MNET_SHA256)) {
        entry->generation = generation;
    }
    if (entry && entry->generation >= generation) {
        entry->used = 1;
        mnet_counted_lend(entry->counted, pool);
        peer = entry->peer;
    }
    apr_thread_mutex_unlock(peers->lock);
    return peer;
}

/* Takes over the maker's reference. */
static void put(mnet_peers_t *peers, entry_t *entry)
{
    entry_t *out = NULL;
    apr_thread_mutex_lock(peers->lock);
    entry_t *old = apr_hash_get(peers->cache, entry->peer->facts->wwwroot, APR_HASH_KEY_STRING);
    if (old && old->generation >= entry->generation) {
        out = entry;
    } else {
        if (old || peers->slots->nelts >= CACHE_MAX) {
            out = old ? old : cache_victim(peers);
            cache_remove(peers, out);
        }
        cache_insert(peers, entry);
    }
    apr_thread_mutex_unlock(peers->lock);
    mnet_counted_drop(out ? out->counted : NULL);
}

/* As of generation there is no such peer. */
static void forget(mnet_peers_t *peers, const char *wwwroot, apr_uint64_t generation)
{
    apr_thread_mutex_lock(peers->lock);
    entry_t *old = apr_hash_get(peers->cache, wwwroot, APR_HASH_KEY_STRING);
    if (old && old->generation < generation) {
        cache_remove(peers, old);
    } else {
        old = NULL;
    }
    apr_thread_mutex_unlock(peers->lock);
    mnet_counted_drop(old ? old->counted : NULL);
}

/* --- finding --- */

static apr_status_t make_entry(mnet_peers_t *peers, const char *wwwroot, const void *data,
                               apr_size_t len, entry_t **made)
{
    mnet_counted_t *counted;
    mnet_peer_t *peer;
    apr_status_t rv = mnet_counted_create(&counted);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = mnet_peer_view(&peers->parts, wwwroot, data, len, &peer, counted->pool);
    if (rv != APR_SUCCESS) {
        mnet_counted_drop(counted);
        return rv;
    }
    *made = apr_pcalloc(counted->pool, sizeof(**made));
    (*made)->counted = counted;
    (*made)->peer = peer;
    (*made)->used = 1;
    return APR_SUCCESS;
}

/* A peer that the cache does not have as of this generation. */
static apr_status_t look_up(mnet_peers_t *peers, mnet_txn_t *txn, const char *wwwroot,
                            apr_uint64_t generation, const mnet_peer_t **peer, apr_pool_t *pool)
{
    unsigned char name[MNET_PEER_NAME_MAX];
    unsigned char print[MNET_SHA256] = {0};
    const void *data = NULL;
    apr_size_t len = 0, name_len = mnet_peer_name(&peers->parts, name, wwwroot);
    entry_t *entry = NULL;
    apr_status_t rv =
        name_len ? mnet_txn_get(txn, MNET_PEER_GROUP, name, name_len, &data, &len) : APR_NOTFOUND;
    if (rv == APR_SUCCESS) {
        rv = mnet_sha256(peers->parts.crypto, data, len, NULL, 0, print);
    } else if (rv == APR_NOTFOUND && mnet_peer_configured(&peers->parts, wwwroot)) {
        rv = APR_SUCCESS;
    }
    *peer = rv == APR_SUCCESS ? lend(peers, wwwroot, generation, print, pool) : NULL;
    if (rv == APR_SUCCESS && !*peer) {
        rv = make_entry(peers, wwwroot, data, len, &entry);
    }
    if (entry) {
        memcpy(entry->print, print, MNET_SHA256);
        entry->generation = generation;
        *peer = entry->peer;
        mnet_counted_lend(entry->counted, pool);
        put(peers, entry);
    } else if (rv != APR_SUCCESS) {
        forget(peers, wwwroot, generation);
    }
    return rv;
}

apr_status_t mnet_peers_find(mnet_peers_t *peers, mnet_txn_t *txn, const char *wwwroot,
                             const mnet_peer_t **peer, apr_pool_t *pool)
{
    apr_uint64_t generation = mnet_txn_generation(txn);
    apr_status_t rv = APR_SUCCESS;
    *peer = NULL;
    const mnet_peer_t *found = lend(peers, wwwroot, generation, NULL, pool);
    if (!found) {
        rv = look_up(peers, txn, wwwroot, generation, &found, pool);
    }
    if (rv == APR_SUCCESS && !found->facts->active) {
        rv = APR_NOTFOUND;
    }
    if (rv == APR_SUCCESS) {
        *peer = found;
    }
    return rv;
}

/* --- listing --- */

typedef struct listing_t {
    mnet_peers_t *peers;
    apr_uint64_t generation;
    apr_hash_t *seen; /* wwwroots of records, whether they could be read or not */
    apr_array_header_t *list;
    apr_pool_t *pool;
} listing_t;

/* Parsed ones are lent; the others are read into the caller's pool, so that a look at all of
 * them does not push out those in use. */
static apr_status_t list_one(listing_t *listing, const char *wwwroot, const void *data,
                             apr_size_t len)
{
    mnet_peer_t *made = NULL;
    const mnet_peer_t *peer =
        lend(listing->peers, wwwroot, listing->generation, NULL, listing->pool);
    if (!peer) {
        mnet_peer_view(&listing->peers->parts, wwwroot, data, len, &made, listing->pool);
        peer = made;
    }
    if (peer) {
        APR_ARRAY_PUSH(listing->list, const mnet_peer_t *) = peer;
    }
    return APR_SUCCESS;
}

static apr_status_t list_record(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                                const void *data, apr_size_t len)
{
    listing_t *listing = baton;
    const char *wwwroot =
        apr_pstrmemdup(listing->pool, (const char *)key + MNET_SHA256, key_len - MNET_SHA256);
    apr_hash_set(listing->seen, wwwroot, APR_HASH_KEY_STRING, wwwroot);
    return list_one(listing, wwwroot, data, len);
}

static int by_wwwroot(const void *a, const void *b)
{
    return strcmp((*(const mnet_peer_t *const *)a)->facts->wwwroot,
                  (*(const mnet_peer_t *const *)b)->facts->wwwroot);
}

apr_status_t mnet_peers_list(mnet_peers_t *peers, mnet_txn_t *txn, apr_array_header_t **list,
                             apr_pool_t *pool)
{
    listing_t listing = {peers, mnet_txn_generation(txn), apr_hash_make(pool),
                         apr_array_make(pool, 16, sizeof(const mnet_peer_t *)), pool};
    apr_status_t rv = mnet_txn_each(txn, MNET_PEER_GROUP, peers->parts.prefix, MNET_SHA256, NULL, 0,
                                    list_record, &listing);
    apr_array_header_t *names = mnet_hash_names(peers->parts.site->peers, pool);
    for (int i = 0; i < names->nelts && rv == APR_SUCCESS; i++) {
        const char *wwwroot = APR_ARRAY_IDX(names, i, const char *);
        if (!apr_hash_get(listing.seen, wwwroot, APR_HASH_KEY_STRING)) {
            rv = list_one(&listing, wwwroot, NULL, 0);
        }
    }
    if (rv == APR_SUCCESS && listing.list->nelts > 1) {
        qsort(listing.list->elts, (size_t)listing.list->nelts, sizeof(const mnet_peer_t *),
              by_wwwroot);
    }
    *list = listing.list;
    return rv;
}
