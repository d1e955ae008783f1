/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer says that the package is ready (MNET protocol reference, 7.1, 7.3), and is told whether we
 * have it or will fetch it.
 */
#include "portfolio/receive_int.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/intent.h"
#include "portfolio/receive.h"
#include "rpc/fault.h"

/* How long a caller whose user waits is kept: a Moodle gives up after 59 seconds. */
#define PATIENCE apr_time_from_sec(40)

/* One "ready": what it says, and what becomes of it. */
typedef struct ready_t {
    mnet_call_t *call;
    mnet_portfolio_t *portfolio;
    mnet_arrival_t *arrival;
    const char *user; /* NULL: whoever the intent is of */
    const char *kind;
    int wait;
    const void *payload;
    apr_size_t len;
    const char *said; /* the payload's digest */
    mnet_intent_t *intent;
    const char *item;
} ready_t;

static apr_status_t refuse_token(ready_t *ready, const char *why, int code, const char *told)
{
    mnet_call_t *call = ready->call;

    mnet_log(call->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1015",
             "%s: %s says that something is ready%s%s: %s", call->host->site->wwwroot,
             call->peer->facts->wwwroot, ready->user ? " for " : "",
             ready->user ? mnet_say(ready->user, call->pool) : "", why);
    return mnet_call_fault(call, code, "%s", told);
}

