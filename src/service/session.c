/* SPDX-License-Identifier: Apache-2.0 */
#include "service/session.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "service/sso_int.h"
#include "trust/policy.h"

/* A time of use older than this part of MnetSessionIdle is written at once. */
#define IDLE_PARTS 4

#define FRESH apr_time_from_sec(60)

apr_status_t mnet_session_create(mnet_host_t *host, mnet_session_t *session, apr_time_t now,
                                 const char **id, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = mnet_session_begin(host, txn, session, now, id, pool);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

/* Are its provider and its user still let in?  A peer taken away takes its users along. */
static int still_welcome(mnet_host_t *host, mnet_txn_t *txn, const mnet_session_t *session,
                         apr_pool_t *pool)
{
    const mnet_peer_t *peer;

    return !mnet_peers_find(host->peers, txn, session->peer, &peer, pool) &&
           mnet_policy_user(peer, session->username);
}

/*
 * The shared memory did not know the session: it is new there, or was pushed out, or there is none.
 * Should that happen to it at every turn, the store must know that it is in use.
 */
static void write_use(mnet_host_t *host, const char *key, apr_time_t now, apr_pool_t *pool)
{
    mnet_session_t *session;
    mnet_name_t name;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_session_name_of_key(host, key, &name);

    rv = rv ? rv : mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);
    if (rv) {
        return; /* the store has said so; the session holds for now */
    }
    rv = mnet_session_get(host, txn, &name, &session, pool);
    if (!rv && now > session->used) {
        session->used = now;
        rv = mnet_session_put(host, txn, &name, session, pool);
    }
    if (!rv) {
        mnet_txn_commit(txn);
    }
    mnet_txn_abort(txn);
}

/* Notes the use; 0 if the session was idle for too long before it.  met: this process has found it
 * before. */
static int use(mnet_host_t *host, apr_uint64_t mark, mnet_session_t *session, int met,
               apr_time_t now, apr_pool_t *pool)
{
    apr_interval_time_t idle = host->site->session_idle;
    apr_time_t stored = session->used, noted = mnet_shared_used(host->engine->shared, mark);

    if (noted > session->used) {
        session->used = noted;
    }
    if (!mnet_session_holds(host, session, session->used, now)) {
        return 0;
    }
    noted = mnet_shared_use(host->engine->shared, mark, now);
    session->fresh = !met && !noted && stored == session->created && now - stored < FRESH;
    if (!noted && idle > 0 && now - stored > idle / IDLE_PARTS) {
        write_use(host, session->key, now, pool);
    }
    if (now > session->used) {
        session->used = now;
    }
    return 1;
}

/* A session that is looked for: what is kept of it, or NULL, and what the store has. */
typedef struct looking_t {
    mnet_host_t *host;
    const char *id;
    apr_time_t now;
    mnet_name_t name;
    mnet_kept_session_t *kept, seen;
    apr_pool_t *pool;
} looking_t;

static apr_status_t look(looking_t *looking, mnet_txn_t *txn)
{
    mnet_kept_session_t *kept = looking->kept, *seen = &looking->seen;
    const mnet_name_t *name = &looking->name;
    apr_uint64_t stamp = mnet_txn_stamp(txn);
    mnet_session_t *session;
    apr_status_t rv =
        mnet_txn_get(txn, MNET_GROUP_SESSION, name->bytes, name->len, &seen->record, &seen->len);
    int same =
        !rv && kept && kept->len == seen->len && !memcmp(kept->record, seen->record, seen->len);

    if (same) {
        seen->session = kept->session;
    } else if (!rv) {
        rv = mnet_session_decode(looking->host, name, seen->record, seen->len, &session,
                                 looking->pool);
        if (!rv) {
            seen->session = *session;
        }
    }
    if (!rv && !still_welcome(looking->host, txn, &seen->session, looking->pool)) {
        rv = APR_NOTFOUND;
    }
    if (!rv && same) {
        kept->stamp = stamp;
    } else if (!rv && stamp) {
        seen->name = name->bytes;
        seen->mark = mnet_session_mark(name);
        seen->stamp = stamp;
        mnet_kept_put(looking->host, looking->id, seen, looking->now, looking->pool);
    } else if (rv && kept) {
        mnet_kept_forget(looking->host, looking->id);
    }
    return rv;
}

/* By the store, since nothing is kept, or what is was read before its last commit. */
static apr_status_t find_stored(mnet_host_t *host, const char *id, apr_time_t now,
                                mnet_kept_session_t *kept, mnet_session_t **session,
                                apr_uint64_t *mark, apr_pool_t *pool)
{
    looking_t looking = {.host = host, .id = id, .now = now, .kept = kept, .pool = pool};
    mnet_txn_t *txn;
    apr_status_t rv = APR_SUCCESS;

    if (kept) {
        mnet_name_add(&looking.name, kept->name, MNET_KEPT_NAME);
    } else {
        rv = mnet_session_name(host, id, &looking.name);
    }
    if (!rv) {
        rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);
    }
    if (rv) {
        return rv;
    }
    rv = look(&looking, txn);
    mnet_txn_abort(txn);
    if (!rv) {
        *session = apr_pmemdup(pool, &looking.seen.session, sizeof(**session));
        *mark = mnet_session_mark(&looking.name);
    }
    return rv;
}

apr_status_t mnet_session_find(mnet_host_t *host, const char *id, apr_time_t now,
                               const mnet_session_t **found, apr_pool_t *pool)
{
    mnet_kept_session_t *kept;
    mnet_session_t *session;
    apr_uint64_t stamp, mark;

    *found = NULL;
    if (!id || strnlen(id, MNET_SESSION_ID_LEN + 1) != MNET_SESSION_ID_LEN) {
        return APR_NOTFOUND;
    }
    kept = mnet_kept_find(host, id, now, pool);
    stamp = kept ? mnet_store_stamp(host->engine->store) : 0;
    if (stamp && kept->stamp == stamp) {
        session = apr_pmemdup(pool, &kept->session, sizeof(*session));
        mark = kept->mark;
    } else {
        apr_status_t rv = find_stored(host, id, now, kept, &session, &mark, pool);

        if (rv) {
            return rv;
        }
    }
    if (!use(host, mark, session, kept != NULL, now, pool)) {
        return APR_NOTFOUND;
    }
    *found = session;
    return APR_SUCCESS;
}

static apr_status_t end(mnet_host_t *host, const mnet_name_t *name, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = mnet_session_drop(host, txn, name, NULL, pool);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_session_end(mnet_host_t *host, const char *id, apr_pool_t *pool)
{
    mnet_name_t name;
    apr_status_t rv = mnet_session_name(host, id, &name);

    return rv ? rv : end(host, &name, pool);
}

apr_status_t mnet_session_end_key(mnet_host_t *host, const char *key, apr_pool_t *pool)
{
    mnet_name_t name;
    apr_status_t rv = mnet_session_name_of_key(host, key, &name);

    return rv ? rv : end(host, &name, pool);
}
