/* SPDX-License-Identifier: Apache-2.0 */
/* The directives of sign-on. */

#include "httpd/sso_config.h"

#include <http_log.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "httpd/cookie.h"
#include "httpd/routes.h"
#include "service/session.h"

APLOG_USE_MODULE(mnet);

/* --- what a directory or location says --- */

#define UNSET_FLAG  MNET_UNSET
#define UNSET_INT   MNET_UNSET
#define UNSET_NAMED NULL
#define UNSET_LOGIN NULL
#define UNSET_EXPR  NULL

#define MERGE_FLAG(over, under)  ((over) != MNET_UNSET ? (over) : (under))
#define MERGE_INT(over, under)   MERGE_FLAG(over, under)
#define MERGE_LOGIN(over, under) ((over) ? (over) : (under))
#define MERGE_EXPR(over, under)  MERGE_LOGIN(over, under)
#define MERGE_NAMED(over, under) merge_named(pool, over, under)

void *mnet_dir_create(apr_pool_t *pool, char *path)
{
    mnet_dir_t *dir = apr_pcalloc(pool, sizeof(*dir));
#define DIR_CREATE(kind, member, directive) dir->member = UNSET_##kind;
    MNET_DIR_FIELDS(DIR_CREATE)
    return dir;
}

static int find_named(const apr_array_header_t *list, const char *name)
{
    for (int i = 0; i < list->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(list, i, mnet_expression_t).name, name))
            return i;
    return -1;
}

static apr_array_header_t *merge_named(apr_pool_t *pool, apr_array_header_t *over,
                                       apr_array_header_t *under)
{
    apr_array_header_t *list;
    if (!over || !under)
        return over ? over : under;
    list = apr_array_copy(pool, over);
    for (int i = 0; i < under->nelts; i++) {
        const mnet_expression_t *one = &APR_ARRAY_IDX(under, i, mnet_expression_t);
        if (find_named(over, one->name) < 0)
            APR_ARRAY_PUSH(list, mnet_expression_t) = *one;
    }
    return list;
}

void *mnet_dir_merge(apr_pool_t *pool, void *base, void *add)
{
    const mnet_dir_t *under = base, *over = add;
    mnet_dir_t *dir = apr_palloc(pool, sizeof(*dir));
#define DIR_MERGE(kind, member, directive) dir->member = MERGE_##kind(over->member, under->member);
    MNET_DIR_FIELDS(DIR_MERGE)
    return dir;
}

const mnet_dir_t *mnet_dir_get(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &mnet_module);
}

static const char *quote(const char *text, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "'", mnet_for_log(text, strlen(text), 200, pool), "'", NULL);
}

const char *mnet_set_dir_flag(cmd_parms *cmd, void *dir, int on)
{
    *(int *)((char *)dir + (apr_size_t)cmd->info) = !!on;
    return NULL;
}

/* httpd runs a directive for each module that declares it; ap_auth_type() says NULL both for None
 * and for nothing. */
const char *mnet_note_auth_type(cmd_parms *cmd, void *dir, const char *type)
{
    if (!ap_find_linked_module("mod_authn_core.c"))
        return "mod_authn_core is not loaded (LoadModule authn_core_module ...)";
    ((mnet_dir_t *)dir)->no_auth = !ap_cstr_casecmp(type, "None");
    return NULL;
}

const char *mnet_set_pass_attributes(cmd_parms *cmd, void *dir, const char *arg)
{
    static const struct {
        const char *word;
        int value;
    } words[] = {{"none", 0},
                 {"env", MNET_PASS_ENV},
                 {"headers", MNET_PASS_HEADERS},
                 {"both", MNET_PASS_ENV | MNET_PASS_HEADERS}};
    for (apr_size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!ap_cstr_casecmp(arg, words[i].word)) {
            ((mnet_dir_t *)dir)->pass_attributes = words[i].value;
            return NULL;
        }
    }
    return apr_psprintf(
        cmd->pool, "MnetPassAttributes: %s is not understood; write env, headers, both or none",
        quote(arg, cmd->pool));
}

