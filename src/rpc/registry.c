/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/registry.h"

#include <apr_fnmatch.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define METHOD_NAME_MAX 255

/* The methods of one site, or of every site. */
typedef struct scope_t {
    apr_hash_t *exact;           /* path to const mnet_method_t * */
    apr_array_header_t *methods; /* const mnet_method_t *, patterns too, as they were added */
} scope_t;

/* Patterns of all sites in the order of their registration, which is the order of trial. */
typedef struct pattern_t {
    const char *wwwroot; /* NULL: every site */
    const mnet_method_t *method;
} pattern_t;

struct mnet_registry_t {
    apr_pool_t *pool;
    scope_t *every;
    apr_hash_t *sites; /* wwwroot to scope_t * */
    apr_array_header_t *patterns;
};

static scope_t *scope_create(apr_pool_t *pool)
{
    scope_t *scope = apr_palloc(pool, sizeof(*scope));

    scope->exact = apr_hash_make(pool);
    scope->methods = apr_array_make(pool, 16, sizeof(const mnet_method_t *));
    return scope;
}

mnet_registry_t *mnet_registry_create(apr_pool_t *pool)
{
    mnet_registry_t *registry = apr_palloc(pool, sizeof(*registry));

    registry->pool = pool;
    registry->every = scope_create(pool);
    registry->sites = apr_hash_make(pool);
    registry->patterns = apr_array_make(pool, 4, sizeof(pattern_t));
    return registry;
}

static scope_t *scope_of(const mnet_registry_t *registry, const char *wwwroot)
{
    return wwwroot ? apr_hash_get(registry->sites, wwwroot, APR_HASH_KEY_STRING) : registry->every;
}

static int is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int is_word(char c)
{
    return is_alnum(c) || c == '_' || c == '-';
}

int mnet_method_name_ok(const char *path)
{
    const char *at = path;
    apr_size_t len, rest;

    if (!path || (len = strlen(path)) > METHOD_NAME_MAX) {
        return 0;
    }
    if (!strncmp(path, "system.", 7)) {
        for (at = path + 7; is_word(*at); at++) {
        }
        return !*at && at > path + 7;
    }
    while (is_alnum(*at)) {
        at++;
    }
    if (at == path || *at++ != '/') {
        return 0;
    }
    rest = len - (apr_size_t)(at - path);
    for (; *at; at++) {
        if (!is_word(*at) && *at != '/' && *at != '.') {
            return 0;
        }
    }
    return rest >= 2 && is_word(at[-1]);
}

static int is_pattern(const char *path)
{
    return strchr(path, '*') != NULL;
}

static int pattern_ok(const char *path)
{
    const char *at;

    for (at = path; *at; at++) {
        if (!is_word(*at) && *at != '/' && *at != '.' && *at != '*') {
            return 0;
        }
    }
    return at > path && at - path <= METHOD_NAME_MAX;
}

/* Two registrations meet if one of them is for every site or both are for the same. */
static int same_place(const char *a, const char *b)
{
    return !a || !b || !strcmp(a, b);
}

static int pattern_taken(const mnet_registry_t *registry, const char *wwwroot, const char *path)
{
    const pattern_t *patterns = (const pattern_t *)registry->patterns->elts;
    int i;

    for (i = 0; i < registry->patterns->nelts; i++) {
        if (same_place(wwwroot, patterns[i].wwwroot) && !strcmp(patterns[i].method->path, path)) {
            return 1;
        }
    }
    return 0;
}

static int path_taken(const mnet_registry_t *registry, const char *wwwroot, const char *path)
{
    apr_hash_index_t *index;
    scope_t *scope;

    if (apr_hash_get(registry->every->exact, path, APR_HASH_KEY_STRING)) {
        return 1;
    }
    if (wwwroot) {
        scope = scope_of(registry, wwwroot);
        return scope && apr_hash_get(scope->exact, path, APR_HASH_KEY_STRING);
    }
    for (index = apr_hash_first(registry->pool, registry->sites); index;
         index = apr_hash_next(index)) {
        scope = apr_hash_this_val(index);
        if (apr_hash_get(scope->exact, path, APR_HASH_KEY_STRING)) {
            return 1;
        }
    }
    return 0;
}

