/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/client_lead.h"
#include "rpc/client_page.h"
#include "rpc/client_post.h"

mnet_reading_t mnet_client_reading(mnet_host_t *host, apr_off_t max, mnet_charset_e charset)
{
    mnet_reading_t reading = {
        .crypto = host->engine->crypto,
        .limits = &mnet_xml_limits_stranger,
        .charset = charset,
        .max = max,
        .tmpdir = host->engine->tmp_dir,
    };

    return reading;
}

/* Takes an answer in: what is no message is read to its end all the same, since its status and its
 * two ends say more than the place where it stopped being XML. */
typedef struct intake_t {
    mnet_message_reader_t *reader;
    apr_status_t spoilt;
    mnet_page_t page;
    mnet_lead_t lead;
} intake_t;

static apr_status_t take_in(void *baton, const char *data, apr_size_t len)
{
    intake_t *intake = baton;

    mnet_page_take(&intake->page, data, len);
    if (!intake->spoilt) {
        intake->spoilt = mnet_lead_write(&intake->lead, data, len);
    }
    return APR_SUCCESS;
}

/* Other sites cannot read it, and nothing else here says why. */
static void tell_of_lead(const mnet_post_t *post, const intake_t *intake, apr_pool_t *pool)
{
    const mnet_engine_t *engine = post->host->engine;
    const char *words;

    if (intake->lead.skipped && engine->shared &&
        mnet_shared_once(engine->shared, "lead", post->facts->wwwroot, apr_time_now(),
                         apr_time_from_sec(3600))) {
        mnet_page_judge(&intake->page, &words, pool);
        mnet_log(engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0464",
                 "%s: %s writes something before its message (\"%s\"), which is passed over here "
                 "and nowhere else; there, set display_errors of its PHP, and the debug messages "
                 "of the site, to off",
                 post->host->site->wwwroot, post->facts->wwwroot, words);
    }
}

static apr_status_t no_message(const mnet_post_t *post, const intake_t *intake, const char *url,
                               mnet_reply_t *reply, apr_pool_t *pool)
{
    const char *problem = mnet_message_reader_problem(intake->reader), *words;

    switch (mnet_page_judge(&intake->page, &words, pool)) {
    case MNET_PAGE_EMPTY:
        return mnet_reply_set(reply, MNET_CALL_TRUST, pool,
                              "%s answered with an empty page: look in its error log, and whether "
                              "its networking is switched on",
                              url);
    case MNET_PAGE_BEFORE:
    case MNET_PAGE_BEHIND:
        return mnet_reply_set(reply, MNET_CALL_TRUST, pool,
                              "%s answered with what is no message alone (\"%s\"): look in its "
                              "error log, and there, set display_errors of its PHP, and the debug "
                              "messages of the site, to off",
                              url, words);
    case MNET_PAGE_WEB:
        return mnet_reply_set(
            reply, MNET_CALL_TRUST, pool,
            "%s answered with a web page (\"%s\"): is %s right as its application (%s), is "
            "its networking switched on, and does its PHP have RC4 (the "
            "legacy provider of OpenSSL)?",
            url, words, post->application->name, post->application->xmlrpc);
    default:
        return mnet_reply_set(reply, MNET_CALL_TRUST, pool, "%s answered with no MNET message (%s)",
                              url, mnet_for_log(problem, strlen(problem), 120, pool));
    }
}

/* The sentence for a status other than 200. */
static apr_status_t wrong_status(const mnet_http_t *http, mnet_reply_t *reply, apr_pool_t *pool)
{
    const char *hint = "look in its error log";

    if (http->status >= 300 && http->status < 400) {
        hint = apr_psprintf(pool,
                            "it redirects%s%s: a peer's wwwroot must be exactly the one it calls "
                            "itself",
                            http->redirect ? " to " : "", http->redirect ? http->redirect : "");
    } else if (http->status == 404) {
        hint = "the wwwroot or the application is wrong, or its networking is switched off";
    } else if (http->status == 401 || http->status == 403) {
        hint = "something in front of it refuses us, or its networking is switched off";
    } else if (http->status == 429 || http->status == 503) {
        hint = "it is too busy; try again later";
    }
    return mnet_reply_set(reply, MNET_CALL_TRANSPORT, pool, "%s answered with HTTP status %ld: %s",
                          http->url, http->status, hint);
}

