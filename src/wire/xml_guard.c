/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/xml_guard.h"

#include <string.h>
#include <strings.h>

#include "base/status.h"

#define MAX_ATTRIBUTES 64 /* no message has more than two in a tag */
#define MAX_REFERENCE  32 /* "&#x10FFFF;" with leading zeros to spare */
#define WINDOW         256

enum {
    CONTENT,
    REFERENCE,     /* after '&' */
    OPEN,          /* after '<' */
    BANG,          /* after "<!": which of the two? */
    BANG_DASH,     /* after "<!-" */
    BANG_CDATA,    /* after "<![" */
    TAG,           /* start or end tag, outside quotes */
    TAG_DOUBLE,    /* in "..." */
    TAG_SINGLE,    /* in '...' */
    COMMENT_START, /* after "<!--" */
    COMMENT,
    INSTRUCTION,
    CDATA
};

/* --- the XML declaration --- */

typedef struct {
    const char *at;
    const char *end;
} cursor_t;

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int skip_space(cursor_t *c)
{
    const char *start = c->at;

    while (c->at < c->end && is_space(*c->at)) {
        c->at++;
    }
    return c->at > start;
}

/* White space, the name, '=', a quoted value.  0 if this is not what comes next. */
static int take(cursor_t *from, const char *name, const char **value, apr_size_t *len)
{
    cursor_t c = *from;
    apr_size_t name_len = strlen(name);
    const char *close;

    if (!skip_space(&c) || (apr_size_t)(c.end - c.at) < name_len || memcmp(c.at, name, name_len)) {
        return 0;
    }
    c.at += name_len;
    skip_space(&c);
    if (c.at == c.end || *c.at++ != '=') {
        return 0;
    }
    skip_space(&c);
    if (c.at == c.end || (*c.at != '"' && *c.at != '\'')) {
        return 0;
    }
    close = memchr(c.at + 1, *c.at, (apr_size_t)(c.end - c.at - 1));
    if (!close) {
        return 0;
    }
    *value = c.at + 1;
    *len = (apr_size_t)(close - *value);
    from->at = close + 1;
    return 1;
}

static int is_version(const char *value, apr_size_t len)
{
    apr_size_t i;

    if (len < 3 || memcmp(value, "1.", 2)) {
        return 0;
    }
    for (i = 2; i < len; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return 0;
        }
    }
    return 1;
}

static int find_encoding(const char *value, apr_size_t len, mnet_xml_encoding_e *encoding)
{
    static const struct {
        const char *name;
        mnet_xml_encoding_e encoding;
    } known[] = {
        {"UTF-8", MNET_XML_UTF8},        {"UTF8", MNET_XML_UTF8},
        {"ISO-8859-1", MNET_XML_LATIN1}, {"ISO8859-1", MNET_XML_LATIN1},
        {"ISO_8859-1", MNET_XML_LATIN1}, {"latin1", MNET_XML_LATIN1},
        {"US-ASCII", MNET_XML_ASCII},    {"ASCII", MNET_XML_ASCII},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i].name) == len && !strncasecmp(known[i].name, value, len)) {
            *encoding = known[i].encoding;
            return 1;
        }
    }
    return 0;
}

const char *mnet_xml_declaration(const char *text, apr_size_t len, mnet_xml_encoding_e *encoding)
{
    cursor_t c;
    const char *value;

    *encoding = MNET_XML_UTF8;
    if (len < 7 || memcmp(text, "<?xml", 5) || memcmp(text + len - 2, "?>", 2)) {
        return "no XML declaration";
    }
    c.at = text + 5;
    c.end = text + len - 2;
    if (!take(&c, "version", &value, &len) || !is_version(value, len)) {
        return "XML declaration without a version 1.x";
    }
    if (take(&c, "encoding", &value, &len) && !find_encoding(value, len, encoding)) {
        return "encoding not supported (UTF-8, ISO-8859-1 and US-ASCII are)";
    }
    if (take(&c, "standalone", &value, &len) && !(len == 3 && !memcmp(value, "yes", 3)) &&
        !(len == 2 && !memcmp(value, "no", 2))) {
        return "malformed XML declaration";
    }
    skip_space(&c);
    return c.at == c.end ? NULL : "malformed XML declaration";
}

/* --- plain text --- */

#define BLOCK 64

static int is_plain(unsigned char c)
{
    return (c >= 0x20 || c == '\n' || c == '\t') && c < 0x7f && c != '<' && c != '>' && c != '&' &&
           c != ']';
}

/* Sixteen bytes at once, by the compiler's vectors. */
typedef signed char bytes_t __attribute__((vector_size(16)));

