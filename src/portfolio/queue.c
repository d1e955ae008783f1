/* SPDX-License-Identifier: Apache-2.0 */
/* The queue's records, and the two indexes from time to item. */
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/peer_sum.h"
#include "portfolio/queue_int.h"
#include "trust/texts.h"

#define VERSION 1

/* --- names --- */

apr_status_t mnet_queue_id(const char *id, unsigned char bytes[MNET_QUEUE_ID_BYTES])
{
    if (!id || strlen(id) != MNET_QUEUE_ID) {
        return APR_NOTFOUND;
    }
    for (int i = 0; i < MNET_QUEUE_ID; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = strchr(digits, id[i]);

        if (!digit) {
            return APR_NOTFOUND;
        }
        bytes[i / 2] = (unsigned char)((bytes[i / 2] & 0x0f) << 4 | (digit - digits));
    }
    return APR_SUCCESS;
}

const char *mnet_queue_id_text(const unsigned char bytes[MNET_QUEUE_ID_BYTES], apr_pool_t *pool)
{
    return mnet_hex(bytes, MNET_QUEUE_ID_BYTES, pool);
}

apr_time_t mnet_queue_read_time(const unsigned char *bytes)
{
    apr_uint64_t when = 0;

    for (int i = 0; i < 8; i++) {
        when = when << 8 | bytes[i];
    }
    return (apr_time_t)when;
}

apr_status_t mnet_queue_peer(const mnet_host_t *host, const char *peer, mnet_queue_peer_t *digest)
{
    mnet_name_t name = {.len = 0};
    apr_status_t rv = mnet_name_add_digest(host, &name, peer, NULL);

    memcpy(digest->bytes, name.bytes, sizeof(digest->bytes));
    return rv;
}

/* Site and id. */
static apr_status_t item_name(const mnet_host_t *host, const char *id, mnet_name_t *name)
{
    unsigned char bytes[MNET_QUEUE_ID_BYTES] = {0};
    apr_status_t rv = mnet_queue_id(id, bytes);

    mnet_name_begin(host, name);
    mnet_name_add(name, bytes, sizeof(bytes));
    return rv;
}

/* Beside the item, so that both are on one page as a rule. */
static apr_status_t data_name(const mnet_host_t *host, const char *id, mnet_name_t *name)
{
    static const unsigned char data = MNET_QUEUE_DATA;
    apr_status_t rv = item_name(host, id, name);

    mnet_name_add(name, &data, 1);
    return rv;
}

static void peer_name(const mnet_host_t *host, const mnet_queue_peer_t *peer, mnet_name_t *name)
{
    mnet_name_begin(host, name);
    mnet_name_add(name, peer->bytes, sizeof(peer->bytes));
}

static void next_name(const mnet_host_t *host, const mnet_queue_peer_t *peer, apr_time_t due,
                      mnet_name_t *name)
{
    mnet_name_begin(host, name);
    mnet_name_add_time(name, due);
    mnet_name_add(name, peer->bytes, sizeof(peer->bytes));
}

