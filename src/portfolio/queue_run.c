/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/queue_run.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/steady.h"
#include "base/text.h"
#include "portfolio/queue_int.h"
#include "portfolio/queue_run_int.h"

#define REAP_EVERY   apr_time_from_sec(5)
#define RETIME_EVERY apr_time_from_sec(3600) /* and when the clock is seen to go back */
#define CLOCK_BACK   apr_time_from_sec(60)
#define SETTLED      apr_time_from_sec(60) /* after a start the children of before have ended */
#define AGAIN_MAX    MNET_QUEUE_HALF
#define RECORD_TRIES 8 /* of an outcome; with the pauses between, well within a lease */
#define RECORD_PAUSE apr_time_from_msec(100) /* before the second, then twice that, ... */
#define NAP          apr_time_from_msec(50)
#define WAITED_FOR   4 /* places that are kept for those whose users wait */
/* Silent ones are made up for; and one for the beat. */
#define OWN_THREADS (MNET_QUEUE_THREADS + MNET_QUEUE_HALF + 1)

/* Takes back what others lost, of a site. */
static void reap_site(mnet_queue_t *queue, const mnet_host_t *host, apr_time_t now,
                      apr_pool_t *pool)
{
    apr_array_header_t *tickets = mnet_queue_hold_all(queue, pool),
                       *items = apr_array_make(pool, tickets->nelts + 1,
                                               sizeof(const mnet_queue_item_t *));

    for (int i = 0; i < tickets->nelts; i++) {
        APR_ARRAY_PUSH(items, const mnet_queue_item_t *) =
            APR_ARRAY_IDX(tickets, i, mnet_queue_ticket_t *)->item;
    }
    (void)mnet_queue_reap(host, &queue->owner, items, now, pool);
    for (int i = 0; i < tickets->nelts; i++) {
        mnet_queue_let_go(APR_ARRAY_IDX(tickets, i, mnet_queue_ticket_t *));
    }
}

/* --- one attempt --- */

static void say_outcome(const mnet_queue_ticket_t *ticket, const mnet_queue_run_t *run,
                        mnet_queue_outcome_e outcome, int state)
{
    const mnet_queue_item_t *item = ticket->item;
    const mnet_log_t *log = ticket->host->engine->log;
    const char *wwwroot = ticket->host->site->wwwroot, *kind = item->kind;
    const char *peer = mnet_say(item->peer, run->pool);
    const char *reason = mnet_for_log(run->reason, run->reason ? strlen(run->reason) : 0,
                                      MNET_QUEUE_REASON, run->pool);

    if (outcome == MNET_QUEUE_DONE) {
        mnet_log(log, MNET_LOG_INFO, APR_SUCCESS, "MNET1003", "%s: %s of %s (%s) is done", wwwroot,
                 kind, peer, item->id);
    } else if (outcome == MNET_QUEUE_GONE) {
        mnet_log(log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1004",
                 "%s: %s of %s (%s) was given up: %s", wwwroot, kind, peer, item->id, reason);
    } else if (state == MNET_QUEUE_PARKED) {
        mnet_log(log, MNET_LOG_ERR, APR_SUCCESS, "MNET1005",
                 "%s: %s of %s (%s) is parked after %d attempts: %s; see `mnetctl queue show %s`",
                 wwwroot, kind, peer, item->id, item->attempts, reason, item->id);
    } else if (state == MNET_QUEUE_WAITING && !mnet_queue_stopping(run)) {
        mnet_log(log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1006",
                 "%s: %s of %s (%s) failed and is tried again later: %s", wwwroot, kind, peer,
                 item->id, reason);
    }
}

static mnet_queue_outcome_e work(mnet_queue_ticket_t *ticket, mnet_queue_run_t *run)
{
    const mnet_queue_kind_t *kind = mnet_queue_kind(ticket->item->kind);
    mnet_txn_t *txn;
    apr_status_t rv;

    if (!kind) {
        run->reason = "this version of mod_mnet does not know the kind of work";
        return MNET_QUEUE_PARK;
    }
    rv = mnet_txn_begin(ticket->host->engine->store, MNET_READ, &txn, run->pool);
    if (!rv) {
        rv = mnet_queue_payload(ticket->host, txn, ticket->item->id, &run->payload,
                                &run->payload_len, run->pool);
        mnet_txn_abort(txn);
    }
    if (rv) {
        run->reason = "the state directory could not be read";
        return MNET_QUEUE_RETRY;
    }
    return kind->work(run);
}

