/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/deliver_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/status.h"
#include "base/sync.h"

#define MARK_MOST 8192

static const char *mark_path(const char *work, apr_pool_t *pool)
{
    return apr_pstrcat(pool, work, "/going", NULL);
}

static apr_status_t write_whole(const char *path, const char *text, apr_size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    apr_status_t rv = APR_SUCCESS;

    if (fd < 0) {
        return errno;
    }
    while (len && rv == APR_SUCCESS) {
        ssize_t n = write(fd, text, len);

        if (n > 0) {
            text += n;
            len -= (apr_size_t)n;
        } else if (n < 0 && errno != EINTR) {
            rv = errno;
        }
    }
    if (rv == APR_SUCCESS && fsync(fd)) {
        rv = errno;
    }
    if (close(fd) && rv == APR_SUCCESS) {
        rv = errno;
    }
    return rv;
}

/* By rename: a mark is whole or not there. */
apr_status_t mnet_deliver_mark(const char *work, const mnet_deliver_mark_t *mark, apr_pool_t *pool)
{
    const char *path = mark_path(work, pool), *new = apr_pstrcat(pool, path, ".new", NULL);
    const char *text = apr_psprintf(pool, "1 %s %s\n", mark->is_url ? "url" : "dir", mark->to);
    apr_status_t rv;

    if (strlen(text) >= MARK_MOST) {
        return MNET_E_LIMIT;
    }
    rv = write_whole(new, text, strlen(text));
    if (rv == APR_SUCCESS && rename(new, path)) {
        rv = errno;
    }
    return rv == APR_SUCCESS ? mnet_sync_path(work, O_DIRECTORY) : rv;
}

apr_status_t mnet_deliver_marked(const char *work, mnet_deliver_mark_t *mark, apr_pool_t *pool)
{
    FILE *in = fopen(mark_path(work, pool), "re");
    char text[MARK_MOST];
    apr_size_t len;

    if (!in) {
        return errno;
    }
    len = fread(text, 1, sizeof(text) - 1, in);
    fclose(in);
    text[len] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (strncmp(text, "1 dir ", 6) && strncmp(text, "1 url ", 6)) {
        return MNET_E_VERSION;
    }
    mark->is_url = text[2] == 'u';
    mark->to = apr_pstrdup(pool, text + 6);
    return APR_SUCCESS;
}

apr_status_t mnet_deliver_unmark(const char *work, apr_pool_t *pool)
{
    if (unlink(mark_path(work, pool))) {
        return errno == ENOENT ? APR_SUCCESS : errno;
    }
    return mnet_sync_path(work, O_DIRECTORY);
}

apr_status_t mnet_deliver_lock(const char *work, int *fd, apr_pool_t *pool)
{
    const char *path = apr_pstrcat(pool, work, "/lock", NULL);
    struct stat info;
    apr_status_t rv;

    *fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*fd < 0) {
        return errno;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB)) {
        rv = errno == EWOULDBLOCK ? MNET_E_BUSY : errno;
    } else if (fstat(*fd, &info)) {
        rv = errno;
    } else {
        rv = info.st_nlink ? APR_SUCCESS : MNET_E_BUSY; /* it was forgotten meanwhile */
    }
    if (rv != APR_SUCCESS) {
        close(*fd);
        *fd = -1;
    }
    return rv;
}
