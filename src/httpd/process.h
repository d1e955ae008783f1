/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_PROCESS_H
#define MNET_HTTPD_PROCESS_H

/* What a child process holds, made after the fork. */

#include "httpd/config.h"
#include "httpd/log.h"
#include "httpd/watchdog.h"

typedef struct mnet_process_t {
    mnet_httpd_log_t *log;
    mnet_engine_t *engine;         /* NULL: it could not be made, and the log said why */
    mnet_background_t *background; /* NULL: this process does no periodic work */
    mnet_shared_t *shared;
    apr_pool_t *pool; /* of the engine; any thread may take children from it */
} mnet_process_t;

/* The child_init hook. */
void mnet_process_start(apr_pool_t *pchild, server_rec *s);
/* The child_stopping hook: the child begins nothing new; if it is graceful it answers what it has,
 * else what waits for a peer or an application is left off. */
void mnet_process_stopping(apr_pool_t *pchild, int graceful);

#endif
