/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a browser is sent after it landed.  What comes in was decoded once by httpd; what goes out
 * is appended to a wwwroot, after which nothing can make another host of it as long as it begins
 * with a slash.  The rest is for whoever reads it later: an application that decodes it again, a
 * proxy that merges slashes, a page that puts it into a link.
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "service/land.h"

#define WANTS_MAX 4096 /* bytes; servers take lines of 8190 */
#define DECODINGS 4    /* as it came, and decoded up to three times */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "%41" at text? */
static int is_escape(const char *text)
{
    return text[0] == '%' && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0;
}

static int has_control(const char *text, apr_size_t len)
{
    for (apr_size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) {
            return 1;
        }
    }
    return 0;
}

/* Percent-decodes in place; a zero byte may come of it. */
static apr_size_t decode(char *text, apr_size_t len)
{
    apr_size_t out = 0;

    for (apr_size_t i = 0; i < len; i++) {
        if (is_escape(text + i)) {
            text[out++] = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
            i += 2;
        } else {
            text[out++] = text[i];
        }
    }
    text[out] = '\0';
    return out;
}

/* "." or "..", also with parameters ("..;x") */
static int is_dots(const char *segment, apr_size_t len)
{
    apr_size_t dots = 0;

    while (dots < len && segment[dots] == '.') {
        dots++;
    }
    return (dots == 1 || dots == 2) && (dots == len || segment[dots] == ';');
}

static int has_dots(const char *path, apr_size_t len)
{
    apr_size_t start = 0;

    for (apr_size_t i = 0; i <= len; i++) {
        if (i == len || path[i] == '/') {
            if (i > start && is_dots(path + start, i - start)) {
                return 1;
            }
            start = i + 1;
        }
    }
    return 0;
}

static int path_ok(const char *path, apr_size_t len)
{
    return path[0] == '/' && path[1] != '/' && path[1] != ' ' && !memchr(path, '\\', len) &&
           !has_dots(path, len) && mnet_is_utf8(path, len);
}

/* The path and the whole, in each of the forms in which somebody may come to read them. */
static int all_ok(const char *wants, apr_size_t len, apr_size_t path_len, apr_pool_t *pool)
{
    char *path = apr_pstrmemdup(pool, wants, path_len);
    char *whole = apr_pstrmemdup(pool, wants, len);

    if (memchr(wants, '\\', len)) {
        return 0;
    }
    for (int i = 0; i < DECODINGS; i++) {
        if (has_control(whole, len) || !path_ok(path, path_len)) {
            return 0;
        }
        path_len = decode(path, path_len);
        len = decode(whole, len);
    }
    return 1;
}

/* What of it is below wwwroot, with its slash; NULL if it is elsewhere. */
static const char *below(const char *wants, const char *wwwroot, apr_pool_t *pool)
{
    apr_size_t len = strlen(wwwroot);
    apr_size_t first = strcspn(wants, "/?#"); /* its first segment */

    if (!strncmp(wants, wwwroot, len) && (!wants[len] || strchr("/?#", wants[len]))) {
        wants += len;
        return *wants == '/' ? wants : apr_pstrcat(pool, "/", wants, NULL);
    }
    if (*wants == '/') {
        return wants;
    }
    if (*wants == '?') {
        return apr_pstrcat(pool, "/", wants, NULL);
    }
    /* "view/view.php?id=7", as some Maharas write it; a scheme has a colon there. */
    if (!apr_isalnum(*wants) || memchr(wants, ':', first) || memchr(wants, '@', first) ||
        memchr(wants, '%', first)) {
        return NULL;
    }
    return apr_pstrcat(pool, "/", wants, NULL);
}

static int is_plain(char c)
{
    return apr_isalnum(c) || (c && strchr("-._~!$&'()*+,;=:@/?#", c));
}

const char *mnet_wants_path(const char *wantsurl, const char *wwwroot, apr_pool_t *pool)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *wants;
    apr_size_t len, path_len;
    char *out, *at;

    if (!wantsurl || !*wantsurl) {
        return "/";
    }
    if (strnlen(wantsurl, WANTS_MAX + 1) > WANTS_MAX || !(wants = below(wantsurl, wwwroot, pool))) {
        return NULL;
    }
    len = strlen(wants);
    path_len = strcspn(wants, "?#");
    if (!all_ok(wants, len, path_len, pool)) {
        return NULL;
    }
    out = at = apr_palloc(pool, 3 * len + 1);
    for (; *wants; wants++) {
        if (is_escape(wants) || is_plain(*wants)) {
            *at++ = *wants;
        } else {
            *at++ = '%';
            *at++ = digits[(unsigned char)*wants >> 4];
            *at++ = digits[(unsigned char)*wants & 0xF];
        }
    }
    *at = '\0';
    return out;
}
