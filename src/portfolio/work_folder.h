/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_WORK_FOLDER_H
#define MNET_PORTFOLIO_WORK_FOLDER_H

/*
 * The folder of an item of the queue, below MnetPortfolioDir/.work: what is under way lies there,
 * and nothing else.
 */

#include <apr_pools.h>

#include "rpc/engine.h"

/* Makes it, if it is missing.  *old: it was there: an earlier attempt made it. */
apr_status_t mnet_work_folder(const mnet_host_t *host, const char *id, const char **path, int *old,
                              apr_pool_t *pool);
/* Removes those of work that is over. */
void mnet_work_folders_sweep(const mnet_host_t *host, apr_pool_t *pool);

#endif
