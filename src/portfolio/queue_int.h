/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_QUEUE_INT_H
#define MNET_PORTFOLIO_QUEUE_INT_H

/* The queue from inside, from the ground up: names and items' records (queue_record.c), what is
 * kept of a peer (queue_peer.c), the lines (queue_line.c), what an earlier version left
 * (queue_old.c), items (queue.c); and on these leases (queue_lease.c), what takes an item
 * (queue_claim.c), what becomes of it (queue_work.c) and a clock that was set back (queue_clock.c).
 */

#include "portfolio/queue.h"
#include "rpc/site_record.h"
#include "service/sso_int.h"

#define MNET_QUEUE_ID_BYTES (MNET_QUEUE_ID / 2)

/* What stands for a peer in the names: the first half of its digest. */
typedef struct mnet_queue_peer_t {
    unsigned char bytes[MNET_SHA256 / 2];
} mnet_queue_peer_t;

typedef struct mnet_queue_lease_t {
    struct mnet_queue_owner_t owner;
    apr_time_t until;
    int attempts; /* its item's, this one included */
    unsigned char id[MNET_QUEUE_ID_BYTES];
    mnet_queue_peer_t peer; /* one of mnet_queue_leases: its item's */
} mnet_queue_lease_t;

/* Where an item stands in the line of its peer: due, and id, so that they compare as bytes. */
typedef struct mnet_queue_place_t {
    unsigned char bytes[8 + MNET_QUEUE_ID_BYTES];
} mnet_queue_place_t;

/* --- names and records: queue_record.c --- */

/* The last names of all in the store, and of these that of the items: only there pages are filled
 * up before the next one is begun, which is then not deeper in the tree so soon. */
#define MNET_GROUP_DONE         "~done"
#define MNET_GROUP_NEXT         "~first"
#define MNET_GROUP_LINE         "~line"
#define MNET_GROUP_QUEUE        "~queue"
#define MNET_QUEUE_SHOWN        1 /* the version of the record that shows an item's progress */
#define MNET_QUEUE_ATTEMPTS_MAX 1000000 /* that a record may tell of */
#define MNET_QUEUE_DATA         1       /* follows an item's name in that of its payload */

/* APR_NOTFOUND: it cannot be an id. */
apr_status_t mnet_queue_id(const char *id, unsigned char bytes[MNET_QUEUE_ID_BYTES]);
const char *mnet_queue_id_text(const unsigned char bytes[MNET_QUEUE_ID_BYTES], apr_pool_t *pool);
apr_time_t mnet_queue_read_time(const unsigned char *bytes);
apr_status_t mnet_queue_peer(const mnet_host_t *host, const char *peer, mnet_queue_peer_t *digest);
/* Site and id: of the item, and of its progress. */
apr_status_t mnet_queue_name(const mnet_host_t *host, const char *id, mnet_name_t *name);
/* Site and peer: what is kept of it, and what the names of its line begin with. */
void mnet_queue_peer_name(const mnet_host_t *host, const mnet_queue_peer_t *peer,
                          mnet_name_t *name);

apr_status_t mnet_queue_write(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_item_t *item, apr_pool_t *pool);
/* As it was written, by whoever had it last, without what its lease says.  NULL: damaged, or of
 * another site. */
mnet_queue_item_t *mnet_queue_read(const mnet_host_t *host, const unsigned char *id,
                                   const void *data, apr_size_t len, apr_pool_t *pool);

/* --- its payload: queue_item.c --- */

apr_status_t mnet_queue_data_name(const mnet_host_t *host, const char *id, mnet_name_t *name);
/* An item of that peer cannot be read: its payload goes, and counts for the peer no more. */
apr_status_t mnet_queue_data_gone(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_peer_t *peer, const char *id, apr_pool_t *pool);

/* --- what is kept of a peer: queue_peer.c --- */

/* More bytes of payload, or less, as mnet_peer_sum_add. */
apr_status_t mnet_queue_add_bytes(const mnet_host_t *host, mnet_txn_t *txn, const char *wwwroot,
                                  apr_int64_t more, apr_int64_t most, apr_pool_t *pool);
apr_status_t mnet_queue_add_bytes_of(const mnet_host_t *host, mnet_txn_t *txn,
                                     const mnet_queue_peer_t *peer, apr_int64_t more,
                                     apr_int64_t most, apr_pool_t *pool);
/* Of an item that cannot be read: lease->id of lease->peer. */
apr_status_t mnet_queue_lease_forget(const mnet_host_t *host, mnet_txn_t *txn,
                                     const mnet_queue_lease_t *lease, apr_pool_t *pool);
/* Of an item; it becomes lease->id's. */
apr_status_t mnet_queue_lease_put(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, mnet_queue_lease_t *lease,
                                  apr_pool_t *pool);
