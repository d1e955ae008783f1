/* SPDX-License-Identifier: Apache-2.0 */
#include "service/services.h"

apr_status_t mnet_services_register(mnet_registry_t *registry)
{
    apr_status_t rv = mnet_service_system(registry);

    rv = rv ? rv : mnet_service_sso_idp(registry);
    return rv ? rv : mnet_service_sso_sp(registry);
}
