/* SPDX-License-Identifier: Apache-2.0 */
/* Who works on what: we, or a process that is gone. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "portfolio/queue_int.h"

#define ATTEMPT ((apr_int64_t)0xffffffff) /* of a nonce */

static int same_process(const struct mnet_queue_owner_t *a, const struct mnet_queue_owner_t *b)
{
    return a->pid == b->pid && (a->nonce & ~ATTEMPT) == (b->nonce & ~ATTEMPT);
}

static int is_of(const mnet_queue_lease_t *lease, const struct mnet_queue_owner_t *owner,
                 const mnet_queue_item_t *item)
{
    return same_process(&lease->owner, owner) && lease->owner.nonce == item->lease;
}

apr_status_t mnet_queue_lease_new(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                                  apr_time_t now, mnet_queue_lease_t *lease)
{
    apr_uint32_t attempt = 0;
    apr_status_t rv = mnet_random(host->engine->crypto, (unsigned char *)&attempt, sizeof(attempt));

    *lease = (mnet_queue_lease_t){*owner, now + MNET_QUEUE_LEASE};
    lease->owner.nonce = (owner->nonce & ~ATTEMPT) | (apr_int64_t)attempt;
    return rv;
}

apr_status_t mnet_queue_check_ours(const mnet_host_t *host, mnet_txn_t *txn,
                                   const struct mnet_queue_owner_t *owner,
                                   const mnet_queue_item_t *item, apr_pool_t *pool)
{
    mnet_queue_lease_t lease;
    apr_status_t rv = mnet_queue_lease_get(host, txn, item, &lease, pool);

    if (APR_STATUS_IS_NOTFOUND(rv) || (!rv && !is_of(&lease, owner, item))) {
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
    owner->nonce &= ~ATTEMPT;
    return rv;
}

/* --- processes that are gone --- */

/* One with our own process id but another number is of a process before us. */
static int is_gone(const struct mnet_queue_owner_t *owner, const struct mnet_queue_owner_t *us)
{
    if (owner->pid == us->pid) {
        return !same_process(owner, us);
    }
    return owner->pid <= 0 || (kill((pid_t)owner->pid, 0) != 0 && errno == ESRCH);
}

typedef struct reaping_t {
    const struct mnet_queue_owner_t *us;
    const apr_array_header_t *under_way; /* mnet_queue_item_t *, or NULL */
    apr_time_t now;
} reaping_t;

/* However its time stands: clocks are set, and the beat may be late. */
static int is_under_way(const reaping_t *reaping, const mnet_queue_lease_t *lease)
{
    for (int i = 0; reaping->under_way && i < reaping->under_way->nelts; i++) {
        if (is_of(lease, reaping->us,
                  APR_ARRAY_IDX(reaping->under_way, i, const mnet_queue_item_t *))) {
            return 1;
        }
    }
    return 0;
}

/* Leases that are no good: mnet_queue_lease_t. */
static apr_status_t find_bad(const mnet_host_t *host, mnet_txn_t *txn, const reaping_t *reaping,
                             apr_array_header_t *bad, apr_pool_t *pool)
{
    apr_array_header_t *leases;
    apr_status_t rv = mnet_queue_leases(host, txn, &leases, pool);

    bad->nelts = 0;
    for (int i = 0; !rv && i < leases->nelts; i++) {
        const mnet_queue_lease_t *lease = &APR_ARRAY_IDX(leases, i, mnet_queue_lease_t);

        if ((lease->until <= reaping->now || is_gone(&lease->owner, reaping->us)) &&
            !is_under_way(reaping, lease)) {
            APR_ARRAY_PUSH(bad, mnet_queue_lease_t) = *lease;
        }
    }
    return rv;
}

static apr_status_t take_back(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_lease_t *lease, apr_time_t now, apr_pool_t *pool)
{
    const char *id = mnet_queue_id_text(lease->id, pool);
    mnet_queue_item_t *item;
    apr_status_t rv = mnet_queue_get(host, txn, id, &item, pool);

    if (APR_STATUS_IS_NOTFOUND(rv)) { /* gone, or it cannot be read */
        rv = mnet_queue_lease_forget(host, txn, lease, pool);
        return rv ? rv : mnet_queue_data_gone(host, txn, &lease->peer, id, pool);
    }
    if (rv) {
        return rv;
    }
    mnet_log(host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1002",
             "%s: a process ended or hung in the middle of %s of %s (%s): it is begun again",
             host->site->wwwroot, item->kind, mnet_say(item->peer, pool), item->id);
    return mnet_queue_back(host, txn, item, now, pool);
}

apr_status_t mnet_queue_reap(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                             const apr_array_header_t *under_way, apr_time_t now, apr_pool_t *pool)
{
    reaping_t reaping = {owner, under_way, now};
    apr_array_header_t *bad = apr_array_make(pool, 4, sizeof(mnet_queue_lease_t));
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = find_bad(host, txn, &reaping, bad, pool);
    mnet_txn_abort(txn);
    if (rv || !bad->nelts) {
        return rv;
    }
    rv = mnet_txn_begin(host->engine->store, MNET_WRITE_WORK, &txn, pool);
    if (rv) {
        return rv;
    }
    rv = find_bad(host, txn, &reaping, bad, pool);
    for (int i = 0; !rv && i < bad->nelts; i++) {
        rv = take_back(host, txn, &APR_ARRAY_IDX(bad, i, mnet_queue_lease_t), now, pool);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}
