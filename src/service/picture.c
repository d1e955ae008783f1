/* SPDX-License-Identifier: Apache-2.0 */
#include "service/picture.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <string.h>

#define PATH_MAX_LEN 4000

int mnet_picture_path_ok(const char *path)
{
    if (*path != '/' || strlen(path) > PATH_MAX_LEN) {
        return 0;
    }
    for (const char *at = path; *at; at++) {
        apr_size_t len = at[0] == '/' ? strcspn(at + 1, "/") : 0;

        if ((unsigned char)*at < 0x20 || *at == 0x7F || (len == 1 && at[1] == '.') ||
            (len == 2 && at[1] == '.' && at[2] == '.')) {
            return 0;
        }
    }
    return 1;
}

static const char *type_of(const unsigned char *bytes, apr_size_t len)
{
    static const struct {
        const char *type;
        const char *magic;
        apr_size_t len;
    } known[] = {{"image/png", "\x89PNG\r\n\x1a\n", 8},
                 {"image/jpeg", "\xff\xd8\xff", 3},
                 {"image/gif", "GIF87a", 6},
                 {"image/gif", "GIF89a", 6}};

    for (apr_size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (len > known[i].len && !memcmp(bytes, known[i].magic, known[i].len)) {
            return known[i].type;
        }
    }
    return len > 12 && !memcmp(bytes, "RIFF", 4) && !memcmp(bytes + 8, "WEBP", 4) ? "image/webp"
                                                                                  : NULL;
}

static unsigned char *read_all(const char *path, apr_size_t len, apr_pool_t *pool)
{
    unsigned char *bytes = NULL;
    apr_file_t *file;

    if (apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BINARY, APR_OS_DEFAULT, pool)) {
        return NULL;
    }
    bytes = apr_palloc(pool, len);
    if (apr_file_read_full(file, bytes, len, &len)) {
        bytes = NULL;
    }
    apr_file_close(file);
    return bytes;
}

const mnet_picture_t *mnet_picture_read(const char *path, const char **why, apr_pool_t *pool)
{
    mnet_picture_t *picture = apr_pcalloc(pool, sizeof(*picture));
    apr_finfo_t info;

    *why = NULL;
    if (!mnet_picture_path_ok(path)) {
        *why = "its path is not absolute, or has \"..\" in it";
    } else if (apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_SIZE | APR_FINFO_MTIME, pool)) {
        return NULL;
    } else if (info.filetype != APR_REG) {
        *why = "it is no file";
    } else if (info.size < 1 || info.size > MNET_PICTURE_MAX) {
        *why = "it is empty, or over 512 KiB";
    } else {
        picture->len = (apr_size_t)info.size;
        picture->modified = info.mtime;
        picture->bytes = read_all(path, picture->len, pool);
        picture->type = picture->bytes ? type_of(picture->bytes, picture->len) : NULL;
        *why = !picture->bytes  ? "it cannot be read"
               : !picture->type ? "it is neither PNG, JPEG, GIF nor WebP"
                                : NULL;
    }
    return *why ? NULL : picture;
}
