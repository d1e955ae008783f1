/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/key_record.h"

#include <string.h>

#include "state/record.h"

#define KEY_VERSION 1

apr_size_t mnet_key_name(unsigned char buf[MNET_KEY_NAME_MAX], const char *wwwroot,
                         const apr_uint64_t *seq)
{
    apr_size_t len = strnlen(wwwroot, MNET_WWWROOT_MAX + 1);
    if (len > MNET_WWWROOT_MAX) {
        return 0;
    }
    memcpy(buf, wwwroot, len);
    buf[len++] = '\0';
    for (int shift = 56; seq && shift >= 0; shift -= 8) {
        buf[len++] = (unsigned char)(*seq >> shift);
    }
    return len;
}

apr_uint64_t mnet_key_seq(const void *name, apr_size_t len, apr_size_t prefix_len)
{
    const unsigned char *at = name;
    apr_uint64_t seq = 0;
    if (len != prefix_len + 8) {
        return 0;
    }
    for (apr_size_t i = prefix_len; i < len; i++) {
        seq = seq << 8 | at[i];
    }
    return seq;
}

void *mnet_key_pack(const mnet_key_record_t *record, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(KEY_VERSION, pool);
    mnet_pack_i64(pack, record->created);
    mnet_pack_i64(pack, record->not_before);
    mnet_pack_i64(pack, record->not_after);
    mnet_pack_text(pack, record->pem);
    /* Last, so that a buffer that had to grow left no copy of it behind. */
    mnet_pack_bytes(pack, record->key_der, record->key_len);
    return (void *)mnet_pack_end(pack, len);
}

apr_status_t mnet_key_unpack(const void *data, apr_size_t len, int secret,
                             mnet_key_record_t *record, apr_pool_t *pool)
{
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, KEY_VERSION, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    memset(record, 0, sizeof(*record));
    record->created = mnet_unpack_i64(&unpack);
    record->not_before = mnet_unpack_i64(&unpack);
    record->not_after = mnet_unpack_i64(&unpack);
    record->pem = mnet_unpack_text(&unpack);
    unpack.bad |= !record->pem;
    if (secret && !unpack.bad) {
        record->key_der = mnet_unpack_bytes(&unpack, &record->key_len);
        unpack.bad |= !record->key_der;
    }
    return mnet_unpack_end(&unpack);
}
