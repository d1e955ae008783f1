/* SPDX-License-Identifier: Apache-2.0 */
#include "state/store_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/status.h"

#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xFE534D42
#endif
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xFF534D42
#endif

static int is_remote(const char *path)
{
    struct statfs fs;
    unsigned long type;

    if (statfs(path, &fs) != 0) {
        return 0;
    }
    type = (unsigned long)fs.f_type & 0xFFFFFFFFUL;
    return type == NFS_SUPER_MAGIC || type == SMB2_SUPER_MAGIC || type == CIFS_SUPER_MAGIC;
}

apr_status_t mnet_store_dir_check(mnet_store_dir_t *dir, const char *path, const mnet_log_t *log,
                                  const char **why, apr_pool_t *pool)
{
    struct stat st;
    unsigned int mode;

    if (stat(path, &st) != 0) {
        int e = errno;
        char text[200];

        *why = apr_psprintf(pool,
                            "%s: %s (it must be a directory of mode 0700 that belongs to the "
                            "server's user)",
                            path, mnet_strerror(e, text, sizeof(text)));
        return e;
    }
    if (!S_ISDIR(st.st_mode)) {
        *why = apr_psprintf(pool, "%s is not a directory: MnetStateDir names one", path);
        return APR_ENOTDIR;
    }
    mode = (unsigned int)(st.st_mode & 07777);
    if (mode & 027) {
        *why = apr_psprintf(pool,
                            "%s holds private keys and others may %s it (mode %04o): "
                            "chmod 0700 %s",
                            path, mode & 022 ? "write to" : "look into", mode, path);
        return APR_EACCES;
    }
    if (mode & 050) {
        mnet_log(log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0207",
                 "%s holds private keys and its group may look into it (mode %04o): chmod 0700 %s",
                 path, mode, path);
    }
    if (is_remote(path)) {
        mnet_log(log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0208",
                 "%s is on a network file system, where a store loses its locks and then its "
                 "records: use a local disk",
                 path);
    }
    dir->path = apr_pstrdup(pool, path);
    dir->uid = st.st_uid;
    dir->gid = st.st_gid;
    dir->borrow = geteuid() == 0 && st.st_uid != 0;
    return APR_SUCCESS;
}

/* fd: O_PATH, so that neither a link is followed nor a lock is dropped. */
static apr_status_t adopt_fd(const mnet_store_dir_t *dir, int fd, const char *file,
                             const char **why, apr_pool_t *pool)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
        *why = apr_psprintf(pool, "%s is not a plain file with one name: move it away", file);
        return APR_EACCES;
    }
    if (st.st_uid == dir->uid) {
        return APR_SUCCESS;
    }
    if (geteuid() != 0 || fchownat(fd, "", dir->uid, dir->gid, AT_EMPTY_PATH) != 0) {
        *why = apr_psprintf(pool, "%s does not belong to the owner of %s: chown --reference=%s %s",
                            file, dir->path, dir->path, file);
        return APR_EACCES;
    }
    return APR_SUCCESS;
}

apr_status_t mnet_store_dir_adopt(const mnet_store_dir_t *dir, const char *name, const char **why,
                                  apr_pool_t *pool)
{
    const char *file = apr_pstrcat(pool, dir->path, "/", name, NULL);
    int fd = open(file, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    apr_status_t rv;

    if (fd < 0) {
        return errno == ENOENT ? APR_SUCCESS : errno;
    }
    rv = adopt_fd(dir, fd, file, why, pool);
    (void)close(fd);
    if (rv == APR_SUCCESS) {
        rv = mnet_store_dir_borrow(dir);
        if (rv == APR_SUCCESS) {
            rv = chmod(file, 0600) == 0 ? APR_SUCCESS : errno;
            mnet_store_dir_done(dir);
        }
    }
    return rv;
}

apr_status_t mnet_store_dir_borrow(const mnet_store_dir_t *dir)
{
    if (!dir->borrow) {
        return APR_SUCCESS;
    }
    (void)setfsgid(dir->gid);
    (void)setfsuid(dir->uid);
    /* Neither call says whether it succeeded; a call with no valid id says what holds. */
    if ((uid_t)setfsuid((uid_t)-1) != dir->uid || (gid_t)setfsgid((gid_t)-1) != dir->gid) {
        mnet_store_dir_done(dir);
        return APR_EACCES;
    }
    return APR_SUCCESS;
}

void mnet_store_dir_done(const mnet_store_dir_t *dir)
{
    if (dir->borrow) {
        (void)setfsuid(geteuid());
        (void)setfsgid(getegid());
    }
}
