/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_SESSION_BLOCK_H
#define MNET_SERVICE_SESSION_BLOCK_H

/*
 * A session decoded, in one block of memory that those who use it share, for session_kept.c.  What
 * most requests read is at its head, in as few of the lines that memory is fetched by as it can be.
 */

#include <stdatomic.h>

#include "service/sso_int.h"

#define MNET_LINE 64 /* bytes that memory is fetched by */

/* Followed by the variables' entries, who it is, what few requests read, and all other texts. */
typedef struct mnet_session_block_t {
    _Alignas(MNET_LINE) char id[MNET_SESSION_ID_LEN];
    atomic_int refs;
    atomic_uint used; /* seconds; who makes it sets it */
    apr_array_header_t variables;
    mnet_kept_session_t kept; /* what others see of it */
    apr_size_t size;
} mnet_session_block_t;

/* With one reference; NULL: too large, or out of memory.  pool: for the while. */
mnet_session_block_t *mnet_session_block_make(const char *id, const mnet_kept_session_t *from,
                                              apr_pool_t *pool);
/* One reference less, the last cleanses and frees it.  NULL is nothing. */
void mnet_session_block_drop(mnet_session_block_t *block);
/* Takes as long whatever differs. */
int mnet_session_block_is(const mnet_session_block_t *block, const char *id);

/* Lines are fetched at once, not one after the other as they are read.  Reads nothing. */
void mnet_fetch(const void *from, apr_size_t size);
/* What most requests read of it. */
void mnet_session_block_fetch(const mnet_session_block_t *block);

#endif
