/* SPDX-License-Identifier: Apache-2.0 */
/* Items: put, moved and removed, and shown to whoever looks on. */
#include <apr_hash.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "portfolio/queue_int.h"

static apr_status_t del(mnet_txn_t *txn, const char *group, const mnet_name_t *name)
{
    apr_status_t rv = mnet_txn_del(txn, group, name->bytes, name->len);

    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* One that runs is in no line: its lease says when it is to be looked at. */
static apr_time_t place_of(const mnet_queue_item_t *item)
{
    return item->state == MNET_QUEUE_RUNNING ? MNET_QUEUE_NOWHERE : item->due;
}

/* Milliseconds since 1970 and 80 random bits: what belongs together in time lies together in the
 * store, however much else there is. */
static apr_status_t make_id(const mnet_host_t *host, apr_time_t now, const char **id,
                            apr_pool_t *pool)
{
    unsigned char bytes[MNET_QUEUE_ID_BYTES];
    apr_status_t rv = mnet_random(host->engine->crypto, bytes, sizeof(bytes));
    apr_uint64_t ms = (apr_uint64_t)apr_time_as_msec(now);

    for (int i = 0; i < 6; i++) {
        bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
    }
    *id = mnet_queue_id_text(bytes, pool);
    return rv;
}

apr_status_t mnet_queue_put(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                            const void *payload, apr_size_t len, apr_time_t now, apr_pool_t *pool)
{
    mnet_queue_item_t *before;
    mnet_name_t name;
    apr_status_t rv = APR_SUCCESS;

    if (!item->id) {
        rv = make_id(host, now, &item->id, pool);
    } else if (!mnet_queue_get(host, txn, item->id, &before, pool)) {
        return MNET_E_EXISTS;
    }
    item->state = MNET_QUEUE_WAITING;
    item->created = now;
    item->due = item->due > 0 ? item->due : now;
    item->attempts = 0;
    item->reason = NULL;
    item->failed = 0;
    if (!rv && len) {
        rv = mnet_queue_add_bytes(host, txn, item->peer, (apr_int64_t)len, MNET_QUEUE_HELD, pool);
    }
    /* In the order of their names, so that pages are filled before the next is begun. */
    rv = rv ? rv : mnet_queue_write(host, txn, item, pool);
    rv = rv ? rv : mnet_queue_data_name(host, item->id, &name);
    if (!rv && len) {
        rv = mnet_txn_put(txn, MNET_GROUP_QUEUE, name.bytes, name.len, payload, len);
    }
    return rv ? rv : mnet_queue_place(host, txn, item, MNET_QUEUE_NOWHERE, item->due);
}

apr_status_t mnet_queue_take(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                             mnet_queue_lease_t *lease, apr_pool_t *pool)
{
    apr_status_t rv = mnet_queue_place(host, txn, item, place_of(item), MNET_QUEUE_NOWHERE);

    lease->attempts = item->attempts + 1;
    mnet_queue_lease_apply(lease, item);
    return rv ? rv : mnet_queue_lease_put(host, txn, item, lease, pool);
}

apr_status_t mnet_queue_move(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                             mnet_queue_state_e state, apr_time_t due, apr_pool_t *pool)
{
    apr_time_t from = place_of(item);
    apr_status_t rv = mnet_queue_lease_del(host, txn, item, pool);

    item->state = state;
    item->due = due;
    rv = rv ? rv : mnet_queue_place(host, txn, item, from, due);
    return rv ? rv : mnet_queue_write(host, txn, item, pool);
}

apr_status_t mnet_queue_back(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                             apr_time_t now, apr_pool_t *pool)
{
    apr_time_t since = item->failed > item->created ? item->failed : item->created;

    item->state = MNET_QUEUE_RUNNING; /* in no line, although its lease may be damaged */
    return mnet_queue_move(host, txn, item, MNET_QUEUE_WAITING, since < now ? since : now, pool);
}

/* The payload of it, which counts for its peer no more. */
static apr_status_t del_data(const mnet_host_t *host, mnet_txn_t *txn,
                             const mnet_queue_item_t *item, apr_pool_t *pool)
{
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_queue_data_name(host, item->id, &name);

    rv = rv ? rv : mnet_txn_get(txn, MNET_GROUP_QUEUE, name.bytes, name.len, &data, &len);
    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    rv = mnet_queue_add_bytes(host, txn, item->peer, -(apr_int64_t)len, 0, pool);
    return rv ? rv : del(txn, MNET_GROUP_QUEUE, &name);
}

apr_status_t mnet_queue_remove(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_item_t *item, apr_pool_t *pool)
{
    mnet_name_t name;
    apr_status_t rv = mnet_queue_name(host, item->id, &name);

    rv = rv ? rv : mnet_queue_place(host, txn, item, place_of(item), MNET_QUEUE_NOWHERE);
    rv = rv ? rv : mnet_queue_lease_del(host, txn, item, pool);
    rv = rv ? rv : del_data(host, txn, item, pool);
    rv = rv ? rv : del(txn, MNET_GROUP_DONE, &name);
    return rv ? rv : del(txn, MNET_GROUP_QUEUE, &name);
}

apr_status_t mnet_queue_forget(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_item_t *item, apr_pool_t *pool)
{
    const mnet_queue_kind_t *kind = mnet_queue_kind(item->kind);
    const void *payload;
    apr_size_t len;
    apr_status_t rv = APR_SUCCESS;

    if (kind && kind->dropped) {
        rv = mnet_queue_payload(host, txn, item->id, &payload, &len, pool);
        rv = rv ? rv : kind->dropped(host, txn, item, payload, len, pool);
    }
    return rv ? rv : mnet_queue_remove(host, txn, item, pool);
}

apr_status_t mnet_queue_drop(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                             apr_pool_t *pool)
{
    mnet_queue_item_t *item;
    apr_status_t rv = mnet_queue_get(host, txn, id, &item, pool);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return mnet_queue_drop_damaged(host, txn, id, pool);
    }
    return rv ? rv : mnet_queue_forget(host, txn, item, pool);
}

