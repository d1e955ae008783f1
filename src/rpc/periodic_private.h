/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_PERIODIC_PRIVATE_H
#define MNET_RPC_PERIODIC_PRIVATE_H

#include "rpc/engine.h"

/* All peers; logs if they cannot be read. */
apr_status_t mnet_periodic_peers(mnet_host_t *host, apr_array_header_t **peers, apr_pool_t *pool);
/* Was it not reached for so long that it is to be called for its own sake? */
int mnet_periodic_unreached(mnet_host_t *host, const mnet_peer_t *peer, apr_time_t now);
/* Is there a subscribed service whose methods are neither known here, nor given, nor learnt? */
int mnet_periodic_unlearnt(mnet_host_t *host, const mnet_peer_t *peer, apr_pool_t *pool);

#endif
