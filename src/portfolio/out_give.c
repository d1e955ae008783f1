/* SPDX-License-Identifier: Apache-2.0 */
/* Packages by their location (protocol 7.3). */
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/out_int.h"

#define SECRET_DIGITS 40
#define ID_MAX        255

static apr_status_t find(mnet_out_give_t *give, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(give->host->engine->store, MNET_READ, &txn, pool);

    if (!rv) {
        rv = mnet_out_find(give->host, txn, "#", give->secret, &give->out, pool);
        mnet_txn_abort(txn);
    }
    return rv;
}

apr_status_t mnet_out_give(mnet_out_give_t *give, apr_pool_t *pool)
{
    apr_status_t rv;

    give->out = NULL;
    if (!give->host->site->portfolio || !give->id || !*give->id || !give->secret ||
        strnlen(give->id, ID_MAX + 1) > ID_MAX ||
        strnlen(give->secret, SECRET_DIGITS + 1) != SECRET_DIGITS) {
        return APR_NOTFOUND;
    }
    rv = find(give, pool);
    if (rv) {
        return rv;
    }
    /* Found by a digest of the secret; what is compared is the whole of both. */
    if (!mnet_equal_secret(give->secret, give->out->secret) ||
        !mnet_equal_secret(give->id, give->out->token) || !give->out->direct ||
        !give->out->offered || give->now > give->out->expires ||
        give->out->state == MNET_OUT_STATE_EXPIRED || give->out->state == MNET_OUT_STATE_DROPPED) {
        return APR_NOTFOUND;
    }
    give->path = mnet_out_path(give->host, give->out->id, ".zip", pool);
    return APR_SUCCESS;
}

static apr_status_t note_given(mnet_host_t *host, const char *id, int end, apr_time_t now,
                               apr_pool_t *pool)
{
    mnet_out_t *out;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE_WORK, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = mnet_out_get(host, txn, id, &out, pool);
    if (!rv && out->state == MNET_OUT_STATE_DELIVERED) {
        rv = MNET_E_EXISTS; /* one more time: nothing to write */
    } else if (!rv && end) {
        rv = mnet_out_went(host, txn, out, now, pool);
    } else if (!rv) {
        out->begun = now;
        rv = mnet_out_put(host, txn, out, pool);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv == MNET_E_EXISTS ? APR_SUCCESS : rv;
}

apr_status_t mnet_out_giving(mnet_host_t *host, const char *id, apr_time_t now, apr_pool_t *pool)
{
    return note_given(host, id, 0, now, pool);
}

apr_status_t mnet_out_given(mnet_host_t *host, const char *id, apr_time_t now, apr_pool_t *pool)
{
    return note_given(host, id, 1, now, pool);
}
