/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_SYSTEM_KEYSWAP_H
#define MNET_SERVICE_SYSTEM_KEYSWAP_H

#include "rpc/call.h"

/*
 * system/keyswap (protocol 4.3): answers with our certificate, to anybody.  Where
 * MnetRegisterAllHosts is On, a site that is not known yet becomes a peer without services, with
 * the certificate it sent, which nobody has confirmed; a peer that is known is never changed.
 */
mnet_handler_fn mnet_system_keyswap;

/* The most that may have come this way and wait for confirmation. */
#define MNET_KEYSWAP_PEERS 1000

#endif
