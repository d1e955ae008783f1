/* SPDX-License-Identifier: Apache-2.0 */
/* The record of an item, and names. */
#include <string.h>

#include "base/text.h"
#include "portfolio/queue_int.h"
#include "rpc/site_record.h"
#include "trust/texts.h"

#define VERSION 1

/* --- names --- */

apr_status_t mnet_queue_id(const char *id, unsigned char bytes[MNET_QUEUE_ID_BYTES])
{
    if (!id || strlen(id) != MNET_QUEUE_ID) {
        return APR_NOTFOUND;
    }
    for (int i = 0; i < MNET_QUEUE_ID; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = strchr(digits, id[i]);

        if (!digit) {
            return APR_NOTFOUND;
        }
        bytes[i / 2] = (unsigned char)((bytes[i / 2] & 0x0f) << 4 | (digit - digits));
    }
    return APR_SUCCESS;
}

const char *mnet_queue_id_text(const unsigned char bytes[MNET_QUEUE_ID_BYTES], apr_pool_t *pool)
{
    return mnet_hex(bytes, MNET_QUEUE_ID_BYTES, pool);
}

apr_time_t mnet_queue_read_time(const unsigned char *bytes)
{
    apr_uint64_t when = 0;

    for (int i = 0; i < 8; i++) {
        when = when << 8 | bytes[i];
    }
    return (apr_time_t)when;
}

apr_status_t mnet_queue_peer(const mnet_host_t *host, const char *peer, mnet_queue_peer_t *digest)
{
    mnet_name_t name = {.len = 0};
    apr_status_t rv = mnet_name_add_digest(host, &name, peer, NULL);

    memcpy(digest->bytes, name.bytes, sizeof(digest->bytes));
    return rv;
}

apr_status_t mnet_queue_name(const mnet_host_t *host, const char *id, mnet_name_t *name)
{
    unsigned char bytes[MNET_QUEUE_ID_BYTES] = {0};
    apr_status_t rv = mnet_queue_id(id, bytes);

    mnet_name_begin(host, name);
    mnet_name_add(name, bytes, sizeof(bytes));
    return rv;
}

void mnet_queue_peer_name(const mnet_host_t *host, const mnet_queue_peer_t *peer, mnet_name_t *name)
{
    mnet_name_begin(host, name);
    mnet_name_add(name, peer->bytes, sizeof(peer->bytes));
}

/* --- items --- */

apr_status_t mnet_queue_write(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_item_t *item, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_record_create(host, VERSION, pool);
    mnet_name_t name;
    apr_status_t rv = mnet_queue_name(host, item->id, &name);

    mnet_pack_text(pack, item->kind);
    mnet_pack_text(pack, item->peer);
    mnet_pack_text(pack, item->user);
    mnet_pack_text(pack, item->title);
    mnet_pack_i64(pack, item->due);
    mnet_pack_u8(pack, (unsigned char)item->state);
    mnet_pack_i64(pack, item->created);
    mnet_pack_i64(pack, item->attempts);
    mnet_pack_text(pack, item->reason);
    mnet_pack_i64(pack, item->failed);
    return rv ? rv : mnet_record_put(txn, MNET_GROUP_QUEUE, &name, pack);
}

mnet_queue_item_t *mnet_queue_read(const mnet_host_t *host, const unsigned char *id,
                                   const void *data, apr_size_t len, apr_pool_t *pool)
{
    mnet_queue_item_t *item = apr_pcalloc(pool, sizeof(*item));
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_record_open(&unpack, host, data, len, VERSION, pool);

    mnet_unpack_together(&unpack);
    item->id = mnet_queue_id_text(id, pool);
    item->kind = mnet_unpack_text(&unpack);
    item->peer = mnet_unpack_text(&unpack);
    item->user = mnet_unpack_text(&unpack);
    item->title = mnet_unpack_text(&unpack);
    item->due = mnet_unpack_i64(&unpack);
    item->state = mnet_unpack_u8(&unpack);
    item->created = mnet_unpack_i64(&unpack);
    item->attempts = (int)mnet_number_unpack(&unpack, 0, MNET_QUEUE_ATTEMPTS_MAX);
    item->reason = mnet_unpack_text(&unpack);
    item->failed = mnet_unpack_i64(&unpack);
    unpack.bad |= !item->kind || !item->peer || item->state > MNET_QUEUE_PARKED || item->due < 0;
    return rv || mnet_unpack_end(&unpack) ? NULL : item;
}
