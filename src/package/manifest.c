/* SPDX-License-Identifier: Apache-2.0 */
#include "package/package_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <openssl/evp.h>

#include "base/status.h"
#include "base/text.h"

#define MD5_HEX      32
#define LINE_MAX_LEN 4096 /* of manifest.txt */

/* What a Mahara says (protocol 7.2). */
#define MISMATCH "Files received did not exactly match what was in the manifest"

/* --- filesmanifest --- */

/* In lower case; NULL: it is no SHA-1. */
static const char *lower_hex(const char *text, apr_size_t digits, apr_pool_t *pool)
{
    char *lower = apr_pstrdup(pool, text);
    apr_size_t i;

    if (strlen(lower) != digits) {
        return NULL;
    }
    for (i = 0; i < digits; i++) {
        lower[i] = (char)apr_tolower(lower[i]);
        if (!strchr("0123456789abcdef", lower[i])) {
            return NULL;
        }
    }
    return lower;
}

/* SHA-1 to mnet_package_expected_t. */
static apr_status_t index_manifest(mnet_opening_t *opening, apr_hash_t **expected)
{
    const apr_array_header_t *manifest = opening->source->manifest;
    int i;

    *expected = apr_hash_make(opening->pool);
    for (i = 0; i < manifest->nelts; i++) {
        const mnet_package_expected_t *entry = &APR_ARRAY_IDX(manifest, i, mnet_package_expected_t);
        const char *sha1 =
            entry->sha1 ? lower_hex(entry->sha1, 2 * MNET_SHA1, opening->pool) : NULL;

        if (!sha1) {
            return REFUSE(opening, "its manifest has an entry without a SHA-1");
        }
        apr_hash_set(*expected, sha1, 2 * MNET_SHA1, entry);
    }
    return APR_SUCCESS;
}

/* Each file is in the manifest, each entry of it is there.  *once: bytes, each content once. */
static apr_status_t check_files(mnet_opening_t *opening, apr_hash_t *expected, apr_off_t *once)
{
    const apr_array_header_t *files = opening->package->files;
    apr_hash_t *seen = apr_hash_make(opening->pool);
    int i;

    *once = 0;
    for (i = 0; i < files->nelts; i++) {
        const mnet_package_file_t *file = &APR_ARRAY_IDX(files, i, mnet_package_file_t);
        const mnet_package_expected_t *entry = apr_hash_get(expected, file->sha1, 2 * MNET_SHA1);

        if (!entry) {
            return REFUSE(opening, MISMATCH ": %s is not in it",
                          mnet_opening_quote(opening, file->original));
        }
        if (entry->size >= 0 && entry->size != file->size) {
            return REFUSE(opening,
                          MISMATCH ": %s has %" APR_OFF_T_FMT " bytes, not %" APR_OFF_T_FMT,
                          mnet_opening_quote(opening, file->original), file->size, entry->size);
        }
        if (!apr_hash_get(seen, file->sha1, 2 * MNET_SHA1)) {
            apr_hash_set(seen, file->sha1, 2 * MNET_SHA1, "");
            *once += file->size;
        }
    }
    if (apr_hash_count(seen) != apr_hash_count(expected)) {
        return REFUSE(opening, MISMATCH ": %u of its %u files are there", apr_hash_count(seen),
                      apr_hash_count(expected));
    }
    return APR_SUCCESS;
}