static apr_status_t del(mnet_txn_t *txn, const char *group, const mnet_name_t *name)
{
    apr_status_t rv = mnet_txn_del(txn, group, name->bytes, name->len);

    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* --- the line of a peer, and who is first in it --- */

static apr_status_t take_first(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                               const void *data, apr_size_t len)
{
    const unsigned char *bytes = key;

    if (key_len == MNET_SITE_PREFIX + MNET_SHA256 + 8 + MNET_QUEUE_ID_BYTES) {
        *(apr_time_t *)baton = mnet_queue_read_time(bytes + MNET_SITE_PREFIX + MNET_SHA256);
    }
    return APR_EOF;
}

/* -1: nobody is. */
static apr_status_t first_due(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_peer_t *peer, apr_time_t *due)
{
    mnet_name_t line;

    *due = -1;
    peer_name(host, peer, &line);
    return mnet_txn_each(txn, MNET_GROUP_LINE, line.bytes, line.len, NULL, 0, take_first, due);
}

/* One that runs is in no line: its lease says when it is to be looked at. */
static apr_time_t place_of(const mnet_queue_item_t *item)
{
    return item->state == MNET_QUEUE_RUNNING ? -1 : item->due;
}

/* The item leaves its place (from -1: it had none) for another (to -1: none). */
static apr_status_t place(const mnet_host_t *host, mnet_txn_t *txn, const mnet_queue_item_t *item,
                          apr_time_t from, apr_time_t to)
{
    unsigned char id[MNET_QUEUE_ID_BYTES] = {0};
    mnet_queue_peer_t peer;
    mnet_name_t old, new;
    apr_time_t before, after = -1;
    apr_status_t rv = from == to ? APR_EOF : mnet_queue_peer(host, item->peer, &peer);

    if (rv == APR_EOF) {
        return APR_SUCCESS;
    }
    rv = rv ? rv : mnet_queue_id(item->id, id);
    rv = rv ? rv : first_due(host, txn, &peer, &before);
    if (!rv && from >= 0) {
        peer_name(host, &peer, &old);
        mnet_name_add_time(&old, from);
        mnet_name_add(&old, id, sizeof(id));
        rv = del(txn, MNET_GROUP_LINE, &old);
    }
    if (!rv && to >= 0) {
        peer_name(host, &peer, &new);
        mnet_name_add_time(&new, to);
        mnet_name_add(&new, id, sizeof(id));
        rv = mnet_txn_put(txn, MNET_GROUP_LINE, new.bytes, new.len, "", 0);
    }
    rv = rv ? rv : first_due(host, txn, &peer, &after);
    if (rv || before == after) {
        return rv;
    }
    if (before >= 0) {
        next_name(host, &peer, before, &old);
        rv = del(txn, MNET_GROUP_NEXT, &old);
    }
    if (!rv && after >= 0) {
        next_name(host, &peer, after, &new);
        rv = mnet_txn_put(txn, MNET_GROUP_NEXT, new.bytes, new.len, "", 0);
    }
    return rv;
}

/* --- the item --- */

apr_status_t mnet_queue_write(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_item_t *item, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(VERSION, pool);
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv = item_name(host, item->id, &name);

    mnet_pack_text(pack, host->site->wwwroot);
    mnet_pack_text(pack, item->kind);
    mnet_pack_text(pack, item->peer);
    mnet_pack_text(pack, item->user);
    mnet_pack_text(pack, item->title);
    mnet_pack_i64(pack, item->due);
    mnet_pack_u8(pack, (unsigned char)item->state);
    mnet_pack_i64(pack, item->created);
    mnet_pack_i64(pack, item->attempts);
    mnet_pack_text(pack, item->reason);
    mnet_pack_i64(pack, item->failed);
    data = mnet_pack_end(pack, &len);
    return rv ? rv : mnet_txn_put(txn, MNET_GROUP_QUEUE, name.bytes, name.len, data, len);
}

/* NULL: damaged, or of another site. */
static mnet_queue_item_t *read_item(const mnet_host_t *host, const unsigned char *id,
                                    const void *data, apr_size_t len, apr_pool_t *pool)
{
    mnet_queue_item_t *item = apr_pcalloc(pool, sizeof(*item));
    mnet_unpack_t unpack;
    const char *wwwroot;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, VERSION, pool);

    wwwroot = mnet_unpack_text(&unpack);
    item->id = mnet_queue_id_text(id, pool);
    item->kind = mnet_unpack_text(&unpack);
    item->peer = mnet_unpack_text(&unpack);
    item->user = mnet_unpack_text(&unpack);
    item->title = mnet_unpack_text(&unpack);
    item->due = mnet_unpack_i64(&unpack);
    item->state = mnet_unpack_u8(&unpack);
    item->created = mnet_unpack_i64(&unpack);
    item->attempts = (int)mnet_number_unpack(&unpack, 0, 1000000);
    item->reason = mnet_unpack_text(&unpack);
    item->failed = mnet_unpack_i64(&unpack);
    unpack.bad |= !item->kind || !item->peer || item->state > MNET_QUEUE_PARKED || item->due < 0;
    if (rv || mnet_unpack_end(&unpack) || !wwwroot || strcmp(wwwroot, host->site->wwwroot)) {
        return NULL;
    }
    return item;
}

apr_status_t mnet_queue_get(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                            mnet_queue_item_t **item, apr_pool_t *pool)
{
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv = item_name(host, id, &name);

    *item = NULL;
    rv = rv ? rv : mnet_txn_get(txn, MNET_GROUP_QUEUE, name.bytes, name.len, &data, &len);
    if (rv) {
        return rv;
    }
    *item = read_item(host, name.bytes + MNET_SITE_PREFIX, data, len, pool);
    return *item ? APR_SUCCESS : APR_NOTFOUND;
}

