/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/xmlrpc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "wire/base64.h"
#include "wire/xml_escape.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
/* A value nested deeper is a mistake of ours: no peer would read it. */
#define MAX_DEPTH 64

static apr_status_t put_value(mnet_xml_writer_t *writer, const mnet_value_t *value, int depth);

static void put_text(mnet_xml_writer_t *writer, const char *data, apr_size_t len)
{
    (void)mnet_xml_escape(writer, data, len);
    mnet_xml_escape_end(writer);
}

static void put_string(mnet_xml_writer_t *writer, const char *data, apr_size_t len)
{
    mnet_xml_put(writer, "<string>");
    put_text(writer, data, len);
    mnet_xml_put(writer, "</string>");
}

/* Base64 of any length past the buffer; a spool takes it as it is, unread. */
static apr_status_t put_plain(mnet_xml_writer_t *writer, mnet_spool_t *text)
{
    apr_status_t rv = mnet_xml_writer_flush(writer);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    return writer->to->write == mnet_spool_write ? mnet_spool_append(writer->to->baton, text)
                                                 : mnet_spool_pour(text, writer->to);
}

/* Is what it is poured text that XML can carry as it is? */
typedef struct inspection_t {
    int is_text;
    char held[4]; /* a character that began in the last piece */
    apr_size_t held_len;
} inspection_t;

static apr_status_t inspect(void *baton, const char *data, apr_size_t len)
{
    inspection_t *seen = baton;
    unsigned int code;
    apr_size_t i;

    for (i = 0; i < len && seen->is_text; i++) {
        int n;

        if (!seen->held_len && !(data[i] & 0x80)) {
            seen->is_text = (unsigned char)data[i] >= 0x20 || data[i] == '\t' || data[i] == '\n' ||
                            data[i] == '\r';
            continue;
        }
        seen->held[seen->held_len++] = data[i];
        n = mnet_utf8_next(seen->held, seen->held_len, &code);
        seen->is_text = n != 0 && !(n < 0 && seen->held_len == sizeof(seen->held)) &&
                        (n < 0 || (code != 0xFFFE && code != 0xFFFF));
        if (n > 0) {
            seen->held_len = 0;
        }
    }
    return APR_SUCCESS;
}

static int is_text(const mnet_value_t *value)
{
    inspection_t seen = {1, "", 0};
    mnet_sink_t to = {inspect, &seen};

    return mnet_value_pour(value, &to) == APR_SUCCESS && seen.is_text && !seen.held_len;
}

static apr_status_t put_encoded(mnet_xml_writer_t *writer, const mnet_value_t *value)
{
    mnet_sink_t text = {mnet_xml_escape, writer};
    mnet_base64_encoder_t encoder;
    mnet_sink_t to = {mnet_base64_encode, &encoder};
    apr_status_t rv;

    mnet_base64_encoder_init(&encoder, &text);
    rv = mnet_value_pour(value, &to);
    return rv == APR_SUCCESS ? mnet_base64_encode_end(&encoder) : rv;
}

/* Base64 arrives at a peer as the bytes it stands for, which is what its library would make of it,
 * unless no <string> can hold them: then as its text (protocol 2.2.2). */
static apr_status_t put_bytes(mnet_xml_writer_t *writer, const mnet_value_t *value)
{
    mnet_sink_t to = {mnet_xml_escape, writer};
    apr_status_t rv;

    mnet_xml_put(writer, "<string>");
    if (value->plain && value->spool) {
        rv = put_plain(writer, value->spool);
    } else if (value->type == MNET_BASE64 && !is_text(value)) {
        rv = put_encoded(writer, value);
        mnet_xml_escape_end(writer);
    } else {
        rv = mnet_value_pour(value, &to);
        mnet_xml_escape_end(writer);
    }
    mnet_xml_put(writer, "</string>");
    return rv;
}