/* 0: the process stops. */
static int pause_for(mnet_queue_t *queue, apr_interval_time_t pause)
{
    for (; pause > 0 && !apr_atomic_read32(&queue->stopping); pause -= NAP) {
        apr_sleep(pause < NAP ? pause : NAP);
    }
    return !apr_atomic_read32(&queue->stopping);
}

/* A disk that fails for a moment would leave the item leased for a minute, and with it one of the
 * few places that its peer has. */
static void record(mnet_queue_ticket_t *ticket, mnet_queue_outcome_e outcome, const char *reason,
                   int *state)
{
    mnet_queue_t *queue = ticket->queue;
    int stopped = outcome == MNET_QUEUE_RETRY && apr_atomic_read32(&queue->stopping) != 0;
    apr_interval_time_t pause = RECORD_PAUSE;
    apr_status_t rv = APR_SUCCESS;

    for (int tries = 1; tries <= RECORD_TRIES; tries++) {
        rv = mnet_queue_give_back(ticket->host, &queue->owner, ticket->item, outcome, reason,
                                  stopped, apr_time_now(), state, ticket->pool);
        if (!rv || tries == RECORD_TRIES || !pause_for(queue, pause)) {
            break;
        }
        pause *= 2;
    }
    if (rv) {
        mnet_log(queue->engine->log, MNET_LOG_ERR, rv, "MNET1007",
                 "%s: the outcome of %s (%s) could not be written; it is begun again when its "
                 "lease is over",
                 ticket->host->site->wwwroot, ticket->item->kind, ticket->item->id);
    }
}

static void attempt(mnet_queue_ticket_t *ticket)
{
    mnet_queue_t *queue = ticket->queue;
    mnet_queue_run_t run = {.host = ticket->host,
                            .item = ticket->item,
                            .context = queue->context,
                            .pool = ticket->pool,
                            .owner = queue->owner,
                            .stopping = &queue->stopping,
                            .moved = &ticket->moved};
    mnet_queue_outcome_e outcome = MNET_QUEUE_RETRY;
    int state = -1;

    if (!apr_atomic_read32(&queue->stopping)) {
        outcome = work(ticket, &run);
    }
    record(ticket, outcome, run.reason, &state);
    say_outcome(ticket, &run, outcome, state);
    ticket->outcome = outcome;
    ticket->said = outcome == MNET_QUEUE_DONE ? run.result : run.reason;
}

static void begin_due(mnet_queue_t *queue, mnet_host_t *host, apr_pool_t *parent);

static void *APR_THREAD_FUNC run_ticket(apr_thread_t *thread, void *data)
{
    mnet_queue_ticket_t *ticket = data, **at;
    mnet_queue_t *queue = ticket->queue;
    mnet_host_t *host = ticket->host;

    attempt(ticket);
    apr_thread_mutex_lock(queue->mutex);
    for (at = &queue->under_way; *at; at = &(*at)->next) {
        if (*at == ticket) {
            *at = ticket->next;
            break;
        }
    }
    queue->busy--;
    queue->again -= ticket->again;
    if (!apr_atomic_read32(&queue->stopping)) {
        mnet_queue_mark(queue, ticket, ticket->outcome);
    }
    ticket->over = 1;
    apr_thread_cond_broadcast(queue->changed);
    apr_thread_mutex_unlock(queue->mutex);
    mnet_queue_let_go(ticket);
    /* The next ones need not wait for the watchdog. */
    begin_due(queue, host, queue->pool);
    return NULL;
}

/* --- beginning --- */

/* At most max places, as long as fewer than limit are taken; *again of them may be for items that
 * have failed before.  Returns how many. */
static int reserve(mnet_queue_t *queue, int limit, int max, int *again)
{
    int free_ones, taken;

    apr_thread_mutex_lock(queue->mutex);
    taken = queue->busy - mnet_queue_spare(queue);
    free_ones = limit > taken ? limit - taken : 0;
    free_ones = free_ones < max ? free_ones : max;
    queue->busy += free_ones;
    *again = AGAIN_MAX - queue->again;
    apr_thread_mutex_unlock(queue->mutex);
    return free_ones;
}