apr_status_t mnet_queue_payload(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                const void **payload, apr_size_t *len, apr_pool_t *pool)
{
    mnet_name_t name;
    const void *data;
    apr_status_t rv = data_name(host, id, &name);

    *payload = NULL;
    *len = 0;
    rv = rv ? rv : mnet_txn_get(txn, MNET_GROUP_QUEUE, name.bytes, name.len, &data, len);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return APR_SUCCESS; /* it has none */
    }
    if (!rv) {
        *payload = apr_pmemdup(pool, data, *len);
    }
    return rv;
}

/* Milliseconds since 1970 and 80 random bits: what belongs together in time lies together in the
 * store, however much else there is. */
static apr_status_t make_id(const mnet_host_t *host, apr_time_t now, const char **id,
                            apr_pool_t *pool)
{
    unsigned char bytes[MNET_QUEUE_ID_BYTES];
    apr_status_t rv = mnet_random(host->engine->crypto, bytes, sizeof(bytes));
    apr_uint64_t ms = (apr_uint64_t)apr_time_as_msec(now);

    for (int i = 0; i < 6; i++) {
        bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
    }
    *id = mnet_queue_id_text(bytes, pool);
    return rv;
}

apr_status_t mnet_queue_put(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                            const void *payload, apr_size_t len, apr_time_t now, apr_pool_t *pool)
{
    mnet_queue_item_t *before;
    mnet_name_t name;
    apr_status_t rv = APR_SUCCESS;

    if (!item->id) {
        rv = make_id(host, now, &item->id, pool);
    } else if (!mnet_queue_get(host, txn, item->id, &before, pool)) {
        return MNET_E_EXISTS;
    }
    item->state = MNET_QUEUE_WAITING;
    item->created = now;
    item->due = item->due > 0 ? item->due : now;
    item->attempts = 0;
    item->reason = NULL;
    item->failed = 0;
    rv = rv ? rv : data_name(host, item->id, &name);
    if (!rv && len) {
        rv = mnet_peer_sum_add(host, txn, MNET_GROUP_SUM, item->peer, (apr_int64_t)len,
                               MNET_QUEUE_HELD, pool);
        rv = rv ? rv : mnet_txn_put(txn, MNET_GROUP_QUEUE, name.bytes, name.len, payload, len);
    }
    rv = rv ? rv : mnet_queue_write(host, txn, item, pool);
    return rv ? rv : place(host, txn, item, -1, item->due);
}

apr_status_t mnet_queue_move(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                             mnet_queue_state_e state, apr_time_t due, apr_pool_t *pool)
{
    apr_time_t from = place_of(item);
    apr_status_t rv;

    item->state = state;
    item->due = due;
    rv = place(host, txn, item, from, place_of(item));
    return rv ? rv : mnet_queue_write(host, txn, item, pool);
}

/* The payload of it, which counts for its peer no more. */
static apr_status_t del_data(const mnet_host_t *host, mnet_txn_t *txn,
                             const mnet_queue_item_t *item, apr_pool_t *pool)
{
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv = data_name(host, item->id, &name);

    rv = rv ? rv : mnet_txn_get(txn, MNET_GROUP_QUEUE, name.bytes, name.len, &data, &len);
    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    rv = mnet_peer_sum_add(host, txn, MNET_GROUP_SUM, item->peer, -(apr_int64_t)len, 0, pool);
    return rv ? rv : del(txn, MNET_GROUP_QUEUE, &name);
}

apr_status_t mnet_queue_remove(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_item_t *item, apr_pool_t *pool)
{
    mnet_name_t name;
    apr_status_t rv = item_name(host, item->id, &name);

    rv = rv ? rv : place(host, txn, item, place_of(item), -1);
    rv = rv ? rv : mnet_queue_lease_del(host, txn, item);
    rv = rv ? rv : del_data(host, txn, item, pool);
    rv = rv ? rv : del(txn, MNET_GROUP_DONE, &name);
    return rv ? rv : del(txn, MNET_GROUP_QUEUE, &name);
}

