/* SPDX-License-Identifier: Apache-2.0 */
#include "package/package_int.h"

#include <errno.h>
#include <unistd.h>

#include <apr_strings.h>
#include <jansson.h>

#include "base/status.h"
#include "base/text.h"

#define VERSION 1

/* What was sent as text may be anything: jansson takes UTF-8 alone. */
static json_t *text(const char *value, apr_pool_t *pool)
{
    if (!value) {
        return json_null();
    }
    return json_string(mnet_names_text(value, strlen(value), pool));
}

static json_t *file_object(const mnet_package_file_t *file)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "path", file->path, "original",
                     file->original, "sha1", file->sha1, "size", (json_int_t)file->size, "format",
                     file->format, "type", file->type);
}

static json_t *resource_object(const mnet_package_resource_t *resource)
{
    return json_pack("{s:s, s:s?, s:s, s:s?, s:s?, s:s?, s:s?}", "identifier", resource->identifier,
                     "type", resource->type, "kind", resource->kind, "moodle", resource->moodle,
                     "title", resource->title, "path", resource->path, "url", resource->url);
}

static json_t *files_array(const mnet_package_t *package)
{
    json_t *array = json_array();
    int i;

    for (i = 0; i < package->files->nelts; i++) {
        json_array_append_new(array,
                              file_object(&APR_ARRAY_IDX(package->files, i, mnet_package_file_t)));
    }
    return array;
}

static json_t *resources_array(const mnet_package_t *package)
{
    json_t *array = json_array();
    int i;

    for (i = 0; i < package->resources->nelts; i++) {
        json_array_append_new(
            array, resource_object(&APR_ARRAY_IDX(package->resources, i, mnet_package_resource_t)));
    }
    return array;
}

static json_t *problems_array(const mnet_package_t *package)
{
    json_t *array = json_array();
    int i;

    for (i = 0; i < package->problems->nelts; i++) {
        json_array_append_new(array,
                              json_string(APR_ARRAY_IDX(package->problems, i, const char *)));
    }
    return array;
}

static json_t *whole(const mnet_opening_t *opening)
{
    const mnet_package_source_t *source = opening->source;
    const mnet_package_t *package = opening->package;
    apr_time_t now = source->now ? source->now : apr_time_now();
    apr_pool_t *pool = opening->pool;

    return json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:s, s:b, s:I, s:I, s:o, s:o, s:o}", "report",
                     VERSION, "format", package->format, "title", text(package->title, pool),
                     "peer", text(source->peer, pool), "user", text(source->user, pool), "id",
                     text(source->id, pool), "received", mnet_format_date(now, pool), "archive",
                     package->is_archive, "packed", (json_int_t)opening->archive_size, "total",
                     (json_int_t)package->total, "files", files_array(package), "resources",
                     resources_array(package), "problems", problems_array(package));
}

static int write_json(const char *data, size_t len, void *baton)
{
    int *fd = baton;

    while (len) {
        ssize_t n = write(*fd, data, len);

        if (n < 0 && errno != EINTR) {
            return -1;
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

apr_status_t mnet_report_write(mnet_opening_t *opening)
{
    json_t *report = whole(opening);
    apr_status_t rv;
    int fd = -1;

    if (!report) {
        return mnet_opening_fail(opening, APR_ENOMEM, "no memory for the report");
    }
    rv = mnet_folder_create(opening, MNET_PACKAGE_REPORT, &fd);
    if (rv == APR_SUCCESS) {
        errno = 0;
        if (json_dump_callback(report, write_json, &fd, JSON_INDENT(2)) ||
            write_json("\n", 1, &fd)) {
            rv = mnet_opening_disk(opening, errno ? errno : APR_EGENERAL);
        }
        if (close(fd) && rv == APR_SUCCESS) {
            rv = mnet_opening_disk(opening, errno);
        }
    }
    json_decref(report);
    return rv;
}
