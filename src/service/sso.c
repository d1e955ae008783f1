/* SPDX-License-Identifier: Apache-2.0 */
#include "service/sso.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "rpc/client.h"
#include "service/farewell.h"
#include "service/jump.h"
#include "service/sso_int.h"
#include "trust/policy.h"

#define TEND_EVERY apr_time_from_sec(60)
#define SINCE      apr_time_from_sec(300) /* Moodle's own measure of who is here */
#define BATCH      30                     /* usernames to a call: Moodle's */

/* --- what waits for nobody --- */

static void say(mnet_host_t *host, apr_status_t rv, const char *what, const char *id)
{
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_WARNING, rv, id,
                 "%s: %s could not be looked after; it is tried again in a minute",
                 host->site->wwwroot, what);
    }
}

void mnet_sso_quick(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    if (mnet_shared_once(host->engine->shared, "sso", host->site->wwwroot, now, TEND_EVERY)) {
        say(host, mnet_sessions_tend(host, now, pool), "sessions", "MNET0870");
        say(host, mnet_jumps_tend(host, now, pool), "tokens", "MNET0871");
        say(host, mnet_children_tend(host, now, pool), "sessions at peers", "MNET0872");
    }
}

/* --- keepalives --- */

typedef struct present_t {
    mnet_host_t *host;
    apr_time_t since;
    apr_hash_t *peers; /* wwwroots of sessions in use */
    apr_pool_t *pool;
} present_t;

static apr_status_t see(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                        apr_pool_t *scratch)
{
    present_t *present = baton;
    mnet_session_t *session = mnet_session_read(present->host, name, data, len, scratch);

    if (session && mnet_session_used(present->host, name, session) >= present->since &&
        !apr_hash_get(present->peers, session->peer, APR_HASH_KEY_STRING)) {
        const char *peer = apr_pstrdup(present->pool, session->peer);

        apr_hash_set(present->peers, peer, APR_HASH_KEY_STRING, peer);
    }
    return APR_SUCCESS;
}

apr_array_header_t *mnet_sso_due(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    apr_array_header_t *due = apr_array_make(pool, 4, sizeof(const char *));
    present_t present = {host, now - SINCE, apr_hash_make(pool), pool};
    mnet_walk_t walk = {MNET_GROUP_SESSION, see, NULL, &present};

    /* One look over all sessions in five minutes, by whichever process comes first. */
    if (!mnet_shared_once(host->engine->shared, "keepalive", host->site->wwwroot, now,
                          MNET_KEEPALIVE_EVERY)) {
        return due;
    }
    say(host, mnet_walk(host, &walk, pool), "keepalives", "MNET0873");
    for (apr_hash_index_t *at = apr_hash_first(pool, present.peers); at; at = apr_hash_next(at)) {
        const char *wwwroot = apr_hash_this_key(at);
        const mnet_peer_t *peer;

        if (!mnet_host_look(host, wwwroot, &peer, NULL, pool) &&
            mnet_policy_subscribes(peer, "sso_idp")) {
            APR_ARRAY_PUSH(due, const char *) = wwwroot;
        }
    }
    return due;
}

/* A Moodle answers with a structure, a Mahara with true. */
static int is_fine(const mnet_reply_t *reply)
{
    apr_int64_t code = 1;

    return reply->kind == MNET_CALL_OK &&
           (mnet_as_truth(reply->value) && reply->value->type != MNET_STRUCT
                ? 1
                : mnet_as_int(mnet_get(reply->value, "code"), &code) && code == 0);
}

static mnet_reply_t *send_batch(mnet_host_t *host, const char *wwwroot,
                                const apr_array_header_t *usernames, int from, apr_pool_t *pool)
{
    mnet_value_t *batch = mnet_array(pool);
    apr_array_header_t *params = apr_array_make(pool, 1, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {.host = host,
                            .peer = wwwroot,
                            .method = "auth/mnet/auth.php/keepalive_server",
                            .params = params,
                            .max_reply = 1024 * 1024};
    mnet_reply_t *reply;

    for (int i = from; i < usernames->nelts && i < from + BATCH; i++) {
        mnet_append(batch, mnet_string(APR_ARRAY_IDX(usernames, i, const char *), pool));
    }
    APR_ARRAY_PUSH(params, mnet_value_t *) = batch;
    mnet_client_call(&call, &reply, pool);
    return reply;
}

void mnet_sso_keepalive(mnet_host_t *host, const char *wwwroot, apr_time_t now, apr_pool_t *parent)
{
    apr_array_header_t *usernames;
    apr_pool_t *pool;
    int sent = 0;

    if (apr_pool_create(&pool, parent)) {
        return;
    }
    say(host, mnet_sessions_active(host, wwwroot, now - SINCE, &usernames, pool), "keepalives",
        "MNET0874");
    while (sent < usernames->nelts) {
        const mnet_reply_t *reply = send_batch(host, wwwroot, usernames, sent, pool);

        if (reply->kind != MNET_CALL_OK) {
            mnet_log(host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0875",
                     "%s: %s was not told that its users are still here: %s", host->site->wwwroot,
                     wwwroot, mnet_say(reply->message, pool));
            break; /* the next batch would fare no better */
        }
        if (!is_fine(reply)) {
            mnet_log(host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET0876",
                     "%s: %s does not know all of its users who are here: %s", host->site->wwwroot,
                     wwwroot,
                     mnet_say(mnet_as_text(mnet_get(reply->value, "message"), pool), pool));
        }
        sent += BATCH;
    }
    apr_pool_destroy(pool);
}

void mnet_sso_periodic(mnet_host_t *host, apr_time_t now, apr_pool_t *parent)
{
    apr_array_header_t *due;
    apr_pool_t *pool;

    if (apr_pool_create(&pool, parent)) {
        return;
    }
    mnet_sso_quick(host, now, pool);
    due = mnet_sso_due(host, now, pool);
    for (int i = 0; i < due->nelts; i++) {
        mnet_sso_keepalive(host, APR_ARRAY_IDX(due, i, const char *), now, pool);
    }
    due = mnet_farewells_due(host, now, pool);
    for (int i = 0; i < due->nelts; i++) {
        mnet_farewell_peer(host, APR_ARRAY_IDX(due, i, const char *), now, pool);
    }
    apr_pool_destroy(pool);
}
