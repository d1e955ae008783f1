/* SPDX-License-Identifier: Apache-2.0 */
/* jump.php: a user whom httpd authenticated leaves for a peer (MNET protocol reference, 6.3). */

#include <httpd.h>
#include <http_core.h>
#include <http_request.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "httpd/attributes.h"
#include "httpd/page.h"
#include "httpd/request.h"
#include "service/jump.h"
#include "service/picture.h"

#define VALUE_MAX 16384 /* bytes of an attribute */

/* --- what is known of the user --- */

static void set_attribute(apr_array_header_t *attributes, const char *name, const char *value)
{
    mnet_attribute_t *one = NULL;
    for (int i = 0; i < attributes->nelts && !one; i++)
        if (!strcmp(APR_ARRAY_IDX(attributes, i, mnet_attribute_t).name, name))
            one = &APR_ARRAY_IDX(attributes, i, mnet_attribute_t);
    if (!one)
        one = apr_array_push(attributes);
    one->name = name;
    one->value = value;
}

static void evaluate(request_rec *r, const mnet_host_t *host, const mnet_expression_t *expression,
                     apr_array_header_t *attributes)
{
    const char *why = NULL, *value = ap_expr_str_exec(r, expression->expr, &why);
    if (!why && value && (strlen(value) > VALUE_MAX || !mnet_is_utf8(value, strlen(value))))
        why = "what it gives is not UTF-8, or too long";
    if (why)
        mnet_log(host->engine->log, MNET_LOG_WARNING, 0, "MNET0890",
                 "MnetAttribute %s of the user %s is left out: %s", expression->name,
                 mnet_for_log(r->user ? r->user : "", r->user ? strlen(r->user) : 0, 100, r->pool),
                 mnet_for_log(why, strlen(why), 300, r->pool));
    else if (value && *value)
        set_attribute(attributes, expression->name, apr_pstrdup(r->pool, value));
}

static apr_array_header_t *attributes_of(request_rec *r, const mnet_host_t *host,
                                         const mnet_session_t *session)
{
    const apr_array_header_t *expressions = mnet_dir_get(r)->attributes;
    apr_array_header_t *attributes = apr_array_make(r->pool, 16, sizeof(mnet_attribute_t));
    for (int i = 0; session && session->attributes && i < session->attributes->nelts; i++) {
        const mnet_attribute_t *each = &APR_ARRAY_IDX(session->attributes, i, mnet_attribute_t);
        /* Here the user goes by REMOTE_USER: the bare name may be that of another. */
        if (strcmp(each->name, "username") != 0)
            set_attribute(attributes, each->name, each->value);
    }
    for (int i = 0; expressions && i < expressions->nelts; i++)
        evaluate(r, host, &APR_ARRAY_IDX(expressions, i, mnet_expression_t), attributes);
    return attributes;
}

static const char *picture_of(request_rec *r, const mnet_host_t *host)
{
    const ap_expr_info_t *expr = mnet_dir_get(r)->user_image;
    const char *why = NULL, *path = expr ? ap_expr_str_exec(r, expr, &why) : NULL;
    if (!expr)
        return NULL;
    if (!why && (!path || !mnet_picture_path_ok(path)))
        why = "the path is not absolute, or has \"..\" in it";
    if (!why)
        return apr_pstrdup(r->pool, path);
    mnet_log(host->engine->log, MNET_LOG_WARNING, 0, "MNET0897",
             "MnetUserImage of the user %s is left out: %s",
             mnet_for_log(r->user ? r->user : "", r->user ? strlen(r->user) : 0, 100, r->pool),
             mnet_for_log(why, strlen(why), 300, r->pool));
    return NULL;
}

/* --- the answers --- */

static int fail(request_rec *r, const mnet_host_t *host, int status, const char *title,
                const char *advice)
{
    const char *hosts = apr_pstrcat(r->pool, host->site->wwwroot, "/mnet/hosts", NULL);
    const char *body =
        apr_pstrcat(r->pool, mnet_html_text(advice, r->pool), "<p>",
                    mnet_html_link(hosts, "Sites that you can go to", r->pool), "</p>\n", NULL);
    return mnet_page_send(r, status, title, body);
}

