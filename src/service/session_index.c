/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions in their numbers: those of a user, of a peer, of a site; and their upkeep. */
#include <apr_hash.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "service/sso_int.h"

#define USER_MAX    100000 /* sessions of one user that are looked at in one transaction */
#define FLUSH_AFTER apr_time_from_sec(60)

/* --- those of a user --- */

typedef struct gathering_t {
    mnet_host_t *host;
    apr_array_header_t *names; /* mnet_name_t */
    apr_size_t skip;           /* bytes of the index's name before the session's */
} gathering_t;

static apr_status_t gather(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                           const void *data, apr_size_t len)
{
    gathering_t *gathering = baton;
    mnet_name_t *name;

    if (key_len != gathering->skip + MNET_SHA256) {
        return APR_SUCCESS;
    }
    name = apr_array_push(gathering->names);
    mnet_name_begin(gathering->host, name);
    mnet_name_add(name, (const unsigned char *)key + gathering->skip, MNET_SHA256);
    return gathering->names->nelts < USER_MAX ? APR_SUCCESS : APR_EOF;
}

static apr_status_t names_of_user(mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  const char *username, apr_array_header_t **names,
                                  apr_pool_t *pool)
{
    gathering_t gathering = {host, apr_array_make(pool, 4, sizeof(mnet_name_t)), 0};
    mnet_name_t prefix;
    apr_status_t rv;

    *names = gathering.names;
    mnet_name_begin(host, &prefix);
    rv = mnet_name_add_digest(host, &prefix, peer, username);
    gathering.skip = prefix.len;
    return rv ? rv
              : mnet_txn_each(txn, MNET_GROUP_SESSION_USER, prefix.bytes, prefix.len, NULL, 0,
                              gather, &gathering);
}

static int is_of_user(const mnet_session_t *session, const char *peer, const char *username)
{
    return (!peer || !strcmp(session->peer, peer)) &&
           (!username || !strcmp(session->username, username));
}

apr_status_t mnet_sessions_end_in(mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  const char *username, const char *user_agent,
                                  apr_array_header_t *ended, apr_pool_t *pool)
{
    apr_array_header_t *names;
    apr_status_t rv = names_of_user(host, txn, peer, username, &names, pool);

    for (int i = 0; !rv && i < names->nelts; i++) {
        const mnet_name_t *name = &APR_ARRAY_IDX(names, i, mnet_name_t);
        mnet_session_t *session;

        rv = mnet_session_get(host, txn, name, &session, pool);
        if (APR_STATUS_IS_NOTFOUND(rv)) {
            rv = APR_SUCCESS;
        } else if (!rv && is_of_user(session, peer, username) &&
                   (!user_agent || !strcmp(session->user_agent, user_agent))) {
            rv = mnet_session_del(host, txn, name, session);
            APR_ARRAY_PUSH(ended, const mnet_session_t *) = session;
        }
    }
    return rv;
}

apr_status_t mnet_sessions_end_user(mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                    const char *username, const char *user_agent, int *ended,
                                    apr_pool_t *pool)
{
    apr_array_header_t *sessions = apr_array_make(pool, 4, sizeof(const mnet_session_t *));
    mnet_txn_t *own = NULL;
    apr_status_t rv = APR_SUCCESS;

    *ended = 0;
    if (!txn) {
        rv = mnet_txn_begin(host->engine->store, MNET_WRITE_END, &own, pool);
        if (rv) {
            return rv;
        }
    }
    rv = mnet_sessions_end_in(host, txn ? txn : own, peer, username, user_agent, sessions, pool);
    if (own) {
        rv = rv ? rv : mnet_txn_commit(own);
        mnet_txn_abort(own);
    }
    *ended = rv ? 0 : sessions->nelts;
    return rv;
}

/* --- lists --- */

typedef struct found_t {
    apr_time_t created;
    mnet_name_t name;
} found_t;

typedef struct listing_t {
    mnet_host_t *host;
    const char *peer, *username;
    apr_time_t now;
    apr_array_header_t *found; /* found_t */
} listing_t;

static apr_status_t list_see(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                             apr_pool_t *scratch)
{
    listing_t *listing = baton;
    mnet_session_t *session = mnet_session_read(listing->host, name, data, len, scratch);

    if (session && is_of_user(session, listing->peer, listing->username) &&
        mnet_session_holds(listing->host, session, mnet_session_used(listing->host, name, session),
                           listing->now)) {
        found_t *found = apr_array_push(listing->found);

        found->created = session->created;
        found->name = *name;
    }
    return APR_SUCCESS;
}

static int newest_first(const void *a, const void *b)
{
    apr_time_t x = ((const found_t *)a)->created, y = ((const found_t *)b)->created;

    return x < y ? 1 : x > y ? -1 : 0;
}

