/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_CHECK_H
#define MNET_HTTPD_CHECK_H

/*
 * Mistakes across directives, found at `configtest` already.  Each is one line that names the file
 * and the line of the directive to blame, the mistake and the mend.  Writes nothing but the log.
 * Fills site and routes of every server's configuration whose Engine is On.
 */

#include "httpd/config.h"

/* The check_config hook. */
int mnet_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
/* What is allowed but worth a word, once in a start: called by post_config, and by configtest. */
void mnet_check_warn(server_rec *s, apr_pool_t *ptemp);

#endif
