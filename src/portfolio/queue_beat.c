/* SPDX-License-Identifier: Apache-2.0 */
/* The beat: leases are renewed while their work goes on. */
#include <string.h>

#include <apr_atomic.h>

#include "base/steady.h"
#include "portfolio/queue_int.h"
#include "portfolio/queue_run_int.h"

#define BEAT      (MNET_QUEUE_LEASE / 3)
#define NAP       apr_time_from_msec(50)
#define CLOCK_SET apr_time_from_sec(5) /* by more than it drifts */

void mnet_queue_let_go(mnet_queue_ticket_t *ticket)
{
    mnet_queue_t *queue = ticket->queue;
    int left;

    apr_thread_mutex_lock(queue->mutex);
    left = --ticket->refs;
    apr_thread_mutex_unlock(queue->mutex);
    if (!left) {
        apr_pool_destroy(ticket->pool);
    }
}

apr_array_header_t *mnet_queue_hold_all(mnet_queue_t *queue, apr_pool_t *pool)
{
    apr_array_header_t *tickets =
        apr_array_make(pool, MNET_QUEUE_THREADS, sizeof(mnet_queue_ticket_t *));

    apr_thread_mutex_lock(queue->mutex);
    for (mnet_queue_ticket_t *at = queue->under_way; at; at = at->next) {
        at->refs++;
        APR_ARRAY_PUSH(tickets, mnet_queue_ticket_t *) = at;
    }
    apr_thread_mutex_unlock(queue->mutex);
    return tickets;
}

/* Until leases are to be renewed: after a while, or at once when the clock was set, by which the
 * others see them as over.  0: there is no need any more. */
static int rest(mnet_queue_t *queue)
{
    apr_time_t start = mnet_steady();

    for (;;) {
        apr_time_t now = mnet_steady(), moved = apr_time_now() - now - queue->ahead;
        int going;

        if (now - start >= BEAT || moved > CLOCK_SET || moved < -CLOCK_SET) {
            queue->ahead += moved;
            return 1;
        }
        apr_thread_mutex_lock(queue->mutex);
        going = queue->under_way && !apr_atomic_read32(&queue->stopping);
        queue->beating = going;
        apr_thread_mutex_unlock(queue->mutex);
        if (!going) {
            return 0;
        }
        apr_sleep(NAP);
    }
}

/* While anything is under way.  Not timed by the pool of threads, which goes by the clock that can
 * be set. */
static void *APR_THREAD_FUNC beat(apr_thread_t *thread, void *data)
{
    mnet_queue_t *queue = data;

    while (rest(queue)) {
        apr_array_header_t *tickets;
        apr_pool_t *pool;

        if (apr_pool_create(&pool, queue->pool)) {
            continue;
        }
        tickets = mnet_queue_hold_all(queue, pool);
        for (int i = 0; i < tickets->nelts; i++) {
            mnet_queue_ticket_t *ticket = APR_ARRAY_IDX(tickets, i, mnet_queue_ticket_t *);

            (void)mnet_queue_renew(ticket->host, &queue->owner, ticket->item, apr_time_now(), pool);
            mnet_queue_let_go(ticket);
        }
        apr_pool_destroy(pool);
    }
    return NULL;
}

void mnet_queue_begin_beat(mnet_queue_t *queue)
{
    int beating;

    apr_thread_mutex_lock(queue->mutex);
    beating = queue->beating;
    queue->beating = 1;
    apr_thread_mutex_unlock(queue->mutex);
    if (!beating && apr_thread_pool_push(queue->threads, beat, queue,
                                         APR_THREAD_TASK_PRIORITY_HIGHEST, queue)) {
        apr_thread_mutex_lock(queue->mutex);
        queue->beating = 0; /* the next item tries again */
        apr_thread_mutex_unlock(queue->mutex);
    }
}
