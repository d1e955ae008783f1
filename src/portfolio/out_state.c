/* SPDX-License-Identifier: Apache-2.0 */
/* How far a transfer is, whichever way it goes. */
#include "portfolio/out_int.h"
#include "portfolio/queue_int.h"

#define PROGRESS_VERSION 1

int mnet_out_is_unconfirmed(const mnet_out_t *out)
{
    return out->state == MNET_OUT_STATE_DELIVERED && out->fetched >= out->done;
}

apr_status_t mnet_out_deliver(const mnet_host_t *host, mnet_txn_t *txn, mnet_out_t *out,
                              apr_time_t now, apr_pool_t *pool)
{
    apr_status_t rv;

    out->state = MNET_OUT_STATE_DELIVERED;
    out->done = now;
    rv = mnet_out_put(host, txn, out, pool);
    return rv ? rv : mnet_out_log(host, txn, out, pool);
}

apr_status_t mnet_out_went(const mnet_host_t *host, mnet_txn_t *txn, mnet_out_t *out,
                           apr_time_t now, apr_pool_t *pool)
{
    apr_status_t rv;

    out->fetched = now;
    if (out->state != MNET_OUT_STATE_OFFERED) {
        return mnet_out_put(host, txn, out, pool);
    }
    rv = mnet_out_deliver(host, txn, out, now, pool);
    rv = rv ? rv : mnet_queue_drop(host, txn, out->id, pool);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* As the queue's own threads write it (mnet_queue_progress), by somebody who has no lease. */
static apr_status_t put_progress(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                 const mnet_queue_progress_t *progress, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(PROGRESS_VERSION, pool);
    unsigned char bytes[MNET_QUEUE_ID_BYTES] = {0};
    mnet_queue_item_t *item;
    mnet_name_t name;
    apr_status_t rv = mnet_queue_id(id, bytes);

    mnet_pack_i64(pack, progress->done);
    mnet_pack_i64(pack, progress->total);
    mnet_pack_i64(pack, progress->when);
    mnet_name_begin(host, &name);
    mnet_name_add(&name, bytes, sizeof(bytes));
    rv = rv ? rv : mnet_queue_get(host, txn, id, &item, pool);
    return rv ? rv : mnet_record_put(txn, MNET_GROUP_DONE, &name, pack);
}

void mnet_out_note(const mnet_host_t *host, const char *id, apr_off_t done, apr_off_t total,
                   apr_time_t now, apr_pool_t *parent)
{
    mnet_queue_progress_t progress = {done, total, now};
    mnet_txn_t *txn;
    apr_pool_t *pool;
    apr_status_t rv;

    if (apr_pool_create(&pool, parent)) {
        return;
    }
    rv = mnet_txn_begin(host->engine->store, MNET_WRITE_WORK, &txn, pool);
    if (!rv) {
        rv = put_progress(host, txn, id, &progress, pool);
        if (!rv) {
            (void)mnet_txn_commit(txn);
        }
        mnet_txn_abort(txn);
    }
    apr_pool_destroy(pool);
}
