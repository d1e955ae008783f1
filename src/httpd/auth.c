/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/auth.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "httpd/arrival.h"
#include "httpd/attributes.h"
#include "httpd/page.h"
#include "httpd/private.h"
#include "httpd/process.h"
#include "httpd/request.h"
#include "service/peer_title.h"

#define TYPE "Mnet"

static int is_type(const char *type)
{
    return type && !ap_cstr_casecmp(type, TYPE);
}

/* r->user is the session's from now on. */
static void enter(request_rec *r, const mnet_session_t *session)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    r->user = (char *)mnet_remote_user(conf->sso->remote_user, session, r->pool);
    r->ap_auth_type = (char *)TYPE;
    mnet_here(r)->entered = 1;
    mnet_private_outwards(r, 1);
    mnet_auth_fixup(r);
}

/* --- our own paths --- */

/* Is it a path of ours that must work without a session? */
static int is_open(request_rec *r)
{
    const mnet_here_t *here = mnet_here_if(r);
    const char *handler;
    if (here && here->route) {
        const mnet_dir_t *dir = mnet_dir_get(r);
        /* Those who came in from a peer are asked for, where they may jump on. */
        return here->route->endpoint != MNET_ENDPOINT_JUMP ||
               !(dir->identity_provider == 1 && dir->jump_onward == 1);
    }
    handler = mnet_request_set_handler(r, r->per_dir_config);
    return handler && (!strcmp(handler, "mnet-hosts") || !strcmp(handler, "mnet-logout"));
}

int mnet_auth_open(request_rec *r)
{
    return mnet_conf_get(r->server)->site && is_open(r) && is_type(ap_auth_type(r)) ? OK : DECLINED;
}

/* --- ahead of who it is --- */

int mnet_auth_expect(request_rec *r)
{
    mnet_here_expect(r);
    return DECLINED;
}

int mnet_auth_fetch(request_rec *r)
{
    if (mnet_conf_get(r->server)->host &&
        (mnet_dir_get(r)->optional == 1 || is_type(ap_auth_type(r))))
        mnet_here_fetch(r);
    return DECLINED;
}

/* --- who it is --- */

int mnet_auth_optional(request_rec *r)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const mnet_session_t *session;
    const char *type;

    if (mnet_dir_get(r)->optional != 1 || !conf->host)
        return DECLINED;
    type = ap_auth_type(r);
    if ((type && !is_type(type)) || is_open(r))
        return DECLINED;
    mnet_log_request(conf->global->process->log, r);
    mnet_here(r)->optional = 1;
    mnet_private_outwards(r, 0);
    session = mnet_here_session(r);
    if (session)
        enter(r, session);
    mnet_log_request(conf->global->process->log, NULL);
    return DECLINED;
}

/* Is it a browser that would show a page to a person? */
static int is_page(const request_rec *r)
{
    const char *mode = apr_table_get(r->headers_in, "Sec-Fetch-Mode");
    const char *dest = apr_table_get(r->headers_in, "Sec-Fetch-Dest");
    if (r->method_number != M_GET || r->main || apr_table_get(r->headers_in, "X-Requested-With"))
        return 0;
    if (mode && ap_cstr_casecmp(mode, "navigate"))
        return 0;
    if (dest && ap_cstr_casecmp(dest, "document") && ap_cstr_casecmp(dest, "iframe") &&
        ap_cstr_casecmp(dest, "frame"))
        return 0;
    return mnet_request_accepts(r, "text/html") || mnet_request_accepts(r, "application/xhtml+xml");
}

/* --- who has no session --- */

static const char ask_us[] = "<p>If you think that you should see it, ask the people who look "
                             "after this site, with the code "
                             "below.</p>\n";

static int say_not_below(request_rec *r, const mnet_conf_t *conf)
{
    mnet_log(conf->host->engine->log, MNET_LOG_ERR, 0, "MNET0886",
             "AuthType Mnet covers %s, which is not below MnetWwwroot %s: the session's cookie is "
             "never sent there, so that nobody can enter",
             mnet_for_log(r->uri, strlen(r->uri), 200, r->pool), conf->site->wwwroot);
    return mnet_page_refuse(
        r, HTTP_FORBIDDEN, "This page cannot be reached",
        apr_pstrcat(r->pool, ask_us, mnet_html_ways(conf->host, NULL, NULL, r->pool), NULL));
}

