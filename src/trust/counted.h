/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_COUNTED_H
#define MNET_TRUST_COUNTED_H

/*
 * Things made once and read by many threads, each for as long as its own pool lives: a ring of
 * keys, a peer.  Each lives in a pool of its own without a parent (so that no thread touches
 * another's pool), which is destroyed by whoever lets go last.
 */

#include <apr_pools.h>

typedef struct mnet_counted_t {
    apr_pool_t *pool; /* allocate what is counted here, before anybody else sees it */
    volatile apr_uint32_t refs;
} mnet_counted_t;

/* With one reference, the maker's. */
apr_status_t mnet_counted_create(mnet_counted_t **counted);
/* One more reference, given back when pool is cleared.  The caller must be sure that it has not
 * gone meanwhile: it holds a reference, or the lock under which the last would be dropped. */
void mnet_counted_lend(mnet_counted_t *counted, apr_pool_t *pool);
/* Gives the maker's reference back.  NULL: nothing happens. */
void mnet_counted_drop(mnet_counted_t *counted);

#endif
