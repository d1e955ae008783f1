/* SPDX-License-Identifier: Apache-2.0 */
/* On whose behalf a peer calls. */
#include "portfolio/receive_int.h"

#include "base/text.h"
#include "rpc/fault.h"
#include "service/account.h"
#include "trust/policy.h"

const char *mnet_receive_user(mnet_call_t *call, const char *username)
{
    mnet_account_t *account;
    const char *peer = call->peer->facts->wwwroot;
    apr_status_t rv = APR_NOTFOUND;

    if (username && *username && mnet_policy_user(call->peer, username)) {
        rv = mnet_account_find(call->host, peer, username, &account, call->pool);
    }
    if (!rv) {
        return username;
    }
    mnet_log(call->host->engine->log, MNET_LOG_NOTICE, rv, "MNET1011",
             "%s: %s would send something for %s, who never landed here or may not",
             call->host->site->wwwroot, peer, mnet_say(username, call->pool));
    (void)mnet_call_fault(call, MNET_RECEIVE_USER, "Could not find user %s for %s",
                          mnet_say(username, call->pool), peer);
    return NULL;
}
