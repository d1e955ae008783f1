/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_BASE_LOG_H
#define MNET_BASE_LOG_H

/*
 * Logging without httpd: whoever uses libmnet says where lines go.  Each place that logs bears an
 * id of its own, "MNET0301"; docs/log-messages.md explains every one of them, and `make check`
 * holds the two against each other.  Secrets, keys, tokens and session keys are never logged.
 * Text that came from a peer is escaped before it is handed to the sink.
 *
 * Ids by room: 00xx base, 01xx wire, 02xx state, 03xx trust, 04xx rpc, 05xx service,
 * 06xx httpd, 07xx cli, 08xx sign-on, 10xx portfolio, 11xx handlers.
 */

#include <apr_errno.h>
#include <apr_pools.h>

/* The values are httpd's (syslog's), so that its sink passes them through. */
typedef enum {
    MNET_LOG_ERR = 3,
    MNET_LOG_WARNING = 4,
    MNET_LOG_NOTICE = 5,
    MNET_LOG_INFO = 6,
    MNET_LOG_DEBUG = 7
} mnet_log_level_e;

typedef struct mnet_log_t {
    /* text: one line without its newline; rv: APR_SUCCESS if there is no status to show. */
    void (*write)(void *baton, int level, apr_status_t rv, const char *id, const char *text);
    void *baton;
    int level; /* lines above this level are not even formatted */
} mnet_log_t;

/* One line.  log may be NULL: nothing happens. */
void mnet_log(const mnet_log_t *log, int level, apr_status_t rv, const char *id, const char *fmt,
              ...) __attribute__((format(printf, 5, 6)));

#endif