static bytes_t not_plain(const unsigned char *data)
{
    bytes_t c, control;

    memcpy(&c, data, sizeof(c));
    control = (c < 0x20) & (c != '\n') & (c != '\t'); /* from 0x80 on they are negative */
    return control | (c == 0x7f) | (c == '<') | (c == '>') | (c == '&') | (c == ']');
}

static int is_plain_block(const unsigned char *c)
{
    bytes_t bad = not_plain(c) | not_plain(c + 16) | not_plain(c + 32) | not_plain(c + 48);
    apr_uint64_t halves[2];

    memcpy(halves, &bad, sizeof(halves));
    return !(halves[0] | halves[1]);
}

apr_size_t mnet_xml_plain(const char *data, apr_size_t len)
{
    const unsigned char *start = (const unsigned char *)data, *at = start, *end = start + len;

    while (end - at >= BLOCK && is_plain_block(at)) {
        at += BLOCK;
    }
    while (at < end && is_plain(*at)) {
        at++;
    }
    return (apr_size_t)(at - start);
}

/* --- the rest --- */

void mnet_xml_guard_init(mnet_xml_guard_t *guard, int tag_limit)
{
    memset(guard, 0, sizeof(*guard));
    guard->state = CONTENT;
    guard->limit = tag_limit;
}

int mnet_xml_guard_at_rest(const mnet_xml_guard_t *guard)
{
    return guard->state == CONTENT;
}

static apr_status_t refuse(mnet_xml_guard_t *guard, apr_status_t rv, const char *problem)
{
    guard->problem = problem;
    return rv;
}

/* n more bytes of the construct at hand. */
static apr_status_t count(mnet_xml_guard_t *guard, apr_size_t n)
{
    if (n > (apr_size_t)(guard->limit - guard->count)) {
        return refuse(guard, MNET_E_LIMIT,
                      "a tag, comment, instruction or CDATA section is too long");
    }
    guard->count += (int)n;
    return APR_SUCCESS;
}

/*
 * Character data: to the next '<' or '&'.  In small windows, or a text full of one of them would
 * be searched to its end for the other again and again.
 */
static apr_status_t in_content(mnet_xml_guard_t *guard, const char **at, const char *end)
{
    const char *stop = end - *at > WINDOW ? *at + WINDOW : end;
    const char *open = memchr(*at, '<', (apr_size_t)(stop - *at));
    const char *reference = memchr(*at, '&', (apr_size_t)((open ? open : stop) - *at));

    if (reference) {
        guard->state = REFERENCE;
        guard->count = 0;
        *at = reference + 1;
    } else if (open) {
        guard->state = OPEN;
        guard->count = 1;
        guard->attributes = 0;
        *at = open + 1;
    } else {
        *at = stop;
    }
    return APR_SUCCESS;
}

/* libxml2 keeps everything from '&' until it has seen a ';'. */
static apr_status_t in_reference(mnet_xml_guard_t *guard, const char **at)
{
    char c = *(*at)++;

    if (c == ';') {
        guard->state = CONTENT;
        return APR_SUCCESS;
    }
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
        !(c == '#' && !guard->count)) {
        return refuse(guard, MNET_E_XML, "malformed reference");
    }
    if (++guard->count > MAX_REFERENCE) {
        return refuse(guard, MNET_E_LIMIT, "a reference is too long");
    }
    return APR_SUCCESS;
}

static apr_status_t in_open(mnet_xml_guard_t *guard, const char **at)
{
    char c = **at;

    guard->matched = 0;
    if (c == '!') {
        guard->state = BANG;
        ++*at;
        return count(guard, 1);
    }
    if (c == '?') {
        guard->state = INSTRUCTION;
        ++*at;
        return count(guard, 1);
    }
    if (c == '<' || c == '>' || c == '"' || c == '\'' || is_space(c)) {
        return refuse(guard, MNET_E_XML, "malformed tag");
    }
    guard->state = TAG;
    return APR_SUCCESS;
}

static apr_status_t in_bang(mnet_xml_guard_t *guard, const char **at)
{
    static const char cdata[] = "[CDATA[";
    char c = *(*at)++;

    if (guard->state == BANG && c == '-') {
        guard->state = BANG_DASH;
    } else if (guard->state == BANG_DASH && c == '-') {
        guard->state = COMMENT_START;
    } else if (guard->state != BANG_DASH && c == cdata[guard->matched]) {
        guard->state = BANG_CDATA;
        if (++guard->matched == sizeof(cdata) - 1) {
            guard->state = CDATA;
            guard->matched = 0;
        }
    } else {
        return refuse(guard, MNET_E_DOCTYPE, "document type declaration");
    }
    return count(guard, 1);
}

