/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/cookie.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <string.h>

#include "base/text.h"
#include "service/session.h"

/* --- the directive --- */

/* The characters of a token (RFC 9110, 5.6.2). */
#define TOKEN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

const char *mnet_cookie_name_problem(const char *name, apr_pool_t *pool)
{
    apr_size_t len = strlen(name);
    if (len && len <= 64 && len == strspn(name, TOKEN))
        return NULL;
    return apr_psprintf(
        pool,
        "MnetCookie: '%s' is no name of a cookie; write at most 64 letters, digits, "
        "'_', '-' and '.'",
        mnet_for_log(name, len, 100, pool));
}

static int path_ok(const char *path)
{
    if (path[0] != '/' || strlen(path) > 255)
        return 0;
    for (; *path; path++)
        if (apr_iscntrl(*path) || (unsigned char)*path >= 0x7f || strchr(" ;,\"\\", *path))
            return 0;
    return 1;
}

const char *mnet_cookie_attribute_problem(const char *attribute, apr_pool_t *pool)
{
    static const char *const known[] = {"HttpOnly", "Secure", "SameSite=Lax", "SameSite=Strict",
                                        "SameSite=None"};
    for (apr_size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!ap_cstr_casecmp(attribute, known[i]))
            return NULL;
    if (!ap_cstr_casecmpn(attribute, "Path=", 5) && path_ok(attribute + 5))
        return NULL;
    if (!ap_cstr_casecmpn(attribute, "Domain", 6))
        return "MnetCookie: Domain would hand the session to other hosts, and a session holds only "
               "at the wwwroot that made it; leave it out";
    return apr_psprintf(
        pool,
        "MnetCookie: '%s' is no attribute here; write SameSite=Lax, SameSite=Strict, "
        "SameSite=None, Secure, HttpOnly or Path=/path",
        mnet_for_log(attribute, strlen(attribute), 100, pool));
}

/* Word number i, or NULL; the first is the cookie's name. */
static const char *word(const apr_array_header_t *words, int i)
{
    return words && i < words->nelts ? APR_ARRAY_IDX(words, i, const char *) : NULL;
}

/* The last attribute that begins so, after that; or NULL. */
static const char *said(const apr_array_header_t *words, const char *begin)
{
    apr_size_t len = strlen(begin);
    const char *found = NULL, *each;
    for (int i = 1; (each = word(words, i)); i++)
        if (!ap_cstr_casecmpn(each, begin, len))
            found = each + len;
    return found;
}

const char *mnet_cookie_warning(const apr_array_header_t *words, apr_pool_t *pool)
{
    const char *same_site = said(words, "SameSite=");
    if (same_site && !ap_cstr_casecmp(same_site, "Strict"))
        return "MnetCookie: with SameSite=Strict the browser keeps the session back when a link of "
               "another site, as the provider's, leads here: users seem not to be logged in; "
               "SameSite=Lax is what sign-on needs";
    return NULL;
}

static const char *prefix_problem(const char *name, int secure, const char *path)
{
    if (!strncmp(name, "__Host-", 7) && (!secure || strcmp(path, "/") != 0))
        return "MnetCookie: browsers take a cookie whose name begins with __Host- only with Secure "
               "and Path=/; add them, or choose another name";
    if (!strncmp(name, "__Secure-", 9) && !secure)
        return "MnetCookie: browsers take a cookie whose name begins with __Secure- only with "
               "Secure, over https; choose another name";
    return NULL;
}

const char *mnet_cookie_build(mnet_sso_t *sso, const apr_array_header_t *words, const char *wwwroot,
                              apr_pool_t *pool)
{
    apr_uri_t uri;
    const char *name = word(words, 0), *path = said(words, "Path="), *problem;
    const char *same_site = said(words, "SameSite=");
    int secure;

    if (apr_uri_parse(pool, wwwroot, &uri))
        return "MnetWwwroot is no URL";
    secure = !ap_cstr_casecmp(uri.scheme, "https") || said(words, "Secure");
    if (!name)
        name = uri.port_str && *uri.port_str
                   ? apr_pstrcat(pool, "mnet_session_", uri.port_str, NULL)
                   : "mnet_session";
    if (!path)
        path = uri.path && *uri.path ? uri.path : "/";
    if (!same_site)
        same_site = "Lax";
    problem = prefix_problem(name, secure, path);
    if (problem)
        return problem;
    if (!path_ok(path))
        return "MnetCookie: the path of MnetWwwroot cannot be that of a cookie; add another, as in "
               "Path=/";
    if (!ap_cstr_casecmp(same_site, "None") && !secure)
        return "MnetCookie: browsers take SameSite=None only with Secure, over https; write "
               "SameSite=Lax";
    sso->cookie = name;
    sso->cookie_attributes = apr_psprintf(pool, "; Path=%s; HttpOnly; SameSite=%s%s", path,
                                          same_site, secure ? "; Secure" : "");
    return NULL;
}

