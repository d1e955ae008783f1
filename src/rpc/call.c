/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/call.h"

#include <apr_strings.h>
#include <stdarg.h>

#include "base/status.h"
#include "trust/share.h"

mnet_value_t *mnet_call_param(const mnet_call_t *call, int index)
{
    if (!call->params || index < 0 || index >= call->params->nelts) {
        return NULL;
    }
    return APR_ARRAY_IDX(call->params, index, mnet_value_t *);
}

const char *mnet_call_text(const mnet_call_t *call, int index)
{
    const mnet_value_t *value = mnet_call_param(call, index);

    return value ? mnet_as_text(value, call->pool) : NULL;
}

apr_status_t mnet_call_fault(mnet_call_t *call, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    call->fault_text = apr_pvsprintf(call->pool, fmt, ap);
    va_end(ap);
    call->fault_code = code;
    return APR_SUCCESS;
}

apr_status_t mnet_call_claim(mnet_call_t *call, mnet_txn_t *txn)
{
    mnet_share_e whose = mnet_txn_kind(txn) == MNET_WRITE_END ? MNET_SHARE_ENDS : MNET_SHARE_CALLS;
    apr_off_t usable;
    apr_status_t rv;

    if (!call->replay_until) {
        return APR_SUCCESS;
    }
    rv = mnet_replay_claim(txn, &call->replay, call->now, call->replay_until);
    rv = rv ? rv
            : mnet_share_take(txn, call->peer->id, whose, MNET_SHARE_CLAIM, call->now,
                              call->replay_until);
    if (rv || mnet_txn_room(txn, &call->room, &usable)) {
        call->room = 0;
    }
    return rv;
}

apr_status_t mnet_call_claim_alone(mnet_call_t *call)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(call->host->engine->store, MNET_WRITE, &txn, call->pool);

    if (!rv) {
        rv = mnet_call_claim(call, txn);
        rv = rv ? rv : mnet_txn_commit(txn);
        mnet_txn_abort(txn);
    }
    return rv;
}
