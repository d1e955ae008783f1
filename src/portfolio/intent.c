/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/intent.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/peer_sum.h"
#include "portfolio/queue_int.h"
#include "rpc/peer_share.h"

#define GROUP       "intent"
#define INDEX       "intent-end"
#define SUM         "intent-sum"
#define VERSION     1
#define TOKEN_BYTES 20
#define TOKEN_MAX   64  /* a longer one is none of ours */
#define BATCH       8   /* removed in one transaction: each is on pages of its own */
#define RECORD      500 /* bytes of one, about, when it is done */
#define LATER       apr_time_from_sec(3600)

static apr_status_t name_of(const mnet_host_t *host, const char *token, mnet_name_t *name)
{
    mnet_name_begin(host, name);
    if (!token || !*token || strlen(token) > TOKEN_MAX) {
        return APR_NOTFOUND;
    }
    return mnet_name_add_digest(host, name, token, NULL);
}

static void index_name(const mnet_host_t *host, const mnet_name_t *name, apr_time_t expires,
                       mnet_name_t *index)
{
    mnet_name_begin(host, index);
    mnet_name_add_time(index, expires);
    mnet_name_add(index, name->bytes + MNET_SITE_PREFIX, name->len - MNET_SITE_PREFIX);
}

static apr_status_t write_intent(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                                 const mnet_intent_t *intent, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_record_create(host, VERSION, pool);

    mnet_pack_text(pack, intent->peer);
    mnet_pack_text(pack, intent->user);
    mnet_pack_u8(pack, (unsigned char)intent->state);
    mnet_pack_i64(pack, intent->expires);
    mnet_pack_text(pack, intent->item);
    mnet_pack_text(pack, intent->said);
    mnet_pack_text(pack, intent->result);
    return mnet_record_put(txn, GROUP, name, pack);
}

static apr_status_t read_intent(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                                mnet_intent_t **found, apr_pool_t *pool)
{
    mnet_intent_t *intent = apr_pcalloc(pool, sizeof(*intent));
    mnet_unpack_t unpack;
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, GROUP, name->bytes, name->len, &data, &len);

    *found = NULL;
    if (rv) {
        return rv;
    }
    rv = mnet_record_open(&unpack, host, data, len, VERSION, pool);
    intent->peer = mnet_unpack_text(&unpack);
    intent->user = mnet_unpack_text(&unpack);
    intent->state = mnet_unpack_u8(&unpack);
    intent->expires = mnet_unpack_i64(&unpack);
    intent->item = mnet_unpack_text(&unpack);
    intent->said = mnet_unpack_text(&unpack);
    intent->result = mnet_unpack_text(&unpack);
    unpack.bad |= !intent->peer || !intent->user || intent->state > MNET_INTENT_DONE;
    rv = rv ? rv : mnet_unpack_end(&unpack);
    *found = rv ? NULL : intent;
    return rv;
}

/* It is in the store no more, or as after; NULL: gone. */
static apr_status_t no_more_open(const mnet_host_t *host, mnet_txn_t *txn,
                                 const mnet_intent_t *before, const mnet_intent_t *after,
                                 apr_pool_t *pool)
{
    if (before->state != MNET_INTENT_OPEN || (after && after->state == MNET_INTENT_OPEN)) {
        return APR_SUCCESS;
    }
    return mnet_peer_sum_add(host, txn, SUM, before->peer, -1, 0, pool);
}

apr_status_t mnet_intent_create(const mnet_host_t *host, mnet_txn_t *txn, mnet_intent_t *intent,
                                apr_time_t now, const char **token, apr_pool_t *pool)
{
    mnet_name_t name, index;
    apr_status_t rv = mnet_random_hex(token, TOKEN_BYTES, pool);

    intent->state = MNET_INTENT_OPEN;
    intent->expires = mnet_ahead(now, host->site->portfolio->expire);
    rv = rv ? rv : mnet_peer_sum_add(host, txn, SUM, intent->peer, 1, MNET_INTENTS_OPEN, pool);
    rv = rv ? rv : mnet_call_share_take(host, txn, intent->peer, RECORD, now, intent->expires);
    rv = rv ? rv : name_of(host, *token, &name);
    rv = rv ? rv : write_intent(host, txn, &name, intent, pool);
    if (!rv) {
        index_name(host, &name, intent->expires, &index);
        rv = mnet_txn_put(txn, INDEX, index.bytes, index.len, "", 0);
    }
    return rv;
}

apr_status_t mnet_intent_get(const mnet_host_t *host, mnet_txn_t *txn, const char *token,
                             mnet_intent_t **intent, apr_pool_t *pool)
{
    mnet_name_t name;
    apr_status_t rv = name_of(host, token, &name);

    *intent = NULL;
    return rv ? rv : read_intent(host, txn, &name, intent, pool);
}

