/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A module whose author read nothing: NULL wherever one can be given, names that are none, errors.
 * None of it may do more harm than that its own methods are missing, or answer nothing.
 */

#include <httpd.h>
#include <http_config.h>
#include <ap_provider.h>

#include <mod_mnet.h>

static const mnet_api_t *api;

static void read_nothing(struct mnet_call_t *call, apr_pool_t *pool)
{
    struct mnet_value_t *array = api->make_array(pool), *structure = api->make_struct(pool);
    apr_int64_t integer = 0;
    double real = 0;

    api->kind(NULL);
    api->text(NULL, pool);
    api->integer(NULL, &integer);
    api->real(NULL, &real);
    api->truth(NULL);
    api->length(NULL);
    api->pour(NULL, NULL, NULL);
    api->count(NULL);
    api->item(NULL, 0);
    api->item(array, -1);
    api->name(NULL, 0);
    api->name(array, 0);
    api->member(NULL, "x");
    api->member(array, "x");
    api->set(structure, "x", NULL);
    api->member(structure, NULL);
    api->param(call, -1);
    api->param(call, 1000000);
}

static apr_status_t nothing(struct mnet_call_t *call, void *baton)
{
    apr_pool_t *pool = api->pool(call);
    struct mnet_value_t *all = api->make_array(pool), *structure = api->make_struct(pool);

    read_nothing(call, pool);
    api->append(NULL, NULL);
    api->append(structure, NULL);
    api->append(all, NULL);
    api->append(all, api->make_string(NULL, pool));
    api->append(all, api->make_datetime(NULL, pool));
    api->append(all, api->make_base64(NULL, 10, pool));
    api->set(NULL, "x", NULL);
    api->set(all, "x", NULL);
    api->set(structure, NULL, NULL);
    api->set(structure, "x", NULL);
    api->append(all, structure);
    return api->result(call, all);
}

static apr_status_t neither(struct mnet_call_t *call, void *baton)
{
    return APR_SUCCESS;
}

static apr_status_t in_itself(struct mnet_call_t *call, void *baton)
{
    struct mnet_value_t *array = api->make_array(api->pool(call));

    api->append(array, array);
    return api->result(call, array);
}

static apr_status_t no_text(struct mnet_call_t *call, void *baton)
{
    return api->fault(call, 7025, NULL);
}

static const mnet_service_value_t nameless[] = {{"a", NULL, NULL}, {"b", "", ""}, {NULL}};

static const mnet_service_method_t methods[] = {
    {"careless/lib/nothing", "careless", MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, nothing, NULL},
    {"careless/lib/neither", "careless", 77, NULL, -3, {NULL}, NULL, neither, NULL},
    {"careless/lib/in_itself", "careless", MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, in_itself},
    {"careless/lib/no_text", "careless", MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, no_text, NULL},
    {"careless/lib/typeless", "careless", MNET_SERVICE_READS, nameless, 9, {NULL}, NULL, neither},
    {"careless/lib/nothing", "careless", MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, nothing, NULL},
    {"careless/lib/handler", "careless", MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, NULL, NULL},
    {"careless/lib/no_service", NULL, MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, neither, NULL},
    {"careless/lib/bad_service", "a b\n", MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, neither, NULL},
    {"careless/lib/system", "system", MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, neither, NULL},
    {"system/listMethods", "careless", MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, neither, NULL},
    {"", "careless", MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, neither, NULL},
    {NULL, "careless", MNET_SERVICE_READS, NULL, 0, {NULL}, NULL, neither, NULL},
};

static apr_status_t add_methods(server_rec *s, const char *wwwroot, mnet_service_add_fn *add,
                                void *to, apr_pool_t *pool)
{
    for (apr_size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        add(to, &methods[i]);
    add(to, NULL);
    return APR_EGENERAL;
}

static const mnet_service_provider_t careless = {add_methods}, empty = {NULL};

static void retrieve(void)
{
    APR_OPTIONAL_FN_TYPE(mnet_api) *get = APR_RETRIEVE_OPTIONAL_FN(mnet_api);
    api = get && !get(0) && !get(-1) && !get(MNET_API_VERSION + 1) ? get(MNET_API_VERSION) : NULL;
}

static void hooks(apr_pool_t *pool)
{
    ap_hook_optional_fn_retrieve(retrieve, NULL, NULL, APR_HOOK_MIDDLE);
    ap_register_provider(pool, MNET_SERVICE_GROUP, "careless", MNET_SERVICE_VERSION, &careless);
    ap_register_provider(pool, MNET_SERVICE_GROUP, "empty", MNET_SERVICE_VERSION, &empty);
    /* A second one with the same methods. */
    ap_register_provider(pool, MNET_SERVICE_GROUP, "again", MNET_SERVICE_VERSION, &careless);
}

AP_DECLARE_MODULE(mnet_careless) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks,
};