apr_status_t mnet_manifest_check(mnet_opening_t *opening)
{
    apr_off_t total = opening->package->total, said = opening->source->total, once = total;
    apr_hash_t *expected;
    apr_status_t rv = APR_SUCCESS;

    if (opening->source->manifest) {
        rv = index_manifest(opening, &expected);
        if (rv == APR_SUCCESS) {
            rv = check_files(opening, expected, &once);
        }
    }
    /* Two files of one content are one entry: a sender may have added up either. */
    if (rv == APR_SUCCESS && said >= 0 && said != total && said != once) {
        rv =
            REFUSE(opening,
                   "unpacked it has %" APR_OFF_T_FMT " bytes, not the %" APR_OFF_T_FMT " announced",
                   total, said);
    }
    return rv;
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static apr_status_t rename_file(mnet_opening_t *opening, mnet_package_file_t *file,
                                const char *name)
{
    const char *old = file->path, *base = last_name(old), *wanted, *claimed;
    apr_status_t rv;

    wanted = apr_psprintf(opening->pool, "%.*s%s", (int)(base - old), old, name);
    mnet_names_release(opening, old);
    rv = mnet_names_claim(opening, wanted, &claimed);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (rename(mnet_folder_path(opening, old, opening->pool),
               mnet_folder_path(opening, claimed, opening->pool))) {
        return mnet_opening_disk(opening, errno);
    }
    file->path = claimed;
    return APR_SUCCESS;
}

/* SHA-1 to the name that a file of that content is to bear. */
static apr_status_t wanted_names(mnet_opening_t *opening, apr_hash_t *names)
{
    const apr_array_header_t *manifest = opening->source->manifest;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < manifest->nelts && rv == APR_SUCCESS; i++) {
        const mnet_package_expected_t *entry = &APR_ARRAY_IDX(manifest, i, mnet_package_expected_t);
        const char *path, *sha1 = lower_hex(entry->sha1, 2 * MNET_SHA1, opening->pool);

        if (sha1 && entry->filename && *entry->filename) {
            rv = mnet_names_path(opening, entry->filename, &path, opening->pool);
            if (rv == APR_SUCCESS) {
                apr_hash_set(names, sha1, 2 * MNET_SHA1, last_name(path));
            }
        }
    }
    return rv;
}

/* Of several files of one content one bears the manifest's name, the others keep their own. */
apr_status_t mnet_manifest_rename(mnet_opening_t *opening)
{
    const apr_array_header_t *files = opening->package->files;
    apr_hash_t *names = apr_hash_make(opening->pool);
    apr_status_t rv = wanted_names(opening, names);
    int i;

    for (i = 0; i < files->nelts && rv == APR_SUCCESS; i++) {
        const mnet_package_file_t *file = &APR_ARRAY_IDX(files, i, mnet_package_file_t);
        const char *name = apr_hash_get(names, file->sha1, 2 * MNET_SHA1);

        if (name && !strcmp(last_name(file->path), name)) {
            apr_hash_set(names, file->sha1, 2 * MNET_SHA1, NULL);
        }
    }
    for (i = 0; i < files->nelts && rv == APR_SUCCESS; i++) {
        mnet_package_file_t *file = &APR_ARRAY_IDX(files, i, mnet_package_file_t);
        const char *name = apr_hash_get(names, file->sha1, 2 * MNET_SHA1);

        if (name) {
            apr_hash_set(names, file->sha1, 2 * MNET_SHA1, NULL);
            rv = rename_file(opening, file, name);
        }
    }
    return rv;
}

/* --- manifest.txt --- */

/* One line of it. */
typedef struct {
    const char *md5, *format, *name;
} line_t;

/* "md5:format:filename"; 0: it is no such line. */
static int read_line(char *text, line_t *line, apr_pool_t *pool)
{
    char *format = strchr(text, ':'), *name = format ? strchr(format + 1, ':') : NULL;

    if (!name || !name[1]) {
        return 0;
    }
    *format++ = '\0';
    *name++ = '\0';
    line->md5 = lower_hex(text, MD5_HEX, pool);
    line->format = format;
    line->name = name;
    return line->md5 != NULL;
}

/* line_t's of manifest.txt.  *is_manifest: its first line is one. */
static apr_status_t read_lines(mnet_opening_t *opening, const mnet_package_file_t *file,
                               apr_array_header_t *lines, int *is_manifest)
{
    FILE *in = fopen(mnet_folder_path(opening, file->path, opening->pool), "re");
    char buffer[LINE_MAX_LEN];
    apr_status_t rv = APR_SUCCESS;
    int n;

    *is_manifest = 0;
    if (!in) {
        return mnet_opening_disk(opening, errno);
    }
    for (n = 1; rv == APR_SUCCESS && fgets(buffer, sizeof(buffer), in); n++) {
        char *text = buffer + (n == 1 && !strncmp(buffer, "\xef\xbb\xbf", 3) ? 3 : 0);
        line_t line;

        text[strcspn(text, "\r\n")] = '\0';
        if (!*text) {
            continue;
        }
        if (read_line(apr_pstrdup(opening->pool, text), &line, opening->pool)) {
            APR_ARRAY_PUSH(lines, line_t) = line;
        } else if (!lines->nelts) {
            break; /* a file that happens to have this name */
        } else {
            rv = REFUSE(opening, "line %d of manifest.txt is not md5:format:filename", n);
        }
        if (rv == APR_SUCCESS && lines->nelts > opening->limits->files) {
            rv = REFUSE(opening, "manifest.txt has over %d lines", opening->limits->files);
        }
    }
    fclose(in);
    *is_manifest = lines->nelts > 0;
    return rv;
}

