/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/request.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "httpd/cookie.h"

#define QUERY_MAX 16384 /* bytes */
#define PAIRS_MAX 64
#define WANTS_MAX 4096 /* bytes of a wantsurl; beyond it the user arrives at the first page */

/* --- the request's own --- */

mnet_here_t *mnet_here_if(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &mnet_module);
}

mnet_here_t *mnet_here(request_rec *r)
{
    mnet_here_t *here = mnet_here_if(r);
    if (!here) {
        here = apr_pcalloc(r->pool, sizeof(*here));
        ap_set_module_config(r->request_config, &mnet_module, here);
    }
    return here;
}

/* --- its session --- */

/* The ids that a browser sent, and how many others, which are none. */
static const apr_array_header_t *ids_of(request_rec *r, mnet_here_t *here)
{
    const char *cookie = apr_table_get(r->headers_in, "Cookie");

    if (cookie != here->cookie.header) {
        here->cookie.header = cookie;
        here->cookie.ids =
            mnet_cookie_values(r, mnet_conf_get(r->server)->sso, &here->cookie.others);
    }
    return here->cookie.ids;
}

void mnet_here_expect(request_rec *r)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const char *id = conf->host && !r->prev ? mnet_cookie_peek(r, conf->sso) : NULL;

    if (id)
        mnet_session_expect(conf->host, id);
}

void mnet_here_fetch(request_rec *r)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const apr_array_header_t *ids =
        conf->host && !r->main && !r->prev ? ids_of(r, mnet_here(r)) : NULL;

    if (ids && ids->nelts)
        mnet_session_fetch(conf->host, APR_ARRAY_IDX(ids, 0, const char *));
}

static void look(request_rec *r, mnet_here_t *here)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const apr_array_header_t *values = ids_of(r, here);

    for (int i = 0; values && i < values->nelts && !here->session; i++) {
        const char *id = APR_ARRAY_IDX(values, i, const char *);
        apr_status_t rv =
            mnet_session_find(conf->host, id, r->request_time, &here->session, r->pool);
        if (!rv) {
            here->session_id = id;
        } else {
            here->session = NULL;
            if (!APR_STATUS_IS_NOTFOUND(rv) && rv != APR_NOTFOUND)
                here->failed = rv;
        }
    }
    if (here->session)
        here->failed = APR_SUCCESS;
    else if (here->failed)
        mnet_log(conf->host->engine->log, MNET_LOG_ERR, here->failed, "MNET0880",
                 "the session of %s cannot be read from the state directory", r->useragent_ip);
    else if (here->cookie.others)
        mnet_log(conf->host->engine->log, MNET_LOG_INFO, 0, "MNET0881",
                 "%s sent a cookie %s that cannot be a session's: it was cut, or made up",
                 r->useragent_ip, conf->sso->cookie);
    else if (values && values->nelts)
        mnet_log(conf->host->engine->log, MNET_LOG_INFO, 0, "MNET0882",
                 "%s sent a cookie %s that names no session of this site: it ended, or the cookie "
                 "was made up",
                 r->useragent_ip, conf->sso->cookie);
}

const mnet_session_t *mnet_here_session(request_rec *r)
{
    mnet_here_t *here = mnet_here(r);
    request_rec *outer = r->main ? r->main : r->prev;
    mnet_here_t *known = outer && outer->server == r->server ? mnet_here_if(outer) : NULL;

    if (here->looked)
        return here->session;
    here->looked = 1;
    if (known && known->looked) {
        here->session = known->session;
        here->session_id = known->session_id;
        here->failed = known->failed;
    } else {
        look(r, here);
    }
    return here->session;
}

/* --- texts of a request --- */

const char *mnet_request_id(request_rec *r)
{
    const char *id = apr_table_get(r->subprocess_env, "UNIQUE_ID");
    if (!id && !r->log_id)
        ap_run_generate_log_id(r->connection, r, &r->log_id);
    return id ? id : r->log_id ? r->log_id : "-";
}

static int hex_value(char c)
{
    return apr_isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* In place.  0 if a NUL is in it. */
static int decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from == '+') {
            *to++ = ' ';
        } else if (*from == '%' && apr_isxdigit(from[1]) && apr_isxdigit(from[2])) {
            char c = (char)(hex_value(from[1]) << 4 | hex_value(from[2]));
            if (!c)
                return 0;
            *to++ = c;
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return 1;
}

