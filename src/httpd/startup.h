/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_STARTUP_H
#define MNET_HTTPD_STARTUP_H

/*
 * What the parent does at a start and at every graceful restart, before it forks children:
 * the state directory, keys where there are none, the record of the effective sites that mnetctl
 * reads, shared memory and its mutex.  The store is closed again: no LMDB environment crosses a
 * fork.  Where no Engine is On, nothing at all is done.
 *
 * Shared memory and mutex are made once and kept over graceful restarts, in the process's own pool:
 * children of the generation before use them until they have answered their last request.
 */

#include "httpd/config.h"

int mnet_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);
int mnet_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* state_dir.c: makes the directory and its tmp if they are missing, owned by User; NULL or the
 * sentence that says what is wrong with it. */
const char *mnet_state_dir_prepare(const char *dir, apr_pool_t *pool);

/* state_write.c: keys where there are none, and the sites.  NULL or the sentence. */
const char *mnet_state_write(server_rec *s, const char *dir, apr_pool_t *pool);

#endif
