/* SPDX-License-Identifier: Apache-2.0 */
/* mod_mnet: MNET, the protocol of Moodle and Mahara networks, for Apache httpd.  The module's
 * record and its hooks; everything else is in src/. */

#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>

#include "httpd/attributes.h"
#include "httpd/auth.h"
#include "httpd/check.h"
#include "httpd/config.h"
#include "httpd/module_api.h"
#include "httpd/pieces.h"
#include "httpd/private.h"
#include "httpd/process.h"
#include "httpd/routes.h"
#include "httpd/sso_config.h"
#include "httpd/startup.h"

static void register_auth(apr_pool_t *pool)
{
    static const char *const authz[] = {"mod_authz_core.c", NULL};

    /* Before mod_setenvif looks at headers. */
    ap_hook_post_read_request(mnet_attributes_drop, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_read_request(mnet_auth_expect, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(mnet_auth_fetch, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_check_access(mnet_auth_optional, NULL, NULL, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    /* Who is refused whoever they are stays so; a Require that waits for a user is lifted. */
    ap_hook_check_access_ex(mnet_auth_open, authz, NULL, APR_HOOK_LAST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authn(mnet_auth_user, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authz(mnet_auth_check, NULL, authz, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_note_auth_failure(mnet_auth_note, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before the fixups of others, which may look at what we set (mod_rewrite, mod_headers). */
    ap_hook_fixups(mnet_auth_fixup, NULL, NULL, APR_HOOK_REALLY_FIRST);
    mnet_private_register();
    ap_hook_insert_filter(mnet_private_insert, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_error_filter(mnet_private_insert, NULL, NULL, APR_HOOK_REALLY_LAST);
    mnet_authz_register(pool);
}

static void register_hooks(apr_pool_t *pool)
{
    /* mod_watchdog makes its mutexes in its post_config, for what was registered before. */
    static const char *const after[] = {"mod_watchdog.c", NULL};
    /* What is made first is ended last: their threads use us. */
    static const char *const threads[] = {"mod_watchdog.c", "mod_http2.c", NULL};

    ap_hook_pre_config(mnet_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(mnet_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(mnet_post_config, NULL, after, APR_HOOK_MIDDLE);
    ap_hook_child_init(mnet_process_start, NULL, threads, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(mnet_process_stopping, NULL, NULL, APR_HOOK_MIDDLE);

    /* Before mod_proxy, mod_rewrite, mod_alias and the file system. */
    ap_hook_pre_translate_name(mnet_routes_translate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(mnet_routes_translate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(mnet_routes_storage, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(mnet_routes_fixup, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(mnet_routes_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* Before the handlers of mod_proxy and mod_rewrite, which look at what they made of the URL. */
    ap_hook_handler(mnet_routes_set_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);

    register_auth(pool);
    mnet_pieces_register();
    mnet_module_api_register();
}

AP_DECLARE_MODULE(mnet) = {
    STANDARD20_MODULE_STUFF, mnet_dir_create, mnet_dir_merge, mnet_conf_create,
    mnet_conf_merge,         mnet_directives, register_hooks,
};
