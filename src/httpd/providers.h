/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_PROVIDERS_H
#define MNET_HTTPD_PROVIDERS_H

#include <httpd.h>

#include "base/log.h"
#include "rpc/registry.h"

/* Adds the methods of other modules (mod_mnet.h) for every site.  Troubles are logged. */
void mnet_providers_add(mnet_registry_t *registry, server_rec *s, const mnet_log_t *log,
                        apr_pool_t *pool);

#endif
