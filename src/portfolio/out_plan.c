/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of the files in a package.  LEAP2A keeps its folders; of anything else a Mahara
 * takes no folders, and counts files against the manifest, which has one entry for each content.
 */
#include <apr_hash.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "package/package.h"
#include "portfolio/out_int.h"

#define TITLE_MAX 200

/* --- format --- */

static int is_leap(const mnet_out_file_t *file)
{
    return !strcmp(file->inside, "leap2a.xml") || !strcmp(file->inside, "leap2.xml") ||
           !strcmp(file->inside, "leap.xml");
}

static int has_leap(const apr_array_header_t *files)
{
    for (int i = 0; i < files->nelts; i++) {
        if (is_leap(&APR_ARRAY_IDX(files, i, mnet_out_file_t))) {
            return 1;
        }
    }
    return 0;
}

/* Of several files: their common kind, rich HTML if a page is among them. */
static const char *common_kind(const apr_array_header_t *files)
{
    const char *common = NULL;
    int page = 0, mixed = 0;

    for (int i = 0; i < files->nelts; i++) {
        const char *kind = mnet_out_kind_of(APR_ARRAY_IDX(files, i, mnet_out_file_t).name);

        kind = kind ? kind : "file";
        page |= !strcmp(kind, "plainhtml");
        mixed |= common && strcmp(common, kind) != 0;
        common = kind;
    }
    if (page && files->nelts > 1) {
        return "richhtml";
    }
    return mixed || !common ? "file" : common;
}

static apr_status_t choose_format(mnet_out_sending_t *sending, const apr_array_header_t *files,
                                  mnet_out_t *out, apr_pool_t *pool)
{
    const char *asked = sending->format;

    if (asked && strchr(asked, '/')) {
        out->kind = mnet_out_kind_of(asked);
        out->kind = out->kind ? out->kind : "file";
    } else if (asked && !mnet_out_kind_ok(asked)) {
        return mnet_out_refuse(sending, MNET_E_INVALID, "usage", pool,
                               "%s is no format: it is one of file, image, video, text, pdf, "
                               "document, spreadsheet, presentation, plainhtml, richhtml, leap2a, "
                               "rich, mbkp, or a MIME type",
                               mnet_for_log(asked, strlen(asked), 60, pool));
    } else {
        out->kind = asked ? asked : has_leap(files) ? "leap2a" : common_kind(files);
    }
    out->format = !strcmp(out->kind, "leap2a") ? "leap2a" : "file";
    if (!strcmp(out->format, "leap2a") && !has_leap(files)) {
        return mnet_out_refuse(sending, MNET_E_INVALID, "usage", pool,
                               "there is no leap2a.xml at the top of what is to be sent, which a "
                               "LEAP2A portfolio needs");
    }
    return APR_SUCCESS;
}

/* --- names --- */

/* "folder - name", then "name (2)", until nobody else has it. */
static const char *free_name(apr_hash_t *taken, const mnet_out_file_t *file, apr_pool_t *pool)
{
    const char *name = file->name, *dot = strrchr(name, '.');
    apr_size_t stem = dot && dot != name ? (apr_size_t)(dot - name) : strlen(name);

    if (apr_hash_get(taken, name, APR_HASH_KEY_STRING) && file->below && strchr(file->below, '/')) {
        char *flat = apr_pstrdup(pool, file->below);

        for (char *c = flat; *c; c++) {
            *c = (char)(*c == '/' ? '-' : *c);
        }
        name = mnet_package_name(flat, strlen(flat), TITLE_MAX, pool);
    }
    for (int n = 2; apr_hash_get(taken, name, APR_HASH_KEY_STRING); n++) {
        name = apr_psprintf(pool, "%.*s (%d)%s", (int)stem, file->name, n, file->name + stem);
    }
    return name;
}

/* One of each content, each with a name of its own. */
static void flatten(apr_array_header_t *files, apr_pool_t *pool)
{
    apr_hash_t *taken = apr_hash_make(pool), *contents = apr_hash_make(pool);
    int kept = 0;

    for (int i = 0; i < files->nelts; i++) {
        mnet_out_file_t file = APR_ARRAY_IDX(files, i, mnet_out_file_t);

        if (apr_hash_get(contents, file.sha1, APR_HASH_KEY_STRING)) {
            continue;
        }
        file.name = file.inside = free_name(taken, &file, pool);
        apr_hash_set(contents, file.sha1, APR_HASH_KEY_STRING, file.sha1);
        apr_hash_set(taken, file.name, APR_HASH_KEY_STRING, file.name);
        APR_ARRAY_IDX(files, kept++, mnet_out_file_t) = file;
    }
    files->nelts = kept;
}

