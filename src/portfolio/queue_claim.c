/* SPDX-License-Identifier: Apache-2.0 */
/* Taking what is due, each peer in its turn. */
#include <string.h>

#include "base/status.h"
#include "portfolio/queue_int.h"

#define WAITED_FOR (2 * MNET_QUEUE_PER_PEER) /* of a peer, if somebody waits for the next */
#define LINES_MAX  1024                      /* peers looked at for one claim */
#define LINE_MAX_  256                       /* items of a peer looked at for one claim, */
#define LINE_STEP  (2 * MNET_QUEUE_PER_PEER) /* so many at a time */

typedef struct claiming_t {
    const mnet_host_t *host;
    const struct mnet_queue_owner_t *owner;
    int max, again_max;
    apr_time_t now;
    apr_array_header_t *items;
    apr_pool_t *pool;
    apr_array_header_t *over; /* ids of those whose lease is */
    /* of the walk that is under way */
    apr_array_header_t *found; /* mnet_queue_peer_t, or ids */
    int running;
    mnet_name_t seen; /* the next one to be seen is from here on */
} claiming_t;

static apr_status_t see_next(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                             const void *data, apr_size_t len)
{
    claiming_t *claiming = baton;
    const unsigned char *bytes = key;

    if (key_len != MNET_SITE_PREFIX + 8 + MNET_SHA256) {
        return APR_SUCCESS;
    }
    if (mnet_queue_read_time(bytes + MNET_SITE_PREFIX) > claiming->now ||
        claiming->found->nelts == LINES_MAX) {
        return APR_EOF;
    }
    memcpy(apr_array_push(claiming->found), bytes + MNET_SITE_PREFIX + 8, MNET_SHA256);
    return APR_SUCCESS;
}

static apr_status_t see_over(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                             const void *data, apr_size_t len)
{
    claiming_t *claiming = baton;
    const unsigned char *bytes = key;
    mnet_queue_lease_t lease;

    if (key_len == MNET_SITE_PREFIX + MNET_SHA256 + MNET_QUEUE_ID_BYTES &&
        (!mnet_queue_lease_read(data, len, &lease, claiming->pool) ||
         lease.until <= claiming->now)) {
        APR_ARRAY_PUSH(claiming->over, const char *) =
            mnet_queue_id_text(bytes + MNET_SITE_PREFIX + MNET_SHA256, claiming->pool);
    }
    return APR_SUCCESS;
}

/* There are no more leases than threads in all processes. */
static apr_status_t find_over(claiming_t *claiming, mnet_txn_t *txn)
{
    mnet_name_t site;

    mnet_name_begin(claiming->host, &site);
    claiming->over = apr_array_make(claiming->pool, 4, sizeof(const char *));
    return mnet_txn_each(txn, MNET_GROUP_RUN, site.bytes, site.len, NULL, 0, see_over, claiming);
}

/* It waits again, as what it is: one that was begun before. */
static apr_status_t line_up(claiming_t *claiming, mnet_txn_t *txn, const char *id)
{
    const mnet_host_t *host = claiming->host;
    mnet_queue_item_t *item;
    apr_status_t rv = mnet_queue_get(host, txn, id, &item, claiming->pool);

    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    rv = mnet_queue_lease_del(host, txn, item);
    if (!rv && item->state == MNET_QUEUE_RUNNING) {
        apr_time_t due = item->due < claiming->now ? item->due : claiming->now;

        rv = mnet_queue_move(host, txn, item, MNET_QUEUE_WAITING, due, claiming->pool);
    }
    return rv;
}

/* The peers that have something due, the one that waits longest first. */
static apr_status_t due_peers(claiming_t *claiming, mnet_txn_t *txn)
{
    mnet_name_t site;

    mnet_name_begin(claiming->host, &site);
    claiming->found = apr_array_make(claiming->pool, 16, sizeof(mnet_queue_peer_t));
    return mnet_txn_each(txn, MNET_GROUP_NEXT, site.bytes, site.len, NULL, 0, see_next, claiming);
}

