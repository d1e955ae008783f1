/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_SERVICES_H
#define MNET_SERVICE_SERVICES_H

/* What the built-in services add to the registry: one file per MNET service. */

#include "rpc/registry.h"

/* system/listMethods, methodSignature, methodHelp, listServices, keyswap (protocol 5.1). */
apr_status_t mnet_service_system(mnet_registry_t *registry);

/* auth/mnet/auth.php/...: what a provider answers (protocol 5.2) and what a service provider
 * answers (5.3). */
apr_status_t mnet_service_sso_idp(mnet_registry_t *registry);
apr_status_t mnet_service_sso_sp(mnet_registry_t *registry);

/* All of them. */
apr_status_t mnet_services_register(mnet_registry_t *registry);

#endif
