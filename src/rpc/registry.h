/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_REGISTRY_H
#define MNET_RPC_REGISTRY_H

/*
 * The methods that a site answers: each with its service, its signature, its help, whether it only
 * reads, and its handler.  Filled while the server starts (built-in services, other modules through
 * mod_mnet.h, backends), complete before the first request, never changed after.
 */

#include <apr_pools.h>
#include <apr_tables.h>

#include "wire/value.h"

struct mnet_call_t;

/* Types as Moodle's method signatures name them. */
typedef struct mnet_parameter_t {
    const char *name;
    const char *type; /* "string", "int", "boolean", "array", "struct", ... */
    const char *description;
} mnet_parameter_t;

typedef enum {
    MNET_METHOD_READS,   /* a replay is held against the recent past */
    MNET_METHOD_CHANGES, /* a replay is refused: claimed by the server before the handler runs */
    MNET_METHOD_CLAIMS   /* as CHANGES, but the handler claims it with mnet_call_claim in the
                            transaction of its effect */
} mnet_effect_e;

/*
 * A handler.  It sets call->result (NULL stays: an empty string is answered) or calls
 * mnet_call_fault, and answers APR_SUCCESS; any other answer is a fault 7000 and a log line.
 * It may take as long as the caller's patience (60 s) and must not hold a transaction meanwhile.
 */
typedef apr_status_t mnet_handler_fn(struct mnet_call_t *call, void *baton);

/* What is told of a method. */
typedef struct mnet_description_t {
    const mnet_parameter_t *parameters; /* up to a NULL name */
    mnet_parameter_t returns;
    const char *help;
} mnet_description_t;

struct mnet_host_t;
struct mnet_method_t;

/* For methods whose description lies elsewhere, and for patterns, which stand for methods that only
 * somebody else can name.  May take some seconds; never called inside a transaction. */
typedef struct mnet_method_asks_t {
    /* Overwrites what it knows better of the method path; the rest stays as it came. */
    void (*describe)(struct mnet_host_t *host, const struct mnet_method_t *method, const char *path,
                     mnet_description_t *description, apr_pool_t *pool);
    /* The paths that the pattern stands for: appends const char *. */
    void (*list)(struct mnet_host_t *host, const struct mnet_method_t *method,
                 apr_array_header_t *paths, apr_pool_t *pool);
} mnet_method_asks_t;

typedef struct mnet_method_t {
    const char *path;    /* "auth/mnet/auth.php/user_authorise" */
    const char *service; /* "sso_idp"; "system" needs no publication */
    mnet_effect_e effect;
    const mnet_parameter_t *parameters; /* up to a NULL name */
    int required;                       /* how many of them; the rest may be left out */
    mnet_parameter_t returns;           /* its name is not used */
    const char *help;
    mnet_handler_fn *handler;
    void *baton;
    const mnet_method_asks_t *asks; /* NULL: the above is all there is to know */
} mnet_method_t;

typedef struct mnet_registry_t mnet_registry_t;

mnet_registry_t *mnet_registry_create(apr_pool_t *pool);
/*
 * Adds a method for every site, or for one (wwwroot; NULL: every).  The structure is kept, not
 * copied.  path may be a pattern (apr_fnmatch) if it has a '*' in it; an exact path goes before a
 * pattern, and an earlier pattern before a later one.  MNET_E_EXISTS: the path is taken there;
 * MNET_E_INVALID: the path is no method name (protocol 2.2.4).
 */
apr_status_t mnet_registry_add(mnet_registry_t *registry, const char *wwwroot,
                               const mnet_method_t *method);
/* The method that answers path on that site, or NULL.  Dotted system names are understood. */
const mnet_method_t *mnet_registry_find(const mnet_registry_t *registry, const char *wwwroot,
                                        const char *path);
/* All of a site's: const mnet_method_t *, by path. */
apr_array_header_t *mnet_registry_list(const mnet_registry_t *registry, const char *wwwroot,
                                       apr_pool_t *pool);
/* Its services by name, without "system": const char *. */
apr_array_header_t *mnet_registry_services(const mnet_registry_t *registry, const char *wwwroot,
                                           apr_pool_t *pool);
/* Is it a method name (protocol 2.2.4; the dotted system names as well)? */
int mnet_method_name_ok(const char *path);

#endif
