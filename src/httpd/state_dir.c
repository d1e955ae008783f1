/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/startup.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unixd.h>

static const char *because(const char *dir, const char *what, int error, apr_pool_t *pool)
{
    char reason[120];
    return apr_psprintf(pool, "MnetStateDir: %s %s (%s); make it by hand, mode 0700, owned by User",
                        dir, what, apr_strerror(APR_FROM_OS_ERROR(error), reason, sizeof(reason)));
}

/* One directory of ours; those above it exist. */
static const char *make_one(const char *dir, apr_pool_t *pool)
{
    if (mkdir(dir, 0700))
        return errno == EEXIST ? NULL : because(dir, "cannot be made", errno, pool);
    /* The process's umask may have taken more than it should. */
    if (chmod(dir, 0700))
        return because(dir, "cannot be given mode 0700", errno, pool);
    if (!geteuid() && lchown(dir, ap_unixd_config.user_id, ap_unixd_config.group_id))
        return because(dir, "cannot be given to User", errno, pool);
    return NULL;
}

/* Those that are missing, from the top; each belongs to User, who must be able to pass. */
static const char *make_all(const char *dir, apr_pool_t *pool)
{
    char *path = apr_pstrdup(pool, dir);
    struct stat info;
    if (!stat(dir, &info))
        return NULL;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        const char *problem = NULL;
        *slash = '\0';
        if (stat(path, &info))
            problem = make_one(path, pool);
        *slash = '/';
        if (problem)
            return problem;
    }
    return make_one(path, pool);
}

/* A directory that was there before: is it fit for private keys? */
static const char *inspect(const char *dir, apr_pool_t *pool)
{
    struct stat info;
    uid_t user = geteuid() ? geteuid() : ap_unixd_config.user_id;
    if (stat(dir, &info))
        return because(dir, "cannot be looked at", errno, pool);
    if (!S_ISDIR(info.st_mode))
        return apr_psprintf(pool, "MnetStateDir: %s is no directory; name another", dir);
    if (info.st_uid != user)
        return apr_psprintf(pool,
                            "MnetStateDir: %s belongs to user %ld, but User is %ld, who must write "
                            "there; run: chown -R %ld:%ld %s",
                            dir, (long)info.st_uid, (long)user, (long)user,
                            (long)(geteuid() ? getegid() : ap_unixd_config.group_id), dir);
    if (info.st_mode & 0077)
        return apr_psprintf(pool,
                            "MnetStateDir: others than its owner may look into %s, which holds "
                            "private keys; run: chmod 700 %s",
                            dir, dir);
    return NULL;
}

const char *mnet_state_dir_prepare(const char *dir, apr_pool_t *pool)
{
    const char *problem;
    apr_size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    dir = apr_pstrmemdup(pool, dir, len);
    problem = make_all(dir, pool);
    if (!problem)
        problem = inspect(dir, pool);
    return problem ? problem : make_one(apr_pstrcat(pool, dir, "/tmp", NULL), pool);
}
