/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_ARRIVAL_H
#define MNET_PORTFOLIO_ARRIVAL_H

/*
 * A package on its way to us: what its sender said of it, kept as the payload of its item of the
 * queue, and the file in which it is received.  Whichever way the bytes come (fetch.c, get.c), they
 * go through a mnet_receipt_t, and what happens then is the same (mnet_arrival_finish).
 *
 * In the item's folder: "part" while it is received, "received" once it is whole, is what its
 * sender said, and is on disk.  So it is never fetched twice, whatever happens after.
 */

#include <apr_file_io.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "package/package.h"
#include "portfolio/queue.h"
#include "wire/crypto.h"

typedef struct mnet_arrival_t {
    const char *token;                  /* of the intent */
    const char *location;               /* where it can be got; NULL: by fetch_file */
    const char *caller;                 /* with a location: the address that named it; or NULL */
    const char *format;                 /* the sender's word: "file", "leap2a", ...; or NULL */
    const char *sha1;                   /* of the package, lower-case hexadecimal; NULL: not said */
    apr_off_t size;                     /* of the package; -1: not said */
    apr_off_t total;                    /* of the files in it; -1: not said */
    const apr_array_header_t *manifest; /* mnet_package_expected_t; NULL: none */
} mnet_arrival_t;

/* --- arrival.c: the payload --- */

const void *mnet_arrival_pack(const mnet_arrival_t *arrival, apr_size_t *len, apr_pool_t *pool);
apr_status_t mnet_arrival_unpack(const void *data, apr_size_t len, mnet_arrival_t **arrival,
                                 apr_pool_t *pool);

/* For people: the name of its only file, or its format. */
const char *mnet_arrival_title(const mnet_arrival_t *arrival, apr_pool_t *pool);

/* Of both kinds: the intent goes with the item. */
apr_status_t mnet_arrival_dropped(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, const void *payload,
                                  apr_size_t len, apr_pool_t *pool);

/* --- arrival_receipt.c: one attempt to receive it --- */

typedef struct mnet_receipt_t {
    mnet_queue_run_t *run;
    const mnet_arrival_t *arrival;
    const char *work;        /* the item's folder */
    const char *part, *path; /* in it: while it comes, and then */
    int again;               /* an earlier attempt may have asked for it */
    apr_off_t max;           /* bytes it may have */
    apr_file_t *file;        /* of part */
    mnet_digest_t *digest;   /* NULL: too late, part was begun earlier */
    apr_off_t length;        /* of part */
} mnet_receipt_t;

/* The arrival in run's payload and its folder, which is made.  Not DONE: run->reason says why.
 * *here: it was received before. */
mnet_queue_outcome_e mnet_receipt_open(mnet_receipt_t *receipt, mnet_queue_run_t *run, int *here);
/* Opens part, empty or at its end (onward), for mnet_receipt_write. */
apr_status_t mnet_receipt_begin(mnet_receipt_t *receipt, int onward);
/* A mnet_sink_fn; the baton is the receipt.  MNET_E_LIMIT: more than allowed or announced. */
apr_status_t mnet_receipt_write(void *receipt, const char *data, apr_size_t len);
/* The end: what came is held against what was said, and kept.  Not DONE: run->reason is set, and
 * unless the trouble is ours, part is gone. */
mnet_queue_outcome_e mnet_receipt_end(mnet_receipt_t *receipt);
/* What came is not what was said: part goes, and this is the reason. */
mnet_queue_outcome_e mnet_receipt_wrong(mnet_receipt_t *receipt, const char *reason);
/* Trouble of our own, as a reason: RETRY. */
mnet_queue_outcome_e mnet_receipt_trouble(mnet_receipt_t *receipt, apr_status_t rv,
                                          const char *what);

/* --- arrival_finish.c --- */

/* Takes what was received to where it belongs, and ends the item and its intent. */
mnet_queue_outcome_e mnet_arrival_finish(mnet_receipt_t *receipt);

/* --- fetch.c, get.c --- */

extern const mnet_queue_kind_t mnet_fetch_kind, mnet_get_kind;

#endif
