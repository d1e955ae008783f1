/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_DELIVER_INT_H
#define MNET_PORTFOLIO_DELIVER_INT_H

/* What the files of deliver.h share. */

#include "portfolio/deliver.h"

/* A delivery under way. */
typedef struct mnet_deliver_t {
    apr_pool_t *pool;
    const mnet_delivery_t *delivery;
    mnet_package_source_t source; /* with the limits filled in */
    mnet_delivered_t *delivered;
} mnet_deliver_t;

/* deliver_fail.c: says what is wrong, once; returns the status. */
apr_status_t mnet_deliver_fail(mnet_deliver_t *deliver, apr_status_t rv, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- deliver_mark.c: what work/going says --- */

typedef struct mnet_deliver_mark_t {
    int is_url;
    const char *to;
} mnet_deliver_mark_t;

/* On disk when this returns. */
apr_status_t mnet_deliver_mark(const char *work, const mnet_deliver_mark_t *mark, apr_pool_t *pool);
/* APR_ENOENT: there is none. */
apr_status_t mnet_deliver_marked(const char *work, mnet_deliver_mark_t *mark, apr_pool_t *pool);
/* Gone, and that is on disk; nothing there is success. */
apr_status_t mnet_deliver_unmark(const char *work, apr_pool_t *pool);
/* *fd holds work/lock until it is closed.  MNET_E_BUSY: somebody else does. */
apr_status_t mnet_deliver_lock(const char *work, int *fd, apr_pool_t *pool);

/* --- deliver_folder.c, deliver_post.c --- */

apr_status_t mnet_deliver_to_folder(mnet_deliver_t *deliver);
apr_status_t mnet_deliver_to_url(mnet_deliver_t *deliver);

#endif
