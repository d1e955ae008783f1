/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SetHandler mnet-logout: ends the session here and tells the peers (MNET protocol reference, 6.7).
 * A link of this site does it at once; one of another site, which may be an image, shows a button.
 */

#include <http_protocol.h>
#include <apr_strings.h>
#include <string.h>

#include "httpd/attributes.h"
#include "httpd/cookie.h"
#include "httpd/page.h"
#include "httpd/request.h"
#include "service/land.h"
#include "service/logout.h"
#include "service/peer_title.h"

static int ask(request_rec *r, const mnet_host_t *host)
{
    /* To the same address, wantsurl and all; it has no fragment and is not another site's. */
    const char *again = apr_pstrcat(r->pool, ap_os_escape_path(r->pool, r->uri, 1),
                                    r->args ? "?" : "", r->args, NULL);
    const char *body =
        apr_pstrcat(r->pool, "<form method=\"post\" action=\"", mnet_html(again, r->pool),
                    "\">\n<p><button>Log out</button></p>\n</form>\n<p>",
                    mnet_html_link(apr_pstrcat(r->pool, host->site->wwwroot, "/", NULL),
                                   "Stay logged in", r->pool),
                    "</p>\n", NULL);
    return mnet_page_send(r, HTTP_OK, "Do you want to log out?", body);
}

static const char *names(mnet_host_t *host, const apr_array_header_t *wwwroots, apr_pool_t *pool)
{
    const char *all = "";
    for (int i = 0; i < wwwroots->nelts; i++) {
        const char *each = APR_ARRAY_IDX(wwwroots, i, const char *);
        const char *link = mnet_html_link(apr_pstrcat(pool, each, "/", NULL),
                                          mnet_peer_title_of(host, each, pool), pool);
        all = apr_pstrcat(pool, all, "<li>", link, "</li>\n", NULL);
    }
    return all;
}

static int show(request_rec *r, mnet_host_t *host, const mnet_logout_t *logout)
{
    const char *body = apr_pstrcat(
        r->pool,
        logout->failed && logout->failed->nelts
            ? apr_pstrcat(r->pool,
                          "<p>These sites could not be told yet, and may still have you logged in. "
                          "They are told as soon as they answer. On a computer that others use, go "
                          "there and log out as well:</p>\n"
                          "<ul>\n",
                          names(host, logout->failed, r->pool), "</ul>\n", NULL)
            : "",
        mnet_html_ways(
            host, logout->provider,
            logout->provider ? mnet_peer_title_of(host, logout->provider, r->pool) : NULL, r->pool),
        NULL);
    return mnet_page_send(r, HTTP_OK, "You are logged out", body);
}

static int broken(request_rec *r, const mnet_host_t *host, apr_status_t rv)
{
    mnet_log(host->engine->log, MNET_LOG_ERR, rv, "MNET0894",
             "a session could not be ended in the state directory (%s)", mnet_request_id(r));
    return mnet_page_send(r, HTTP_INTERNAL_SERVER_ERROR, "You are still logged in",
                          "<p>Something is wrong with this site. Try again; if that does not help, "
                          "close all windows of your browser.</p>\n");
}

/* Where ?wantsurl= leads on this site; NULL: nowhere. */
static const char *next_page(request_rec *r, const mnet_host_t *host)
{
    apr_table_t *query = mnet_request_query(r);
    const char *wants = query ? apr_table_get(query, "wantsurl") : NULL;
    const char *path = wants ? mnet_wants_path(wants, host->site->wwwroot, r->pool) : NULL;
    return path ? apr_pstrcat(r->pool, host->site->wwwroot, path, NULL) : NULL;
}

int mnet_endpoint_logout(request_rec *r, mnet_host_t *host, const mnet_route_t *route)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    mnet_logout_t logout = {host};
    int same = mnet_request_same_site(r, host->site->wwwroot);
    const mnet_session_t *session;
    const char *next;
    apr_status_t rv;

    if (r->method_number != M_GET && r->method_number != M_POST) {
        apr_table_setn(r->headers_out, "Allow", "GET, HEAD, POST");
        return mnet_page_send(r, HTTP_METHOD_NOT_ALLOWED, "This address is only for links",
                              apr_pstrcat(r->pool, "<p>Go back and follow the link again.</p>\n",
                                          mnet_html_ways(host, NULL, NULL, r->pool), NULL));
    }
    /* A button's POST without any word of where it comes from is an old browser's: the cookie does
     * not come with one of another site (SameSite). */
    if (r->header_only || (r->method_number == M_GET ? same != 1 : !same))
        return ask(r, host);
    session = mnet_here_session(r);
    logout.session = mnet_here(r)->session_id;
    logout.user = r->user;
    if (!logout.user && session)
        logout.user = mnet_remote_user(conf->sso->remote_user, session, r->pool);
    logout.user_agent = apr_table_get(r->headers_in, "User-Agent");
    logout.id = mnet_request_id(r);
    logout.now = r->request_time;
    rv = mnet_logout(&logout, r->pool);
    if (rv)
        return broken(r, host, rv);
    if (apr_table_get(r->headers_in, "Cookie"))
        mnet_cookie_clear(r, conf->sso);
    next = next_page(r, host);
    if (next && !(logout.failed && logout.failed->nelts))
        return mnet_page_redirect(r, next);
    return show(r, host, &logout);
}
