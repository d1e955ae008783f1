/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/arrival.h"

#include <apr_escape.h>
#include <apr_file_info.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/deliver.h"
#include "portfolio/intent.h"
#include "portfolio/portfolio.h"
#include "trust/texts.h"

#define VERSION 1

/* --- the payload --- */

const void *mnet_arrival_pack(const mnet_arrival_t *arrival, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(VERSION, pool);
    int count = arrival->manifest ? arrival->manifest->nelts : -1;

    mnet_pack_text(pack, arrival->token);
    mnet_pack_text(pack, arrival->location);
    mnet_pack_text(pack, arrival->caller);
    mnet_pack_text(pack, arrival->format);
    mnet_pack_text(pack, arrival->sha1);
    mnet_pack_i64(pack, arrival->size);
    mnet_pack_i64(pack, arrival->total);
    mnet_pack_i64(pack, count);
    for (int i = 0; i < count; i++) {
        const mnet_package_expected_t *one =
            &APR_ARRAY_IDX(arrival->manifest, i, mnet_package_expected_t);

        mnet_pack_text(pack, one->filename);
        mnet_pack_text(pack, one->sha1);
        mnet_pack_i64(pack, one->size);
    }
    return mnet_pack_end(pack, len);
}

apr_status_t mnet_arrival_unpack(const void *data, apr_size_t len, mnet_arrival_t **unpacked,
                                 apr_pool_t *pool)
{
    mnet_arrival_t *arrival = apr_pcalloc(pool, sizeof(*arrival));
    apr_array_header_t *manifest;
    mnet_unpack_t unpack;
    int count;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, VERSION, pool);

    arrival->token = mnet_unpack_text(&unpack);
    arrival->location = mnet_unpack_text(&unpack);
    arrival->caller = mnet_unpack_text(&unpack);
    arrival->format = mnet_unpack_text(&unpack);
    arrival->sha1 = mnet_unpack_text(&unpack);
    arrival->size = mnet_unpack_i64(&unpack);
    arrival->total = mnet_unpack_i64(&unpack);
    count = mnet_count_unpack(&unpack);
    manifest = apr_array_make(pool, count > 0 ? count : 1, sizeof(mnet_package_expected_t));
    for (int i = 0; i < count && !unpack.bad; i++) {
        mnet_package_expected_t *one = apr_array_push(manifest);

        one->filename = mnet_unpack_text(&unpack);
        one->sha1 = mnet_unpack_text(&unpack);
        one->size = mnet_unpack_i64(&unpack);
        unpack.bad |= !one->filename || !one->sha1;
    }
    arrival->manifest = count >= 0 ? manifest : NULL;
    unpack.bad |= !arrival->token;
    *unpacked = arrival;
    return rv ? rv : mnet_unpack_end(&unpack);
}

const char *mnet_arrival_title(const mnet_arrival_t *arrival, apr_pool_t *pool)
{
    const apr_array_header_t *manifest = arrival->manifest;

    if (manifest && manifest->nelts == 1) {
        return APR_ARRAY_IDX(manifest, 0, mnet_package_expected_t).filename;
    }
    return arrival->format ? arrival->format : "package";
}

apr_status_t mnet_arrival_dropped(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, const void *payload,
                                  apr_size_t len, apr_pool_t *pool)
{
    mnet_arrival_t *arrival;
    apr_status_t rv = mnet_arrival_unpack(payload, len, &arrival, pool);

    if (rv) {
        return APR_SUCCESS; /* damaged: there is nothing to find */
    }
    rv = mnet_intent_del(host, txn, arrival->token, pool);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* --- receiving --- */

mnet_queue_outcome_e mnet_receipt_wrong(mnet_receipt_t *receipt, const char *reason)
{
    if (receipt->file) {
        (void)apr_file_close(receipt->file);
        receipt->file = NULL;
    }
    (void)apr_file_remove(receipt->part, receipt->run->pool);
    receipt->run->reason = reason;
    return MNET_QUEUE_WRONG;
}

mnet_queue_outcome_e mnet_receipt_trouble(mnet_receipt_t *receipt, apr_status_t rv,
                                          const char *what)
{
    mnet_queue_run_t *run = receipt->run;
    char text[160];

    if (!mnet_queue_stopping(run)) {
        mnet_log(run->host->engine->log, MNET_LOG_ERR, rv, "MNET1010", "%s: %s (%s)",
                 run->host->site->wwwroot, what, run->item->id);
    }
    run->reason = apr_psprintf(run->pool, "%s (%s)", what, mnet_strerror(rv, text, sizeof(text)));
    return MNET_QUEUE_RETRY;
}

/* A link in its place is nothing that we made. */
static apr_status_t make_folder(const char *path, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_status_t rv =
        apr_dir_make(path, APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_UEXECUTE, pool);

    if (APR_STATUS_IS_EEXIST(rv)) {
        rv = apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_LINK, pool);
        rv = rv ? rv : info.filetype == APR_DIR ? APR_SUCCESS : APR_ENOTDIR;
    }
    return rv;
}

