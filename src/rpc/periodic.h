/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_PERIODIC_H
#define MNET_RPC_PERIODIC_H

/*
 * What has to happen now and then for a site, whoever keeps the time (httpd's watchdog, a test).
 * Quick work never waits for a peer; what does is told peer by peer, so that the caller can give
 * each to a thread and nobody waits for a peer that hangs.
 */

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "rpc/engine.h"

/*
 * Rotates our key when it is due, forgets replays that are past, keeps the times of contact in the
 * store, warns (once a day) of certificates of peers that expire within 14 days.  As often as
 * the caller likes; once a minute is enough.
 */
void mnet_periodic_quick(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

/*
 * The peers that are to be called now (const char * wwwroot, at most 64): those without a trusted
 * certificate and none that waits for confirmation; those not reached for 7 days, since a site that
 * nobody calls rotates away from us (protocol 11, 26); those with a subscribed service whose
 * methods are neither known nor learnt; those whose key is in doubt (doubt.h).  Whoever is told of
 * a peer is to call it: it is not named again for an hour, over all processes.
 */
apr_array_header_t *mnet_periodic_due(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

/* Does for one peer what is due; takes as long as the peer does. */
void mnet_periodic_peer(mnet_host_t *host, const char *wwwroot, apr_time_t now, apr_pool_t *pool);

/* All of it, one after another. */
void mnet_periodic_run(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

#endif
