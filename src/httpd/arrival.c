/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/arrival.h"

#include <apr_strings.h>
#include <string.h>

#define WITHIN apr_time_from_sec(60)
#define MARK   "mnet-again=1"

/* --- the mark: the first of the query's, since some Maharas lose what follows --- */

static const char *find_mark(const char *path)
{
    const char *query = path ? strchr(path, '?') : NULL;
    apr_size_t len = strlen(MARK);
    return query && !strncmp(query + 1, MARK, len) && (!query[1 + len] || query[1 + len] == '&')
               ? query
               : NULL;
}

int mnet_arrival_is_marked(const char *path)
{
    return find_mark(path) != NULL;
}

const char *mnet_arrival_mark(const char *path, apr_pool_t *pool)
{
    apr_size_t len = strcspn(path, "?");
    return apr_psprintf(pool, "%.*s?" MARK "%s%s", (int)len, path, path[len] ? "&" : "",
                        path[len] ? path + len + 1 : "");
}

const char *mnet_arrival_unmark(const char *path, apr_pool_t *pool)
{
    const char *query = find_mark(path), *rest;
    if (!query)
        return path;
    rest = query + 1 + strlen(MARK);
    return apr_pstrcat(pool, apr_pstrmemdup(pool, path, (apr_size_t)(query - path)),
                       *rest ? "?" : "", *rest ? rest + 1 : "", NULL);
}

/* --- who is on the way --- */

#define FNV_OFFSET 14695981039346656037ULL
#define FNV_PRIME  1099511628211ULL

static apr_uint64_t add(apr_uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
    return (hash ^ 0xFF) * FNV_PRIME;
}

/* Among the sessions in the table of what was used when: a lock for each request would be felt. */
static apr_uint64_t name_of(request_rec *r, const mnet_host_t *host, const char *path)
{
    apr_uint64_t hash = add(FNV_OFFSET, r->useragent_ip);
    hash = add(hash, apr_table_get(r->headers_in, "User-Agent"));
    hash = add(hash, host->site->wwwroot);
    hash = add(hash, mnet_arrival_unmark(path, r->pool));
    return hash ^ hash >> 29;
}

void mnet_arrival_note(request_rec *r, mnet_host_t *host, const char *location)
{
    apr_size_t len = strlen(host->site->wwwroot);
    /* Not where it goes back to the provider. */
    if (!strncmp(location, host->site->wwwroot, len) && location[len] == '/')
        mnet_shared_use(host->engine->shared, name_of(r, host, location + len), r->request_time);
}

void mnet_arrival_done(request_rec *r, mnet_host_t *host, const char *path)
{
    apr_uint64_t name = name_of(r, host, path);
    if (mnet_shared_used(host->engine->shared, name))
        mnet_shared_use(host->engine->shared, name, apr_time_from_sec(1));
}

int mnet_arrival_is_due(request_rec *r, mnet_host_t *host, const char *path)
{
    apr_time_t when = mnet_shared_used(host->engine->shared, name_of(r, host, path));
    return r->request_time >= when && r->request_time - when <= WITHIN;
}