static apr_status_t put_base64(mnet_xml_writer_t *writer, const mnet_value_t *value)
{
    apr_status_t rv;

    mnet_xml_put(writer, "<base64>");
    rv = put_encoded(writer, value);
    mnet_xml_escape_end(writer);
    mnet_xml_put(writer, "</base64>");
    return rv;
}

static apr_status_t put_date(mnet_xml_writer_t *writer, const mnet_value_t *value)
{
    mnet_sink_t to = {mnet_xml_escape, writer};
    apr_status_t rv;

    mnet_xml_put(writer, "<dateTime.iso8601>");
    rv = mnet_value_pour(value, &to);
    mnet_xml_escape_end(writer);
    mnet_xml_put(writer, "</dateTime.iso8601>");
    return rv;
}

/* What no MNET peer is sent. */
static apr_status_t put_typed(mnet_xml_writer_t *writer, const mnet_value_t *value)
{
    switch (value ? value->type : MNET_NIL) {
    case MNET_BASE64:
        return put_base64(writer, value);
    case MNET_DATETIME:
        return put_date(writer, value);
    default:
        mnet_xml_put(writer, "<nil/>");
        return APR_SUCCESS;
    }
}

/* A peer's int has 32 bits, or is cut to that without a word. */
static void put_int(mnet_xml_writer_t *writer, apr_int64_t integer)
{
    int fits = integer >= -2147483647 - 1 && integer <= 2147483647;
    char text[64];

    apr_snprintf(text, sizeof(text),
                 fits ? "<int>%" APR_INT64_T_FMT "</int>" : "<string>%" APR_INT64_T_FMT "</string>",
                 integer);
    mnet_xml_put(writer, text);
}

static void put_double(mnet_xml_writer_t *writer, double real)
{
    char text[MNET_DOUBLE_TEXT];

    mnet_format_double(real, text);
    mnet_xml_put(writer, isfinite(real) ? "<double>" : "<string>");
    mnet_xml_put(writer, text);
    mnet_xml_put(writer, isfinite(real) ? "</double>" : "</string>");
}

static apr_status_t put_array(mnet_xml_writer_t *writer, const mnet_value_t *array, int depth)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    mnet_xml_put(writer, "<array><data>");
    for (i = 0; i < mnet_count(array) && rv == APR_SUCCESS; i++) {
        mnet_xml_put(writer, "\n");
        rv = put_value(writer, mnet_item(array, i), depth);
    }
    mnet_xml_put(writer, i ? "\n</data></array>" : "</data></array>");
    return rv;
}

static apr_status_t put_struct(mnet_xml_writer_t *writer, const mnet_value_t *structure, int depth)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    mnet_xml_put(writer, "<struct>");
    for (i = 0; i < mnet_count(structure) && rv == APR_SUCCESS; i++) {
        const mnet_member_t *member = &APR_ARRAY_IDX(structure->items, i, mnet_member_t);

        mnet_xml_put(writer, "\n<member><name>");
        put_text(writer, member->name, member->name_len);
        mnet_xml_put(writer, "</name>");
        rv = put_value(writer, member->value, depth);
        mnet_xml_put(writer, "</member>");
    }
    mnet_xml_put(writer, i ? "\n</struct>" : "</struct>");
    return rv;
}

static apr_status_t put_value(mnet_xml_writer_t *writer, const mnet_value_t *value, int depth)
{
    apr_status_t rv = APR_SUCCESS;

    if (depth > MAX_DEPTH) {
        return MNET_E_LIMIT;
    }
    mnet_xml_put(writer, "<value>");
    switch (value ? value->type : MNET_NIL) {
    case MNET_NIL:
        if (writer->all_types) {
            rv = put_typed(writer, value);
        } else {
            put_string(writer, "", 0);
        }
        break;
    case MNET_BASE64:
    case MNET_DATETIME:
        rv = writer->all_types ? put_typed(writer, value) : put_bytes(writer, value);
        break;
    case MNET_STRING:
        rv = put_bytes(writer, value);
        break;
    case MNET_INT:
        put_int(writer, value->integer);
        break;
    case MNET_BOOLEAN:
        mnet_xml_put(writer, value->integer ? "<boolean>1</boolean>" : "<boolean>0</boolean>");
        break;
    case MNET_DOUBLE:
        put_double(writer, value->real);
        break;
    case MNET_ARRAY:
        rv = put_array(writer, value, depth + 1);
        break;
    case MNET_STRUCT:
        rv = put_struct(writer, value, depth + 1);
        break;
    }
    mnet_xml_put(writer, "</value>");
    return rv;
}

