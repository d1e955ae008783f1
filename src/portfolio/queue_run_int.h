/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_QUEUE_RUN_INT_H
#define MNET_PORTFOLIO_QUEUE_RUN_INT_H

/* The queue's threads from inside: what works on items (queue_run.c), on what keeps their leases
 * (queue_beat.c). */

#include <apr_tables.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_pool.h>

#include "portfolio/queue_int.h"
#include "portfolio/queue_run.h"

#define MNET_QUEUE_HALF  (MNET_QUEUE_THREADS / 2)
#define MNET_QUEUE_MARKS 64

/* One attempt.  It belongs to the thread that works on it and to whoever waits for it: the last to
 * let go frees it. */
struct mnet_queue_ticket_t {
    mnet_queue_t *queue;
    mnet_host_t *host;
    mnet_queue_item_t *item;
    apr_pool_t *pool; /* its own, this structure in it */
    int again;        /* it has failed before */
    mnet_queue_peer_t peer;
    volatile apr_uint32_t moved; /* when its bytes last came, seconds of mnet_steady() */
    /* under the queue's mutex */
    int refs;
    int over;
    mnet_queue_outcome_e outcome;
    const char *said;
    mnet_queue_ticket_t *next; /* of those under way */
};

struct mnet_queue_t {
    mnet_engine_t *engine;
    void *context;
    apr_pool_t *pool;
    apr_thread_pool_t *threads;
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *changed; /* something is over */
    struct mnet_queue_owner_t owner;
    volatile apr_uint32_t stopping;
    apr_time_t reaped, retimed, ticked; /* of the watchdog's thread alone */
    apr_time_t started;                 /* by mnet_steady() */
    int settled;                        /* of the watchdog's thread alone, too */
    apr_interval_time_t ahead;          /* the clock, of the steady one; of the beat alone */
    /* under the mutex */
    mnet_queue_ticket_t *under_way;
    int busy, again;
    struct mnet_queue_mark_t {
        mnet_queue_peer_t peer;
        apr_time_t until; /* of mnet_steady(); 0: there is none */
    } marks[MNET_QUEUE_MARKS];
    int beating; /* a thread renews the leases */
};

/* --- queue_beat.c --- */

void mnet_queue_let_go(mnet_queue_ticket_t *ticket);
/* Every ticket that is under way, held: mnet_queue_ticket_t *. */
apr_array_header_t *mnet_queue_hold_all(mnet_queue_t *queue, apr_pool_t *pool);
/* Sees to it that leases are renewed, from now until nothing is under way. */
void mnet_queue_begin_beat(mnet_queue_t *queue);

/* --- queue_slow.c --- */

/* Who lets us wait, or did lately; in pool. */
void mnet_queue_slow(mnet_queue_t *queue, mnet_queue_slow_t *slow, apr_pool_t *pool);
/* Under the mutex: so many places that silent ones have beyond their half are others' as well. */
int mnet_queue_spare(const mnet_queue_t *queue);
/* Under the mutex, when an attempt is over: was its peer slow, or is it no longer? */
void mnet_queue_mark(mnet_queue_t *queue, const mnet_queue_ticket_t *ticket,
                     mnet_queue_outcome_e outcome);

#endif
