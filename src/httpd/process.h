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
    mnet_global_t *global;
    apr_pool_t *pool; /* of all this; any thread may take children from it */
    int graceful;     /* the child stops, and httpd has waited for all requests */
} mnet_process_t;

/* The child_init hook. */
void mnet_process_start(apr_pool_t *pchild, server_rec *s);
/* The child_stopping hook: the child begins nothing new; if it is graceful it answers what it has,
 * else what waits for a peer or an application is left off. */
void mnet_process_stopping(apr_pool_t *pchild, int graceful);

#endif
