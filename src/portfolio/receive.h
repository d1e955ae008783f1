/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_RECEIVE_H
#define MNET_PORTFOLIO_RECEIVE_H

/* The methods by which peers announce what they send, as Moodle does and as the first design had
 * it. */

#include "portfolio/queue_run.h"
#include "rpc/registry.h"

/* Made before the registry; the queue comes with the engine and is NULL where there is none
 * (mnetctl), which then answers nothing. */
typedef struct mnet_portfolio_t {
    mnet_queue_t *queue;
} mnet_portfolio_t;

/* wwwroot: our site; NULL: every one. */
apr_status_t mnet_portfolio_receive_add(mnet_registry_t *registry, mnet_portfolio_t *portfolio,
                                        const char *wwwroot, apr_pool_t *pool);

#endif