apr_status_t mnet_queue_lease_del(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, apr_pool_t *pool);
/* APR_NOTFOUND: nobody has it. */
apr_status_t mnet_queue_lease_get(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, mnet_queue_lease_t *lease,
                                  apr_pool_t *pool);
/* The item as one that is worked on. */
void mnet_queue_lease_apply(const mnet_queue_lease_t *lease, mnet_queue_item_t *item);
/* Of a peer, and of all: mnet_queue_lease_t. */
apr_status_t mnet_queue_leases_of(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_peer_t *peer, apr_array_header_t **leases,
                                  apr_pool_t *pool);
apr_status_t mnet_queue_leases(const mnet_host_t *host, mnet_txn_t *txn,
                               apr_array_header_t **leases, apr_pool_t *pool);

/* --- lines: queue_line.c --- */

#define MNET_QUEUE_NOWHERE ((apr_time_t)-1)

/* The item leaves its place for another (from, to: when it is due there, or MNET_QUEUE_NOWHERE).
 * What is damaged of the line goes; mnet_queue_mend finds the items that were in it. */
apr_status_t mnet_queue_place(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_item_t *item, apr_time_t from, apr_time_t to);

/* It is in its line then, and that is found. */
apr_status_t mnet_queue_place_again(const mnet_host_t *host, mnet_txn_t *txn,
                                    const mnet_queue_item_t *item);

/* Is it in its line, and that found when it is due? */
apr_status_t mnet_queue_is_placed(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, int *placed);

/* A place is given up whose item is gone. */
apr_status_t mnet_queue_unplace(const mnet_host_t *host, mnet_txn_t *txn,
                                const mnet_queue_peer_t *peer, const mnet_queue_place_t *place);

/* The places of a peer's line that are due, after a place (NULL: from the first), at most max. */
apr_status_t mnet_queue_line(const mnet_host_t *host, mnet_txn_t *txn,
                             const mnet_queue_peer_t *peer, const mnet_queue_place_t *after,
                             apr_time_t due, int max, apr_array_header_t *places);

/* A line that is not empty: when its first place is due, and whose it is. */
typedef struct mnet_queue_head_t {
    unsigned char bytes[8 + sizeof(mnet_queue_peer_t)];
} mnet_queue_head_t;

/* Likewise the lines of which something is due, that which waits longest first. */
apr_status_t mnet_queue_heads(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_head_t *after, apr_time_t due, int max,
                              apr_array_header_t *heads);

/* --- items: queue.c --- */

/* Is there a record of it, be it unreadable?  APR_NOTFOUND: there is none. */
apr_status_t mnet_queue_exists(const mnet_host_t *host, const char *id, apr_pool_t *pool);
/* An item is begun: under a lease, and in no line.  Its record stays what it was. */
apr_status_t mnet_queue_take(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                             mnet_queue_lease_t *lease, apr_pool_t *pool);
/* An item is put into its line with another state and due time, which item->state and item->due
 * become; with the rest of *item it is written.  A lease it has is over. */
apr_status_t mnet_queue_move(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                             mnet_queue_state_e state, apr_time_t due, apr_pool_t *pool);
/* One that was interrupted, or whose lease is no good, waits again, in front of what came since. */
apr_status_t mnet_queue_back(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                             apr_time_t now, apr_pool_t *pool);
/* Tells the kind, and removes it. */
apr_status_t mnet_queue_forget(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_item_t *item, apr_pool_t *pool);
/* Removes it as one that is done. */
apr_status_t mnet_queue_remove(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_item_t *item, apr_pool_t *pool);

/* --- what is damaged: queue_mend.c --- */

/* Removes an item that cannot be read.  APR_NOTFOUND: there is none. */
apr_status_t mnet_queue_drop_damaged(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                     apr_pool_t *pool);

/* --- peers that let us wait: queue_slow.c --- */

typedef struct mnet_queue_slow_t {
    apr_array_header_t *peers; /* mnet_queue_peer_t: each may have one item at a time, */
    int max;                   /* and so many may be begun */
} mnet_queue_slow_t;

int mnet_queue_is_slow(const mnet_queue_slow_t *slow, const mnet_queue_peer_t *peer);

/* --- leases: queue_lease.c --- */

/* Of a new attempt of that process, from now on. */
apr_status_t mnet_queue_lease_new(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                                  apr_time_t now, mnet_queue_lease_t *lease);
/* MNET_E_REFUSED: another process or attempt has it by now, or nobody. */
apr_status_t mnet_queue_check_ours(const mnet_host_t *host, mnet_txn_t *txn,
                                   const struct mnet_queue_owner_t *owner,
                                   const mnet_queue_item_t *item, apr_pool_t *pool);

/* --- what an earlier version left: queue_old.c --- */

/* Moves it to this layout; as nearly always there is nothing.  For whoever looks at the queue
 * first.
 */
apr_status_t mnet_queue_upgrade(const mnet_host_t *host, apr_pool_t *pool);

#endif
