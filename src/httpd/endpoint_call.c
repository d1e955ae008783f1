/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SetHandler mnet-call: a local application posts a plain call, as JSON or XML-RPC, and gets the
 * peer's answer, opened.  Who may post is for httpd's Require to say.
 *
 * A page of another site cannot make a visitor's browser post here: the content types that are
 * taken are none of those a form or a simple script can send, the preflight that asks for them gets
 * no leave, and what a browser says it sends for another site is refused.
 */

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "httpd/body.h"
#include "httpd/local_methods.h"
#include "httpd/process.h"
#include "httpd/request.h"
#include "httpd/routes.h"
#include "rpc/client.h"
#include "rpc/fault.h"
#include "wire/json.h"
#include "wire/json_typed.h"
#include "wire/xmlrpc.h"

/* APR's macros for rings of buckets compute an offset as an old C compiler would. */
#if defined(__clang__) && __clang_major__ >= 13
#pragma clang diagnostic ignored "-Wnull-pointer-subtraction"
#endif

/* A body that nobody read is thrown away by httpd to keep the connection: no more than this. */
#define DISCARD_MAX (64 * 1024)

/* One call. */
typedef struct calling_t {
    request_rec *r;
    mnet_host_t *host;
    int is_json;
    int was_read; /* the request's body, to its end */
    const char *peer, *method;
    const apr_array_header_t *params;
    mnet_reply_t *reply; /* NULL: the request itself was bad */
    const char *problem; /* then: what is wrong with it */
} calling_t;

/* --- the answer --- */

static apr_status_t to_brigade(void *bb, const char *data, apr_size_t len)
{
    return apr_brigade_write(bb, NULL, NULL, data, len);
}

static apr_status_t send_pieces(void *baton, const char *data, apr_size_t len)
{
    request_rec *r = baton;
    return ap_rwrite(data, (int)len, r) < 0 ? APR_EGENERAL : APR_SUCCESS;
}

static void drop_unread(const calling_t *c)
{
    const char *length = apr_table_get(c->r->headers_in, "Content-Length");
    if (!c->was_read && (apr_table_get(c->r->headers_in, "Transfer-Encoding") ||
                         (length && apr_strtoi64(length, NULL, 10) > DISCARD_MAX)))
        c->r->connection->keepalive = AP_CONN_CLOSE;
}

static int send_document(calling_t *c, int status, mnet_spool_t *document)
{
    request_rec *r = c->r;
    mnet_sink_t to = {send_pieces, r};
    apr_status_t rv;

    drop_unread(c);
    r->status = status;
    r->status_line = NULL;
    ap_set_content_type(r, c->is_json ? "application/json" : "text/xml; charset=utf-8");
    ap_set_content_length(r, mnet_spool_length(document));
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    rv = r->header_only ? APR_SUCCESS : mnet_spool_pour(document, &to);
    if (rv) {
        /* Half of it is gone: the client must not take it for the whole. */
        r->connection->keepalive = AP_CONN_CLOSE;
        r->connection->aborted = 1;
        return DONE;
    }
    return OK;
}

/* The kind of error as the answer's header and JSON have it. */
static const char *kind_of(const calling_t *c)
{
    return c->reply ? mnet_call_kind_name(c->reply->kind) : "request";
}

static const char *message_of(const calling_t *c)
{
    return c->reply ? c->reply->message : c->problem;
}

/* XML-RPC has one number for everything: ours where the peer gave none. */
static int code_of(const calling_t *c)
{
    if (!c->reply)
        return MNET_FAULT_CALL_REQUEST;
    switch (c->reply->kind) {
    case MNET_CALL_FAULT:
        return c->reply->code;
    case MNET_CALL_POLICY:
        return MNET_FAULT_CALL_POLICY;
    case MNET_CALL_TRUST:
        return MNET_FAULT_CALL_TRUST;
    default:
        return c->reply->timed_out ? MNET_FAULT_CALL_TIMEOUT : MNET_FAULT_CALL_TRANSPORT;
    }
}

