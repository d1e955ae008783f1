/* SPDX-License-Identifier: Apache-2.0 */
/* land.php: a user arrives from a provider (MNET protocol reference, 6.5). */

#include <httpd.h>
#include <apr_strings.h>

#include "httpd/cookie.h"
#include "httpd/page.h"
#include "httpd/request.h"
#include "service/land.h"

/* A landing that failed: what happened, what to do, and the way home. */
static int fail(request_rec *r, const mnet_host_t *host, int status, const char *title,
                const char *advice)
{
    const char *home = apr_pstrcat(r->pool, host->site->wwwroot, "/", NULL);
    const char *body = apr_pstrcat(r->pool, mnet_html_text(advice, r->pool), "<p>",
                                   mnet_html_link(home, "To the first page of this site", r->pool),
                                   "</p>\n", NULL);
    return mnet_page_send(r, status, title, body);
}

int mnet_endpoint_land(request_rec *r, mnet_host_t *host, const mnet_route_t *route)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    mnet_landing_t landing = {host};
    apr_table_t *query;

    if (r->method_number != M_GET)
        return mnet_page_get_only(r);
    query = mnet_request_query(r);
    if (!query) {
        mnet_log(host->engine->log, MNET_LOG_WARNING, 0, "MNET0889",
                 "a landing from %s has a query that is too long or has a NUL in it: answered 400 "
                 "(%s)",
                 r->useragent_ip, mnet_request_id(r));
        return fail(r, host, HTTP_BAD_REQUEST, "This link is not complete",
                    "The address that brought you here was damaged on the way. Go back to the site "
                    "that you came from and follow its link again.");
    }
    landing.token = apr_table_get(query, "token");
    landing.idp = apr_table_get(query, "idp");
    landing.wantsurl = apr_table_get(query, "wantsurl");
    landing.remoteurl = apr_table_get(query, "remoteurl");
    landing.user_agent = apr_table_get(r->headers_in, "User-Agent");
    mnet_here_session(r);
    landing.old_session = mnet_here(r)->session_id;
    landing.address = r->useragent_ip;
    landing.id = mnet_request_id(r);
    landing.now = r->request_time;
    mnet_land(&landing, r->pool);
    if (landing.status != HTTP_SEE_OTHER)
        return fail(r, host, landing.status, landing.title, landing.advice);
    mnet_cookie_set(r, conf->sso, landing.session);
    return mnet_page_redirect(r, landing.location);
}
