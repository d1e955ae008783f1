/* SPDX-License-Identifier: Apache-2.0 */
/* A package while it is opened: what went wrong with it, and what is known of it already. */
#include "package/package_int.h"

#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"

/* Notes in a report: the first ones tell what is going on. */
#define NOTES_MOST 100

apr_status_t mnet_opening_fail(mnet_opening_t *opening, apr_status_t rv, const char *fmt, ...)
{
    va_list args;

    if (!opening->why) {
        va_start(args, fmt);
        opening->why = apr_pvsprintf(opening->pool, fmt, args);
        va_end(args);
    }
    return rv;
}

void mnet_opening_note(mnet_opening_t *opening, const char *fmt, ...)
{
    apr_array_header_t *problems = opening->package->problems;
    va_list args;

    if (problems->nelts < NOTES_MOST) {
        va_start(args, fmt);
        APR_ARRAY_PUSH(problems, const char *) = apr_pvsprintf(opening->pool, fmt, args);
        va_end(args);
    } else if (problems->nelts == NOTES_MOST) {
        APR_ARRAY_PUSH(problems, const char *) = "and more of the kind";
    }
}

const char *mnet_opening_quote(const mnet_opening_t *opening, const char *name)
{
    return mnet_for_log(name, strlen(name), 100, opening->pool);
}

apr_status_t mnet_opening_stop(mnet_opening_t *opening)
{
    const mnet_package_source_t *source = opening->source;

    if (source->stop && source->stop(source->stop_baton)) {
        return mnet_opening_fail(opening, MNET_E_BUSY, "this server is stopping");
    }
    return APR_SUCCESS;
}

apr_status_t mnet_opening_disk(mnet_opening_t *opening, apr_status_t rv)
{
    char text[100];

    if (APR_STATUS_IS_ENOSPC(rv) || rv == EDQUOT) {
        return mnet_opening_fail(opening, rv, "there is no room for it on this server");
    }
    return mnet_opening_fail(opening, rv, "it cannot be written on this server (%s)",
                             mnet_strerror(rv, text, sizeof(text)));
}

const mnet_package_file_t *mnet_opening_find(mnet_opening_t *opening, const char *path)
{
    const apr_array_header_t *files = opening->package->files;
    int i;

    if (!opening->by_path) {
        opening->by_path = apr_hash_make(opening->pool);
        for (i = 0; i < files->nelts; i++) {
            const mnet_package_file_t *file = &APR_ARRAY_IDX(files, i, mnet_package_file_t);

            apr_hash_set(opening->by_path, file->path, APR_HASH_KEY_STRING, file);
        }
    }
    return apr_hash_get(opening->by_path, path, APR_HASH_KEY_STRING);
}
