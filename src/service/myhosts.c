/* SPDX-License-Identifier: Apache-2.0 */
#include "service/myhosts.h"

#include <apr_strings.h>
#include <string.h>

#include "rpc/peer_share.h"
#include "service/land.h"
#include "service/peer_title.h"
#include "service/sso_int.h"
#include "trust/texts.h"

#define GROUP   "myhosts"
#define VERSION 1
#define URL_MAX 1000 /* bytes */

/* --- what a provider says --- */

/* The URL anew, below the provider's wwwroot; NULL: elsewhere, or the provider itself. */
static const char *url_below(const char *peer, const char *url, apr_pool_t *pool)
{
    apr_size_t len = strlen(peer);
    const char *path;

    if (!url || strlen(url) > URL_MAX || strncmp(url, peer, len) || !strchr("/?", url[len])) {
        return NULL;
    }
    path = mnet_wants_path(url, peer, pool);
    return path && strcmp(path, "/") ? apr_pstrcat(pool, peer, path, NULL) : NULL;
}

apr_array_header_t *mnet_myhosts_read(const char *peer, const mnet_value_t *user, apr_pool_t *pool)
{
    const mnet_value_t *given = mnet_get(user, "myhosts");
    apr_array_header_t *myhosts = apr_array_make(pool, 4, sizeof(mnet_myhost_t));
    int count = given ? mnet_count(given) : 0;

    for (int i = 0; i < count && myhosts->nelts < MNET_MYHOSTS_MAX; i++) {
        const mnet_value_t *each = mnet_item(given, i);
        mnet_myhost_t one;

        if (!each || each->type != MNET_STRUCT) {
            continue;
        }
        one.name = mnet_title_clean(mnet_as_text(mnet_get(each, "name"), pool), pool);
        one.url = url_below(peer, mnet_as_text(mnet_get(each, "url"), pool), pool);
        if (*one.name && one.url) {
            APR_ARRAY_PUSH(myhosts, mnet_myhost_t) = one;
        }
    }
    return myhosts;
}

/* --- the record --- */

static apr_status_t name_of(const mnet_host_t *host, const char *peer, const char *username,
                            mnet_name_t *name)
{
    mnet_name_begin(host, name);
    return mnet_name_add_digest(host, name, peer, username);
}

apr_status_t mnet_myhosts_note(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                               const char *username, const apr_array_header_t *myhosts,
                               apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_record_create(host, VERSION, pool);
    mnet_name_t name;
    const void *data, *before;
    apr_size_t len, before_len = 0;
    apr_time_t now = apr_time_now();
    apr_status_t rv = name_of(host, peer, username, &name), had;

    if (rv) {
        return rv;
    }
    had = mnet_txn_get(txn, GROUP, name.bytes, name.len, &before, &before_len);
    if (had && !APR_STATUS_IS_NOTFOUND(had)) {
        return had;
    }
    if (!myhosts->nelts) {
        rv = had ? APR_SUCCESS : mnet_user_share_keep(host, txn, peer, 0, before_len, now);
        return had || rv ? rv : mnet_txn_del(txn, GROUP, name.bytes, name.len);
    }
    mnet_pack_text(pack, peer);
    mnet_pack_text(pack, username);
    mnet_pack_i64(pack, myhosts->nelts);
    for (int i = 0; i < myhosts->nelts; i++) {
        mnet_pack_text(pack, APR_ARRAY_IDX(myhosts, i, mnet_myhost_t).name);
        mnet_pack_text(pack, APR_ARRAY_IDX(myhosts, i, mnet_myhost_t).url);
    }
    data = mnet_pack_end(pack, &len);
    if (!had && before_len == len && !memcmp(before, data, len)) {
        return APR_SUCCESS;
    }
    rv = mnet_user_share_keep(host, txn, peer, len, before_len, now);
    return rv ? rv : mnet_txn_put(txn, GROUP, name.bytes, name.len, data, len);
}

static void read_record(const mnet_host_t *host, const char *peer, const char *username,
                        const void *data, apr_size_t len, apr_array_header_t *myhosts)
{
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_record_open(&unpack, host, data, len, VERSION, myhosts->pool);
    const char *of = mnet_unpack_text(&unpack);
    const char *who = mnet_unpack_text(&unpack);
    int count = mnet_count_unpack(&unpack);

    if (rv || !of || !who || strcmp(of, peer) || strcmp(who, username)) {
        return;
    }
    for (int i = 0; i < count && i < MNET_MYHOSTS_MAX; i++) {
        mnet_myhost_t one = {mnet_unpack_text(&unpack), NULL};

        one.url = mnet_unpack_text(&unpack);
        if (!one.name || !one.url) {
            return;
        }
        APR_ARRAY_PUSH(myhosts, mnet_myhost_t) = one;
    }
}

apr_status_t mnet_myhosts_find(mnet_host_t *host, const char *peer, const char *username,
                               apr_array_header_t **myhosts, apr_pool_t *pool)
{
    mnet_name_t name;
    mnet_txn_t *txn;
    const void *data;
    apr_size_t len;
    apr_status_t rv = name_of(host, peer, username, &name);

    *myhosts = apr_array_make(pool, 4, sizeof(mnet_myhost_t));
    rv = rv ? rv : mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);
    if (rv) {
        return rv;
    }
    rv = mnet_txn_get(txn, GROUP, name.bytes, name.len, &data, &len);
    if (!rv) {
        read_record(host, peer, username, data, len, *myhosts);
    }
    mnet_txn_abort(txn);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}
