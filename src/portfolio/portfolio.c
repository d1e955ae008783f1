/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/portfolio.h"

#include "portfolio/intent.h"
#include "portfolio/out.h"
#include "portfolio/work_folder.h"

#define TEND_EVERY apr_time_from_sec(60)

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
    mnet_work_folders_sweep(host, pool);
    rv = mnet_out_tend(host, now, pool);
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_WARNING, rv, "MNET1069",
                 "%s: what was sent could not be looked after; it is tried again in a minute",
                 host->site->wwwroot);
    }
    apr_pool_destroy(pool);
}
