/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_QUEUE_H
#define MNET_PORTFOLIO_QUEUE_H

/*
 * Work that must be done some day, whoever dies meanwhile: a durable queue in the store.  What
 * there is to do is told by an item's kind ("fetch", "ready", ...); the queue knows when, how
 * often, and who is at it.
 *
 * An item that is worked on is leased: to a process (its id and a number of its own), for one
 * attempt (another number), and until a time, which the process renews while it lives.  A process
 * that was killed loses its leases at once, one that lost its memory of them (a machine that slept)
 * when they are over.  So an item may be begun twice; that its effect happens once is the kind's to
 * see to: it does it in the transaction in which it says mnet_queue_done_in, which fails if the
 * lease was lost.
 *
 * Records (peer: the first half of the SHA-256 of its wwwroot):
 *
 *   group    key                      value
 *   ~queue   site, id                 the item as it last waited: queue_record.c
 *   ~queue   site, id, 1              the payload, as the kind wrote it
 *   ~done    site, id                 progress: bytes done, of how many, when
 *   ~first   site, due, peer          nothing: the first of each line
 *   ~line    site, peer               bytes of payload; leases: queue_peer.c
 *   ~line    site, peer, due, id      the places (due, id) of a line up to that one: queue_line.c.
 *                                     A line has all items of a peer but those that run
 *
 * due is when an item is to be looked at: waiting, when it is tried; running, when its lease is
 * over; parked, when it is forgotten.  What a look-up costs depends on the number of peers that are
 * busy, not on that of items; nor does what a step writes (but for a page where the tree of the
 * store is one level deeper): to begin an item touches its lease and its place, not the item.
 */

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "rpc/engine.h"
#include "state/store.h"

#define MNET_QUEUE_ID       32 /* hexadecimal digits of an id */
#define MNET_QUEUE_ATTEMPTS 12 /* then an item is parked */
#define MNET_QUEUE_WRONGS   4  /* so many, if what came was wrong */
#define MNET_QUEUE_PER_PEER 2  /* items of one peer worked on at once, over all processes */
#define MNET_QUEUE_HELD     ((apr_int64_t)16 << 20) /* bytes of payload of one peer */
#define MNET_QUEUE_LEASE    apr_time_from_sec(60)
#define MNET_QUEUE_LATEST   apr_time_from_sec(6 * 3600) /* between two attempts at most */
#define MNET_QUEUE_REASON   500                         /* bytes of a reason that are kept */

typedef enum {
    MNET_QUEUE_WAITING,
    MNET_QUEUE_RUNNING,
    MNET_QUEUE_PARKED,
    MNET_QUEUE_DAMAGED /* in a list: its record cannot be read, and it can only be dropped */
} mnet_queue_state_e;

typedef struct mnet_queue_item_t {
    const char *id;    /* NULL for a new one: made by mnet_queue_put */
    const char *kind;  /* "fetch", "ready", ... */
    const char *peer;  /* its wwwroot */
    const char *user;  /* for the reader of a list; may be NULL */
    const char *title; /* likewise */
    apr_time_t due;    /* not before; 0 for a new one: now */
    /* the queue's own */
    int state; /* mnet_queue_state_e */
    apr_time_t created;
    int attempts;       /* begun */
    const char *reason; /* of the last failure, or NULL */
    apr_time_t failed;  /* when that was; 0: never */
    apr_int64_t lease;  /* of the attempt at it, while it runs */
} mnet_queue_item_t;

typedef struct mnet_queue_progress_t {
    apr_off_t done, total; /* bytes; total 0: not known */
    apr_time_t when;
} mnet_queue_progress_t;

/* --- within a transaction of the caller's --- */

/*
 * Adds an item.  item->id is set (in pool) unless it was given; MNET_E_EXISTS: that one is there.
 * payload: what the kind needs, at most MNET_STORE_VALUE_MAX bytes; NULL and 0: nothing.
 * MNET_E_LIMIT: its peer would have more than MNET_QUEUE_HELD of that.
 */
