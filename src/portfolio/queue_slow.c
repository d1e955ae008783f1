/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers that let us wait.  A fetch must wait for a minute: a Moodle whose workers are all busy, one
 * with the very call that we answer, gives its package only then.  So one that hangs holds a thread
 * for as long.  An attempt for which no byte came for a while is silent; its peer, and one whose
 * last attempt failed so within some minutes, is slow: it has one thread at most, and slow ones
 * together have half of them.  What was begun before that showed is made up for by further threads,
 * so that others have their half whatever these do.
 */
#include <apr_atomic.h>
#include <string.h>

#include "base/steady.h"
#include "portfolio/queue_run_int.h"

#define SILENT 10                     /* seconds */
#define LATELY apr_time_from_sec(600) /* a slow one that fails is remembered */

static int is_silent(const mnet_queue_ticket_t *ticket, apr_time_t now)
{
    apr_uint32_t moved = apr_atomic_read32((volatile apr_uint32_t *)&ticket->moved);

    /* It may be later than now, which the caller asked for before. */
    return (apr_int32_t)((apr_uint32_t)apr_time_sec(now) - moved) >= SILENT;
}

static int same(const mnet_queue_peer_t *a, const mnet_queue_peer_t *b)
{
    return !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int mnet_queue_is_slow(const mnet_queue_slow_t *slow, const mnet_queue_peer_t *peer)
{
    for (int i = 0; slow && i < slow->peers->nelts; i++) {
        if (same(&APR_ARRAY_IDX(slow->peers, i, mnet_queue_peer_t), peer)) {
            return 1;
        }
    }
    return 0;
}

void mnet_queue_slow(mnet_queue_t *queue, mnet_queue_slow_t *slow, apr_pool_t *pool)
{
    apr_time_t now = mnet_steady();

    slow->peers = apr_array_make(pool, 8, sizeof(mnet_queue_peer_t));
    slow->max = MNET_QUEUE_HALF;
    apr_thread_mutex_lock(queue->mutex);
    for (int i = 0; i < MNET_QUEUE_MARKS; i++) {
        if (queue->marks[i].until > now) {
            APR_ARRAY_PUSH(slow->peers, mnet_queue_peer_t) = queue->marks[i].peer;
        }
    }
    for (const mnet_queue_ticket_t *at = queue->under_way; at; at = at->next) {
        if (is_silent(at, now)) {
            APR_ARRAY_PUSH(slow->peers, mnet_queue_peer_t) = at->peer;
        }
    }
    for (const mnet_queue_ticket_t *at = queue->under_way; at; at = at->next) {
        slow->max -= mnet_queue_is_slow(slow, &at->peer);
    }
    apr_thread_mutex_unlock(queue->mutex);
}

int mnet_queue_spare(const mnet_queue_t *queue)
{
    apr_time_t now = mnet_steady();
    int silent = 0;

    for (const mnet_queue_ticket_t *at = queue->under_way; at; at = at->next) {
        silent += is_silent(at, now);
    }
    silent -= MNET_QUEUE_HALF;
    return silent < 0 ? 0 : silent < MNET_QUEUE_HALF ? silent : MNET_QUEUE_HALF;
}

void mnet_queue_mark(mnet_queue_t *queue, const mnet_queue_ticket_t *ticket,
                     mnet_queue_outcome_e outcome)
{
    apr_time_t now = mnet_steady();
    int slow = outcome != MNET_QUEUE_DONE && is_silent(ticket, now);
    struct mnet_queue_mark_t *mark = NULL;

    for (int i = 0; i < MNET_QUEUE_MARKS; i++) {
        struct mnet_queue_mark_t *at = &queue->marks[i];

        if (at->until && same(&at->peer, &ticket->peer)) {
            mark = at;
            break;
        }
        if (!mark || at->until < mark->until) { /* free, or the oldest */
            mark = at;
        }
    }
    if (slow) {
        *mark = (struct mnet_queue_mark_t){ticket->peer, now + LATELY};
    } else if (outcome == MNET_QUEUE_DONE && same(&mark->peer, &ticket->peer)) {
        mark->until = 0;
    }
}
