/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/site.h"

#include <string.h>

/* MNET protocol reference, 6.1 and 4.3. */
static const mnet_application_t builtin[] = {
    {"moodle", "/mnet/xmlrpc/server.php", "/auth/mnet/land.php", "/auth/mnet/jump.php",
     "/mnet/publickey.php"},
    {"mahara", "/api/xmlrpc/server.php", "/auth/xmlrpc/land.php", "/auth/xmlrpc/jump.php",
     "/api/xmlrpc/publickey.php"},
};

const mnet_application_t *mnet_application_find(apr_hash_t *defined, const char *name)
{
    if (!name) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++) {
        if (!strcmp(builtin[i].name, name)) {
            return &builtin[i];
        }
    }
    return defined ? apr_hash_get(defined, name, APR_HASH_KEY_STRING) : NULL;
}
