/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_KILL_H
#define MNET_SERVICE_KILL_H

/* Telling peers that a user logged out (MNET protocol reference, 6.7), within a time in all. */

#include "service/jump.h"

typedef struct mnet_killing_t {
    mnet_host_t *host;
    apr_time_t deadline;
    apr_array_header_t *told, *failed; /* const char *: wwwroots */
    apr_pool_t *pool;
} mnet_killing_t;

void mnet_kill_begin(mnet_killing_t *killing, mnet_host_t *host, apr_interval_time_t patience,
                     apr_pool_t *pool);
/* kill_child of each, but not at the peer called except (NULL: none). */
void mnet_kill_children(mnet_killing_t *killing, const apr_array_header_t *children,
                        const char *except);
/* kill_children at the provider a session came from, if we subscribe to its sso_idp. */
void mnet_kill_at_provider(mnet_killing_t *killing, const mnet_session_t *session);

#endif
