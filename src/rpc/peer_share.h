/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_PEER_SHARE_H
#define MNET_RPC_PEER_SHARE_H

/*
 * What a peer's users and calls leave in the store besides the record of each call
 * (trust/share.h), in the transaction that writes it.  Users may still land where the peer's calls
 * have its share.  MNET_E_SHARE: abort it, and answer that.
 */

#include "rpc/call.h"

/* A record of so many bytes for a user of a peer, that goes then. */
apr_status_t mnet_user_share_take(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  apr_size_t len, apr_time_t now, apr_time_t until);
/* It is removed before its time. */
apr_status_t mnet_user_share_give(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  apr_size_t len, apr_time_t now, apr_time_t until);
/* A record that stays, of so many bytes, where before bytes were. */
apr_status_t mnet_user_share_keep(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  apr_size_t len, apr_size_t before, apr_time_t now);
/* The record of a call's effect, that goes then. */
apr_status_t mnet_call_share_take(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  apr_size_t len, apr_time_t now, apr_time_t until);
/* Before the commit of a call that was claimed in this transaction: by what the store has grown
 * since, that stays. */
apr_status_t mnet_call_share_keep(const mnet_call_t *call, mnet_txn_t *txn);

#endif
