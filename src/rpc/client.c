/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/client.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/client_private.h"
#include "rpc/doubt.h"
#include "rpc/rekey.h"
#include "trust/policy.h"

static apr_status_t refuse(mnet_attempt_t *attempt, const char *sentence)
{
    return mnet_reply_set(attempt->reply, MNET_CALL_POLICY, attempt->pool, "%s", sentence);
}

/* The peer and our keys as of now, and whether we may call it at all. */
static apr_status_t look(mnet_attempt_t *attempt)
{
    const mnet_outgoing_t *call = attempt->call;
    apr_pool_t *pool = attempt->pool;
    const mnet_method_t *method;
    char text[128];
    apr_status_t rv;

    rv = mnet_host_look(attempt->host, call->peer, &attempt->peer, &attempt->ring, pool);
    if (rv == APR_NOTFOUND) {
        return refuse(attempt, apr_psprintf(pool, "%s is no active peer of %s: see `mnetctl peers`",
                                            call->peer, attempt->host->site->wwwroot));
    }
    if (rv == APR_EINIT) {
        return refuse(attempt, apr_psprintf(pool, "%s has no key yet: start httpd once",
                                            attempt->host->site->wwwroot));
    }
    if (rv) {
        return refuse(attempt, apr_psprintf(pool, "the state directory cannot be read (%s)",
                                            mnet_strerror(rv, text, sizeof(text))));
    }
    if (!attempt->peer->certificate) {
        return refuse(attempt,
                      apr_psprintf(pool,
                                   "no certificate of %s is trusted yet: compare its fingerprint "
                                   "and run `mnetctl peers confirm %s`",
                                   call->peer, call->peer));
    }
    method = mnet_registry_find(attempt->host->engine->registry, attempt->host->site->wwwroot,
                                call->method);
    if (!mnet_method_name_ok(call->method)) {
        return refuse(attempt,
                      apr_psprintf(pool, "\"%s\" is no name of a method",
                                   mnet_for_log(call->method, strlen(call->method), 255, pool)));
    }
    if (!mnet_policy_may_call(attempt->peer, call->method, method ? method->service : NULL)) {
        return refuse(attempt,
                      apr_psprintf(pool,
                                   "we do not subscribe to a service of %s that has %s: add it to "
                                   "MnetSubscribe or run `mnetctl peers subscribe`",
                                   call->peer, call->method));
    }
    return APR_SUCCESS;
}

/* A peer that failed again and again is left alone for a while. */
static apr_status_t check_breaker(mnet_attempt_t *attempt, mnet_contact_t *contact)
{
    apr_time_t now = apr_time_now();

    memset(contact, 0, sizeof(*contact));
    mnet_shared_contact(attempt->host->engine->shared, attempt->peer->id, contact);
    if (attempt->call->even_if_down || contact->retry <= now) {
        return APR_SUCCESS;
    }
    return mnet_reply_set(
        attempt->reply, MNET_CALL_TRANSPORT, attempt->pool,
        "%s did not answer %d times in a row; it is asked again in %s", attempt->call->peer,
        contact->failures,
        mnet_format_time(apr_time_from_sec(apr_time_sec(contact->retry - now) + 1), attempt->pool));
}

/* Signed and sealed afresh: a body sent twice would be a replay. */
static apr_status_t seal(const mnet_attempt_t *attempt, mnet_spool_t **body)
{
    const mnet_host_t *host = attempt->host;
    apr_pool_t *pool = attempt->pool;
    mnet_spool_t *document = mnet_spool_create(0, host->engine->tmp_dir, pool);
    mnet_sink_t to = {mnet_spool_write, document};
    mnet_wrapping_t how = {
        .crypto = host->engine->crypto,
        .sign = attempt->ring->keys[0],
        .seal = attempt->peer->certificate->key,
        .wwwroot = host->site->wwwroot,
        .key_uri = mnet_site_key_uri(host->site, pool),
        .now = apr_time_sec(apr_time_now()),
    };
    apr_status_t rv = mnet_xmlrpc_write_call(attempt->call->method, attempt->call->params, &to);

    *body = mnet_spool_create(0, host->engine->tmp_dir, pool);
    to.baton = *body;
    return rv ? rv : mnet_message_wrap(&how, document, NULL, &to, pool);
}

