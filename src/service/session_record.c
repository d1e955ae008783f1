/* SPDX-License-Identifier: Apache-2.0 */
/* A session's record, its name, and the index from its user. */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/peer_share.h"
#include "service/sso_int.h"

#define VERSION 1
#define ID_LEN  MNET_SESSION_ID_LEN

/* --- names --- */

static int is_hex(const char *text, apr_size_t len)
{
    return strspn(text, "0123456789abcdef") == len && !text[len];
}

apr_status_t mnet_session_name(const mnet_host_t *host, const char *id, mnet_name_t *name)
{
    if (!id || strnlen(id, ID_LEN + 1) != ID_LEN || !is_hex(id, ID_LEN)) {
        return APR_NOTFOUND;
    }
    mnet_name_begin(host, name);
    return mnet_name_add_digest(host, name, id, NULL);
}

static unsigned char nibble(char digit)
{
    return (unsigned char)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

apr_status_t mnet_session_name_of_key(const mnet_host_t *host, const char *key, mnet_name_t *name)
{
    unsigned char bytes[MNET_SHA256];

    if (!key || strnlen(key, 2 * MNET_SHA256 + 1) != 2 * MNET_SHA256 ||
        !is_hex(key, 2 * MNET_SHA256)) {
        return APR_NOTFOUND;
    }
    for (int i = 0; i < MNET_SHA256; i++) {
        bytes[i] = (unsigned char)(nibble(key[2 * i]) << 4 | nibble(key[2 * i + 1]));
    }
    mnet_name_begin(host, name);
    mnet_name_add(name, bytes, sizeof(bytes));
    return APR_SUCCESS;
}

static apr_status_t index_name(const mnet_host_t *host, const mnet_name_t *name,
                               const mnet_session_t *session, mnet_name_t *index)
{
    apr_status_t rv;

    mnet_name_begin(host, index);
    rv = mnet_name_add_digest(host, index, session->peer, session->username);
    mnet_name_add(index, name->bytes + MNET_SITE_PREFIX, name->len - MNET_SITE_PREFIX);
    return rv;
}

apr_uint64_t mnet_session_mark(const mnet_name_t *name)
{
    apr_uint64_t mark;

    memcpy(&mark, name->bytes + MNET_SITE_PREFIX, sizeof(mark));
    return mark;
}

/* --- the record --- */

mnet_session_t *mnet_session_read(const mnet_host_t *host, const mnet_name_t *name,
                                  const void *data, apr_size_t len, apr_pool_t *pool)
{
    mnet_session_t *session = apr_palloc(pool, sizeof(*session));
    mnet_unpack_t unpack;
    const char *wwwroot;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, VERSION, pool);

    mnet_unpack_together(&unpack);
    wwwroot = mnet_unpack_text(&unpack);
    session->peer = mnet_unpack_text(&unpack);
    session->username = mnet_unpack_text(&unpack);
    session->user_agent = mnet_unpack_text(&unpack);
    session->created = mnet_unpack_i64(&unpack);
    session->expires = mnet_unpack_i64(&unpack);
    session->used = mnet_unpack_i64(&unpack);
    session->attributes = mnet_attributes_unpack(&unpack);
    unpack.bad |= !wwwroot || !session->peer || !session->username || !session->user_agent;
    rv = rv ? rv : mnet_unpack_end(&unpack);
    if (rv || !wwwroot) {
        return NULL;
    }
    session->fresh = 0;
    session->variables = NULL;
    session->who = NULL;
    session->key = mnet_hex(name->bytes + MNET_SITE_PREFIX, MNET_SHA256, pool);
    return strcmp(wwwroot, host->site->wwwroot) ? NULL : session;
}

apr_status_t mnet_session_get(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                              mnet_session_t **session, apr_pool_t *pool)
{
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, MNET_GROUP_SESSION, name->bytes, name->len, &data, &len);

    *session = NULL;
    return rv ? rv : mnet_session_decode(host, name, data, len, session, pool);
}

