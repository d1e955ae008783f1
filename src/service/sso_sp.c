/* SPDX-License-Identifier: Apache-2.0 */
/* What a provider calls here about its users (MNET protocol reference, 5.3). */
#include <string.h>

#include "rpc/call.h"
#include "service/jump_int.h"
#include "service/kill.h"
#include "service/services.h"
#include "service/sso_int.h"

#define KILL_PATIENCE apr_time_from_sec(10)

typedef struct ending_t {
    apr_array_header_t *sessions; /* const mnet_session_t *, of the user here */
    apr_array_header_t *children; /* mnet_child_t *: where they went from here (MnetJumpOnward) */
} ending_t;

/*
 * Ends sessions of a user of the caller's, and of nobody else's: in the browser that it names, or
 * all of them if there is none in it (a browser that was updated since has another name).
 */
static apr_status_t end_sessions(mnet_call_t *call, mnet_txn_t *txn, ending_t *ending)
{
    const char *username = mnet_call_text(call, 0), *user_agent = mnet_call_text(call, 1);
    const char *peer = call->peer->facts->wwwroot;
    apr_status_t rv = mnet_call_claim(call, txn);

    if (rv || !username) {
        return rv;
    }
    if (user_agent && *user_agent) {
        rv = mnet_sessions_end_in(call->host, txn, peer, username, user_agent, ending->sessions,
                                  call->pool);
    }
    return rv || ending->sessions->nelts ? rv
                                         : mnet_sessions_end_in(call->host, txn, peer, username,
                                                                NULL, ending->sessions, call->pool);
}

static apr_status_t end_children(mnet_call_t *call, mnet_txn_t *txn, ending_t *ending)
{
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; !rv && i < ending->sessions->nelts; i++) {
        const char *key = APR_ARRAY_IDX(ending->sessions, i, const mnet_session_t *)->key;
        apr_array_header_t *children;

        rv = mnet_children_from(call->host, txn, key, &children, call->pool);
        for (int j = 0; !rv && j < children->nelts; j++) {
            rv = mnet_child_del(call->host, txn, APR_ARRAY_IDX(children, j, mnet_child_t *));
        }
        apr_array_cat(ending->children, children);
    }
    return rv;
}

static apr_status_t kill_child(mnet_call_t *call, void *baton)
{
    mnet_host_t *host = call->host;
    ending_t ending = {apr_array_make(call->pool, 4, sizeof(const mnet_session_t *)),
                       apr_array_make(call->pool, 4, sizeof(mnet_child_t *))};
    mnet_killing_t killing;
    mnet_txn_t *txn;
    int ended;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE_END, &txn, call->pool);

    if (rv) {
        return rv;
    }
    rv = end_sessions(call, txn, &ending);
    rv = rv ? rv : end_children(call, txn, &ending);
    rv = rv ? rv
            : mnet_kill_note_children(host, txn, ending.children, call->peer->facts->wwwroot,
                                      call->now, call->pool);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    if (rv) {
        return rv;
    }
    ended = ending.sessions->nelts;
    call->result = mnet_boolean(ended > 0, call->pool);
    mnet_log(host->engine->log, ended ? MNET_LOG_INFO : MNET_LOG_NOTICE, APR_SUCCESS, "MNET0863",
             "%s: %s ends the sessions of %s here: %d (%s)", host->site->wwwroot,
             call->peer->facts->wwwroot, mnet_say(mnet_call_text(call, 0), call->pool), ended,
             call->id ? call->id : "-");
    /* On the disk it is done; the others are told without holding anything. */
    mnet_kill_begin(&killing, host, KILL_PATIENCE, call->pool);
    mnet_kill_children(&killing, ending.children, call->peer->facts->wwwroot);
    mnet_kill_end(&killing);
    return APR_SUCCESS;
}

/* A service provider's own periodic work, which Moodle lists among the methods. */
static apr_status_t keepalive_client(mnet_call_t *call, void *baton)
{
    call->result = mnet_boolean(1, call->pool);
    return APR_SUCCESS;
}

static const mnet_parameter_t kill_parameters[] = {
    {"username", "string", "the user's name at the caller's site"},
    {"useragent", "string", "SHA-1 of the browser's User-Agent, hexadecimal"},
    {NULL}};
static const mnet_parameter_t no_parameters[] = {{NULL}};

static const mnet_method_t methods[] = {
    {"auth/mnet/auth.php/kill_child",
     "sso_sp",
     MNET_METHOD_CLAIMS,
     kill_parameters,
     2,
     {NULL, "bool", "whether there was one"},
     "Ends the session here of a user who logged out at the caller's site.",
     kill_child},
    {"auth/mnet/auth.php/keepalive_client",
     "sso_sp",
     MNET_METHOD_READS,
     no_parameters,
     0,
     {NULL, "bool", "true"},
     "Does nothing: a site tells of its users' activity by itself.",
     keepalive_client},
};

apr_status_t mnet_service_sso_sp(mnet_registry_t *registry)
{
    apr_status_t rv = APR_SUCCESS;

    for (apr_size_t i = 0; !rv && i < sizeof(methods) / sizeof(methods[0]); i++) {
        rv = mnet_registry_add(registry, NULL, &methods[i]);
    }
    return rv;
}
