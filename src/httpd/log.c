/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/log.h"

#include <http_log.h>

#include "base/status.h"
#include "httpd/config.h"

APLOG_USE_MODULE(mnet);

static void write_line(void *baton, int level, apr_status_t rv, const char *id, const char *text)
{
    const mnet_httpd_log_t *log = baton;
    void *request = NULL;
    char name[120] = "";
    const char *open = "", *close = "";

    /* apr_strerror knows nothing of our own codes: httpd would print them as unknown. */
    if (rv > MNET_E_BASE && rv < MNET_E_BASE + 100) {
        mnet_strerror(rv, name, sizeof(name));
        open = " (";
        close = ")";
        rv = APR_SUCCESS;
    }
    if (log->request && apr_threadkey_private_get(&request, log->request))
        request = NULL;
    if (request)
        ap_log_rerror(APLOG_MARK, level, rv, (request_rec *)request, "%s: %s%s%s%s", id, text, open,
                      name, close);
    else
        ap_log_error(APLOG_MARK, level, rv, log->server, "%s: %s%s%s%s", id, text, open, name,
                     close);
}

mnet_httpd_log_t *mnet_httpd_log_create(server_rec *s, int threads, apr_pool_t *pool)
{
    mnet_httpd_log_t *log = apr_pcalloc(pool, sizeof(*log));
    log->log.write = write_line;
    log->log.baton = log;
    log->server = s;
    /* The most talkative virtual host decides what is formatted, each what it keeps. */
    for (server_rec *each = s; each; each = each->next) {
        int level = ap_get_server_module_loglevel(each, APLOG_MODULE_INDEX);
        if (level > log->log.level)
            log->log.level = level;
    }
    if (threads && apr_threadkey_private_create(&log->request, NULL, pool))
        log->request = NULL;
    return log;
}

void mnet_log_request(mnet_httpd_log_t *log, request_rec *r)
{
    if (log->request)
        apr_threadkey_private_set(r, log->request);
}
