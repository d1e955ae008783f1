/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/site_int.h"

#include <limits.h>
#include <apr_strings.h>

#include "trust/texts.h"

#define DAY (24 * 60 * 60)

mnet_portfolio_options_t *mnet_portfolio_options_create(const char *dir, apr_pool_t *pool)
{
    mnet_portfolio_options_t *options = apr_pcalloc(pool, sizeof(*options));
    mnet_portfolio_route_t *route = apr_pcalloc(pool, sizeof(*route));
    apr_array_header_t *routes = apr_array_make(pool, 1, sizeof(const mnet_portfolio_route_t *));
    route->format = "*";
    route->to = "incoming";
    APR_ARRAY_PUSH(routes, const mnet_portfolio_route_t *) = route;
    options->dir = apr_pstrdup(pool, dir);
    options->accept = MNET_ACCEPT_IMMEDIATE;
    options->max_size = (apr_off_t)1 << 30;
    options->expire = apr_time_from_sec(7 * DAY);
    options->interval = apr_time_from_sec(5 * 60);
    options->routes = routes;
    return options;
}

static void pack_portfolio(mnet_pack_t *pack, const mnet_portfolio_options_t *options)
{
    mnet_pack_text(pack, options ? options->dir : NULL);
    if (!options) {
        return;
    }
    mnet_pack_u8(pack, (unsigned char)options->accept);
    mnet_pack_i64(pack, options->max_size);
    mnet_pack_i64(pack, options->expire);
    mnet_pack_i64(pack, options->interval);
    mnet_pack_i64(pack, options->routes->nelts);
    for (int i = 0; i < options->routes->nelts; i++) {
        const mnet_portfolio_route_t *route =
            APR_ARRAY_IDX(options->routes, i, const mnet_portfolio_route_t *);
        mnet_pack_text(pack, route->format);
        mnet_pack_text(pack, route->to);
        mnet_pack_u8(pack, route->is_url != 0);
        mnet_pack_i64(pack, route->priority);
    }
}

static apr_array_header_t *unpack_routes(mnet_unpack_t *unpack)
{
    int count = mnet_count_unpack(unpack);
    apr_array_header_t *routes =
        apr_array_make(unpack->pool, 2, sizeof(const mnet_portfolio_route_t *));
    unpack->bad |= count < 1;
    for (int i = 0; i < count && !unpack->bad; i++) {
        mnet_portfolio_route_t *route = apr_pcalloc(unpack->pool, sizeof(*route));
        route->format = mnet_unpack_text(unpack);
        route->to = mnet_unpack_text(unpack);
        route->is_url = mnet_unpack_u8(unpack) == 1;
        route->priority = (int)mnet_number_unpack(unpack, INT_MIN, INT_MAX);
        unpack->bad |= !route->format || !route->to;
        APR_ARRAY_PUSH(routes, const mnet_portfolio_route_t *) = route;
    }
    return routes;
}

static const mnet_portfolio_options_t *unpack_portfolio(mnet_unpack_t *unpack)
{
    const char *dir = mnet_unpack_text(unpack);
    if (!dir) {
        return NULL;
    }
    mnet_portfolio_options_t *options = apr_pcalloc(unpack->pool, sizeof(*options));
    options->dir = dir;
    options->accept = mnet_unpack_u8(unpack);
    options->max_size = mnet_number_unpack(unpack, 0, APR_INT64_MAX);
    options->expire = mnet_number_unpack(unpack, 0, APR_INT64_MAX);
    options->interval = mnet_number_unpack(unpack, 0, APR_INT64_MAX);
    options->routes = unpack_routes(unpack);
    unpack->bad |= options->accept > MNET_ACCEPT_NONE;
    return options;
}

void mnet_site_options_pack(mnet_pack_t *pack, const mnet_site_t *site)
{
    pack_portfolio(pack, site->portfolio);
    mnet_pack_text(pack, site->ledger ? site->ledger->prefix : NULL);
    mnet_pack_text(pack, site->ledger ? site->ledger->service : NULL);
}

void mnet_site_options_unpack(mnet_unpack_t *unpack, mnet_site_t *site)
{
    site->portfolio = unpack_portfolio(unpack);
    const char *prefix = mnet_unpack_text(unpack);
    const char *service = mnet_unpack_text(unpack);
    if (prefix && service) {
        mnet_ledger_options_t *ledger = apr_pcalloc(unpack->pool, sizeof(*ledger));
        ledger->prefix = prefix;
        ledger->service = service;
        site->ledger = ledger;
    }
}
