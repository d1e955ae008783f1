/* SPDX-License-Identifier: Apache-2.0 */
/* An item under way: its progress, its end, or when it is tried again. */
#include <apr_atomic.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/steady.h"
#include "base/text.h"
#include "portfolio/queue_int.h"

#define SHOWN_EVERY apr_time_from_sec(1)
#define MOVES       ((apr_off_t)8 * 1024) /* bytes: fewer are nothing */

/* --- during the work --- */

apr_status_t mnet_queue_renew(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                              const mnet_queue_item_t *item, apr_time_t now, apr_pool_t *pool)
{
    mnet_queue_lease_t lease = {{owner->pid, item->lease}, now + MNET_QUEUE_LEASE};
    mnet_queue_item_t *current;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE_WORK, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = mnet_queue_check_ours(host, txn, owner, item, pool);
    rv = rv ? rv : mnet_queue_get(host, txn, item->id, &current, pool);
    if (!rv) {
        lease.attempts = current->attempts;
        rv = mnet_queue_lease_put(host, txn, item, &lease, pool);
    }
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
    mnet_pack_t *pack = mnet_pack_create(MNET_QUEUE_SHOWN, pool);
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_queue_name(run->host, run->item->id, &name);

    mnet_pack_i64(pack, done);
    mnet_pack_i64(pack, total);
    mnet_pack_i64(pack, now);
    data = mnet_pack_end(pack, &len);
    rv = rv ? rv : mnet_txn_begin(run->host->engine->store, MNET_WRITE_WORK, &txn, pool);
    if (rv) {
        return rv;
    }
    rv = mnet_queue_check_ours(run->host, txn, &run->owner, run->item, pool);
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
    if (run->moved && (done < run->had || done - run->had >= MOVES)) {
        run->had = done;
        apr_atomic_set32(run->moved, (apr_uint32_t)apr_time_sec(mnet_steady()));
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
    return mnet_queue_check_ours(run->host, txn, &run->owner, run->item, run->pool);
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
    item->created = item->created < now ? item->created : now; /* the clock was set back */
    *state = park ? MNET_QUEUE_PARKED : MNET_QUEUE_WAITING;
    *due = park ? mnet_ahead(now, expire_of(host)) : mnet_queue_backoff(host, item->attempts, now);
}

static apr_status_t settle(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                           mnet_queue_outcome_e outcome, const char *reason, int stopped,
                           apr_time_t now, apr_pool_t *pool)
{
    mnet_queue_state_e state;
    apr_time_t due;

    if (outcome == MNET_QUEUE_DONE) {
        return mnet_queue_remove(host, txn, item, pool);
    }
    if (outcome == MNET_QUEUE_GONE) {
        return mnet_queue_forget(host, txn, item, pool);
    }
    if (stopped) {
        item->attempts -= item->attempts > 0;
        return mnet_queue_back(host, txn, item, now, pool);
    }
    after_failure(host, item, outcome, reason, now, &state, &due, pool);
    return mnet_queue_move(host, txn, item, state, due, pool);
}

apr_status_t mnet_queue_give_back(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                                  const mnet_queue_item_t *item, mnet_queue_outcome_e outcome,
                                  const char *reason, int stopped, apr_time_t now, int *state,
                                  apr_pool_t *pool)
{
    mnet_queue_item_t *current = NULL;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE_WORK, &txn, pool);

    *state = -1;
    if (rv) {
        return rv;
    }
    rv = mnet_queue_check_ours(host, txn, owner, item, pool);
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
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE_WORK, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = mnet_queue_get(host, txn, id, &item, pool);
    rv = rv ? rv : mnet_queue_again(host, txn, item, now, pool);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}
