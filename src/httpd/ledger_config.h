/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_LEDGER_CONFIG_H
#define MNET_HTTPD_LEDGER_CONFIG_H

/* The directive MnetLedger. */

#include "httpd/config.h"

const char *mnet_set_ledger(cmd_parms *cmd, void *dir, int argc, char *const argv[]);
/* What a merged configuration says; NULL: off. */
const mnet_ledger_options_t *mnet_conf_ledger(const mnet_conf_t *conf, apr_pool_t *pool);

#endif