apr_status_t mnet_intent_put(const mnet_host_t *host, mnet_txn_t *txn, const char *token,
                             const mnet_intent_t *intent, apr_pool_t *pool)
{
    mnet_intent_t *before;
    mnet_name_t name;
    apr_status_t rv = name_of(host, token, &name);

    rv = rv ? rv : read_intent(host, txn, &name, &before, pool);
    rv = rv ? rv : no_more_open(host, txn, before, intent, pool);
    return rv ? rv : write_intent(host, txn, &name, intent, pool);
}

apr_status_t mnet_intent_del(const mnet_host_t *host, mnet_txn_t *txn, const char *token,
                             apr_pool_t *pool)
{
    mnet_intent_t *intent;
    mnet_name_t name, index;
    apr_status_t rv = name_of(host, token, &name);

    rv = rv ? rv : read_intent(host, txn, &name, &intent, pool);
    rv = rv ? rv : no_more_open(host, txn, intent, NULL, pool);
    if (rv) {
        return rv;
    }
    index_name(host, &name, intent->expires, &index);
    rv = mnet_txn_del(txn, INDEX, index.bytes, index.len);
    if (rv && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    return mnet_txn_del(txn, GROUP, name.bytes, name.len);
}

/* --- those that are past --- */

typedef struct tending_t {
    apr_time_t now;
    apr_array_header_t *names; /* mnet_name_t: of the index */
} tending_t;

static apr_status_t see_end(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                            const void *data, apr_size_t len)
{
    tending_t *tending = baton;
    mnet_name_t *name;

    if (key_len != MNET_SITE_PREFIX + 8 + MNET_SHA256) {
        return APR_SUCCESS;
    }
    if (mnet_queue_read_time((const unsigned char *)key + MNET_SITE_PREFIX) > tending->now ||
        tending->names->nelts == BATCH) {
        return APR_EOF;
    }
    name = apr_array_push(tending->names);
    memcpy(name->bytes, key, key_len);
    name->len = key_len;
    return APR_SUCCESS;
}

/* One whose package is on its way, or parked, waits for that; no other is needed any more. */
static apr_status_t end_one(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *index,
                            apr_time_t now, apr_pool_t *pool)
{
    mnet_intent_t *intent = NULL;
    mnet_queue_item_t *item;
    mnet_name_t name, later;
    apr_status_t rv;

    mnet_name_begin(host, &name);
    mnet_name_add(&name, index->bytes + MNET_SITE_PREFIX + 8, MNET_SHA256);
    rv = read_intent(host, txn, &name, &intent, pool);
    if (rv == MNET_E_VERSION) {
        return APR_SUCCESS; /* a later version's to end */
    }
    if (!rv && intent->state == MNET_INTENT_READY &&
        !mnet_queue_get(host, txn, intent->item, &item, pool)) {
        intent->expires = mnet_ahead(now, LATER);
        index_name(host, &name, intent->expires, &later);
        rv = write_intent(host, txn, &name, intent, pool);
        rv = rv ? rv : mnet_txn_put(txn, INDEX, later.bytes, later.len, "", 0);
    } else {
        if (!rv && intent->state == MNET_INTENT_OPEN) {
            mnet_log(host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET1009",
                     "%s: %s never sent what it announced for %s: the intent has expired",
                     host->site->wwwroot, mnet_say(intent->peer, pool),
                     mnet_say(intent->user, pool));
        }
        rv = rv ? APR_SUCCESS : no_more_open(host, txn, intent, NULL, pool);
        rv = rv ? rv : mnet_txn_del(txn, GROUP, name.bytes, name.len);
        rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    return rv ? rv : mnet_txn_del(txn, INDEX, index->bytes, index->len);
}

static apr_status_t find_past(const mnet_host_t *host, mnet_txn_t *txn, tending_t *tending)
{
    mnet_name_t site;

    mnet_name_begin(host, &site);
    tending->names->nelts = 0;
    return mnet_txn_each(txn, INDEX, site.bytes, site.len, NULL, 0, see_end, tending);
}

static apr_status_t tend_batch(const mnet_host_t *host, tending_t *tending, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = find_past(host, txn, tending);
    mnet_txn_abort(txn);
    if (rv || !tending->names->nelts) {
        return rv;
    }
    rv = mnet_txn_begin(host->engine->store, MNET_WRITE_WORK, &txn, pool);
    if (rv) {
        return rv;
    }
    rv = find_past(host, txn, tending);
    for (int i = 0; !rv && i < tending->names->nelts; i++) {
        rv = end_one(host, txn, &APR_ARRAY_IDX(tending->names, i, mnet_name_t), tending->now, pool);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_intents_tend(const mnet_host_t *host, apr_time_t now, apr_pool_t *parent)
{
    tending_t tending = {now, NULL};
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, parent);

    if (rv) {
        return rv;
    }
    do {
        apr_pool_clear(pool);
        tending.names = apr_array_make(pool, BATCH, sizeof(mnet_name_t));
        rv = tend_batch(host, &tending, pool);
    } while (!rv && tending.names->nelts == BATCH);
    apr_pool_destroy(pool);
    return rv;
}