static int say_no_cookies(request_rec *r, const mnet_conf_t *conf, const char *path)
{
    const char *again = apr_pstrcat(r->pool, conf->site->wwwroot, path, NULL);
    mnet_log(conf->host->engine->log, MNET_LOG_NOTICE, 0, "MNET0896",
             "%s landed again and again and never sent the cookie %s: its browser keeps none, or "
             "MnetCookie does not fit the address that it uses (%s)",
             r->useragent_ip, conf->sso->cookie, mnet_request_id(r));
    return mnet_page_refuse(
        r, HTTP_FORBIDDEN, "Your browser keeps no cookies",
        apr_pstrcat(
            r->pool,
            "<p>You are logged in at your home site, but this site cannot recognise you: it "
            "needs a cookie for that, and your browser does not send it back.</p>\n<p>Allow "
            "cookies in the settings of your browser, then try again. If they are allowed, "
            "ask the people who look after this site, with the code below.</p>\n<ul>\n<li>",
            mnet_html_link(again, "Try again", r->pool), "</li>\n</ul>\n", NULL));
}

static int send_to_login(request_rec *r, const mnet_conf_t *conf)
{
    const char *path, *clean;
    int due;
    if (!is_page(r)) {
        ap_note_auth_failure(r);
        return HTTP_UNAUTHORIZED;
    }
    path = mnet_request_path(r);
    if (!path)
        return say_not_below(r, conf);
    clean = mnet_arrival_unmark(path, r->pool);
    due = mnet_arrival_is_due(r, conf->host, clean);
    if (due && mnet_arrival_is_marked(path))
        return say_no_cookies(r, conf, clean);
    if (due)
        clean = mnet_arrival_mark(clean, r->pool);
    return mnet_page_redirect(r, mnet_login_location(r, conf->host, clean));
}

static int say_unknown(request_rec *r, const mnet_conf_t *conf)
{
    if (!is_page(r) || !mnet_page_is_free(r, HTTP_SERVICE_UNAVAILABLE))
        return HTTP_SERVICE_UNAVAILABLE;
    return mnet_page_refuse(
        r, HTTP_SERVICE_UNAVAILABLE, "This site cannot recognise you just now",
        apr_pstrcat(r->pool,
                    "<p>This is our fault, not yours. Wait a minute, then load this page again. If "
                    "it keeps failing, tell the people who look after this site, with the code "
                    "below.</p>\n",
                    mnet_html_ways(conf->host, NULL, NULL, r->pool), NULL));
}

/* --- who has one --- */

/* The first time that a session is used: the browser keeps cookies, and what was added to its path
 * to find that out goes. */
static int arrive(request_rec *r, const mnet_conf_t *conf, const mnet_session_t *session)
{
    const char *path = mnet_request_path(r);
    if (path && session->fresh)
        mnet_arrival_done(r, conf->host, path);
    if (path && mnet_arrival_is_marked(path) && is_page(r))
        return mnet_page_redirect(
            r, apr_pstrcat(r->pool, conf->site->wwwroot, mnet_arrival_unmark(path, r->pool), NULL));
    enter(r, session);
    return OK;
}

int mnet_auth_user(request_rec *r)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const mnet_session_t *session;
    mnet_httpd_log_t *log;
    int status;

    if (!is_type(ap_auth_type(r)))
        return DECLINED;
    if (!conf->site) {
        mnet_log(&mnet_httpd_log_create(r->server, 0, r->pool)->log, MNET_LOG_ERR, 0, "MNET0887",
                 "AuthType Mnet covers %s, but MnetEngine is not On in this virtual host",
                 mnet_for_log(r->uri, strlen(r->uri), 200, r->pool));
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!conf->host)
        return HTTP_SERVICE_UNAVAILABLE;
    log = conf->global->process->log;
    mnet_log_request(log, r);
    session = mnet_here_session(r);
    if (!session)
        mnet_private_outwards(r, 0);
    if (session && (session->fresh || mnet_arrival_is_marked(r->unparsed_uri))) {
        status = arrive(r, conf, session);
    } else if (session) {
        enter(r, session);
        status = OK;
    } else if (mnet_here(r)->failed) {
        status = say_unknown(r, conf);
    } else {
        status = send_to_login(r, conf);
    }
    mnet_log_request(log, NULL);
    return status;
}

