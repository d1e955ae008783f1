/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_PORTFOLIO_H
#define MNET_PORTFOLIO_PORTFOLIO_H

/*
 * The service pf (MNET protocol reference, 5.5, 7): what a process holds for it, and what has to
 * happen now and then.
 *
 *   intent.h   an intent: what a peer announced, and was promised
 *   receive.c  the methods by which a peer announces and says that its package is ready
 *   fetch.c    the kind "fetch": the package comes by a fetch_file call back
 *   get.c      the kind "get": it comes by a plain GET of a location of the peer's
 *   arrive.c   what happens to a package that is here
 *   queue.h    when, and how often
 *   deliver.h  where it goes
 */

#include <apr_pools.h>
#include <apr_tables.h>

#include "portfolio/queue_run.h"
#include "rpc/registry.h"

/* Made before the registry; the queue comes with the engine and is NULL where there is none
 * (mnetctl), which then answers nothing. */
typedef struct mnet_portfolio_t {
    mnet_queue_t *queue;
} mnet_portfolio_t;

/* Adds the methods for each of the sites (const mnet_site_t *) that has a portfolio, or for every
 * one (NULL).  Everything must live as long as the registry. */
apr_status_t mnet_portfolio_register(mnet_registry_t *registry, mnet_portfolio_t *portfolio,
                                     const apr_array_header_t *sites, apr_pool_t *pool);

/* Drops expired intents, and what work that is over left behind; at most once a minute over all
 * processes (once in MnetPortfolioInterval, if that is shorter). */
void mnet_portfolio_quick(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

/* The folder of an item's work, below MnetPortfolioDir. */
const char *mnet_portfolio_work(const mnet_host_t *host, const char *id, apr_pool_t *pool);

#endif
