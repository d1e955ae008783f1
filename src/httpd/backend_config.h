/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_BACKEND_CONFIG_H
#define MNET_HTTPD_BACKEND_CONFIG_H

/* MnetBackend: methods that local applications answer. */

#include "httpd/config.h"
#include "service/backend.h"

typedef struct mnet_backend_said_t {
    const mnet_backend_options_t *options;
    mnet_where_t where;
} mnet_backend_said_t;

/* The directive. */
const char *mnet_set_backend(cmd_parms *cmd, void *dir, int argc, char *const argv[]);

/* The virtual host's, then the server's with other patterns. */
apr_array_header_t *mnet_backends_merge(apr_pool_t *pool, apr_array_header_t *over,
                                        apr_array_header_t *under);
int mnet_backends_same(const apr_array_header_t *a, const apr_array_header_t *b);

/* At configtest: paths that somebody has already.  Each mistake is said; how many there were. */
int mnet_backends_check(server_rec *main_server, apr_pool_t *pool);
/* What is allowed, with a word. */
void mnet_backends_warn(server_rec *s, apr_pool_t *pool);

/* In a child: adds those of every site to the registry. */
void mnet_backends_add(mnet_registry_t *registry, server_rec *main_server, const mnet_log_t *log,
                       apr_pool_t *pool);

/* At start, in the parent: the secret by which we know our own requests again; the same one after a
 * graceful restart.  NULL: there is no entropy. */
const unsigned char *mnet_backends_secret(server_rec *main_server);
/* Is this request one of a backend's, made by this server?  Then its X-Mnet- headers are ours. */
int mnet_backends_own(request_rec *r);

#endif