/* Enters the gate, posts, leaves it, and tells the circuit breaker. */
static apr_status_t transmit(mnet_post_t *post, mnet_http_t *http, mnet_reply_t *reply,
                             apr_pool_t *pool)
{
    mnet_engine_t *engine = post->host->engine;
    mnet_shared_t *shared = engine->shared;
    char text[128];
    apr_status_t rv;

    if (engine->outgoing_limit > 0 &&
        !mnet_shared_enter(shared, MNET_GATE_OUTGOING, engine->outgoing_limit)) {
        return mnet_reply_set(reply, MNET_CALL_POLICY, pool,
                              "too many requests wait for peers (MnetOutgoingLimit %d); try again",
                              engine->outgoing_limit);
    }
    rv = engine->transport->ops->perform(engine->transport->self, http, pool);
    if (engine->outgoing_limit > 0) {
        mnet_shared_leave(shared, MNET_GATE_OUTGOING);
    }
    if (post->peer && rv != APR_EINTR) {
        mnet_shared_called(shared, post->peer, apr_time_now(), !rv && http->status == 200);
    }
    mnet_shared_add(shared, MNET_COUNT_CALLS_OUT, 1);
    post->verified = http->verified;
    if (rv) {
        reply->timed_out = http->timed_out || APR_STATUS_IS_TIMEUP(rv);
        reply->too_long = rv == MNET_E_LIMIT;
        return mnet_reply_set(reply, MNET_CALL_TRANSPORT, pool, "%s",
                              http->problem
                                  ? http->problem
                                  : apr_psprintf(pool, "the call to %s failed (%s)", http->url,
                                                 mnet_strerror(rv, text, sizeof(text))));
    }
    return http->status == 200 ? APR_SUCCESS : wrong_status(http, reply, pool);
}

apr_status_t mnet_client_post(mnet_post_t *post, mnet_message_t **message, mnet_reply_t *reply,
                              apr_pool_t *pool)
{
    const mnet_site_t *site = post->host->site;
    apr_off_t max = post->max_reply > 0 ? post->max_reply : site->max_body;
    mnet_reading_t reading = mnet_client_reading(post->host, max, post->charset);
    intake_t intake = {.reader = mnet_message_reader_create(&reading, pool)};
    mnet_sink_t sink = {take_in, &intake};
    mnet_sink_t to = {mnet_message_reader_write, intake.reader};
    mnet_http_t http = {
        .url = apr_pstrcat(pool, post->facts->wwwroot, post->application->xmlrpc, NULL),
        .endpoint = post->facts->endpoint,
        .tls = post->facts->tls >= 0 ? (mnet_tls_e)post->facts->tls : MNET_TLS_VERIFY,
        .cafile = post->facts->cafile,
        .timeout = post->timeout > 0 ? post->timeout : site->timeout,
        .body = post->body,
        .content_type = "text/xml; charset=utf-8",
        .response = &sink,
        .max_response = max,
        .think = post->think,
        .progress = post->progress,
        .progress_baton = post->progress_baton,
    };
    apr_status_t rv;

    if (!intake.reader) {
        return mnet_reply_set(reply, MNET_CALL_TRANSPORT, pool, "no memory for the answer");
    }
    intake.lead = (mnet_lead_t){.to = &to, .pool = pool};
    rv = transmit(post, &http, reply, pool);
    if (rv) {
        return rv;
    }
    if (!intake.spoilt) {
        intake.spoilt = mnet_lead_end(&intake.lead);
    }
    if (!intake.spoilt) {
        intake.spoilt = mnet_message_reader_end(intake.reader, message);
    }
    if (intake.spoilt) {
        return no_message(post, &intake, http.url, reply, pool);
    }
    tell_of_lead(post, &intake, pool);
    return APR_SUCCESS;
}
