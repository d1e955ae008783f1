/* SPDX-License-Identifier: Apache-2.0 */
/* An item as it is now, whoever has it, and its payload. */
#include <apr_strings.h>

#include "base/status.h"
#include "portfolio/queue_int.h"

apr_status_t mnet_queue_get(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                            mnet_queue_item_t **item, apr_pool_t *pool)
{
    mnet_queue_lease_t lease;
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_queue_name(host, id, &name);

    *item = NULL;
    rv = rv ? rv : mnet_txn_get(txn, MNET_GROUP_QUEUE, name.bytes, name.len, &data, &len);
    if (rv) {
        return rv;
    }
    *item = mnet_queue_read(host, name.bytes + MNET_SITE_PREFIX, data, len, pool);
    if (!*item) {
        return APR_NOTFOUND;
    }
    rv = mnet_queue_lease_get(host, txn, *item, &lease, pool);
    if (!rv) {
        mnet_queue_lease_apply(&lease, *item);
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* Beside the item, so that both are on one page as a rule. */
apr_status_t mnet_queue_data_name(const mnet_host_t *host, const char *id, mnet_name_t *name)
{
    static const unsigned char data = MNET_QUEUE_DATA;
    apr_status_t rv = mnet_queue_name(host, id, name);

    mnet_name_add(name, &data, 1);
    return rv;
}

apr_status_t mnet_queue_payload(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                const void **payload, apr_size_t *len, apr_pool_t *pool)
{
    mnet_name_t name;
    const void *data;
    apr_status_t rv = mnet_queue_data_name(host, id, &name);

    *payload = NULL;
    *len = 0;
    rv = rv ? rv : mnet_txn_get(txn, MNET_GROUP_QUEUE, name.bytes, name.len, &data, len);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return APR_SUCCESS; /* it has none */
    }
    if (!rv) {
        *payload = apr_pmemdup(pool, data, *len);
    }
    return rv;
}

apr_status_t mnet_queue_data_gone(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_peer_t *peer, const char *id, apr_pool_t *pool)
{
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_queue_data_name(host, id, &name);

    rv = rv ? rv : mnet_txn_get(txn, MNET_GROUP_QUEUE, name.bytes, name.len, &data, &len);
    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    rv = mnet_queue_add_bytes_of(host, txn, peer, -(apr_int64_t)len, 0, pool);
    return rv ? rv : mnet_txn_del(txn, MNET_GROUP_QUEUE, name.bytes, name.len);
}