apr_status_t mnet_queue_put(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                            const void *payload, apr_size_t len, apr_time_t now, apr_pool_t *pool);
/* APR_NOTFOUND: there is none. */
apr_status_t mnet_queue_get(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                            mnet_queue_item_t **item, apr_pool_t *pool);
/* A copy in pool. */
apr_status_t mnet_queue_payload(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                const void **payload, apr_size_t *len, apr_pool_t *pool);
/* Removes it with all that belongs to it, whatever its state, and be it unreadable.  APR_NOTFOUND:
 * there is none. */
apr_status_t mnet_queue_drop(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                             apr_pool_t *pool);

/* --- for those who look on --- */

/* Of this site, soonest due first, at most max (0: all): mnet_queue_item_t *.  peer NULL: any. */
apr_status_t mnet_queue_list(const mnet_host_t *host, const char *peer, int max,
                             apr_array_header_t **list, apr_pool_t *pool);
/* In a transaction of its own.  progress may be NULL; all 0 if nothing is known. */
apr_status_t mnet_queue_look(const mnet_host_t *host, const char *id, mnet_queue_item_t **item,
                             mnet_queue_progress_t *progress, apr_pool_t *pool);
/* A waiting or parked one is tried at once, and its attempts are counted from 0.  MNET_E_BUSY: it
 * is running.  The first in a transaction of the caller's, which just got the item. */
apr_status_t mnet_queue_again(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_item_t *item,
                              apr_time_t now, apr_pool_t *pool);
apr_status_t mnet_queue_retry(const mnet_host_t *host, const char *id, apr_time_t now,
                              apr_pool_t *pool);

/* --- kinds --- */

typedef enum {
    MNET_QUEUE_DONE,  /* the item is removed, unless mnet_queue_done_in did it */
    MNET_QUEUE_RETRY, /* later; after MNET_QUEUE_ATTEMPTS, or MnetPortfolioExpire, parked */
    MNET_QUEUE_WRONG, /* likewise, but sooner parked, and whoever waits is told the reason */
    MNET_QUEUE_PARK,  /* it will never work: kept with its reason for whoever looks */
    MNET_QUEUE_GONE   /* dropped: as done, but whoever waits is told the reason */
} mnet_queue_outcome_e;

typedef struct mnet_queue_run_t mnet_queue_run_t;
struct mnet_queue_slow_t;

/* One attempt, as the work function sees it.  pool: of the attempt. */
struct mnet_queue_run_t {
    mnet_host_t *host;
    const mnet_queue_item_t *item; /* attempts counts this one */
    void *context;                 /* mnet_queue_options_t's */
    const void *payload;
    apr_size_t payload_len;
    apr_pool_t *pool;
    /* set by the work function */
    const char *reason; /* RETRY, PARK, GONE: one sentence */
    const char *result; /* DONE: for whoever waits for it, in pool */
    /* the queue's own */
    struct mnet_queue_owner_t {
        apr_int64_t pid, nonce; /* upper half: of the process; lower half: in a lease, of the
                                   attempt, else 0 */
    } owner;
    apr_time_t shown; /* when progress was last written */
    volatile apr_uint32_t *stopping;
    volatile apr_uint32_t *moved; /* when bytes last came: queue_slow.c; NULL: nobody asks */
    apr_off_t had;                /* how many of them then */
};

/* Takes as long as it must, but comes back within a second or so once mnet_queue_stopping. */
typedef mnet_queue_outcome_e mnet_queue_work_fn(mnet_queue_run_t *run);

typedef struct mnet_queue_kind_t {
    const char *name;
    mnet_queue_work_fn *work;
    /* An item was dropped or forgotten: within the transaction that did it, so that what belongs
     * to it in the store goes as well.  NULL: nothing to do. */
    apr_status_t (*dropped)(const mnet_host_t *host, mnet_txn_t *txn, const mnet_queue_item_t *item,
                            const void *payload, apr_size_t len, apr_pool_t *pool);
} mnet_queue_kind_t;

