/* SPDX-License-Identifier: Apache-2.0 */
/* Who works on what, and until when. */
#include <apr_strings.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/queue_int.h"

#define VERSION     1
#define SHOWN_EVERY apr_time_from_sec(1)
#define WAITED_FOR  (2 * MNET_QUEUE_PER_PEER) /* of a peer, if somebody waits for the next */
#define LINES_MAX   1024                      /* peers looked at for one claim */
#define LINE_MAX_   256                       /* items of a peer looked at for one claim, */
#define LINE_STEP   (2 * MNET_QUEUE_PER_PEER) /* so many at a time */

/* --- the record of a lease --- */

static apr_status_t lease_name(const mnet_host_t *host, const mnet_queue_item_t *item,
                               mnet_name_t *name)
{
    unsigned char id[MNET_QUEUE_ID_BYTES] = {0};
    mnet_queue_peer_t peer;
    apr_status_t rv = mnet_queue_peer(host, item->peer, &peer);

    rv = rv ? rv : mnet_queue_id(item->id, id);
    mnet_name_begin(host, name);
    mnet_name_add(name, peer.bytes, sizeof(peer.bytes));
    mnet_name_add(name, id, sizeof(id));
    return rv;
}

apr_status_t mnet_queue_lease_put(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, const mnet_queue_lease_t *lease,
                                  apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(VERSION, pool);
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv = lease_name(host, item, &name);

    mnet_pack_i64(pack, lease->owner.pid);
    mnet_pack_i64(pack, lease->owner.nonce);
    mnet_pack_i64(pack, lease->until);
    data = mnet_pack_end(pack, &len);
    return rv ? rv : mnet_txn_put(txn, MNET_GROUP_RUN, name.bytes, name.len, data, len);
}

apr_status_t mnet_queue_lease_del(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item)
{
    mnet_name_t name;
    apr_status_t rv = lease_name(host, item, &name);

    rv = rv ? rv : mnet_txn_del(txn, MNET_GROUP_RUN, name.bytes, name.len);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

int mnet_queue_lease_read(const void *data, apr_size_t len, mnet_queue_lease_t *lease,
                          apr_pool_t *pool)
{
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, VERSION, pool);

    lease->owner.pid = mnet_unpack_i64(&unpack);
    lease->owner.nonce = mnet_unpack_i64(&unpack);
    lease->until = mnet_unpack_i64(&unpack);
    return !rv && !mnet_unpack_end(&unpack);
}

apr_status_t mnet_queue_lease_get(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, mnet_queue_lease_t *lease,
                                  apr_pool_t *pool)
{
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv = lease_name(host, item, &name);

    rv = rv ? rv : mnet_txn_get(txn, MNET_GROUP_RUN, name.bytes, name.len, &data, &len);
    if (rv) {
        return rv;
    }
    return mnet_queue_lease_read(data, len, lease, pool) ? APR_SUCCESS : APR_NOTFOUND;
}

static int same_owner(const struct mnet_queue_owner_t *a, const struct mnet_queue_owner_t *b)
{
    return a->pid == b->pid && a->nonce == b->nonce;
}

static apr_status_t check_ours(const mnet_host_t *host, mnet_txn_t *txn,
                               const struct mnet_queue_owner_t *owner,
                               const mnet_queue_item_t *item, apr_pool_t *pool)
{
    mnet_queue_lease_t lease;
    apr_status_t rv = mnet_queue_lease_get(host, txn, item, &lease, pool);

    if (APR_STATUS_IS_NOTFOUND(rv) || (!rv && !same_owner(owner, &lease.owner))) {
        return MNET_E_REFUSED;
    }
    return rv;
}

apr_status_t mnet_queue_owner(struct mnet_queue_owner_t *owner, const mnet_crypto_t *crypto)
{
    unsigned char bytes[8];
    apr_status_t rv = mnet_random(crypto, bytes, sizeof(bytes));

    owner->pid = getpid();
    memcpy(&owner->nonce, bytes, sizeof(bytes));
    return rv;
}

/* --- claiming --- */

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

/* --- during the work --- */