/* Whether that token is this peer's and this user's, nobody else is told. */
static apr_status_t check_intent(ready_t *ready, mnet_txn_t *txn)
{
    mnet_call_t *call = ready->call;
    const char *peer = call->peer->facts->wwwroot, *why = NULL;
    apr_status_t rv =
        mnet_intent_get(call->host, txn, ready->arrival->token, &ready->intent, call->pool);

    if (rv && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    if (rv) {
        why = "there is no such intent";
    } else if (strcmp(ready->intent->peer, peer)) {
        why = "the intent is another peer's";
    } else if (ready->user && strcmp(ready->intent->user, ready->user)) {
        why = "the intent is of another user";
    }
    if (why) {
        return refuse_token(
            ready, why, MNET_RECEIVE_TOKEN,
            apr_psprintf(call->pool,
                         "Could not find queue record with given token for username %s for %s",
                         ready->user ? mnet_say(ready->user, call->pool) : "", peer));
    }
    if (ready->intent->state == MNET_INTENT_OPEN && ready->intent->expires <= call->now) {
        return refuse_token(ready, "the intent has expired", MNET_RECEIVE_EXPIRED,
                            "Queue record has expired");
    }
    if (ready->intent->state != MNET_INTENT_OPEN &&
        (!ready->intent->said || strcmp(ready->intent->said, ready->said))) {
        return refuse_token(ready, "it said so before, of another package", MNET_RECEIVE_TOKEN,
                            "Something else was announced as ready with this token before");
    }
    return APR_SUCCESS;
}

/* Into the queue; or, said again, one that was parked is tried again. */
static apr_status_t enqueue(ready_t *ready, mnet_txn_t *txn)
{
    mnet_call_t *call = ready->call;
    mnet_intent_t *intent = ready->intent;
    mnet_queue_item_t item = {.kind = ready->kind,
                              .peer = call->peer->facts->wwwroot,
                              .user = intent->user,
                              .title = mnet_arrival_title(ready->arrival, call->pool)};
    mnet_queue_item_t *before;
    apr_status_t rv;

    if (intent->state == MNET_INTENT_DONE) {
        return APR_SUCCESS;
    }
    if (intent->state == MNET_INTENT_READY) {
        ready->item = intent->item;
        rv = mnet_queue_get(call->host, txn, intent->item, &before, call->pool);
        if (!rv && before->state == MNET_QUEUE_PARKED) {
            rv = mnet_queue_again(call->host, txn, before, call->now, call->pool);
        }
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    rv = mnet_queue_put(call->host, txn, &item, ready->payload, ready->len, call->now, call->pool);
    intent->state = MNET_INTENT_READY;
    intent->item = ready->item = item.id;
    intent->said = ready->said;
    return rv ? rv : mnet_intent_put(call->host, txn, ready->arrival->token, intent, call->pool);
}

static apr_status_t note_ready(ready_t *ready)
{
    mnet_call_t *call = ready->call;
    unsigned char digest[MNET_SHA256];
    mnet_txn_t *txn;
    apr_status_t rv;

    ready->payload = mnet_arrival_pack(ready->arrival, &ready->len, call->pool);
    /* The address it said so from does not make it another package. */
    rv = mnet_sha256(call->host->engine->crypto, ready->payload, ready->len, NULL, 0, digest);
    ready->said = mnet_hex(digest, sizeof(digest), call->pool);
    if (ready->arrival->location) {
        ready->arrival->caller = call->address;
        ready->payload = mnet_arrival_pack(ready->arrival, &ready->len, call->pool);
    }
    rv = rv ? rv : mnet_txn_begin(call->host->engine->store, MNET_WRITE, &txn, call->pool);
    if (rv) {
        return rv;
    }
    rv = mnet_call_claim(call, txn);
    rv = rv ? rv : check_intent(ready, txn);
    if (!rv && !call->fault_text) {
        rv = enqueue(ready, txn);
        rv = rv ? rv : mnet_txn_commit(txn);
    }
    mnet_txn_abort(txn);
    return rv;
}

/* "complete", "queued", or a fault. */
static apr_status_t answer_ready(ready_t *ready, const char *type, const char *query)
{
    mnet_call_t *call = ready->call;

    call->result = mnet_struct(call->pool);
    mnet_set(call->result, "status", mnet_boolean(1, call->pool));
    mnet_set(call->result, "type", mnet_string(type, call->pool));
    if (query) {
        mnet_set(call->result, "querystring", mnet_string(query, call->pool));
    }
    return APR_SUCCESS;
}

/* Its user waits: at once, as long as a Moodle does. */
static apr_status_t fetch_now(ready_t *ready)
{
    mnet_call_t *call = ready->call;
    mnet_queue_outcome_e outcome = MNET_QUEUE_RETRY;
    mnet_queue_ticket_t *ticket;
    const char *said = NULL;

    if (!ready->portfolio->queue ||
        mnet_queue_begin(ready->portfolio->queue, call->host, ready->item, &ticket, call->pool)) {
        return answer_ready(ready, "queued", NULL);
    }
    if (mnet_queue_wait(ticket, PATIENCE, &outcome, &said, call->pool)) {
        return answer_ready(ready, "queued", NULL);
    }
    if (outcome == MNET_QUEUE_DONE) {
        return answer_ready(ready, "complete", said ? said : "?");
    }
    if (outcome == MNET_QUEUE_RETRY) {
        return answer_ready(ready, "queued", NULL);
    }
    return mnet_call_fault(call, MNET_RECEIVE_PACKAGE, "The package was not accepted: %s",
                           said ? said : "it could not be fetched");
}

/* What waits already says so much of its files that a few more peers like it would fill the store.
 */
static apr_status_t too_much(ready_t *ready)
{
    mnet_call_t *call = ready->call;

    mnet_log(call->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1022",
             "%s: what %s announced as ready takes more than %d MB of the state directory: no more "
             "of it until some is fetched or dropped",
             call->host->site->wwwroot, call->peer->facts->wwwroot, (int)(MNET_QUEUE_HELD >> 20));
    return mnet_call_fault(call, MNET_FAULT_BUSY,
                           "Too much of what was announced waits to be fetched: try again later");
}

static apr_status_t answer(ready_t *ready)
{
    apr_status_t rv = note_ready(ready);

    if (rv == MNET_E_LIMIT) {
        return too_much(ready);
    }
    if (rv || ready->call->fault_text) {
        return rv;
    }
    if (ready->intent->state == MNET_INTENT_DONE) {
        return answer_ready(ready, "complete", ready->intent->result);
    }
    mnet_log(ready->call->host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET1016",
             "%s: a package of %s for %s is ready (%s)", ready->call->host->site->wwwroot,
             ready->call->peer->facts->wwwroot, mnet_say(ready->intent->user, ready->call->pool),
             ready->item);
    if (ready->wait && ready->call->host->site->portfolio->accept == MNET_ACCEPT_IMMEDIATE) {
        return fetch_now(ready);
    }
    return answer_ready(ready, "queued", NULL);
}

apr_status_t mnet_receive_send_content_ready(mnet_call_t *call, void *baton)
{
    mnet_arrival_t arrival = {.size = -1, .total = -1};
    ready_t ready = {.call = call,
                     .portfolio = baton,
                     .arrival = &arrival,
                     .kind = mnet_fetch_kind.name,
                     .wait = mnet_as_truth(mnet_call_param(call, 4))};

    ready.user = mnet_receive_user(call, mnet_call_text(call, 1));
    if (!ready.user || !mnet_receive_send_content(call, &arrival)) {
        return APR_SUCCESS;
    }
    return answer(&ready);
}

apr_status_t mnet_receive_content_ready(mnet_call_t *call, void *baton)
{
    mnet_arrival_t arrival = {.size = -1, .total = -1};
    ready_t ready = {.call = call,
                     .portfolio = baton,
                     .arrival = &arrival,
                     .kind = mnet_get_kind.name,
                     .wait = mnet_as_truth(mnet_call_param(call, 2))};

    return mnet_receive_content(call, &arrival) ? answer(&ready) : APR_SUCCESS;
}
