/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a struct that a peer sent: types as PHP is loose with them, bounds, and refusals that
 * name the field. */
#include <apr_lib.h>
#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "school/ledger_words_in.h"
#include "service/account.h"

#define FIELDS_MAX     MNET_LEDGER_FIELDS
#define FIELD_NAME_MAX 100

apr_status_t mnet_said_refuse(const mnet_said_t *said, int fault, const char *name, const char *fmt,
                              ...)
{
    mnet_ledger_t *ledger = said->ledger;
    const char *why;
    va_list ap;

    va_start(ap, fmt);
    why = apr_pvsprintf(ledger->pool, fmt, ap);
    va_end(ap);
    return mnet_ledger_refuse(ledger, fault, apr_pstrcat(ledger->pool, said->where, name, NULL),
                              "%s", why);
}

static apr_status_t bad(const mnet_said_t *said, const char *name, const char *why)
{
    return mnet_said_refuse(said, MNET_LEDGER_BAD_FIELD, name, "%s", why);
}

/* Is anything said?  PHP's null travels as an empty text. */
static int is_there(const mnet_value_t *value)
{
    return value && value->type != MNET_NIL &&
           !(value->type == MNET_STRING && !value->spool && !value->len);
}

apr_status_t mnet_said_struct(const mnet_said_t *said, const char *name)
{
    return said->data && said->data->type == MNET_STRUCT ? APR_SUCCESS
                                                         : bad(said, name, "a struct is expected");
}

/* Text, or a number that PHP made of it.  "": something that is neither. */
static const char *as_text(const mnet_value_t *value, apr_pool_t *pool)
{
    return value->type == MNET_STRING || value->type == MNET_INT || value->type == MNET_DOUBLE
               ? mnet_as_text(value, pool)
               : NULL;
}

apr_status_t mnet_said_text(const mnet_said_t *said, const char *name, int required, int characters,
                            const char **text)
{
    const mnet_value_t *value = mnet_get(said->data, name);
    const char *problem;
    char *trimmed;

    *text = NULL;
    if (!is_there(value)) {
        return required ? bad(said, name, value ? "it is empty" : "it is missing") : APR_SUCCESS;
    }
    if (value->spool) {
        return bad(said, name, "it is too long");
    }
    *text = as_text(value, said->ledger->pool);
    if (!*text) {
        return bad(said, name, "a text is expected");
    }
    problem = mnet_ledger_text_problem(*text, characters);
    if (problem) {
        return bad(said, name, problem);
    }
    trimmed = apr_pstrdup(said->ledger->pool, *text);
    trimmed += strspn(trimmed, " ");
    for (apr_size_t len = strlen(trimmed); len && trimmed[len - 1] == ' '; len--) {
        trimmed[len - 1] = '\0';
    }
    *text = *trimmed ? trimmed : NULL;
    return *text || !required ? APR_SUCCESS : bad(said, name, "it is empty");
}

apr_status_t mnet_said_int(const mnet_said_t *said, const char *name, int required,
                           apr_int64_t least, apr_int64_t most, apr_int64_t otherwise, int *number)
{
    const mnet_value_t *value = mnet_get(said->data, name);
    apr_int64_t n = otherwise;

    *number = (int)otherwise;
    if (!is_there(value)) {
        return required ? bad(said, name, "it is missing") : APR_SUCCESS;
    }
    if (value->type == MNET_BOOLEAN || value->type == MNET_BASE64 || !mnet_as_int(value, &n)) {
        return bad(said, name, "a whole number is expected");
    }
    if (n < least || n > most) {
        return mnet_said_refuse(said, MNET_LEDGER_BAD_FIELD, name,
                                "it is not from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT, least,
                                most);
    }
    *number = (int)n;
    return APR_SUCCESS;
}

