/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/routes.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <string.h>

#include "httpd/log.h"
#include "httpd/process.h"
#include "httpd/request.h"

static mnet_endpoint_fn *const endpoints[MNET_ENDPOINTS] = {
    [MNET_ENDPOINT_XMLRPC] = mnet_endpoint_xmlrpc,
    [MNET_ENDPOINT_PUBLICKEY] = mnet_endpoint_publickey,
    [MNET_ENDPOINT_LAND] = mnet_endpoint_land,
    [MNET_ENDPOINT_JUMP] = mnet_endpoint_jump,
    [MNET_ENDPOINT_HOSTS] = mnet_endpoint_hosts,
    [MNET_ENDPOINT_FILE] = mnet_endpoint_file,
};

const char *mnet_root_path(const mnet_site_t *site, apr_pool_t *pool)
{
    apr_uri_t uri;
    char *path;
    if (apr_uri_parse(pool, site->wwwroot, &uri) || !uri.path)
        return "";
    path = apr_pstrdup(pool, uri.path);
    return ap_unescape_url(path) ? uri.path : path;
}

static int add_route(apr_hash_t *routes, const mnet_route_t *like, apr_pool_t *pool)
{
    const mnet_route_t *there = apr_hash_get(routes, like->path, APR_HASH_KEY_STRING);
    if (there)
        return there->endpoint == like->endpoint;
    apr_hash_set(routes, like->path, APR_HASH_KEY_STRING, apr_pmemdup(pool, like, sizeof(*like)));
    return 1;
}

apr_hash_t *mnet_routes_create(const mnet_site_t *site, const char **why, apr_pool_t *pool)
{
    apr_hash_t *routes = apr_hash_make(pool);
    const char *root = mnet_root_path(site, pool);
    for (int i = 0; i < site->applications->nelts; i++) {
        const mnet_application_t *application =
            APR_ARRAY_IDX(site->applications, i, const mnet_application_t *);
        const struct {
            mnet_endpoint_e endpoint;
            const char *path;
        } paths[] = {{MNET_ENDPOINT_XMLRPC, application->xmlrpc},
                     {MNET_ENDPOINT_PUBLICKEY, application->publickey},
                     {MNET_ENDPOINT_LAND, application->land},
                     {MNET_ENDPOINT_JUMP, application->jump},
                     {MNET_ENDPOINT_HOSTS, "/mnet/hosts"},
                     {MNET_ENDPOINT_FILE, site->portfolio ? "/mnet/file" : NULL}};
        for (apr_size_t j = 0; j < sizeof(paths) / sizeof(paths[0]); j++) {
            mnet_route_t route = {NULL, paths[j].endpoint, application};
            if (!paths[j].path)
                continue;
            route.path = apr_pstrcat(pool, root, paths[j].path, NULL);
            if (!add_route(routes, &route, pool)) {
                *why = apr_psprintf(pool,
                                    "two applications of MnetApplication use %s for different "
                                    "things; give one of them another path by "
                                    "MnetDefineApplication",
                                    route.path);
                return NULL;
            }
        }
    }
    return routes;
}

static const mnet_route_t *route_of(const request_rec *r)
{
    const mnet_here_t *here = mnet_here_if(r);
    return here ? here->route : NULL;
}

int mnet_routes_translate(request_rec *r)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const mnet_route_t *route;

    /* A forward proxy's request is for somebody else, whatever its path. */
    if (!conf->routes || r->proxyreq == PROXYREQ_PROXY || !r->uri)
        return DECLINED;
    route = apr_hash_get(conf->routes, r->uri, APR_HASH_KEY_STRING);
    if (!route)
        return DECLINED;
    mnet_here(r)->route = route;
    r->handler = "mnet-endpoint";
    /* No name of a file, and none that ends in .php: a module that looks at it finds nothing. */
    r->filename = apr_pstrcat(r->pool, "mnet:", route->application->name, NULL);
    r->path_info = apr_pstrdup(r->pool, "");
    return OK;
}

int mnet_routes_storage(request_rec *r)
{
    return route_of(r) ? OK : DECLINED;
}

