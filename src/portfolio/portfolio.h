/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_PORTFOLIO_H
#define MNET_PORTFOLIO_PORTFOLIO_H

/*
 * The service pf (MNET protocol reference, 5.5, 7): what a process holds for it, and what has to
 * happen now and then.
 *
 *   receive.h      the methods by which a peer announces and says that its package is ready
 *   intent.h       an intent: what a peer announced, and was promised
 *   arrival.h      a package on its way to us
 *   fetch.c        the kind "fetch": the package comes by a fetch_file call back
 *   get.c          the kind "get": it comes by a plain GET of a location of the peer's
 *   queue.h        when, and how often
 *   work_folder.h  where what is under way lies
 *   deliver.h      where it goes
 *   out.h          what leaves
 */

#include <apr_pools.h>
#include <apr_tables.h>

#include "portfolio/receive.h"

/* Adds the methods for each of the sites (const mnet_site_t *) that has a portfolio, or for every
 * one (NULL).  Everything must live as long as the registry. */
apr_status_t mnet_portfolio_register(mnet_registry_t *registry, mnet_portfolio_t *portfolio,
                                     const apr_array_header_t *sites, apr_pool_t *pool);

/* Drops expired intents, and what work that is over left behind; at most once a minute over all
 * processes (once in MnetPortfolioInterval, if that is shorter). */
void mnet_portfolio_quick(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

#endif
