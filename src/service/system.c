/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/call.h"
#include "service/services.h"
#include "service/system_keyswap.h"
#include "trust/policy.h"

/* Those who know a pattern's methods are asked no longer than this, one after another: the caller
 * waits. */
#define ASKING_MAX apr_time_from_sec(15)

static const mnet_registry_t *registry_of(const mnet_call_t *call)
{
    return call->host->engine->registry;
}

/* May the caller call it? */
static int available(const mnet_call_t *call, const mnet_method_t *method)
{
    return method && (!strcmp(method->service, "system") ||
                      mnet_policy_publishes(call->peer, method->service));
}

/* The methods that a pattern stands for, as far as they are not registered by themselves. */
static void list_pattern(const mnet_call_t *call, const mnet_method_t *pattern)
{
    const char *wwwroot = call->host->site->wwwroot;
    apr_array_header_t *paths = apr_array_make(call->pool, 8, sizeof(const char *));
    int i;

    if (!pattern->asks) {
        return;
    }
    pattern->asks->list(call->host, pattern, paths, call->pool);
    for (i = 0; i < paths->nelts; i++) {
        const char *path = APR_ARRAY_IDX(paths, i, const char *);

        if (mnet_registry_find(registry_of(call), wwwroot, path) == pattern) {
            mnet_append(call->result, mnet_string(path, call->pool));
        }
    }
}

/* The paths that the caller may call; with a parameter, those of that service alone. */
static apr_status_t list_methods(mnet_call_t *call, void *baton)
{
    const char *only = mnet_call_text(call, 0);
    apr_array_header_t *methods =
        mnet_registry_list(registry_of(call), call->host->site->wwwroot, call->pool);
    apr_time_t until = apr_time_now() + ASKING_MAX;
    int i;

    call->result = mnet_array(call->pool);
    for (i = 0; i < methods->nelts; i++) {
        const mnet_method_t *method = APR_ARRAY_IDX(methods, i, const mnet_method_t *);

        if ((only && *only && strcmp(only, method->service)) ||
            !strcmp(method->service, "system") || !available(call, method)) {
            continue;
        }
        if (strchr(method->path, '*')) {
            if (apr_time_now() < until) {
                list_pattern(call, method);
            }
        } else {
            mnet_append(call->result, mnet_string(method->path, call->pool));
        }
    }
    return APR_SUCCESS;
}

static const mnet_method_t *named_method(const mnet_call_t *call)
{
    const char *path = mnet_call_text(call, 0);
    const mnet_method_t *method =
        path ? mnet_registry_find(registry_of(call), call->host->site->wwwroot, path) : NULL;

    return available(call, method) ? method : NULL;
}

static mnet_description_t described(const mnet_call_t *call, const mnet_method_t *method)
{
    mnet_description_t known = {method->parameters, method->returns, method->help};

    if (method->asks) {
        method->asks->describe(call->host, method, mnet_call_text(call, 0), &known, call->pool);
    }
    return known;
}

static mnet_value_t *type_of(const mnet_parameter_t *parameter, apr_pool_t *pool)
{
    mnet_value_t *type = mnet_struct(pool);

    if (parameter->name) {
        mnet_set(type, "name", mnet_string(parameter->name, pool));
    }
    mnet_set(type, "type", mnet_string(parameter->type, pool));
    mnet_set(type, "description", mnet_string(parameter->description, pool));
    return type;
}

/* As Moodle answers: {parameters: [{name, type, description}], return: {type, description}}. */
static apr_status_t method_signature(mnet_call_t *call, void *baton)
{
    const mnet_method_t *method = named_method(call);
    const mnet_parameter_t *parameter;
    mnet_description_t known;
    mnet_value_t *parameters;

    if (!method) {
        call->result = mnet_boolean(0, call->pool);
        return APR_SUCCESS;
    }
    known = described(call, method);
    parameters = mnet_array(call->pool);
    for (parameter = known.parameters; parameter && parameter->name; parameter++) {
        mnet_append(parameters, type_of(parameter, call->pool));
    }
    known.returns.name = NULL;
    call->result = mnet_struct(call->pool);
    mnet_set(call->result, "parameters", parameters);
    mnet_set(call->result, "return", type_of(&known.returns, call->pool));
    return APR_SUCCESS;
}

