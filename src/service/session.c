/* SPDX-License-Identifier: Apache-2.0 */
#include "service/session.h"

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
static void write_use(mnet_host_t *host, const mnet_name_t *name, apr_time_t now, apr_pool_t *pool)
{
    mnet_session_t *session;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);

    if (rv) {
        return; /* the store has said so; the session holds for now */
    }
    rv = mnet_session_get(host, txn, name, &session, pool);
    if (!rv && now > session->used) {
        session->used = now;
        rv = mnet_session_put(host, txn, name, session, pool);
    }
    if (!rv) {
        mnet_txn_commit(txn);
    }
    mnet_txn_abort(txn);
}

/* Notes the use; 0 if the session was idle for too long before it. */
static int use(mnet_host_t *host, const mnet_name_t *name, mnet_session_t *session, apr_time_t now,
               apr_pool_t *pool)
{
    apr_interval_time_t idle = host->site->session_idle;
    apr_time_t stored = session->used, noted;

    session->used = mnet_session_used(host, name, session);
    if (!mnet_session_holds(host, session, session->used, now)) {
        return 0;
    }
    noted = mnet_shared_use(host->engine->shared, mnet_session_mark(name), now);
    session->fresh = !noted && stored == session->created && now - stored < FRESH;
    if (!noted && idle > 0 && now - stored > idle / IDLE_PARTS) {
        write_use(host, name, now, pool);
    }
    if (now > session->used) {
        session->used = now;
    }
    return 1;
}

apr_status_t mnet_session_find(mnet_host_t *host, const char *id, apr_time_t now,
                               const mnet_session_t **found, apr_pool_t *pool)
{
    mnet_session_t *session;
    mnet_name_t name;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_session_name(host, id, &name);

    *found = NULL;
    if (!rv) {
        rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);
    }
    if (rv) {
        return rv;
    }
    rv = mnet_session_get(host, txn, &name, &session, pool);
    if (!rv && !still_welcome(host, txn, session, pool)) {
        rv = APR_NOTFOUND;
    }
    mnet_txn_abort(txn);
    if (rv || !use(host, &name, session, now, pool)) {
        return rv ? rv : APR_NOTFOUND;
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
