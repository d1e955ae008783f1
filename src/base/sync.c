/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

apr_status_t mnet_sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);
    apr_status_t rv = APR_SUCCESS;

    if (fd < 0) {
        return errno;
    }
    if (fsync(fd)) {
        rv = errno;
    }
    close(fd);
    return rv;
}
