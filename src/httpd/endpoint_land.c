/* SPDX-License-Identifier: Apache-2.0 */
/* land.php: a user arrives from a provider (MNET protocol reference, 6.5). */

#include <httpd.h>
#include <apr_strings.h>

#include "httpd/arrival.h"
#include "httpd/cookie.h"
#include "httpd/page.h"
#include "httpd/process.h"
#include "httpd/request.h"
#include "httpd/watchdog.h"
#include "school/school.h"
#include "service/land.h"

/* A landing that failed: what happened, what to do, and the way home. */
static int fail(request_rec *r, const mnet_landing_t *landing)
{
    if (landing->status == HTTP_SERVICE_UNAVAILABLE)
        apr_table_setn(r->headers_out, "Retry-After", "30");
    return mnet_page_send(
        r, landing->status, landing->title,
        apr_pstrcat(r->pool, mnet_html_text(landing->advice, r->pool),
                    mnet_html_ways(landing->host, landing->home, landing->home_name, r->pool),
                    NULL));
}

/* Whoever is new to the ledger is entered there, by another thread. */
static void welcome(const mnet_conf_t *conf, mnet_host_t *host, const mnet_landing_t *landing,
                    apr_pool_t *pool)
{
    const mnet_process_t *process = conf->global->process;
    if (mnet_ledger_on(host) && process && process->background)
        mnet_background_do(process->background, host, mnet_ledger_welcome,
                           mnet_ledger_newcomer(landing->peer, landing->username, pool));
}

int mnet_endpoint_land(request_rec *r, mnet_host_t *host, const mnet_route_t *route)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    mnet_landing_t landing = {host};
    apr_table_t *query;

    /* A HEAD is nobody's arrival, and would spend the token of whoever follows the link. */
    if (r->method_number != M_GET || r->header_only)
        return mnet_page_get_only(r);
    query = mnet_request_query(r);
    if (!query) {
        mnet_log(host->engine->log, MNET_LOG_WARNING, 0, "MNET0889",
                 "a landing from %s has a query that is too long or has a NUL in it: answered 400 "
                 "(%s)",
                 r->useragent_ip, mnet_request_id(r));
        landing.status = HTTP_BAD_REQUEST;
        landing.title = "This link is not complete";
        landing.advice = "The address that brought you here was damaged on the way. Go back to the "
                         "site that you came from and follow its link again.";
        return fail(r, &landing);
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
    landing.admit = mnet_ledger_admit;
    mnet_land(&landing, r->pool);
    if (landing.status != HTTP_SEE_OTHER)
        return fail(r, &landing);
    welcome(conf, host, &landing, r->pool);
    mnet_cookie_set(r, conf->sso, landing.session);
    mnet_arrival_note(r, host, landing.location);
    return mnet_page_redirect(r, landing.location);
}
