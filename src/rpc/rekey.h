/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_REKEY_H
#define MNET_RPC_REKEY_H

/*
 * Following a peer's rotation (protocol 4.4, "what the gateway should do on").  The one place that
 * decides whether a certificate offered in a 7025 is accepted:
 *   1. the fault is signed by the certificate in force (Moodle signs with the old key), or
 *   2. it is signed by the offered key itself and the peer gives the same certificate by keyswap
 *      over verified TLS (Mahara), or
 *   3. an administrator confirms it: until then it is pending.
 */

#include <apr_pools.h>

#include "rpc/engine.h"
#include "wire/message.h"

/* fault: the SIGNED message that carried the 7025; offered: its text.  APR_SUCCESS: the peer's
 * new certificate is in force; MNET_E_REFUSED: it is not, *why says why and what to do. */
apr_status_t mnet_rekey_offered(mnet_host_t *host, const mnet_peer_t *peer,
                                const mnet_message_t *fault, const char *offered, const char **why,
                                apr_pool_t *pool);

#endif
