/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/xml.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "base/status.h"
#include "base/text.h"
#include "wire/xml_guard.h"

/* What libxml2 is fed at once: large enough to be quick, small enough to stay in a cache. */
#define PIECE 8192
/* Plain text of this length at least goes by libxml2, in pieces of at most so many bytes. */
#define BY_LEAST 256
#define BY_MOST  (64 * 1024)

const mnet_xml_limits_t mnet_xml_limits_stranger = {32, 256, 4 * 1024};
const mnet_xml_limits_t mnet_xml_limits_peer = {64, 1000000, 16 * 1024};

/* Where in the document the reader is. */
typedef enum { MARK, BLANKS, DECLARATION, DOCUMENT, FINISHED } stage_e;

struct mnet_xml_t {
    apr_pool_t *pool;
    xmlParserCtxtPtr parser;
    mnet_xml_handler_t handler;
    void *baton;
    mnet_xml_limits_t limits;
    mnet_xml_guard_t guard;
    mnet_xml_encoding_e encoding;
    stage_e stage;
    char head[MNET_XML_DECLARATION]; /* what has to be seen whole before it is passed on */
    apr_size_t head_len;
    int depth;
    int elements;
    int lines;           /* of text that went by libxml2 */
    char complaint[160]; /* of libxml2, perhaps harmless */
    int complaint_line;
    apr_status_t rv; /* the first thing that went wrong */
    const char *problem;
};

/* Keeps the first failure.  line: where libxml2 is, 0 if that is unknown. */
static apr_status_t fail(mnet_xml_t *xml, apr_status_t rv, const char *problem, int line)
{
    if (xml->rv == APR_SUCCESS) {
        apr_size_t len = strlen(problem);

        while (len && problem[len - 1] == '\n') {
            len--;
        }
        problem = mnet_for_log(problem, len, 160, xml->pool);
        xml->rv = rv;
        xml->problem = line ? apr_psprintf(xml->pool, "line %d: %s", line, problem) : problem;
    }
    return xml->rv;
}

static int line_of(const mnet_xml_t *xml)
{
    return xml->parser->input ? xml->parser->input->line + xml->lines : 0;
}

/* --- what libxml2 tells; after a failure it may run on to the end of its piece, unheard --- */

static void on_start(void *baton, const xmlChar *name, const xmlChar **attributes)
{
    mnet_xml_t *xml = baton;
    apr_status_t rv;

    if (xml->rv != APR_SUCCESS) {
        return;
    }
    if (++xml->depth > xml->limits.depth) {
        fail(xml, MNET_E_LIMIT, "elements nested too deeply", line_of(xml));
        return;
    }
    if (++xml->elements > xml->limits.elements) {
        fail(xml, MNET_E_LIMIT, "too many elements", line_of(xml));
        return;
    }
    rv = xml->handler.start(xml->baton, (const char *)name, (const char *const *)attributes);
    if (rv != APR_SUCCESS) {
        fail(xml, rv, "refused by its reader", line_of(xml));
    }
}

static void on_end(void *baton, const xmlChar *name)
{
    mnet_xml_t *xml = baton;
    apr_status_t rv;

    if (xml->rv != APR_SUCCESS) {
        return;
    }
    xml->depth--;
    rv = xml->handler.end(xml->baton, (const char *)name);
    if (rv != APR_SUCCESS) {
        fail(xml, rv, "refused by its reader", line_of(xml));
    }
}

static void on_text(void *baton, const xmlChar *data, int len)
{
    mnet_xml_t *xml = baton;
    apr_status_t rv;

    if (xml->rv != APR_SUCCESS || len <= 0) {
        return;
    }
    rv = xml->handler.text(xml->baton, (const char *)data, (apr_size_t)len);
    if (rv != APR_SUCCESS) {
        fail(xml, rv, "refused by its reader", line_of(xml));
    }
}

static xmlEntityPtr on_entity(void *baton, const xmlChar *name)
{
    return xmlGetPredefinedEntity(name);
}

/* The guard sees a declaration first; this is for what it might miss. */
static void on_doctype(void *baton, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system)
{
    mnet_xml_t *xml = baton;

    fail(xml, MNET_E_DOCTYPE, "document type declaration", line_of(xml));
}

/*
 * libxml2 clears wellFormed just after it has told us why, and complains of what does not matter
 * here as well: what it said last before that is the reason.
 */
