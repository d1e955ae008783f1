/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CLIENT_KEYSWAP_H
#define MNET_RPC_CLIENT_KEYSWAP_H

/* The one call that needs no trust: asking a site for its certificate (protocol 4.3). */

#include <apr_pools.h>

#include "rpc/engine.h"
#include "rpc/reply.h"

/*
 * A bare system/keyswap: the peer's certificate.  *verified: it came over verified TLS.  Used for
 * first contact and to confirm a rotation.  application: what the peer is believed to be.
 */
typedef struct mnet_keyswap_t {
    const char *pem;
    int verified;
} mnet_keyswap_t;
void mnet_client_keyswap(mnet_host_t *host, const mnet_peer_facts_t *facts, mnet_keyswap_t *keyswap,
                         mnet_reply_t **reply, apr_pool_t *pool);

#endif