static apr_status_t finish(mnet_xml_writer_t *writer, apr_status_t rv)
{
    apr_status_t flushed = mnet_xml_writer_flush(writer);

    return rv == APR_SUCCESS ? flushed : rv;
}

static apr_status_t write_call(const char *method, const apr_array_header_t *params, int all_types,
                               const mnet_sink_t *to)
{
    mnet_xml_writer_t writer;
    apr_status_t rv = APR_SUCCESS;
    int i;

    mnet_xml_writer_init(&writer, MNET_CHARSET_UTF8, to);
    writer.all_types = all_types;
    mnet_xml_put(&writer, DECLARATION "<methodCall>\n<methodName>");
    put_text(&writer, method, strlen(method));
    mnet_xml_put(&writer, "</methodName>\n<params>\n");
    for (i = 0; params && i < params->nelts && rv == APR_SUCCESS; i++) {
        mnet_xml_put(&writer, "<param>\n");
        rv = put_value(&writer, APR_ARRAY_IDX(params, i, mnet_value_t *), 0);
        mnet_xml_put(&writer, "\n</param>\n");
    }
    mnet_xml_put(&writer, "</params>\n</methodCall>\n");
    return finish(&writer, rv);
}

apr_status_t mnet_xmlrpc_write_call(const char *method, const apr_array_header_t *params,
                                    const mnet_sink_t *to)
{
    return write_call(method, params, 0, to);
}

apr_status_t mnet_xmlrpc_write_call_typed(const char *method, const apr_array_header_t *params,
                                          const mnet_sink_t *to)
{
    return write_call(method, params, 1, to);
}

static apr_status_t write_response(const mnet_value_t *value, mnet_charset_e charset, int all_types,
                                   const mnet_sink_t *to)
{
    mnet_xml_writer_t writer;
    apr_status_t rv;

    mnet_xml_writer_init(&writer, charset, to);
    writer.all_types = all_types;
    mnet_xml_put(&writer, DECLARATION "<methodResponse>\n<params>\n<param>\n");
    rv = put_value(&writer, value, 0);
    mnet_xml_put(&writer, "\n</param>\n</params>\n</methodResponse>\n");
    return finish(&writer, rv);
}

apr_status_t mnet_xmlrpc_write_response(const mnet_value_t *value, mnet_charset_e charset,
                                        const mnet_sink_t *to)
{
    return write_response(value, charset, 0, to);
}

apr_status_t mnet_xmlrpc_write_response_typed(const mnet_value_t *value, const mnet_sink_t *to)
{
    return write_response(value, MNET_CHARSET_UTF8, 1, to);
}

apr_status_t mnet_xmlrpc_write_fault(int code, const char *text, mnet_charset_e charset,
                                     const mnet_sink_t *to)
{
    mnet_xml_writer_t writer;
    char number[16];

    apr_snprintf(number, sizeof(number), "%d", code);
    mnet_xml_writer_init(&writer, charset, to);
    mnet_xml_put(&writer, DECLARATION "<methodResponse>\n<fault>\n<value><struct>"
                                      "<member><name>faultCode</name><value><int>");
    mnet_xml_put(&writer, number);
    mnet_xml_put(&writer, "</int></value></member><member><name>faultString</name><value>");
    put_string(&writer, text ? text : "", text ? strlen(text) : 0);
    mnet_xml_put(&writer, "</value></member></struct></value></fault>\n</methodResponse>\n");
    return finish(&writer, APR_SUCCESS);
}
