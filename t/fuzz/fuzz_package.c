/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Input: a byte that says what was announced, then the file received.  Whatever it is: it is
 * opened whole or refused, nothing is left that was not reported, and nothing is outside of the
 * folder.
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
__attribute__((destructor)) static void clean(void)
{
    (void)mnet_package_remove(folder());
}

static mnet_crypto_t *crypto_of(void)
{
    static mnet_crypto_t *crypto;
    static OSSL_LIB_CTX *held; /* a leak checker does not see what APR holds */
    apr_pool_t *pool;
    const char *why;

    if (!crypto) {
        apr_pool_create(&pool, NULL);
        MUST(mnet_crypto_create(&crypto, &why, pool) == APR_SUCCESS);
        held = mnet_crypto_libctx(crypto);
        MUST(held);
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

    receive(source.path, data + 1, len - 1);
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