apr_table_t *mnet_request_query(request_rec *r)
{
    apr_table_t *query = apr_table_make(r->pool, 8);
    char *next = r->args ? apr_pstrdup(r->pool, r->args) : NULL;

    if (r->args && strlen(r->args) > QUERY_MAX)
        return NULL;
    for (int count = 0; next && *next; count++) {
        char *name = next, *value = strchr(name, '&');
        next = value;
        if (next)
            *next++ = '\0';
        value = strchr(name, '=');
        if (value)
            *value++ = '\0';
        if (count >= PAIRS_MAX || !decode(name) || (value && !decode(value)))
            return NULL;
        if (!apr_table_get(query, name))
            apr_table_setn(query, name, value ? value : "");
    }
    return query;
}

const char *mnet_query_escape(const char *text, apr_pool_t *pool)
{
    static const char hex[] = "0123456789ABCDEF";
    char *escaped = apr_palloc(pool, 3 * strlen(text) + 1), *to = escaped;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x80 && (apr_isalnum(c) || strchr("-._~/", c))) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
    }
    *to = '\0';
    return escaped;
}

/* The path as the client wrote it, without its host; NULL if there is none. */
static const char *written_path(const request_rec *r)
{
    const char *path = r->unparsed_uri;
    if (path && *path != '/') {
        path = strstr(path, "://");
        path = path ? strchr(path + 3, '/') : NULL;
    }
    return path;
}

const char *mnet_request_path(request_rec *r)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const char *root = conf->sso->root_path, *path;
    apr_size_t len = strlen(root);
    apr_uri_t uri;

    while (r->prev)
        r = r->prev;
    if (!r->uri || strncmp(r->uri, root, len) != 0 || (r->uri[len] && r->uri[len] != '/'))
        return NULL;
    if (apr_uri_parse(r->pool, conf->site->wwwroot, &uri))
        return NULL;
    path = written_path(r);
    len = uri.path ? strlen(uri.path) : 0;
    /* Written in another way, with escapes or dots, it is what it came to. */
    if (!path || (len && strncmp(path, uri.path, len) != 0))
        path = apr_pstrcat(r->pool, ap_os_escape_path(r->pool, r->uri + strlen(root), 1),
                           r->args ? "?" : "", r->args, NULL);
    else
        path += len;
    return strlen(path) <= WANTS_MAX && *path == '/' ? path : "/";
}

/* --- configuration --- */

const char *mnet_request_set_handler(request_rec *r, const ap_conf_vector_t *per_dir_config)
{
    const core_dir_config *core = ap_get_core_module_config(per_dir_config);
    const char *why = NULL, *name;
    if (!core->expr_handler)
        return core->handler;
    name = ap_expr_str_exec(r, core->expr_handler, &why);
    return why ? NULL : name;
}

ap_conf_vector_t *mnet_request_location(request_rec *r, const char *path)
{
    request_rec *other = apr_pmemdup(r->pool, r, sizeof(*r));
    void **kept = ap_get_request_note(r, AP_NOTE_LOCATION_WALK), *saved;
    int status;

    other->uri = apr_pstrdup(r->pool, path);
    other->per_dir_config = r->server->lookup_defaults;
    /* A walk keeps what it found for the next one of the same request. */
    saved = *kept;
    *kept = NULL;
    status = ap_location_walk(other);
    *kept = saved;
    return status ? r->server->lookup_defaults : other->per_dir_config;
}

/* --- what kind of request it is --- */

/* "text/html;q=0.0": does it say no? */
static int refused(const char *parameters)
{
    const char *q = strstr(parameters, "q=");
    return q && q[2] == '0' && strspn(q + 2, "0.") == strcspn(q + 2, " ;");
}

int mnet_request_accepts(const request_rec *r, const char *type)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");
    char *list, *last, *each;
    apr_size_t len = strlen(type);
    if (!accept)
        return 0;
    list = apr_pstrdup(r->pool, accept);
    for (each = apr_strtok(list, ",", &last); each; each = apr_strtok(NULL, ",", &last)) {
        while (apr_isspace(*each))
            each++;
        if (!ap_cstr_casecmpn(each, type, len) && (!each[len] || strchr("; \t", each[len])))
            return !refused(each + len);
    }
    return 0;
}

int mnet_request_same_site(request_rec *r, const char *wwwroot)
{
    const char *fetch = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *referer = apr_table_get(r->headers_in, "Referer");
    const char *origin = apr_table_get(r->headers_in, "Origin");
    apr_size_t len = strlen(wwwroot);
    apr_uri_t uri;

    if (fetch)
        return !ap_cstr_casecmp(fetch, "same-origin") || !ap_cstr_casecmp(fetch, "none");
    if (origin && strcmp(origin, "null") != 0) {
        if (apr_uri_parse(r->pool, wwwroot, &uri))
            return 0;
        uri.path = NULL;
        return !strcmp(origin, apr_uri_unparse(r->pool, &uri, 0));
    }
    if (referer)
        return !strncmp(referer, wwwroot, len) && (!referer[len] || strchr("/?#", referer[len]));
    return -1;
}
