/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/reply.h"

#include <apr_strings.h>
#include <stdarg.h>

#include "base/status.h"

const char *mnet_call_kind_name(mnet_call_kind_e kind)
{
    static const char *const names[] = {"ok", "policy", "transport", "trust", "fault"};

    return (unsigned int)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "trust";
}

apr_status_t mnet_reply_set(mnet_reply_t *reply, mnet_call_kind_e kind, apr_pool_t *pool,
                            const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    reply->message = apr_pvsprintf(pool, fmt, ap);
    va_end(ap);
    reply->kind = kind;
    reply->value = NULL;
    return MNET_E_PEER;
}
