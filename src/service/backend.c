/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/fault.h"
#include "service/backend_int.h"

/* Of the whole time, to connect where there is another URL to try. */
#define CONNECT_WITH_OTHERS apr_time_from_sec(3)
/* Failures in a row from which on an application is asked by one call in a while only. */
#define BREAKER_FAILURES 3
#define BREAKER_WHILE    apr_time_from_sec(5)
/* Less is left to nobody. */
#define LEAST_TIME apr_time_from_msec(50)

/* --- the breaker --- */

/* The name under which shared memory knows an application's URL (FNV-1a). */
static apr_uint64_t url_id(const mnet_backend_url_t *url)
{
    apr_uint64_t hash = APR_UINT64_C(0xcbf29ce484222325);
    const char *c;

    for (c = "backend "; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * APR_UINT64_C(0x100000001b3);
    }
    for (c = url->shown; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * APR_UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Did it fail so often that it is to be left alone just now? */
static int is_open(mnet_shared_t *shared, const mnet_backend_url_t *url, int *failures)
{
    mnet_contact_t contact;

    memset(&contact, 0, sizeof(contact));
    mnet_shared_contact(shared, url_id(url), &contact);
    *failures = contact.failures;
    return contact.failures >= BREAKER_FAILURES &&
           !mnet_shared_once(shared, "backend", url->shown, apr_time_now(), BREAKER_WHILE);
}

static void note(const mnet_backend_call_t *call, const mnet_backend_url_t *url, int answered,
                 int failures)
{
    mnet_engine_t *engine = call->host->engine;

    if (answered && !failures) {
        return;
    }
    mnet_shared_called(engine->shared, url_id(url), apr_time_now(), answered);
    if (answered && failures >= BREAKER_FAILURES) {
        mnet_log(engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1106",
                 "%s: the application at %s answers again", call->host->site->wwwroot, url->shown);
    } else if (!answered && failures + 1 == BREAKER_FAILURES) {
        mnet_log(engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1107",
                 "%s: the application at %s did not answer %d times in a row: until it does, it is "
                 "asked once in %s only",
                 call->host->site->wwwroot, url->shown, BREAKER_FAILURES,
                 mnet_format_time(BREAKER_WHILE, call->pool));
    }
}

/* --- one URL --- */

/* What became of it. */
typedef enum { DONE, NEXT } attempt_e;

static apr_status_t refuse(mnet_backend_call_t *call, const char *problem)
{
    call->problem = problem;
    return MNET_E_PEER;
}

/* It is up, but not at its work; a server in front of several answers so for one that is down. */
static int is_gateway_status(long status)
{
    return status == 502 || status == 503 || status == 504;
}

static attempt_e judge_status(mnet_backend_call_t *call, const mnet_backend_url_t *url, long status)
{
    call->is_busy = status == 503 || status == 429;
    refuse(call, apr_psprintf(call->pool, "%s answered with HTTP status %ld%s", url->shown, status,
                              status >= 300 && status < 400 ? ", and redirects are not followed"
                              : status == 404 ? ": is that the URL of its XML-RPC or JSON-RPC?"
                              : status == 401 || status == 403
                                  ? ": it must let this server in without a password"
                              : call->is_busy ? ": it is too busy"
                                              : ": look in its own log"));
    return is_gateway_status(status) && call->readonly ? NEXT : DONE;
}

static attempt_e attempt(mnet_backend_call_t *call, mnet_spool_t *body,
                         const mnet_backend_url_t *url, int is_last, apr_interval_time_t left)
{
    mnet_engine_t *engine = call->host->engine;
    mnet_backend_answer_t answer = {mnet_spool_create(0, engine->tmp_dir, call->pool), 0};
    mnet_sink_t sink = {mnet_backend_take, &answer};
    mnet_http_t http = {
        .url = url->url,
        .unix_socket = url->unix_socket,
        .is_local = 1,
        .tls = MNET_TLS_VERIFY,
        .timeout = call->timeout,
        .connect = is_last ? 0 : CONNECT_WITH_OTHERS,
        .total = left,
        .body = body,
        .content_type = mnet_backend_content_type(call->backend->options->format),
        .headers = mnet_backend_headers(call, url),
        .once = !call->readonly,
        .response = &sink,
        .max_response = call->host->site->max_body,
    };
    char text[128];
    int failures;
    apr_status_t rv;

    if (!http.headers) {
        refuse(call, "who calls cannot be said in a header");
        return DONE;
    }
    call->is_left = is_open(engine->shared, url, &failures);
    if (call->is_left) {
        refuse(call, apr_psprintf(call->pool,
                                  "%s did not answer %d times in a row and is left alone for some "
                                  "seconds",
                                  url->shown, failures));
        return NEXT;
    }
    rv = engine->transport->ops->perform(engine->transport->self, &http, call->pool);
    if (rv == MNET_E_LIMIT) {
        refuse(call, apr_psprintf(call->pool,
                                  "%s answered more than MnetMaxBody (%" APR_OFF_T_FMT " bytes)",
                                  url->shown, http.max_response));
        return DONE;
    }
    note(call, url, http.status != 0 || (rv && http.sent && !http.timed_out), failures);
    if (rv) {
        refuse(call, http.problem
                         ? http.problem
                         : apr_psprintf(call->pool, "the call to %s failed (%s)", url->shown,
                                        mnet_strerror(rv, text, sizeof(text))));
        return !http.sent || call->readonly ? NEXT : DONE;
    }
    if (http.status != 200) {
        return judge_status(call, url, http.status);
    }
    mnet_backend_read(call, &answer);
    return DONE;
}

static void try_each(mnet_backend_call_t *call, mnet_spool_t *body)
{
    const apr_array_header_t *urls = call->backend->options->urls;
    apr_time_t until = apr_time_now() + call->timeout;
    int i;

    for (i = 0; i < urls->nelts; i++) {
        const mnet_backend_url_t *url = &APR_ARRAY_IDX(urls, i, mnet_backend_url_t);
        apr_interval_time_t left = until - apr_time_now();

        if (i && left < LEAST_TIME) {
            return;
        }
        call->is_busy = call->is_left = 0;
        call->problem = NULL;
        if (attempt(call, body, url, i == urls->nelts - 1, left) == DONE) {
            return;
        }
        if (i < urls->nelts - 1) {
            mnet_log(call->host->engine->log, call->is_left ? MNET_LOG_INFO : MNET_LOG_NOTICE,
                     APR_SUCCESS, "MNET1105", "%s: %s is tried at the next of its URLs: %s (%s)",
                     call->host->site->wwwroot, call->method,
                     mnet_for_log(call->problem, strlen(call->problem), 300, call->pool), call->id);
        }
    }
}

/* Threads that may wait for applications: so that one that hangs, and peers that hang, together do
 * not hold all of them. */
static int gate_limit(const mnet_engine_t *engine)
{
    return engine->outgoing_limit > 0 ? (engine->outgoing_limit + 1) / 2 : 0;
}

void mnet_backend_perform(mnet_backend_call_t *call)
{
    mnet_engine_t *engine = call->host->engine;
    mnet_spool_t *body = mnet_spool_create(0, engine->tmp_dir, call->pool);
    int limit = gate_limit(engine);
    char text[128];
    apr_status_t rv;

    call->result = NULL;
    call->problem = NULL;
    call->fault = call->is_busy = call->is_gate = 0;
    call->number = apr_time_now();
    rv = mnet_backend_write(call, body);
    if (rv) {
        refuse(call, apr_psprintf(call->pool, "the call could not be written for it (%s)",
                                  mnet_strerror(rv, text, sizeof(text))));
        return;
    }
    if (limit && !mnet_shared_enter(engine->shared, MNET_GATE_BACKEND, limit)) {
        call->is_busy = call->is_gate = 1;
        refuse(call, apr_psprintf(call->pool,
                                  "%d requests wait for applications already (half of "
                                  "MnetOutgoingLimit)",
                                  limit));
        return;
    }
    try_each(call, body);
    if (limit) {
        mnet_shared_leave(engine->shared, MNET_GATE_BACKEND);
    }
}

/* --- the method's handler --- */

/* A line for every call that failed; of those that the cap turned away, one a minute. */
static void say(const mnet_backend_call_t *call, int code)
{
    mnet_engine_t *engine = call->host->engine;

    if (call->is_gate &&
        !mnet_shared_once(engine->shared, "backend gate", call->host->site->wwwroot, apr_time_now(),
                          apr_time_from_sec(60))) {
        return;
    }
    mnet_log(engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1104",
             "%s: %s, called by %s, is answered with %d: %s (%s)", call->host->site->wwwroot,
             call->method, call->peer, code,
             mnet_for_log(call->problem, strlen(call->problem), 400, call->pool), call->id);
}

static apr_status_t handle(mnet_call_t *call, void *baton)
{
    mnet_backend_t *backend = baton;
    const mnet_backend_options_t *options = backend->options;
    mnet_backend_call_t ask = {
        .backend = backend,
        .host = call->host,
        .peer = call->peer->facts->wwwroot,
        .application = call->peer->application->name,
        .method = call->path,
        .params = call->params,
        .id = call->id,
        .readonly = options->readonly,
        .timeout = options->timeout ? options->timeout : call->host->site->timeout,
        .pool = call->pool,
    };

    mnet_backend_perform(&ask);
    if (ask.fault && ask.code == MNET_FAULT_KEY_CHANGED) {
        /* Signed by us it would tell the peer that our key changed. */
        refuse(&ask,
               "it answered with fault 7025, which would tell the peer of another key of this "
               "site's");
        ask.fault = 0;
    }
    if (ask.problem) {
        int code = ask.is_busy ? MNET_FAULT_BUSY : MNET_FAULT_BACKEND;

        say(&ask, code);
        return mnet_call_fault(call, code, "%s", mnet_fault_text(code));
    }
    if (ask.fault) {
        return mnet_call_fault(call, ask.code, "%s", ask.text);
    }
    call->result = ask.result;
    return APR_SUCCESS;
}

apr_status_t mnet_backend_add(mnet_registry_t *registry, const char *wwwroot,
                              const mnet_backend_options_t *options, const unsigned char *secret,
                              apr_pool_t *pool)
{
    static const mnet_parameter_t none[] = {{NULL, NULL, NULL}};
    mnet_backend_t *backend = apr_pcalloc(pool, sizeof(*backend));
    mnet_method_t *method = apr_pcalloc(pool, sizeof(*method));
    apr_status_t rv = apr_thread_mutex_create(&backend->mutex, APR_THREAD_MUTEX_DEFAULT, pool);

    /* A pool of its own: others may be taking from theirs when this one is under the mutex. */
    rv = rv ? rv : apr_pool_create(&backend->pool, pool);
    if (rv) {
        return rv;
    }
    backend->options = options;
    backend->secret = secret;
    backend->asked = apr_hash_make(backend->pool);
    method->path = options->pattern;
    method->service = options->service;
    method->effect = options->readonly ? MNET_METHOD_READS : MNET_METHOD_CHANGES;
    method->parameters = options->parameters ? options->parameters : none;
    method->required = options->required;
    method->returns = options->returns;
    method->help = options->help ? options->help : "";
    method->handler = handle;
    method->baton = backend;
    method->asks = &mnet_backend_asks;
    return mnet_registry_add(registry, wwwroot, method);
}
