/* SPDX-License-Identifier: Apache-2.0 */
#include "service/kill.h"

#include <apr_strings.h>
#include <string.h>

#include "rpc/client.h"
#include "service/sso_int.h"
#include "trust/policy.h"

#define CALL_PATIENCE apr_time_from_sec(5) /* for one peer */

void mnet_kill_begin(mnet_killing_t *killing, mnet_host_t *host, apr_interval_time_t patience,
                     apr_pool_t *pool)
{
    killing->host = host;
    killing->deadline = apr_time_now() + patience;
    killing->told = apr_array_make(pool, 4, sizeof(const char *));
    killing->failed = apr_array_make(pool, 4, sizeof(const char *));
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

static void tell(mnet_killing_t *killing, const char *peer, const char *method,
                 const char *username, const char *user_agent)
{
    apr_array_header_t *params = apr_array_make(killing->pool, 2, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {.host = killing->host,
                            .peer = peer,
                            .method = method,
                            .params = params,
                            .max_reply = 64 * 1024,
                            .timeout = patience(killing)};
    mnet_reply_t *reply = NULL;

    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(username, killing->pool);
    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(user_agent, killing->pool);
    if (call.timeout) {
        mnet_client_call(&call, &reply, killing->pool);
    }
    if (reply && reply->kind == MNET_CALL_OK) {
        APR_ARRAY_PUSH(killing->told, const char *) = peer;
        return;
    }
    APR_ARRAY_PUSH(killing->failed, const char *) = peer;
    mnet_log(killing->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0860",
             "%s: %s was not told that %s logged out, and may still have them logged in: %s",
             killing->host->site->wwwroot, peer, mnet_say(username, killing->pool),
             reply ? mnet_say(reply->message, killing->pool) : "no time was left");
}

void mnet_kill_children(mnet_killing_t *killing, const apr_array_header_t *children,
                        const char *except)
{
    for (int i = 0; i < children->nelts; i++) {
        const mnet_child_t *child = APR_ARRAY_IDX(children, i, const mnet_child_t *);

        if (!except || strcmp(child->peer, except)) {
            tell(killing, child->peer, "auth/mnet/auth.php/kill_child", child->username,
                 child->user_agent);
        }
    }
}

void mnet_kill_at_provider(mnet_killing_t *killing, const mnet_session_t *session)
{
    const mnet_peer_t *peer;

    /* The user agent is the one they landed with: that is what the provider knows. */
    if (!mnet_host_look(killing->host, session->peer, &peer, NULL, killing->pool) &&
        mnet_policy_subscribes(peer, "sso_idp")) {
        tell(killing, session->peer, "auth/mnet/auth.php/kill_children", session->username,
             session->user_agent);
    }
}