/* A name of an attribute or profile field: as PHP peers have them, "session.gc_maxlifetime". */
static const char *name_problem(const cmd_parms *cmd, const char *name, const char *example)
{
    if (mnet_name_ok(name))
        return NULL;
    return apr_psprintf(cmd->pool,
                        "%s: %s is no name of an attribute; write letters, digits, '_', '-' and "
                        "'.', as in %s",
                        cmd->cmd->name, quote(name, cmd->pool), example);
}

const char *mnet_set_attribute(cmd_parms *cmd, void *dir, const char *name, const char *expr)
{
    mnet_dir_t *to = dir;
    mnet_expression_t *one;
    const char *problem =
        name_problem(cmd, name, "MnetAttribute email \"%{env:OIDC_CLAIM_email}\"");
    const char *why = NULL;

    if (problem)
        return problem;
    if (!to->attributes)
        to->attributes = apr_array_make(cmd->pool, 8, sizeof(mnet_expression_t));
    if (find_named(to->attributes, name) >= 0)
        return apr_psprintf(cmd->pool, "MnetAttribute: %s is there twice; write it once", name);
    if (to->attributes->nelts >= MNET_ATTRIBUTES_MAX)
        return apr_psprintf(cmd->pool, "MnetAttribute: no more than %d are sent to a peer",
                            MNET_ATTRIBUTES_MAX);
    one = apr_array_push(to->attributes);
    one->name = name;
    one->expr = ap_expr_parse_cmd(cmd, expr, AP_EXPR_FLAG_STRING_RESULT, &why, NULL);
    if (why)
        return apr_psprintf(cmd->pool,
                            "MnetAttribute %s: the expression %s is not understood (%s); write "
                            "text and variables, as in \"%%{env:OIDC_CLAIM_email}\"",
                            name, quote(expr, cmd->pool), why);
    return NULL;
}

const char *mnet_set_user_image(cmd_parms *cmd, void *dir, const char *expr)
{
    const char *why = NULL;
    const ap_expr_info_t *parsed;

    if (*expr != '/')
        return apr_psprintf(cmd->pool,
                            "MnetUserImage: %s is no absolute path; write as in MnetUserImage "
                            "\"/srv/pictures/%%{REMOTE_USER}.jpg\"",
                            quote(expr, cmd->pool));
    parsed = ap_expr_parse_cmd(cmd, expr, AP_EXPR_FLAG_STRING_RESULT, &why, NULL);
    if (why)
        return apr_psprintf(cmd->pool,
                            "MnetUserImage: the expression %s is not understood (%s); write a path "
                            "and variables, as in \"/srv/pictures/%%{REMOTE_USER}.jpg\"",
                            quote(expr, cmd->pool), why);
    ((mnet_dir_t *)dir)->user_image = parsed;
    return NULL;
}

/* "ins=7": the 7, or NULL. */
static const char *read_ins(const char *arg)
{
    apr_size_t len;
    if (strncmp(arg, "ins=", 4) != 0)
        return NULL;
    len = strlen(arg + 4);
    return len && len <= 9 && len == strspn(arg + 4, "0123456789") ? arg + 4 : NULL;
}

const char *mnet_set_login(cmd_parms *cmd, void *dir, const char *wwwroot, const char *ins)
{
    const char *problem = mnet_wwwroot_problem(wwwroot, cmd->pool);
    mnet_conf_t *conf = mnet_conf_get(cmd->server);
    mnet_login_t *login;

    if (problem)
        return apr_pstrcat(cmd->pool, "MnetLogin: ", problem, NULL);
    if (ins && !read_ins(ins))
        return apr_psprintf(cmd->pool,
                            "MnetLogin: %s is not understood; after the wwwroot there may be the "
                            "number that a Mahara knows us by, as in ins=7",
                            quote(ins, cmd->pool));
    login = apr_palloc(cmd->pool, sizeof(*login));
    login->peer = wwwroot;
    login->ins = ins ? read_ins(ins) : NULL;
    login->where = mnet_where(cmd);
    ((mnet_dir_t *)dir)->login = login;
    /* Not those of a .htaccess, which are read for a request. */
    if (cmd->pool == cmd->server->process->pconf) {
        if (!conf->logins)
            conf->logins = apr_array_make(cmd->pool, 4, sizeof(const mnet_login_t *));
        APR_ARRAY_PUSH(conf->logins, const mnet_login_t *) = login;
    }
    return NULL;
}

