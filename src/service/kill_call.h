/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_KILL_CALL_H
#define MNET_SERVICE_KILL_CALL_H

#include "rpc/client.h"

/* kill_children at a provider of users, else kill_child; timeout 0: the site's. */
const mnet_reply_t *mnet_kill_call(mnet_host_t *host, const char *peer, int at_provider,
                                   const char *username, const char *user_agent,
                                   apr_interval_time_t timeout, apr_pool_t *pool);

#endif
