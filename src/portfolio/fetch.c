/* SPDX-License-Identifier: Apache-2.0 */
/* The kind "fetch": the peer is called back for the package, as a Mahara calls a Moodle. */
#include <apr_strings.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/arrival.h"
#include "rpc/client.h"
#include "wire/base64.h"

#define METHOD "portfolio/mahara/lib.php/fetch_file"
/* Moodle's faults by which it says that it has nothing (any more) for that token. */
#define FAULT_UNKNOWN 8009
#define FAULT_GONE    8010
#define PHP_SPEED     ((apr_off_t)1 << 20) /* bytes a second that it is given at least */
#define HOUR          3600
#define BUSY          apr_time_from_sec(60)
#define ROOM          ((apr_off_t)1 << 20) /* for envelopes, and for other people's files */

/* Three layers of base64, each with a newline after 76 characters at worst. */
static apr_off_t on_the_wire(apr_off_t size)
{
    apr_off_t most = APR_INT64_MAX / 8;

    size = size < most ? size : most;
    return size / 2 * 5 + size / 5 + ROOM;
}

static int watch(void *baton, apr_off_t done, apr_off_t total)
{
    mnet_queue_run_t *run = baton;

    return mnet_queue_progress(run, done, total) != APR_SUCCESS;
}

/*
 * A peer gives its package out once: if there is no room for it, it is better not asked.  What
 * cannot be found out is left to chance.
 */
static mnet_queue_outcome_e check_room(mnet_receipt_t *receipt)
{
    mnet_queue_run_t *run = receipt->run;
    const struct {
        const char *dir, *name;
        apr_off_t times; /* a package is there in so many tenths */
    } places[] = {{run->host->site->portfolio->dir, "MnetPortfolioDir", 10},
                  {run->host->engine->tmp_dir, "MnetStateDir", 45}};
    const mnet_arrival_t *arrival = receipt->arrival;
    apr_off_t size = arrival->size >= 0 ? arrival->size : arrival->total;

    for (int i = 0; i < 2 && size > 0; i++) {
        struct statvfs room;
        apr_off_t needed = size / 10 * places[i].times + ROOM;

        needed += i == 0 && arrival->total > 0 ? arrival->total : 0;
        if (!statvfs(places[i].dir, &room) && room.f_frsize &&
            room.f_bavail < (apr_uint64_t)needed / room.f_frsize) {
            run->reason =
                apr_psprintf(run->pool, "there is no room for it below %s", places[i].name);
            return MNET_QUEUE_RETRY;
        }
    }
    return MNET_QUEUE_DONE;
}

static mnet_queue_outcome_e judge(mnet_receipt_t *receipt, const mnet_reply_t *reply)
{
    mnet_queue_run_t *run = receipt->run;

    if (reply->kind == MNET_CALL_OK) {
        return MNET_QUEUE_DONE;
    }
    run->reason =
        apr_psprintf(run->pool, "%s: %s",
                     reply->kind == MNET_CALL_FAULT
                         ? apr_psprintf(run->pool, "the peer answered fault %d", reply->code)
                         : "it could not be fetched",
                     reply->message);
    if (reply->too_long) {
        run->reason = apr_psprintf(
            run->pool, "the package is larger than the %" APR_OFF_T_FMT " bytes that %s",
            receipt->max,
            receipt->arrival->size == receipt->max ? "were announced"
                                                   : "MnetPortfolioMaxSize allows");
        return MNET_QUEUE_WRONG;
    }
    if (reply->kind == MNET_CALL_FAULT &&
        (reply->code == FAULT_UNKNOWN || reply->code == FAULT_GONE)) {
        run->reason = apr_psprintf(run->pool,
                                   "the peer gives it out no more: if that stays so, its user has "
                                   "to export it there again (fault %d: %s)",
                                   reply->code, reply->message);
        /* Perhaps we died over what we fetched, or could not keep it: a site of our kind gives it
         * once more, if it is not asked at once. */
        return receipt->again && reply->code == FAULT_UNKNOWN ? MNET_QUEUE_WRONG : MNET_QUEUE_PARK;
    }
    return MNET_QUEUE_RETRY;
}

/*
 * The text of the answer is the base64 of the package.  A long one comes piece by piece while the
 * answer is read, after its signature was verified; a short one lies in its value.
 */
typedef struct taking_t {
    mnet_receipt_t *receipt;
    mnet_base64_decoder_t decoder;
    mnet_sink_t into;
    int begun;
    apr_status_t rv; /* the first trouble */
} taking_t;

