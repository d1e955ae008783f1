/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/portfolio.h"

#include <apr_file_info.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "portfolio/deliver.h"
#include "portfolio/intent.h"
#include "portfolio/out.h"
#include "portfolio/queue_int.h"
#include "portfolio/receive.h"

#define WORK       ".work"
#define TEND_EVERY apr_time_from_sec(60)
#define DEBRIS_MAX 200 /* folders looked at, for one look */

apr_status_t mnet_portfolio_register(mnet_registry_t *registry, mnet_portfolio_t *portfolio,
                                     const apr_array_header_t *sites, apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;

    if (!sites) {
        rv = mnet_portfolio_receive_add(registry, portfolio, NULL, pool);
        return rv ? rv : mnet_out_register(registry, NULL);
    }
    for (int i = 0; !rv && i < sites->nelts; i++) {
        const mnet_site_t *site = APR_ARRAY_IDX(sites, i, const mnet_site_t *);

        if (site->portfolio) {
            rv = mnet_portfolio_receive_add(registry, portfolio, site->wwwroot, pool);
            rv = rv ? rv : mnet_out_register(registry, site->wwwroot);
        }
    }
    return rv;
}

/* --- folders of work --- */

/* Sites may share a MnetPortfolioDir: "SITE-ID". */
static const char *work_prefix(const mnet_host_t *host, apr_pool_t *pool)
{
    mnet_name_t site;

    mnet_name_begin(host, &site);
    return apr_psprintf(pool, "%016" APR_UINT64_T_HEX_FMT "-",
                        (apr_uint64_t)mnet_queue_read_time(site.bytes));
}

const char *mnet_portfolio_work(const mnet_host_t *host, const char *id, apr_pool_t *pool)
{
    return apr_pstrcat(pool, host->site->portfolio->dir, "/" WORK "/", work_prefix(host, pool), id,
                       NULL);
}

/* An item is on disk before its folder is made: a folder without one is of work that is over. */
static int is_debris(const mnet_host_t *host, const char *id, apr_pool_t *pool)
{
    mnet_queue_item_t *item;

    return APR_STATUS_IS_NOTFOUND(mnet_queue_look(host, id, &item, NULL, pool));
}

static void sweep(const mnet_host_t *host, apr_pool_t *pool)
{
    const char *prefix = work_prefix(host, pool);
    const char *path = apr_pstrcat(pool, host->site->portfolio->dir, "/" WORK, NULL);
    apr_array_header_t *debris = apr_array_make(pool, 4, sizeof(const char *));
    apr_size_t len = strlen(prefix);
    apr_finfo_t entry;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, path, pool)) {
        return; /* nothing was ever received */
    }
    while (debris->nelts < DEBRIS_MAX && !apr_dir_read(&entry, APR_FINFO_NAME, dir)) {
        if (entry.name && !strncmp(entry.name, prefix, len) &&
            is_debris(host, entry.name + len, pool)) {
            APR_ARRAY_PUSH(debris, const char *) = apr_pstrcat(pool, path, "/", entry.name, NULL);
        }
    }
    (void)apr_dir_close(dir);
    for (int i = 0; i < debris->nelts; i++) {
        const char *folder = APR_ARRAY_IDX(debris, i, const char *);
        apr_status_t rv = mnet_portfolio_forget(folder, pool);

        if (rv) {
            mnet_log(host->engine->log, MNET_LOG_WARNING, rv, "MNET1017",
                     "%s: what work left behind in %s cannot be removed", host->site->wwwroot,
                     folder);
        }
    }
}

void mnet_portfolio_quick(mnet_host_t *host, apr_time_t now, apr_pool_t *parent)
{
    apr_interval_time_t every;
    apr_pool_t *pool;
    apr_status_t rv;

    if (!host->site->portfolio) {
        return;
    }
    every =
        host->site->portfolio->interval < TEND_EVERY ? host->site->portfolio->interval : TEND_EVERY;
    if (!mnet_shared_once(host->engine->shared, "portfolio", host->site->wwwroot, now, every) ||
        apr_pool_create(&pool, parent)) {
        return;
    }
    rv = mnet_intents_tend(host, now, pool);
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_WARNING, rv, "MNET1018",
                 "%s: intents could not be looked after; it is tried again in a minute",
                 host->site->wwwroot);
    }
    sweep(host, pool);
    rv = mnet_out_tend(host, now, pool);
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_WARNING, rv, "MNET1069",
                 "%s: what was sent could not be looked after; it is tried again in a minute",
                 host->site->wwwroot);
    }
    apr_pool_destroy(pool);
}
