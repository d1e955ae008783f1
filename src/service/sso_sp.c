/* SPDX-License-Identifier: Apache-2.0 */
/* What a provider calls here about its users (MNET protocol reference, 5.3). */
#include <string.h>

#include "rpc/call.h"
#include "service/services.h"
#include "service/session.h"
#include "service/sso_int.h"

/*
 * Ends sessions of a user of the caller's, and of nobody else's: in the browser that it names, or
 * all of them if there is none in it (a browser that was updated since has another name).
 */
static apr_status_t end_sessions(mnet_call_t *call, mnet_txn_t *txn, int *ended)
{
    const char *username = mnet_call_text(call, 0), *user_agent = mnet_call_text(call, 1);
    apr_status_t rv = mnet_call_claim(call, txn);

    *ended = 0;
    if (rv || !username) {
        return rv;
    }
    if (user_agent && *user_agent) {
        rv = mnet_sessions_end_user(call->host, txn, call->peer->facts->wwwroot, username,
                                    user_agent, ended, call->pool);
    }
    return rv || *ended ? rv
                        : mnet_sessions_end_user(call->host, txn, call->peer->facts->wwwroot,
                                                 username, NULL, ended, call->pool);
}

static apr_status_t kill_child(mnet_call_t *call, void *baton)
{
    mnet_host_t *host = call->host;
    mnet_txn_t *txn;
    int ended;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, call->pool);

    if (rv) {
        return rv;
    }
    rv = end_sessions(call, txn, &ended);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    if (rv) {
        return rv;
    }
    call->result = mnet_boolean(ended > 0, call->pool);
    mnet_log(host->engine->log, ended ? MNET_LOG_INFO : MNET_LOG_NOTICE, APR_SUCCESS, "MNET0863",
             "%s: %s ends the sessions of %s here: %d (%s)", host->site->wwwroot,
             call->peer->facts->wwwroot, mnet_say(mnet_call_text(call, 0), call->pool), ended,
             call->id ? call->id : "-");
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
