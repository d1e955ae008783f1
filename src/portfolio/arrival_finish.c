/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a package that is here. */
#include "portfolio/arrival.h"

#include <apr_escape.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "portfolio/deliver.h"
#include "portfolio/intent.h"

static int must_stop(void *run)
{
    return mnet_queue_stopping(run);
}

/* Bytes.  Moodle keeps it, behind /artefact/file/, in a column of 255. */
#define CONTINUE_MAX 200

/*
 * Where the sender's user continues: Moodle appends it to /artefact/file/.  In the shape that a
 * Mahara gives it, with names instead of numbers, unless they are too long.
 */
static const char *continue_at(const mnet_receipt_t *receipt, const mnet_delivered_t *delivered)
{
    apr_pool_t *pool = receipt->run->pool;
    const char *file = "", *named;
    const char *numbered = apr_psprintf(pool, "?package=%s&", receipt->run->item->id);

    if (!delivered->to || !delivered->route || delivered->route->is_url) {
        return numbered;
    }
    if (delivered->package && delivered->package->files->nelts == 1) {
        file = APR_ARRAY_IDX(delivered->package->files, 0, mnet_package_file_t).path;
    }
    named = apr_psprintf(pool, "?folder=%s&file=%s&", apr_pescape_urlencoded(pool, delivered->to),
                         apr_pescape_urlencoded(pool, file));
    return strlen(named) <= CONTINUE_MAX ? named : numbered;
}

static apr_status_t commit(mnet_receipt_t *receipt, const char *result)
{
    mnet_queue_run_t *run = receipt->run;
    const char *token = receipt->arrival->token;
    mnet_intent_t *intent;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(run->host->engine->store, MNET_WRITE_WORK, &txn, run->pool);

    if (rv) {
        return rv;
    }
    rv = mnet_queue_done_in(run, txn);
    if (!rv) {
        rv = mnet_intent_get(run->host, txn, token, &intent, run->pool);
        if (!rv) {
            intent->state = MNET_INTENT_DONE;
            intent->result = result;
            rv = mnet_intent_put(run->host, txn, token, intent, run->pool);
        } else if (APR_STATUS_IS_NOTFOUND(rv)) {
            rv = APR_SUCCESS;
        }
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

/* Is the item still ours?  It may have been dropped while its package came. */
static apr_status_t still_ours(mnet_queue_run_t *run)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(run->host->engine->store, MNET_READ, &txn, run->pool);

    if (!rv) {
        rv = mnet_queue_holds(run, txn);
        mnet_txn_abort(txn);
    }
    return rv;
}

static mnet_delivery_t delivery_of(const mnet_receipt_t *receipt)
{
    mnet_queue_run_t *run = receipt->run;
    const mnet_arrival_t *arrival = receipt->arrival;
    mnet_delivery_t delivery = {.options = run->host->site->portfolio,
                                .timeout = run->host->site->timeout};

    delivery.source = (mnet_package_source_t){
        .path = receipt->path,
        .name = mnet_arrival_title(arrival, run->pool),
        .work = receipt->work,
        .manifest = arrival->manifest,
        .total = arrival->total,
        .format = arrival->format,
        .id = run->item->id,
        .peer = run->item->peer,
        .user = run->item->user,
        .title = mnet_arrival_title(arrival, run->pool),
        .now = apr_time_now(),
        .stop = must_stop,
        .stop_baton = run,
        .crypto = run->host->engine->crypto,
        .log = run->host->engine->log,
    };
    return delivery;
}

mnet_queue_outcome_e mnet_arrival_finish(mnet_receipt_t *receipt)
{
    mnet_queue_run_t *run = receipt->run;
    mnet_delivery_t delivery = delivery_of(receipt);
    mnet_delivered_t *delivered;
    const char *result;
    apr_status_t rv = still_ours(run);

    if (rv) {
        run->reason = "it was dropped, or is another process's now";
        return MNET_QUEUE_RETRY;
    }
    rv = mnet_portfolio_deliver(&delivered, &delivery, run->pool);
    if (rv == MNET_E_REFUSED) {
        run->reason = delivered->why;
        (void)mnet_portfolio_forget(receipt->work, run->pool);
        return MNET_QUEUE_PARK;
    }
    if (rv) {
        run->reason = delivered->why ? delivered->why : "it could not be delivered";
        return MNET_QUEUE_RETRY;
    }
    result = continue_at(receipt, delivered);
    rv = commit(receipt, result);
    if (rv) {
        return mnet_receipt_trouble(receipt, rv, "that it was delivered cannot be written down");
    }
    (void)mnet_portfolio_forget(receipt->work, run->pool);
    run->result = result;
    return MNET_QUEUE_DONE;
}
