/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of users on their way to a peer, and the index from their user. */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "service/jump_int.h"

#define GROUP   "jump"
#define INDEX   "jump-user"
#define VERSION 2 /* since 2: picture */

apr_status_t mnet_jump_name(const mnet_host_t *host, const char *token, mnet_name_t *name)
{
    mnet_name_begin(host, name);
    return mnet_name_add_digest(host, name, token, NULL);
}

static apr_status_t index_name(const mnet_host_t *host, const mnet_name_t *name, const char *user,
                               apr_time_t created, mnet_name_t *index)
{
    apr_status_t rv;

    mnet_name_begin(host, index);
    rv = mnet_name_add_digest(host, index, user, NULL);
    mnet_name_add_time(index, created);
    mnet_name_add(index, name->bytes + MNET_SITE_PREFIX, name->len - MNET_SITE_PREFIX);
    return rv;
}

/* NULL: damaged, or of another site. */
static mnet_jump_t *read_jump(const mnet_host_t *host, const void *data, apr_size_t len,
                              apr_pool_t *pool)
{
    mnet_jump_t *jump = apr_palloc(pool, sizeof(*jump));
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_record_open(&unpack, host, data, len, VERSION, pool);

    jump->peer = mnet_unpack_text(&unpack);
    jump->username = mnet_unpack_text(&unpack);
    jump->user = mnet_unpack_text(&unpack);
    jump->user_agent = mnet_unpack_text(&unpack);
    jump->session = mnet_unpack_text(&unpack);
    jump->created = mnet_unpack_i64(&unpack);
    jump->until = mnet_unpack_i64(&unpack);
    jump->claimed = mnet_unpack_i64(&unpack);
    jump->attributes = mnet_attributes_unpack(&unpack);
    jump->picture = unpack.version >= 2 ? mnet_unpack_text(&unpack) : NULL;
    unpack.bad |= !jump->peer || !jump->username || !jump->user || !jump->user_agent;
    return rv || mnet_unpack_end(&unpack) ? NULL : jump;
}

apr_status_t mnet_jump_get(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                           mnet_jump_t **jump, apr_pool_t *pool)
{
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, GROUP, name->bytes, name->len, &data, &len);

    *jump = rv ? NULL : read_jump(host, data, len, pool);
    return rv ? rv : *jump ? APR_SUCCESS : APR_NOTFOUND;
}

apr_status_t mnet_jump_put(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                           const mnet_jump_t *jump, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_record_create(host, VERSION, pool);
    mnet_name_t index;
    apr_status_t rv;

    mnet_pack_text(pack, jump->peer);
    mnet_pack_text(pack, jump->username);
    mnet_pack_text(pack, jump->user);
    mnet_pack_text(pack, jump->user_agent);
    mnet_pack_text(pack, jump->session);
    mnet_pack_i64(pack, jump->created);
    mnet_pack_i64(pack, jump->until);
    mnet_pack_i64(pack, jump->claimed);
    mnet_attributes_pack(pack, jump->attributes);
    mnet_pack_text(pack, jump->picture);
    rv = mnet_record_put(txn, GROUP, name, pack);
    if (!rv) {
        rv = index_name(host, name, jump->user, jump->created, &index);
    }
    return rv ? rv : mnet_txn_put(txn, INDEX, index.bytes, index.len, "", 1);
}

static apr_status_t ignore_missing(apr_status_t rv)
{
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* --- not too many of one user --- */

static apr_status_t collect(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                            const void *data, apr_size_t len)
{
    apr_array_header_t *names = baton;
    mnet_name_t *name;

    if (key_len <= MNET_NAME_MAX) {
        name = apr_array_push(names);
        name->len = 0;
        mnet_name_add(name, key, key_len);
    }
    return names->nelts < 2 * MNET_JUMPS_MAX ? APR_SUCCESS : APR_EOF;
}

apr_status_t mnet_jump_room(const mnet_host_t *host, mnet_txn_t *txn, const char *user,
                            apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, MNET_JUMPS_MAX, sizeof(mnet_name_t));
    mnet_name_t prefix;
    apr_status_t rv;

    mnet_name_begin(host, &prefix);
    rv = mnet_name_add_digest(host, &prefix, user, NULL);
    if (!rv) {
        rv = mnet_txn_each(txn, INDEX, prefix.bytes, prefix.len, NULL, 0, collect, names);
    }
    /* They lie in the order of their time. */
    for (int i = 0; !rv && i <= names->nelts - MNET_JUMPS_MAX; i++) {
        const mnet_name_t *index = &APR_ARRAY_IDX(names, i, mnet_name_t);
        mnet_name_t name;

        mnet_name_begin(host, &name);
        if (index->len > MNET_SHA256) {
            mnet_name_add(&name, index->bytes + index->len - MNET_SHA256, MNET_SHA256);
        }
        rv = ignore_missing(mnet_txn_del(txn, GROUP, name.bytes, name.len));
        rv = rv ? rv : ignore_missing(mnet_txn_del(txn, INDEX, index->bytes, index->len));
    }
    return rv;
}

/* --- upkeep --- */

typedef struct upkeep_t {
    mnet_host_t *host;
    apr_time_t now;
} upkeep_t;

static int is_past(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                   apr_pool_t *scratch)
{
    const upkeep_t *upkeep = baton;
    mnet_jump_t *jump = read_jump(upkeep->host, data, len, scratch);

    /* A claimed one must outlast its lifetime by the time in which it may be claimed again. */
    return jump && mnet_ahead(jump->until, MNET_CLAIM_AGAIN) < upkeep->now;
}

static apr_status_t drop(void *baton, mnet_txn_t *txn, const mnet_name_t *name, const void *data,
                         apr_size_t len, apr_pool_t *scratch)
{
    const upkeep_t *upkeep = baton;
    mnet_jump_t *jump = read_jump(upkeep->host, data, len, scratch);
    mnet_name_t index;
    apr_status_t rv =
        jump ? index_name(upkeep->host, name, jump->user, jump->created, &index) : APR_NOTFOUND;

    rv = rv ? rv : ignore_missing(mnet_txn_del(txn, INDEX, index.bytes, index.len));
    return rv ? rv : mnet_txn_del(txn, GROUP, name->bytes, name->len);
}

apr_status_t mnet_jumps_tend(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    upkeep_t upkeep = {host, now};
    mnet_tending_t tending = {GROUP, is_past, drop, &upkeep};

    return mnet_tend(host, &tending, pool);
}
