/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <limits.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "service/backend_int.h"
#include "wire/json.h"
#include "wire/json_typed.h"
#include "wire/xmlrpc.h"

#define HEAD_MAX 80 /* bytes of a wrong answer that the log shows */

/* --- the request --- */

const char *mnet_backend_content_type(mnet_backend_format_e format)
{
    return format == MNET_BACKEND_JSON ? "application/json" : "text/xml; charset=utf-8";
}

/* {"jsonrpc": "2.0", "id": N, "method": ..., "params": [...]} */
static apr_status_t write_json(const mnet_backend_call_t *call, const mnet_sink_t *to)
{
    apr_pool_t *pool = call->pool;
    mnet_value_t *document = mnet_struct(pool), *params = mnet_array(pool);
    int i;

    for (i = 0; call->params && i < call->params->nelts; i++) {
        mnet_append(params, mnet_json_mark(APR_ARRAY_IDX(call->params, i, mnet_value_t *), pool));
    }
    mnet_set(document, "jsonrpc", mnet_string("2.0", pool));
    mnet_set(document, "id", mnet_int(call->number, pool));
    mnet_set(document, "method", mnet_string(call->method, pool));
    mnet_set(document, "params", params);
    return mnet_value_to_json(document, 0, to);
}

apr_status_t mnet_backend_write(const mnet_backend_call_t *call, mnet_spool_t *spool)
{
    mnet_sink_t to = {mnet_spool_write, spool};

    return call->backend->options->format == MNET_BACKEND_JSON
               ? write_json(call, &to)
               : mnet_xmlrpc_write_call_typed(call->method, call->params, &to);
}

/* --- who calls --- */

/* A wwwroot, a name or a path that is to stand in a header: ASCII without control characters. */
static int header_ok(const char *value)
{
    const char *c;

    for (c = value; *c; c++) {
        if (*c < ' ' || *c == 0x7f) {
            return 0;
        }
    }
    return c > value;
}

apr_array_header_t *mnet_backend_headers(const mnet_backend_call_t *call,
                                         const mnet_backend_url_t *url)
{
    apr_pool_t *pool = call->pool;
    apr_array_header_t *headers = apr_array_make(pool, 5, sizeof(const char *));
    const unsigned char *secret = call->backend->secret;
    mnet_backend_told_t told = {url->authority, url->path, call->peer, call->application,
                                call->method};
    const char *proof = NULL;

    if (!header_ok(call->peer) || !header_ok(call->application) || !header_ok(call->method)) {
        return NULL;
    }
    if (secret) {
        proof = mnet_backend_prove(call->host->engine->crypto, secret, &told, apr_time_now(), pool);
    }
    APR_ARRAY_PUSH(headers, const char *) = apr_pstrcat(pool, "X-Mnet-Peer: ", call->peer, NULL);
    APR_ARRAY_PUSH(headers, const char *) =
        apr_pstrcat(pool, "X-Mnet-Application: ", call->application, NULL);
    APR_ARRAY_PUSH(headers, const char *) =
        apr_pstrcat(pool, "X-Mnet-Method: ", call->method, NULL);
    if (proof) {
        APR_ARRAY_PUSH(headers, const char *) = apr_pstrcat(pool, "X-Mnet-Proof: ", proof, NULL);
    }
    return headers;
}

/* --- the answer --- */

apr_status_t mnet_backend_take(void *baton, const char *data, apr_size_t len)
{
    mnet_backend_answer_t *answer = baton;
    apr_size_t i;

    for (i = 0; i < len && !answer->beyond; i++) {
        answer->beyond = data[i] & 0x80;
    }
    return mnet_spool_write(answer->body, data, len);
}

/* The first bytes of what is no answer, for the log. */
typedef struct head_t {
    char text[HEAD_MAX];
    apr_size_t len;
} head_t;

static apr_status_t take_head(void *baton, const char *data, apr_size_t len)
{
    head_t *head = baton;
    apr_size_t n = len < HEAD_MAX - head->len ? len : HEAD_MAX - head->len;

    memcpy(head->text + head->len, data, n);
    head->len += n;
    return head->len == HEAD_MAX ? APR_EOF : APR_SUCCESS;
}

