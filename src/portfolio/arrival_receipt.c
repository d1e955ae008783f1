/* SPDX-License-Identifier: Apache-2.0 */
/* The file in which a package is received. */
#include "portfolio/arrival.h"

#include <apr_file_info.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/work_folder.h"

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

/* *exists: is there such a file of an earlier attempt?  A disk that cannot say is no "no". */
static apr_status_t look_for(const mnet_receipt_t *receipt, const char *name, int *exists)
{
    apr_pool_t *pool = receipt->run->pool;
    apr_finfo_t info;
    apr_status_t rv =
        apr_stat(&info, apr_pstrcat(pool, receipt->work, "/", name, NULL), APR_FINFO_TYPE, pool);

    *exists = !rv;
    return APR_STATUS_IS_ENOENT(rv) ? APR_SUCCESS : rv;
}

static int has_digest(const mnet_receipt_t *receipt, mnet_digest_t *digest)
{
    unsigned char sha1[MNET_SHA1];

    return !mnet_digest_end(digest, sha1) &&
           !strcmp(receipt->arrival->sha1, mnet_hex(sha1, sizeof(sha1), receipt->run->pool));
}

/* Is the file that was received what its sender said? */
static apr_status_t check_received(mnet_receipt_t *receipt, int *whole)
{
    apr_status_t rv = apr_file_open(&receipt->file, receipt->path,
                                    APR_FOPEN_READ | APR_FOPEN_BINARY, 0, receipt->run->pool);

    rv = rv ? rv : digest_again(receipt);
    *whole = !rv && has_digest(receipt, receipt->digest);
    if (receipt->file) {
        (void)apr_file_close(receipt->file);
    }
    receipt->file = NULL;
    receipt->digest = NULL;
    return rv;
}

/*
 * What an earlier attempt received, and perhaps delivered (deliver.h: "going" without "package").
 * Else, after a loss of power, it may be anything.  A file that cannot be read just now is not one
 * that is not there: its sender gives it once.
 */
static apr_status_t recheck(mnet_receipt_t *receipt, int *here)
{
    int going, package, received;
    apr_status_t rv = look_for(receipt, "going", &going);

    rv = rv ? rv : look_for(receipt, "package", &package);
    rv = rv ? rv : look_for(receipt, "received", &received);
    if (rv) {
        return rv;
    }
    *here = received || (going && !package);
    return received && !(going && !package) && receipt->arrival->sha1
               ? check_received(receipt, here)
               : APR_SUCCESS;
}

mnet_queue_outcome_e mnet_receipt_open(mnet_receipt_t *receipt, mnet_queue_run_t *run, int *here)
{
    const mnet_portfolio_options_t *options = run->host->site->portfolio;
    apr_pool_t *pool = run->pool;
    mnet_arrival_t *arrival;
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
    receipt->max =
        arrival->size >= 0 && arrival->size < options->max_size ? arrival->size : options->max_size;
    rv = mnet_work_folder(run->host, run->item->id, &receipt->work, &receipt->again, pool);
    receipt->part = apr_pstrcat(pool, receipt->work, "/part", NULL);
    receipt->path = apr_pstrcat(pool, receipt->work, "/received", NULL);
    if (rv) {
        return mnet_receipt_trouble(receipt, rv, "no folder can be made in MnetPortfolioDir");
    }
    rv = recheck(receipt, here);
    return rv ? mnet_receipt_trouble(receipt, rv, "what was received before cannot be read")
              : MNET_QUEUE_DONE;
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
