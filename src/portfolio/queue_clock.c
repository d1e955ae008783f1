/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock that was set back: what waits for a time of the old clock would wait for as long as that
 * was ahead.  Nothing can have come or failed in the future, so that tells the items it is about.
 */
#include "base/status.h"
#include "portfolio/queue_int.h"

#define LITTLE apr_time_from_sec(60) /* not worth it */

typedef struct retiming_t {
    const mnet_host_t *host;
    apr_time_t now;
    apr_array_header_t *ids; /* of this batch */
    int moved;
} retiming_t;

/* How far ahead the clock was when the item was last touched. */
static apr_interval_time_t ahead_of(const mnet_queue_item_t *item, apr_time_t now)
{
    apr_time_t last = item->created > item->failed ? item->created : item->failed;

    return last > now ? last - now : 0;
}

static apr_status_t see_item(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                             apr_pool_t *scratch)
{
    retiming_t *retiming = baton;
    mnet_queue_item_t *item;

    if (!retiming->ids) {
        retiming->ids = apr_array_make(scratch, 16, sizeof(const char *));
    }
    if (name->len != MNET_SITE_PREFIX + MNET_QUEUE_ID_BYTES) {
        return APR_SUCCESS;
    }
    item = mnet_queue_read(retiming->host, name->bytes + MNET_SITE_PREFIX, data, len, scratch);
    if (item && ahead_of(item, retiming->now) > LITTLE) {
        APR_ARRAY_PUSH(retiming->ids, const char *) = item->id;
    }
    return APR_SUCCESS;
}

/* It waits for as long as it was to wait then, from now on. */
static apr_status_t retime(retiming_t *retiming, mnet_txn_t *txn, const char *id, apr_pool_t *pool)
{
    apr_time_t now = retiming->now;
    apr_interval_time_t ahead;
    mnet_queue_item_t *item;
    apr_status_t rv = mnet_queue_get(retiming->host, txn, id, &item, pool);

    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    ahead = ahead_of(item, now);
    if (item->state == MNET_QUEUE_RUNNING || !ahead) {
        return APR_SUCCESS; /* its process gives it another time */
    }
    item->created = item->created < now ? item->created : now;
    item->failed = item->failed < now ? item->failed : now;
    retiming->moved++;
    return mnet_queue_move(retiming->host, txn, item, item->state,
                           item->due > now + ahead ? item->due - ahead : now, pool);
}

static apr_status_t done(void *baton, apr_pool_t *scratch)
{
    retiming_t *retiming = baton;
    apr_array_header_t *ids = retiming->ids;
    mnet_txn_t *txn;
    apr_status_t rv;

    retiming->ids = NULL;
    if (!ids || !ids->nelts) {
        return APR_SUCCESS;
    }
    rv = mnet_txn_begin(retiming->host->engine->store, MNET_WRITE_WORK, &txn, scratch);
    if (rv) {
        return rv;
    }
    for (int i = 0; !rv && i < ids->nelts; i++) {
        rv = retime(retiming, txn, APR_ARRAY_IDX(ids, i, const char *), scratch);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_queue_retime(const mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    retiming_t retiming = {host, now, NULL, 0};
    mnet_walk_t walk = {MNET_GROUP_QUEUE, see_item, done, &retiming};
    apr_status_t rv = mnet_walk(host, &walk, pool);

    if (!rv && retiming.moved) {
        mnet_log(host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1025",
                 "%s: the clock was set back: %d items of the queue that waited for the old time "
                 "wait for the new one",
                 host->site->wwwroot, retiming.moved);
    }
    return rv;
}