static apr_status_t method_help(mnet_call_t *call, void *baton)
{
    const mnet_method_t *method = named_method(call);

    call->result = method ? mnet_string(described(call, method).help, call->pool)
                          : mnet_boolean(0, call->pool);
    return APR_SUCCESS;
}

static int has(const apr_array_header_t *names, const char *name)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(names, i, const char *), name)) {
            return 1;
        }
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every service that we publish to the caller or subscribe to there. */
static apr_status_t list_services(mnet_call_t *call, void *baton)
{
    const apr_array_header_t *subscribed = call->peer->facts->subscribe;
    apr_array_header_t *ours =
        mnet_registry_services(registry_of(call), call->host->site->wwwroot, call->pool);
    apr_array_header_t *names = apr_array_copy(call->pool, ours);
    int i;

    for (i = 0; subscribed && i < subscribed->nelts; i++) {
        const char *name = APR_ARRAY_IDX(subscribed, i, mnet_subscription_t).service;

        if (!has(names, name)) {
            APR_ARRAY_PUSH(names, const char *) = name;
        }
    }
    if (names->nelts > 1) {
        qsort(names->elts, (size_t)names->nelts, sizeof(const char *), by_name);
    }
    call->result = mnet_array(call->pool);
    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        int publish = has(ours, name) && mnet_policy_publishes(call->peer, name);
        int subscribe = mnet_policy_subscribes(call->peer, name);
        mnet_value_t *row;

        if (!publish && !subscribe) {
            continue;
        }
        row = mnet_struct(call->pool);
        mnet_set(row, "name", mnet_string(name, call->pool));
        mnet_set(row, "apiversion", mnet_string("1", call->pool));
        mnet_set(row, "publish", mnet_string(publish ? "1" : "0", call->pool));
        mnet_set(row, "subscribe", mnet_string(subscribe ? "1" : "0", call->pool));
        mnet_append(call->result, row);
    }
    return APR_SUCCESS;
}

static const mnet_parameter_t service_parameters[] = {
    {"service", "string", "the name of a service; without it, all of them"}, {NULL}};
static const mnet_parameter_t method_parameters[] = {{"method", "string", "the path of a method"},
                                                     {NULL}};
static const mnet_parameter_t keyswap_parameters[] = {
    {"wwwroot", "string", "of the caller"},
    {"certificate", "string", "of the caller, PEM"},
    {"application", "string", "what the caller takes this site for"},
    {NULL}};
static const mnet_parameter_t no_parameters[] = {{NULL}};

static const mnet_method_t methods[] = {
    {"system/listMethods",
     "system",
     MNET_METHOD_READS,
     service_parameters,
     0,
     {NULL, "array", "the paths of the methods that the caller may call"},
     "Lists the methods that are published to the caller.",
     list_methods},
    {"system/methodSignature",
     "system",
     MNET_METHOD_READS,
     method_parameters,
     1,
     {NULL, "struct", "parameters and return; false if the caller may not call it"},
     "Tells the parameters of a method and what it returns.",
     method_signature},
    {"system/methodHelp",
     "system",
     MNET_METHOD_READS,
     method_parameters,
     1,
     {NULL, "string", "the text; false if the caller may not call it"},
     "Tells what a method is for.",
     method_help},
    {"system/listServices",
     "system",
     MNET_METHOD_READS,
     no_parameters,
     0,
     {NULL, "array", "of struct: name, apiversion, publish, subscribe"},
     "Lists the services between this site and the caller.",
     list_services},
    {"system/keyswap",
     "system",
     MNET_METHOD_READS,
     keyswap_parameters,
     0,
     {NULL, "string", "the certificate of this site, PEM"},
     "Gives out this site's certificate.",
     mnet_system_keyswap},
};

apr_status_t mnet_service_system(mnet_registry_t *registry)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = 0; !rv && i < sizeof(methods) / sizeof(methods[0]); i++) {
        rv = mnet_registry_add(registry, NULL, &methods[i]);
    }
    return rv;
}
