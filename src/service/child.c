/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that our users have at peers. */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "service/jump_int.h"

#define GROUP    "child"
#define INDEX    "child-user"
#define VERSION  2    /* since 2: picture */
#define USER_MAX 1000 /* of one user that are looked at */
/* In the place of a user, before the session whose children are found by it; no REMOTE_USER has it.
 */
#define OF_SESSION "\n"

/* --- the record --- */

/* Its name, and those under which its user and the session they jumped from find it: all end in the
 * same two digests. */
typedef struct names_t {
    mnet_name_t name, by_user, by_session;
    int has_session;
} names_t;

static apr_status_t names_of(const mnet_host_t *host, const mnet_child_t *child, names_t *names)
{
    mnet_name_t *name = &names->name;
    apr_status_t rv;

    mnet_name_begin(host, name);
    rv = mnet_name_add_digest(host, name, child->username, NULL);
    rv = rv ? rv : mnet_name_add_digest(host, name, child->peer, child->user_agent);
    mnet_name_begin(host, &names->by_user);
    rv = rv ? rv : mnet_name_add_digest(host, &names->by_user, child->user, NULL);
    mnet_name_add(&names->by_user, name->bytes + MNET_SITE_PREFIX, name->len - MNET_SITE_PREFIX);
    names->has_session = child->session && *child->session;
    if (!rv && names->has_session) {
        mnet_name_begin(host, &names->by_session);
        rv = mnet_name_add_digest(host, &names->by_session, OF_SESSION, child->session);
        mnet_name_add(&names->by_session, name->bytes + MNET_SITE_PREFIX,
                      name->len - MNET_SITE_PREFIX);
    }
    return rv;
}

static mnet_child_t *read_child(const mnet_host_t *host, const void *data, apr_size_t len,
                                apr_pool_t *pool)
{
    mnet_child_t *child = apr_palloc(pool, sizeof(*child));
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_record_open(&unpack, host, data, len, VERSION, pool);

    child->peer = mnet_unpack_text(&unpack);
    child->username = mnet_unpack_text(&unpack);
    child->user = mnet_unpack_text(&unpack);
    child->user_agent = mnet_unpack_text(&unpack);
    child->session = mnet_unpack_text(&unpack);
    child->claimed = mnet_unpack_i64(&unpack);
    child->kept = mnet_unpack_i64(&unpack);
    child->picture = unpack.version >= 2 ? mnet_unpack_text(&unpack) : NULL;
    unpack.bad |= !child->peer || !child->username || !child->user || !child->user_agent;
    return rv || mnet_unpack_end(&unpack) ? NULL : child;
}

