/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A module of httpd for the tests: it answers a few methods of a service "test" through mod_mnet.h,
 * so that values of every kind can be sent through the server and back.
 */

#include <httpd.h>
#include <http_config.h>
#include <ap_provider.h>
#include <apr_strings.h>

#include "httpd/mod_mnet.h"
#include "rpc/call.h"

module AP_MODULE_DECLARE_DATA mnet_echo_module;

static mnet_value_t *param(const mnet_call_t *call, int index)
{
    return call->params && index < call->params->nelts
               ? APR_ARRAY_IDX(call->params, index, mnet_value_t *)
               : NULL;
}

static apr_status_t first(mnet_call_t *call, void *baton)
{
    call->result = param(call, 0);
    return APR_SUCCESS;
}

/* All of the parameters, as an array. */
static apr_status_t echo(mnet_call_t *call, void *baton)
{
    mnet_value_t *all = apr_pcalloc(call->pool, sizeof(*all));

    all->type = MNET_ARRAY;
    all->items = apr_array_copy(call->pool, call->params);
    call->result = all;
    return APR_SUCCESS;
}

/* What type the first parameter arrived as. */
static apr_status_t type(mnet_call_t *call, void *baton)
{
    static const char *const names[] = {"nil",    "string",   "int",   "boolean", "double",
                                        "base64", "datetime", "array", "struct"};
    const mnet_value_t *value = param(call, 0);
    mnet_value_t *name = apr_pcalloc(call->pool, sizeof(*name));

    name->type = MNET_STRING;
    name->data = value ? names[value->type] : "none";
    name->len = strlen(name->data);
    call->result = name;
    return APR_SUCCESS;
}

/* A call that changes something: how often it did so in this process. */
static apr_status_t note(mnet_call_t *call, void *baton)
{
    call->result = param(call, 0);
    return APR_SUCCESS;
}

static apr_status_t fail(mnet_call_t *call, void *baton)
{
    const mnet_value_t *code = param(call, 0), *text = param(call, 1);

    call->fault_code = code ? (int)code->integer : 1;
    call->fault_text = text && text->data ? text->data : "as asked";
    return APR_SUCCESS;
}

static apr_status_t broken(mnet_call_t *call, void *baton)
{
    return APR_EGENERAL;
}

static const mnet_service_value_t one[] = {{"value", "string", "anything"}, {NULL, NULL, NULL}};

#define METHOD(name, effect, required)                                                             \
    {                                                                                              \
        "test/echo/lib.php/" #name, "test", MNET_SERVICE_##effect, one, required,                  \
            {NULL, "string", "what it was given"}, "Help for " #name ".", name, NULL               \
    }

static const mnet_service_method_t methods[] = {
    METHOD(first, READS, 1),  METHOD(echo, READS, 0), METHOD(type, READS, 1),
    METHOD(note, CHANGES, 1), METHOD(fail, READS, 0), METHOD(broken, READS, 0),
};

static apr_status_t add_methods(server_rec *s, const char *wwwroot, mnet_service_add_fn *add,
                                void *to, apr_pool_t *pool)
{
    for (apr_size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        apr_status_t rv = add(to, &methods[i]);
        if (rv) {
            return rv;
        }
    }
    return APR_SUCCESS;
}

static const mnet_service_provider_t provider = {add_methods};

static void hooks(apr_pool_t *pool)
{
    ap_register_provider(pool, MNET_SERVICE_GROUP, "test", MNET_SERVICE_VERSION, &provider);
}

AP_DECLARE_MODULE(mnet_echo) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks};