/* Of a part that came in pieces, from its beginning. */
static apr_status_t digest_again(mnet_receipt_t *receipt)
{
    mnet_queue_run_t *run = receipt->run;
    apr_size_t size = 64 * 1024, len;
    char *piece = apr_palloc(run->pool, size);
    apr_off_t start = 0;
    apr_status_t rv = apr_file_seek(receipt->file, APR_SET, &start);

    receipt->digest = mnet_sha1_create(run->host->engine->crypto, run->pool);
    if (!receipt->digest) {
        return MNET_E_CRYPTO;
    }
    while (!rv) {
        rv = apr_file_read_full(receipt->file, piece, size, &len);
        if (len) {
            apr_status_t bad = mnet_digest_write(receipt->digest, piece, len);

            rv = bad ? bad : rv;
        }
        if (!rv && mnet_queue_stopping(run)) {
            rv = APR_EINTR;
        }
    }
    return APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv;
}

static int exists(const mnet_receipt_t *receipt, const char *name)
{
    apr_pool_t *pool = receipt->run->pool;
    apr_finfo_t info;

    return !apr_stat(&info, apr_pstrcat(pool, receipt->work, "/", name, NULL), APR_FINFO_TYPE,
                     pool);
}

static int has_digest(const mnet_receipt_t *receipt, mnet_digest_t *digest)
{
    unsigned char sha1[MNET_SHA1];

    return !mnet_digest_end(digest, sha1) &&
           !strcmp(receipt->arrival->sha1, mnet_hex(sha1, sizeof(sha1), receipt->run->pool));
}

/*
 * What an earlier attempt received, and perhaps delivered (deliver.h: "going" without "package").
 * Else, after a loss of power, it may be anything.
 */
static int recheck(mnet_receipt_t *receipt)
{
    int whole = 1;

    if (exists(receipt, "going") && !exists(receipt, "package")) {
        return 1;
    }
    if (!exists(receipt, "received")) {
        return 0;
    }
    if (receipt->arrival->sha1) {
        whole = !apr_file_open(&receipt->file, receipt->path, APR_FOPEN_READ | APR_FOPEN_BINARY, 0,
                               receipt->run->pool) &&
                !digest_again(receipt) && has_digest(receipt, receipt->digest);
        if (receipt->file) {
            (void)apr_file_close(receipt->file);
        }
        receipt->file = NULL;
        receipt->digest = NULL;
    }
    return whole;
}

mnet_queue_outcome_e mnet_receipt_open(mnet_receipt_t *receipt, mnet_queue_run_t *run, int *here)
{
    const mnet_portfolio_options_t *options = run->host->site->portfolio;
    apr_pool_t *pool = run->pool;
    mnet_arrival_t *arrival;
    char *slash;
    apr_status_t rv;

    *here = 0;
    memset(receipt, 0, sizeof(*receipt));
    receipt->run = run;
    if (!options) {
        run->reason = "there is no MnetPortfolioDir any more";
        return MNET_QUEUE_RETRY;
    }
    rv = mnet_arrival_unpack(run->payload, run->payload_len, &arrival, pool);
    if (rv) {
        run->reason = "its record is damaged";
        return MNET_QUEUE_PARK;
    }
    receipt->arrival = arrival;
    receipt->work = mnet_portfolio_work(run->host, run->item->id, pool);
    receipt->part = apr_pstrcat(pool, receipt->work, "/part", NULL);
    receipt->path = apr_pstrcat(pool, receipt->work, "/received", NULL);
    receipt->max =
        arrival->size >= 0 && arrival->size < options->max_size ? arrival->size : options->max_size;
    slash = strrchr(apr_pstrdup(pool, receipt->work), '/');
    rv = make_folder(apr_pstrmemdup(pool, receipt->work, strlen(receipt->work) - strlen(slash)),
                     pool);
    rv = rv ? rv : make_folder(receipt->work, pool);
    if (rv) {
        return mnet_receipt_trouble(receipt, rv, "no folder can be made in MnetPortfolioDir");
    }
    *here = recheck(receipt);
    return MNET_QUEUE_DONE;
}

