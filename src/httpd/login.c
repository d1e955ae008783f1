/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a provider's login page (MNET protocol reference, 6.4). */

#include "httpd/auth.h"

#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "httpd/request.h"

/*
 * Mahara puts wantsurl into its redirect as it was decoded: what would end or change it there is
 * encoded once more.  Should a Mahara encode it some day, the path arrives all the same.
 */
static const char *escape_for_mahara(const char *wantsurl, apr_pool_t *pool)
{
    char *escaped = apr_palloc(pool, 3 * strlen(wantsurl) + 1), *at = escaped;
    for (; *wantsurl; wantsurl++) {
        if (strchr("%&#+", *wantsurl))
            at += apr_snprintf(at, 4, "%%%02X", (unsigned char)*wantsurl);
        else
            *at++ = *wantsurl;
    }
    *at = '\0';
    return escaped;
}

const char *mnet_login_link(const mnet_host_t *host, const mnet_peer_t *peer, const char *ins,
                            const char *wantsurl, apr_pool_t *pool)
{
    const char *ours = mnet_query_escape(host->site->wwwroot, pool);
    const char *wants = mnet_query_escape(wantsurl, pool);
    const char *jump = apr_pstrcat(pool, peer->facts->wwwroot, peer->application->jump, NULL);

    /* Mahara's jump page knows neither hostwwwroot nor remoteurl. */
    if (!strcmp(peer->application->name, "mahara"))
        return apr_pstrcat(pool, jump, "?wr=", ours, ins ? "&ins=" : "", ins ? ins : "",
                           "&wantsurl=", mnet_query_escape(escape_for_mahara(wantsurl, pool), pool),
                           NULL);
    return apr_pstrcat(pool, jump, "?hostwwwroot=", ours, "&wantsurl=", wants, "&remoteurl=1",
                       NULL);
}

const char *mnet_login_location(request_rec *r, mnet_host_t *host, const char *path)
{
    const mnet_login_t *login = mnet_dir_get(r)->login;
    const mnet_peer_t *peer;
    apr_status_t rv;

    if (login) {
        rv = mnet_host_look(host, login->peer, &peer, NULL, r->pool);
        if (!rv)
            return mnet_login_link(host, peer, login->ins, path, r->pool);
        mnet_log(host->engine->log, MNET_LOG_WARNING, rv, "MNET0884",
                 "MnetLogin names %s, which is no active peer of %s: users choose from the page of "
                 "peers instead",
                 mnet_for_log(login->peer, strlen(login->peer), 255, r->pool), host->site->wwwroot);
    }
    return apr_pstrcat(r->pool, host->site->wwwroot,
                       "/mnet/hosts?wantsurl=", mnet_query_escape(path, r->pool), NULL);
}
