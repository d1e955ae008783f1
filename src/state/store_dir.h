/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_STATE_STORE_DIR_H
#define MNET_STATE_STORE_DIR_H

/*
 * The directory of a store on the disk: who owns it, who may look in, and whose files are made
 * there.  Root never follows a link that the owner of the directory put there: it opens the files
 * as that owner.
 */

#include <sys/types.h>

#include <apr_pools.h>

#include "base/log.h"

typedef struct mnet_store_dir_t {
    const char *path;
    uid_t uid; /* the owner */
    gid_t gid;
    int borrow; /* we are root and the owner is not */
} mnet_store_dir_t;

/* *why: what is wrong with the directory and what to do, in pool. */
apr_status_t mnet_store_dir_check(mnet_store_dir_t *dir, const char *path, const mnet_log_t *log,
                                  const char **why, apr_pool_t *pool);

/* A file of the directory, if it is there: a plain one, given to the directory's owner (by root;
 * else only its own), mode 0600.  The file is not opened: LMDB's locks stay. */
apr_status_t mnet_store_dir_adopt(const mnet_store_dir_t *dir, const char *name, const char **why,
                                  apr_pool_t *pool);

/* This thread's file accesses are the owner's from here to mnet_store_dir_done. */
apr_status_t mnet_store_dir_borrow(const mnet_store_dir_t *dir);
void mnet_store_dir_done(const mnet_store_dir_t *dir);

#endif
