/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_typed.h"

#include <string.h>

#include <apr_strings.h>

#include "base/status.h"
#include "wire/base64.h"
#include "wire/json.h"

#define BASE64    "$base64"
#define DATETIME  "$dateTime"
#define STRUCTURE "$struct"

/* The largest whole number up to which each has a double of its own: what JavaScript calls safe. */
#define SAFE ((APR_INT64_C(1) << 53) - 1)

static mnet_value_t *marked(const char *name, mnet_value_t *value, apr_pool_t *pool)
{
    mnet_value_t *mark = mnet_struct(pool);

    mnet_set(mark, name, value);
    return mark;
}

/* A struct that could be taken for a mark. */
static int looks_marked(const mnet_value_t *value)
{
    const char *name = mnet_count(value) == 1 ? mnet_item_name(value, 0) : NULL;

    return name && name[0] == '$';
}

typedef mnet_value_t *change_fn(mnet_value_t *value, const char **why, int depth, apr_pool_t *pool);

/* A container with each of its values changed; itself if none was.  NULL if one says NULL. */
static mnet_value_t *change_all(mnet_value_t *value, change_fn *change, const char **why, int depth,
                                apr_pool_t *pool)
{
    mnet_value_t *changed = value;
    int i;

    for (i = 0; i < mnet_count(value); i++) {
        mnet_value_t *old = mnet_item(value, i), *new = change(old, why, depth + 1, pool);

        if (!new) {
            return NULL;
        }
        if (new == old) {
            continue;
        }
        if (changed == value) {
            changed = apr_pmemdup(pool, value, sizeof(*value));
            changed->items = apr_array_copy(pool, value->items);
        }
        if (value->type == MNET_STRUCT) {
            APR_ARRAY_IDX(changed->items, i, mnet_member_t).value = new;
        } else {
            APR_ARRAY_IDX(changed->items, i, mnet_value_t *) = new;
        }
    }
    return changed;
}

static mnet_value_t *mark(mnet_value_t *value, const char **why, int depth, apr_pool_t *pool)
{
    if (!value) {
        return mnet_nil(pool);
    }
    switch (value->type) {
    case MNET_BASE64: /* which mnet_value_to_json writes as its base64 text */
        return marked(BASE64, value, pool);
    case MNET_DATETIME:
        return marked(DATETIME, value, pool);
    case MNET_INT:
        return value->integer > SAFE || value->integer < -SAFE
                   ? mnet_string(apr_psprintf(pool, "%" APR_INT64_T_FMT, value->integer), pool)
                   : value;
    case MNET_ARRAY:
    case MNET_STRUCT:
        /* The writer refuses what is nested so deep. */
        if (depth <= MNET_JSON_DEPTH) {
            mnet_value_t *changed = change_all(value, mark, why, depth, pool);

            return looks_marked(value) ? marked(STRUCTURE, changed, pool) : changed;
        }
        return value;
    default:
        return value;
    }
}

mnet_value_t *mnet_json_mark(mnet_value_t *value, apr_pool_t *pool)
{
    const char *why;

    return mark(value, &why, 0, pool);
}

/* --- reading --- */

static mnet_value_t *read_base64(const mnet_value_t *text, const char **why, apr_pool_t *pool)
{
    mnet_value_t *value = apr_pcalloc(pool, sizeof(*value));
    mnet_base64_decoder_t decoder;
    mnet_spool_t *spool = mnet_spool_create(0, NULL, pool);
    mnet_sink_t bytes = {mnet_spool_write, spool}, to = {mnet_base64_decode, &decoder};
    apr_status_t rv;

    value->type = MNET_BASE64;
    mnet_base64_decoder_init(&decoder, &bytes);
    rv = mnet_value_pour(text, &to);
    if (rv == APR_SUCCESS) {
        rv = mnet_base64_decode_end(&decoder);
    }
    if (rv != APR_SUCCESS) {
        *why = rv == MNET_E_BASE64 ? "a \"" BASE64 "\" that is no base64"
                                   : "a \"" BASE64 "\" that could not be kept";
        return NULL;
    }
    value->data = mnet_spool_text(spool);
    value->len = value->data ? (apr_size_t)mnet_spool_length(spool) : 0;
    value->spool = value->data ? NULL : spool;
    return value;
}

static mnet_value_t *unmark(mnet_value_t *value, const char **why, int depth, apr_pool_t *pool);

static mnet_value_t *unmark_struct(mnet_value_t *value, const char **why, int depth,
                                   apr_pool_t *pool)
{
    const char *name = mnet_item_name(value, 0);
    mnet_value_t *inside = mnet_item(value, 0), *date;
    int is_base64 = !strcmp(name, BASE64);

    if (!strcmp(name, STRUCTURE) && inside && inside->type == MNET_STRUCT) {
        return change_all(inside, unmark, why, depth, pool);
    }
    if (!is_base64 && strcmp(name, DATETIME) != 0) {
        return change_all(value, unmark, why, depth, pool);
    }
    if (!inside || inside->type != MNET_STRING) {
        *why = apr_psprintf(pool, "a \"%s\" that is no text", name);
        return NULL;
    }
    if (is_base64) {
        return read_base64(inside, why, pool);
    }
    date = apr_pmemdup(pool, inside, sizeof(*inside));
    date->type = MNET_DATETIME;
    return date;
}

static mnet_value_t *unmark(mnet_value_t *value, const char **why, int depth, apr_pool_t *pool)
{
    if (value->type == MNET_STRUCT && looks_marked(value)) {
        return unmark_struct(value, why, depth, pool);
    }
    if (value->type == MNET_STRUCT || value->type == MNET_ARRAY) {
        return change_all(value, unmark, why, depth, pool);
    }
    return value;
}

mnet_value_t *mnet_json_unmark(mnet_value_t *value, const char **why, apr_pool_t *pool)
{
    *why = "";
    return unmark(value, why, 0, pool);
}

/* Each value but the first follows a comma, a colon or an opening bracket. */
static int too_many(const char *text, apr_size_t len)
{
    int in_string = 0, values = 1;
    apr_size_t i;

    for (i = 0; i < len && values <= MNET_JSON_VALUES; i++) {
        if (in_string && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            in_string = !in_string;
        } else if (!in_string) {
            values += text[i] == ',' || text[i] == ':' || text[i] == '[' || text[i] == '{';
        }
    }
    return values > MNET_JSON_VALUES;
}

mnet_value_t *mnet_json_read(const char *text, apr_size_t len, const char **why, apr_pool_t *pool)
{
    mnet_value_t *value = NULL;

    if (too_many(text, len)) {
        *why = "more values than anybody needs";
        return NULL;
    }
    return mnet_value_from_json(text, len, &value, why, pool) ? NULL
                                                              : mnet_json_unmark(value, why, pool);
}