static apr_status_t in_tag(mnet_xml_guard_t *guard, const char **at, const char *end)
{
    const char *c = *at;
    apr_status_t rv;

    while (c < end && *c != '>' && *c != '"' && *c != '\'' && *c != '<') {
        c++;
    }
    rv = count(guard, (apr_size_t)(c - *at) + (c < end));
    *at = c + (c < end);
    if (rv != APR_SUCCESS || c == end) {
        return rv;
    }
    if (*c == '<') {
        return refuse(guard, MNET_E_XML, "malformed tag");
    }
    if (*c == '>') {
        guard->state = CONTENT;
        return APR_SUCCESS;
    }
    if (++guard->attributes > MAX_ATTRIBUTES) {
        return refuse(guard, MNET_E_LIMIT, "too many attributes");
    }
    guard->state = *c == '"' ? TAG_DOUBLE : TAG_SINGLE;
    return APR_SUCCESS;
}

static apr_status_t in_quotes(mnet_xml_guard_t *guard, const char **at, const char *end)
{
    char quote = guard->state == TAG_DOUBLE ? '"' : '\'';
    const char *c = *at;
    apr_status_t rv;

    while (c < end && *c != quote && *c != '<') {
        c++;
    }
    rv = count(guard, (apr_size_t)(c - *at) + (c < end));
    *at = c + (c < end);
    if (rv != APR_SUCCESS || c == end) {
        return rv;
    }
    if (*c == '<') {
        return refuse(guard, MNET_E_XML, "malformed attribute");
    }
    guard->state = TAG;
    return APR_SUCCESS;
}

/*
 * After "<!--".  libxml2 takes the "-->" of "<!-->" for an end or not, as its input comes in: such
 * a comment, well-formed as it is, is refused.
 */
static apr_status_t in_comment_start(mnet_xml_guard_t *guard, const char **at)
{
    char c = *(*at)++;

    if (c == '>') {
        return refuse(guard, MNET_E_XML, "malformed comment");
    }
    if (c == '-' && !guard->matched) {
        guard->matched = 1;
    } else {
        guard->state = COMMENT;
        guard->matched = c == '-' ? 2 : 0;
    }
    return count(guard, 1);
}

/* Until "-->", "?>" or "]]>".  Of a CDATA section libxml2 passes on 300 bytes a call, no more. */
static apr_status_t in_block(mnet_xml_guard_t *guard, const char **at, const char *end)
{
    char repeated = guard->state == COMMENT ? '-' : guard->state == CDATA ? ']' : '?';
    int need = guard->state == INSTRUCTION ? 1 : 2;
    const char *start = *at, *c;

    for (c = start; c < end; c++) {
        if (!guard->matched) {
            c = memchr(c, repeated, (apr_size_t)(end - c));
            if (!c) {
                c = end;
                break;
            }
            guard->matched = 1;
        } else if (*c == repeated) {
            guard->matched += guard->matched < need;
        } else if (*c == '>' && guard->matched == need) {
            *at = c + 1;
            guard->state = CONTENT;
            return count(guard, (apr_size_t)(*at - start));
        } else {
            guard->matched = 0;
        }
    }
    *at = end;
    return count(guard, (apr_size_t)(end - start));
}

static apr_status_t step(mnet_xml_guard_t *guard, const char **at, const char *end)
{
    switch (guard->state) {
    case CONTENT:
        return in_content(guard, at, end);
    case REFERENCE:
        return in_reference(guard, at);
    case OPEN:
        return in_open(guard, at);
    case BANG:
    case BANG_DASH:
    case BANG_CDATA:
        return in_bang(guard, at);
    case COMMENT_START:
        return in_comment_start(guard, at);
    case TAG:
        return in_tag(guard, at, end);
    case TAG_DOUBLE:
    case TAG_SINGLE:
        return in_quotes(guard, at, end);
    default:
        return in_block(guard, at, end);
    }
}

/* The bytes that are no text in any encoding we read. */
static const char *find_foreign(const mnet_xml_guard_t *guard, const char *data, apr_size_t len)
{
    const char *nul = memchr(data, '\0', len);
    apr_size_t i;

    if (nul) {
        len = (apr_size_t)(nul - data);
    }
    for (i = 0; guard->ascii && i < len; i++) {
        if ((unsigned char)data[i] > 0x7f) {
            return data + i;
        }
    }
    return nul;
}

apr_status_t mnet_xml_guard_check(mnet_xml_guard_t *guard, const char *data, apr_size_t len,
                                  apr_size_t *safe)
{
    const char *foreign = find_foreign(guard, data, len);
    const char *at = data, *end = foreign ? foreign : data + len;
    apr_status_t rv = APR_SUCCESS;

    while (at < end) {
        const char *before = at;

        rv = step(guard, &at, end);
        if (rv != APR_SUCCESS) {
            *safe = (apr_size_t)(before - data);
            return rv;
        }
    }
    *safe = (apr_size_t)(end - data);
    return foreign ? refuse(guard, MNET_E_XML, "a byte that is no text") : APR_SUCCESS;
}
