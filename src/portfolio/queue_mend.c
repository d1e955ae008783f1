/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is damaged.  An item that cannot be read is dropped by whoever was told of it.  One that
 * can, but whose peer's records could not, may be in no line and in no hands: it is put into its
 * line again.
 */
#include <limits.h>
#include <string.h>

#include "base/status.h"
#include "portfolio/queue_int.h"

#define LATE apr_time_from_sec(300) /* so long after it was due something may be wrong */

/* --- an item that cannot be read --- */

/* Where it is in a line, or in somebody's hands; it tells nobody itself. */
static apr_status_t leave_line(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_peer_t *peer, const unsigned char *id, int *found,
                               apr_pool_t *pool)
{
    apr_array_header_t *places = apr_array_make(pool, 64, sizeof(mnet_queue_place_t));
    apr_status_t rv = mnet_queue_line(host, txn, peer, NULL, APR_INT64_MAX, INT_MAX, places);

    for (int i = 0; !rv && i < places->nelts && !*found; i++) {
        const mnet_queue_place_t *place = &APR_ARRAY_IDX(places, i, mnet_queue_place_t);

        if (!memcmp(place->bytes + 8, id, MNET_QUEUE_ID_BYTES)) {
            *found = 1;
            rv = mnet_queue_unplace(host, txn, peer, place);
        }
    }
    /* A line that cannot be read, either, is left to mnet_queue_place. */
    return rv == APR_EINCOMPLETE || rv == MNET_E_VERSION ? APR_SUCCESS : rv;
}

static apr_status_t leave_lines(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                const unsigned char *bytes, apr_pool_t *pool)
{
    apr_array_header_t *heads = apr_array_make(pool, 16, sizeof(mnet_queue_head_t));
    apr_status_t rv = mnet_queue_heads(host, txn, NULL, APR_INT64_MAX, INT_MAX, heads);
    int found = 0;

    for (int i = 0; !rv && i < heads->nelts && !found; i++) {
        mnet_queue_peer_t peer;

        memcpy(peer.bytes, APR_ARRAY_IDX(heads, i, mnet_queue_head_t).bytes + 8,
               sizeof(peer.bytes));
        rv = leave_line(host, txn, &peer, bytes, &found, pool);
        if (!rv && found) {
            rv = mnet_queue_data_gone(host, txn, &peer, id, pool);
        }
    }
    return rv;
}

static apr_status_t leave_hands(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                const unsigned char *bytes, apr_pool_t *pool)
{
    apr_array_header_t *leases;
    apr_status_t rv = mnet_queue_leases(host, txn, &leases, pool);

    for (int i = 0; !rv && i < leases->nelts; i++) {
        const mnet_queue_lease_t *lease = &APR_ARRAY_IDX(leases, i, mnet_queue_lease_t);

        if (!memcmp(lease->id, bytes, MNET_QUEUE_ID_BYTES)) {
            rv = mnet_queue_lease_forget(host, txn, lease, pool);
            rv = rv ? rv : mnet_queue_data_gone(host, txn, &lease->peer, id, pool);
        }
    }
    return rv;
}

