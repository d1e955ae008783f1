/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_LOG_H
#define MNET_HTTPD_LOG_H

/*
 * Lines of libmnet in httpd's error log.  A line written while a thread works on a request goes to
 * the log of that request's virtual host, with its client; any other to the main server's.
 * `LogLevel mnet:debug` is honoured.
 */

#include <httpd.h>
#include <apr_thread_proc.h>

#include "base/log.h"

typedef struct mnet_httpd_log_t {
    mnet_log_t log; /* what libmnet gets */
    server_rec *server;
    apr_threadkey_t *request; /* NULL in the parent */
} mnet_httpd_log_t;

/* threads: in a child, where requests are told by mnet_log_request. */
mnet_httpd_log_t *mnet_httpd_log_create(server_rec *s, int threads, apr_pool_t *pool);
/* This thread works on r from now on; NULL: no longer. */
void mnet_log_request(mnet_httpd_log_t *log, request_rec *r);

#endif
