/* SPDX-License-Identifier: Apache-2.0 */
/* A module like many: its cleanup at a child's end takes a while.  It comes after mod_mnet's. */
#include <httpd.h>
#include <http_config.h>
#include <apr_time.h>

static apr_status_t take_a_while(void *data)
{
    apr_sleep(apr_time_from_msec(500));
    return APR_SUCCESS;
}

static void child_init(apr_pool_t *pchild, server_rec *s)
{
    apr_pool_cleanup_register(pchild, s, take_a_while, apr_pool_cleanup_null);
}

static void register_hooks(apr_pool_t *pool)
{
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(mnet_slowend) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
};