apr_status_t mnet_session_decode(const mnet_host_t *host, const mnet_name_t *name, const void *data,
                                 apr_size_t len, mnet_session_t **session, apr_pool_t *pool)
{
    *session = mnet_session_read(host, name, data, len, pool);
    if (!*session) {
        mnet_log(host->engine->log, MNET_LOG_ERR, APR_SUCCESS, "MNET0801",
                 "%s: the record of a session cannot be read; its user has to sign on again",
                 host->site->wwwroot);
    }
    return *session ? APR_SUCCESS : APR_NOTFOUND;
}

apr_status_t mnet_session_put(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                              const mnet_session_t *session, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(VERSION, pool);
    mnet_name_t index;
    const void *data;
    apr_size_t len;
    apr_status_t rv;

    mnet_pack_text(pack, host->site->wwwroot);
    mnet_pack_text(pack, session->peer);
    mnet_pack_text(pack, session->username);
    mnet_pack_text(pack, session->user_agent);
    mnet_pack_i64(pack, session->created);
    mnet_pack_i64(pack, session->expires);
    mnet_pack_i64(pack, session->used);
    mnet_attributes_pack(pack, session->attributes);
    data = mnet_pack_end(pack, &len);
    rv = mnet_txn_put(txn, MNET_GROUP_SESSION, name->bytes, name->len, data, len);
    if (!rv) {
        rv = index_name(host, name, session, &index);
    }
    return rv ? rv : mnet_txn_put(txn, MNET_GROUP_SESSION_USER, index.bytes, index.len, "", 1);
}

/* Of its record and the index, about. */
static apr_size_t length_of(const mnet_session_t *session)
{
    const apr_array_header_t *attributes = session->attributes;
    apr_size_t len = 400;

    for (int i = 0; attributes && i < attributes->nelts; i++) {
        const mnet_attribute_t *attribute = &APR_ARRAY_IDX(attributes, i, mnet_attribute_t);

        len += strlen(attribute->name) + strlen(attribute->value) + 8;
    }
    return len;
}

apr_status_t mnet_session_begin(const mnet_host_t *host, mnet_txn_t *txn, mnet_session_t *session,
                                apr_time_t now, const char **id, apr_pool_t *pool)
{
    mnet_name_t name;
    apr_status_t rv = mnet_random_hex(id, MNET_SESSION_ID_BYTES, pool);

    if (!rv) {
        rv = mnet_session_name(host, *id, &name);
    }
    if (rv) {
        return rv;
    }
    session->created = session->used = now;
    session->expires = mnet_ahead(now, host->site->session_lifetime);
    session->key = mnet_hex(name.bytes + MNET_SITE_PREFIX, MNET_SHA256, pool);
    rv = mnet_user_share_take(host, txn, session->peer, length_of(session), now, session->expires);
    return rv ? rv : mnet_session_put(host, txn, &name, session, pool);
}

apr_status_t mnet_session_del(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                              const mnet_session_t *session)
{
    mnet_name_t index;
    apr_status_t rv = index_name(host, name, session, &index);

    if (!rv) {
        rv = mnet_txn_del(txn, MNET_GROUP_SESSION_USER, index.bytes, index.len);
    }
    if (rv && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    rv = mnet_txn_del(txn, MNET_GROUP_SESSION, name->bytes, name->len);
    return rv ? rv
              : mnet_user_share_give(host, txn, session->peer, length_of(session), apr_time_now(),
                                     session->expires);
}

apr_status_t mnet_session_drop(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                               const mnet_session_t **session, apr_pool_t *pool)
{
    mnet_session_t *found;
    apr_status_t rv = mnet_session_get(host, txn, name, &found, pool);

    if (session) {
        *session = found;
    }
    return rv ? rv : mnet_session_del(host, txn, name, found);
}

/* --- whether it holds --- */

apr_time_t mnet_session_used(const mnet_host_t *host, const mnet_name_t *name,
                             const mnet_session_t *session)
{
    apr_time_t used = mnet_shared_used(host->engine->shared, mnet_session_mark(name));

    return used > session->used ? used : session->used;
}

int mnet_session_holds(const mnet_host_t *host, const mnet_session_t *session, apr_time_t used,
                       apr_time_t now)
{
    apr_interval_time_t idle = host->site->session_idle;

    return now < session->expires && (idle <= 0 || now - used <= idle);
}