static apr_status_t see_running(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                                const void *data, apr_size_t len)
{
    claiming_t *claiming = baton;
    mnet_queue_lease_t lease;

    if (mnet_queue_lease_read(data, len, &lease, claiming->pool) && lease.until > claiming->now) {
        claiming->running++;
    }
    return APR_SUCCESS;
}

static apr_status_t see_waiting(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                                const void *data, apr_size_t len)
{
    claiming_t *claiming = baton;
    const unsigned char *bytes = key;

    if (key_len != MNET_SITE_PREFIX + MNET_SHA256 + 8 + MNET_QUEUE_ID_BYTES) {
        return APR_SUCCESS;
    }
    bytes += MNET_SITE_PREFIX + MNET_SHA256;
    if (mnet_queue_read_time(bytes) > claiming->now || claiming->found->nelts == LINE_STEP) {
        return APR_EOF;
    }
    claiming->seen.len = 0;
    mnet_name_add(&claiming->seen, key, key_len);
    mnet_name_add(&claiming->seen, "", 1); /* the least name above it */
    APR_ARRAY_PUSH(claiming->found, const char *) = mnet_queue_id_text(bytes + 8, claiming->pool);
    return APR_SUCCESS;
}

static apr_status_t running_of(claiming_t *claiming, mnet_txn_t *txn, const mnet_name_t *line)
{
    claiming->running = 0;
    return mnet_txn_each(txn, MNET_GROUP_RUN, line->bytes, line->len, NULL, 0, see_running,
                         claiming);
}

static apr_status_t begin_item(claiming_t *claiming, mnet_txn_t *txn, mnet_queue_item_t *item)
{
    mnet_queue_lease_t lease = {*claiming->owner, claiming->now + MNET_QUEUE_LEASE};
    apr_status_t rv;

    item->attempts++;
    rv = mnet_queue_lease_put(claiming->host, txn, item, &lease, claiming->pool);
    rv = rv ? rv
            : mnet_queue_move(claiming->host, txn, item, MNET_QUEUE_RUNNING, lease.until,
                              claiming->pool);
    if (!rv) {
        APR_ARRAY_PUSH(claiming->items, mnet_queue_item_t *) = item;
    }
    return rv;
}

/* One that is due: begun, or forgotten if it was parked, or left if too many like it are. */
static apr_status_t claim_due(claiming_t *claiming, mnet_txn_t *txn, const char *id)
{
    const mnet_host_t *host = claiming->host;
    mnet_queue_item_t *item;
    apr_status_t rv = mnet_queue_get(host, txn, id, &item, claiming->pool);

    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    if (item->state == MNET_QUEUE_PARKED) {
        mnet_log(host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1001",
                 "%s: %s of %s (%s) was parked for too long and is forgotten: %s",
                 host->site->wwwroot, item->kind, mnet_say(item->peer, claiming->pool), item->id,
                 mnet_say(item->reason, claiming->pool));
        return mnet_queue_forget(host, txn, item, claiming->pool);
    }
    if (item->attempts > 0 && claiming->again_max-- <= 0) {
        return APR_SUCCESS;
    }
    return begin_item(claiming, txn, item);
}

/* Of those that were found, as many as may be. */
static apr_status_t claim_found(claiming_t *claiming, mnet_txn_t *txn)
{
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; !rv && i < claiming->found->nelts && claiming->items->nelts < claiming->max &&
                    claiming->running < MNET_QUEUE_PER_PEER;
         i++) {
        int had = claiming->items->nelts;

        rv = claim_due(claiming, txn, APR_ARRAY_IDX(claiming->found, i, const char *));
        claiming->running += claiming->items->nelts - had;
    }
    return rv;
}

