/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_QUEUE_RUN_H
#define MNET_PORTFOLIO_QUEUE_RUN_H

/*
 * The queue's threads in one process.  Whoever keeps the time (httpd's watchdog, a test) says when
 * to look for what is due; each item has a thread of its own, at most MNET_QUEUE_THREADS at once,
 * half of them for items that have failed before, and half for peers that let us wait
 * (queue_slow.c).  While any is at work, its leases are renewed.
 */

#include <apr_pools.h>
#include <apr_time.h>

#include "portfolio/queue.h"

#define MNET_QUEUE_THREADS 16

typedef struct mnet_queue_t mnet_queue_t;
typedef struct mnet_queue_ticket_t mnet_queue_ticket_t;

/* pool: one that any thread may take children from.  context: for the work functions.  No thread
 * is there before the first item. */
apr_status_t mnet_queue_create(mnet_queue_t **queue, mnet_engine_t *engine, void *context,
                               apr_pool_t *pool);
/* Begins what is due, in every site; waits for nothing but the store. */
void mnet_queue_tick(mnet_queue_t *queue, apr_time_t now, apr_pool_t *pool);
/*
 * Begins one item now; the ticket is for mnet_queue_wait, which must follow.  MNET_E_BUSY: no
 * thread is free, or its peer has enough of them, or it is running: it waits in the queue.
 */
apr_status_t mnet_queue_begin(mnet_queue_t *queue, mnet_host_t *host, const char *id,
                              mnet_queue_ticket_t **ticket, apr_pool_t *pool);
/*
 * Until it is over or time is.  APR_SUCCESS: *outcome, and *said, in pool: DONE: the work
 * function's result, else its reason; NULL if there is none.  APR_TIMEUP: it goes on.  The ticket
 * is gone in any case.
 */
apr_status_t mnet_queue_wait(mnet_queue_ticket_t *ticket, apr_interval_time_t patience,
                             mnet_queue_outcome_e *outcome, const char **said, apr_pool_t *pool);
/* Nothing new is begun; what is under way leaves off when it can. */
void mnet_queue_stop(mnet_queue_t *queue);
/* Is anything under way? */
int mnet_queue_busy(mnet_queue_t *queue);
/* When nothing is: its threads end. */
void mnet_queue_end(mnet_queue_t *queue);

#endif
