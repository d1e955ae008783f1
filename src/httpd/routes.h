/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_ROUTES_H
#define MNET_HTTPD_ROUTES_H

/*
 * Our paths: those of each application we are, below the wwwroot's own path.  A request for one of
 * them is ours before any other module looks at it: no file, alias, proxy, rewrite or .htaccess has
 * a say.  What a module does in <Location> (access control) still holds.
 */

#include "httpd/config.h"

typedef enum {
    MNET_ENDPOINT_XMLRPC,
    MNET_ENDPOINT_PUBLICKEY,
    MNET_ENDPOINT_LAND,
    MNET_ENDPOINT_JUMP,
    MNET_ENDPOINT_HOSTS,
    MNET_ENDPOINT_FILE,
    MNET_ENDPOINTS
} mnet_endpoint_e;

typedef struct mnet_route_t {
    const char *path; /* decoded, from the server's root */
    mnet_endpoint_e endpoint;
    const mnet_application_t *application; /* the one whose path it is */
} mnet_route_t;

/* Answers a request for a route; a handler's return value. */
typedef int mnet_endpoint_fn(request_rec *r, mnet_host_t *host, const mnet_route_t *route);
mnet_endpoint_fn mnet_endpoint_xmlrpc;
mnet_endpoint_fn mnet_endpoint_publickey;
mnet_endpoint_fn mnet_endpoint_land;
mnet_endpoint_fn mnet_endpoint_jump;
mnet_endpoint_fn mnet_endpoint_hosts;
mnet_endpoint_fn mnet_endpoint_file;
/* Of SetHandler alone; their route is NULL. */
mnet_endpoint_fn mnet_endpoint_logout;
mnet_endpoint_fn mnet_endpoint_call;

/* The wwwroot's own path, decoded, "" if it has none. */
const char *mnet_root_path(const mnet_site_t *site, apr_pool_t *pool);

/* The routes of a site, path to mnet_route_t *.  NULL and *why if two kinds share a path. */
apr_hash_t *mnet_routes_create(const mnet_site_t *site, const char **why, apr_pool_t *pool);

/* The hooks.  translate: of pre_translate_name and translate_name. */
int mnet_routes_translate(request_rec *r);
int mnet_routes_storage(request_rec *r);
int mnet_routes_fixup(request_rec *r);
int mnet_routes_handler(request_rec *r);
/* The handler hook for what SetHandler names: mnet-hosts, mnet-logout, mnet-file, mnet-call. */
int mnet_routes_set_handler(request_rec *r);

/* An answer of one line of plain text; for handlers, which return its value. */
int mnet_answer_text(request_rec *r, int status, const char *text);

#endif
