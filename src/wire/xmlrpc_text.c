/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/xmlrpc_text.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "base/number.h"
#include "base/status.h"

#define FIRST_ROOM 512

void mnet_text_init(mnet_text_t *text, mnet_charset_e charset, const char *tmpdir, apr_pool_t *pool)
{
    memset(text, 0, sizeof(*text));
    text->pool = pool;
    text->charset = charset;
    text->tmpdir = tmpdir ? apr_pstrdup(pool, tmpdir) : NULL;
    text->data = apr_palloc(pool, FIRST_ROOM);
    text->room = FIRST_ROOM;
    text->self.write = mnet_text_append;
    text->self.baton = text;
    mnet_text_begin(text);
}

void mnet_text_begin(mnet_text_t *text)
{
    text->len = 0;
    text->spool = NULL;
    text->beyond = 0;
    text->pouring = 0;
    mnet_base64_decoder_init(&text->decoder, &text->self);
}

/* Packages are base64, which needs no second file for its folded form: bytes tell it apart. */
static apr_status_t spool(mnet_text_t *text, const char *data, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len && !text->beyond; i++) {
        text->beyond = data[i] & 0x80;
    }
    return mnet_spool_write(text->spool, data, len);
}

/* A second long text has nowhere to go. */
static apr_status_t begin_pouring(mnet_text_t *text)
{
    apr_size_t len = text->len;

    if (text->poured) {
        return MNET_E_LIMIT;
    }
    text->poured = text->pouring = 1;
    text->len = 0;
    return mnet_sink_write(text->pour, text->data, len);
}

static apr_status_t move_to_spool(mnet_text_t *text)
{
    text->spool = mnet_spool_create(0, text->tmpdir, text->pool);
    return spool(text, text->data, text->len);
}

apr_status_t mnet_text_append(void *baton, const char *data, apr_size_t len)
{
    mnet_text_t *text = baton;
    apr_size_t size = text->len + len;
    char *grown;

    if (!text->spool && !text->pouring && len > MNET_SPOOL_MEMORY - text->len) {
        apr_status_t rv = text->pour ? begin_pouring(text) : move_to_spool(text);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    if (text->pouring) {
        return mnet_sink_write(text->pour, data, len);
    }
    if (text->spool) {
        return spool(text, data, len);
    }
    if (size > text->room) {
        while (text->room < size) {
            text->room *= 2;
        }
        grown = apr_palloc(text->pool, text->room);
        memcpy(grown, text->data, text->len);
        text->data = grown;
    }
    memcpy(text->data + text->len, data, len);
    text->len = size;
    return APR_SUCCESS;
}

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int mnet_is_blank(const char *data, apr_size_t len)
{
    while (len && is_space(*data)) {
        data++;
        len--;
    }
    return !len;
}

int mnet_text_is_blank(const mnet_text_t *text)
{
    return !text->spool && mnet_is_blank(text->data, text->len);
}

const char *mnet_text_trimmed(const mnet_text_t *text, apr_size_t *len)
{
    const char *start = text->data, *end = text->data + text->len;

    while (start < end && is_space(*start)) {
        start++;
    }
    while (start < end && is_space(end[-1])) {
        end--;
    }
    *len = (apr_size_t)(end - start);
    return start;
}

const char *mnet_text_take(const mnet_text_t *text, apr_size_t *len)
{
    const char *folded = NULL;

    if (text->charset == MNET_CHARSET_BYTES) {
        folded = mnet_fold_bytes(text->data, text->len, len, text->pool);
    }
    if (folded) {
        return folded;
    }
    *len = text->len;
    return apr_pstrmemdup(text->pool, text->data, text->len);
}

static apr_status_t take_spool(const mnet_text_t *text, mnet_type_e type, mnet_spool_t **taken)
{
    mnet_spool_t *folded = NULL;
    apr_status_t rv = APR_SUCCESS;

    if (type == MNET_STRING && text->beyond && text->charset == MNET_CHARSET_BYTES) {
        rv = mnet_fold_spool(text->spool, &folded, text->pool);
    }
    *taken = folded ? folded : text->spool;
    return rv;
}

/* STRING, BASE64, DATETIME */
static apr_status_t make_bytes(mnet_text_t *text, mnet_type_e type, mnet_value_t **made)
{
    mnet_value_t *value = *made = apr_pcalloc(text->pool, sizeof(*value));

    value->type = type;
    if (text->spool) {
        return take_spool(text, type, &value->spool);
    }
    if (type == MNET_STRING) {
        value->data = mnet_text_take(text, &value->len);
    } else {
        value->data = apr_pstrmemdup(text->pool, text->data, text->len);
        value->len = text->len;
    }
    return APR_SUCCESS;
}

static int is_word(const char *text, apr_size_t len, const char *word)
{
    return len == strlen(word) && !strncasecmp(text, word, len);
}

/* 1 or 0; -1 if it is no boolean. */
static int read_truth(const mnet_text_t *text)
{
    apr_size_t len;
    const char *word = mnet_text_trimmed(text, &len);

    if (is_word(word, len, "1") || is_word(word, len, "true")) {
        return 1;
    }
    return !len || is_word(word, len, "0") || is_word(word, len, "false") ? 0 : -1;
}

/* INT, BOOLEAN, DOUBLE, NIL: NULL if the text is none. */
static mnet_value_t *make_plain(const mnet_text_t *text, mnet_type_e type)
{
    apr_int64_t integer;
    double real;
    int truth;

    switch (type) {
    case MNET_INT:
        return mnet_parse_int(text->data, text->len, &integer) ? mnet_int(integer, text->pool)
                                                               : NULL;
    case MNET_DOUBLE:
        return mnet_parse_double(text->data, text->len, &real) ? mnet_double(real, text->pool)
                                                               : NULL;
    case MNET_BOOLEAN:
        truth = read_truth(text);
        return truth >= 0 ? mnet_boolean(truth, text->pool) : NULL;
    default:
        return mnet_text_is_blank(text) ? mnet_nil(text->pool) : NULL;
    }
}

static const char *complaint(mnet_type_e type)
{
    switch (type) {
    case MNET_INT:
        return "non-numeric <int>";
    case MNET_DOUBLE:
        return "non-numeric <double>";
    case MNET_BOOLEAN:
        return "a <boolean> that is neither true nor false";
    default:
        return "text in a <nil/>";
    }
}

apr_status_t mnet_text_value(mnet_text_t *text, mnet_type_e type, mnet_value_t **value,
                             const char **problem)
{
    if (type == MNET_BASE64) {
        apr_status_t rv = mnet_base64_decode_end(&text->decoder);

        if (rv != APR_SUCCESS) {
            *problem = "a <base64> that is none";
            return rv;
        }
    }
    if (type == MNET_STRING || type == MNET_BASE64 || type == MNET_DATETIME) {
        return make_bytes(text, type, value);
    }
    if (text->spool) {
        *problem = "a number that is too long";
        return MNET_E_LIMIT;
    }
    *value = make_plain(text, type);
    if (!*value) {
        *problem = complaint(type);
        return MNET_E_XML;
    }
    return APR_SUCCESS;
}
