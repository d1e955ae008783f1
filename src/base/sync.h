/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_BASE_SYNC_H
#define MNET_BASE_SYNC_H

#include <apr_errno.h>

/* What a file or folder holds is on the disk when this returns.  flags: added to those of open(2),
 * O_DIRECTORY for a folder.  A link is not followed. */
apr_status_t mnet_sync_path(const char *path, int flags);

#endif
