/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_LOCATION_H
#define MNET_PORTFOLIO_LOCATION_H

/*
 * Where a package may be got from, when its sender names a location: a peer must not make us ask
 * others for it (server-side request forgery).  The URL must be below the peer's wwwroot, byte for
 * byte; and since its name's address is the peer's to choose, that must be one of the Internet,
 * unless the administrator wrote it down (MnetPeerEndpoint, or a wwwroot with an address), or it is
 * the one that the peer itself called us from (and not the loopback, where a proxy may be).
 */

#include <apr_pools.h>
#include <sys/socket.h>

#include "trust/peers.h"

#define MNET_LOCATION_MAX 2048

/* What is wrong with a location, as a sentence, or NULL. */
const char *mnet_location_problem(const char *wwwroot, const char *location, apr_pool_t *pool);

/* May we connect to that address for something of the peer's?  caller: the address that it called
 * us from when it named the location, as text; or NULL. */
int mnet_location_may_connect(const mnet_peer_facts_t *facts, const char *caller,
                              const struct sockaddr *address, apr_pool_t *pool);

/* Is it none of the Internet: private, loopback, link-local, reserved, multicast, ... */
int mnet_address_is_special(const struct sockaddr *address);

#endif
