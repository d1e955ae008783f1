/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/module_api.h"

#include <httpd.h>
#include <http_config.h>
#include <apr_strings.h>

#include "httpd/mod_mnet.h"
#include "rpc/call.h"
#include "rpc/fault.h"

/* What a module sees and what the library has are the same numbers. */
_Static_assert((int)MNET_IS_NIL == (int)MNET_NIL && (int)MNET_IS_STRING == (int)MNET_STRING &&
                   (int)MNET_IS_INT == (int)MNET_INT && (int)MNET_IS_BOOLEAN == (int)MNET_BOOLEAN &&
                   (int)MNET_IS_DOUBLE == (int)MNET_DOUBLE &&
                   (int)MNET_IS_BASE64 == (int)MNET_BASE64 &&
                   (int)MNET_IS_DATETIME == (int)MNET_DATETIME &&
                   (int)MNET_IS_ARRAY == (int)MNET_ARRAY && (int)MNET_IS_STRUCT == (int)MNET_STRUCT,
               "the kinds of mod_mnet.h are the types of wire/value.h");

/* --- the call --- */

static apr_pool_t *pool_of(const mnet_call_t *call)
{
    return call->pool;
}

static const char *site_of(const mnet_call_t *call)
{
    return call->host->site->wwwroot;
}

static const char *caller_of(const mnet_call_t *call)
{
    return call->peer->facts->wwwroot;
}

static const char *application_of(const mnet_call_t *call)
{
    return call->peer->application->name;
}

static const char *method_of(const mnet_call_t *call)
{
    return call->path;
}

static const char *address_of(const mnet_call_t *call)
{
    return call->address;
}

static const char *request_id_of(const mnet_call_t *call)
{
    return call->id ? call->id : "-";
}

static int param_count(const mnet_call_t *call)
{
    return call->params ? call->params->nelts : 0;
}

/* --- reading --- */

static mnet_kind_e kind_of(const mnet_value_t *value)
{
    return value ? (mnet_kind_e)value->type : MNET_IS_NIL;
}

static const char *text_of(const mnet_value_t *value, apr_pool_t *pool)
{
    return value ? mnet_as_text(value, pool) : NULL;
}

static apr_status_t count_bytes(void *baton, const char *data, apr_size_t len)
{
    *(apr_off_t *)baton += (apr_off_t)len;
    return APR_SUCCESS;
}

static int has_bytes(const mnet_value_t *value)
{
    return value && (value->type == MNET_STRING || value->type == MNET_BASE64 ||
                     value->type == MNET_DATETIME);
}

static apr_off_t length_of(const mnet_value_t *value)
{
    apr_off_t length = 0;
    mnet_sink_t to = {count_bytes, &length};
    return has_bytes(value) && !mnet_value_pour(value, &to) ? length : 0;
}

static apr_status_t pour(const mnet_value_t *value, mnet_take_fn *take, void *baton)
{
    mnet_sink_t to = {take, baton};
    return has_bytes(value) ? mnet_value_pour(value, &to) : APR_SUCCESS;
}

static mnet_value_t *member(const mnet_value_t *structure, const char *name)
{
    return name ? mnet_get(structure, name) : NULL;
}

/* --- making --- */

static mnet_value_t *make_base64(const void *data, apr_size_t len, apr_pool_t *pool)
{
    mnet_value_t *value = mnet_string_n(data ? data : "", data ? len : 0, pool);
    value->type = MNET_BASE64;
    return value;
}

static mnet_value_t *make_datetime(const char *iso8601, apr_pool_t *pool)
{
    mnet_value_t *value = mnet_string(iso8601, pool);
    value->type = MNET_DATETIME;
    return value;
}

static void append(mnet_value_t *array, mnet_value_t *item)
{
    if (array && array->type == MNET_ARRAY)
        mnet_append(array, item ? item : mnet_nil(array->items->pool));
}

static void set(mnet_value_t *structure, const char *name, mnet_value_t *value)
{
    if (structure && structure->type == MNET_STRUCT && name)
        mnet_set(structure, name, value ? value : mnet_nil(structure->items->pool));
}

/* --- answering --- */

static apr_status_t result(mnet_call_t *call, mnet_value_t *value)
{
    call->result = value ? value : mnet_nil(call->pool);
    return APR_SUCCESS;
}

static apr_status_t fault(mnet_call_t *call, int code, const char *text)
{
    code = code == MNET_FAULT_KEY_CHANGED ? MNET_FAULT_INVALID : code;
    return mnet_call_fault(call, code, "%s", text ? text : mnet_fault_text(code));
}

static const mnet_api_t table = {
    .version = MNET_API_VERSION,
    .size = sizeof(mnet_api_t),
    .pool = pool_of,
    .site = site_of,
    .caller = caller_of,
    .application = application_of,
    .method = method_of,
    .address = address_of,
    .request_id = request_id_of,
    .param_count = param_count,
    .param = mnet_call_param,
    .kind = kind_of,
    .text = text_of,
    .integer = mnet_as_int,
    .real = mnet_as_double,
    .truth = mnet_as_truth,
    .length = length_of,
    .pour = pour,
    .count = mnet_count,
    .item = mnet_item,
    .name = mnet_item_name,
    .member = member,
    .make_nil = mnet_nil,
    .make_string = mnet_string,
    .make_int = mnet_int,
    .make_boolean = mnet_boolean,
    .make_double = mnet_double,
    .make_base64 = make_base64,
    .make_datetime = make_datetime,
    .make_array = mnet_array,
    .make_struct = mnet_struct,
    .append = append,
    .set = set,
    .result = result,
    .fault = fault,
};

static const mnet_api_t *mnet_api(int version)
{
    return version >= 1 && version <= MNET_API_VERSION ? &table : NULL;
}

void mnet_module_api_register(void)
{
    APR_REGISTER_OPTIONAL_FN(mnet_api);
}
