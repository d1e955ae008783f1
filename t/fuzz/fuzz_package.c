/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Input: a byte that says what was announced, then the file received; or, with bit 2 of that byte,
 * names and contents of files, each ended by 0xff, of which a sound archive is made first.
 * Whatever it is: it is opened whole or refused, nothing is left that was not reported, and nothing
 * is outside of the folder.
 */

#include "fuzz_help.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/text.h"
#include "package/package.h"

static const mnet_package_limits_t small = {64, 1 << 20, 1 << 19, 200, 8, 100};

static const char *folder(void)
{
    static char dir[64];

    if (!*dir) {
        /* In memory, where there is such a place: every package is synced. */
        snprintf(dir, sizeof(dir), "%s/mnet-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        MUST(mkdtemp(dir));
    }
    return dir;
}

/* The only folder there is goes with the process. */
static void clean(void)
{
    (void)mnet_package_remove(folder());
}

/* What is held by memory that APR maps looks like a leak to a checker, if there is one. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static mnet_crypto_t *crypto_of(void)
{
    static mnet_crypto_t *crypto;
    apr_pool_t *pool;
    const char *why;

    if (!crypto) {
        if (__lsan_disable) {
            __lsan_disable();
        }
        apr_pool_create(&pool, NULL);
        MUST(mnet_crypto_create(&crypto, &why, pool) == APR_SUCCESS);
        if (__lsan_enable) {
            __lsan_enable();
        }
        MUST(!atexit(clean));
    }
    return crypto;
}

static void receive(const char *path, const char *data, apr_size_t len)
{
    FILE *out = fopen(path, "wb");

    MUST(out);
    MUST(fwrite(data, 1, len, out) == len);
    MUST(fclose(out) == 0);
}

/* Up to the next 0xff. */
static const char *field(const char **data, const char *end, apr_size_t *len)
{
    const char *start = *data, *stop = memchr(start, 0xff, (size_t)(end - start));

    *len = (apr_size_t)((stop ? stop : end) - start);
    *data = stop ? stop + 1 : end;
    return start;
}

static apr_uint32_t crc32_of(const char *data, apr_size_t len)
{
    apr_uint32_t crc = 0xffffffff;
    int i;

    while (len--) {
        crc ^= (unsigned char)*data++;
        for (i = 0; i < 8; i++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
    }
    return ~crc;
}

static void put(FILE *out, apr_size_t number, int bytes)
{
    for (; bytes--; number >>= 8) {
        MUST(putc((int)(number & 0xff), out) != EOF);
    }
}

/* An entry's header, local or in the directory; stored. */
static void put_header(FILE *out, const char *name, apr_size_t name_len, const char *content,
                       apr_size_t len, apr_size_t at, int is_directory)
{
    put(out, is_directory ? 0x02014b50 : 0x04034b50, 4);
    put(out, 20, is_directory ? 4 : 2);
    put(out, 0, 8);
    put(out, crc32_of(content, len), 4);
    put(out, len, 4);
    put(out, len, 4);
    put(out, name_len, 2);
    put(out, 0, 2);
    if (is_directory) {
        put(out, 0, 8);
        put(out, 0, 2);
        put(out, at, 4);
    }
    MUST(fwrite(name, 1, name_len, out) == name_len);
    if (!is_directory) {
        MUST(fwrite(content, 1, len, out) == len);
    }
}

/* Twice over the fields: the entries, then the directory. */
static void receive_archive(const char *path, const char *data, apr_size_t len)
{
    FILE *out = fopen(path, "wb");
    const char *end = data + len, *at, *name, *content;
    apr_size_t name_len, content_len, entries = 0, place = 0, directory = 0;
    int pass;

    MUST(out);
    for (pass = 0; pass < 2; pass++) {
        for (at = data, place = 0; at < end; place += 30 + name_len + content_len) {
            name = field(&at, end, &name_len);
            content = field(&at, end, &content_len);
            name_len = name_len > 0xffff ? 0xffff : name_len;
            put_header(out, name, name_len, content, content_len, place, pass);
            directory += pass ? 46 + name_len : 0;
            entries += (apr_size_t)pass;
        }
    }
    put(out, 0x06054b50, 4);
    put(out, 0, 4);
    put(out, entries, 2);
    put(out, entries, 2);
    put(out, directory, 4);
    put(out, place, 4);
    put(out, 0, 2);
    MUST(fclose(out) == 0);
}

static int files_seen;

static int see(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    MUST(S_ISREG(info->st_mode) || S_ISDIR(info->st_mode));
    MUST(!(info->st_mode & 07000));
    files_seen += S_ISREG(info->st_mode) != 0;
    return 0;
}

static void check_file(const mnet_package_t *package, const mnet_package_file_t *file,
                       apr_pool_t *pool)
{
    const char *path = apr_pstrcat(pool, package->folder, "/", file->path, NULL);
    struct stat info;

    MUST(mnet_is_utf8(file->path, strlen(file->path)));
    MUST(mnet_is_utf8(file->original, strlen(file->original)));
    MUST(*file->path != '/' && *file->path != '.' && !strstr(file->path, "/."));
    MUST(!strchr(file->path, '\\') && !strstr(file->path, "//"));
    MUST(!lstat(path, &info));
    MUST(S_ISREG(info.st_mode) && info.st_size == file->size);
    MUST(strlen(file->sha1) == 40 && file->format && file->type);
}

static void fuzz(const char *data, apr_size_t len, apr_pool_t *pool)
{
    const char *dir = folder(), *why;
    mnet_package_source_t source = {.path = apr_pstrcat(pool, dir, "/received", NULL),
                                    .work = apr_pstrcat(pool, dir, "/work", NULL),
                                    .name = "file",
                                    .limits = &small,
                                    .total = -1,
                                    .crypto = crypto_of()};
    mnet_package_t *package;
    apr_off_t total = 0;
    apr_status_t rv;
    int i;

    if (data[0] & 4) {
        receive_archive(source.path, data + 1, len - 1);
    } else {
        receive(source.path, data + 1, len - 1);
    }
    MUST(!mkdir(source.work, 0700) || errno == EEXIST);
    if (data[0] & 1) {
        source.total = (unsigned char)data[0];
    }
    if (data[0] & 2) {
        source.format = "leap2a";
    }
    rv = mnet_package_open(&package, &source, &why, pool);
    MUST((rv == APR_SUCCESS) == (package != NULL));
    MUST((rv == APR_SUCCESS) == (why == NULL));
    MUST(rv == APR_SUCCESS || rv == MNET_E_REFUSED);
    if (package) {
        files_seen = 0;
        MUST(nftw(package->folder, see, 16, FTW_PHYS) == 0);
        MUST(files_seen == package->files->nelts + 1);
        for (i = 0; i < package->files->nelts; i++) {
            const mnet_package_file_t *file =
                &APR_ARRAY_IDX(package->files, i, mnet_package_file_t);

            check_file(package, file, pool);
            total += file->size;
        }
        MUST(total == package->total);
        MUST(mnet_package_discard(source.work, pool) == APR_SUCCESS);
    }
    MUST(!rmdir(source.work));
}