static void on_error(void *baton, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void on_error(void *baton, const char *format, ...)
{
    mnet_xml_t *xml = baton;
    va_list args;

    if (!xml->parser->wellFormed) {
        return;
    }
    va_start(args, format);
    if (vsnprintf(xml->complaint, sizeof(xml->complaint), format, args) < 0) {
        xml->complaint[0] = '\0';
    }
    va_end(args);
    xml->complaint_line = line_of(xml);
}

/* --- making --- */

static apr_status_t free_parser(void *baton)
{
    mnet_xml_t *xml = baton;

    xmlFreeParserCtxt(xml->parser);
    return APR_SUCCESS;
}

mnet_xml_t *mnet_xml_create(const mnet_xml_handler_t *handler, void *baton,
                            const mnet_xml_limits_t *limits, apr_pool_t *pool)
{
    mnet_xml_t *xml = apr_pcalloc(pool, sizeof(*xml));
    xmlSAXHandler sax;

    xmlInitParser();
    xml->pool = pool;
    xml->handler = *handler;
    xml->baton = baton;
    xml->limits = *limits;
    xml->problem = "";
    mnet_xml_guard_init(&xml->guard, limits->tag);

    /* Not XML_SAX2_MAGIC: names come as written, and errors to our function alone. */
    memset(&sax, 0, sizeof(sax));
    sax.initialized = 1;
    sax.startElement = on_start;
    sax.endElement = on_end;
    sax.characters = on_text;
    sax.ignorableWhitespace = on_text;
    sax.cdataBlock = on_text;
    sax.getEntity = on_entity;
    sax.internalSubset = on_doctype;
    sax.error = on_error;
    xml->parser = xmlCreatePushParserCtxt(&sax, xml, NULL, 0, NULL);
    if (!xml->parser) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, xml, free_parser, apr_pool_cleanup_null);
    xmlCtxtUseOptions(xml->parser, XML_PARSE_NONET);
    return xml;
}

/* --- feeding --- */

static apr_status_t check(mnet_xml_t *xml)
{
    if (xml->rv == APR_SUCCESS && !xml->parser->wellFormed) {
        fail(xml, MNET_E_XML, xml->complaint, xml->complaint_line);
    }
    return xml->rv;
}

static apr_status_t parse(mnet_xml_t *xml, const char *data, apr_size_t len)
{
    if (!len) {
        return xml->rv;
    }
    xmlParseChunk(xml->parser, data, (int)len, 0);
    return check(xml);
}

/* libxml2 is always fed UTF-8; ISO-8859-1 is turned into it here. */
static apr_status_t parse_encoded(mnet_xml_t *xml, const char *data, apr_size_t len)
{
    char utf8[2 * PIECE];
    apr_size_t i, n = 0;

    if (xml->encoding != MNET_XML_LATIN1) {
        return parse(xml, data, len);
    }
    for (i = 0; i < len && !(data[i] & 0x80); i++) {
    }
    if (i == len) {
        return parse(xml, data, len);
    }
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];

        if (c < 0x80) {
            utf8[n++] = (char)c;
        } else {
            utf8[n++] = (char)(0xc0 | c >> 6);
            utf8[n++] = (char)(0x80 | (c & 0x3f));
        }
    }
    return parse(xml, utf8, n);
}

/* --- text that goes by libxml2 --- */

/*
 * A package is a gigabyte of base64 between two tags.  Between tags, with nothing waiting in
 * libxml2, bytes that mean themselves in every encoding we read (no markup, no reference, no ']' of
 * "]]>", no line end that is to be changed) are told at once: libxml2 would tell the same.
 */
static int goes_by(const mnet_xml_t *xml)
{
    const xmlParserInput *input = xml->parser->input;

    return xml->depth > 0 && mnet_xml_guard_at_rest(&xml->guard) && input &&
           input->cur >= input->end;
}

static void go_by(mnet_xml_t *xml, const char *data, apr_size_t len)
{
    const char *at = data, *end = data + len;

    while ((at = memchr(at, '\n', (apr_size_t)(end - at))) != NULL) {
        xml->lines += xml->lines < INT_MAX / 2;
        at++;
    }
    on_text(xml, (const xmlChar *)data, (int)len);
}

/* How much of the text goes by libxml2: 0 if it is not worth it. */
static apr_size_t pass(mnet_xml_t *xml, const char *data, apr_size_t len)
{
    apr_size_t n = 0;

    if (len >= BY_LEAST && goes_by(xml)) {
        n = mnet_xml_plain(data, len < BY_MOST ? len : BY_MOST);
        n = n < BY_LEAST ? 0 : n;
    }
    if (n) {
        go_by(xml, data, n);
    }
    return n;
}

