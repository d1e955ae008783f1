/* SPDX-License-Identifier: Apache-2.0 */
#include "service/logout.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "service/jump_int.h"
#include "service/kill.h"

/* What the disk no longer has of the user: those who are to be told are kept. */
typedef struct ended_t {
    const mnet_session_t *session; /* NULL: they had none of ours */
    apr_array_header_t *children;  /* mnet_child_t * */
} ended_t;

/* The children of this session and those of this browser: others may go on elsewhere. */
static apr_array_header_t *pick(const mnet_logout_t *logout, const apr_array_header_t *all,
                                const char *session, apr_pool_t *pool)
{
    const char *user_agent = mnet_user_agent_hash(logout->host, logout->user_agent, pool);
    apr_array_header_t *picked = apr_array_make(pool, 4, sizeof(mnet_child_t *));

    for (int i = 0; i < all->nelts; i++) {
        mnet_child_t *child = APR_ARRAY_IDX(all, i, mnet_child_t *);

        if ((session && child->session && !strcmp(child->session, session)) ||
            !strcmp(child->user_agent, user_agent)) {
            APR_ARRAY_PUSH(picked, mnet_child_t *) = child;
        }
    }
    return picked;
}

static apr_status_t end_children(const mnet_logout_t *logout, mnet_txn_t *txn, ended_t *ended,
                                 apr_pool_t *pool)
{
    apr_array_header_t *all;
    apr_status_t rv;

    ended->children = apr_array_make(pool, 1, sizeof(mnet_child_t *));
    if (!logout->user) {
        return APR_SUCCESS;
    }
    rv = mnet_children_of(logout->host, txn, logout->user, &all, pool);
    if (rv) {
        return rv;
    }
    ended->children = pick(logout, all, ended->session ? ended->session->key : NULL, pool);
    for (int i = 0; !rv && i < ended->children->nelts; i++) {
        rv = mnet_child_del(logout->host, txn, APR_ARRAY_IDX(ended->children, i, mnet_child_t *));
    }
    return rv;
}

/* Those who are to be told are noted with it; but a store without room is no reason to stay. */
static apr_status_t note(const mnet_logout_t *logout, mnet_txn_t *txn, const ended_t *ended,
                         apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;

    if (ended->session) {
        rv = mnet_kill_note_provider(logout->host, txn, ended->session, logout->now, pool);
    }
    return rv ? rv
              : mnet_kill_note_children(logout->host, txn, ended->children, NULL, logout->now,
                                        pool);
}

static apr_status_t end_all(const mnet_logout_t *logout, int noting, ended_t *ended,
                            apr_pool_t *pool)
{
    mnet_name_t name;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(logout->host->engine->store, MNET_WRITE_END, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = mnet_session_name(logout->host, logout->session, &name);
    rv = rv ? rv : mnet_session_drop(logout->host, txn, &name, &ended->session, pool);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = APR_SUCCESS;
    }
    rv = rv ? rv : end_children(logout, txn, ended, pool);
    if (!rv && noting) {
        rv = note(logout, txn, ended, pool);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_logout(mnet_logout_t *logout, apr_pool_t *pool)
{
    mnet_killing_t killing;
    ended_t ended = {NULL, NULL};
    apr_status_t rv = end_all(logout, 1, &ended, pool);

    if (rv == MNET_E_FULL) {
        ended = (ended_t){NULL, NULL};
        rv = end_all(logout, 0, &ended, pool);
    }
    mnet_kill_begin(&killing, logout->host, MNET_LOGOUT_PATIENCE, pool);
    logout->ended = 0;
    logout->provider = NULL;
    logout->told = killing.told;
    logout->failed = killing.failed;
    if (rv) {
        mnet_log(logout->host->engine->log, MNET_LOG_ERR, rv, "MNET0861",
                 "%s: %s could not be logged out (%s)", logout->host->site->wwwroot,
                 mnet_say(logout->user, pool), logout->id ? logout->id : "-");
        return rv;
    }
    if (ended.session) {
        logout->ended = 1;
        logout->provider = ended.session->peer;
        mnet_kill_at_provider(&killing, ended.session);
    }
    mnet_kill_children(&killing, ended.children, NULL);
    mnet_kill_end(&killing);
    mnet_log(logout->host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET0862",
             "%s: %s logged out, %d peers were told (%s)", logout->host->site->wwwroot,
             mnet_say(logout->user    ? logout->user
                      : ended.session ? ended.session->username
                                      : NULL,
                      pool),
             killing.told->nelts, logout->id ? logout->id : "-");
    return APR_SUCCESS;
}
