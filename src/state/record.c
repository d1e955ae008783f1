/* SPDX-License-Identifier: Apache-2.0 */
#include "state/record.h"

#include <string.h>

#include <apr_strings.h>
#include <openssl/crypto.h>

#include "base/status.h"

#define NONE     0xFFFFFFFFU           /* the length that says NULL */
#define PACK_MAX ((apr_size_t)1 << 30) /* far above what a store takes, far below a wrap */

struct mnet_pack_t {
    unsigned char *bytes;
    apr_size_t len, size;
    int bad;
    apr_pool_t *pool;
};

/* Room for more bytes at the end, or NULL once the record is too long. */
static unsigned char *more(mnet_pack_t *pack, apr_size_t len)
{
    unsigned char *at;

    if (pack->bad || len > PACK_MAX - pack->len) {
        pack->bad = 1;
        return NULL;
    }
    if (len > pack->size - pack->len) {
        apr_size_t size = pack->size;
        unsigned char *bytes;

        while (size < pack->len + len) {
            size *= 2;
        }
        bytes = apr_palloc(pack->pool, size);
        memcpy(bytes, pack->bytes, pack->len);
        OPENSSL_cleanse(pack->bytes, pack->len); /* it may hold a private key */
        pack->bytes = bytes;
        pack->size = size;
    }
    at = pack->bytes + pack->len;
    pack->len += len;
    return at;
}

static void put_number(mnet_pack_t *pack, apr_uint64_t value, unsigned int width)
{
    unsigned char *at = more(pack, width);

    while (at && width-- > 0) {
        at[width] = (unsigned char)(value & 0xFF);
        value >>= 8;
    }
}

mnet_pack_t *mnet_pack_create(unsigned char version, apr_pool_t *pool)
{
    mnet_pack_t *pack = apr_pcalloc(pool, sizeof(*pack));

    pack->pool = pool;
    pack->size = 256;
    pack->bytes = apr_palloc(pool, pack->size);
    mnet_pack_u8(pack, version);
    return pack;
}

void mnet_pack_u8(mnet_pack_t *pack, unsigned char value)
{
    put_number(pack, value, 1);
}

void mnet_pack_i64(mnet_pack_t *pack, apr_int64_t value)
{
    put_number(pack, (apr_uint64_t)value, 8);
}

void mnet_pack_bytes(mnet_pack_t *pack, const void *data, apr_size_t len)
{
    unsigned char *at;

    if (!data) {
        put_number(pack, NONE, 4);
        return;
    }
    if (len > PACK_MAX) {
        pack->bad = 1;
        return;
    }
    put_number(pack, len, 4);
    at = more(pack, len);
    if (at && len) {
        memcpy(at, data, len);
    }
}

void mnet_pack_text(mnet_pack_t *pack, const char *text)
{
    mnet_pack_bytes(pack, text, text ? strlen(text) : 0);
}

const void *mnet_pack_end(mnet_pack_t *pack, apr_size_t *len)
{
    *len = pack->bad ? APR_SIZE_MAX : pack->len;
    return pack->bytes;
}

/* The next len bytes, or NULL if they are not all there. */
static inline const unsigned char *take(mnet_unpack_t *unpack, apr_size_t len)
{
    const unsigned char *at = unpack->at;

    if (unpack->bad || len > (apr_size_t)(unpack->end - at)) {
        unpack->bad = 1;
        return NULL;
    }
    unpack->at += len;
    return at;
}

static inline apr_uint64_t take_number(mnet_unpack_t *unpack, unsigned int width)
{
    const unsigned char *at = take(unpack, width);
    apr_uint64_t value = 0;

    if (!at) {
        return 0;
    }
    for (unsigned int i = 0; i < width; i++) { /* unrolled, where the width is known */
        value = value << 8 | at[i];
    }
    return value;
}

apr_status_t mnet_unpack_begin(mnet_unpack_t *unpack, const void *data, apr_size_t len,
                               unsigned char newest, apr_pool_t *pool)
{
    static const unsigned char nothing[1] = {0};

    memset(unpack, 0, sizeof(*unpack));
    unpack->pool = pool;
    unpack->start = unpack->at = data ? data : nothing;
    unpack->end = unpack->at + (data ? len : 0);
    unpack->version = mnet_unpack_u8(unpack);
    if (unpack->bad) {
        return APR_EINCOMPLETE;
    }
    if (unpack->version < 1 || unpack->version > newest) {
        unpack->bad = 1;
        return MNET_E_VERSION;
    }
    return APR_SUCCESS;
}

void mnet_unpack_together(mnet_unpack_t *unpack)
{
    apr_size_t len = (apr_size_t)(unpack->end - unpack->start);

    if (len && !unpack->bad) {
        unpack->together = apr_palloc(unpack->pool, len + 1);
        memcpy(unpack->together, unpack->start, len);
    }
}

unsigned char mnet_unpack_u8(mnet_unpack_t *unpack)
{
    return (unsigned char)take_number(unpack, 1);
}

apr_int64_t mnet_unpack_i64(mnet_unpack_t *unpack)
{
    apr_uint64_t value = take_number(unpack, 8);

    /* Two's complement without a conversion that the standard leaves open. */
    return value <= APR_INT64_MAX ? (apr_int64_t)value : -1 - (apr_int64_t)~value;
}

/* Where the next bytes are, not a copy; NULL: none. */
static const char *find_bytes(mnet_unpack_t *unpack, apr_size_t *len)
{
    apr_size_t n = (apr_size_t)take_number(unpack, 4);
    const unsigned char *at;

    *len = 0;
    if (unpack->bad || n == NONE) {
        return NULL;
    }
    at = take(unpack, n);
    *len = at ? n : 0;
    return (const char *)at;
}

const unsigned char *mnet_unpack_bytes(mnet_unpack_t *unpack, apr_size_t *len)
{
    const char *at = find_bytes(unpack, len);

    return at ? (const unsigned char *)apr_pstrmemdup(unpack->pool, at, *len) : NULL;
}

const char *mnet_unpack_text(mnet_unpack_t *unpack)
{
    apr_size_t len;
    const char *at = find_bytes(unpack, &len);

    /* Looked at before it is copied: to read what was written a moment ago is slow. */
    if (at && memchr(at, 0, len)) {
        unpack->bad = 1; /* no writer of ours puts a NUL into a text */
        return NULL;
    }
    if (at && unpack->together) {
        char *text = unpack->together + ((const unsigned char *)at - unpack->start);

        text[len] = '\0'; /* where the next field's length was, which is read from the record */
        return text;
    }
    return at ? apr_pstrmemdup(unpack->pool, at, len) : NULL;
}

apr_status_t mnet_unpack_end(const mnet_unpack_t *unpack)
{
    return unpack->bad ? APR_EINCOMPLETE : APR_SUCCESS;
}
