/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/attributes.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "httpd/backend_config.h"
#include "httpd/process.h"
#include "httpd/sso_config.h"

#define ENV_PREFIX    "MNET_"
#define HEADER_PREFIX "X-Mnet-"

/* Bytes of a value in a header; longer ones are not passed there. */
#define HEADER_MAX 4096

/* --- REMOTE_USER --- */

static const char *variable(const char *name, const mnet_session_t *session)
{
    const char *value;
    if (!strcmp(name, "username"))
        return session->username;
    if (!strcmp(name, "peer"))
        return mnet_wwwroot_bare(session->peer);
    value = mnet_attribute_find(session->attributes, name);
    return value ? value : "";
}

static char *fill(const char *format, const mnet_session_t *session, apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 4, sizeof(const char *));
    while (*format) {
        const char *end = format[0] == '%' && format[1] == '{' ? strchr(format, '}') : NULL;
        apr_size_t plain = 1 + strcspn(format + 1, "%");
        if (end) {
            const char *name = apr_pstrmemdup(pool, format + 2, (apr_size_t)(end - format) - 2);
            APR_ARRAY_PUSH(parts, const char *) = variable(name, session);
            format = end + 1;
        } else {
            APR_ARRAY_PUSH(parts, const char *) = apr_pstrmemdup(pool, format, plain);
            format += plain;
        }
    }
    return apr_array_pstrcat(pool, parts, 0);
}

const char *mnet_remote_user(const char *format, const mnet_session_t *session, apr_pool_t *pool)
{
    char *user;
    /* Made for each request: the usual one without taking a format to pieces. */
    if (!strcmp(format, MNET_REMOTE_USER))
        return apr_pstrdup(pool, mnet_session_who(session, pool));
    user = fill(format, session, pool);
    for (char *p = user; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '_';
    return user;
}

/* --- variables and headers --- */

static int is_small(char c)
{
    return c >= 'a' && c <= 'z';
}

static int is_word(char c)
{
    return is_small((char)(c | 0x20)) || (c >= '0' && c <= '9');
}

static const char *header_name(const char *name, apr_pool_t *pool)
{
    apr_size_t len = strlen(name);
    char *made = apr_palloc(pool, sizeof(HEADER_PREFIX) + len);
    char *to = made + sizeof(HEADER_PREFIX) - 1;
    int first = 1;
    memcpy(made, HEADER_PREFIX, sizeof(HEADER_PREFIX) - 1);
    for (; *name; name++) {
        *to = (char)(!is_word(*name) ? '-' : first ? apr_toupper(*name) : apr_tolower(*name));
        first = *to++ == '-';
    }
    *to = '\0';
    return made;
}

/* UTF-8 as it is, on one line: line ends, tabs and other control characters become spaces. */
static const char *header_value(const char *value, apr_pool_t *pool)
{
    char *made = apr_pstrdup(pool, value);
    apr_size_t len = strlen(made);
    for (char *p = made; *p; p++)
        if (apr_iscntrl(*p))
            *p = ' ';
    while (len && made[len - 1] == ' ')
        made[--len] = '\0';
    return made + strspn(made, " ");
}

/* Has something set a variable that may be called as one of ours? */
static int has_ours(const apr_table_t *env)
{
    const apr_array_header_t *list = apr_table_elts(env);
    for (int i = 0; i < list->nelts; i++) {
        const char *key = APR_ARRAY_IDX(list, i, apr_table_entry_t).key;
        if (key && (*key | 0x20) == 'm' && !ap_cstr_casecmpn(key, ENV_PREFIX, 5))
            return 1;
    }
    return 0;
}

static void pass_env(request_rec *r, const mnet_session_t *session)
{
    const apr_array_header_t *variables = mnet_session_variables(session, r->pool);
    /* To set one looks at all that are there. */
    int set = has_ours(r->subprocess_env);
    for (int i = 0; i < variables->nelts; i++) {
        const mnet_attribute_t *each = &APR_ARRAY_IDX(variables, i, mnet_attribute_t);
        if (set)
            apr_table_setn(r->subprocess_env, each->name, each->value);
        else
            apr_table_addn(r->subprocess_env, each->name, each->value);
    }
}

static void pass_header(request_rec *r, const char *name, const char *value)
{
    if (strlen(value) <= HEADER_MAX)
        apr_table_setn(r->headers_in, header_name(name, r->pool), header_value(value, r->pool));
}

static void pass_headers(request_rec *r, const mnet_session_t *session)
{
    int count = session->attributes ? session->attributes->nelts : 0;
    for (int i = 0; i < count && i < MNET_ATTRIBUTES_MAX; i++) {
        const mnet_attribute_t *each = &APR_ARRAY_IDX(session->attributes, i, mnet_attribute_t);
        if (each->name && each->value)
            pass_header(r, each->name, each->value);
    }
    /* Last: no attribute of a provider's stands for these two. */
    pass_header(r, "username", session->username);
    pass_header(r, "peer", session->peer);
}

void mnet_attributes_pass(request_rec *r, const mnet_session_t *session, int how)
{
    if (how & MNET_PASS_ENV)
        pass_env(r, session);
    if (how & MNET_PASS_HEADERS)
        pass_headers(r, session);
}

/* --- what a client sends --- */

/* X-Mnet-..., also as X_Mnet, x.mnet: however an application folds names of headers. */
static int is_ours(const char *name)
{
    return (*name | 0x20) == 'x' && name[1] && !is_word(name[1]) &&
           !ap_cstr_casecmpn(name + 2, "mnet", 4) && !is_word(name[6]);
}

/* What a backend of ours in this very httpd is told. */
static int is_backends(const char *name)
{
    return !ap_cstr_casecmp(name, "X-Mnet-Peer") || !ap_cstr_casecmp(name, "X-Mnet-Application") ||
           !ap_cstr_casecmp(name, "X-Mnet-Method");
}

static void say_dropped(request_rec *r, const mnet_conf_t *conf, const char *name)
{
    mnet_httpd_log_t *log = conf->global->process ? conf->global->process->log : NULL;
    if (!log)
        return;
    mnet_log_request(log, r);
    mnet_log(&log->log, MNET_LOG_INFO, 0, "MNET0885",
             "%s sent a header %s, which is for us alone to set: dropped", r->useragent_ip,
             mnet_for_log(name, strlen(name), 60, r->pool));
    mnet_log_request(log, NULL);
}

int mnet_attributes_drop(request_rec *r)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const apr_array_header_t *headers = apr_table_elts(r->headers_in);
    apr_array_header_t *names = NULL;
    int own;

    if (!conf->site)
        return DECLINED;
    own = mnet_backends_own(r);
    for (int i = 0; i < headers->nelts; i++) {
        const apr_table_entry_t *each = &APR_ARRAY_IDX(headers, i, apr_table_entry_t);
        if (!each->key || !is_ours(each->key) || (own && is_backends(each->key)))
            continue;
        if (!names)
            names = apr_array_make(r->pool, 4, sizeof(const char *));
        APR_ARRAY_PUSH(names, const char *) = each->key;
    }
    for (int i = 0; names && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        apr_table_unset(r->headers_in, name);
    }
    if (names && !own && !r->prev)
        say_dropped(r, conf, APR_ARRAY_IDX(names, 0, const char *));
    return DECLINED;
}
