/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's endpoint: a POST goes piece by piece into an exchange, and what it answers goes out
 * with status 200, faults included (MNET protocol reference, 2.1).
 */

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <apr_buckets.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "httpd/body.h"
#include "httpd/process.h"
#include "httpd/received.h"
#include "httpd/routes.h"
#include "rpc/server.h"

/* APR's macros for rings of buckets compute an offset as an old C compiler would. */
#if defined(__clang__) && __clang_major__ >= 13
#pragma clang diagnostic ignored "-Wnull-pointer-subtraction"
#endif

/* --- the response out --- */

typedef struct answering_t {
    request_rec *r;
    mnet_exchange_t *exchange;
    apr_bucket_brigade *bb;
    apr_off_t length; /* told by the exchange before its first byte */
    int begun;
} answering_t;

static apr_status_t write_response(void *baton, const char *data, apr_size_t len)
{
    answering_t *a = baton;
    if (!a->begun) {
        a->begun = 1;
        if (mnet_exchange_asks(a->exchange))
            mnet_received_prepare(a->r);
        ap_set_content_type(a->r, "text/xml; charset=utf-8");
        ap_set_content_length(a->r, a->length);
        apr_table_setn(a->r->headers_out, "Cache-Control", "no-store");
        /* PHP's clients ask for no compression, and what is sealed does not compress. */
        apr_table_setn(a->r->subprocess_env, "no-gzip", "1");
        apr_table_setn(a->r->subprocess_env, "no-brotli", "1");
    }
    return apr_brigade_write(a->bb, ap_filter_flush, a->r->output_filters, data, len);
}

static int answer(request_rec *r, mnet_host_t *host, mnet_exchange_t *exchange)
{
    answering_t a = {r, exchange, apr_brigade_create(r->pool, r->connection->bucket_alloc), 0, 0};
    mnet_sink_t sink = {write_response, &a};
    apr_status_t rv = mnet_exchange_finish(exchange, &a.length, &sink);

    if (rv)
        mnet_exchange_answered(exchange, 0);

    if (rv && !a.begun) {
        mnet_log(host->engine->log, MNET_LOG_ERR, rv, "MNET0681",
                 "no answer could be made to a call from %s", r->useragent_ip);
        return mnet_answer_text(r, HTTP_INTERNAL_SERVER_ERROR,
                                "No answer could be made; the error log says why.");
    }
    if (rv) {
        /* Half of it is gone: the client must not take it for the whole. */
        r->connection->keepalive = AP_CONN_CLOSE;
        r->connection->aborted = 1;
        mnet_log(host->engine->log, MNET_LOG_INFO, rv, "MNET0682",
                 "the client %s went away before our answer was sent", r->useragent_ip);
        return DONE;
    }
    APR_BRIGADE_INSERT_TAIL(a.bb, apr_bucket_eos_create(r->connection->bucket_alloc));
    rv = ap_pass_brigade(r->output_filters, a.bb);
    if (mnet_exchange_asks(exchange))
        mnet_exchange_answered(exchange, !rv && mnet_received(r));
    return OK;
}

/* --- what is refused unread --- */

static void log_refusal(const request_rec *r, const mnet_host_t *host, int status)
{
    mnet_log(host->engine->log, MNET_LOG_INFO, 0, "MNET0686", "a %s from %s is answered %d unread",
             mnet_for_log(r->method, strlen(r->method), 20, r->pool), r->useragent_ip, status);
}

static int refuse_method(request_rec *r, const mnet_host_t *host)
{
    log_refusal(r, host, HTTP_METHOD_NOT_ALLOWED);
    apr_table_setn(r->headers_out, "Allow", "POST");
    return mnet_answer_text(r, HTTP_METHOD_NOT_ALLOWED,
                            "This is the MNET server of this site: other Moodle and Mahara sites "
                            "call it by POST, people have no use for it.");
}

static int refuse_encoding(request_rec *r, const mnet_host_t *host)
{
    log_refusal(r, host, HTTP_UNSUPPORTED_MEDIA_TYPE);
    return mnet_answer_text(r, HTTP_UNSUPPORTED_MEDIA_TYPE,
                            "A compressed request is not understood; send it as it is.");
}

static int refuse_large(request_rec *r, const mnet_host_t *host)
{
    mnet_log(host->engine->log, MNET_LOG_WARNING, 0, "MNET0683",
             "a request from %s is larger than MnetMaxBody (%" APR_OFF_T_FMT
             " bytes): answered 413",
             r->useragent_ip, host->site->max_body);
    return mnet_answer_text(r, HTTP_REQUEST_ENTITY_TOO_LARGE,
                            "The request is larger than this site allows.");
}

static int refuse_busy(request_rec *r, const mnet_host_t *host)
{
    apr_table_setn(
        r->err_headers_out, "Retry-After",
        apr_psprintf(r->pool, "%d", (int)(host->site->failure_period / APR_USEC_PER_SEC) + 1));
    return mnet_answer_text(r, HTTP_TOO_MANY_REQUESTS,
                            "Too many messages from your address did not open; try again later.");
}

/* The sender's trouble or the network's. */
static int refuse_broken(request_rec *r, const mnet_host_t *host, int status)
{
    r->connection->keepalive = AP_CONN_CLOSE;
    mnet_log(host->engine->log, MNET_LOG_INFO, 0, "MNET0684",
             "the body of a request from %s could not be read to its end: answered %d",
             r->useragent_ip, status);
    if (status == HTTP_REQUEST_TIME_OUT)
        return mnet_answer_text(r, status, "The request did not arrive in time.");
    if (status == HTTP_BAD_REQUEST)
        return mnet_answer_text(r, status, "The request did not arrive whole.");
    return status;
}

/* mod_unique_id's, else the one that %L shows in httpd's own logs. */
static const char *request_id(request_rec *r)
{
    const char *id = apr_table_get(r->subprocess_env, "UNIQUE_ID");
    if (!id && !r->log_id)
        ap_run_generate_log_id(r->connection, r, &r->log_id);
    return id ? id : r->log_id;
}

int mnet_endpoint_xmlrpc(request_rec *r, mnet_host_t *host, const mnet_route_t *route)
{
    const char *encoding = apr_table_get(r->headers_in, "Content-Encoding");
    mnet_request_t request = {host, r->useragent_ip};
    mnet_sink_t to = {mnet_exchange_write, NULL};
    mnet_exchange_t *exchange;
    apr_status_t rv;
    int status;

    if (r->method_number != M_POST)
        return refuse_method(r, host);
    if (encoding && ap_cstr_casecmp(encoding, "identity"))
        return refuse_encoding(r, host);
    if (mnet_body_too_large(r, host->site->max_body))
        return refuse_large(r, host);

    request.user_agent = apr_table_get(r->headers_in, "User-Agent");
    request.accept_charset = apr_table_get(r->headers_in, "Accept-Charset");
    request.id = request_id(r);
    request.now = r->request_time;
    rv = mnet_exchange_begin(&exchange, &request, r->pool);
    if (rv == MNET_E_BUSY)
        return refuse_busy(r, host);
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_ERR, rv, "MNET0685",
                 "a request from %s could not be begun", r->useragent_ip);
        return mnet_answer_text(r, HTTP_INTERNAL_SERVER_ERROR,
                                "The request could not be begun; the error log says why.");
    }
    to.baton = exchange;
    status = mnet_body_read(r, &to);
    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE)
        return refuse_large(r, host);
    if (status != OK)
        return refuse_broken(r, host, status);
    return answer(r, host, exchange);
}
