/* SPDX-License-Identifier: Apache-2.0 */
/* What its sender said of a package, as the payload of its item. */
#include "portfolio/arrival.h"

#include "portfolio/intent.h"
#include "trust/texts.h"

#define VERSION 1

const void *mnet_arrival_pack(const mnet_arrival_t *arrival, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(VERSION, pool);
    int count = arrival->manifest ? arrival->manifest->nelts : -1;

    mnet_pack_text(pack, arrival->token);
    mnet_pack_text(pack, arrival->location);
    mnet_pack_text(pack, arrival->caller);
    mnet_pack_text(pack, arrival->format);
    mnet_pack_text(pack, arrival->sha1);
    mnet_pack_i64(pack, arrival->size);
    mnet_pack_i64(pack, arrival->total);
    mnet_pack_i64(pack, count);
    for (int i = 0; i < count; i++) {
        const mnet_package_expected_t *one =
            &APR_ARRAY_IDX(arrival->manifest, i, mnet_package_expected_t);

        mnet_pack_text(pack, one->filename);
        mnet_pack_text(pack, one->sha1);
        mnet_pack_i64(pack, one->size);
    }
    return mnet_pack_end(pack, len);
}

apr_status_t mnet_arrival_unpack(const void *data, apr_size_t len, mnet_arrival_t **unpacked,
                                 apr_pool_t *pool)
{
    mnet_arrival_t *arrival = apr_pcalloc(pool, sizeof(*arrival));
    apr_array_header_t *manifest;
    mnet_unpack_t unpack;
    int count;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, VERSION, pool);

    arrival->token = mnet_unpack_text(&unpack);
    arrival->location = mnet_unpack_text(&unpack);
    arrival->caller = mnet_unpack_text(&unpack);
    arrival->format = mnet_unpack_text(&unpack);
    arrival->sha1 = mnet_unpack_text(&unpack);
    arrival->size = mnet_unpack_i64(&unpack);
    arrival->total = mnet_unpack_i64(&unpack);
    count = mnet_count_unpack(&unpack);
    manifest = apr_array_make(pool, count > 0 ? count : 1, sizeof(mnet_package_expected_t));
    for (int i = 0; i < count && !unpack.bad; i++) {
        mnet_package_expected_t *one = apr_array_push(manifest);

        one->filename = mnet_unpack_text(&unpack);
        one->sha1 = mnet_unpack_text(&unpack);
        one->size = mnet_unpack_i64(&unpack);
        unpack.bad |= !one->filename || !one->sha1;
    }
    arrival->manifest = count >= 0 ? manifest : NULL;
    unpack.bad |= !arrival->token;
    *unpacked = arrival;
    return rv ? rv : mnet_unpack_end(&unpack);
}

const char *mnet_arrival_title(const mnet_arrival_t *arrival, apr_pool_t *pool)
{
    const apr_array_header_t *manifest = arrival->manifest;

    if (manifest && manifest->nelts == 1) {
        return APR_ARRAY_IDX(manifest, 0, mnet_package_expected_t).filename;
    }
    return arrival->format ? arrival->format : "package";
}

apr_status_t mnet_arrival_dropped(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, const void *payload,
                                  apr_size_t len, apr_pool_t *pool)
{
    mnet_arrival_t *arrival;
    apr_status_t rv = mnet_arrival_unpack(payload, len, &arrival, pool);

    if (rv) {
        return APR_SUCCESS; /* damaged: there is nothing to find */
    }
    rv = mnet_intent_del(host, txn, arrival->token, pool);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}
