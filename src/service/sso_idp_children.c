/* SPDX-License-Identifier: Apache-2.0 */
/* What a service provider tells of the sessions that our users have there. */
#include <apr_strings.h>
#include <string.h>

#include "service/jump_int.h"
#include "service/kill.h"
#include "service/sso_idp_int.h"

#define USERNAMES_MAX 1000 /* Moodle sends thirty at a time */
#define MESSAGE_MAX   4000
#define KILL_PATIENCE apr_time_from_sec(10)

/* --- keepalive_server --- */

/* 1 if the caller holds a child of that user: then it and our own session are in use. */
static apr_status_t keep(mnet_call_t *call, mnet_txn_t *txn, const char *username, int *held)
{
    mnet_host_t *host = call->host;
    apr_array_header_t *children;
    apr_status_t rv = mnet_children_named(host, txn, username, &children, call->pool);

    *held = 0;
    for (int i = 0; !rv && i < children->nelts; i++) {
        mnet_child_t *child = APR_ARRAY_IDX(children, i, mnet_child_t *);
        mnet_name_t session;

        if (strcmp(child->peer, call->peer->facts->wwwroot)) {
            continue;
        }
        *held = 1;
        child->kept = call->now;
        rv = mnet_child_put(host, txn, child, call->pool);
        if (!rv && !mnet_session_name_of_key(host, child->session, &session)) {
            mnet_shared_use(host->engine->shared, mnet_session_mark(&session), call->now);
        }
    }
    return rv;
}

/* *missing: the names that the caller holds nobody of, one to a line, or "". */
static apr_status_t keep_all(mnet_call_t *call, mnet_txn_t *txn, const char **missing)
{
    const mnet_value_t *usernames = mnet_call_param(call, 0);
    int count = mnet_count(usernames), held;
    apr_status_t rv = mnet_call_claim(call, txn);

    *missing = "";
    for (int i = 0; !rv && i < count && i < USERNAMES_MAX; i++) {
        const char *username = mnet_as_text(mnet_item(usernames, i), call->pool);

        if (!username || strlen(username) > 4 * MNET_USERNAME_MAX) {
            continue;
        }
        rv = keep(call, txn, username, &held);
        if (!rv && !held && strlen(*missing) + strlen(username) < MESSAGE_MAX) {
            *missing = apr_pstrcat(call->pool, *missing, username, "\n", NULL);
        }
    }
    return rv;
}