static apr_status_t fetch(mnet_host_t *host, const apr_array_header_t *found, int max,
                          apr_array_header_t *list, apr_pool_t *pool)
{
    mnet_session_t *session;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    if (rv) {
        return rv;
    }
    for (int i = 0; !rv && i < found->nelts && i < max; i++) {
        const mnet_name_t *name = &APR_ARRAY_IDX(found, i, found_t).name;

        rv = mnet_session_get(host, txn, name, &session, pool);
        if (!rv) {
            session->used = mnet_session_used(host, name, session);
            APR_ARRAY_PUSH(list, mnet_session_t *) = session;
        } else if (APR_STATUS_IS_NOTFOUND(rv)) {
            rv = APR_SUCCESS; /* ended meanwhile */
        }
    }
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_sessions_list(mnet_host_t *host, const char *peer, const char *username, int max,
                                apr_time_t now, apr_array_header_t **list, apr_pool_t *pool)
{
    listing_t listing = {host, peer, username, now, apr_array_make(pool, 64, sizeof(found_t))};
    mnet_walk_t walk = {MNET_GROUP_SESSION, list_see, NULL, &listing};
    apr_status_t rv = mnet_walk(host, &walk, pool);

    *list = apr_array_make(pool, 16, sizeof(mnet_session_t *));
    if (rv || !listing.found->nelts) {
        return rv;
    }
    qsort(listing.found->elts, (size_t)listing.found->nelts, sizeof(found_t), newest_first);
    return fetch(host, listing.found, max, *list, pool);
}

/* --- who is here --- */

typedef struct active_t {
    mnet_host_t *host;
    const char *peer;
    apr_time_t since;
    apr_hash_t *seen;
    apr_array_header_t *usernames;
    apr_pool_t *pool;
} active_t;

static apr_status_t active_see(void *baton, const mnet_name_t *name, const void *data,
                               apr_size_t len, apr_pool_t *scratch)
{
    active_t *active = baton;
    mnet_session_t *session = mnet_session_read(active->host, name, data, len, scratch);
    const char *username;

    if (!session || strcmp(session->peer, active->peer) ||
        mnet_session_used(active->host, name, session) < active->since ||
        apr_hash_get(active->seen, session->username, APR_HASH_KEY_STRING)) {
        return APR_SUCCESS;
    }
    username = apr_pstrdup(active->pool, session->username);
    apr_hash_set(active->seen, username, APR_HASH_KEY_STRING, username);
    APR_ARRAY_PUSH(active->usernames, const char *) = username;
    return APR_SUCCESS;
}

apr_status_t mnet_sessions_active(mnet_host_t *host, const char *peer, apr_time_t since,
                                  apr_array_header_t **usernames, apr_pool_t *pool)
{
    active_t active = {
        host, peer, since, apr_hash_make(pool), apr_array_make(pool, 30, sizeof(const char *)),
        pool};
    mnet_walk_t walk = {MNET_GROUP_SESSION, active_see, NULL, &active};

    *usernames = active.usernames;
    return mnet_walk(host, &walk, pool);
}

/* --- upkeep --- */

typedef struct upkeep_t {
    mnet_host_t *host;
    apr_time_t now;
} upkeep_t;

static int wants_flush(const mnet_host_t *host, const mnet_session_t *session, apr_time_t used)
{
    apr_interval_time_t after = FLUSH_AFTER, idle = host->site->session_idle;

    if (idle > 0 && idle / 4 < after) {
        after = idle / 4;
    }
    return used - session->used > after;
}

static int is_due(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                  apr_pool_t *scratch)
{
    const upkeep_t *upkeep = baton;
    mnet_session_t *session = mnet_session_read(upkeep->host, name, data, len, scratch);
    apr_time_t used = session ? mnet_session_used(upkeep->host, name, session) : 0;

    return session && (!mnet_session_holds(upkeep->host, session, used, upkeep->now) ||
                       wants_flush(upkeep->host, session, used));
}

/* One that is over goes; of the others it is written when they were last used. */
static apr_status_t settle(void *baton, mnet_txn_t *txn, const mnet_name_t *name, const void *data,
                           apr_size_t len, apr_pool_t *scratch)
{
    const upkeep_t *upkeep = baton;
    mnet_session_t *session = mnet_session_read(upkeep->host, name, data, len, scratch);
    apr_time_t used;

    if (!session) {
        return APR_SUCCESS;
    }
    used = mnet_session_used(upkeep->host, name, session);
    if (!mnet_session_holds(upkeep->host, session, used, upkeep->now)) {
        return mnet_session_del(upkeep->host, txn, name, session);
    }
    session->used = used;
    return mnet_session_put(upkeep->host, txn, name, session, scratch);
}

apr_status_t mnet_sessions_tend(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    upkeep_t upkeep = {host, now};
    mnet_tending_t tending = {MNET_GROUP_SESSION, is_due, settle, &upkeep};

    return mnet_tend(host, &tending, pool);
}