static void give_up(mnet_queue_t *queue, int places)
{
    apr_thread_mutex_lock(queue->mutex);
    queue->busy -= places;
    apr_thread_mutex_unlock(queue->mutex);
}

/* A reserved place is used for a claimed item. */
static apr_status_t start(mnet_queue_t *queue, mnet_host_t *host, const mnet_queue_item_t *claimed,
                          int waited_for, mnet_queue_ticket_t **started)
{
    mnet_queue_ticket_t *ticket;
    mnet_queue_item_t *item;
    apr_pool_t *pool;
    int state;
    apr_status_t rv = apr_pool_create(&pool, queue->pool);

    if (rv) {
        return rv;
    }
    ticket = apr_pcalloc(pool, sizeof(*ticket));
    item = apr_pmemdup(pool, claimed, sizeof(*claimed));
    item->id = apr_pstrdup(pool, claimed->id);
    item->kind = apr_pstrdup(pool, claimed->kind);
    item->peer = apr_pstrdup(pool, claimed->peer);
    item->user = apr_pstrdup(pool, claimed->user);
    item->title = apr_pstrdup(pool, claimed->title);
    item->reason = apr_pstrdup(pool, claimed->reason);
    *ticket = (mnet_queue_ticket_t){.queue = queue,
                                    .host = host,
                                    .item = item,
                                    .pool = pool,
                                    .again = claimed->attempts > 1,
                                    .moved = (apr_uint32_t)apr_time_sec(mnet_steady()),
                                    .refs = 1 + waited_for};
    (void)mnet_queue_peer(host, item->peer, &ticket->peer); /* 0, without it */
    apr_thread_mutex_lock(queue->mutex);
    ticket->next = queue->under_way;
    queue->under_way = ticket;
    queue->again += ticket->again;
    apr_thread_mutex_unlock(queue->mutex);
    mnet_queue_begin_beat(queue);
    rv = apr_thread_pool_push(queue->threads, run_ticket, ticket, APR_THREAD_TASK_PRIORITY_NORMAL,
                              queue);
    if (rv) { /* no thread to be had: back it goes */
        (void)mnet_queue_give_back(host, &queue->owner, item, MNET_QUEUE_RETRY, NULL, 1,
                                   apr_time_now(), &state, pool);
        apr_thread_mutex_lock(queue->mutex);
        for (mnet_queue_ticket_t **at = &queue->under_way; *at; at = &(*at)->next) {
            if (*at == ticket) {
                *at = ticket->next;
                break;
            }
        }
        queue->again -= ticket->again;
        ticket->refs = 1;
        apr_thread_mutex_unlock(queue->mutex);
        mnet_queue_let_go(ticket);
        return rv;
    }
    *started = ticket;
    return APR_SUCCESS;
}

/* What is due in a site, as far as there are threads for it. */
static void begin_due(mnet_queue_t *queue, mnet_host_t *host, apr_pool_t *parent)
{
    apr_array_header_t *items;
    mnet_queue_slow_t slow;
    int again, begun = 0, places;
    apr_pool_t *pool;
    apr_status_t rv;

    if (apr_atomic_read32(&queue->stopping) || apr_pool_create(&pool, parent)) {
        return;
    }
    mnet_queue_slow(queue, &slow, pool);
    places = reserve(queue, MNET_QUEUE_THREADS - WAITED_FOR, MNET_QUEUE_THREADS, &again);
    rv = mnet_queue_claim(host, &queue->owner, places, again > 0 ? again : 0, &slow, apr_time_now(),
                          &items, pool);
    for (int i = 0; !rv && i < items->nelts; i++) {
        mnet_queue_ticket_t *ticket;

        begun += !start(queue, host, APR_ARRAY_IDX(items, i, mnet_queue_item_t *), 0, &ticket);
    }
    give_up(queue, places - begun);
    if (rv) {
        mnet_log(queue->engine->log, MNET_LOG_WARNING, rv, "MNET1008",
                 "%s: the queue could not be looked at; it is tried again in a second",
                 host->site->wwwroot);
    }
    apr_pool_destroy(pool);
}

