/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_STATE_RECORD_H
#define MNET_STATE_RECORD_H

/*
 * How a record's bytes are laid out: a byte for the version, then fields in a fixed order.
 * Numbers are big-endian; a text is its length (32 bits) and its bytes; NULL has a length of its
 * own (0xFFFFFFFF).  A reader never reads past the end: the first field that does not fit spoils
 * it, and mnet_unpack_end says so once.
 */

#include <apr_pools.h>
#include <apr_time.h>

typedef struct mnet_pack_t mnet_pack_t;
mnet_pack_t *mnet_pack_create(unsigned char version, apr_pool_t *pool);
void mnet_pack_u8(mnet_pack_t *pack, unsigned char value);
void mnet_pack_i64(mnet_pack_t *pack, apr_int64_t value);
void mnet_pack_text(mnet_pack_t *pack, const char *text); /* may be NULL */
void mnet_pack_bytes(mnet_pack_t *pack, const void *data, apr_size_t len);
/* The record, in the pack's pool.  One that grew beyond all bounds has a length of APR_SIZE_MAX,
 * which mnet_txn_put refuses. */
const void *mnet_pack_end(mnet_pack_t *pack, apr_size_t *len);

typedef struct mnet_unpack_t {
    const unsigned char *at, *end;
    unsigned char version;
    int bad;
    apr_pool_t *pool;
    const unsigned char *start;
    char *together; /* the one copy, or NULL */
} mnet_unpack_t;

/* Copies are made in pool.  MNET_E_VERSION if the version is not 1 to newest; APR_EINCOMPLETE for
 * no bytes at all.  After either every field reads as 0 or NULL. */
apr_status_t mnet_unpack_begin(mnet_unpack_t *unpack, const void *data, apr_size_t len,
                               unsigned char newest, apr_pool_t *pool);
/* After begin, for a record of many texts that is read whole: they lie in one copy of it. */
void mnet_unpack_together(mnet_unpack_t *unpack);
unsigned char mnet_unpack_u8(mnet_unpack_t *unpack);
apr_int64_t mnet_unpack_i64(mnet_unpack_t *unpack);
const char *mnet_unpack_text(mnet_unpack_t *unpack); /* a copy; a NUL spoils */
const unsigned char *mnet_unpack_bytes(mnet_unpack_t *unpack, apr_size_t *len); /* a copy */
/* APR_SUCCESS if every field fitted (left-over bytes are a later version's); else APR_EINCOMPLETE.
 */
apr_status_t mnet_unpack_end(const mnet_unpack_t *unpack);

#endif
