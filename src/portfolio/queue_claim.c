/* SPDX-License-Identifier: Apache-2.0 */
/* Taking what is due, each peer in its turn. */
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/queue_int.h"

#define WAITED_FOR (2 * MNET_QUEUE_PER_PEER) /* of a peer, if somebody waits for the next */
#define HEADS_MAX  1024                      /* peers looked at for one claim, */
#define HEADS_STEP 16                        /* so many at a time */
#define LINE_MAX_  256                       /* items of a peer looked at for one claim, */
#define BAD_MAX    64                        /* peers that one claim gets over */
#define SAY_EVERY  apr_time_from_sec(3600)   /* that one cannot be read */
#define LINE_STEP  (2 * MNET_QUEUE_PER_PEER) /* so many at a time */

typedef struct claiming_t {
    const mnet_host_t *host;
    const struct mnet_queue_owner_t *owner;
    int max, again_max;
    apr_time_t now;
    apr_array_header_t *items;
    apr_pool_t *pool;
    const mnet_queue_slow_t *slow;
    int slow_max;
    int running, most;       /* of the peer that is looked at; and how many it may have */
    mnet_queue_peer_t at;    /* that one */
    apr_array_header_t *bad; /* mnet_queue_peer_t: such as cannot be read */
} claiming_t;

/* --- one peer --- */

static apr_status_t running_of(claiming_t *claiming, mnet_txn_t *txn, const mnet_queue_peer_t *peer)
{
    apr_array_header_t *leases;
    apr_status_t rv = mnet_queue_leases_of(claiming->host, txn, peer, &leases, claiming->pool);

    claiming->running = 0;
    for (int i = 0; !rv && i < leases->nelts; i++) {
        claiming->running += APR_ARRAY_IDX(leases, i, mnet_queue_lease_t).until > claiming->now;
    }
    return rv;
}

static apr_status_t begin_item(claiming_t *claiming, mnet_txn_t *txn, mnet_queue_item_t *item)
{
    mnet_queue_lease_t lease;
    apr_status_t rv = mnet_queue_lease_new(claiming->host, claiming->owner, claiming->now, &lease);

    rv = rv ? rv : mnet_queue_take(claiming->host, txn, item, &lease, claiming->pool);
    if (!rv) {
        APR_ARRAY_PUSH(claiming->items, mnet_queue_item_t *) = item;
    }
    return rv;
}

/* One that is gone, or cannot be read: then what is left of it is for mnetctl to drop. */
static apr_status_t pass_over(const claiming_t *claiming, mnet_txn_t *txn,
                              const mnet_queue_peer_t *peer, const mnet_queue_place_t *place,
                              const char *id)
{
    const mnet_host_t *host = claiming->host;
    apr_status_t rv = mnet_queue_unplace(host, txn, peer, place);

    rv = rv ? rv : mnet_queue_data_gone(host, txn, peer, id, claiming->pool);
    if (!rv) {
        mnet_log(host->engine->log, MNET_LOG_ERR, APR_SUCCESS, "MNET1076",
                 "%s: an item of the queue cannot be read and is passed over: `mnetctl queue drop "
                 "%s` removes it",
                 host->site->wwwroot, id);
    }
    return rv;
}