apr_status_t mnet_queue_renew(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                              const mnet_queue_item_t *item, apr_time_t now, apr_pool_t *pool)
{
    mnet_queue_lease_t lease = {*owner, now + MNET_QUEUE_LEASE};
    mnet_queue_item_t *current;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = check_ours(host, txn, owner, item, pool);
    rv = rv ? rv : mnet_queue_get(host, txn, item->id, &current, pool);
    rv = rv ? rv : mnet_queue_lease_put(host, txn, item, &lease, pool);
    rv = rv ? rv : mnet_queue_move(host, txn, current, current->state, lease.until, pool);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

int mnet_queue_stopping(const mnet_queue_run_t *run)
{
    return run->stopping && *run->stopping;
}

static apr_status_t show(mnet_queue_run_t *run, apr_off_t done, apr_off_t total, apr_time_t now,
                         apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(VERSION, pool);
    unsigned char id[MNET_QUEUE_ID_BYTES] = {0};
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_queue_id(run->item->id, id);

    mnet_pack_i64(pack, done);
    mnet_pack_i64(pack, total);
    mnet_pack_i64(pack, now);
    data = mnet_pack_end(pack, &len);
    mnet_name_begin(run->host, &name);
    mnet_name_add(&name, id, sizeof(id));
    rv = rv ? rv : mnet_txn_begin(run->host->engine->store, MNET_WRITE, &txn, pool);
    if (rv) {
        return rv;
    }
    rv = check_ours(run->host, txn, &run->owner, run->item, pool);
    rv = rv ? rv : mnet_txn_put(txn, MNET_GROUP_DONE, name.bytes, name.len, data, len);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_queue_progress(mnet_queue_run_t *run, apr_off_t done, apr_off_t total)
{
    apr_time_t now = apr_time_now();
    apr_pool_t *pool;
    apr_status_t rv;

    if (mnet_queue_stopping(run)) {
        return MNET_E_REFUSED;
    }
    if (now >= run->shown && now - run->shown < SHOWN_EVERY) {
        return APR_SUCCESS;
    }
    run->shown = now;
    rv = apr_pool_create(&pool, run->pool);
    if (rv) {
        return APR_SUCCESS; /* nobody sees it, that is all */
    }
    rv = show(run, done, total, now, pool);
    apr_pool_destroy(pool);
    return rv == MNET_E_REFUSED ? rv : APR_SUCCESS;
}

apr_status_t mnet_queue_holds(mnet_queue_run_t *run, mnet_txn_t *txn)
{
    return check_ours(run->host, txn, &run->owner, run->item, run->pool);
}

apr_status_t mnet_queue_done_in(mnet_queue_run_t *run, mnet_txn_t *txn)
{
    mnet_queue_item_t *item;
    apr_status_t rv = mnet_queue_holds(run, txn);

    rv = rv ? rv : mnet_queue_get(run->host, txn, run->item->id, &item, run->pool);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return MNET_E_REFUSED;
    }
    return rv ? rv : mnet_queue_remove(run->host, txn, item, run->pool);
}

/* --- after it --- */

static apr_interval_time_t interval_of(const mnet_host_t *host)
{
    const mnet_portfolio_options_t *options = host->site->portfolio;

    return options && options->interval > 0 ? options->interval : apr_time_from_sec(300);
}

static apr_interval_time_t expire_of(const mnet_host_t *host)
{
    const mnet_portfolio_options_t *options = host->site->portfolio;

    return options && options->expire > 0 ? options->expire : apr_time_from_sec(7 * 86400);
}

/* The interval, twice that, four times ..., give or take a fifth, so that what failed together
 * does not come back together. */
apr_time_t mnet_queue_backoff(const mnet_host_t *host, int attempts, apr_time_t now)
{
    apr_interval_time_t wait = interval_of(host);
    unsigned char dice[2] = {0x80, 0};

    for (int i = 1; i < attempts && wait < MNET_QUEUE_LATEST; i++) {
        wait *= 2;
    }
    wait = wait < MNET_QUEUE_LATEST ? wait : MNET_QUEUE_LATEST;
    (void)mnet_random(host->engine->crypto, dice, sizeof(dice));
    wait += wait / 5 * ((int)(dice[0] << 8 | dice[1]) - 32768) / 32768;
    return mnet_ahead(now, wait);
}

static void after_failure(const mnet_host_t *host, mnet_queue_item_t *item,
                          mnet_queue_outcome_e outcome, const char *reason, apr_time_t now,
                          mnet_queue_state_e *state, apr_time_t *due, apr_pool_t *pool)
{
    int most = outcome == MNET_QUEUE_WRONG ? MNET_QUEUE_WRONGS : MNET_QUEUE_ATTEMPTS;
    int park = outcome == MNET_QUEUE_PARK || item->attempts >= most ||
               now >= mnet_ahead(item->created, expire_of(host));

    item->reason = reason && *reason ? apr_pstrndup(pool, reason, MNET_QUEUE_REASON) : "unknown";
    item->failed = now;
    *state = park ? MNET_QUEUE_PARKED : MNET_QUEUE_WAITING;
    *due = park ? mnet_ahead(now, expire_of(host)) : mnet_queue_backoff(host, item->attempts, now);
}

static apr_status_t settle(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                           mnet_queue_outcome_e outcome, const char *reason, int stopped,
                           apr_time_t now, apr_pool_t *pool)
{
    mnet_queue_state_e state = MNET_QUEUE_WAITING;
    apr_time_t due = now;
    apr_status_t rv;

    if (outcome == MNET_QUEUE_DONE) {
        return mnet_queue_remove(host, txn, item, pool);
    }
    if (outcome == MNET_QUEUE_GONE) {
        return mnet_queue_forget(host, txn, item, pool);
    }
    rv = mnet_queue_lease_del(host, txn, item);
    if (stopped) {
        item->attempts -= item->attempts > 0;
    } else {
        after_failure(host, item, outcome, reason, now, &state, &due, pool);
    }
    return rv ? rv : mnet_queue_move(host, txn, item, state, due, pool);
}

apr_status_t mnet_queue_give_back(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                                  const mnet_queue_item_t *item, mnet_queue_outcome_e outcome,
                                  const char *reason, int stopped, apr_time_t now, int *state,
                                  apr_pool_t *pool)
{
    mnet_queue_item_t *current = NULL;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);

    *state = -1;
    if (rv) {
        return rv;
    }
    rv = check_ours(host, txn, owner, item, pool);
    rv = rv ? rv : mnet_queue_get(host, txn, item->id, &current, pool);
    rv = rv ? rv : settle(host, txn, current, outcome, reason, stopped, now, pool);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    if (!rv && outcome != MNET_QUEUE_DONE && outcome != MNET_QUEUE_GONE) {
        *state = current->state;
    }
    /* Done in the kind's own transaction, or dropped meanwhile: nothing is left to settle. */
    return rv == MNET_E_REFUSED || APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

apr_status_t mnet_queue_again(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                              apr_time_t now, apr_pool_t *pool)
{
    if (item->state == MNET_QUEUE_RUNNING) {
        return MNET_E_BUSY;
    }
    item->attempts = 0;
    item->created = now; /* its time begins anew as well */
    return mnet_queue_move(host, txn, item, MNET_QUEUE_WAITING, now, pool);
}

apr_status_t mnet_queue_retry(const mnet_host_t *host, const char *id, apr_time_t now,
                              apr_pool_t *pool)
{
    mnet_queue_item_t *item;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = mnet_queue_get(host, txn, id, &item, pool);
    rv = rv ? rv : mnet_queue_again(host, txn, item, now, pool);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

/* --- processes that are gone --- */

typedef struct reaping_t {
    const struct mnet_queue_owner_t *owner;
    apr_array_header_t *ids;
    apr_pool_t *pool;
} reaping_t;

/* One with our own process id but another number is of a process before us. */
static int is_gone(const struct mnet_queue_owner_t *owner, const struct mnet_queue_owner_t *us)
{
    if (owner->pid == us->pid) {
        return owner->nonce != us->nonce;
    }
    return owner->pid <= 0 || (kill((pid_t)owner->pid, 0) != 0 && errno == ESRCH);
}

static apr_status_t see_lease(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    reaping_t *reaping = baton;
    const unsigned char *bytes = key;
    mnet_queue_lease_t lease;

    if (key_len == MNET_SITE_PREFIX + MNET_SHA256 + MNET_QUEUE_ID_BYTES &&
        (!mnet_queue_lease_read(data, len, &lease, reaping->pool) ||
         is_gone(&lease.owner, reaping->owner))) {
        APR_ARRAY_PUSH(reaping->ids, const char *) =
            mnet_queue_id_text(bytes + MNET_SITE_PREFIX + MNET_SHA256, reaping->pool);
    }
    return APR_SUCCESS;
}

static apr_status_t find_gone(const mnet_host_t *host, mnet_txn_t *txn, reaping_t *reaping)
{
    mnet_name_t site;

    mnet_name_begin(host, &site);
    reaping->ids->nelts = 0;
    return mnet_txn_each(txn, MNET_GROUP_RUN, site.bytes, site.len, NULL, 0, see_lease, reaping);
}

static apr_status_t take_back(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                              apr_time_t now, apr_pool_t *pool)
{
    mnet_queue_item_t *item;
    apr_status_t rv = mnet_queue_get(host, txn, id, &item, pool);

    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    mnet_log(host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1002",
             "%s: a process ended in the middle of %s of %s (%s): it is begun again",
             host->site->wwwroot, item->kind, mnet_say(item->peer, pool), item->id);
    rv = mnet_queue_lease_del(host, txn, item);
    if (!rv && item->state == MNET_QUEUE_RUNNING) {
        rv = mnet_queue_move(host, txn, item, MNET_QUEUE_WAITING, now, pool);
    }
    return rv;
}

apr_status_t mnet_queue_reap(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                             apr_time_t now, apr_pool_t *pool)
{
    reaping_t reaping = {owner, apr_array_make(pool, 4, sizeof(const char *)), pool};
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = find_gone(host, txn, &reaping);
    mnet_txn_abort(txn);
    if (rv || !reaping.ids->nelts) {
        return rv;
    }
    rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);
    if (rv) {
        return rv;
    }
    rv = find_gone(host, txn, &reaping);
    for (int i = 0; !rv && i < reaping.ids->nelts; i++) {
        rv = take_back(host, txn, APR_ARRAY_IDX(reaping.ids, i, const char *), now, pool);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}
