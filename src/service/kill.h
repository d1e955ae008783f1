/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_KILL_H
#define MNET_SERVICE_KILL_H

/*
 * Telling peers that a user logged out (MNET protocol reference, 6.7), within a time in all.  First
 * noted, in the transaction that ends the session; then told; who was told is forgotten at the end,
 * and who was not is told later (service/farewell.h).
 */

#include "service/jump.h"

/* A write transaction that notes: whom mnet_kill_children and mnet_kill_at_provider will tell. */
apr_status_t mnet_kill_note_children(mnet_host_t *host, mnet_txn_t *txn,
                                     const apr_array_header_t *children, const char *except,
                                     apr_time_t now, apr_pool_t *pool);
apr_status_t mnet_kill_note_provider(mnet_host_t *host, mnet_txn_t *txn,
                                     const mnet_session_t *session, apr_time_t now,
                                     apr_pool_t *pool);

typedef struct mnet_killing_t {
    mnet_host_t *host;
    apr_time_t deadline;
    apr_array_header_t *told, *failed; /* const char *: wwwroots */
    apr_array_header_t *done;          /* mnet_farewell_t: what need not be kept */
    apr_pool_t *pool;
} mnet_killing_t;

void mnet_kill_begin(mnet_killing_t *killing, mnet_host_t *host, apr_interval_time_t patience,
                     apr_pool_t *pool);
/* kill_child of each, but not at the peer called except (NULL: none). */
void mnet_kill_children(mnet_killing_t *killing, const apr_array_header_t *children,
                        const char *except);
/* kill_children at the provider a session came from, if we subscribe to its sso_idp. */
void mnet_kill_at_provider(mnet_killing_t *killing, const mnet_session_t *session);
/* Forgets those who were told. */
void mnet_kill_end(mnet_killing_t *killing);

#endif