/* One that is due: begun, or forgotten if it was parked, or left if too many like it are. */
static apr_status_t claim_due(claiming_t *claiming, mnet_txn_t *txn, const mnet_queue_peer_t *peer,
                              const mnet_queue_place_t *place)
{
    const char *id = mnet_queue_id_text(place->bytes + 8, claiming->pool);
    const mnet_host_t *host = claiming->host;
    mnet_queue_item_t *item;
    apr_status_t rv = mnet_queue_get(host, txn, id, &item, claiming->pool);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return pass_over(claiming, txn, peer, place, id);
    }
    if (rv) {
        return rv;
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

static int has_room(const claiming_t *claiming)
{
    return claiming->items->nelts < claiming->max && claiming->running < claiming->most;
}

/* More are looked at than may be begun: behind such as have failed before and must wait are
 * others. */
static apr_status_t claim_of(claiming_t *claiming, mnet_txn_t *txn, const mnet_queue_peer_t *peer)
{
    apr_array_header_t *places =
        apr_array_make(claiming->pool, LINE_STEP, sizeof(mnet_queue_place_t));
    mnet_queue_place_t last;
    int slow = mnet_queue_is_slow(claiming->slow, peer), begun = claiming->items->nelts;
    apr_status_t rv = running_of(claiming, txn, peer);

    claiming->most = !slow ? MNET_QUEUE_PER_PEER : claiming->slow_max > 0;
    for (int seen = 0; !rv && seen < LINE_MAX_ && has_room(claiming); seen += LINE_STEP) {
        rv = mnet_queue_line(claiming->host, txn, peer, seen ? &last : NULL, claiming->now,
                             LINE_STEP, places);
        for (int i = 0; !rv && i < places->nelts && has_room(claiming); i++) {
            int had = claiming->items->nelts;

            last = APR_ARRAY_IDX(places, i, mnet_queue_place_t);
            rv = claim_due(claiming, txn, peer, &last);
            claiming->running += claiming->items->nelts - had;
        }
        if (places->nelts < LINE_STEP) {
            break;
        }
    }
    claiming->slow_max -= slow ? claiming->items->nelts - begun : 0;
    return rv;
}

/* --- all of them --- */

/* Of one peer's records, not of the store. */
static int is_of_a_peer(apr_status_t rv)
{
    return rv == APR_EINCOMPLETE || rv == MNET_E_VERSION;
}

static int is_bad(const claiming_t *claiming, const mnet_queue_peer_t *peer)
{
    for (int i = 0; i < claiming->bad->nelts; i++) {
        if (!memcmp(APR_ARRAY_IDX(claiming->bad, i, mnet_queue_peer_t).bytes, peer->bytes,
                    sizeof(peer->bytes))) {
            return 1;
        }
    }
    return 0;
}

/* What it has waits until its records are mended; the others' does not. */
static void set_bad(claiming_t *claiming, apr_status_t rv)
{
    const mnet_host_t *host = claiming->host;
    const mnet_queue_peer_t *peer = &claiming->at;
    const char *name = mnet_hex(peer->bytes, sizeof(peer->bytes), claiming->pool);

    APR_ARRAY_PUSH(claiming->bad, mnet_queue_peer_t) = *peer;
    if (mnet_shared_once(host->engine->shared, "queue-peer", name, claiming->now, SAY_EVERY)) {
        mnet_log(host->engine->log, MNET_LOG_ERR, rv, "MNET1026",
                 "%s: what the queue keeps of a peer (%s) cannot be read: its items wait",
                 host->site->wwwroot, name);
    }
}

/* The peers that have something due, the one that waits longest first.  One that has more is found
 * again behind those that wait as long: it has its share by then, or nothing that may begin. */
static apr_status_t claim_all(claiming_t *claiming, mnet_txn_t *txn)
{
    apr_array_header_t *heads =
        apr_array_make(claiming->pool, HEADS_STEP, sizeof(mnet_queue_head_t));
    mnet_queue_head_t last;
    apr_status_t rv = APR_SUCCESS;

    for (int seen = 0; !rv && seen < HEADS_MAX && claiming->items->nelts < claiming->max;
         seen += HEADS_STEP) {
        rv = mnet_queue_heads(claiming->host, txn, seen ? &last : NULL, claiming->now, HEADS_STEP,
                              heads);
        for (int i = 0; !rv && i < heads->nelts && claiming->items->nelts < claiming->max; i++) {
            mnet_queue_peer_t peer;

            last = APR_ARRAY_IDX(heads, i, mnet_queue_head_t);
            memcpy(peer.bytes, last.bytes + 8, sizeof(peer.bytes));
            if (!is_bad(claiming, &peer)) {
                claiming->at = peer;
                rv = claim_of(claiming, txn, &peer);
            }
        }
        if (heads->nelts < HEADS_STEP) {
            break;
        }
    }
    return rv;
}

/* Is anything due?  As nearly always it is not, and nothing is written. */
static apr_status_t look(const claiming_t *claiming, int *found)
{
    apr_array_header_t *heads = apr_array_make(claiming->pool, 1, sizeof(mnet_queue_head_t));
    mnet_txn_t *txn;
    apr_status_t rv =
        mnet_txn_begin(claiming->host->engine->store, MNET_READ, &txn, claiming->pool);

    if (rv) {
        return rv;
    }
    rv = mnet_queue_heads(claiming->host, txn, NULL, claiming->now, 1, heads);
    mnet_txn_abort(txn);
    *found = heads->nelts;
    return rv;
}

static apr_status_t claim_in(claiming_t *claiming)
{
    mnet_txn_t *txn;
    apr_status_t rv =
        mnet_txn_begin(claiming->host->engine->store, MNET_WRITE_WORK, &txn, claiming->pool);

    claiming->items->nelts = 0;
    if (rv) {
        return rv;
    }
    rv = claim_all(claiming, txn);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_queue_claim(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                              int max, int again_max, const struct mnet_queue_slow_t *slow,
                              apr_time_t now, apr_array_header_t **items, apr_pool_t *pool)
{
    claiming_t claiming = {host, owner, max, again_max, now};
    int found = 0;
    apr_status_t rv;

    *items = claiming.items = apr_array_make(pool, 4, sizeof(mnet_queue_item_t *));
    claiming.pool = pool;
    claiming.slow = slow;
    claiming.slow_max = slow ? slow->max : 0;
    rv = max > 0 ? look(&claiming, &found) : APR_SUCCESS;
    if (rv || !found) {
        return rv;
    }
    claiming.bad = apr_array_make(pool, 1, sizeof(mnet_queue_peer_t));
    rv = claim_in(&claiming);
    while (is_of_a_peer(rv) && claiming.bad->nelts < BAD_MAX) {
        set_bad(&claiming, rv); /* and nothing is left of what was begun with it */
        claiming.again_max = again_max;
        claiming.slow_max = slow ? slow->max : 0;
        rv = claim_in(&claiming);
    }
    if (rv) {
        claiming.items->nelts = 0;
    }
    return rv;
}

apr_status_t mnet_queue_claim_one(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                                  const char *id, const struct mnet_queue_slow_t *slow,
                                  apr_time_t now, mnet_queue_item_t **item, apr_pool_t *pool)
{
    claiming_t claiming = {host, owner, 1, 1, now};
    int most = WAITED_FOR;
    mnet_queue_peer_t peer;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE_WORK, &txn, pool);

    *item = NULL;
    if (rv) {
        return rv;
    }
    claiming.pool = pool;
    claiming.items = apr_array_make(pool, 1, sizeof(mnet_queue_item_t *));
    rv = mnet_queue_get(host, txn, id, item, pool);
    rv = rv ? rv : mnet_queue_peer(host, (*item)->peer, &peer);
    rv = rv ? rv : running_of(&claiming, txn, &peer);
    if (!rv && mnet_queue_is_slow(slow, &peer)) {
        most = slow->max > 0;
    }
    if (!rv && ((*item)->state != MNET_QUEUE_WAITING || claiming.running >= most)) {
        rv = MNET_E_BUSY;
    }
    rv = rv ? rv : begin_item(&claiming, txn, *item);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}
