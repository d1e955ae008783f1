/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/value.h"

#include <string.h>

#include <apr_strings.h>

#include "base/number.h"

/* --- making --- */

static mnet_value_t *make(mnet_type_e type, apr_pool_t *pool)
{
    mnet_value_t *value = apr_pcalloc(pool, sizeof(*value));

    value->type = type;
    return value;
}

mnet_value_t *mnet_nil(apr_pool_t *pool)
{
    return make(MNET_NIL, pool);
}

mnet_value_t *mnet_string(const char *text, apr_pool_t *pool)
{
    return text ? mnet_string_n(text, strlen(text), pool) : mnet_string_n("", 0, pool);
}

mnet_value_t *mnet_string_n(const char *data, apr_size_t len, apr_pool_t *pool)
{
    mnet_value_t *value = make(MNET_STRING, pool);

    value->data = apr_pstrmemdup(pool, data, len);
    value->len = len;
    return value;
}

mnet_value_t *mnet_string_spool(mnet_spool_t *spool, apr_pool_t *pool)
{
    mnet_value_t *value = make(MNET_STRING, pool);

    value->spool = spool;
    return value;
}

mnet_value_t *mnet_string_plain(mnet_spool_t *spool, apr_pool_t *pool)
{
    mnet_value_t *value = mnet_string_spool(spool, pool);

    value->plain = 1;
    return value;
}

mnet_value_t *mnet_int(apr_int64_t integer, apr_pool_t *pool)
{
    mnet_value_t *value = make(MNET_INT, pool);

    value->integer = integer;
    return value;
}

mnet_value_t *mnet_boolean(int truth, apr_pool_t *pool)
{
    mnet_value_t *value = make(MNET_BOOLEAN, pool);

    value->integer = truth != 0;
    return value;
}

mnet_value_t *mnet_double(double real, apr_pool_t *pool)
{
    mnet_value_t *value = make(MNET_DOUBLE, pool);

    value->real = real;
    return value;
}

mnet_value_t *mnet_array(apr_pool_t *pool)
{
    mnet_value_t *value = make(MNET_ARRAY, pool);

    value->items = apr_array_make(pool, 2, sizeof(mnet_value_t *));
    return value;
}

mnet_value_t *mnet_struct(apr_pool_t *pool)
{
    mnet_value_t *value = make(MNET_STRUCT, pool);

    value->items = apr_array_make(pool, 4, sizeof(mnet_member_t));
    return value;
}

void mnet_append(mnet_value_t *array, mnet_value_t *item)
{
    APR_ARRAY_PUSH(array->items, mnet_value_t *) = item;
}

static mnet_member_t *find(const mnet_value_t *structure, const char *name, apr_size_t len)
{
    int i;

    for (i = 0; i < structure->items->nelts; i++) {
        mnet_member_t *member = &APR_ARRAY_IDX(structure->items, i, mnet_member_t);

        if (member->name_len == len && !memcmp(member->name, name, len)) {
            return member;
        }
    }
    return NULL;
}

void mnet_set(mnet_value_t *structure, const char *name, mnet_value_t *value)
{
    apr_size_t len = strlen(name);
    mnet_member_t *member = find(structure, name, len);

    if (!member) {
        member = apr_array_push(structure->items);
        member->name = apr_pstrmemdup(structure->items->pool, name, len);
        member->name_len = len;
    }
    member->value = value;
}

/* --- reading --- */

static int is_container(const mnet_value_t *value)
{
    return value && (value->type == MNET_ARRAY || value->type == MNET_STRUCT);
}

static int is_text(const mnet_value_t *value)
{
    return value && (value->type == MNET_STRING || value->type == MNET_BASE64 ||
                     value->type == MNET_DATETIME);
}

int mnet_count(const mnet_value_t *value)
{
    return is_container(value) ? value->items->nelts : 0;
}

mnet_value_t *mnet_item(const mnet_value_t *value, int index)
{
    if (index < 0 || index >= mnet_count(value)) {
        return NULL;
    }
    return value->type == MNET_ARRAY ? APR_ARRAY_IDX(value->items, index, mnet_value_t *)
                                     : APR_ARRAY_IDX(value->items, index, mnet_member_t).value;
}

