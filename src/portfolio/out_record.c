/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers in the store. */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "portfolio/out_int.h"
#include "rpc/site_record.h"
#include "trust/texts.h"

#define GROUP   "out"
#define FILES   "out-files"
#define TOKENS  "out-token"
#define VERSION 1

const char *mnet_out_state_name(int state)
{
    static const char *const names[] = {"", "queued", "offered", "delivered", "dropped", "expired"};

    return state < MNET_OUT_STATE_QUEUED || state > MNET_OUT_STATE_EXPIRED ? "" : names[state];
}

static void name_of(const mnet_host_t *host, const char *id, mnet_name_t *name)
{
    mnet_name_begin(host, name);
    mnet_name_add(name, id, strnlen(id, MNET_QUEUE_ID));
}

static apr_status_t name_of_token(const mnet_host_t *host, const char *whose, const char *token,
                                  mnet_name_t *name)
{
    mnet_name_begin(host, name);
    return mnet_name_add_digest(host, name, whose, token);
}

static apr_status_t ignore_missing(apr_status_t rv)
{
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* --- the transfer --- */

/* NULL: damaged, or of another site. */
mnet_out_t *mnet_out_read(const mnet_host_t *host, const void *data, apr_size_t len,
                          apr_pool_t *pool)
{
    mnet_out_t *out = apr_pcalloc(pool, sizeof(*out));
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_record_open(&unpack, host, data, len, VERSION, pool);

    out->id = mnet_unpack_text(&unpack);
    out->peer = mnet_unpack_text(&unpack);
    out->user = mnet_unpack_text(&unpack);
    out->title = mnet_unpack_text(&unpack);
    out->format = mnet_unpack_text(&unpack);
    out->kind = mnet_unpack_text(&unpack);
    out->state = mnet_unpack_u8(&unpack);
    out->wait = mnet_unpack_u8(&unpack) != 0;
    out->direct = mnet_unpack_u8(&unpack) != 0;
    out->count = (int)mnet_number_unpack(&unpack, 0, 1 << 30);
    out->size = mnet_number_unpack(&unpack, 0, APR_INT64_MAX / 8);
    out->total = mnet_number_unpack(&unpack, 0, APR_INT64_MAX / 8);
    out->sha1 = mnet_unpack_text(&unpack);
    out->sha256 = mnet_unpack_text(&unpack);
    out->content = mnet_unpack_text(&unpack);
    out->token = mnet_unpack_text(&unpack);
    out->secret = mnet_unpack_text(&unpack);
    out->created = mnet_unpack_i64(&unpack);
    out->expires = mnet_unpack_i64(&unpack);
    out->offered = mnet_unpack_i64(&unpack);
    out->begun = mnet_unpack_i64(&unpack);
    out->fetched = mnet_unpack_i64(&unpack);
    out->done = mnet_unpack_i64(&unpack);
    out->query = mnet_unpack_text(&unpack);
    unpack.bad |= !out->id || !out->peer || !out->user || !out->title || !out->format ||
                  !out->kind || !out->sha1 || !out->sha256 || !out->content || !out->secret;
    return rv || mnet_unpack_end(&unpack) ? NULL : out;
}

apr_status_t mnet_out_get(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                          mnet_out_t **out, apr_pool_t *pool)
{
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv;

    name_of(host, id, &name);
    rv = mnet_txn_get(txn, GROUP, name.bytes, name.len, &data, &len);
    *out = rv ? NULL : mnet_out_read(host, data, len, pool);
    return rv ? rv : *out ? APR_SUCCESS : APR_NOTFOUND;
}

static apr_status_t put_token(const mnet_host_t *host, mnet_txn_t *txn, const char *whose,
                              const char *token, const char *id)
{
    mnet_name_t name;
    apr_status_t rv = name_of_token(host, whose, token, &name);

    return rv ? rv : mnet_txn_put(txn, TOKENS, name.bytes, name.len, id, strlen(id));
}

static apr_status_t del_token(const mnet_host_t *host, mnet_txn_t *txn, const char *whose,
                              const char *token)
{
    mnet_name_t name;
    apr_status_t rv = name_of_token(host, whose, token, &name);

    return rv ? rv : ignore_missing(mnet_txn_del(txn, TOKENS, name.bytes, name.len));
}

apr_status_t mnet_out_put(const mnet_host_t *host, mnet_txn_t *txn, const mnet_out_t *out,
                          apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_record_create(host, VERSION, pool);
    mnet_name_t name;
    apr_status_t rv;

    mnet_pack_text(pack, out->id);
    mnet_pack_text(pack, out->peer);
    mnet_pack_text(pack, out->user);
    mnet_pack_text(pack, out->title);
    mnet_pack_text(pack, out->format);
    mnet_pack_text(pack, out->kind);
    mnet_pack_u8(pack, (unsigned char)out->state);
    mnet_pack_u8(pack, out->wait != 0);
    mnet_pack_u8(pack, out->direct != 0);
    mnet_pack_i64(pack, out->count);
    mnet_pack_i64(pack, out->size);
    mnet_pack_i64(pack, out->total);
    mnet_pack_text(pack, out->sha1);
    mnet_pack_text(pack, out->sha256);
    mnet_pack_text(pack, out->content);
    mnet_pack_text(pack, out->token);
    mnet_pack_text(pack, out->secret);
    mnet_pack_i64(pack, out->created);
    mnet_pack_i64(pack, out->expires);
    mnet_pack_i64(pack, out->offered);
    mnet_pack_i64(pack, out->begun);
    mnet_pack_i64(pack, out->fetched);
    mnet_pack_i64(pack, out->done);
    mnet_pack_text(pack, out->query);
    name_of(host, out->id, &name);
    rv = mnet_record_put(txn, GROUP, &name, pack);
    rv = rv ? rv : put_token(host, txn, "#", out->secret, out->id);
    if (!rv && out->token) {
        rv = put_token(host, txn, out->peer, out->token, out->id);
        rv = rv ? rv : put_token(host, txn, "*", out->token, out->id);
    }
    return rv;
}

apr_status_t mnet_out_set_token(const mnet_host_t *host, mnet_txn_t *txn, mnet_out_t *out,
                                const char *token, apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;

    if (out->token) {
        rv = del_token(host, txn, out->peer, out->token);
        rv = rv ? rv : del_token(host, txn, "*", out->token);
    }
    out->token = token;
    return rv ? rv : mnet_out_put(host, txn, out, pool);
}

apr_status_t mnet_out_find(const mnet_host_t *host, mnet_txn_t *txn, const char *whose,
                           const char *token, mnet_out_t **out, apr_pool_t *pool)
{
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv = name_of_token(host, whose, token, &name);

    *out = NULL;
    rv = rv ? rv : mnet_txn_get(txn, TOKENS, name.bytes, name.len, &data, &len);
    return rv ? rv : mnet_out_get(host, txn, apr_pstrmemdup(pool, data, len), out, pool);
}

apr_status_t mnet_out_look(const mnet_host_t *host, const char *id, mnet_out_t **out,
                           apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    *out = NULL;
    if (!rv) {
        rv = mnet_out_get(host, txn, id, out, pool);
        mnet_txn_abort(txn);
    }
    return rv;
}

apr_status_t mnet_out_del(const mnet_host_t *host, mnet_txn_t *txn, const mnet_out_t *out)
{
    mnet_name_t name;
    apr_status_t rv;

    name_of(host, out->id, &name);
    rv = ignore_missing(mnet_txn_del(txn, GROUP, name.bytes, name.len));
    rv = rv ? rv : ignore_missing(mnet_txn_del(txn, FILES, name.bytes, name.len));
    rv = rv ? rv : del_token(host, txn, "#", out->secret);
    if (!rv && out->token) {
        rv = del_token(host, txn, out->peer, out->token);
        rv = rv ? rv : del_token(host, txn, "*", out->token);
    }
    return rv;
}

/* --- what is in it --- */

apr_status_t mnet_out_files_put(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                const apr_array_header_t *files, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(VERSION, pool);
    mnet_name_t name;

    mnet_pack_i64(pack, files->nelts);
    for (int i = 0; i < files->nelts; i++) {
        const mnet_out_file_t *file = &APR_ARRAY_IDX(files, i, mnet_out_file_t);

        mnet_pack_text(pack, file->name);
        mnet_pack_text(pack, file->sha1);
        mnet_pack_i64(pack, file->size);
    }
    name_of(host, id, &name);
    return mnet_record_put(txn, FILES, &name, pack);
}

apr_status_t mnet_out_files_get(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                apr_array_header_t **files, apr_pool_t *pool)
{
    mnet_name_t name;
    mnet_unpack_t unpack;
    const void *data;
    apr_size_t len;
    int count;
    apr_status_t rv;

    *files = apr_array_make(pool, 16, sizeof(mnet_out_file_t));
    name_of(host, id, &name);
    rv = mnet_txn_get(txn, FILES, name.bytes, name.len, &data, &len);
    rv = rv ? rv : mnet_unpack_begin(&unpack, data, len, VERSION, pool);
    if (rv) {
        return rv;
    }
    count = mnet_count_unpack(&unpack);
    for (int i = 0; i < count && !unpack.bad; i++) {
        mnet_out_file_t *file = apr_array_push(*files);

        memset(file, 0, sizeof(*file));
        file->name = mnet_unpack_text(&unpack);
        file->sha1 = mnet_unpack_text(&unpack);
        file->size = mnet_unpack_i64(&unpack);
        unpack.bad |= !file->name || !file->sha1;
    }
    return mnet_unpack_end(&unpack);
}

/* --- all of them --- */

typedef struct listing_t {
    const mnet_host_t *host;
    const char *peer, *user;
    apr_array_header_t *list;
    apr_pool_t *pool;
} listing_t;

static apr_status_t list_see(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                             apr_pool_t *scratch)
{
    listing_t *listing = baton;
    mnet_out_t *out = mnet_out_read(listing->host, data, len, listing->pool);

    if (out && (!listing->peer || !strcmp(listing->peer, out->peer)) &&
        (!listing->user || !strcmp(listing->user, out->user))) {
        APR_ARRAY_PUSH(listing->list, mnet_out_t *) = out;
    }
    return APR_SUCCESS;
}

static int newest_first(const void *a, const void *b)
{
    const mnet_out_t *const *x = a, *const *y = b;

    return (*x)->created < (*y)->created ? 1 : (*x)->created > (*y)->created ? -1 : 0;
}

apr_status_t mnet_out_list(const mnet_host_t *host, const char *peer, const char *user, int max,
                           apr_array_header_t **list, apr_pool_t *pool)
{
    listing_t listing = {host, peer, user, apr_array_make(pool, 32, sizeof(mnet_out_t *)), pool};
    mnet_walk_t walk = {GROUP, list_see, NULL, &listing};
    apr_status_t rv = mnet_walk(host, &walk, pool);

    *list = listing.list;
    if (listing.list->nelts > 1) {
        qsort(listing.list->elts, (size_t)listing.list->nelts, sizeof(mnet_out_t *), newest_first);
    }
    if (max > 0 && listing.list->nelts > max) {
        listing.list->nelts = max;
    }
    return rv;
}