static apr_status_t forget(mnet_txn_t *txn, const char *group, const mnet_name_t *name)
{
    apr_status_t rv = mnet_txn_del(txn, group, name->bytes, name->len);

    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* What is there under that name goes, with all by which it is found. */
static apr_status_t replace(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                            apr_pool_t *pool)
{
    const void *data;
    apr_size_t len;
    mnet_child_t *old;
    apr_status_t rv = mnet_txn_get(txn, GROUP, name->bytes, name->len, &data, &len);

    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    old = read_child(host, data, len, pool);
    return old ? mnet_child_del(host, txn, old) : APR_SUCCESS;
}

apr_status_t mnet_child_put(const mnet_host_t *host, mnet_txn_t *txn, const mnet_child_t *child,
                            apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_record_create(host, VERSION, pool);
    names_t names;
    apr_status_t rv = names_of(host, child, &names);

    rv = rv ? rv : replace(host, txn, &names.name, pool);
    mnet_pack_text(pack, child->peer);
    mnet_pack_text(pack, child->username);
    mnet_pack_text(pack, child->user);
    mnet_pack_text(pack, child->user_agent);
    mnet_pack_text(pack, child->session);
    mnet_pack_i64(pack, child->claimed);
    mnet_pack_i64(pack, child->kept);
    mnet_pack_text(pack, child->picture);
    rv = rv ? rv : mnet_record_put(txn, GROUP, &names.name, pack);
    rv = rv ? rv : mnet_txn_put(txn, INDEX, names.by_user.bytes, names.by_user.len, "", 1);
    if (!rv && names.has_session) {
        rv = mnet_txn_put(txn, INDEX, names.by_session.bytes, names.by_session.len, "", 1);
    }
    return rv;
}

apr_status_t mnet_child_del(const mnet_host_t *host, mnet_txn_t *txn, const mnet_child_t *child)
{
    names_t names;
    apr_status_t rv = names_of(host, child, &names);

    rv = rv ? rv : forget(txn, INDEX, &names.by_user);
    if (!rv && names.has_session) {
        rv = forget(txn, INDEX, &names.by_session);
    }
    return rv ? rv : forget(txn, GROUP, &names.name);
}

/* --- finding --- */

typedef struct gathering_t {
    const mnet_host_t *host;
    const char *username, *user, *session; /* two of them are NULL */
    apr_array_header_t *children;
    apr_pool_t *pool;
} gathering_t;

static void keep(gathering_t *gathering, const void *data, apr_size_t len)
{
    mnet_child_t *child = read_child(gathering->host, data, len, gathering->pool);

    if (child && (!gathering->username || !strcmp(child->username, gathering->username)) &&
        (!gathering->user || !strcmp(child->user, gathering->user)) &&
        (!gathering->session || (child->session && !strcmp(child->session, gathering->session)))) {
        APR_ARRAY_PUSH(gathering->children, mnet_child_t *) = child;
    }
}

static apr_status_t by_name(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                            const void *data, apr_size_t len)
{
    gathering_t *gathering = baton;

    keep(gathering, data, len);
    return gathering->children->nelts < USER_MAX ? APR_SUCCESS : APR_EOF;
}

/* Of the index, whichever name is looked for. */
static apr_status_t by_index(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                             const void *data, apr_size_t len)
{
    const apr_size_t skip = MNET_SITE_PREFIX + MNET_SHA256;
    gathering_t *gathering = baton;
    mnet_name_t name;
    apr_status_t rv;

    mnet_name_begin(gathering->host, &name);
    if (key_len <= skip) {
        return APR_SUCCESS;
    }
    mnet_name_add(&name, (const unsigned char *)key + skip, key_len - skip);
    rv = mnet_txn_get(txn, GROUP, name.bytes, name.len, &data, &len);
    if (!rv) {
        keep(gathering, data, len);
    }
    if (rv && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    return gathering->children->nelts < USER_MAX ? APR_SUCCESS : APR_EOF;
}

/* All whose names in that group begin with the digest of a and b. */
static apr_status_t gather(gathering_t *gathering, mnet_txn_t *txn, const char *group,
                           mnet_each_fn *each, const char *a, const char *b,
                           apr_array_header_t **children)
{
    mnet_name_t prefix;
    apr_status_t rv;

    *children = gathering->children = apr_array_make(gathering->pool, 4, sizeof(mnet_child_t *));
    mnet_name_begin(gathering->host, &prefix);
    rv = mnet_name_add_digest(gathering->host, &prefix, a, b);
    return rv ? rv : mnet_txn_each(txn, group, prefix.bytes, prefix.len, NULL, 0, each, gathering);
}

apr_status_t mnet_children_named(const mnet_host_t *host, mnet_txn_t *txn, const char *username,
                                 apr_array_header_t **children, apr_pool_t *pool)
{
    gathering_t gathering = {.host = host, .username = username, .pool = pool};

    return gather(&gathering, txn, GROUP, by_name, username, NULL, children);
}

apr_status_t mnet_children_of(const mnet_host_t *host, mnet_txn_t *txn, const char *user,
                              apr_array_header_t **children, apr_pool_t *pool)
{
    gathering_t gathering = {.host = host, .user = user, .pool = pool};

    return gather(&gathering, txn, INDEX, by_index, user, NULL, children);
}

apr_status_t mnet_children_from(const mnet_host_t *host, mnet_txn_t *txn, const char *session,
                                apr_array_header_t **children, apr_pool_t *pool)
{
    gathering_t gathering = {.host = host, .session = session, .pool = pool};

    return gather(&gathering, txn, INDEX, by_index, OF_SESSION, session, children);
}

apr_array_header_t *mnet_children_pick(const apr_array_header_t *children, const char *user_agent,
                                       apr_pool_t *pool)
{
    apr_array_header_t *picked = apr_array_make(pool, 4, sizeof(mnet_child_t *));

    for (int i = 0; user_agent && i < children->nelts; i++) {
        mnet_child_t *child = APR_ARRAY_IDX(children, i, mnet_child_t *);

        if (!strcmp(child->user_agent, user_agent)) {
            APR_ARRAY_PUSH(picked, mnet_child_t *) = child;
        }
    }
    return picked->nelts ? picked : apr_array_copy(pool, children);
}

int mnet_children_at(const apr_array_header_t *children, const char *peer)
{
    for (int i = 0; i < children->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(children, i, mnet_child_t *)->peer, peer)) {
            return 1;
        }
    }
    return 0;
}

apr_status_t mnet_children_list(mnet_host_t *host, const char *user, const char *user_agent,
                                apr_array_header_t **children, apr_pool_t *pool)
{
    apr_array_header_t *all;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    *children = apr_array_make(pool, 4, sizeof(mnet_child_t *));
    if (rv) {
        return rv;
    }
    rv = mnet_children_of(host, txn, user, &all, pool);
    mnet_txn_abort(txn);
    for (int i = 0; !rv && i < all->nelts; i++) {
        mnet_child_t *child = APR_ARRAY_IDX(all, i, mnet_child_t *);

        if (!user_agent || !strcmp(child->user_agent, user_agent)) {
            APR_ARRAY_PUSH(*children, mnet_child_t *) = child;
        }
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
    mnet_child_t *child = read_child(upkeep->host, data, len, scratch);

    return child && upkeep->now - child->kept > upkeep->host->site->session_lifetime;
}

static apr_status_t drop(void *baton, mnet_txn_t *txn, const mnet_name_t *name, const void *data,
                         apr_size_t len, apr_pool_t *scratch)
{
    const upkeep_t *upkeep = baton;
    mnet_child_t *child = read_child(upkeep->host, data, len, scratch);

    return child ? mnet_child_del(upkeep->host, txn, child) : APR_SUCCESS;
}

apr_status_t mnet_children_tend(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    upkeep_t upkeep = {host, now};
    mnet_tending_t tending = {GROUP, is_past, drop, &upkeep};

    return mnet_tend(host, &tending, pool);
}