apr_status_t mnet_idp_keepalive_server(mnet_call_t *call, void *baton)
{
    apr_pool_t *pool = call->pool;
    const char *missing;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(call->host->engine->store, MNET_WRITE, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = keep_all(call, txn, &missing);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    if (rv) {
        return rv;
    }
    call->result = mnet_struct(pool);
    mnet_set(call->result, "code", mnet_int(*missing != '\0', pool));
    mnet_set(call->result, "message",
             mnet_string(*missing ? apr_pstrcat(pool, "No session is known of:\n", missing, NULL)
                                  : "All ok",
                         pool));
    mnet_set(call->result, "last log id", mnet_string("0", pool));
    return APR_SUCCESS;
}

/* --- kill_children --- */

typedef struct dying_t {
    apr_array_header_t *children; /* mnet_child_t * */
    apr_array_header_t *sessions; /* const mnet_session_t *: of ours, from another provider */
    int known;                    /* the caller holds the user */
} dying_t;

static apr_status_t end_children(mnet_call_t *call, mnet_txn_t *txn, dying_t *dying)
{
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; !rv && i < dying->children->nelts; i++) {
        const mnet_child_t *child = APR_ARRAY_IDX(dying->children, i, const mnet_child_t *);
        const mnet_session_t *session = NULL;
        mnet_name_t name;

        rv = mnet_child_del(call->host, txn, child);
        if (rv || mnet_session_name_of_key(call->host, child->session, &name)) {
            continue;
        }
        rv = mnet_session_drop(call->host, txn, &name, &session, call->pool);
        if (session) {
            APR_ARRAY_PUSH(dying->sessions, const mnet_session_t *) = session;
        }
        rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    return rv;
}

static apr_status_t end_all(mnet_call_t *call, mnet_txn_t *txn, dying_t *dying)
{
    const char *username = mnet_call_text(call, 0);
    apr_array_header_t *all;
    apr_status_t rv = mnet_call_claim(call, txn);

    if (rv || !username) {
        return rv;
    }
    rv = mnet_children_named(call->host, txn, username, &all, call->pool);
    dying->known = !rv && mnet_children_at(all, call->peer->facts->wwwroot);
    if (rv || !dying->known) {
        return rv; /* nobody ends the sessions of users who are not with them */
    }
    dying->children = mnet_children_pick(all, mnet_call_text(call, 1), call->pool);
    return end_children(call, txn, dying);
}

/* Noted with it: who is to be told besides the caller. */
static apr_status_t note_all(mnet_call_t *call, mnet_txn_t *txn, const dying_t *dying)
{
    apr_status_t rv = mnet_kill_note_children(call->host, txn, dying->children,
                                              call->peer->facts->wwwroot, call->now, call->pool);

    for (int i = 0; !rv && i < dying->sessions->nelts; i++) {
        rv = mnet_kill_note_provider(call->host, txn,
                                     APR_ARRAY_IDX(dying->sessions, i, const mnet_session_t *),
                                     call->now, call->pool);
    }
    return rv;
}

static const char *report(mnet_call_t *call, const mnet_killing_t *killing)
{
    const char *text = "";

    for (int i = 0; i < killing->told->nelts; i++) {
        text = apr_pstrcat(call->pool, text, "Session ended at ",
                           APR_ARRAY_IDX(killing->told, i, const char *), "\n", NULL);
    }
    for (int i = 0; i < killing->failed->nelts; i++) {
        text = apr_pstrcat(call->pool, text, "No answer from ",
                           APR_ARRAY_IDX(killing->failed, i, const char *), "\n", NULL);
    }
    return text;
}

static void log_it(mnet_call_t *call, const dying_t *dying)
{
    const char *wwwroot = call->host->site->wwwroot, *peer = call->peer->facts->wwwroot;
    const char *username = mnet_say(mnet_call_text(call, 0), call->pool);
    const char *id = call->id ? call->id : "-";

    if (dying->known) {
        mnet_log(call->host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET0864",
                 "%s: %s logged out at %s: %d sessions at peers and %d here end (%s)", wwwroot,
                 username, peer, dying->children->nelts, dying->sessions->nelts, id);
    } else {
        mnet_log(call->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0865",
                 "%s: %s wants to end the sessions of %s, who has none there: nothing is done (%s)",
                 wwwroot, peer, username, id);
    }
}

apr_status_t mnet_idp_kill_children(mnet_call_t *call, void *baton)
{
    dying_t dying = {apr_array_make(call->pool, 1, sizeof(mnet_child_t *)),
                     apr_array_make(call->pool, 1, sizeof(const mnet_session_t *)), 0};
    mnet_killing_t killing;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(call->host->engine->store, MNET_WRITE_END, &txn, call->pool);

    if (rv) {
        return rv;
    }
    rv = end_all(call, txn, &dying);
    rv = rv ? rv : note_all(call, txn, &dying);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    if (rv) {
        return rv;
    }
    log_it(call, &dying);
    /* On the disk it is done; the others are told without holding anything. */
    mnet_kill_begin(&killing, call->host, KILL_PATIENCE, call->pool);
    mnet_kill_children(&killing, dying.children, call->peer->facts->wwwroot);
    for (int i = 0; i < dying.sessions->nelts; i++) {
        mnet_kill_at_provider(&killing, APR_ARRAY_IDX(dying.sessions, i, const mnet_session_t *));
    }
    mnet_kill_end(&killing);
    call->result = mnet_string(dying.known ? report(call, &killing)
                                           : "No session of that user with you is known here\n",
                               call->pool);
    return APR_SUCCESS;
}