/* --- whether they may --- */

/* httpd answers 401 to a user who may not; a browser can do nothing with that here, and to log in
 * again would change nothing. */
static int say_denied(request_rec *r, const mnet_conf_t *conf, const mnet_session_t *session)
{
    mnet_httpd_log_t *log = conf->global->process->log;
    int status;
    if (!session || !is_page(r) || !mnet_page_is_free(r, HTTP_FORBIDDEN))
        return HTTP_FORBIDDEN;
    mnet_log_request(log, r);
    status = mnet_page_refuse(
        r, HTTP_FORBIDDEN, "You may not see this page",
        apr_pstrcat(r->pool, "<p>You are logged in as <strong>",
                    mnet_html(session->username, r->pool), "</strong>.</p>\n", ask_us,
                    mnet_html_ways(conf->host, session->peer,
                                   mnet_peer_title_of(conf->host, session->peer, r->pool), r->pool),
                    NULL));
    mnet_log_request(log, NULL);
    return status;
}

int mnet_auth_check(request_rec *r)
{
    mnet_here_t *here = mnet_here_if(r);
    int status;

    if (!here || !here->entered || here->checking)
        return DECLINED;
    here->checking = 1;
    status = ap_run_auth_checker(r);
    here->checking = 0;
    return status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN
               ? say_denied(r, mnet_conf_get(r->server), here->session)
               : status;
}

int mnet_auth_note(request_rec *r, const char *auth_type)
{
    const mnet_here_t *here = mnet_here_if(r);
    if (!is_type(auth_type))
        return DECLINED;
    if (!here || !here->entered)
        apr_table_setn(r->err_headers_out, "WWW-Authenticate", TYPE " realm=\"sign-on\"");
    return OK;
}

/* --- what the application is told --- */

/* Access was checked for the request around this one, whose configuration is the same. */
static const request_rec *entered_outside(const request_rec *r)
{
    while (is_type(r->ap_auth_type) && (r->main || r->prev)) {
        const mnet_here_t *here;
        const request_rec *outer = r->main ? r->main : r->prev;
        here = outer->server == r->server ? mnet_here_if(outer) : NULL;
        if (here && here->entered)
            return outer;
        r = outer;
    }
    return NULL;
}

/* A front controller (RewriteRule in .htaccess, FallbackResource, DirectoryIndex) is reached by a
 * redirect inside httpd, and mostly lies where nothing is required: it is told who was let in at
 * the address that the browser asked for, unless AuthType None says that nobody is known there. */
static const request_rec *let_in_before(request_rec *r)
{
    const request_rec *before = r->main ? r->main : r->prev;
    const mnet_here_t *here = before && before->server == r->server ? mnet_here_if(before) : NULL;
    if (here && here->optional)
        mnet_here(r)->optional = 1;
    if (r->user || !here || !here->entered || ap_auth_type(r) || mnet_dir_get(r)->no_auth == 1)
        return NULL;
    r->user = before->user;
    r->ap_auth_type = before->ap_auth_type;
    return before;
}

int mnet_auth_fixup(request_rec *r)
{
    mnet_here_t *here = mnet_here_if(r);
    const request_rec *told = r;

    if (!(here && here->entered)) {
        told = r->user ? entered_outside(r) : NULL;
        if (!told)
            told = let_in_before(r);
        if (!told)
            return DECLINED;
        here = mnet_here(r);
        here->entered = 1;
    }
    if (here->passed)
        return DECLINED;
    here->passed = 1;
    here->how = told != r ? mnet_here_if(told)->how : mnet_dir_get(r)->pass_attributes;
    if (here->how == MNET_UNSET)
        here->how = MNET_PASS_ENV;
    mnet_attributes_pass(r, mnet_here_session(r), here->how);
    return DECLINED;
}
