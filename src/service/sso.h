/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_SSO_H
#define MNET_SERVICE_SSO_H

/*
 * What sign-on needs now and then (MNET protocol reference, 6.6), for httpd's watchdog or a test;
 * as rpc/periodic.h, quick work apart from what waits for peers.
 */

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "rpc/engine.h"

#define MNET_KEEPALIVE_EVERY apr_time_from_sec(300)

/* Ends sessions, tokens and child sessions that are past; writes back when sessions were used.  At
 * most once a minute over all processes, however often it is called. */
void mnet_sso_quick(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);
/* The providers that are to be told now whose users are here (const char * wwwroot).  Each is named
 * once in MNET_KEEPALIVE_EVERY over all processes: whoever is told is to call mnet_sso_keepalive.
 */
apr_array_header_t *mnet_sso_due(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);
/* keepalive_server at one provider; takes as long as that does. */
void mnet_sso_keepalive(mnet_host_t *host, const char *wwwroot, apr_time_t now, apr_pool_t *pool);
/* All three, one after another, and the farewells (service/farewell.h). */
void mnet_sso_periodic(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

/* What peers know a browser by: SHA-1 of its User-Agent, hexadecimal; NULL is as "". */
const char *mnet_user_agent_hash(mnet_host_t *host, const char *user_agent, apr_pool_t *pool);

#endif