static apr_status_t send_once(mnet_attempt_t *attempt)
{
    const mnet_outgoing_t *call = attempt->call;
    mnet_post_t post = {
        .host = attempt->host,
        .facts = attempt->peer->facts,
        .application = attempt->peer->application,
        .peer = attempt->peer->id,
        .timeout = call->timeout,
        .think = call->think,
        .max_reply = call->max_reply,
        .charset = mnet_policy_charset_in(attempt->peer, NULL, 1),
        .progress = call->progress,
        .progress_baton = call->progress_baton,
    };
    char text[128];
    apr_status_t rv = seal(attempt, &post.body);

    if (rv) {
        return mnet_reply_set(attempt->reply, MNET_CALL_TRANSPORT, attempt->pool,
                              "the call could not be written (%s)",
                              mnet_strerror(rv, text, sizeof(text)));
    }
    rv = mnet_client_post(&post, &attempt->message, attempt->reply, attempt->pool);
    if (!rv) {
        mnet_client_judge(attempt);
    }
    return rv;
}

/* A 7025: is the certificate it offers ours to trust?  Then the call is worth sending again. */
static int follow(mnet_attempt_t *attempt)
{
    const char *why = "";
    apr_status_t rv;

    if (!attempt->fault || attempt->call->no_follow) {
        return 0;
    }
    rv = mnet_rekey_offered(attempt->host, attempt->peer, attempt->fault, attempt->offered, &why,
                            attempt->pool);
    if (!rv) {
        return 1;
    }
    mnet_reply_set(attempt->reply, MNET_CALL_TRUST, attempt->pool,
                   "%s says that its key has changed, but %s", attempt->call->peer, why);
    return 0;
}

/*
 * A Mahara that meets a new key of ours learns it while it fails the call, in plain text and with
 * no code of its own (protocol 4.4; 11, 21); the same call a moment later is answered.
 */
static int worth_a_second_try(const mnet_attempt_t *attempt, const mnet_contact_t *before)
{
    const mnet_peer_state_t *state = attempt->peer->state;
    apr_time_t reached = before->reached > state->reached ? before->reached : state->reached;

    return attempt->plain && attempt->reply->kind == MNET_CALL_FAULT &&
           (attempt->reply->code == 0 || attempt->reply->code == 6004) &&
           attempt->ring->count > 1 && attempt->ring->created[0] > reached &&
           !strcmp(attempt->peer->application->name, "mahara");
}

static void call_peer(mnet_attempt_t *attempt)
{
    mnet_contact_t before;

    if (look(attempt) || check_breaker(attempt, &before) || send_once(attempt)) {
        return;
    }
    if (follow(attempt)) {
        if (!look(attempt)) {
            send_once(attempt);
        }
    } else if (worth_a_second_try(attempt, &before)) {
        apr_sleep(apr_time_from_sec(1));
        send_once(attempt);
    }
}

void mnet_client_call(const mnet_outgoing_t *call, mnet_reply_t **reply, apr_pool_t *pool)
{
    const mnet_log_t *log = call->host->engine->log;
    apr_time_t started = apr_time_now();
    mnet_attempt_t attempt = {.call = call, .host = call->host, .pool = pool, .started = started};

    attempt.reply = *reply = apr_pcalloc(pool, sizeof(**reply));
    attempt.reply->message = "";
    call_peer(&attempt);
    mnet_doubt_by(call->host, call->peer, attempt.reply, started);
    if (!log || log->level < MNET_LOG_INFO) {
        return;
    }
    if (attempt.reply->kind == MNET_CALL_OK) {
        mnet_log(log, MNET_LOG_INFO, APR_SUCCESS, "MNET0430",
                 "called %s at %s: answered in %" APR_INT64_T_FMT " us", call->method, call->peer,
                 (apr_int64_t)(apr_time_now() - started));
    } else {
        mnet_log(log, MNET_LOG_INFO, APR_SUCCESS, "MNET0431",
                 "called %s at %s: %s %d in %" APR_INT64_T_FMT " us: %s", call->method, call->peer,
                 mnet_call_kind_name(attempt.reply->kind), attempt.reply->code,
                 (apr_int64_t)(apr_time_now() - started),
                 mnet_for_log(attempt.reply->message, strlen(attempt.reply->message), 400, pool));
    }
}