int mnet_routes_fixup(request_rec *r)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    apr_off_t limit;
    if (!route_of(r))
        return DECLINED;
    limit = ap_get_limit_req_body(r);
    if (limit && limit < conf->site->max_body)
        r->per_dir_config =
            ap_merge_per_dir_configs(r->pool, r->per_dir_config, conf->global->unlimited);
    return OK;
}

/* What is signed, sealed or known by its digest goes out as it is, whatever filter is there to
 * rewrite pages (mod_substitute, mod_sed, mod_include).  Those of compression and headers stay. */
static void keep_bytes(request_rec *r)
{
    ap_filter_t *each = r->main ? NULL : r->output_filters, *next;
    for (; each && each != r->proto_output_filters; each = next) {
        next = each->next;
        if (each->frec->ftype < AP_FTYPE_CONTENT_SET)
            ap_remove_output_filter(each);
    }
}

static int is_exact(mnet_endpoint_fn *endpoint)
{
    return endpoint == mnet_endpoint_xmlrpc || endpoint == mnet_endpoint_publickey ||
           endpoint == mnet_endpoint_file || endpoint == mnet_endpoint_call;
}

static int answer(request_rec *r, mnet_endpoint_fn *endpoint, const mnet_route_t *route)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    mnet_httpd_log_t *log;
    int status;

    if (!conf->host) {
        apr_table_setn(r->err_headers_out, "Retry-After", "60");
        return mnet_answer_text(r, HTTP_SERVICE_UNAVAILABLE,
                                "This MNET server could not start; its error log says why.");
    }
    log = conf->global->process->log;
    if (is_exact(endpoint))
        keep_bytes(r);
    mnet_log_request(log, r);
    status = endpoint(r, conf->host, route);
    mnet_log_request(log, NULL);
    return status;
}

int mnet_routes_handler(request_rec *r)
{
    const mnet_route_t *route = route_of(r);
    /* Not r->handler: SetHandler may have changed it. */
    return route ? answer(r, endpoints[route->endpoint], route) : DECLINED;
}

static int is_mnet(const char *handler)
{
    return handler && !strncmp(handler, "mnet-", 5);
}

/* What SetHandler names, whatever the rewrites of a front controller have put in its place since;
 * NULL if it is none of ours. */
static const char *handler_of(request_rec *r)
{
    const char *set;
    if (is_mnet(r->handler))
        return r->handler;
    set = mnet_request_set_handler(r, r->per_dir_config);
    return is_mnet(set) ? set : NULL;
}

int mnet_routes_set_handler(request_rec *r)
{
    mnet_endpoint_fn *endpoint = NULL;
    const char *handler = route_of(r) ? NULL : handler_of(r);
    if (!handler)
        return DECLINED;
    if (!strcmp(handler, "mnet-hosts"))
        endpoint = mnet_endpoint_hosts;
    else if (!strcmp(handler, "mnet-logout"))
        endpoint = mnet_endpoint_logout;
    else if (!strcmp(handler, "mnet-file"))
        endpoint = mnet_endpoint_file;
    else if (!strcmp(handler, "mnet-call"))
        endpoint = mnet_endpoint_call;
    return endpoint ? answer(r, endpoint, NULL) : DECLINED;
}

/* A body that nobody read is read and thrown away by httpd to keep the connection: no more than
 * this of it is worth that. */
#define DISCARD_MAX (64 * 1024)

int mnet_answer_text(request_rec *r, int status, const char *text)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    if (ap_status_drops_connection(status) || apr_table_get(r->headers_in, "Transfer-Encoding") ||
        (length && apr_strtoi64(length, NULL, 10) > DISCARD_MAX))
        r->connection->keepalive = AP_CONN_CLOSE;
    r->status = status;
    r->status_line = NULL;
    ap_set_content_type(r, "text/plain; charset=utf-8");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    ap_set_content_length(r, (apr_off_t)strlen(text) + 1);
    ap_rputs(text, r);
    ap_rputs("\n", r);
    return OK;
}