/* The next piece for libxml2: it ends with a tag, if much plain text follows that. */
static apr_size_t next_piece(const mnet_xml_t *xml, const char *data, apr_size_t len)
{
    apr_size_t piece = len < PIECE ? len : PIECE;
    const char *close = memrchr(data, '>', piece);
    apr_size_t after = close ? (apr_size_t)(close + 1 - data) : 0;

    if (close && len - after >= BY_LEAST && mnet_xml_plain(close + 1, BY_LEAST) == BY_LEAST) {
        return after;
    }
    return piece;
}

/* The document proper.  What precedes an offence is parsed, so that errors come in their order. */
static apr_status_t in_document(mnet_xml_t *xml, const char *data, apr_size_t len)
{
    while (len && xml->rv == APR_SUCCESS) {
        apr_size_t safe, piece = pass(xml, data, len);
        apr_status_t rv;

        if (piece) {
            data += piece;
            len -= piece;
            continue;
        }
        piece = next_piece(xml, data, len);
        rv = mnet_xml_guard_check(&xml->guard, data, piece, &safe);
        parse_encoded(xml, data, safe);
        if (rv != APR_SUCCESS) {
            fail(xml, rv, xml->guard.problem, line_of(xml));
        }
        data += piece;
        len -= piece;
    }
    return xml->rv;
}

/* The head is known not to be (or no longer to be) an XML declaration. */
static apr_status_t begin_document(mnet_xml_t *xml)
{
    if (xml->head_len && xml->head[0] != '<') {
        return fail(xml, MNET_E_XML, "does not begin with '<'", 0);
    }
    xml->stage = DOCUMENT;
    return in_document(xml, xml->head, xml->head_len);
}

/* A byte of "<?xml ... ?>", or of what turns out not to be one. */
static apr_status_t in_declaration(mnet_xml_t *xml, char c)
{
    static const char start[] = "<?xml";
    const apr_size_t start_len = sizeof(start) - 1;
    apr_size_t n = xml->head_len;

    xml->head[xml->head_len++] = c;
    if (n < start_len ? c != start[n] : n == start_len && !strchr(" \t\r\n?", c)) {
        return begin_document(xml);
    }
    if (n >= start_len && c == '>') {
        const char *problem = mnet_xml_declaration(xml->head, xml->head_len, &xml->encoding);

        if (problem) {
            return fail(xml, MNET_E_XML, problem, 1);
        }
        xml->guard.ascii = xml->encoding == MNET_XML_ASCII;
        xml->head_len = 0;
        return begin_document(xml);
    }
    if (xml->head_len == sizeof(xml->head)) {
        return fail(xml, MNET_E_LIMIT, "the XML declaration is too long", 1);
    }
    return APR_SUCCESS;
}

/* One byte before the document proper. */
static apr_status_t before_document(mnet_xml_t *xml, char c)
{
    static const char mark[] = "\xef\xbb\xbf";

    if (xml->stage == MARK) {
        if (c == mark[xml->head_len]) {
            if (++xml->head_len == 3) {
                xml->head_len = 0;
                xml->stage = BLANKS;
            }
            return APR_SUCCESS;
        }
        if (xml->head_len) {
            return fail(xml, MNET_E_XML, "does not begin with '<'", 0);
        }
        xml->stage = BLANKS;
    }
    if (xml->stage == BLANKS) {
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            return APR_SUCCESS;
        }
        xml->stage = DECLARATION;
    }
    return in_declaration(xml, c);
}

apr_status_t mnet_xml_write(void *baton, const char *data, apr_size_t len)
{
    mnet_xml_t *xml = baton;

    if (xml->stage == FINISHED && len) {
        return fail(xml, MNET_E_XML, "text after the end", 0);
    }
    while (len && xml->stage != DOCUMENT && xml->rv == APR_SUCCESS) {
        before_document(xml, *data++);
        len--;
    }
    return xml->rv == APR_SUCCESS ? in_document(xml, data, len) : xml->rv;
}

apr_status_t mnet_xml_end(mnet_xml_t *xml)
{
    if (xml->rv != APR_SUCCESS || xml->stage == FINISHED) {
        return xml->rv;
    }
    if (xml->stage != DOCUMENT || !mnet_xml_guard_at_rest(&xml->guard)) {
        return fail(xml, MNET_E_XML, "ends before its end", 0);
    }
    xml->stage = FINISHED;
    xmlParseChunk(xml->parser, NULL, 0, 1);
    if (check(xml) == APR_SUCCESS && (xml->depth || !xml->elements)) {
        fail(xml, MNET_E_XML, "ends before its end", 0);
    }
    return xml->rv;
}

const char *mnet_xml_problem(const mnet_xml_t *xml)
{
    return xml->problem;
}
