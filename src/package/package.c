/* SPDX-License-Identifier: Apache-2.0 */
#include "package/package_int.h"

#include <locale.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"

const mnet_package_limits_t mnet_package_limits_default = {
    10000, (apr_off_t)4 << 30, (apr_off_t)4 << 30, 200, 32, 200};

/* What the package is, once its files are there and are those that were announced. */
static apr_status_t find_format(mnet_opening_t *opening)
{
    mnet_package_t *package = opening->package;
    const char *said = opening->source->format, *format = NULL;
    int is_manifest = 0;
    apr_status_t rv = APR_SUCCESS;

    if (package->is_archive && !opening->source->manifest) {
        rv = mnet_manifest_text(opening, &is_manifest);
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_detect(opening, &format);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (said && !strncasecmp(said, "leap", 4) && (!format || strcmp(format, "leap2a"))) {
        return REFUSE(opening, "it is said to be %s, but there is no LEAP2A document in it",
                      mnet_opening_quote(opening, said));
    }
    if (format) {
        package->format = format;
        package->title = package->title ? package->title : opening->source->title;
        return APR_SUCCESS;
    }
    if (opening->source->manifest) {
        rv = mnet_manifest_rename(opening);
    }
    if (package->files->nelts == 1) {
        const mnet_package_file_t *file = &APR_ARRAY_IDX(package->files, 0, mnet_package_file_t);

        package->format = file->format;
        package->title = opening->source->title ? opening->source->title : file->path;
    } else {
        package->format = is_manifest || opening->source->manifest ? "manifest" : "file";
        package->title = opening->source->title;
    }
    return rv;
}

static apr_status_t open_package(mnet_opening_t *opening)
{
    const char *report;
    apr_status_t rv = mnet_names_claim(opening, MNET_PACKAGE_REPORT, &report);

    if (rv == APR_SUCCESS) {
        rv = mnet_unpack(opening);
    }
    opening->package->is_archive = !opening->is_single;
    if (rv == APR_SUCCESS) {
        rv = mnet_manifest_check(opening);
    }
    if (rv == APR_SUCCESS) {
        rv = find_format(opening);
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_report_write(opening);
    }
    return rv == APR_SUCCESS ? mnet_folder_sync(opening) : rv;
}

/*
 * libarchive turns names into the locale of its thread; httpd's is C, which has no names but ASCII.
 * Only for this thread, only for this while.
 */
static apr_status_t open_in_utf8(mnet_opening_t *opening)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before;
    apr_status_t rv;

    if (utf8 == (locale_t)0) {
        return mnet_opening_fail(opening, APR_ENOTIMPL, "this server has no locale C.UTF-8");
    }
    before = uselocale(utf8);
    rv = open_package(opening);
    uselocale(before);
    freelocale(utf8);
    return rv;
}

static mnet_opening_t *start(const mnet_package_source_t *source, apr_pool_t *pool)
{
    mnet_opening_t *opening = apr_pcalloc(pool, sizeof(*opening));
    mnet_package_t *package = apr_pcalloc(pool, sizeof(*package));

    opening->pool = pool;
    opening->source = source;
    opening->limits = source->limits ? source->limits : &mnet_package_limits_default;
    opening->package = package;
    opening->names = apr_hash_make(pool);
    opening->folders = apr_hash_make(pool);
    package->folder = apr_pstrcat(pool, source->work, "/" MNET_PACKAGE_FOLDER, NULL);
    package->report = apr_pstrcat(pool, package->folder, "/" MNET_PACKAGE_REPORT, NULL);
    package->files = apr_array_make(pool, 8, sizeof(mnet_package_file_t));
    package->resources = apr_array_make(pool, 1, sizeof(mnet_package_resource_t));
    package->problems = apr_array_make(pool, 4, sizeof(const char *));
    package->path = source->path;
    return opening;
}

static void log_failure(const mnet_opening_t *opening, apr_status_t rv)
{
    const mnet_package_source_t *source = opening->source;
    const char *peer = source->peer ? source->peer : "-", *user = source->user ? source->user : "-";

    if (rv == MNET_E_REFUSED) {
        mnet_log(source->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1040",
                 "the package for %s from %s is refused: %s", mnet_opening_quote(opening, user),
                 mnet_opening_quote(opening, peer), opening->why);
    } else if (rv != MNET_E_BUSY) {
        mnet_log(source->log, MNET_LOG_ERR, rv, "MNET1041",
                 "the package for %s from %s cannot be opened now: %s",
                 mnet_opening_quote(opening, user), mnet_opening_quote(opening, peer),
                 opening->why);
    }
}

apr_status_t mnet_package_open(mnet_package_t **package, const mnet_package_source_t *source,
                               const char **why, apr_pool_t *pool)
{
    mnet_opening_t *opening = start(source, pool);
    apr_status_t rv = mnet_package_discard(source->work, pool), left;

    *package = NULL;
    *why = NULL;
    if (rv == APR_SUCCESS && mkdir(opening->package->folder, 0750)) {
        rv = errno;
    }
    rv = rv == APR_SUCCESS ? open_in_utf8(opening) : mnet_opening_disk(opening, rv);
    if (rv == APR_SUCCESS) {
        *package = opening->package;
        return APR_SUCCESS;
    }
    left = mnet_package_discard(source->work, pool);
    if (left != APR_SUCCESS) {
        mnet_log(source->log, MNET_LOG_WARNING, left, "MNET1042",
                 "what was unpacked of a refused package cannot be removed from %s", source->work);
    }
    *why = opening->why ? opening->why : "it cannot be opened";
    log_failure(opening, rv);
    return rv;
}