static void rubbish(mnet_backend_call_t *call, mnet_backend_answer_t *answer, const char *what,
                    const char *why)
{
    head_t head = {"", 0};
    mnet_sink_t to = {take_head, &head};

    (void)mnet_spool_pour(answer->body, &to);
    call->problem = head.len
                        ? apr_psprintf(call->pool, "its answer is %s (%s); it begins \"%s\"", what,
                                       why, mnet_for_log(head.text, head.len, HEAD_MAX, call->pool))
                        : "its answer is empty: look in its own log";
}

static void set_fault(mnet_backend_call_t *call, apr_int64_t code, const char *text)
{
    call->fault = 1;
    call->code = code < INT_MIN || code > INT_MAX ? 1 : (int)code;
    call->text = text;
}

/*
 * PHP's xmlrpc extension writes each byte of a text beyond ASCII as a reference, which looks like
 * other characters; who writes such bytes themselves means what they say.
 */
static void read_xmlrpc(mnet_backend_call_t *call, mnet_backend_answer_t *answer)
{
    mnet_charset_e charset = answer->beyond ? MNET_CHARSET_UTF8 : MNET_CHARSET_BYTES;
    mnet_document_t *document = NULL;
    const char *why = "";
    apr_status_t rv =
        mnet_xmlrpc_read(answer->body, charset, &mnet_xml_limits_peer, &document, &why, call->pool);

    if (rv || document->kind == MNET_CALL) {
        rubbish(call, answer, "no XML-RPC response", rv ? why : "it is a call");
    } else if (document->kind == MNET_FAULT) {
        set_fault(call, document->fault_code, document->fault_text);
    } else {
        call->result = APR_ARRAY_IDX(document->params, 0, mnet_value_t *);
    }
}

/* The whole text in memory: MnetMaxBody bounds it. */
static apr_status_t whole(mnet_spool_t *spool, const char **text, apr_pool_t *pool)
{
    apr_off_t length = mnet_spool_length(spool);
    apr_file_t *file;
    apr_off_t start = 0;
    char *bytes;
    apr_status_t rv;

    *text = mnet_spool_text(spool);
    if (*text) {
        return APR_SUCCESS;
    }
    file = mnet_spool_file(spool);
    if (!file || length > INT_MAX) {
        return MNET_E_LIMIT;
    }
    *text = bytes = apr_palloc(pool, (apr_size_t)length + 1);
    bytes[length] = '\0';
    rv = apr_file_seek(file, APR_SET, &start);
    return rv ? rv : apr_file_read_full(file, bytes, (apr_size_t)length, NULL);
}

/* An answer need not say which request it is to; if it does, it must be ours. */
static int is_anothers(const mnet_backend_call_t *call, const mnet_value_t *document)
{
    const mnet_value_t *id = mnet_get(document, "id");
    apr_int64_t number;

    return id && id->type != MNET_NIL && (!mnet_as_int(id, &number) || number != call->number);
}

/* 0: it lacks a code or a text. */
static int read_error(mnet_backend_call_t *call, const mnet_value_t *error)
{
    const mnet_value_t *message = mnet_get(error, "message");
    const char *text;
    apr_int64_t code;

    if (!message || message->type != MNET_STRING || !mnet_as_int(mnet_get(error, "code"), &code)) {
        return 0;
    }
    text = mnet_as_text(message, call->pool);
    set_fault(call, code, text ? text : "");
    return 1;
}

static void read_json(mnet_backend_call_t *call, mnet_backend_answer_t *answer)
{
    mnet_value_t *document, *result, *error;
    const char *text, *why = "";
    int is_error;

    if (whole(answer->body, &text, call->pool)) {
        call->problem = "its answer could not be read back, or is too long for JSON";
        return;
    }
    document = mnet_json_read(text, (apr_size_t)mnet_spool_length(answer->body), &why, call->pool);
    result = mnet_get(document, "result");
    error = mnet_get(document, "error");
    is_error = error && error->type != MNET_NIL;
    if (is_anothers(call, document)) {
        rubbish(call, answer, "to another request", "its \"id\" is not the one that was sent");
    } else if (is_error ? !read_error(call, error) : !result) {
        rubbish(call, answer, "no JSON-RPC response",
                document ? "neither a \"result\" nor an \"error\" with \"code\" and \"message\""
                         : why);
    } else if (!is_error) {
        call->result = result;
    }
}

void mnet_backend_read(mnet_backend_call_t *call, mnet_backend_answer_t *answer)
{
    if (call->backend->options->format == MNET_BACKEND_JSON) {
        read_json(call, answer);
    } else {
        read_xmlrpc(call, answer);
    }
}
