/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_SHARE_H
#define MNET_TRUST_SHARE_H

/*
 * A peer's share of the store, so that none can fill it: how many bytes there are for its sake, and
 * how many there may be.  That is a third of the store, and never more than what is left of it: two
 * that take all they can leave a third of it to everybody else, three a quarter.  What its users do
 * may have an eighth more than what it does itself, so that they can land where it called too
 * often; and what ends something another, so that they are logged out however often they landed.
 *
 * What goes by itself is counted until then, or up to a fifteenth of that time longer; what stays
 * until somebody removes it.  One record for each peer, of a fixed size at most, written in the
 * transaction of what it counts:
 *
 *   group        key             value
 *   replay-use   the peer's id   what stays; and, for what goes, bytes and until when
 *
 * Its name follows the newest of "replay-until": a call that is claimed writes no further page.
 */

#include <apr_time.h>

#include "state/store.h"

#define MNET_SHARE_PARTS 3
/* Bytes that the two records of a replay take in the store's pages. */
#define MNET_SHARE_CLAIM 224

/* Of a share, eighths. */
typedef enum { MNET_SHARE_CALLS = 8, MNET_SHARE_USERS = 9, MNET_SHARE_ENDS = 10 } mnet_share_e;

typedef struct mnet_share_t {
    apr_int64_t used, most; /* bytes */
} mnet_share_t;

/* So many bytes more, until then.  MNET_E_SHARE: it has its share; nothing was written. */
apr_status_t mnet_share_take(mnet_txn_t *txn, apr_uint64_t peer, mnet_share_e whose,
                             apr_int64_t bytes, apr_time_t now, apr_time_t until);
/* What was taken so, and not past yet, is gone before its time. */
apr_status_t mnet_share_give(mnet_txn_t *txn, apr_uint64_t peer, apr_int64_t bytes, apr_time_t now,
                             apr_time_t until);
/* So many more that stay, or fewer: it is never less than 0.  MNET_E_SHARE as above. */
apr_status_t mnet_share_keep(mnet_txn_t *txn, apr_uint64_t peer, mnet_share_e whose,
                             apr_int64_t bytes, apr_time_t now);
/* About what a record of so many bytes takes in the store; none: 0. */
apr_int64_t mnet_share_of(apr_size_t len);
apr_status_t mnet_share_look(mnet_txn_t *txn, apr_uint64_t peer, apr_time_t now,
                             mnet_share_t *share);

#endif
