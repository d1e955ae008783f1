/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/doubt.h"

#include "rpc/fault.h"

#define BY_MESSAGE "doubt"
#define BY_CALL    "doubt by a call"
#define KEPT       apr_time_from_sec(3600)

static int doubts_key(const mnet_reply_t *reply)
{
    return reply->kind == MNET_CALL_TRUST ||
           (reply->kind == MNET_CALL_FAULT &&
            (reply->code == MNET_FAULT_NOT_OPENED || reply->code == MNET_FAULT_BAD_SIGNATURE));
}

void mnet_doubt(mnet_host_t *host, const char *wwwroot, apr_time_t now)
{
    mnet_shared_once(host->engine->shared, BY_MESSAGE, wwwroot, now, KEPT);
}

void mnet_doubt_by(mnet_host_t *host, const char *wwwroot, const mnet_reply_t *reply,
                   apr_time_t now)
{
    if (doubts_key(reply)) {
        mnet_shared_once(host->engine->shared, BY_CALL, wwwroot, now, KEPT);
    }
}

int mnet_doubted(mnet_host_t *host, const char *wwwroot, apr_time_t now)
{
    mnet_shared_t *shared = host->engine->shared;

    return (mnet_shared_due(shared, BY_MESSAGE, wwwroot, now, KEPT) ? 0 : MNET_DOUBT_MESSAGE) |
           (mnet_shared_due(shared, BY_CALL, wwwroot, now, KEPT) ? 0 : MNET_DOUBT_CALL);
}