apr_status_t mnet_receipt_begin(mnet_receipt_t *receipt, int onward)
{
    apr_pool_t *pool = receipt->run->pool;
    apr_off_t end = 0;
    apr_status_t rv = apr_file_open(&receipt->file, receipt->part,
                                    APR_FOPEN_CREATE | APR_FOPEN_WRITE | APR_FOPEN_READ |
                                        APR_FOPEN_BINARY | (onward ? 0 : APR_FOPEN_TRUNCATE),
                                    APR_FPROT_UREAD | APR_FPROT_UWRITE, pool);

    receipt->digest = NULL;
    receipt->length = 0;
    if (!rv && onward) {
        rv = apr_file_seek(receipt->file, APR_END, &end);
        receipt->length = end;
    }
    if (!rv && !receipt->length) {
        receipt->digest = mnet_sha1_create(receipt->run->host->engine->crypto, pool);
        rv = receipt->digest ? APR_SUCCESS : MNET_E_CRYPTO;
    }
    return rv;
}

apr_status_t mnet_receipt_write(void *baton, const char *data, apr_size_t len)
{
    mnet_receipt_t *receipt = baton;
    apr_status_t rv;

    if ((apr_off_t)len > receipt->max - receipt->length) {
        return MNET_E_LIMIT;
    }
    rv = receipt->digest ? mnet_digest_write(receipt->digest, data, len) : APR_SUCCESS;
    rv = rv ? rv : apr_file_write_full(receipt->file, data, len, NULL);
    receipt->length += rv ? 0 : (apr_off_t)len;
    return rv;
}

/*
 * Synced only where nothing would tell whether it is whole: it goes as soon as the package is where
 * it belongs, which is synced; and whoever finds it again looks at its digest (recheck).
 */
static apr_status_t keep(mnet_receipt_t *receipt)
{
    apr_status_t rv = receipt->arrival->sha1 ? APR_SUCCESS : apr_file_sync(receipt->file);
    apr_status_t closed = apr_file_close(receipt->file);

    receipt->file = NULL;
    rv = rv ? rv : closed;
    return rv ? rv : apr_file_rename(receipt->part, receipt->path, receipt->run->pool);
}

mnet_queue_outcome_e mnet_receipt_end(mnet_receipt_t *receipt)
{
    const mnet_arrival_t *arrival = receipt->arrival;
    apr_pool_t *pool = receipt->run->pool;
    unsigned char sha1[MNET_SHA1];
    apr_status_t rv = receipt->digest ? APR_SUCCESS : digest_again(receipt);

    rv = rv ? rv : mnet_digest_end(receipt->digest, sha1);
    if (rv) {
        return mnet_receipt_trouble(receipt, rv, "what was received cannot be read again");
    }
    if (arrival->size >= 0 && receipt->length != arrival->size) {
        return mnet_receipt_wrong(receipt,
                                  apr_psprintf(pool,
                                               "%" APR_OFF_T_FMT " bytes came and %" APR_OFF_T_FMT
                                               " were announced",
                                               receipt->length, arrival->size));
    }
    if (arrival->sha1 && strcmp(arrival->sha1, mnet_hex(sha1, sizeof(sha1), pool))) {
        return mnet_receipt_wrong(
            receipt, apr_psprintf(pool, "the SHA-1 of what came is %s and %s was announced",
                                  mnet_hex(sha1, sizeof(sha1), pool), arrival->sha1));
    }
    rv = keep(receipt);
    return rv ? mnet_receipt_trouble(receipt, rv, "what was received cannot be kept")
              : MNET_QUEUE_DONE;
}

/* --- what happens then --- */

static int must_stop(void *run)
{
    return mnet_queue_stopping(run);
}

/*
 * Where the sender's user continues: Moodle appends it to /artefact/file/.  In the shape that a
 * Mahara gives it, with names instead of numbers.
 */
static const char *continue_at(const mnet_receipt_t *receipt, const mnet_delivered_t *delivered)
{
    apr_pool_t *pool = receipt->run->pool;
    const char *file = "";

    if (!delivered->to || !delivered->route || delivered->route->is_url) {
        return apr_psprintf(pool, "?package=%s&", receipt->run->item->id);
    }
    if (delivered->package && delivered->package->files->nelts == 1) {
        file = APR_ARRAY_IDX(delivered->package->files, 0, mnet_package_file_t).path;
    }
    return apr_psprintf(pool, "?folder=%s&file=%s&", apr_pescape_urlencoded(pool, delivered->to),
                        apr_pescape_urlencoded(pool, file));
}

static apr_status_t commit(mnet_receipt_t *receipt, const char *result)
{
    mnet_queue_run_t *run = receipt->run;
    const char *token = receipt->arrival->token;
    mnet_intent_t *intent;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(run->host->engine->store, MNET_WRITE, &txn, run->pool);

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
