/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/providers.h"

#include <ap_provider.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"

#include "httpd/config.h"
#include "httpd/mod_mnet.h"

typedef struct adding_t {
    mnet_registry_t *registry;
    const char *wwwroot;
    const char *provider;
    const mnet_log_t *log;
    apr_pool_t *pool;
} adding_t;

static const mnet_parameter_t *parameters(const mnet_service_value_t *from, apr_pool_t *pool)
{
    int count = 0;
    mnet_parameter_t *list;
    while (from && from[count].name)
        count++;
    list = apr_pcalloc(pool, sizeof(*list) * ((apr_size_t)count + 1));
    for (int i = 0; i < count; i++)
        list[i] = (mnet_parameter_t){from[i].name, from[i].type, from[i].description};
    return list;
}

/* The service system needs no publication: it is not for others. */
static int service_ok(const char *name)
{
    return name && *name && strlen(name) <= 64 && strcmp(name, "system") != 0 &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")];
}

static apr_status_t add(void *to, const mnet_service_method_t *from)
{
    adding_t *adding = to;
    mnet_method_t *method = apr_pcalloc(adding->pool, sizeof(*method));
    apr_status_t rv;

    if (!from || !from->path || !service_ok(from->service)) {
        mnet_log(adding->log, MNET_LOG_ERR, 0, "MNET1113",
                 "a method of the provider %s is not added for %s: it lacks a path, or its service "
                 "is no "
                 "name or is \"system\"",
                 adding->provider, adding->wwwroot);
        return MNET_E_INVALID;
    }

    method->path = from->path;
    method->service = from->service;
    method->effect = from->effect == MNET_SERVICE_READS ? MNET_METHOD_READS : MNET_METHOD_CHANGES;
    method->parameters = parameters(from->parameters, adding->pool);
    method->required = from->required;
    method->returns =
        (mnet_parameter_t){from->returns.name, from->returns.type, from->returns.description};
    method->help = from->help ? from->help : "";
    method->handler = from->handler;
    method->baton = from->baton;
    rv = mnet_registry_add(adding->registry, adding->wwwroot, method);
    if (rv)
        mnet_log(adding->log, MNET_LOG_ERR, rv, "MNET0660",
                 "the method %s of the provider %s is not added for %s", from->path,
                 adding->provider, adding->wwwroot);
    return rv;
}

static server_rec *first_host(server_rec *s, const mnet_site_t *site)
{
    while (s && mnet_conf_get(s)->site != site)
        s = s->next;
    return s;
}

void mnet_providers_add(mnet_registry_t *registry, server_rec *s, const mnet_log_t *log,
                        apr_pool_t *pool)
{
    const apr_array_header_t *sites = mnet_conf_get(s)->global->sites;
    const apr_array_header_t *names =
        ap_list_provider_names(pool, MNET_SERVICE_GROUP, MNET_SERVICE_VERSION);
    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, ap_list_provider_names_t).provider_name;
        const mnet_service_provider_t *provider =
            ap_lookup_provider(MNET_SERVICE_GROUP, name, MNET_SERVICE_VERSION);
        for (int j = 0; provider && j < sites->nelts; j++) {
            const mnet_site_t *site = APR_ARRAY_IDX(sites, j, const mnet_site_t *);
            adding_t adding = {registry, site->wwwroot, name, log, pool};
            server_rec *host = first_host(s, site);
            apr_status_t rv = provider->add_methods
                                  ? provider->add_methods(host, site->wwwroot, add, &adding, pool)
                                  : APR_EINVAL;
            if (rv)
                mnet_log(log, MNET_LOG_ERR, rv, "MNET0661",
                         "the provider %s could not add its methods for %s; its module's own log "
                         "lines say why",
                         name, site->wwwroot);
        }
    }
}
