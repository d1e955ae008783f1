/* SPDX-License-Identifier: Apache-2.0 */
#include "service/kill.h"

#include <apr_strings.h>
#include <string.h>

#include "service/farewell.h"
#include "service/kill_call.h"
#include "service/sso_int.h"
#include "trust/policy.h"

#define CALL_PATIENCE apr_time_from_sec(5) /* for one peer */

/* --- whom --- */

static mnet_farewell_t of_child(const mnet_host_t *host, const mnet_child_t *child)
{
    return (mnet_farewell_t){.peer = child->peer,
                             .username = child->username,
                             .user_agent = child->user_agent,
                             .until = mnet_ahead(child->kept, host->site->session_lifetime)};
}

/* The user agent is the one they landed with: that is what the provider knows. */
static mnet_farewell_t of_session(const mnet_session_t *session)
{
    return (mnet_farewell_t){.peer = session->peer,
                             .at_provider = 1,
                             .username = session->username,
                             .user_agent = session->user_agent,
                             .until = session->expires};
}

apr_status_t mnet_kill_note_children(mnet_host_t *host, mnet_txn_t *txn,
                                     const apr_array_header_t *children, const char *except,
                                     apr_time_t now, apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; !rv && i < children->nelts; i++) {
        const mnet_child_t *child = APR_ARRAY_IDX(children, i, const mnet_child_t *);
        mnet_farewell_t farewell = of_child(host, child);

        if (!except || strcmp(child->peer, except)) {
            rv = mnet_farewell_note(host, txn, &farewell, now, pool);
        }
    }
    return rv;
}

apr_status_t mnet_kill_note_provider(mnet_host_t *host, mnet_txn_t *txn,
                                     const mnet_session_t *session, apr_time_t now,
                                     apr_pool_t *pool)
{
    mnet_farewell_t farewell = of_session(session);
    const mnet_peer_t *peer;

    if (mnet_peers_find(host->peers, txn, session->peer, &peer, pool) ||
        !mnet_policy_subscribes(peer, "sso_idp")) {
        return APR_SUCCESS;
    }
    return mnet_farewell_note(host, txn, &farewell, now, pool);
}

/* --- telling --- */

void mnet_kill_begin(mnet_killing_t *killing, mnet_host_t *host, apr_interval_time_t patience,
                     apr_pool_t *pool)
{
    killing->host = host;
    killing->deadline = apr_time_now() + patience;
    killing->told = apr_array_make(pool, 4, sizeof(const char *));
    killing->failed = apr_array_make(pool, 4, sizeof(const char *));
    killing->done = apr_array_make(pool, 4, sizeof(mnet_farewell_t));
    killing->pool = pool;
}

/* The time that a call may take; 0: none is left. */
static apr_interval_time_t patience(const mnet_killing_t *killing)
{
    apr_interval_time_t left = killing->deadline - apr_time_now();
    apr_interval_time_t most = killing->host->site->timeout;

    most = most > 0 && most < CALL_PATIENCE ? most : CALL_PATIENCE;
    return left <= 0 ? 0 : left < most ? left : most;
}

static void tell(mnet_killing_t *killing, const mnet_farewell_t *whom)
{
    apr_interval_time_t timeout = patience(killing);
    const mnet_reply_t *reply = NULL;

    if (timeout) {
        reply = mnet_kill_call(killing->host, whom->peer, whom->at_provider, whom->username,
                               whom->user_agent, timeout, killing->pool);
    }
    /* A fault is an answer: the peer was told, and will say the same the next time. */
    if (reply && (reply->kind == MNET_CALL_OK || reply->kind == MNET_CALL_FAULT)) {
        APR_ARRAY_PUSH(killing->done, mnet_farewell_t) = *whom;
    }
    if (reply && reply->kind == MNET_CALL_OK) {
        APR_ARRAY_PUSH(killing->told, const char *) = whom->peer;
        return;
    }
    APR_ARRAY_PUSH(killing->failed, const char *) = whom->peer;
    mnet_log(killing->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0860",
             "%s: %s was not told that %s logged out, and may still have them logged in: %s",
             killing->host->site->wwwroot, whom->peer, mnet_say(whom->username, killing->pool),
             reply ? mnet_say(reply->message, killing->pool) : "no time was left");
}

void mnet_kill_children(mnet_killing_t *killing, const apr_array_header_t *children,
                        const char *except)
{
    for (int i = 0; i < children->nelts; i++) {
        const mnet_child_t *child = APR_ARRAY_IDX(children, i, const mnet_child_t *);
        mnet_farewell_t farewell = of_child(killing->host, child);

        if (!except || strcmp(child->peer, except)) {
            tell(killing, &farewell);
        }
    }
}

void mnet_kill_at_provider(mnet_killing_t *killing, const mnet_session_t *session)
{
    mnet_farewell_t farewell = of_session(session);
    const mnet_peer_t *peer;

    if (!mnet_host_look(killing->host, session->peer, &peer, NULL, killing->pool) &&
        mnet_policy_subscribes(peer, "sso_idp")) {
        tell(killing, &farewell);
    }
}

void mnet_kill_end(mnet_killing_t *killing)
{
    mnet_host_t *host = killing->host;
    mnet_txn_t *txn;
    apr_status_t rv;

    if (!killing->done->nelts) {
        return;
    }
    rv = mnet_txn_begin(host->engine->store, MNET_WRITE_END, &txn, killing->pool);
    if (rv) {
        return; /* the store has said so; they are told once more */
    }
    for (int i = 0; !rv && i < killing->done->nelts; i++) {
        rv = mnet_farewell_drop(host, txn, &APR_ARRAY_IDX(killing->done, i, mnet_farewell_t));
    }
    if (!rv) {
        mnet_txn_commit(txn);
    }
    mnet_txn_abort(txn);
}
