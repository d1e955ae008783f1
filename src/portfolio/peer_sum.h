/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_PEER_SUM_H
#define MNET_PORTFOLIO_PEER_SUM_H

/*
 * How much of something a peer has in the store, so that none can fill it: a number for each peer
 * in a group of its own.
 *
 *   key                  value
 *   site, SHA-256(peer)  the sum; none: 0
 */

#include "rpc/engine.h"
#include "state/store.h"

/* Adds to a peer's sum, which is never less than 0, in the caller's transaction.  MNET_E_LIMIT:
 * more is positive, and the sum would be over most; it is as it was. */
apr_status_t mnet_peer_sum_add(const mnet_host_t *host, mnet_txn_t *txn, const char *group,
                               const char *peer, apr_int64_t more, apr_int64_t most,
                               apr_pool_t *pool);

#endif
