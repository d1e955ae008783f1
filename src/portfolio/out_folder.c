/* SPDX-License-Identifier: Apache-2.0 */
/* Where packages lie.  Root (mnetctl) makes every file there as the folder's owner. */
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "portfolio/out_int.h"

#define LOCK_WAIT apr_time_from_sec(10) /* for a fetch whose connection is about to end */
#define LOCK_STEP (50 * 1000)

static const char *folder_path(const mnet_host_t *host, apr_pool_t *pool)
{
    return apr_pstrcat(pool, host->site->portfolio->dir, "/" MNET_OUT_FOLDER "/" MNET_OUT_SENDING,
                       NULL);
}

const char *mnet_out_path(const mnet_host_t *host, const char *id, const char *ending,
                          apr_pool_t *pool)
{
    return apr_pstrcat(pool, folder_path(host, pool), "/", id, ending, NULL);
}

/* Whose the folders are: those who make files there are to be the same. */
static apr_status_t owner(const mnet_host_t *host, mnet_store_dir_t *dir, apr_pool_t *pool)
{
    struct stat st;

    dir->path = host->site->portfolio->dir;
    if (stat(dir->path, &st) != 0) {
        return errno;
    }
    dir->uid = st.st_uid;
    dir->gid = st.st_gid;
    dir->borrow = geteuid() == 0 && st.st_uid != 0;
    return S_ISDIR(st.st_mode) ? APR_SUCCESS : APR_ENOTDIR;
}

static apr_status_t make(const char *path, mode_t mode)
{
    struct stat st;

    if (mkdir(path, mode) == 0) {
        return APR_SUCCESS;
    }
    if (errno != EEXIST) {
        return errno;
    }
    return lstat(path, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? APR_SUCCESS : APR_ENOTDIR;
}

apr_status_t mnet_out_folder(const mnet_host_t *host, mnet_store_dir_t *dir, const char **why,
                             apr_pool_t *pool)
{
    const char *outer = apr_pstrcat(pool, host->site->portfolio->dir, "/" MNET_OUT_FOLDER, NULL);
    char text[200];
    apr_status_t rv = owner(host, dir, pool);

    if (rv) {
        *why = apr_psprintf(pool,
                            "%s cannot be used: %s (httpd makes MnetPortfolioDir at its start, for "
                            "its User)",
                            host->site->portfolio->dir, mnet_strerror(rv, text, sizeof(text)));
        return rv;
    }
    rv = mnet_store_dir_borrow(dir);
    if (!rv) {
        rv = make(outer, 0750);
        rv = rv ? rv : make(folder_path(host, pool), 0700);
        mnet_store_dir_done(dir);
    }
    if (rv) {
        *why = apr_psprintf(pool, "%s/%s cannot be made: %s", outer, MNET_OUT_SENDING,
                            mnet_strerror(rv, text, sizeof(text)));
    }
    return rv;
}

void mnet_out_remove_files(const mnet_host_t *host, const char *id, apr_pool_t *pool)
{
    static const char *const endings[] = {".zip", ".new", ".sent", ".lock"};
    mnet_store_dir_t dir;

    if (!host->site->portfolio || owner(host, &dir, pool) || mnet_store_dir_borrow(&dir)) {
        return;
    }
    for (apr_size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        (void)unlink(mnet_out_path(host, id, endings[i], pool));
    }
    mnet_store_dir_done(&dir);
}

apr_status_t mnet_out_lock(const mnet_host_t *host, const char *id, const char *ending, int *fd,
                           apr_pool_t *pool)
{
    mnet_store_dir_t dir;
    const char *why;
    apr_status_t rv = mnet_out_folder(host, &dir, &why, pool);

    *fd = -1;
    rv = rv ? rv : mnet_store_dir_borrow(&dir);
    if (rv) {
        return rv;
    }
    *fd = open(mnet_out_path(host, id, ending, pool), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
               0600);
    rv = *fd < 0 ? errno : APR_SUCCESS;
    mnet_store_dir_done(&dir);
    if (!rv && flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        rv = errno == EWOULDBLOCK ? MNET_E_BUSY : errno;
        mnet_out_unlock(*fd);
        *fd = -1;
    }
    return rv;
}

void mnet_out_unlock(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

int mnet_out_telling(const mnet_host_t *host, const mnet_out_t *out, apr_pool_t *pool)
{
    int fd;
    apr_status_t rv = mnet_out_lock(host, out->id, ".lock", &fd, pool);

    mnet_out_unlock(fd);
    return rv == MNET_E_BUSY;
}

int mnet_out_lock_package(int fd)
{
    apr_time_t until = apr_time_now() + LOCK_WAIT;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || apr_time_now() > until) {
            return 0;
        }
        apr_sleep(LOCK_STEP);
    }
    return 1;
}

void mnet_out_fetch_settle(const mnet_host_t *host, const mnet_out_t *out, apr_pool_t *pool)
{
    int fd = open(mnet_out_path(host, out->id, ".zip", pool), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0) {
        (void)mnet_out_lock_package(fd);
        (void)close(fd);
    }
}