const char *mnet_item_name(const mnet_value_t *structure, int index)
{
    if (index < 0 || index >= mnet_count(structure) || structure->type != MNET_STRUCT) {
        return NULL;
    }
    return APR_ARRAY_IDX(structure->items, index, mnet_member_t).name;
}

mnet_value_t *mnet_get(const mnet_value_t *structure, const char *name)
{
    mnet_member_t *member;

    if (!structure || structure->type != MNET_STRUCT) {
        return NULL;
    }
    member = find(structure, name, strlen(name));
    return member ? member->value : NULL;
}

/* Of a text: its bytes, if they are in memory. */
static const char *bytes_of(const mnet_value_t *value, apr_size_t *len)
{
    if (!value->spool) {
        *len = value->len;
        return value->data;
    }
    *len = (apr_size_t)mnet_spool_length(value->spool);
    return mnet_spool_text(value->spool);
}

const char *mnet_as_text(const mnet_value_t *value, apr_pool_t *pool)
{
    char number[MNET_DOUBLE_TEXT];
    const char *data;
    apr_size_t len;

    if (!value) {
        return NULL;
    }
    switch (value->type) {
    case MNET_NIL:
        return "";
    case MNET_INT:
        return apr_psprintf(pool, "%" APR_INT64_T_FMT, value->integer);
    case MNET_BOOLEAN:
        return value->integer ? "1" : "";
    case MNET_DOUBLE:
        return apr_pstrdup(pool, mnet_format_double(value->real, number));
    case MNET_STRING:
    case MNET_BASE64:
    case MNET_DATETIME:
        data = bytes_of(value, &len);
        return data && !memchr(data, '\0', len) ? data : NULL;
    default:
        return NULL;
    }
}

/* Without a fraction, and small enough that the conversion is defined. */
static int whole(double real, apr_int64_t *integer)
{
    apr_int64_t n;

    if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0)) {
        return 0;
    }
    n = (apr_int64_t)real;
    if ((double)n != real) {
        return 0;
    }
    *integer = n;
    return 1;
}

int mnet_as_int(const mnet_value_t *value, apr_int64_t *integer)
{
    const char *data;
    apr_size_t len;

    if (!value) {
        return 0;
    }
    if (value->type == MNET_INT || value->type == MNET_BOOLEAN) {
        *integer = value->integer;
        return 1;
    }
    if (value->type == MNET_DOUBLE) {
        return whole(value->real, integer);
    }
    data = is_text(value) ? bytes_of(value, &len) : NULL;
    return data && mnet_parse_int(data, len, integer);
}

int mnet_as_double(const mnet_value_t *value, double *real)
{
    const char *data;
    apr_size_t len;

    if (!value) {
        return 0;
    }
    if (value->type == MNET_INT || value->type == MNET_BOOLEAN) {
        *real = (double)value->integer;
        return 1;
    }
    if (value->type == MNET_DOUBLE) {
        *real = value->real;
        return 1;
    }
    data = is_text(value) ? bytes_of(value, &len) : NULL;
    return data && mnet_parse_double(data, len, real);
}

int mnet_as_truth(const mnet_value_t *value)
{
    const char *data;
    apr_size_t len;

    if (!value) {
        return 0;
    }
    switch (value->type) {
    case MNET_NIL:
        return 0;
    case MNET_INT:
    case MNET_BOOLEAN:
        return value->integer != 0;
    case MNET_DOUBLE:
        return value->real != 0;
    case MNET_ARRAY:
    case MNET_STRUCT:
        return value->items->nelts != 0;
    default:
        data = bytes_of(value, &len);
        return len && !(data && len == 1 && data[0] == '0');
    }
}

apr_status_t mnet_value_pour(const mnet_value_t *value, const mnet_sink_t *to)
{
    if (!is_text(value)) {
        return APR_EINVAL;
    }
    return value->spool ? mnet_spool_pour(value->spool, to)
                        : mnet_sink_write(to, value->data, value->len);
}