/* --- what a server says --- */

static void note(const cmd_parms *cmd, mnet_field_e field)
{
    mnet_conf_get(cmd->server)->where[field] = mnet_where(cmd);
}

static const char *format_problem(const char *format, apr_pool_t *pool)
{
    apr_size_t len = strlen(format);
    if (!len || len > 200 || !mnet_is_utf8(format, len))
        return "MnetRemoteUser: the format is empty, too long or not UTF-8; write as in "
               "%{username}@%{peer}";
    for (const char *p = format; *p; p++) {
        const char *end;
        if (apr_iscntrl(*p))
            return "MnetRemoteUser: there is a control character in the format";
        if (*p != '%')
            continue;
        end = p[1] == '{' ? strchr(p, '}') : NULL;
        if (!end || !mnet_name_ok(apr_pstrmemdup(pool, p + 2, (apr_size_t)(end - p) - 2)))
            return apr_psprintf(
                pool,
                "MnetRemoteUser: %s is not understood; write %%{username}, %%{peer} "
                "or the name of an attribute, as in %%{username}@%%{peer}",
                quote(p, pool));
        p = end;
    }
    return NULL;
}

const char *mnet_set_remote_user(cmd_parms *cmd, void *dir, const char *format)
{
    const char *problem = format_problem(format, cmd->pool);
    if (problem)
        return problem;
    mnet_conf_get(cmd->server)->remote_user = format;
    note(cmd, MNET_FIELD_remote_user);
    return NULL;
}

/*
 * A wwwroot has no '@', '?', '#' or white space: where such a character stands between the two
 * variables, and each is there once, the outcome says who it is.
 */
int mnet_remote_user_mixes(const char *format)
{
    const char *user = strstr(format, "%{username}"), *peer = strstr(format, "%{peer}");
    const char *from, *to;
    if (!user || !peer || strstr(user + 1, "%{username}") || strstr(peer + 1, "%{peer}"))
        return 1;
    from = strchr(user < peer ? user : peer, '}') + 1;
    to = user < peer ? peer : user;
    if (memchr(from, '%', (size_t)(to - from)))
        return 1;
    for (; from < to; from++)
        if (strchr("@?# ", *from))
            return 0;
    return 1;
}

const char *mnet_set_cookie(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    mnet_conf_t *conf = mnet_conf_get(cmd->server);
    const char *problem;
    if (!argc)
        return "MnetCookie: a name goes first, as in MnetCookie school_session SameSite=Lax";
    problem = mnet_cookie_name_problem(argv[0], cmd->pool);
    for (int i = 1; !problem && i < argc; i++)
        problem = mnet_cookie_attribute_problem(argv[i], cmd->pool);
    if (problem)
        return problem;
    conf->cookie = apr_array_make(cmd->pool, argc, sizeof(const char *));
    for (int i = 0; i < argc; i++)
        APR_ARRAY_PUSH(conf->cookie, const char *) = argv[i];
    note(cmd, MNET_FIELD_cookie);
    return NULL;
}

const char *mnet_set_profile_field(cmd_parms *cmd, void *dir, const char *name)
{
    mnet_conf_t *conf = mnet_conf_get(cmd->server);
    const char *problem = name_problem(cmd, name, "MnetProfileFields firstname lastname email");
    if (problem)
        return problem;
    if (!conf->profile_fields)
        conf->profile_fields = apr_array_make(cmd->pool, 8, sizeof(const char *));
    APR_ARRAY_PUSH(conf->profile_fields, const char *) = name;
    note(cmd, MNET_FIELD_profile_fields);
    return NULL;
}

const char *mnet_sso_prepare(mnet_conf_t *conf, mnet_field_e *field, apr_pool_t *pool)
{
    mnet_sso_t *sso = apr_pcalloc(pool, sizeof(*sso));
    const char *problem = mnet_cookie_build(sso, conf->cookie, conf->wwwroot, pool);
    sso->remote_user = conf->remote_user ? conf->remote_user : MNET_REMOTE_USER;
    sso->root_path = mnet_root_path(conf->site, pool);
    conf->sso = sso;
    *field = MNET_FIELD_cookie;
    return problem;
}
