/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_QUEUE_INT_H
#define MNET_PORTFOLIO_QUEUE_INT_H

/* The queue from inside: its records (queue.c), its leases (queue_lease.c), what takes an item
 * (queue_claim.c) and what becomes of it (queue_work.c). */

#include "portfolio/queue.h"
#include "service/sso_int.h"

#define MNET_QUEUE_ID_BYTES (MNET_QUEUE_ID / 2)

typedef struct mnet_queue_lease_t {
    struct mnet_queue_owner_t owner;
    apr_time_t until;
} mnet_queue_lease_t;

/* The digest that stands for a peer in the names. */
typedef struct mnet_queue_peer_t {
    unsigned char bytes[MNET_SHA256];
} mnet_queue_peer_t;

apr_status_t mnet_queue_peer(const mnet_host_t *host, const char *peer, mnet_queue_peer_t *digest);

/* The item's record; APR_NOTFOUND also for one that is damaged or another site's. */
apr_status_t mnet_queue_write(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_item_t *item, apr_pool_t *pool);
/* Writes it with another state and due time: its record and its place in the line.  item->state
 * and item->due are what they were, and become these. */
apr_status_t mnet_queue_move(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                             mnet_queue_state_e state, apr_time_t due, apr_pool_t *pool);

apr_status_t mnet_queue_lease_put(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, const mnet_queue_lease_t *lease,
                                  apr_pool_t *pool);
apr_status_t mnet_queue_lease_del(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item);
/* APR_NOTFOUND: nobody has it. */
apr_status_t mnet_queue_lease_get(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, mnet_queue_lease_t *lease,
                                  apr_pool_t *pool);
int mnet_queue_lease_read(const void *data, apr_size_t len, mnet_queue_lease_t *lease,
                          apr_pool_t *pool);

/* MNET_E_REFUSED: another owner has it by now, or nobody. */
apr_status_t mnet_queue_check_ours(const mnet_host_t *host, mnet_txn_t *txn,
                                   const struct mnet_queue_owner_t *owner,
                                   const mnet_queue_item_t *item, apr_pool_t *pool);

/* Tells the kind, and removes it. */
apr_status_t mnet_queue_forget(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_item_t *item, apr_pool_t *pool);
/* Removes it as one that is done. */
apr_status_t mnet_queue_remove(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_item_t *item, apr_pool_t *pool);

/* Names. */
apr_status_t mnet_queue_id(const char *id, unsigned char bytes[MNET_QUEUE_ID_BYTES]);
const char *mnet_queue_id_text(const unsigned char bytes[MNET_QUEUE_ID_BYTES], apr_pool_t *pool);
apr_time_t mnet_queue_read_time(const unsigned char *bytes);

/* Named so that what one step touches lies side by side in the store: the newest items, who works
 * on them, and which peer is next. */
#define MNET_GROUP_QUEUE "queue"
#define MNET_GROUP_RUN   "queue-busy"
#define MNET_GROUP_DONE  "queue-done"
#define MNET_GROUP_SUM   "queue-bytes"
#define MNET_GROUP_NEXT  "queue-head"
#define MNET_GROUP_LINE  "queue-line"
#define MNET_QUEUE_SHOWN 1 /* the version of the record that shows an item's progress */
#define MNET_QUEUE_DATA  1 /* follows an item's name in that of its payload */

#endif
