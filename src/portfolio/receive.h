/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_RECEIVE_H
#define MNET_PORTFOLIO_RECEIVE_H

/* The methods by which peers announce what they send, as Moodle does and as the first design had
 * it. */

#include "portfolio/portfolio.h"

/* How long a caller whose user waits is kept: a Moodle gives up after 59 seconds. */
#define MNET_PORTFOLIO_PATIENCE apr_time_from_sec(40)

/* wwwroot: our site; NULL: every one. */
apr_status_t mnet_portfolio_receive_add(mnet_registry_t *registry, mnet_portfolio_t *portfolio,
                                        const char *wwwroot, apr_pool_t *pool);

#endif