apr_status_t mnet_queue_forget(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_item_t *item, apr_pool_t *pool)
{
    const mnet_queue_kind_t *kind = mnet_queue_kind(item->kind);
    const void *payload;
    apr_size_t len;
    apr_status_t rv = APR_SUCCESS;

    if (kind && kind->dropped) {
        rv = mnet_queue_payload(host, txn, item->id, &payload, &len, pool);
        rv = rv ? rv : kind->dropped(host, txn, item, payload, len, pool);
    }
    return rv ? rv : mnet_queue_remove(host, txn, item, pool);
}

apr_status_t mnet_queue_drop(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                             apr_pool_t *pool)
{
    mnet_queue_item_t *item;
    apr_status_t rv = mnet_queue_get(host, txn, id, &item, pool);

    return rv ? rv : mnet_queue_forget(host, txn, item, pool);
}

const mnet_queue_kind_t *mnet_queue_kind(const char *name)
{
    for (int i = 0; mnet_queue_kinds[i]; i++) {
        if (!strcmp(mnet_queue_kinds[i]->name, name)) {
            return mnet_queue_kinds[i];
        }
    }
    return NULL;
}

/* --- for those who look on --- */

typedef struct listing_t {
    const mnet_host_t *host;
    const char *peer;
    apr_array_header_t *list;
    apr_pool_t *pool;
} listing_t;

static apr_status_t list_one(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                             apr_pool_t *scratch)
{
    listing_t *listing = baton;
    mnet_queue_item_t *item = NULL;

    if (name->len == MNET_SITE_PREFIX + MNET_QUEUE_ID_BYTES) {
        item = read_item(listing->host, name->bytes + MNET_SITE_PREFIX, data, len,
                         listing->list->pool);
    }
    if (item && (!listing->peer || !strcmp(item->peer, listing->peer))) {
        APR_ARRAY_PUSH(listing->list, mnet_queue_item_t *) = item;
    }
    return APR_SUCCESS;
}

static int by_due(const void *a, const void *b)
{
    const mnet_queue_item_t *one = *(mnet_queue_item_t *const *)a,
                            *other = *(mnet_queue_item_t *const *)b;

    if (one->due != other->due) {
        return one->due < other->due ? -1 : 1;
    }
    return strcmp(one->id, other->id);
}

apr_status_t mnet_queue_list(const mnet_host_t *host, const char *peer, int max,
                             apr_array_header_t **list, apr_pool_t *pool)
{
    listing_t listing = {host, peer, apr_array_make(pool, 16, sizeof(mnet_queue_item_t *)), pool};
    mnet_walk_t walk = {MNET_GROUP_QUEUE, list_one, NULL, &listing};
    apr_status_t rv = mnet_walk(host, &walk, pool);

    *list = listing.list;
    if (listing.list->nelts) {
        qsort(listing.list->elts, (size_t)listing.list->nelts, sizeof(mnet_queue_item_t *), by_due);
    }
    if (max > 0 && listing.list->nelts > max) {
        listing.list->nelts = max;
    }
    return rv;
}

static void read_progress(mnet_txn_t *txn, const mnet_name_t *name, mnet_queue_progress_t *progress,
                          apr_pool_t *pool)
{
    mnet_unpack_t unpack;
    const void *data;
    apr_size_t len;

    memset(progress, 0, sizeof(*progress));
    if (!mnet_txn_get(txn, MNET_GROUP_DONE, name->bytes, name->len, &data, &len) &&
        !mnet_unpack_begin(&unpack, data, len, MNET_QUEUE_SHOWN, pool)) {
        progress->done = mnet_unpack_i64(&unpack);
        progress->total = mnet_unpack_i64(&unpack);
        progress->when = mnet_unpack_i64(&unpack);
    }
}

apr_status_t mnet_queue_look(const mnet_host_t *host, const char *id, mnet_queue_item_t **item,
                             mnet_queue_progress_t *progress, apr_pool_t *pool)
{
    mnet_name_t name;
    mnet_txn_t *txn;
    apr_status_t rv = item_name(host, id, &name);

    *item = NULL;
    rv = rv ? rv : mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);
    if (rv) {
        return rv;
    }
    rv = mnet_queue_get(host, txn, id, item, pool);
    if (!rv && progress) {
        read_progress(txn, &name, progress, pool);
    }
    mnet_txn_abort(txn);
    return rv;
}
