/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_SSO_CHECK_H
#define MNET_HTTPD_SSO_CHECK_H

/* Mistakes about sign-on across directives. */

#include "httpd/config.h"

/* At configtest: how many errors were logged.  Writes nothing. */
int mnet_sso_check(server_rec *main_server, apr_pool_t *pool);
/* What is allowed but worth a word, about one server's configuration. */
void mnet_sso_warn(server_rec *s, apr_pool_t *pool);
/* At a start, when the state directory is there: peers that only it can have. */
void mnet_sso_check_stored(server_rec *main_server, apr_pool_t *pool);

#endif
