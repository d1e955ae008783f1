/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_QUEUE_INT_H
#define MNET_PORTFOLIO_QUEUE_INT_H

/* The queue from inside: its records (queue.c) and its leases (queue_lease.c). */

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
/* Writes it with another due time: its record and its place in the line.  item->due becomes due. */
apr_status_t mnet_queue_move(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                             apr_time_t due, apr_pool_t *pool);

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

/* Tells the kind, and removes it. */
apr_status_t mnet_queue_forget(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_item_t *item, apr_pool_t *pool);
/* Removes it as one that is done. */
apr_status_t mnet_queue_remove(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_item_t *item);

/* Names. */
apr_status_t mnet_queue_id(const char *id, unsigned char bytes[MNET_QUEUE_ID_BYTES]);
const char *mnet_queue_id_text(const unsigned char bytes[MNET_QUEUE_ID_BYTES], apr_pool_t *pool);
apr_time_t mnet_queue_read_time(const unsigned char *bytes);

#define MNET_GROUP_QUEUE "queue"
#define MNET_GROUP_DATA  "queue-data"
#define MNET_GROUP_LINE  "queue-line"
#define MNET_GROUP_NEXT  "queue-next"
#define MNET_GROUP_RUN   "queue-run"
#define MNET_GROUP_DONE  "queue-done"

#endif
