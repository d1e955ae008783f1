/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue's two kinds for what leaves.  "ready" tells the peer, once and again until it knows;
 * "offered" waits for a peer that was told, and ends what it never fetched.
 */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/out_int.h"

#define QUERY_MAX 1000

typedef struct telling_t {
    mnet_queue_run_t *run;
    mnet_out_t *out;
    mnet_reply_t *reply;
    int lock;
} telling_t;

static mnet_queue_outcome_e later(mnet_queue_run_t *run, const char *reason)
{
    run->reason = reason;
    return MNET_QUEUE_RETRY;
}

static mnet_queue_outcome_e trouble(mnet_queue_run_t *run, apr_status_t rv)
{
    char text[128];

    return later(run, apr_psprintf(run->pool, "the state directory could not be used (%s)",
                                   mnet_strerror(rv, text, sizeof(text))));
}

/* --- changes of the record, while the item is ours --- */

typedef apr_status_t change_fn(telling_t *telling, mnet_txn_t *txn, apr_time_t now);

static apr_status_t change(telling_t *telling, change_fn *how)
{
    mnet_queue_run_t *run = telling->run;
    mnet_out_t *out;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(run->host->engine->store, MNET_WRITE_WORK, &txn, run->pool);

    if (rv) {
        return rv;
    }
    rv = mnet_queue_holds(run, txn);
    rv = rv ? rv : mnet_out_get(run->host, txn, run->item->id, &out, run->pool);
    telling->out = rv ? telling->out : out;
    rv = rv ? rv : how(telling, txn, apr_time_now());
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

static apr_status_t begin_telling(telling_t *telling, mnet_txn_t *txn, apr_time_t now)
{
    telling->out->offered = now;
    return mnet_out_put(telling->run->host, txn, telling->out, telling->run->pool);
}

static apr_status_t tell_again(telling_t *telling, mnet_txn_t *txn, apr_time_t now)
{
    telling->out->state = MNET_OUT_STATE_QUEUED;
    return mnet_out_put(telling->run->host, txn, telling->out, telling->run->pool);
}

static apr_status_t expire(telling_t *telling, mnet_txn_t *txn, apr_time_t now)
{
    telling->out->state = MNET_OUT_STATE_EXPIRED;
    telling->out->done = now;
    return mnet_out_put(telling->run->host, txn, telling->out, telling->run->pool);
}

/* The peer's token is of no more use; the next attempt begins with a new intent. */
static apr_status_t begin_anew(telling_t *telling, mnet_txn_t *txn, apr_time_t now)
{
    telling->out->offered = telling->out->begun = telling->out->fetched = 0;
    return mnet_out_set_token(telling->run->host, txn, telling->out, NULL, telling->run->pool);
}

static apr_status_t end_delivered(telling_t *telling, mnet_txn_t *txn, apr_time_t now)
{
    apr_status_t rv =
        mnet_out_deliver(telling->run->host, txn, telling->out, now, telling->run->pool);

    return rv ? rv : mnet_queue_done_in(telling->run, txn);
}

/* From here on it waits for the peer: as another item of the same id. */
static apr_status_t end_offered(telling_t *telling, mnet_txn_t *txn, apr_time_t now)
{
    mnet_queue_run_t *run = telling->run;
    mnet_out_t *out = telling->out;
    mnet_queue_item_t item = {.id = out->id,
                              .kind = MNET_OUT_OFFERED,
                              .peer = out->peer,
                              .user = out->user,
                              .title = out->title,
                              .due = out->expires};
    apr_status_t rv;

    if (out->fetched >= out->offered) { /* it was quicker than its answer */
        return end_delivered(telling, txn, out->fetched);
    }
    out->state = MNET_OUT_STATE_OFFERED;
    rv = mnet_out_put(run->host, txn, out, run->pool);
    rv = rv ? rv : mnet_queue_done_in(run, txn);
    return rv ? rv : mnet_queue_put(run->host, txn, &item, NULL, 0, now, run->pool);
}

static mnet_queue_outcome_e changed(telling_t *telling, change_fn *how, mnet_queue_outcome_e then)
{
    apr_status_t rv = change(telling, how);

    return rv ? trouble(telling->run, rv) : then;
}

static mnet_queue_outcome_e give_up(telling_t *telling)
{
    telling->run->reason = "the peer never took it, and MnetPortfolioExpire is over";
    mnet_log(telling->run->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1064",
             "%s: %s for %s at %s has expired (%s): %s", telling->run->host->site->wwwroot,
             mnet_say(telling->out->title, telling->run->pool),
             mnet_say(telling->out->user, telling->run->pool), telling->out->peer, telling->out->id,
             telling->run->reason);
    return changed(telling, expire, MNET_QUEUE_GONE);
}

/* --- intent --- */

static apr_status_t keep_token(telling_t *telling, mnet_txn_t *txn, apr_time_t now)
{
    const char *token = telling->run->result;

    telling->run->result = NULL;
    telling->out->offered = telling->out->begun = telling->out->fetched = 0;
    return mnet_out_set_token(telling->run->host, txn, telling->out, token, telling->run->pool);
}

/* 1: there is a token. */
static int have_token(telling_t *telling, mnet_queue_outcome_e *outcome)
{
    mnet_queue_run_t *run = telling->run;
    const mnet_out_t *out = telling->out;
    const char *token;
    mnet_out_said_e said;
    apr_status_t rv;

    if (out->token) {
        return 1;
    }
    said = mnet_out_intent(run->host, out->peer, out->user, out->direct, 0, &token, &telling->reply,
                           run->pool);
    if (said == MNET_OUT_SAID_NOTHING) {
        *outcome = later(run, telling->reply->message);
        return 0;
    }
    if (said == MNET_OUT_SAID_NONE) {
        *outcome = later(run, "the peer takes nothing for this user at present");
        return 0;
    }
    run->result = token;
    rv = change(telling, keep_token);
    if (rv) {
        *outcome = trouble(run, rv);
        return 0;
    }
    return 1;
}

/* --- what the peer's answer means --- */

static apr_status_t keep_answer(telling_t *telling, mnet_txn_t *txn, apr_time_t now)
{
    const char *query =
        mnet_as_text(mnet_get(telling->reply->value, "querystring"), telling->run->pool);

    if (query && strlen(query) <= QUERY_MAX) {
        telling->out->query = query;
    }
    return end_delivered(telling, txn, now);
}

static mnet_queue_outcome_e judge_answer(telling_t *telling)
{
    mnet_queue_run_t *run = telling->run;
    const mnet_value_t *value = telling->reply->value;
    const char *type = mnet_as_text(mnet_get(value, "type"), run->pool);

    if (!mnet_as_truth(mnet_get(value, "status"))) {
        run->reason = "the peer says that it could not take it";
        return changed(telling, begin_anew,
                       telling->out->begun ? MNET_QUEUE_PARK : MNET_QUEUE_RETRY);
    }
    if (type && !strcmp(type, "queued")) {
        return changed(telling, end_offered, MNET_QUEUE_DONE);
    }
    return changed(telling, keep_answer, MNET_QUEUE_DONE);
}

/* Faults of the exchange itself: nothing is known of what was done about the call. */
static int is_passing(const mnet_reply_t *reply)
{
    static const int codes[] = {704, 7000, 7012, 7023, 7025, 7101, 7102, 7105};

    for (apr_size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (reply->code == codes[i]) {
            return 1;
        }
    }
    return 0;
}

/* Whoever has taken a package may know its token no more. */
static int says_unknown(const mnet_reply_t *reply)
{
    return strstr(reply->message, "queue record") != NULL || reply->code == 8009 ||
           reply->code == 8010;
}

static mnet_queue_outcome_e judge_fault(telling_t *telling)
{
    mnet_queue_run_t *run = telling->run;
    const mnet_out_t *out = telling->out;
    int took = out->fetched >= out->offered, ever = out->begun != 0;

    run->reason = telling->reply->message;
    if (is_passing(telling->reply)) {
        return MNET_QUEUE_RETRY;
    }
    if (ever && !took && says_unknown(telling->reply)) {
        mnet_log(
            run->host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1065",
            "%s: %s fetched %s (%s), its answer was lost, and now it has nothing more to fetch: "
            "delivered",
            run->host->site->wwwroot, out->peer, mnet_say(out->title, run->pool), out->id);
        return changed(telling, end_delivered, MNET_QUEUE_DONE);
    }
    /* It had it, and did not want it: an administrator decides whether it is sent again. */
    return changed(telling, begin_anew, ever ? MNET_QUEUE_PARK : MNET_QUEUE_RETRY);
}

/* The record as it is now: the peer may have fetched while it was told. */
static apr_status_t look_again(telling_t *telling)
{
    mnet_out_t *out;
    apr_status_t rv =
        mnet_out_look(telling->run->host, telling->run->item->id, &out, telling->run->pool);

    telling->out = rv ? telling->out : out;
    return rv;
}

static mnet_queue_outcome_e tell(telling_t *telling)
{
    mnet_queue_run_t *run = telling->run;
    apr_array_header_t *files;
    mnet_txn_t *txn;
    apr_status_t rv = change(telling, begin_telling);

    rv = rv ? rv : mnet_txn_begin(run->host->engine->store, MNET_READ, &txn, run->pool);
    if (rv) {
        return trouble(run, rv);
    }
    rv = mnet_out_files_get(run->host, txn, telling->out->id, &files, run->pool);
    mnet_txn_abort(txn);
    if (rv) {
        return trouble(run, rv);
    }
    mnet_out_call_ready(run->host, telling->out, files, 0, &telling->reply, run->pool);
    if (telling->reply->kind == MNET_CALL_FAULT ||
        (telling->reply->kind == MNET_CALL_OK &&
         !mnet_as_truth(mnet_get(telling->reply->value, "status")))) {
        mnet_out_fetch_settle(run->host, telling->out, run->pool);
    }
    rv = look_again(telling);
    if (rv) {
        return trouble(run, rv);
    }
    switch (telling->reply->kind) {
    case MNET_CALL_OK:
        return judge_answer(telling);
    case MNET_CALL_FAULT:
        return judge_fault(telling);
    default:
        return later(run, telling->reply->message);
    }
}

/* --- the work --- */

static mnet_queue_outcome_e work(telling_t *telling)
{
    mnet_queue_run_t *run = telling->run;
    mnet_queue_outcome_e outcome = MNET_QUEUE_RETRY;

    if (!have_token(telling, &outcome)) {
        return outcome;
    }
    if (mnet_queue_stopping(run)) {
        return later(run, "the server stops");
    }
    return tell(telling);
}

static mnet_queue_outcome_e work_ready(mnet_queue_run_t *run)
{
    telling_t telling = {.run = run, .lock = -1};
    mnet_queue_outcome_e outcome;
    apr_status_t rv = look_again(&telling);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        run->reason = "what was to be sent is not known any more";
        return MNET_QUEUE_GONE;
    }
    if (rv) {
        return trouble(run, rv);
    }
    if (telling.out->state != MNET_OUT_STATE_QUEUED) {
        return MNET_QUEUE_DONE;
    }
    rv = mnet_out_lock(run->host, telling.out->id, ".lock", &telling.lock, run->pool);
    if (rv) {
        return later(run, rv == MNET_E_BUSY ? "another process is telling the peer"
                                            : "MnetPortfolioDir cannot be written to");
    }
    outcome = apr_time_now() > telling.out->expires ? give_up(&telling) : work(&telling);
    mnet_out_unlock(telling.lock);
    if (telling.out->state == MNET_OUT_STATE_EXPIRED) {
        mnet_out_remove_files(run->host, telling.out->id, run->pool);
    } else if (telling.out->state == MNET_OUT_STATE_DELIVERED) {
        mnet_log(run->host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET1066",
                 "%s: %s for %s was delivered to %s (%s)", run->host->site->wwwroot,
                 mnet_say(telling.out->title, run->pool), mnet_say(telling.out->user, run->pool),
                 telling.out->peer, telling.out->id);
        /* A location holds until it expires; and what nobody confirmed may be asked for again. */
        if (!telling.out->direct && !mnet_out_is_unconfirmed(telling.out)) {
            mnet_out_remove_files(run->host, telling.out->id, run->pool);
        }
    }
    return outcome;
}