static apr_status_t take(void *baton, const char *data, apr_size_t len)
{
    taking_t *taking = baton;

    if (!taking->begun) {
        taking->begun = 1;
        taking->into = (mnet_sink_t){mnet_receipt_write, taking->receipt};
        mnet_base64_decoder_init(&taking->decoder, &taking->into);
        taking->rv = mnet_receipt_begin(taking->receipt, 0);
    }
    taking->rv = taking->rv ? taking->rv : mnet_base64_decode(&taking->decoder, data, len);
    if (!taking->rv && mnet_queue_stopping(taking->receipt->run)) {
        taking->rv = APR_EINTR;
    }
    return taking->rv;
}

static mnet_queue_outcome_e end_taking(taking_t *taking, const mnet_value_t *value)
{
    mnet_receipt_t *receipt = taking->receipt;
    mnet_sink_t to = {take, taking};

    if (!taking->begun) {
        (void)take(taking, "", 0);
        taking->rv = taking->rv ? taking->rv : mnet_value_pour(value, &to);
    }
    taking->rv = taking->rv ? taking->rv : mnet_base64_decode_end(&taking->decoder);
    return taking->rv ? MNET_QUEUE_RETRY : mnet_receipt_end(receipt);
}

/* What stopped the taking. */
static mnet_queue_outcome_e troubled(taking_t *taking)
{
    if (taking->rv == MNET_E_LIMIT || taking->rv == MNET_E_BASE64) {
        return mnet_receipt_wrong(taking->receipt,
                                  taking->rv == MNET_E_LIMIT
                                      ? "the package is larger than announced or allowed"
                                      : "the answer is not base64");
    }
    return mnet_receipt_trouble(taking->receipt, taking->rv, "the package cannot be written");
}

/*
 * A PHP peer writes the whole answer, signs and seals it, before the first byte goes out.  And
 * before it begins, all that work for it may be busy, one with the very call that we answer within
 * 40 seconds: were the fetch given up before that, it would give the package to nobody.
 */
static apr_interval_time_t thinking(const mnet_arrival_t *arrival)
{
    apr_off_t size = arrival->size >= 0 ? arrival->size : arrival->total;
    apr_off_t seconds = size > 0 ? size / PHP_SPEED : 0;

    return BUSY + apr_time_from_sec(seconds < HOUR ? seconds : HOUR);
}

static mnet_queue_outcome_e call(mnet_receipt_t *receipt)
{
    mnet_queue_run_t *run = receipt->run;
    apr_array_header_t *params = apr_array_make(run->pool, 1, sizeof(mnet_value_t *));
    mnet_outgoing_t outgoing = {.host = run->host,
                                .peer = run->item->peer,
                                .method = METHOD,
                                .params = params,
                                .max_reply = on_the_wire(receipt->max),
                                .progress = watch,
                                .progress_baton = run};
    taking_t taking = {.receipt = receipt};
    mnet_sink_t text = {take, &taking};
    mnet_queue_outcome_e outcome;
    mnet_reply_t *reply;
    apr_pool_t *pool;

    outgoing.text = &text;
    outgoing.think = thinking(receipt->arrival);
    /* Its own pool: the answer's files go before the package is unpacked. */
    if (apr_pool_create(&pool, run->pool)) {
        run->reason = "out of memory";
        return MNET_QUEUE_RETRY;
    }
    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(receipt->arrival->token, run->pool);
    mnet_client_call(&outgoing, &reply, pool);
    outcome = taking.rv ? MNET_QUEUE_RETRY : judge(receipt, reply);
    if (outcome == MNET_QUEUE_DONE && reply->value->type != MNET_STRING) {
        outcome = mnet_receipt_wrong(receipt, "the answer is no text");
    } else if (outcome == MNET_QUEUE_DONE) {
        outcome = end_taking(&taking, reply->value);
    }
    if (taking.rv) {
        outcome = troubled(&taking);
    }
    apr_pool_destroy(pool);
    return outcome;
}

static mnet_queue_outcome_e fetch(mnet_queue_run_t *run)
{
    mnet_receipt_t receipt;
    int here;
    mnet_queue_outcome_e outcome = mnet_receipt_open(&receipt, run, &here);

    if (outcome == MNET_QUEUE_DONE && !here) {
        outcome = check_room(&receipt);
        outcome = outcome == MNET_QUEUE_DONE ? call(&receipt) : outcome;
    }
    return outcome == MNET_QUEUE_DONE ? mnet_arrival_finish(&receipt) : outcome;
}

const mnet_queue_kind_t mnet_fetch_kind = {"fetch", fetch, mnet_arrival_dropped};
