/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a peer, in one record beside its line: its bytes, and who works on its items. */
#include <string.h>

#include "base/status.h"
#include "portfolio/queue_int.h"
#include "trust/texts.h"

#define VERSION    1
#define LEASES_MAX 1000 /* more than there can be threads at work for one peer */

typedef struct peer_t {
    apr_int64_t bytes;          /* of payload */
    apr_array_header_t *leases; /* mnet_queue_lease_t */
} peer_t;

/* --- the record --- */

static apr_status_t decode(const void *data, apr_size_t len, peer_t *peer, apr_pool_t *pool)
{
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, VERSION, pool);
    int count;

    peer->bytes = mnet_unpack_i64(&unpack);
    count = (int)mnet_number_unpack(&unpack, 0, LEASES_MAX);
    peer->leases = apr_array_make(pool, count + 1, sizeof(mnet_queue_lease_t));
    for (int i = 0; i < count && !unpack.bad; i++) {
        mnet_queue_lease_t *lease = apr_array_push(peer->leases);
        apr_size_t id_len;
        const unsigned char *id = mnet_unpack_bytes(&unpack, &id_len);

        unpack.bad |= !id || id_len != sizeof(lease->id);
        if (!unpack.bad) {
            memcpy(lease->id, id, sizeof(lease->id));
        }
        lease->owner.pid = mnet_unpack_i64(&unpack);
        lease->owner.nonce = mnet_unpack_i64(&unpack);
        lease->until = mnet_unpack_i64(&unpack);
        lease->attempts = (int)mnet_number_unpack(&unpack, 0, MNET_QUEUE_ATTEMPTS_MAX);
    }
    unpack.bad |= peer->bytes < 0;
    return rv ? rv : mnet_unpack_end(&unpack);
}

static apr_status_t read_peer(mnet_txn_t *txn, const mnet_name_t *name, peer_t *peer,
                              apr_pool_t *pool)
{
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, MNET_GROUP_LINE, name->bytes, name->len, &data, &len);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        peer->bytes = 0;
        peer->leases = apr_array_make(pool, 1, sizeof(mnet_queue_lease_t));
        return APR_SUCCESS;
    }
    rv = rv ? rv : decode(data, len, peer, pool);
    if (rv == APR_EINCOMPLETE) { /* damaged: as good as none, and written anew */
        *peer = (peer_t){0, apr_array_make(pool, 1, sizeof(mnet_queue_lease_t))};
        return APR_SUCCESS;
    }
    return rv;
}