static int fail_off(request_rec *r, const mnet_host_t *host)
{
    mnet_log(host->engine->log, MNET_LOG_WARNING, 0, "MNET0891",
             "%s asked to jump, but MnetIdentityProvider is not On for %s (%s)", r->useragent_ip,
             r->uri, mnet_request_id(r));
    return fail(r, host, HTTP_FORBIDDEN, "This site does not take you to other sites",
                "If it should, its administrator has to switch that on (MnetIdentityProvider).");
}

static int fail_nobody(request_rec *r, const mnet_host_t *host)
{
    if (ap_auth_type(r)) {
        mnet_log(
            host->engine->log, MNET_LOG_INFO, 0, "MNET0895",
            "%s asked to jump without a session, where those who came from a peer may not jump "
            "on (%s)",
            r->useragent_ip, mnet_request_id(r));
        return fail(r, host, HTTP_FORBIDDEN, "You can go on only from your home site",
                    "Log in at the site where you have your account, and follow its link to the "
                    "site that you want.");
    }
    mnet_log(host->engine->log, MNET_LOG_ERR, 0, "MNET0892",
             "%s asked to jump, but httpd authenticates nobody for %s: put an AuthType and a "
             "Require into its <Location> (%s)",
             r->useragent_ip, r->uri, mnet_request_id(r));
    return fail(r, host, HTTP_FORBIDDEN, "This site does not know who you are",
                "You have to be logged in here to go on to another site, and this site does not "
                "ask who you are at this address. Its administrator has to mend that.");
}

static void read_query(mnet_jumping_t *jumping, const apr_table_t *query)
{
    const char *back;
    jumping->hostwwwroot = apr_table_get(query, "hostwwwroot");
    jumping->hostid = apr_table_get(query, "hostid");
    jumping->wr = apr_table_get(query, "wr");
    jumping->wantsurl = apr_table_get(query, "wantsurl");
    back = apr_table_get(query, "wantsurlbackhere");
    jumping->back = back && *back && strcmp(back, "0") != 0;
}

int mnet_endpoint_jump(request_rec *r, mnet_host_t *host, const mnet_route_t *route)
{
    const mnet_dir_t *dir = mnet_dir_get(r);
    const mnet_here_t *here = mnet_here(r);
    const mnet_session_t *session = NULL;
    mnet_jumping_t jumping = {host};
    apr_table_t *query;

    if (r->method_number != M_GET)
        return mnet_page_get_only(r);
    /* Those of a session who may not jump on were let through to be told so. */
    if (here->entered || (!r->user && mnet_here_session(r)))
        session = mnet_here_session(r);
    if (dir->identity_provider != 1 && !session)
        return fail_off(r, host);
    if (!session && (!r->user || !*r->user))
        return fail_nobody(r, host);
    query = mnet_request_query(r);
    if (!query)
        return fail(r, host, HTTP_BAD_REQUEST, "This link is not complete",
                    "The address was damaged on the way. Go back and follow the link again.");
    read_query(&jumping, query);
    jumping.username =
        r->user ? r->user
                : mnet_remote_user(mnet_conf_get(r->server)->sso->remote_user, session, r->pool);
    jumping.attributes = attributes_of(r, host, session);
    jumping.picture = picture_of(r, host);
    jumping.session = session ? session->key : NULL;
    jumping.from = session ? session->peer : NULL;
    jumping.from_allowed = here->entered && dir->identity_provider == 1 && dir->jump_onward == 1;
    jumping.user_agent = apr_table_get(r->headers_in, "User-Agent");
    jumping.id = mnet_request_id(r);
    jumping.now = r->request_time;
    mnet_jump(&jumping, r->pool);
    if (jumping.status != HTTP_SEE_OTHER)
        return fail(r, host, jumping.status, jumping.title, jumping.advice);
    return mnet_page_redirect(r, jumping.location);
}
