/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/peer_sum.h"

#include "base/status.h"
#include "rpc/site_record.h"

#define VERSION 1

static apr_status_t read_sum(mnet_txn_t *txn, const char *group, const mnet_name_t *name,
                             apr_int64_t *sum, apr_pool_t *pool)
{
    mnet_unpack_t unpack;
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, group, name->bytes, name->len, &data, &len);

    *sum = 0;
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return APR_SUCCESS;
    }
    rv = rv ? rv : mnet_unpack_begin(&unpack, data, len, VERSION, pool);
    if (!rv) {
        *sum = mnet_unpack_i64(&unpack);
        unpack.bad |= *sum < 0;
        rv = mnet_unpack_end(&unpack);
    }
    return rv;
}

apr_status_t mnet_peer_sum_add(const mnet_host_t *host, mnet_txn_t *txn, const char *group,
                               const char *peer, apr_int64_t more, apr_int64_t most,
                               apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(VERSION, pool);
    apr_int64_t sum;
    mnet_name_t name;
    apr_status_t rv;

    mnet_name_begin(host, &name);
    rv = mnet_name_add_digest(host, &name, peer, NULL);
    rv = rv ? rv : read_sum(txn, group, &name, &sum, pool);
    if (rv) {
        return rv;
    }
    if (more > 0 && (sum > most || more > most - sum)) {
        return MNET_E_LIMIT;
    }
    sum = sum + more < 0 ? 0 : sum + more;
    if (!sum) {
        rv = mnet_txn_del(txn, group, name.bytes, name.len);
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    mnet_pack_i64(pack, sum);
    return mnet_record_put(txn, group, &name, pack);
}