static mnet_queue_outcome_e work_offered(mnet_queue_run_t *run)
{
    telling_t telling = {.run = run, .lock = -1};
    mnet_queue_outcome_e outcome;
    apr_status_t rv = look_again(&telling);

    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? MNET_QUEUE_DONE : trouble(run, rv);
    }
    if (telling.out->state == MNET_OUT_STATE_OFFERED && apr_time_now() <= telling.out->expires) {
        /* An administrator would not wait: the peer is told again. */
        rv = change(&telling, tell_again);
        return rv ? trouble(run, rv) : work_ready(run);
    }
    if (telling.out->state == MNET_OUT_STATE_QUEUED) {
        return work_ready(run);
    }
    if (telling.out->state != MNET_OUT_STATE_OFFERED) {
        return MNET_QUEUE_DONE;
    }
    outcome = give_up(&telling);
    if (outcome == MNET_QUEUE_GONE) {
        mnet_out_remove_files(run->host, telling.out->id, run->pool);
    }
    return outcome;
}

/* In the transaction that drops the item. */
static apr_status_t dropped(const mnet_host_t *host, mnet_txn_t *txn, const mnet_queue_item_t *item,
                            const void *payload, apr_size_t len, apr_pool_t *pool)
{
    mnet_out_t *out;
    apr_status_t rv = mnet_out_get(host, txn, item->id, &out, pool);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return APR_SUCCESS;
    }
    if (rv || (out->state != MNET_OUT_STATE_QUEUED && out->state != MNET_OUT_STATE_OFFERED)) {
        return rv;
    }
    out->state = MNET_OUT_STATE_DROPPED;
    out->done = apr_time_now();
    return mnet_out_put(host, txn, out, pool);
}

const mnet_queue_kind_t mnet_out_ready_kind = {MNET_OUT_READY, work_ready, dropped};
const mnet_queue_kind_t mnet_out_offered_kind = {MNET_OUT_OFFERED, work_offered, dropped};
