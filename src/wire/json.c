/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"

#include <math.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <jansson.h>

#include "base/status.h"
#include "base/text.h"
#include "wire/base64.h"

#define REPLACEMENT "\xEF\xBF\xBD"

/* --- writing --- */

typedef struct writer_t {
    const mnet_sink_t *to;
    int indent;
    apr_size_t used;
    unsigned char sequence[4]; /* of a character whose bytes are not all here yet */
    int held, need;
    char buffer[4096];
} writer_t;

static apr_status_t flush(writer_t *writer)
{
    apr_size_t used = writer->used;

    writer->used = 0;
    return mnet_sink_write(writer->to, writer->buffer, used);
}

static apr_status_t put(writer_t *writer, const char *data, apr_size_t len)
{
    apr_status_t rv = APR_SUCCESS;

    if (len > sizeof(writer->buffer) - writer->used) {
        rv = flush(writer);
        if (rv == APR_SUCCESS && len > sizeof(writer->buffer)) {
            return mnet_sink_write(writer->to, data, len);
        }
    }
    if (rv == APR_SUCCESS) {
        memcpy(writer->buffer + writer->used, data, len);
        writer->used += len;
    }
    return rv;
}

static apr_status_t put_text(writer_t *writer, const char *text)
{
    return put(writer, text, strlen(text));
}

static apr_status_t put_escaped(writer_t *writer, unsigned int code)
{
    char text[8];

    apr_snprintf(text, sizeof(text), "\\u%04x", code);
    return put_text(writer, text);
}

static apr_status_t put_ascii(writer_t *writer, unsigned char byte)
{
    char c = (char)byte;

    switch (byte) {
    case '"':
        return put(writer, "\\\"", 2);
    case '\\':
        return put(writer, "\\\\", 2);
    case '\n':
        return put(writer, "\\n", 2);
    case '\r':
        return put(writer, "\\r", 2);
    case '\t':
        return put(writer, "\\t", 2);
    default:
        return byte < 0x20 || byte == 0x7F ? put_escaped(writer, byte) : put(writer, &c, 1);
    }
}

/* The bytes held are a whole character, or were to be one. */
static apr_status_t put_held(writer_t *writer)
{
    const unsigned char *sequence = writer->sequence;
    int held = writer->held;

    writer->held = 0;
    if (held != writer->need || !mnet_is_utf8((const char *)sequence, (apr_size_t)held)) {
        return put_text(writer, REPLACEMENT);
    }
    if (sequence[0] == 0xC2 && sequence[1] < 0xA0) {
        return put_escaped(writer, sequence[1]);
    }
    return put(writer, (const char *)sequence, (apr_size_t)held);
}

static apr_status_t put_byte(writer_t *writer, unsigned char byte)
{
    apr_status_t rv = APR_SUCCESS;

    if (writer->held > 0) {
        if ((byte & 0xC0) == 0x80) {
            writer->sequence[writer->held++] = byte;
            return writer->held == writer->need ? put_held(writer) : APR_SUCCESS;
        }
        rv = put_held(writer);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    if (byte < 0x80) {
        return put_ascii(writer, byte);
    }
    if (byte < 0xC2 || byte > 0xF4) {
        return put_text(writer, REPLACEMENT);
    }
    writer->need = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    writer->sequence[writer->held++] = byte;
    return APR_SUCCESS;
}

/* A mnet_sink_fn: the inside of a string, in pieces that may cut a character in two. */
static apr_status_t put_string_piece(void *baton, const char *data, apr_size_t len)
{
    writer_t *writer = baton;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = 0; i < len && rv == APR_SUCCESS; i++) {
        rv = put_byte(writer, (unsigned char)data[i]);
    }
    return rv;
}

static apr_status_t put_name(writer_t *writer, const char *name, apr_size_t len)
{
    apr_status_t rv = put(writer, "\"", 1);

    if (rv == APR_SUCCESS) {
        rv = put_string_piece(writer, name, len);
    }
    if (rv == APR_SUCCESS && writer->held > 0) {
        rv = put_held(writer);
    }
    return rv == APR_SUCCESS ? put(writer, "\"", 1) : rv;
}