apr_status_t mnet_said_number(const mnet_said_t *said, const char *name, int required, double least,
                              double most, double *number)
{
    const mnet_value_t *value = mnet_get(said->data, name);

    *number = 0;
    if (!is_there(value)) {
        return required ? bad(said, name, "it is missing") : APR_SUCCESS;
    }
    if (value->type == MNET_BOOLEAN || value->type == MNET_BASE64 ||
        !mnet_as_double(value, number)) {
        return bad(said, name, "a number is expected");
    }
    /* No comparison holds for what is no number. */
    if (!(*number >= least && *number <= most)) {
        return bad(said, name, *number < least ? "it is negative" : "it is too great");
    }
    return APR_SUCCESS;
}

apr_status_t mnet_said_truth(const mnet_said_t *said, const char *name, int *truth)
{
    const mnet_value_t *value = mnet_get(said->data, name);
    apr_int64_t n = 0;

    *truth = 0;
    if (!is_there(value)) {
        return APR_SUCCESS;
    }
    if (value->type == MNET_BASE64 || !mnet_as_int(value, &n) || (n != 0 && n != 1)) {
        return bad(said, name, "a boolean is expected");
    }
    *truth = (int)n;
    return APR_SUCCESS;
}

/* A hash of a password is of no use here, and a danger: it is not kept at all. */
static int is_secret(const char *name)
{
    return !strncasecmp(name, "password", 8) || !strcasecmp(name, "secret");
}

static int is_own(const char *name)
{
    return !strcmp(name, "username") || !strcmp(name, "idnumber") || is_secret(name);
}

/* What lists and spreadsheets show of somebody. */
static int is_shown(const char *name)
{
    return !strcmp(name, "firstname") || !strcmp(name, "lastname") || !strcmp(name, "email");
}

static apr_status_t one_field(const mnet_said_t *said, const char *name, const mnet_value_t *value,
                              apr_size_t *total, apr_array_header_t *fields)
{
    const char *text;
    apr_size_t len;

    if (value->type == MNET_ARRAY || value->type == MNET_STRUCT || value->type == MNET_BASE64) {
        return bad(said, name, "a text is expected");
    }
    if (value->spool) {
        return bad(said, name, "it is too long");
    }
    text = value->type == MNET_BOOLEAN ? (value->integer ? "1" : "0")
                                       : mnet_as_text(value, said->ledger->pool);
    len = text ? strlen(text) : 0;
    if (!text || !mnet_is_utf8(text, len)) {
        return bad(said, name, "it is not UTF-8, or has a NUL in it");
    }
    if (len > MNET_FIELD_MAX || len > MNET_PROFILE_MAX - *total) {
        return bad(said, name, "it is too long");
    }
    if (is_shown(name)) {
        const char *problem = mnet_ledger_text_problem(text, MNET_LEDGER_NAME_MAX);

        if (problem) {
            return bad(said, name, problem);
        }
    }
    *total += len;
    APR_ARRAY_PUSH(fields, mnet_attribute_t) =
        (mnet_attribute_t){name, apr_pstrdup(said->ledger->pool, text)};
    return APR_SUCCESS;
}

apr_status_t mnet_said_profile(const mnet_said_t *said, const apr_array_header_t **fields)
{
    apr_pool_t *pool = said->ledger->pool;
    apr_array_header_t *list = apr_array_make(pool, 8, sizeof(mnet_attribute_t));
    apr_size_t total = 0;
    apr_status_t rv = APR_SUCCESS;

    *fields = list;
    for (int i = 0; !rv && i < mnet_count(said->data); i++) {
        const char *name = mnet_item_name(said->data, i);
        const mnet_value_t *value = mnet_item(said->data, i);

        if (!name || !value || is_own(name) || (said->lenient && list->nelts >= FIELDS_MAX)) {
            continue;
        }
        if (list->nelts >= FIELDS_MAX) {
            return bad(said, "userdata", "there are more than 100 fields");
        }
        if (!*name || strlen(name) > FIELD_NAME_MAX || !mnet_is_utf8(name, strlen(name))) {
            return bad(said, mnet_for_log(name, strlen(name), 40, pool),
                       "the name of the field is empty or too long");
        }
        rv = one_field(said, name, value, &total, list);
        rv = rv == MNET_E_REFUSED && said->lenient ? APR_SUCCESS : rv;
    }
    return rv;
}