static apr_status_t md5_of(mnet_opening_t *opening, const mnet_package_file_t *file, EVP_MD *md5,
                           const char **hex)
{
    int fd = open(mnet_folder_path(opening, file->path, opening->pool), O_RDONLY | O_CLOEXEC);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned char piece[8192], out[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    apr_status_t rv = APR_SUCCESS;
    ssize_t n = 1;

    if (fd < 0) {
        rv = mnet_opening_disk(opening, errno);
    } else if (!digest || EVP_DigestInit_ex2(digest, md5, NULL) != 1) {
        rv = mnet_opening_fail(opening, MNET_E_CRYPTO, "MD5 does not work");
    }
    while (rv == APR_SUCCESS && n > 0) {
        rv = mnet_opening_stop(opening);
        n = rv == APR_SUCCESS ? read(fd, piece, sizeof(piece)) : 0;
        if (n < 0) {
            rv = mnet_opening_disk(opening, errno);
        } else if (n && EVP_DigestUpdate(digest, piece, (size_t)n) != 1) {
            rv = mnet_opening_fail(opening, MNET_E_CRYPTO, "MD5 does not work");
        }
    }
    if (rv == APR_SUCCESS && EVP_DigestFinal_ex(digest, out, &len) != 1) {
        rv = mnet_opening_fail(opening, MNET_E_CRYPTO, "MD5 does not work");
    }
    *hex = mnet_hex(out, len, opening->pool);
    EVP_MD_CTX_free(digest);
    if (fd >= 0) {
        close(fd);
    }
    return rv;
}

/* Every line's file is there; *left: how many files no line names. */
static apr_status_t check_lines(mnet_opening_t *opening, const apr_array_header_t *lines,
                                const mnet_package_file_t *manifest, EVP_MD *md5, int *left)
{
    apr_hash_t *named = apr_hash_make(opening->pool);
    apr_status_t rv = APR_SUCCESS;
    const char *path, *hex;
    int i;

    for (i = 0; i < lines->nelts && rv == APR_SUCCESS; i++) {
        const line_t *line = &APR_ARRAY_IDX(lines, i, line_t);
        const mnet_package_file_t *file;

        rv = mnet_names_path(opening, line->name, &path, opening->pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        file = mnet_opening_find(opening, path);
        if (!file || file == manifest) {
            return REFUSE(opening, MISMATCH ": %s is missing",
                          mnet_opening_quote(opening, line->name));
        }
        rv = md5_of(opening, file, md5, &hex);
        if (rv == APR_SUCCESS && strcmp(hex, line->md5)) {
            rv = REFUSE(opening, MISMATCH ": %s has another MD5",
                        mnet_opening_quote(opening, line->name));
        }
        apr_hash_set(named, file->path, APR_HASH_KEY_STRING, "");
    }
    *left = opening->package->files->nelts - 1 - (int)apr_hash_count(named);
    return rv;
}

apr_status_t mnet_manifest_text(mnet_opening_t *opening, int *is_manifest)
{
    const mnet_package_file_t *file = mnet_opening_find(opening, "manifest.txt");
    apr_array_header_t *lines = apr_array_make(opening->pool, 16, sizeof(line_t));
    apr_status_t rv;
    EVP_MD *md5;
    int i, left = 0, leap = 0;

    *is_manifest = 0;
    if (!file) {
        return APR_SUCCESS;
    }
    rv = read_lines(opening, file, lines, is_manifest);
    if (rv != APR_SUCCESS || !*is_manifest) {
        return rv;
    }
    md5 = EVP_MD_fetch(mnet_crypto_libctx(opening->source->crypto), "MD5", NULL);
    if (!md5) {
        return mnet_opening_fail(opening, MNET_E_CRYPTO, "MD5 does not work");
    }
    rv = check_lines(opening, lines, file, md5, &left);
    EVP_MD_free(md5);
    /* A LEAP document names its files itself. */
    for (i = 0; i < lines->nelts; i++) {
        leap |= !strncasecmp(APR_ARRAY_IDX(lines, i, line_t).format, "leap", 4);
    }
    if (rv == APR_SUCCESS && left && !leap) {
        rv = REFUSE(opening, MISMATCH ": %d files are not in it", left);
    }
    return rv;
}
