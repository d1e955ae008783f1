/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the first layout of the queue left in the store is moved, once, a batch to a transaction.
 * Items and payloads were written as they are now, under another name; their places, leases and
 * sums follow from them.
 */
#include <apr_strings.h>

#include "base/status.h"
#include "portfolio/queue_int.h"

#define OLD_ITEMS   "queue"
#define BATCH_ITEMS 256
#define BATCH_BYTES ((apr_size_t)1 << 20)
#define BATCH_REST  1000

/* When its items are moved there is nothing in these that is not made anew. */
static const char *const old_groups[] = {OLD_ITEMS,    "queue-busy", "queue-bytes",
                                         "queue-done", "queue-head", "queue-line"};
#define OLD_GROUPS (int)(sizeof(old_groups) / sizeof(old_groups[0]))

typedef struct moving_t {
    const mnet_host_t *host;
    apr_time_t now;
    const char *group;
    mnet_name_t site;
    apr_array_header_t *names; /* mnet_name_t: items of this batch */
    apr_size_t bytes;          /* of them and their payloads */
    int left, moved;
    apr_pool_t *pool;
} moving_t;

static apr_status_t see_any(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                            const void *data, apr_size_t len)
{
    ((moving_t *)baton)->left++;
    return APR_EOF;
}

/* Is there anything left?  Looked for by those who want to see an item, so no more than that. */
static apr_status_t look(moving_t *moving)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(moving->host->engine->store, MNET_READ, &txn, moving->pool);

    for (int i = 0; !rv && i < OLD_GROUPS && !moving->left; i++) {
        rv = mnet_txn_each(txn, old_groups[i], moving->site.bytes, moving->site.len, NULL, 0,
                           see_any, moving);
    }
    mnet_txn_abort(txn);
    return rv;
}

static apr_status_t see_item(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                             const void *data, apr_size_t len)
{
    moving_t *moving = baton;

    /* No name at all: the end was reached, and nothing but what nobody needs is left. */
    if (moving->names->nelts &&
        (moving->names->nelts == BATCH_ITEMS || moving->bytes >= BATCH_BYTES)) {
        return APR_EOF;
    }
    moving->bytes += len;
    if (key_len == MNET_SITE_PREFIX + MNET_QUEUE_ID_BYTES) {
        mnet_name_t *name = apr_array_push(moving->names);

        name->len = 0;
        mnet_name_add(name, key, key_len);
    }
    return APR_SUCCESS;
}

/* The same bytes under the new name; *moved: a copy of them, NULL if there are none. */
static apr_status_t rename_one(moving_t *moving, mnet_txn_t *txn, const mnet_name_t *name,
                               void **moved, apr_size_t *len)
{
    const void *data;
    apr_status_t rv = mnet_txn_get(txn, OLD_ITEMS, name->bytes, name->len, &data, len);

    *moved = NULL;
    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    *moved = apr_pmemdup(moving->pool, data, *len);
    rv = mnet_txn_put(txn, MNET_GROUP_QUEUE, name->bytes, name->len, *moved, *len);
    return rv ? rv : mnet_txn_del(txn, OLD_ITEMS, name->bytes, name->len);
}

static apr_status_t move_one(moving_t *moving, mnet_txn_t *txn, const mnet_name_t *name)
{
    static const unsigned char data_follows = MNET_QUEUE_DATA;
    mnet_name_t data_name = *name;
    mnet_queue_item_t *item = NULL;
    void *record, *data;
    apr_size_t len, data_len;
    apr_status_t rv = rename_one(moving, txn, name, &record, &len);

    mnet_name_add(&data_name, &data_follows, 1);
    rv = rv ? rv : rename_one(moving, txn, &data_name, &data, &data_len);
    if (!rv && record) {
        item = mnet_queue_read(moving->host, name->bytes + MNET_SITE_PREFIX, record, len,
                               moving->pool);
    }
    if (!item) {
        return rv; /* damaged, as it was before */
    }
    moving->moved++;
    if (item->state == MNET_QUEUE_RUNNING) { /* in a process that is gone */
        item->state = MNET_QUEUE_WAITING;
        item->due = moving->now;
        rv = mnet_queue_write(moving->host, txn, item, moving->pool);
    }
    if (!rv && data) { /* it was within the limit */
        rv = mnet_queue_add_bytes(moving->host, txn, item->peer, (apr_int64_t)data_len,
                                  APR_INT64_MAX, moving->pool);
    }
    return rv ? rv : mnet_queue_place(moving->host, txn, item, MNET_QUEUE_NOWHERE, item->due);
}

static apr_status_t drop_one(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                             const void *data, apr_size_t len)
{
    moving_t *moving = baton;

    if (moving->left++ == BATCH_REST) {
        return APR_EOF;
    }
    return mnet_txn_del(txn, moving->group, key, key_len);
}

/* Items while there are any, then what is left; left: how much was done. */
static apr_status_t move_batch(moving_t *moving, mnet_txn_t *txn)
{
    apr_status_t rv;

    moving->bytes = 0;
    moving->names = apr_array_make(moving->pool, BATCH_ITEMS, sizeof(mnet_name_t));
    rv = mnet_txn_each(txn, OLD_ITEMS, moving->site.bytes, moving->site.len, NULL, 0, see_item,
                       moving);
    for (int i = 0; !rv && i < moving->names->nelts; i++) {
        rv = move_one(moving, txn, &APR_ARRAY_IDX(moving->names, i, mnet_name_t));
    }
    moving->left = moving->names->nelts;
    for (int i = 0; !rv && i < OLD_GROUPS && !moving->names->nelts && moving->left < BATCH_REST;
         i++) {
        moving->group = old_groups[i];
        rv = mnet_txn_each(txn, moving->group, moving->site.bytes, moving->site.len, NULL, 0,
                           drop_one, moving);
    }
    return rv;
}

apr_status_t mnet_queue_upgrade(const mnet_host_t *host, apr_pool_t *parent)
{
    moving_t moving = {host, apr_time_now()};
    apr_status_t rv = apr_pool_create(&moving.pool, parent);

    if (rv) {
        return rv;
    }
    mnet_name_begin(host, &moving.site);
    rv = look(&moving);
    while (!rv && moving.left) {
        mnet_txn_t *txn;

        apr_pool_clear(moving.pool);
        rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, moving.pool);
        if (!rv) {
            rv = move_batch(&moving, txn);
            rv = rv ? rv : mnet_txn_commit(txn);
            mnet_txn_abort(txn);
        }
    }
    apr_pool_destroy(moving.pool);
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_ERR, rv, "MNET1023",
                 "%s: the queue that an earlier version left cannot be moved to its new layout, "
                 "which is tried again within the hour",
                 host->site->wwwroot);
    } else if (moving.moved) {
        mnet_log(host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1024",
                 "%s: %d items that an earlier version left in the queue were moved to its new "
                 "layout",
                 host->site->wwwroot, moving.moved);
    }
    return rv;
}
