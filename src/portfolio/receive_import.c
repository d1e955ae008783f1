/* SPDX-License-Identifier: Apache-2.0 */
/* What "ready" says of its package (MNET protocol reference, 7.1, 7.3), as an arrival. */
#include "portfolio/receive_int.h"

#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "portfolio/location.h"
#include "rpc/fault.h"

#define FORMAT_MAX         50
#define FILENAME_MAX_BYTES 1024

static const char *hex40(const mnet_value_t *value, apr_pool_t *pool)
{
    const char *text = mnet_as_text(value, pool);
    char *lower = text ? apr_pstrdup(pool, text) : NULL;

    if (!text || strlen(text) != 40 || strspn(text, "0123456789abcdefABCDEF") != 40) {
        return NULL;
    }
    for (char *at = lower; *at; at++) {
        *at = (char)(*at >= 'A' && *at <= 'F' ? *at + ('a' - 'A') : *at);
    }
    return lower;
}

/* A size that was said, or -1; *bad if it is none. */
static apr_off_t size_of(const mnet_value_t *value, int *bad)
{
    apr_int64_t size = -1;

    if (value && (!mnet_as_int(value, &size) || size < 0)) {
        *bad = 1;
    }
    return size;
}

/* NULL, or what is wrong with it. */
static const char *read_manifest(const mnet_value_t *value, mnet_arrival_t *arrival,
                                 apr_pool_t *pool)
{
    int count = mnet_count(value), bad = 0;
    apr_array_header_t *manifest;

    if (!value || (value->type != MNET_STRUCT && value->type != MNET_ARRAY) || !count) {
        return "Missing files manifest in import data";
    }
    if (count > mnet_package_limits_default.files) {
        return "Too many files in the manifest";
    }
    manifest = apr_array_make(pool, count, sizeof(mnet_package_expected_t));
    for (int i = 0; i < count; i++) {
        const mnet_value_t *one = mnet_item(value, i);
        mnet_package_expected_t *expected = apr_array_push(manifest);

        expected->filename = mnet_as_text(mnet_get(one, "filename"), pool);
        expected->sha1 = hex40(mnet_get(one, "sha1"), pool);
        expected->size = size_of(mnet_get(one, "size"), &bad);
        if (!expected->filename || !*expected->filename ||
            strlen(expected->filename) > FILENAME_MAX_BYTES || !expected->sha1 || bad) {
            return "A file of the manifest lacks its filename, its sha1 or its size";
        }
    }
    arrival->manifest = manifest;
    return NULL;
}

/* zipfilesha1, sizes.  strict: as a Mahara demands them. */
static const char *read_sizes(const mnet_value_t *data, int strict, apr_off_t max,
                              mnet_arrival_t *arrival, apr_pool_t *pool)
{
    int bad = 0;

    arrival->sha1 = hex40(mnet_get(data, "zipfilesha1"), pool);
    arrival->size = size_of(mnet_get(data, "zipfilesize"), &bad);
    arrival->total = size_of(mnet_get(data, "totalsize"), &bad);
    if (!arrival->sha1 && (strict || mnet_get(data, "zipfilesha1"))) {
        return "Missing zipfile sha1 in import data";
    }
    if (bad) {
        return "A size is no number";
    }
    if (strict && arrival->total < 0) {
        return "missing totalsize";
    }
    if (arrival->total > max || arrival->size > max) {
        return "Exceeded user quota";
    }
    return NULL;
}

int mnet_receive_send_content(mnet_call_t *call, mnet_arrival_t *arrival)
{
    const mnet_value_t *data = mnet_call_param(call, 3);
    apr_off_t max = call->host->site->portfolio->max_size;
    const char *problem;

    arrival->token = mnet_call_text(call, 0);
    arrival->format = mnet_call_text(call, 2);
    if (!arrival->format || !*arrival->format || strlen(arrival->format) > FORMAT_MAX ||
        !mnet_is_utf8(arrival->format, strlen(arrival->format))) {
        (void)mnet_call_fault(call, MNET_RECEIVE_DATA, "Invalid format %s",
                              mnet_say(arrival->format, call->pool));
        return 0;
    }
    problem = read_manifest(mnet_get(data, "filesmanifest"), arrival, call->pool);
    problem = problem ? problem : read_sizes(data, 1, max, arrival, call->pool);
    if (!problem) {
        return 1;
    }
    mnet_log(call->host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1013",
             "%s: what %s has ready for %s is refused: %s", call->host->site->wwwroot,
             call->peer->facts->wwwroot, mnet_say(mnet_call_text(call, 1), call->pool), problem);
    (void)mnet_call_fault(call, MNET_RECEIVE_DATA, "%s%s",
                          strcmp(problem, "Exceeded user quota") ? "Invalid importdata: " : "",
                          problem);
    return 0;
}

/* What content_ready says: id, location, and perhaps whether the user waits, and import data. */
int mnet_receive_content(mnet_call_t *call, mnet_arrival_t *arrival)
{
    const mnet_value_t *data = mnet_call_param(call, 3);
    const char *problem;

    arrival->token = mnet_call_text(call, 0);
    arrival->location = mnet_call_text(call, 1);
    arrival->format = mnet_as_text(mnet_get(data, "format"), call->pool);
    arrival->size = arrival->total = -1;
    problem = mnet_location_problem(call->peer->facts->wwwroot,
                                    arrival->location ? arrival->location : "", call->pool);
    if (arrival->format && (!*arrival->format || strlen(arrival->format) > FORMAT_MAX ||
                            !mnet_is_utf8(arrival->format, strlen(arrival->format)))) {
        arrival->format = NULL;
    }
    if (!problem && data && mnet_count(data)) {
        problem = mnet_get(data, "filesmanifest")
                      ? read_manifest(mnet_get(data, "filesmanifest"), arrival, call->pool)
                      : NULL;
        problem = problem ? problem
                          : read_sizes(data, 0, call->host->site->portfolio->max_size, arrival,
                                       call->pool);
    }
    if (!problem) {
        return 1;
    }
    mnet_log(call->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1014",
             "%s: a package of %s is refused: %s: %s", call->host->site->wwwroot,
             call->peer->facts->wwwroot, mnet_say(arrival->location, call->pool), problem);
    (void)mnet_call_fault(call, MNET_RECEIVE_DATA, "%s", problem);
    return 0;
}
