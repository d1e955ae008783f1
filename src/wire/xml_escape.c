/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/xml_escape.h"

#include <string.h>

#include "base/text.h"

#define REPLACEMENT "\xef\xbf\xbd"

void mnet_xml_writer_init(mnet_xml_writer_t *writer, mnet_charset_e charset, const mnet_sink_t *to)
{
    writer->to = to;
    writer->charset = charset;
    writer->all_types = 0;
    writer->rv = APR_SUCCESS;
    writer->used = 0;
    writer->held_len = 0;
}

apr_status_t mnet_xml_writer_flush(mnet_xml_writer_t *writer)
{
    if (writer->rv == APR_SUCCESS) {
        writer->rv = mnet_sink_write(writer->to, writer->buffer, writer->used);
    }
    writer->used = 0;
    return writer->rv;
}

static void put(mnet_xml_writer_t *writer, const char *data, apr_size_t len)
{
    if (len > sizeof(writer->buffer) - writer->used) {
        mnet_xml_writer_flush(writer);
        if (len > sizeof(writer->buffer)) {
            if (writer->rv == APR_SUCCESS) {
                writer->rv = mnet_sink_write(writer->to, data, len);
            }
            return;
        }
    }
    memcpy(writer->buffer + writer->used, data, len);
    writer->used += len;
}

void mnet_xml_put(mnet_xml_writer_t *writer, const char *markup)
{
    put(writer, markup, strlen(markup));
}

/* "&#N;" of a byte. */
static void put_reference(mnet_xml_writer_t *writer, unsigned char byte)
{
    char text[6], *c = text;

    *c++ = '&';
    *c++ = '#';
    if (byte >= 100) {
        *c++ = (char)('0' + byte / 100);
    }
    if (byte >= 10) {
        *c++ = (char)('0' + byte / 10 % 10);
    }
    *c++ = (char)('0' + byte % 10);
    *c++ = ';';
    put(writer, text, (apr_size_t)(c - text));
}

/* ASCII that cannot stand as it is. */
static void put_special(mnet_xml_writer_t *writer, unsigned char c)
{
    switch (c) {
    case '<':
        put(writer, "&lt;", 4);
        break;
    case '>':
        put(writer, "&gt;", 4);
        break;
    case '&':
        put(writer, "&amp;", 5);
        break;
    case '"':
        put(writer, "&quot;", 6);
        break;
    case '\t':
    case '\n':
    case '\r':
        /* A parser turns a bare CR into LF; ext-xmlrpc writes all three so. */
        put_reference(writer, c);
        break;
    default:
        break; /* no XML 1.0 document has this character */
    }
}

static int is_ordinary(const mnet_xml_writer_t *writer, unsigned char c)
{
    if (c == '\n' || c == '\t') {
        return writer->charset == MNET_CHARSET_UTF8;
    }
    return c >= 0x20 && c < 0x80 && c != '<' && c != '>' && c != '&' && c != '"';
}

/* A character beyond ASCII, valid. */
static void put_wide(mnet_xml_writer_t *writer, const char *utf8, int len, unsigned int code)
{
    int i;

    if (code == 0xfffe || code == 0xffff) {
        return;
    }
    if (writer->charset == MNET_CHARSET_UTF8) {
        put(writer, utf8, (apr_size_t)len);
        return;
    }
    for (i = 0; i < len; i++) {
        put_reference(writer, (unsigned char)utf8[i]);
    }
}

/*
 * The first character of the text.  Returns how many bytes it took; 0 if the text ends within it.
 */
static apr_size_t put_character(mnet_xml_writer_t *writer, const char *data, apr_size_t len)
{
    unsigned int code;
    int n = mnet_utf8_next(data, len, &code);

    if (n < 0) {
        return 0;
    }
    if (n == 0) {
        put_wide(writer, REPLACEMENT, 3, 0xfffd);
        return 1;
    }
    if (n == 1) {
        if (is_ordinary(writer, (unsigned char)*data)) {
            put(writer, data, 1);
        } else {
            put_special(writer, (unsigned char)*data);
        }
        return 1;
    }
    put_wide(writer, data, n, code);
    return (apr_size_t)n;
}

/* Completes the character that the last piece began, byte by byte of this one. */
static apr_size_t put_held(mnet_xml_writer_t *writer, const char *data, apr_size_t len)
{
    apr_size_t taken = 0;

    while (writer->held_len && taken < len) {
        unsigned int code;
        int n;

        writer->held[writer->held_len] = data[taken];
        n = mnet_utf8_next(writer->held, (apr_size_t)writer->held_len + 1, &code);
        if (n < 0) {
            writer->held_len++;
            taken++;
        } else if (n > 0) {
            put_wide(writer, writer->held, n, code);
            writer->held_len = 0;
            taken++;
        } else {
            mnet_xml_escape_end(writer); /* the byte at hand begins something else */
        }
    }
    return taken;
}

apr_status_t mnet_xml_escape(void *baton, const char *data, apr_size_t len)
{
    mnet_xml_writer_t *writer = baton;
    apr_size_t i = put_held(writer, data, len);

    while (i < len && writer->rv == APR_SUCCESS) {
        apr_size_t run = i, used;

        while (run < len && is_ordinary(writer, (unsigned char)data[run])) {
            run++;
        }
        put(writer, data + i, run - i);
        i = run;
        if (i == len) {
            break;
        }
        used = put_character(writer, data + i, len - i);
        if (!used) {
            writer->held_len = (int)(len - i);
            memcpy(writer->held, data + i, len - i);
            break;
        }
        i += used;
    }
    return writer->rv;
}

void mnet_xml_escape_end(mnet_xml_writer_t *writer)
{
    int i;

    for (i = 0; i < writer->held_len; i++) {
        put_wide(writer, REPLACEMENT, 3, 0xfffd);
    }
    writer->held_len = 0;
}