static apr_status_t write_json(const calling_t *c, const mnet_sink_t *to)
{
    apr_pool_t *pool = c->r->pool;
    mnet_value_t *document = mnet_struct(pool), *error;
    if (c->reply && c->reply->kind == MNET_CALL_OK) {
        mnet_set(document, "result", mnet_json_mark(c->reply->value, pool));
        return mnet_value_to_json(document, 0, to);
    }
    error = mnet_struct(pool);
    mnet_set(error, "kind", mnet_string(kind_of(c), pool));
    mnet_set(error, "code", mnet_int(c->reply ? c->reply->code : 0, pool));
    mnet_set(error, "message", mnet_string(message_of(c), pool));
    mnet_set(document, "error", error);
    return mnet_value_to_json(document, 0, to);
}

static apr_status_t write_xmlrpc(const calling_t *c, const mnet_sink_t *to)
{
    if (c->reply && c->reply->kind == MNET_CALL_OK)
        return mnet_xmlrpc_write_response_typed(c->reply->value, to);
    return mnet_xmlrpc_write_fault(code_of(c), message_of(c), MNET_CHARSET_UTF8, to);
}

static int answer(calling_t *c, int status)
{
    mnet_spool_t *document = mnet_spool_create(0, c->host->engine->tmp_dir, c->r->pool);
    mnet_sink_t to = {mnet_spool_write, document};
    apr_status_t rv = c->is_json ? write_json(c, &to) : write_xmlrpc(c, &to);
    if (rv) {
        mnet_log(c->host->engine->log, MNET_LOG_ERR, rv, "MNET1110",
                 "the answer to a call of the local application %s could not be written",
                 c->r->useragent_ip);
        return mnet_answer_text(c->r, HTTP_INTERNAL_SERVER_ERROR,
                                "The answer could not be written; the error log says why.");
    }
    if (!c->reply || c->reply->kind != MNET_CALL_OK)
        apr_table_setn(c->r->err_headers_out, "Mnet-Error", kind_of(c));
    return send_document(c, status, document);
}

/* The request is no call.  Clients of XML-RPC look at no fault unless the status is 200, but such a
 * request came from none. */
static int refuse(calling_t *c, int status, const char *problem)
{
    c->reply = NULL;
    c->problem = problem;
    mnet_log(c->host->engine->log, MNET_LOG_INFO, 0, "MNET1111",
             "a request of %s to mnet-call is answered %d: %s", c->r->useragent_ip, status,
             mnet_for_log(problem, strlen(problem), 300, c->r->pool));
    return answer(c, status);
}

static int status_of(const calling_t *c)
{
    if (!c->is_json)
        return HTTP_OK;
    switch (c->reply->kind) {
    case MNET_CALL_OK:
    case MNET_CALL_FAULT:
        return HTTP_OK;
    case MNET_CALL_POLICY:
        return HTTP_FORBIDDEN;
    case MNET_CALL_TRANSPORT:
        return c->reply->timed_out ? HTTP_GATEWAY_TIME_OUT : HTTP_BAD_GATEWAY;
    default:
        return HTTP_BAD_GATEWAY;
    }
}

/* --- the request --- */

/* "text/xml; charset=utf-8" (or, as PHP's clients have it, without the semicolon): its type, and
 * whether its characters are such as are read. */
static int type_is(const char *header, const char *type)
{
    apr_size_t len = strlen(type);
    return !ap_cstr_casecmpn(header, type, len) && (!header[len] || strchr("; \t", header[len]));
}

static int charset_ok(const char *header)
{
    static const char *const read[] = {"utf-8", "utf8", "us-ascii", "ascii"};
    const char *charset = ap_strcasestr(header, "charset=");
    if (!charset)
        return 1;
    charset += strlen("charset=");
    charset += *charset == '"';
    for (apr_size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++) {
        apr_size_t len = strlen(read[i]);
        if (!ap_cstr_casecmpn(charset, read[i], len) && !apr_isalnum(charset[len]) &&
            charset[len] != '-')
            return 1;
    }
    return 0;
}

