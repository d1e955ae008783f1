/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOD_MNET_H
#define MOD_MNET_H

/*
 * For other modules of httpd: how to answer methods of MNET.
 *
 * A module registers one mnet_service_provider_t in its register_hooks or pre_config:
 *
 *     ap_register_provider(p, MNET_SERVICE_GROUP, "my-service", MNET_SERVICE_VERSION, &provider);
 *
 * mod_mnet calls its add_methods in every child process before the first request, once for each
 * site (a wwwroot with MnetEngine On), and adds what it is told to that site's registry, which is
 * complete and unchangeable afterwards.
 */

#include <httpd.h>
#include <apr_errno.h>
#include <apr_pools.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MNET_SERVICE_GROUP   "mnet-service"
#define MNET_SERVICE_VERSION "0"

/* A call being answered; opaque here. */
struct mnet_call_t;

/* A parameter, or what a method returns.  Types as MNET names them: "string", "int", "boolean",
 * "array", "struct". */
typedef struct mnet_service_value_t {
    const char *name; /* not used of what is returned */
    const char *type;
    const char *description;
} mnet_service_value_t;

/* Does a method change anything?  If so, a call that is a replay is refused for good. */
typedef enum { MNET_SERVICE_READS, MNET_SERVICE_CHANGES } mnet_service_effect_e;

typedef struct mnet_service_method_t {
    const char *path;    /* "my/plugin/rpclib.php/do_it"; with a '*' a pattern */
    const char *service; /* what MnetPublish must name for a peer to call it */
    mnet_service_effect_e effect;
    const mnet_service_value_t *parameters; /* up to one without a name; may be NULL */
    int required;                           /* how many of them must be there */
    mnet_service_value_t returns;
    const char *help;
    /* Called by any thread, several at once.  Anything but APR_SUCCESS is answered with a fault. */
    apr_status_t (*handler)(struct mnet_call_t *call, void *baton);
    void *baton;
} mnet_service_method_t;

/* Adds a method; the structure is kept, not copied.  An error (the path is taken, or is no name of
 * a method) was logged when this returns. */
typedef apr_status_t mnet_service_add_fn(void *to, const mnet_service_method_t *method);

typedef struct mnet_service_provider_t {
    /*
     * s: the first virtual host of that site.  pool: of the process; what add is given must live
     * as long as it.  Whatever it answers but APR_SUCCESS is logged, and the site does without.
     */
    apr_status_t (*add_methods)(server_rec *s, const char *wwwroot, mnet_service_add_fn *add,
                                void *to, apr_pool_t *pool);
} mnet_service_provider_t;

#ifdef __cplusplus
}
#endif

#endif