void mnet_queue_tick(mnet_queue_t *queue, apr_time_t now, apr_pool_t *parent)
{
    const apr_array_header_t *hosts = queue->engine->hosts;
    int reap = now < queue->reaped || now - queue->reaped >= REAP_EVERY;
    int retime = now < queue->ticked - CLOCK_BACK || now - queue->retimed >= RETIME_EVERY;
    int late = !queue->settled && mnet_steady() - queue->started >= SETTLED;
    apr_pool_t *pool;

    queue->ticked = now;
    queue->settled |= late;
    if (reap) {
        queue->reaped = now;
    }
    if (retime) {
        queue->retimed = now;
    }
    if (apr_pool_create(&pool, parent)) {
        return;
    }
    for (int i = 0; i < hosts->nelts && !apr_atomic_read32(&queue->stopping); i++) {
        mnet_host_t *host = APR_ARRAY_IDX(hosts, i, mnet_host_t *);

        if (host->site->portfolio) {
            if (reap) {
                reap_site(queue, host, now, pool);
            }
            if (retime || late) { /* an earlier version's child may have ended since */
                (void)mnet_queue_upgrade(host, pool);
            }
            if (retime) {
                (void)mnet_queue_retime(host, now, pool);
                (void)mnet_queue_mend(host, now, pool);
            }
            begin_due(queue, host, pool);
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
}

apr_status_t mnet_queue_begin(mnet_queue_t *queue, mnet_host_t *host, const char *id,
                              mnet_queue_ticket_t **ticket, apr_pool_t *pool)
{
    mnet_queue_item_t *item;
    mnet_queue_slow_t slow;
    int again;
    apr_status_t rv;

    *ticket = NULL;
    if (apr_atomic_read32(&queue->stopping) || !reserve(queue, MNET_QUEUE_THREADS, 1, &again)) {
        return MNET_E_BUSY;
    }
    mnet_queue_slow(queue, &slow, pool);
    rv = mnet_queue_claim_one(host, &queue->owner, id, &slow, apr_time_now(), &item, pool);
    rv = rv ? rv : start(queue, host, item, 1, ticket);
    if (rv) {
        give_up(queue, 1);
    }
    return rv;
}

apr_status_t mnet_queue_wait(mnet_queue_ticket_t *ticket, apr_interval_time_t patience,
                             mnet_queue_outcome_e *outcome, const char **said, apr_pool_t *pool)
{
    mnet_queue_t *queue = ticket->queue;
    apr_time_t until = apr_time_now() + patience, now;
    apr_status_t rv = APR_TIMEUP;

    *said = NULL;
    apr_thread_mutex_lock(queue->mutex);
    while (!ticket->over && (now = apr_time_now()) < until) {
        apr_thread_cond_timedwait(queue->changed, queue->mutex, until - now);
    }
    if (ticket->over) {
        *outcome = ticket->outcome;
        *said = apr_pstrdup(pool, ticket->said);
        rv = APR_SUCCESS;
    }
    apr_thread_mutex_unlock(queue->mutex);
    mnet_queue_let_go(ticket);
    return rv;
}

/* --- from the first to the last --- */

apr_status_t mnet_queue_create(mnet_queue_t **created, mnet_engine_t *engine, void *context,
                               apr_pool_t *pool)
{
    mnet_queue_t *queue = apr_pcalloc(pool, sizeof(*queue));
    apr_status_t rv = mnet_queue_owner(&queue->owner, engine->crypto);

    queue->engine = engine;
    queue->context = context;
    queue->pool = pool;
    queue->started = mnet_steady();
    queue->ahead = apr_time_now() - queue->started;
    *created = queue;
    for (int i = 0; !rv && i < engine->hosts->nelts; i++) {
        /* It said what is wrong, and the queue works without. */
        (void)mnet_queue_upgrade(APR_ARRAY_IDX(engine->hosts, i, const mnet_host_t *), pool);
    }
    rv = rv ? rv : apr_thread_mutex_create(&queue->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    rv = rv ? rv : apr_thread_cond_create(&queue->changed, pool);
    return rv ? rv : apr_thread_pool_create(&queue->threads, 0, OWN_THREADS, pool);
}

void mnet_queue_stop(mnet_queue_t *queue)
{
    apr_atomic_set32(&queue->stopping, 1);
}

int mnet_queue_busy(mnet_queue_t *queue)
{
    return apr_thread_pool_busy_count(queue->threads) ||
           apr_thread_pool_tasks_count(queue->threads);
}

void mnet_queue_end(mnet_queue_t *queue)
{
    apr_thread_pool_destroy(queue->threads);
}