static apr_status_t put_string(writer_t *writer, const mnet_value_t *value)
{
    mnet_sink_t piece = {put_string_piece, writer};
    mnet_base64_encoder_t encoder;
    mnet_sink_t encode = {mnet_base64_encode, &encoder};
    int base64 = value->type == MNET_BASE64;
    apr_status_t rv = put(writer, "\"", 1);

    mnet_base64_encoder_init(&encoder, &piece);
    if (rv == APR_SUCCESS) {
        rv = mnet_value_pour(value, base64 ? &encode : &piece);
    }
    if (rv == APR_SUCCESS && base64) {
        rv = mnet_base64_encode_end(&encoder);
    }
    if (rv == APR_SUCCESS && writer->held > 0) {
        rv = put_held(writer);
    }
    return rv == APR_SUCCESS ? put(writer, "\"", 1) : rv;
}

/* The shortest digits that read back as the same number; jansson knows of locales. */
static apr_status_t put_double(writer_t *writer, double real)
{
    char text[64];
    size_t len = 0;
    int digits;

    if (!isfinite(real)) {
        return put_text(writer, "null");
    }
    for (digits = 15; digits <= 17; digits++) {
        json_t *number = json_real(real), *again;
        double read;

        len = json_dumpb(number, text, sizeof(text), JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        json_decref(number);
        if (len == 0 || len > sizeof(text)) {
            return APR_EGENERAL;
        }
        again = json_loadb(text, len, JSON_DECODE_ANY, NULL);
        read = json_number_value(again);
        json_decref(again);
        if (read == real) {
            break;
        }
    }
    return put(writer, text, len);
}

static apr_status_t put_break(writer_t *writer, int depth)
{
    static const char spaces[] = "                ";
    apr_status_t rv;
    int left = writer->indent * depth;

    if (writer->indent <= 0) {
        return APR_SUCCESS;
    }
    rv = put(writer, "\n", 1);
    while (rv == APR_SUCCESS && left > 0) {
        int n = left < (int)sizeof(spaces) - 1 ? left : (int)sizeof(spaces) - 1;

        rv = put(writer, spaces, (apr_size_t)n);
        left -= n;
    }
    return rv;
}

static apr_status_t put_value(writer_t *writer, const mnet_value_t *value, int depth);

static apr_status_t put_member(writer_t *writer, const mnet_member_t *member, int depth)
{
    apr_status_t rv = put_name(writer, member->name, member->name_len);

    if (rv == APR_SUCCESS) {
        rv = put(writer, ": ", writer->indent > 0 ? 2 : 1);
    }
    return rv == APR_SUCCESS ? put_value(writer, member->value, depth) : rv;
}

static apr_status_t put_container(writer_t *writer, const mnet_value_t *value, int depth)
{
    int is_struct = value->type == MNET_STRUCT;
    int i, count = mnet_count(value);
    apr_status_t rv = put(writer, is_struct ? "{" : "[", 1);

    if (depth >= MNET_JSON_DEPTH) {
        return MNET_E_LIMIT;
    }
    for (i = 0; i < count && rv == APR_SUCCESS; i++) {
        if (i > 0) {
            rv = put(writer, ",", 1);
        }
        if (rv == APR_SUCCESS) {
            rv = put_break(writer, depth + 1);
        }
        if (rv != APR_SUCCESS) {
            break;
        }
        rv = is_struct
                 ? put_member(writer, &APR_ARRAY_IDX(value->items, i, mnet_member_t), depth + 1)
                 : put_value(writer, mnet_item(value, i), depth + 1);
    }
    if (rv == APR_SUCCESS && count > 0) {
        rv = put_break(writer, depth);
    }
    return rv == APR_SUCCESS ? put(writer, is_struct ? "}" : "]", 1) : rv;
}

static apr_status_t put_value(writer_t *writer, const mnet_value_t *value, int depth)
{
    char number[32];

    switch (value == NULL ? MNET_NIL : value->type) {
    case MNET_STRING:
    case MNET_BASE64:
    case MNET_DATETIME:
        return put_string(writer, value);
    case MNET_INT:
        apr_snprintf(number, sizeof(number), "%" APR_INT64_T_FMT, value->integer);
        return put_text(writer, number);
    case MNET_BOOLEAN:
        return put_text(writer, value->integer ? "true" : "false");
    case MNET_DOUBLE:
        return put_double(writer, value->real);
    case MNET_ARRAY:
    case MNET_STRUCT:
        return put_container(writer, value, depth);
    case MNET_NIL:
    default:
        return put_text(writer, "null");
    }
}

apr_status_t mnet_value_to_json(const mnet_value_t *value, int indent, const mnet_sink_t *to)
{
    writer_t writer;
    apr_status_t rv;

    writer.to = to;
    writer.indent = indent;
    writer.used = 0;
    writer.held = 0;
    writer.need = 0;
    rv = put_value(&writer, value, 0);
    return rv == APR_SUCCESS ? flush(&writer) : rv;
}

/* --- reading --- */

static mnet_value_t *convert(const json_t *json, int depth, apr_pool_t *pool);

static mnet_value_t *convert_array(const json_t *json, int depth, apr_pool_t *pool)
{
    mnet_value_t *array = mnet_array(pool), *item;
    size_t i;

    for (i = 0; i < json_array_size(json); i++) {
        item = convert(json_array_get(json, i), depth + 1, pool);
        if (item == NULL) {
            return NULL;
        }
        mnet_append(array, item);
    }
    return array;
}

/* The members are appended as they are: jansson refused two of one name, and mnet_set would look
 * through all of them for each. */
static mnet_value_t *convert_object(const json_t *json, int depth, apr_pool_t *pool)
{
    mnet_value_t *structure = mnet_struct(pool);
    void *at;

    for (at = json_object_iter((json_t *)json); at != NULL;
         at = json_object_iter_next((json_t *)json, at)) {
        mnet_value_t *value = convert(json_object_iter_value(at), depth + 1, pool);
        const char *name = json_object_iter_key(at);
        mnet_member_t *member;

        if (value == NULL) {
            return NULL;
        }
        member = apr_array_push(structure->items);
        member->name_len = strlen(name);
        member->name = apr_pstrmemdup(pool, name, member->name_len);
        member->value = value;
    }
    return structure;
}

/* NULL: too deep. */
static mnet_value_t *convert(const json_t *json, int depth, apr_pool_t *pool)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return depth < MNET_JSON_DEPTH ? convert_object(json, depth, pool) : NULL;
    case JSON_ARRAY:
        return depth < MNET_JSON_DEPTH ? convert_array(json, depth, pool) : NULL;
    case JSON_STRING:
        return mnet_string_n(json_string_value(json), json_string_length(json), pool);
    case JSON_INTEGER:
        return mnet_int(json_integer_value(json), pool);
    case JSON_REAL:
        return mnet_double(json_real_value(json), pool);
    case JSON_TRUE:
    case JSON_FALSE:
        return mnet_boolean(json_is_true(json), pool);
    case JSON_NULL:
    default:
        return mnet_nil(pool);
    }
}

/* jansson's sentence quotes what it stumbled over. */
static const char *printable(char *text)
{
    char *c;

    for (c = text; *c != '\0'; c++) {
        if (!apr_isprint(*c)) {
            *c = '?';
        }
    }
    return text;
}

apr_status_t mnet_value_from_json(const char *text, apr_size_t len, mnet_value_t **value,
                                  const char **why, apr_pool_t *pool)
{
    json_error_t error;
    json_t *json;

    *value = NULL;
    *why = NULL;
    /* jansson takes one for the end, and what follows it for nothing. */
    if (memchr(text, '\0', len) != NULL) {
        *why = "a NUL byte";
        return MNET_E_INVALID;
    }
    json = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        *why = apr_psprintf(pool, "line %d, column %d: %s", error.line, error.column,
                            printable(error.text));
        return MNET_E_INVALID;
    }
    *value = convert(json, 0, pool);
    json_decref(json);
    if (*value == NULL) {
        *why = apr_psprintf(pool, "nested more than %d deep", MNET_JSON_DEPTH);
        return MNET_E_LIMIT;
    }
    return APR_SUCCESS;
}