const mnet_queue_kind_t *mnet_queue_kind(const char *name)
{
    for (int i = 0; mnet_queue_kinds[i]; i++) {
        if (!strcmp(mnet_queue_kinds[i]->name, name)) {
            return mnet_queue_kinds[i];
        }
    }
    return NULL;
}

/* --- for those who look on --- */

typedef struct listing_t {
    const mnet_host_t *host;
    const char *peer;
    apr_array_header_t *list;
    apr_hash_t *leases; /* mnet_queue_lease_t of an id's bytes */
} listing_t;

/* Those that are worked on. */
static apr_status_t list_leases(listing_t *listing)
{
    apr_pool_t *pool = listing->list->pool;
    apr_array_header_t *leases;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(listing->host->engine->store, MNET_READ, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = mnet_queue_leases(listing->host, txn, &leases, pool);
    mnet_txn_abort(txn);
    for (int i = 0; !rv && i < leases->nelts; i++) {
        const mnet_queue_lease_t *lease = &APR_ARRAY_IDX(leases, i, mnet_queue_lease_t);

        apr_hash_set(listing->leases, lease->id, sizeof(lease->id), lease);
    }
    return rv;
}

/* What there is to say of one that cannot be read.  NULL: it is another site's. */
static mnet_queue_item_t *damaged(const mnet_host_t *host, const unsigned char *id,
                                  const void *data, apr_size_t len, apr_pool_t *pool)
{
    mnet_queue_item_t *item;
    mnet_unpack_t unpack;

    if (APR_STATUS_IS_NOTFOUND(mnet_record_open(&unpack, host, data, len, 0xff, pool))) {
        return NULL;
    }
    item = apr_pcalloc(pool, sizeof(*item));
    item->id = mnet_queue_id_text(id, pool);
    item->kind = item->peer = "?";
    item->state = MNET_QUEUE_DAMAGED;
    item->reason = "its record cannot be read: `mnetctl queue drop` removes it";
    return item;
}

static apr_status_t list_one(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                             apr_pool_t *scratch)
{
    listing_t *listing = baton;
    const unsigned char *id = name->bytes + MNET_SITE_PREFIX;
    const mnet_queue_lease_t *lease;
    mnet_queue_item_t *item = NULL;

    if (name->len == MNET_SITE_PREFIX + MNET_QUEUE_ID_BYTES) {
        item = mnet_queue_read(listing->host, id, data, len, listing->list->pool);
        item = item ? item : damaged(listing->host, id, data, len, listing->list->pool);
    }
    if (item && (!listing->peer || !strcmp(item->peer, listing->peer))) {
        lease = apr_hash_get(listing->leases, id, MNET_QUEUE_ID_BYTES);
        if (lease && item->state != MNET_QUEUE_DAMAGED) {
            mnet_queue_lease_apply(lease, item);
        }
        APR_ARRAY_PUSH(listing->list, mnet_queue_item_t *) = item;
    }
    return APR_SUCCESS;
}

static int by_due(const void *a, const void *b)
{
    const mnet_queue_item_t *one = *(mnet_queue_item_t *const *)a,
                            *other = *(mnet_queue_item_t *const *)b;

    if (one->due != other->due) {
        return one->due < other->due ? -1 : 1;
    }
    return strcmp(one->id, other->id);
}

apr_status_t mnet_queue_list(const mnet_host_t *host, const char *peer, int max,
                             apr_array_header_t **list, apr_pool_t *pool)
{
    listing_t listing = {host, peer, apr_array_make(pool, 16, sizeof(mnet_queue_item_t *)),
                         apr_hash_make(pool)};
    mnet_walk_t walk = {MNET_GROUP_QUEUE, list_one, NULL, &listing};
    apr_status_t rv = mnet_queue_upgrade(host, pool);

    rv = rv ? rv : list_leases(&listing);
    rv = rv ? rv : mnet_walk(host, &walk, pool);
    *list = listing.list;
    if (listing.list->nelts) {
        qsort(listing.list->elts, (size_t)listing.list->nelts, sizeof(mnet_queue_item_t *), by_due);
    }
    if (max > 0 && listing.list->nelts > max) {
        listing.list->nelts = max;
    }
    return rv;
}

/* A read transaction, and the item's name. */
static apr_status_t begin_look(const mnet_host_t *host, const char *id, mnet_name_t *name,
                               mnet_txn_t **txn, apr_pool_t *pool)
{
    apr_status_t rv = mnet_queue_name(host, id, name);

    rv = rv ? rv : mnet_queue_upgrade(host, pool);
    return rv ? rv : mnet_txn_begin(host->engine->store, MNET_READ, txn, pool);
}

apr_status_t mnet_queue_exists(const mnet_host_t *host, const char *id, apr_pool_t *pool)
{
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    mnet_txn_t *txn;
    apr_status_t rv = begin_look(host, id, &name, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = mnet_txn_get(txn, MNET_GROUP_QUEUE, name.bytes, name.len, &data, &len);
    mnet_txn_abort(txn);
    return rv;
}

static void read_progress(mnet_txn_t *txn, const mnet_name_t *name, mnet_queue_progress_t *progress,
                          apr_pool_t *pool)
{
    mnet_unpack_t unpack;
    const void *data;
    apr_size_t len;

    memset(progress, 0, sizeof(*progress));
    if (!mnet_txn_get(txn, MNET_GROUP_DONE, name->bytes, name->len, &data, &len) &&
        !mnet_unpack_begin(&unpack, data, len, MNET_QUEUE_SHOWN, pool)) {
        progress->done = mnet_unpack_i64(&unpack);
        progress->total = mnet_unpack_i64(&unpack);
        progress->when = mnet_unpack_i64(&unpack);
    }
}

apr_status_t mnet_queue_look(const mnet_host_t *host, const char *id, mnet_queue_item_t **item,
                             mnet_queue_progress_t *progress, apr_pool_t *pool)
{
    mnet_name_t name;
    mnet_txn_t *txn;
    apr_status_t rv = begin_look(host, id, &name, &txn, pool);

    *item = NULL;
    if (rv) {
        return rv;
    }
    rv = mnet_queue_get(host, txn, id, item, pool);
    if (!rv && progress) {
        read_progress(txn, &name, progress, pool);
    }
    mnet_txn_abort(txn);
    return rv;
}
