/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_REFETCH_H
#define MNET_RPC_REFETCH_H

/* Asking a peer whether its key has changed, because its messages say so. */

#include <apr_pools.h>

#include "rpc/engine.h"

/*
 * A peer's message was signed by a key that we do not know: asks the peer once, by
 * system/listServices sealed to the certificate in force, which a peer that rotated answers with
 * a 7025.  At most once a minute per peer over all processes, and never while another one is under
 * way.  APR_SUCCESS: there is a new certificate, verify again.
 */
apr_status_t mnet_refetch(mnet_host_t *host, const mnet_peer_t *peer, apr_time_t now,
                          const char **why, apr_pool_t *pool);

#endif
