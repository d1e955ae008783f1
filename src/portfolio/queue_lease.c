/* SPDX-License-Identifier: Apache-2.0 */
/* Who works on what, and until when. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "portfolio/queue_int.h"

#define VERSION 1

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

apr_status_t mnet_queue_check_ours(const mnet_host_t *host, mnet_txn_t *txn,
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