/* Takes the request's body in: OK or the status. */
static int read_body(calling_t *c, mnet_spool_t *spool)
{
    mnet_sink_t to = {mnet_spool_write, spool};
    int status = mnet_body_read(c->r, &to);
    c->was_read = status == OK;
    if (status != OK && status != HTTP_REQUEST_ENTITY_TOO_LARGE)
        c->r->connection->keepalive = AP_CONN_CLOSE;
    return status;
}

/* The whole of a spool: MnetMaxBody bounds it. */
static const char *whole(mnet_spool_t *spool, apr_pool_t *pool)
{
    const char *text = mnet_spool_text(spool);
    apr_bucket_alloc_t *list;
    apr_bucket_brigade *bb;
    mnet_sink_t to = {to_brigade, NULL};
    apr_size_t len;
    char *flat;

    if (text)
        return text;
    list = apr_bucket_alloc_create(pool);
    to.baton = bb = apr_brigade_create(pool, list);
    if (mnet_spool_pour(spool, &to) || apr_brigade_pflatten(bb, &flat, &len, pool) ||
        len != (apr_size_t)mnet_spool_length(spool))
        return NULL;
    apr_brigade_destroy(bb);
    return flat;
}

/* {"peer": WWWROOT, "method": PATH, "params": [...]}; params may be left out. */
static const char *take_members(calling_t *c, mnet_value_t *document)
{
    apr_pool_t *pool = c->r->pool;

    if (document->type != MNET_STRUCT)
        return "write an object with \"peer\", \"method\" and \"params\"";
    for (int i = 0; i < mnet_count(document); i++) {
        const char *name = mnet_item_name(document, i);
        mnet_value_t *value = mnet_item(document, i);
        if (!strcmp(name, "peer") && value->type == MNET_STRING)
            c->peer = mnet_as_text(value, pool);
        else if (!strcmp(name, "method") && value->type == MNET_STRING)
            c->method = mnet_as_text(value, pool);
        else if (!strcmp(name, "params") && value->type == MNET_ARRAY)
            c->params = value->items;
        else
            return apr_psprintf(
                pool,
                "the member \"%s\" is not known, or of the wrong type: there are "
                "\"peer\" and \"method\", which are texts, and \"params\", which is "
                "an array",
                mnet_for_log(name, strlen(name), 60, pool));
    }
    return NULL;
}

static const char *take_json(calling_t *c, mnet_spool_t *body)
{
    const char *text = whole(body, c->r->pool), *why = "";
    mnet_value_t *document;
    if (!text)
        return "the request could not be read back";
    document = mnet_json_read(text, (apr_size_t)mnet_spool_length(body), &why, c->r->pool);
    return document ? take_members(c, document)
                    : apr_psprintf(c->r->pool, "the body is not JSON that is taken: %s", why);
}

static const char *take_xmlrpc(calling_t *c, mnet_spool_t *body)
{
    mnet_document_t *document;
    const char *why = "";
    apr_status_t rv = mnet_xmlrpc_read(body, MNET_CHARSET_UTF8, &mnet_xml_limits_peer, &document,
                                       &why, c->r->pool);
    if (rv || document->kind != MNET_CALL)
        return apr_psprintf(c->r->pool, "the body is no XML-RPC call: %s",
                            rv ? mnet_for_log(why, strlen(why), 200, c->r->pool)
                               : "it is a response");
    c->peer = apr_table_get(c->r->headers_in, "Mnet-Peer");
    c->method = document->method;
    c->params = document->params;
    return NULL;
}

static const char *problem_of(const calling_t *c)
{
    if (!c->peer || !*c->peer)
        return c->is_json ? "there is no \"peer\": write the wwwroot of the site to call"
                          : "there is no header Mnet-Peer: it says the wwwroot of the site to call";
    if (!c->method || !*c->method)
        return "there is no \"method\": write the path of the method to call";
    if (!mnet_method_name_ok(c->method) && !mnet_local_is(c->method))
        return "the \"method\" is no name of a method, as auth/mnet/auth.php/keepalive_server is";
    if (mnet_local_is(c->method) && !mnet_local_find(c->method))
        return "there is no method of that name: those that begin with mod_mnet/ are this server's "
               "own";
    return NULL;
}

