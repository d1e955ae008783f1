/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_PICTURE_H
#define MNET_SERVICE_PICTURE_H

/* The picture of a user, a file that the configuration names (MnetUserImage): what fetch_user_image
 * gives, and user_authorise tells of (MNET protocol reference, 5.2). */

#include <apr_pools.h>
#include <apr_time.h>

#define MNET_PICTURE_MAX (512 * 1024) /* bytes */

typedef struct mnet_picture_t {
    const char *type; /* "image/png", ... by its first bytes, whatever the file is called */
    const unsigned char *bytes;
    apr_size_t len;
    apr_time_t modified;
} mnet_picture_t;

/* Is it a path that may be opened: absolute, without "." and ".." in it (a user's name is part of
 * it), and control characters? */
int mnet_picture_path_ok(const char *path);
/* NULL: there is no such file, it is too large, or neither PNG, JPEG, GIF nor WebP; *why, a
 * sentence, unless there is none. */
const mnet_picture_t *mnet_picture_read(const char *path, const char **why, apr_pool_t *pool);

#endif