apr_status_t mnet_registry_add(mnet_registry_t *registry, const char *wwwroot,
                               const mnet_method_t *method)
{
    int wild = is_pattern(method->path);
    scope_t *scope = scope_of(registry, wwwroot);

    if (!method->service || !method->handler) {
        return MNET_E_INVALID;
    }
    if (wild ? !pattern_ok(method->path)
             : !mnet_method_name_ok(method->path) || !strncmp(method->path, "system.", 7)) {
        return MNET_E_INVALID;
    }
    if (wild ? pattern_taken(registry, wwwroot, method->path)
             : path_taken(registry, wwwroot, method->path)) {
        return MNET_E_EXISTS;
    }
    if (!scope) {
        scope = scope_create(registry->pool);
        apr_hash_set(registry->sites, apr_pstrdup(registry->pool, wwwroot), APR_HASH_KEY_STRING,
                     scope);
    }
    if (wild) {
        pattern_t *pattern = apr_array_push(registry->patterns);

        pattern->wwwroot = wwwroot ? apr_pstrdup(registry->pool, wwwroot) : NULL;
        pattern->method = method;
    } else {
        apr_hash_set(scope->exact, method->path, APR_HASH_KEY_STRING, method);
    }
    APR_ARRAY_PUSH(scope->methods, const mnet_method_t *) = method;
    return APR_SUCCESS;
}

const mnet_method_t *mnet_registry_find(const mnet_registry_t *registry, const char *wwwroot,
                                        const char *path)
{
    const pattern_t *patterns = (const pattern_t *)registry->patterns->elts;
    const scope_t *site = wwwroot ? scope_of(registry, wwwroot) : NULL;
    const mnet_method_t *method;
    char slashed[METHOD_NAME_MAX + 1];
    int i;

    if (!mnet_method_name_ok(path)) {
        return NULL;
    }
    if (!strncmp(path, "system.", 7)) {
        apr_cpystrn(slashed, path, sizeof(slashed));
        slashed[6] = '/';
        path = slashed;
    }
    method = apr_hash_get(registry->every->exact, path, APR_HASH_KEY_STRING);
    if (!method && site) {
        method = apr_hash_get(site->exact, path, APR_HASH_KEY_STRING);
    }
    if (method || !strncmp(path, "system/", 7)) {
        return method; /* no pattern reaches into system/, which needs no publication */
    }
    for (i = 0; i < registry->patterns->nelts; i++) {
        if (same_place(patterns[i].wwwroot, wwwroot) &&
            apr_fnmatch(patterns[i].method->path, path, 0) == APR_SUCCESS) {
            return patterns[i].method;
        }
    }
    return NULL;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(const mnet_method_t *const *)a)->path,
                  (*(const mnet_method_t *const *)b)->path);
}

apr_array_header_t *mnet_registry_list(const mnet_registry_t *registry, const char *wwwroot,
                                       apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_copy(pool, registry->every->methods);
    const scope_t *site = wwwroot ? scope_of(registry, wwwroot) : NULL;

    if (site) {
        apr_array_cat(list, site->methods);
    }
    if (list->nelts > 1) {
        qsort(list->elts, (size_t)list->nelts, sizeof(const mnet_method_t *), by_path);
    }
    return list;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_services(apr_array_header_t *names, const scope_t *scope)
{
    const mnet_method_t *const *methods = (const mnet_method_t *const *)scope->methods->elts;
    int i, j;

    for (i = 0; i < scope->methods->nelts; i++) {
        const char *service = methods[i]->service;

        if (!strcmp(service, "system")) {
            continue;
        }
        for (j = 0; j < names->nelts; j++) {
            if (!strcmp(APR_ARRAY_IDX(names, j, const char *), service)) {
                break;
            }
        }
        if (j == names->nelts) {
            APR_ARRAY_PUSH(names, const char *) = service;
        }
    }
}

apr_array_header_t *mnet_registry_services(const mnet_registry_t *registry, const char *wwwroot,
                                           apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 8, sizeof(const char *));
    const scope_t *site = wwwroot ? scope_of(registry, wwwroot) : NULL;

    add_services(names, registry->every);
    if (site) {
        add_services(names, site);
    }
    if (names->nelts > 1) {
        qsort(names->elts, (size_t)names->nelts, sizeof(const char *), by_name);
    }
    return names;
}
