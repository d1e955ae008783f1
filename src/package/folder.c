/* SPDX-License-Identifier: Apache-2.0 */
#include "package/package_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/status.h"
#include "base/sync.h"

#define FILE_MODE   0640
#define FOLDER_MODE 0750
/* Above that many, one syncfs is cheaper than an fsync for each. */
#define SYNC_EACH 32
/* Folders within folders that are removed; deeper ones than we ever make. */
#define REMOVE_DEPTH 256

const char *mnet_folder_path(const mnet_opening_t *opening, const char *path, apr_pool_t *pool)
{
    return apr_pstrcat(pool, opening->package->folder, "/", path, NULL);
}

static apr_status_t make_one(mnet_opening_t *opening, const char *path, apr_size_t len)
{
    const char *copy = apr_pstrmemdup(opening->pool, path, len);

    if (mkdir(mnet_folder_path(opening, copy, opening->pool), FOLDER_MODE) && errno != EEXIST) {
        return mnet_opening_disk(opening, errno);
    }
    apr_hash_set(opening->folders, copy, (apr_ssize_t)len, "");
    return APR_SUCCESS;
}

apr_status_t mnet_folder_make(mnet_opening_t *opening, const char *path)
{
    const char *slash;

    for (slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        apr_size_t len = (apr_size_t)(slash - path);

        if (!apr_hash_get(opening->folders, path, (apr_ssize_t)len)) {
            apr_status_t rv = make_one(opening, path, len);

            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
    }
    return APR_SUCCESS;
}

apr_status_t mnet_folder_create(mnet_opening_t *opening, const char *path, int *fd)
{
    apr_pool_t *scratch;
    apr_status_t rv = mnet_folder_make(opening, path);

    *fd = -1;
    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&scratch, opening->pool);
    }
    if (rv != APR_SUCCESS) {
        return mnet_opening_disk(opening, rv);
    }
    *fd = open(mnet_folder_path(opening, path, scratch),
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    rv = *fd < 0 ? errno : APR_SUCCESS;
    apr_pool_destroy(scratch);
    return rv == APR_SUCCESS || rv == EEXIST ? rv : mnet_opening_disk(opening, rv);
}

/* --- on disk --- */

static apr_status_t sync_all(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    apr_status_t rv = APR_SUCCESS;

    if (fd < 0) {
        return errno;
    }
    if (syncfs(fd)) {
        rv = errno;
    }
    close(fd);
    return rv;
}

static apr_status_t sync_each(mnet_opening_t *opening, apr_pool_t *pool)
{
    const apr_array_header_t *files = opening->package->files;
    apr_hash_index_t *at;
    apr_status_t rv = mnet_sync_path(opening->package->report, 0);
    int i;

    for (i = 0; i < files->nelts && rv == APR_SUCCESS; i++) {
        rv = mnet_sync_path(
            mnet_folder_path(opening, APR_ARRAY_IDX(files, i, mnet_package_file_t).path, pool), 0);
    }
    for (at = apr_hash_first(pool, opening->folders); at && rv == APR_SUCCESS;
         at = apr_hash_next(at)) {
        const void *key;
        apr_ssize_t len;

        apr_hash_this(at, &key, &len, NULL);
        rv = mnet_sync_path(
            mnet_folder_path(opening, apr_pstrmemdup(pool, key, (apr_size_t)len), pool),
            O_DIRECTORY);
    }
    return rv == APR_SUCCESS ? mnet_sync_path(opening->package->folder, O_DIRECTORY) : rv;
}

apr_status_t mnet_folder_sync(mnet_opening_t *opening)
{
    apr_pool_t *scratch;
    apr_status_t rv = apr_pool_create(&scratch, opening->pool);

    if (rv == APR_SUCCESS) {
        int many = opening->package->files->nelts > SYNC_EACH ||
                   apr_hash_count(opening->folders) > SYNC_EACH;

        rv = many ? sync_all(opening->package->folder) : sync_each(opening, scratch);
        apr_pool_destroy(scratch);
    }
    return rv == APR_SUCCESS ? rv : mnet_opening_disk(opening, rv);
}

/* --- away with it --- */

static apr_status_t remove_in(int parent, const char *name, int depth);

/* Everything in an open folder, which is closed. */
static apr_status_t remove_content(int fd, int depth)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    apr_status_t rv = APR_SUCCESS;

    if (!dir) {
        rv = errno;
        close(fd);
        return rv;
    }
    while ((entry = readdir(dir)) && rv == APR_SUCCESS) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            rv = remove_in(dirfd(dir), entry->d_name, depth + 1);
        }
    }
    closedir(dir);
    return rv;
}

/* Never through a link. */
static apr_status_t remove_in(int parent, const char *name, int depth)
{
    apr_status_t rv;
    int fd;

    if (!unlinkat(parent, name, 0) || errno == ENOENT) {
        return APR_SUCCESS;
    }
    if (errno != EISDIR && errno != EPERM) {
        return errno;
    }
    if (depth > REMOVE_DEPTH) {
        return MNET_E_LIMIT;
    }
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? APR_SUCCESS : errno;
    }
    rv = remove_content(fd, depth);
    if (rv == APR_SUCCESS && unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT) {
        rv = errno;
    }
    return rv;
}

apr_status_t mnet_package_remove(const char *path)
{
    return remove_in(AT_FDCWD, path, 0);
}

apr_status_t mnet_package_discard(const char *work, apr_pool_t *pool)
{
    return mnet_package_remove(apr_pstrcat(pool, work, "/" MNET_PACKAGE_FOLDER, NULL));
}