static apr_status_t del(mnet_txn_t *txn, const char *group, const mnet_name_t *name)
{
    apr_status_t rv = mnet_txn_del(txn, group, name->bytes, name->len);

    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

apr_status_t mnet_queue_drop_damaged(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                     apr_pool_t *pool)
{
    unsigned char bytes[MNET_QUEUE_ID_BYTES];
    mnet_name_t name, payload;
    mnet_unpack_t unpack;
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_queue_id(id, bytes);

    rv = rv ? rv : mnet_queue_name(host, id, &name);
    rv = rv ? rv : mnet_queue_data_name(host, id, &payload);
    rv = rv ? rv : mnet_txn_get(txn, MNET_GROUP_QUEUE, name.bytes, name.len, &data, &len);
    if (rv) {
        return rv;
    }
    if (APR_STATUS_IS_NOTFOUND(mnet_record_open(&unpack, host, data, len, 0xff, pool))) {
        return APR_NOTFOUND; /* another site's */
    }
    rv = leave_lines(host, txn, id, bytes, pool);
    rv = rv ? rv : leave_hands(host, txn, id, bytes, pool);
    rv = rv ? rv : del(txn, MNET_GROUP_QUEUE, &payload);
    rv = rv ? rv : del(txn, MNET_GROUP_DONE, &name);
    return rv ? rv : del(txn, MNET_GROUP_QUEUE, &name);
}

/* --- items that are in no line --- */

typedef struct mending_t {
    const mnet_host_t *host;
    apr_time_t now;
    apr_array_header_t *ids; /* of this batch, that are late; NULL: none yet */
    int mended;
} mending_t;

static apr_status_t see_item(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                             apr_pool_t *scratch)
{
    mending_t *mending = baton;
    mnet_queue_item_t *item = NULL;

    if (name->len == MNET_SITE_PREFIX + MNET_QUEUE_ID_BYTES) {
        item = mnet_queue_read(mending->host, name->bytes + MNET_SITE_PREFIX, data, len, scratch);
    }
    if (item && item->due < mending->now - LATE) {
        if (!mending->ids) {
            mending->ids = apr_array_make(scratch, 16, sizeof(const char *));
        }
        APR_ARRAY_PUSH(mending->ids, const char *) = item->id;
    }
    return APR_SUCCESS;
}

/* *lost: it is in no line, or that is not found. */
static apr_status_t is_lost(const mending_t *mending, mnet_txn_t *txn, const char *id,
                            mnet_queue_item_t **item, int *lost, apr_pool_t *pool)
{
    int placed = 1;
    apr_status_t rv = mnet_queue_get(mending->host, txn, id, item, pool);

    if (!rv && (*item)->state != MNET_QUEUE_RUNNING) {
        rv = mnet_queue_is_placed(mending->host, txn, *item, &placed);
    }
    *lost = !rv && !placed;
    /* Gone meanwhile; or of a later version, which is not ours to mend. */
    return APR_STATUS_IS_NOTFOUND(rv) || rv == MNET_E_VERSION ? APR_SUCCESS : rv;
}

/* Those of the batch that are not late for a good reason; nearly always there are none. */
static apr_status_t find_lost(const mending_t *mending, apr_array_header_t *lost, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(mending->host->engine->store, MNET_READ, &txn, pool);

    if (rv) {
        return rv;
    }
    for (int i = 0; !rv && i < mending->ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(mending->ids, i, const char *);
        mnet_queue_item_t *item;
        int is;

        rv = is_lost(mending, txn, id, &item, &is, pool);
        if (!rv && is) {
            APR_ARRAY_PUSH(lost, const char *) = id;
        }
    }
    mnet_txn_abort(txn);
    return rv;
}

static apr_status_t place_again(mending_t *mending, mnet_txn_t *txn, const char *id,
                                apr_pool_t *pool)
{
    mnet_queue_item_t *item;
    int lost;
    apr_status_t rv = is_lost(mending, txn, id, &item, &lost, pool);

    if (rv || !lost) {
        return rv;
    }
    mending->mended++;
    return mnet_queue_place_again(mending->host, txn, item);
}

static apr_status_t mend_batch(void *baton, apr_pool_t *scratch)
{
    mending_t *mending = baton;
    apr_array_header_t *lost = apr_array_make(scratch, 4, sizeof(const char *));
    mnet_txn_t *txn;
    apr_status_t rv = mending->ids ? find_lost(mending, lost, scratch) : APR_SUCCESS;

    mending->ids = NULL;
    if (rv || !lost->nelts) {
        return rv;
    }
    rv = mnet_txn_begin(mending->host->engine->store, MNET_WRITE_WORK, &txn, scratch);
    if (rv) {
        return rv;
    }
    for (int i = 0; !rv && i < lost->nelts; i++) {
        rv = place_again(mending, txn, APR_ARRAY_IDX(lost, i, const char *), scratch);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_queue_mend(const mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    mending_t mending = {.host = host, .now = now};
    mnet_walk_t walk = {MNET_GROUP_QUEUE, see_item, mend_batch, &mending};
    apr_status_t rv = mnet_walk(host, &walk, pool);

    if (!rv && mending.mended) {
        mnet_log(host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1075",
                 "%s: %d items of the queue that nobody had and that were in no line are in it "
                 "again",
                 host->site->wwwroot, mending.mended);
    }
    return rv;
}