/* --- the call --- */

static void call_peer(calling_t *c)
{
    apr_pool_t *pool = c->r->pool;
    apr_array_header_t *none = apr_array_make(pool, 1, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {
        .host = c->host,
        .peer = c->peer,
        .method = c->method,
        .params = c->params ? c->params : none,
    };
    const mnet_local_method_t *local = mnet_local_is(c->method) ? mnet_local_find(c->method) : NULL;

    if (!local) {
        mnet_client_call(&call, &c->reply, pool);
        return;
    }
    c->reply = apr_pcalloc(pool, sizeof(*c->reply));
    c->reply->message = "";
    local->fn(c->host, c->peer, call.params, c->reply, pool);
    mnet_log(c->host->engine->log, MNET_LOG_INFO, 0, "MNET1112",
             "%s for %s, asked by the local application %s: %s", c->method,
             mnet_for_log(c->peer, strlen(c->peer), 255, pool), c->r->useragent_ip,
             mnet_call_kind_name(c->reply->kind));
}

/* What is refused before the body is read: 0 if nothing is. */
static int refuse_unread(calling_t *c)
{
    request_rec *r = c->r;
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    const char *encoding = apr_table_get(r->headers_in, "Content-Encoding");

    c->is_json = !type || !(type_is(type, "text/xml") || type_is(type, "application/xml"));
    if (r->method_number != M_POST) {
        apr_table_setn(r->err_headers_out, "Allow", "POST");
        return refuse(c, HTTP_METHOD_NOT_ALLOWED, "a call is posted: POST is the only method");
    }
    if (!type || (c->is_json && !type_is(type, "application/json")))
        return refuse(c, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "the Content-Type of a call is application/json or text/xml");
    if (!charset_ok(type))
        return refuse(c, HTTP_UNSUPPORTED_MEDIA_TYPE, "the charset of a call is UTF-8");
    if (encoding && ap_cstr_casecmp(encoding, "identity") != 0)
        return refuse(c, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "a compressed request is not understood; send it as it is");
    if ((apr_table_get(r->headers_in, "Origin") ||
         apr_table_get(r->headers_in, "Sec-Fetch-Site")) &&
        mnet_request_same_site(r, c->host->site->wwwroot) != 1)
        return refuse(c, HTTP_FORBIDDEN, "a browser sent this for a page of another site");
    if (mnet_body_too_large(r, c->host->site->max_body))
        return refuse(c, HTTP_REQUEST_ENTITY_TOO_LARGE,
                      "the request is larger than this site allows (MnetMaxBody)");
    return -1;
}

int mnet_endpoint_call(request_rec *r, mnet_host_t *host, const mnet_route_t *route)
{
    calling_t c = {.r = r, .host = host};
    mnet_spool_t *body;
    const char *problem;
    int status = refuse_unread(&c);

    if (status != -1)
        return status;
    body = mnet_spool_create(host->site->max_body, host->engine->tmp_dir, r->pool);
    status = read_body(&c, body);
    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE)
        return refuse(&c, status, "the request is larger than this site allows (MnetMaxBody)");
    if (status == HTTP_BAD_REQUEST || status == HTTP_REQUEST_TIME_OUT)
        return refuse(&c, status, "the request did not arrive whole");
    if (status != OK)
        return status;
    problem = c.is_json ? take_json(&c, body) : take_xmlrpc(&c, body);
    problem = problem ? problem : problem_of(&c);
    if (problem || !c.peer || !c.method)
        return refuse(&c, HTTP_BAD_REQUEST, problem ? problem : "it is no call");
    call_peer(&c);
    return answer(&c, status_of(&c));
}