/* The kinds there are, up to NULL (kinds.c). */
extern const mnet_queue_kind_t *const mnet_queue_kinds[];
const mnet_queue_kind_t *mnet_queue_kind(const char *name);

/* How far it is, as often as the work function likes; written at most once a second.  total 0: not
 * known.  MNET_E_REFUSED: the item was dropped meanwhile, or the lease is lost, or the process
 * stops: leave off, with MNET_QUEUE_RETRY. */
apr_status_t mnet_queue_progress(mnet_queue_run_t *run, apr_off_t done, apr_off_t total);
/* The process ends: leave off, with MNET_QUEUE_RETRY; it does not count as a failure. */
int mnet_queue_stopping(const mnet_queue_run_t *run);
/* Removes the item in the kind's own transaction, together with its effect.  MNET_E_REFUSED: the
 * lease is lost, or the item dropped: abort it. */
apr_status_t mnet_queue_done_in(mnet_queue_run_t *run, mnet_txn_t *txn);
/* Is the item still ours?  For looking before an effect outside the store. */
apr_status_t mnet_queue_holds(mnet_queue_run_t *run, mnet_txn_t *txn);

/* --- leases: for queue_run.c and tests --- */

/*
 * Claims what is due now, at most max items, no more of a peer than MNET_QUEUE_PER_PEER at once:
 * mnet_queue_item_t *.  again_max: how many of them may be such as have failed before (so that
 * peers that hang never take every thread); slow: which peers have one at a time, and how many of
 * theirs may be begun (NULL: there are none).  Parked ones whose time is over are dropped in
 * passing.
 */
apr_status_t mnet_queue_claim(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                              int max, int again_max, const struct mnet_queue_slow_t *slow,
                              apr_time_t now, apr_array_header_t **items, apr_pool_t *pool);
/* Claims that one, for which somebody waits: its peer may have twice as many then.  MNET_E_BUSY: it
 * is running, or its peer has enough of them; APR_NOTFOUND. */
apr_status_t mnet_queue_claim_one(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                                  const char *id, const struct mnet_queue_slow_t *slow,
                                  apr_time_t now, mnet_queue_item_t **item, apr_pool_t *pool);
/* Renews the lease of that attempt.  MNET_E_REFUSED: it is lost. */
apr_status_t mnet_queue_renew(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                              const mnet_queue_item_t *item, apr_time_t now, apr_pool_t *pool);
/* Gives an item back after an attempt.  stopped: it was interrupted by the process's end and does
 * not count.  *state: what became of it; -1: it is gone. */
apr_status_t mnet_queue_give_back(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                                  const mnet_queue_item_t *item, mnet_queue_outcome_e outcome,
                                  const char *reason, int stopped, apr_time_t now, int *state,
                                  apr_pool_t *pool);
/* Takes back what was leased until now, or to processes that are no longer there; but nothing that
 * is under way here (mnet_queue_item_t *, as claimed; NULL: nothing is). */
apr_status_t mnet_queue_reap(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                             const apr_array_header_t *under_way, apr_time_t now, apr_pool_t *pool);
/* After a clock was set back: what waits for a time of the old one does so from now on.  Reads all
 * items. */
apr_status_t mnet_queue_retime(const mnet_host_t *host, apr_time_t now, apr_pool_t *pool);
/* What waits, but is in no line, since a record of its peer was damaged, is put into it
 * again.  Reads all items. */
apr_status_t mnet_queue_mend(const mnet_host_t *host, apr_time_t now, apr_pool_t *pool);
/* Who we are.  nonce: random, one for each process and start. */
apr_status_t mnet_queue_owner(struct mnet_queue_owner_t *owner, const mnet_crypto_t *crypto);
/* When the next attempt is due after that many, with jitter. */
apr_time_t mnet_queue_backoff(const mnet_host_t *host, int attempts, apr_time_t now);

#endif
