/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_PORTFOLIO_CONFIG_H
#define MNET_HTTPD_PORTFOLIO_CONFIG_H

/* The portfolio as the configuration has it: MnetPortfolioAccept and MnetPortfolioRoute, what all
 * of its directives together make, and its folder. */

#include "httpd/config.h"

/* For the table in directives.c. */
const char *mnet_set_portfolio_accept(cmd_parms *cmd, void *dir, const char *arg);
const char *mnet_set_portfolio_route(cmd_parms *cmd, void *dir, int argc, char *const argv[]);

/* Of a merged configuration; NULL: off. */
const mnet_portfolio_options_t *mnet_conf_portfolio(const mnet_conf_t *conf, apr_pool_t *pool);

/* Are two lists of routes the same? */
int mnet_portfolio_routes_same(const apr_array_header_t *a, const apr_array_header_t *b);

/* At configtest: how many errors were logged.  Writes nothing. */
int mnet_portfolio_check(server_rec *main_server, apr_pool_t *pool);
/* At a start: the folders, made if they are missing, owned by User.  NULL or the sentence. */
const char *mnet_portfolio_prepare(const mnet_global_t *global, apr_pool_t *pool);

#endif
