/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOD_MNET_H
#define MOD_MNET_H

/*
 * For other modules of httpd: how to answer methods of MNET.  This header is all that is needed to
 * build against: nothing of mod_mnet is linked.  docs/modules.md walks through an example.
 *
 * A module registers one mnet_service_provider_t in its register_hooks or pre_config:
 *
 *     ap_register_provider(p, MNET_SERVICE_GROUP, "my-service", MNET_SERVICE_VERSION, &provider);
 *
 * mod_mnet calls its add_methods in every child process before the first request, once for each
 * site (a wwwroot with MnetEngine On), and adds what it is told to that site's registry, which is
 * complete and unchangeable afterwards.
 *
 * A handler looks into its call and makes its answer by a table of functions, fetched once, in the
 * hook optional_fn_retrieve:
 *
 *     APR_OPTIONAL_FN_TYPE(mnet_api) *get = APR_RETRIEVE_OPTIONAL_FN(mnet_api);
 *     api = get ? get(MNET_API_VERSION) : NULL;         // NULL: no mod_mnet, or one too old
 */

#include <httpd.h>
#include <apr_errno.h>
#include <apr_optional.h>
#include <apr_pools.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MNET_SERVICE_GROUP   "mnet-service"
#define MNET_SERVICE_VERSION "0"

/* A call being answered, and a value of XML-RPC; opaque here.  Values live as long as their call.
 */
struct mnet_call_t;
struct mnet_value_t;

/* --- the functions ------------------------------------------------------------------------------
 * Every one takes NULL for a value and then answers as for nil.  What is made is made in the pool
 * given; texts are copied and must be UTF-8.
 */

#define MNET_API_VERSION 1

typedef enum {
    MNET_IS_NIL,
    MNET_IS_STRING,
    MNET_IS_INT,
    MNET_IS_BOOLEAN,
    MNET_IS_DOUBLE,
    MNET_IS_BASE64,
    MNET_IS_DATETIME,
    MNET_IS_ARRAY,
    MNET_IS_STRUCT
} mnet_kind_e;

/* Takes a piece of a text; anything but APR_SUCCESS ends the pouring and comes back. */
typedef apr_status_t mnet_take_fn(void *baton, const char *data, apr_size_t len);

typedef struct mnet_api_t {
    int version;     /* MNET_API_VERSION of mod_mnet; what is here stays in later ones */
    apr_size_t size; /* of this table */

    /* Who calls, verified.  Never NULL. */
    apr_pool_t *(*pool)(const struct mnet_call_t *call);        /* of the request */
    const char *(*site)(const struct mnet_call_t *call);        /* our wwwroot */
    const char *(*caller)(const struct mnet_call_t *call);      /* the calling site's wwwroot */
    const char *(*application)(const struct mnet_call_t *call); /* what it is: "moodle", ... */
    const char *(*method)(const struct mnet_call_t *call);      /* the path, as called */
    const char *(*address)(const struct mnet_call_t *call);     /* the client's IP address */
    const char *(*request_id)(const struct mnet_call_t *call);  /* for log lines; "-" */

    /* The parameters, from 0.  NULL: there is none of that number. */
    int (*param_count)(const struct mnet_call_t *call);
    struct mnet_value_t *(*param)(const struct mnet_call_t *call, int index);

    /* Reading.  Peers are loose with types: these convert as PHP would and say whether they could.
     */
    mnet_kind_e (*kind)(const struct mnet_value_t *value);
    /* A text, also of a number or boolean; NULL of a container, of what is over 64 KiB or has a NUL
     * in it: see pour and length. */
    const char *(*text)(const struct mnet_value_t *value, apr_pool_t *pool);
    int (*integer)(const struct mnet_value_t *value, apr_int64_t *integer); /* 0: it is none */
    int (*real)(const struct mnet_value_t *value, double *real);            /* 0: it is none */
    int (*truth)(const struct mnet_value_t *value); /* "", "0", 0, nil and empty ones are false */
    /* The bytes of a string, base64 (decoded) or dateTime, of any length. */
    apr_off_t (*length)(const struct mnet_value_t *value);
    apr_status_t (*pour)(const struct mnet_value_t *value, mnet_take_fn *take, void *baton);
    /* Arrays and structs.  item: of a struct its value of that number, name: the name there. */
    int (*count)(const struct mnet_value_t *value);
    struct mnet_value_t *(*item)(const struct mnet_value_t *value, int index);
    const char *(*name)(const struct mnet_value_t *structure, int index);
    struct mnet_value_t *(*member)(const struct mnet_value_t *structure, const char *name);

    /* Making. */
    struct mnet_value_t *(*make_nil)(apr_pool_t *pool);
    struct mnet_value_t *(*make_string)(const char *text, apr_pool_t *pool);
    struct mnet_value_t *(*make_int)(apr_int64_t integer, apr_pool_t *pool);
    struct mnet_value_t *(*make_boolean)(int truth, apr_pool_t *pool);
    struct mnet_value_t *(*make_double)(double real, apr_pool_t *pool);
    /* Peers take no <base64>: they are sent the bytes if those are text, else base64 as a string.
     */
    struct mnet_value_t *(*make_base64)(const void *data, apr_size_t len, apr_pool_t *pool);
    struct mnet_value_t *(*make_datetime)(const char *iso8601, apr_pool_t *pool);
    struct mnet_value_t *(*make_array)(apr_pool_t *pool);
    struct mnet_value_t *(*make_struct)(apr_pool_t *pool);
    void (*append)(struct mnet_value_t *array, struct mnet_value_t *item);
    void (*set)(struct mnet_value_t *structure, const char *name, struct mnet_value_t *value);

    /* Answering: the one or the other.  A handler that does neither answers an empty string.  A
     * fault's code may be any but 7025, by which a site says that its key has changed: that becomes
     * 7000.  Returns APR_SUCCESS, for the handler to return. */
    apr_status_t (*result)(struct mnet_call_t *call, struct mnet_value_t *value);
    apr_status_t (*fault)(struct mnet_call_t *call, int code, const char *text);
} mnet_api_t;

/* The table; NULL if mod_mnet does not know that version. */
APR_DECLARE_OPTIONAL_FN(const mnet_api_t *, mnet_api, (int version));

/* --- registering -------------------------------------------------------------------------------*/

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