/* --- what a browser sends --- */

/* The digits of an id, of which there are as many as one has.  Looked at without a branch: it is
 * done for each request. */
static int may_be_id(const char *value)
{
    unsigned int bad = 0;
    for (apr_size_t i = 0; i < MNET_SESSION_ID_LEN; i++) {
        unsigned char c = (unsigned char)value[i];
        bad |= ((unsigned char)(c - '0') > 9) & ((unsigned char)(c - 'a') > 5);
    }
    return !bad;
}

/* At the head of a list: an id, and nothing else before the next pair? */
static int is_bare_id(const char *at)
{
    return strnlen(at, MNET_SESSION_ID_LEN) == MNET_SESSION_ID_LEN &&
           (!at[MNET_SESSION_ID_LEN] || at[MNET_SESSION_ID_LEN] == ';') && may_be_id(at);
}

/* A value as it stands between a name's "=" and the next pair. */
static void take_value(const char *value, apr_size_t len, apr_array_header_t *values, int *others)
{
    while (len && apr_isspace(value[len - 1]))
        len--;
    if (len >= 2 && value[0] == '"' && value[len - 1] == '"')
        value++, len -= 2;
    if (len != MNET_SESSION_ID_LEN || !may_be_id(value) || values->nelts >= MNET_COOKIES_MAX)
        ++*others;
    else
        APR_ARRAY_PUSH(values, const char *) = apr_pstrmemdup(values->pool, value, len);
}

const char *mnet_cookie_peek(const request_rec *r, const mnet_sso_t *sso)
{
    const char *at = apr_table_get(r->headers_in, "Cookie");
    apr_size_t name_len = strlen(sso->cookie);
    while (at && (strncmp(at, sso->cookie, name_len) != 0 || at[name_len] != '=')) {
        at = strchr(at, ';');
        if (at)
            at += 1 + strspn(at + 1, " ");
    }
    if (at)
        at += name_len + 1;
    return at && strnlen(at, MNET_SESSION_ID_LEN) == MNET_SESSION_ID_LEN ? at : NULL;
}

apr_array_header_t *mnet_cookie_values(const request_rec *r, const mnet_sso_t *sso, int *others)
{
    apr_array_header_t *values = NULL;
    const char *at = apr_table_get(r->headers_in, "Cookie");
    apr_size_t name_len = strlen(sso->cookie), len;
    *others = 0;
    /* Several headers were joined by commas; a name or value of ours has none. */
    while (at && *at) {
        while (apr_isspace(*at))
            at++;
        if (!strncmp(at, sso->cookie, name_len) && at[name_len] == '=') {
            at += name_len + 1;
            if (!values)
                values = apr_array_make(r->pool, 2, sizeof(const char *));
            /* Most often the cookie is the only one, and need not be copied. */
            if (!values->nelts && is_bare_id(at) && !at[MNET_SESSION_ID_LEN]) {
                APR_ARRAY_PUSH(values, const char *) = at;
                break;
            }
            len = strcspn(at, ";,");
            take_value(at, len, values, others);
        } else {
            len = strcspn(at, ";,");
        }
        at += len;
        at += *at != '\0';
    }
    return values;
}

/* --- what it is sent --- */

static void send_cookie(request_rec *r, const char *text)
{
    apr_table_addn(r->err_headers_out, "Set-Cookie", text);
}

void mnet_cookie_set(request_rec *r, const mnet_sso_t *sso, const char *id)
{
    send_cookie(r, apr_pstrcat(r->pool, sso->cookie, "=", id, sso->cookie_attributes, NULL));
}

void mnet_cookie_clear(request_rec *r, const mnet_sso_t *sso)
{
    send_cookie(r, apr_pstrcat(r->pool, sso->cookie, "=", sso->cookie_attributes,
                               "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT", NULL));
}
