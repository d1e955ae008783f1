/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/peer_share.h"

#include "trust/share.h"

apr_status_t mnet_user_share_take(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  apr_size_t len, apr_time_t now, apr_time_t until)
{
    apr_uint64_t id;
    apr_status_t rv = mnet_peer_id(host->engine->crypto, peer, &id);

    return rv ? rv : mnet_share_take(txn, id, MNET_SHARE_USERS, mnet_share_of(len), now, until);
}

apr_status_t mnet_user_share_give(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  apr_size_t len, apr_time_t now, apr_time_t until)
{
    apr_uint64_t id;
    apr_status_t rv = mnet_peer_id(host->engine->crypto, peer, &id);

    return rv ? rv : mnet_share_give(txn, id, mnet_share_of(len), now, until);
}

apr_status_t mnet_user_share_keep(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  apr_size_t len, apr_size_t before, apr_time_t now)
{
    apr_uint64_t id;
    apr_status_t rv = mnet_peer_id(host->engine->crypto, peer, &id);

    return rv ? rv
              : mnet_share_keep(txn, id, MNET_SHARE_USERS,
                                mnet_share_of(len) - mnet_share_of(before), now);
}

apr_status_t mnet_call_share_take(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  apr_size_t len, apr_time_t now, apr_time_t until)
{
    apr_uint64_t id;
    apr_status_t rv = mnet_peer_id(host->engine->crypto, peer, &id);

    return rv ? rv : mnet_share_take(txn, id, MNET_SHARE_CALLS, mnet_share_of(len), now, until);
}

apr_status_t mnet_call_share_keep(const mnet_call_t *call, mnet_txn_t *txn)
{
    apr_off_t used, usable;

    if (!call->room || mnet_txn_room(txn, &used, &usable)) {
        return APR_SUCCESS; /* it is not counted: the store does not say, or nothing was claimed */
    }
    return mnet_share_keep(txn, call->peer->id, MNET_SHARE_CALLS, used - call->room, call->now);
}