static apr_status_t write_peer(mnet_txn_t *txn, const mnet_name_t *name, const peer_t *peer,
                               apr_pool_t *pool)
{
    mnet_pack_t *pack;
    apr_status_t rv;

    if (!peer->bytes && !peer->leases->nelts) {
        rv = mnet_txn_del(txn, MNET_GROUP_LINE, name->bytes, name->len);
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    pack = mnet_pack_create(VERSION, pool);
    mnet_pack_i64(pack, peer->bytes);
    mnet_pack_i64(pack, peer->leases->nelts);
    for (int i = 0; i < peer->leases->nelts; i++) {
        const mnet_queue_lease_t *lease = &APR_ARRAY_IDX(peer->leases, i, mnet_queue_lease_t);

        mnet_pack_bytes(pack, lease->id, sizeof(lease->id));
        mnet_pack_i64(pack, lease->owner.pid);
        mnet_pack_i64(pack, lease->owner.nonce);
        mnet_pack_i64(pack, lease->until);
        mnet_pack_i64(pack, lease->attempts);
    }
    return mnet_record_put(txn, MNET_GROUP_LINE, name, pack);
}

/* --- bytes --- */

apr_status_t mnet_queue_add_bytes(const mnet_host_t *host, mnet_txn_t *txn, const char *wwwroot,
                                  apr_int64_t more, apr_int64_t most, apr_pool_t *pool)
{
    mnet_queue_peer_t digest;
    apr_status_t rv = mnet_queue_peer(host, wwwroot, &digest);

    return rv ? rv : mnet_queue_add_bytes_of(host, txn, &digest, more, most, pool);
}

apr_status_t mnet_queue_add_bytes_of(const mnet_host_t *host, mnet_txn_t *txn,
                                     const mnet_queue_peer_t *digest, apr_int64_t more,
                                     apr_int64_t most, apr_pool_t *pool)
{
    mnet_name_t name;
    peer_t peer;
    apr_status_t rv;

    mnet_queue_peer_name(host, digest, &name);
    rv = read_peer(txn, &name, &peer, pool);
    if (rv) {
        return rv;
    }
    if (more > 0 && (peer.bytes > most || more > most - peer.bytes)) {
        return MNET_E_LIMIT;
    }
    peer.bytes = peer.bytes + more < 0 ? 0 : peer.bytes + more;
    return write_peer(txn, &name, &peer, pool);
}

/* --- leases --- */

/* -1: it is in no hands. */
static int find_lease(const peer_t *peer, const unsigned char *id)
{
    for (int i = 0; i < peer->leases->nelts; i++) {
        if (!memcmp(APR_ARRAY_IDX(peer->leases, i, mnet_queue_lease_t).id, id,
                    MNET_QUEUE_ID_BYTES)) {
            return i;
        }
    }
    return -1;
}

static void take_out(peer_t *peer, int at)
{
    mnet_queue_lease_t *last = apr_array_pop(peer->leases);

    if (at < peer->leases->nelts) {
        APR_ARRAY_IDX(peer->leases, at, mnet_queue_lease_t) = *last;
    }
}

/* lease NULL: it has none any more. */
static apr_status_t set_lease(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_item_t *item, mnet_queue_lease_t *lease,
                              apr_pool_t *pool)
{
    unsigned char id[MNET_QUEUE_ID_BYTES] = {0};
    mnet_queue_peer_t digest;
    mnet_name_t name;
    peer_t peer;
    int at;
    apr_status_t rv = mnet_queue_peer(host, item->peer, &digest);

    rv = rv ? rv : mnet_queue_id(item->id, id);
    mnet_queue_peer_name(host, &digest, &name);
    rv = rv ? rv : read_peer(txn, &name, &peer, pool);
    if (rv) {
        return rv;
    }
    at = find_lease(&peer, id);
    if (!lease && at < 0) {
        return APR_SUCCESS;
    }
    if (!lease) {
        take_out(&peer, at);
    } else {
        memcpy(lease->id, id, sizeof(lease->id));
        if (at < 0) {
            APR_ARRAY_PUSH(peer.leases, mnet_queue_lease_t) = *lease;
        } else {
            APR_ARRAY_IDX(peer.leases, at, mnet_queue_lease_t) = *lease;
        }
    }
    return peer.leases->nelts > LEASES_MAX ? MNET_E_LIMIT : write_peer(txn, &name, &peer, pool);
}

apr_status_t mnet_queue_lease_put(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, mnet_queue_lease_t *lease,
                                  apr_pool_t *pool)
{
    return set_lease(host, txn, item, lease, pool);
}

apr_status_t mnet_queue_lease_del(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, apr_pool_t *pool)
{
    return set_lease(host, txn, item, NULL, pool);
}

apr_status_t mnet_queue_lease_forget(const mnet_host_t *host, mnet_txn_t *txn,
                                     const mnet_queue_lease_t *lease, apr_pool_t *pool)
{
    mnet_name_t name;
    peer_t peer;
    int at;
    apr_status_t rv;

    mnet_queue_peer_name(host, &lease->peer, &name);
    rv = read_peer(txn, &name, &peer, pool);
    at = rv ? -1 : find_lease(&peer, lease->id);
    if (at < 0) {
        return rv;
    }
    take_out(&peer, at);
    return write_peer(txn, &name, &peer, pool);
}

apr_status_t mnet_queue_lease_get(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, mnet_queue_lease_t *lease,
                                  apr_pool_t *pool)
{
    unsigned char id[MNET_QUEUE_ID_BYTES] = {0};
    apr_array_header_t *leases;
    mnet_queue_peer_t digest;
    apr_status_t rv = mnet_queue_peer(host, item->peer, &digest);

    rv = rv ? rv : mnet_queue_id(item->id, id);
    rv = rv ? rv : mnet_queue_leases_of(host, txn, &digest, &leases, pool);
    for (int i = 0; !rv && i < leases->nelts; i++) {
        *lease = APR_ARRAY_IDX(leases, i, mnet_queue_lease_t);
        if (!memcmp(lease->id, id, sizeof(id))) {
            return APR_SUCCESS;
        }
    }
    return rv ? rv : APR_NOTFOUND;
}

void mnet_queue_lease_apply(const mnet_queue_lease_t *lease, mnet_queue_item_t *item)
{
    item->state = MNET_QUEUE_RUNNING;
    item->due = lease->until;
    item->attempts = lease->attempts;
    item->lease = lease->owner.nonce;
}

apr_status_t mnet_queue_leases_of(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_peer_t *digest, apr_array_header_t **leases,
                                  apr_pool_t *pool)
{
    mnet_name_t name;
    peer_t peer;
    apr_status_t rv;

    mnet_queue_peer_name(host, digest, &name);
    rv = read_peer(txn, &name, &peer, pool);
    *leases = rv ? apr_array_make(pool, 1, sizeof(mnet_queue_lease_t)) : peer.leases;
    return rv;
}

typedef struct gathering_t {
    mnet_name_t from; /* where the next peer's records are, or begin; len 0: there is none */
    apr_array_header_t *leases;
    apr_pool_t *pool;
} gathering_t;

/* The first record of a peer; the rest of its line is passed over. */
static apr_status_t see_peer(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                             const void *data, apr_size_t len)
{
    gathering_t *gathering = baton;
    unsigned char last[sizeof(mnet_queue_place_t) + 1];
    peer_t peer;

    if (key_len < MNET_SITE_PREFIX + sizeof(mnet_queue_peer_t)) {
        return APR_SUCCESS; /* none of ours */
    }
    if (key_len == MNET_SITE_PREFIX + sizeof(mnet_queue_peer_t)) {
        /* One that cannot be read is no trouble of the other peers. */
        if (!decode(data, len, &peer, gathering->pool)) {
            for (int i = 0; i < peer.leases->nelts; i++) {
                memcpy(APR_ARRAY_IDX(peer.leases, i, mnet_queue_lease_t).peer.bytes,
                       (const char *)key + MNET_SITE_PREFIX, sizeof(mnet_queue_peer_t));
            }
            apr_array_cat(gathering->leases, peer.leases);
        }
    }
    memset(last, 0xff, sizeof(last));
    gathering->from.len = 0;
    mnet_name_add(&gathering->from, key, MNET_SITE_PREFIX + sizeof(mnet_queue_peer_t));
    mnet_name_add(&gathering->from, last, sizeof(last));
    return APR_EOF;
}

apr_status_t mnet_queue_leases(const mnet_host_t *host, mnet_txn_t *txn,
                               apr_array_header_t **leases, apr_pool_t *pool)
{
    gathering_t gathering = {.pool = pool};
    mnet_name_t site;
    apr_status_t rv = APR_SUCCESS;

    mnet_name_begin(host, &site);
    *leases = gathering.leases = apr_array_make(pool, 16, sizeof(mnet_queue_lease_t));
    gathering.from = site;
    while (!rv && gathering.from.len) {
        mnet_name_t from = gathering.from;

        gathering.from.len = 0;
        rv = mnet_txn_each(txn, MNET_GROUP_LINE, site.bytes, site.len, from.bytes, from.len,
                           see_peer, &gathering);
    }
    return rv;
}
