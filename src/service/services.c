/* SPDX-License-Identifier: Apache-2.0 */
#include "service/services.h"

apr_status_t mnet_services_register(mnet_registry_t *registry)
{
    return mnet_service_system(registry);
}