static apr_status_t claim_of(claiming_t *claiming, mnet_txn_t *txn, const mnet_queue_peer_t *peer)
{
    const mnet_host_t *host = claiming->host;
    mnet_name_t line;
    int looked_at = 0;
    apr_status_t rv;

    mnet_name_begin(host, &line);
    mnet_name_add(&line, peer->bytes, sizeof(peer->bytes));
    rv = running_of(claiming, txn, &line);
    if (rv || claiming->running >= MNET_QUEUE_PER_PEER) {
        return rv;
    }
    /* More than may be begun: behind such as have failed before and must wait are others. */
    claiming->seen = line;
    claiming->found = apr_array_make(claiming->pool, LINE_STEP, sizeof(const char *));
    do {
        claiming->found->nelts = 0;
        rv = mnet_txn_each(txn, MNET_GROUP_LINE, line.bytes, line.len, claiming->seen.bytes,
                           claiming->seen.len, see_waiting, claiming);
        rv = rv ? rv : claim_found(claiming, txn);
        looked_at += LINE_STEP;
    } while (!rv && claiming->found->nelts == LINE_STEP && looked_at < LINE_MAX_ &&
             claiming->items->nelts < claiming->max && claiming->running < MNET_QUEUE_PER_PEER);
    return rv;
}

apr_status_t mnet_queue_claim(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                              int max, int again_max, apr_time_t now, apr_array_header_t **items,
                              apr_pool_t *pool)
{
    claiming_t claiming = {host, owner, max, again_max, now};
    apr_array_header_t *peers;
    mnet_txn_t *txn;
    apr_status_t rv;

    *items = claiming.items = apr_array_make(pool, 4, sizeof(mnet_queue_item_t *));
    claiming.pool = pool;
    rv = max > 0 ? mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool) : APR_EOF;
    if (rv) {
        return rv == APR_EOF ? APR_SUCCESS : rv;
    }
    rv = find_over(&claiming, txn);
    rv = rv ? rv : due_peers(&claiming, txn);
    mnet_txn_abort(txn);
    if (rv || (!claiming.found->nelts && !claiming.over->nelts)) {
        return rv; /* as nearly always, without a write */
    }
    rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);
    if (rv) {
        return rv;
    }
    rv = find_over(&claiming, txn);
    for (int i = 0; !rv && i < claiming.over->nelts; i++) {
        rv = line_up(&claiming, txn, APR_ARRAY_IDX(claiming.over, i, const char *));
    }
    rv = rv ? rv : due_peers(&claiming, txn);
    peers = claiming.found;
    for (int i = 0; !rv && i < peers->nelts && claiming.items->nelts < max; i++) {
        rv = claim_of(&claiming, txn, &APR_ARRAY_IDX(peers, i, mnet_queue_peer_t));
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    if (rv) {
        claiming.items->nelts = 0;
    }
    return rv;
}

apr_status_t mnet_queue_claim_one(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                                  const char *id, apr_time_t now, mnet_queue_item_t **item,
                                  apr_pool_t *pool)
{
    claiming_t claiming = {host, owner, 1, 1, now};
    mnet_queue_peer_t peer;
    mnet_name_t line;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);

    *item = NULL;
    if (rv) {
        return rv;
    }
    claiming.pool = pool;
    claiming.items = apr_array_make(pool, 1, sizeof(mnet_queue_item_t *));
    rv = mnet_queue_get(host, txn, id, item, pool);
    rv = rv ? rv : mnet_queue_peer(host, (*item)->peer, &peer);
    if (!rv) {
        mnet_name_begin(host, &line);
        mnet_name_add(&line, peer.bytes, sizeof(peer.bytes));
        rv = running_of(&claiming, txn, &line);
    }
    if (!rv && ((*item)->state != MNET_QUEUE_WAITING || claiming.running >= WAITED_FOR)) {
        rv = MNET_E_BUSY;
    }
    rv = rv ? rv : begin_item(&claiming, txn, *item);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}