/* What a zip cannot say, or a peer would not leave as it is: what refers to it would find nothing.
 */
static apr_status_t check_names(mnet_out_sending_t *sending, const apr_array_header_t *files,
                                apr_pool_t *pool)
{
    for (int i = 0; i < files->nelts; i++) {
        const char *name = APR_ARRAY_IDX(files, i, mnet_out_file_t).inside;
        int good = mnet_is_utf8(name, strlen(name));

        for (const char *c = name; good && *c; c++) {
            good = (unsigned char)*c >= ' ' && *c != 0x7f && *c != '\\';
        }
        if (!good) {
            return mnet_out_refuse(sending, MNET_E_INVALID, "usage", pool,
                                   "%s has a name that no package can keep: it must be UTF-8, "
                                   "without backslashes and control characters",
                                   mnet_for_log(name, strlen(name), 300, pool));
        }
    }
    return APR_SUCCESS;
}

/* --- the whole --- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* SHA-1 of the only file, or of the digests of all in their order. */
static apr_status_t content_of(mnet_out_sending_t *sending, const apr_array_header_t *files,
                               mnet_out_t *out, apr_pool_t *pool)
{
    mnet_digest_t *sha1 = mnet_sha1_create(sending->host->engine->crypto, pool);
    const char **digests = apr_palloc(pool, (apr_size_t)files->nelts * sizeof(*digests));
    unsigned char bytes[MNET_SHA1];
    apr_status_t rv = sha1 ? APR_SUCCESS : MNET_E_CRYPTO;

    for (int i = 0; i < files->nelts; i++) {
        digests[i] = APR_ARRAY_IDX(files, i, mnet_out_file_t).sha1;
    }
    if (files->nelts == 1) {
        out->content = digests[0];
        return rv;
    }
    qsort(digests, (size_t)files->nelts, sizeof(*digests), by_text);
    for (int i = 0; !rv && i < files->nelts; i++) {
        rv = mnet_digest_write(sha1, digests[i], strlen(digests[i]));
        rv = rv ? rv : mnet_digest_write(sha1, "\n", 1);
    }
    rv = rv ? rv : mnet_digest_end(sha1, bytes);
    out->content = rv ? NULL : mnet_hex(bytes, sizeof(bytes), pool);
    return rv;
}

static const char *title_of(const mnet_out_sending_t *sending, const apr_array_header_t *files,
                            apr_pool_t *pool)
{
    const char *path = APR_ARRAY_IDX(files, 0, mnet_out_file_t).path, *slash = strrchr(path, '/');
    const char *first = slash && slash[1] ? slash + 1 : path;

    first = mnet_package_name(first, strlen(first), TITLE_MAX, pool);
    return sending->paths->nelts == 1
               ? first
               : apr_psprintf(pool, "%s and %d more", first, files->nelts - 1);
}

apr_status_t mnet_out_plan(mnet_out_sending_t *sending, apr_array_header_t *files, mnet_out_t *out,
                           apr_pool_t *pool)
{
    apr_status_t rv = choose_format(sending, files, out, pool);

    if (rv) {
        return rv;
    }
    out->title = title_of(sending, files, pool);
    if (strcmp(out->format, "leap2a") && !sending->package) {
        flatten(files, pool);
    } else if (!sending->package_file) {
        rv = check_names(sending, files, pool);
    }
    if (rv) {
        return rv;
    }
    out->count = files->nelts;
    out->total = 0;
    for (int i = 0; i < files->nelts; i++) {
        const mnet_out_file_t *file = &APR_ARRAY_IDX(files, i, mnet_out_file_t);

        if (file->size > APR_INT64_MAX / 16 - out->total) {
            return mnet_out_refuse(sending, MNET_E_LIMIT, "usage", pool, "it is too large");
        }
        out->total += file->size;
    }
    return content_of(sending, files, out, pool);
}
