/* SPDX-License-Identifier: Apache-2.0 */
#include "service/kill_call.h"

const mnet_reply_t *mnet_kill_call(mnet_host_t *host, const char *peer, int at_provider,
                                   const char *username, const char *user_agent,
                                   apr_interval_time_t timeout, apr_pool_t *pool)
{
    apr_array_header_t *params = apr_array_make(pool, 2, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {.host = host,
                            .peer = peer,
                            .method = at_provider ? "auth/mnet/auth.php/kill_children"
                                                  : "auth/mnet/auth.php/kill_child",
                            .params = params,
                            .max_reply = 64 * 1024,
                            .timeout = timeout};
    mnet_reply_t *reply;

    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(username, pool);
    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(user_agent, pool);
    mnet_client_call(&call, &reply, pool);
    return reply;
}
