/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_DELIVER_H
#define MNET_PORTFOLIO_DELIVER_H

/*
 * Where a package goes, once it is here whole.  One call does all of it: opens the package
 * (package/package.h), asks MnetPortfolioRoute by format and priority, and takes it there.
 *
 * To a folder: MnetPortfolioDir/USER/ROUTE/NAME appears by one rename, with every file and the
 * report in it, whole or not at all, and is synced before this says so.  USER is the user's name,
 * "@" and the peer's host (port, path) as they may stand in a file's name; two users never share
 * one.  NAME is the title and a part of the digest of the transfer's id: nothing is overwritten, a
 * second copy is a new folder.
 *
 * To a URL: one multipart POST (RFC 7578) with the fields peer, user, id, format, title and report
 * (JSON), and one file: "file", if the package is a single file of a plain kind, else "package",
 * the archive as it was received.  Any 2xx means that the application has it.
 *
 * Exactly once.  work is the transfer's own folder, the same on every attempt.  Before the rename
 * its target is written to work/going and synced; after it work/package is gone.  So an attempt
 * that finds work/going but no work/package knows, whatever has become of the target since, that
 * the package has arrived: it says APR_SUCCESS with again set, and does nothing.  After a POST
 * that was answered with 2xx, work/going says so likewise.  A POST whose answer was never seen is
 * sent again with the same id, also as the header Idempotency-Key.  Two attempts at once: the
 * second gets MNET_E_BUSY (a lock on work/lock, which dies with its process).
 *
 * So the caller: 1. receives into a file; 2. calls this until it says APR_SUCCESS or
 * MNET_E_REFUSED; 3. commits the outcome to the store; 4. calls mnet_portfolio_forget(work).
 * Killed anywhere, it begins again at what it has not committed.
 */

#include <apr_pools.h>

#include "package/package.h"
#include "trust/site.h"

typedef struct mnet_delivery_t {
    /* path, work, manifest, total, format, name, title, stop, crypto and log are the caller's;
     * id, peer, user and now are taken for the report as well and must be set.  work is made if it
     * is missing, and must be below options->dir: below "options->dir/.work" is a good place, as no
     * user's folder begins with a dot.  limits NULL: as of options->max_size. */
    mnet_package_source_t source;
    const mnet_portfolio_options_t *options;
    apr_interval_time_t timeout; /* of a POST without progress; 0: 30 s */
} mnet_delivery_t;

typedef struct mnet_delivered_t {
    const mnet_package_t *package;       /* NULL if again */
    const mnet_portfolio_route_t *route; /* NULL if again, or before one was chosen */
    const char *to;                      /* the folder, relative to MnetPortfolioDir, or the URL */
    int again;                           /* an earlier attempt did it */
    int status;                          /* of the POST's answer; 0: none */
    const char *why; /* unless APR_SUCCESS: one sentence for the peer and for the log */
} mnet_delivered_t;

/*
 * APR_SUCCESS: it is there, and that is on disk.  MNET_E_REFUSED: for good, and nothing is left of
 * it here (a package that is at fault; the application answered a POST with a 4xx other than 401,
 * 403, 404, 408, 409, 423, 425 or 429).  Anything else: try again later, with the same work and the
 * same path.  *delivered is never NULL; in pool.  Logs what it did (MNET1045 to MNET1049).
 */
apr_status_t mnet_portfolio_deliver(mnet_delivered_t **delivered, const mnet_delivery_t *delivery,
                                    apr_pool_t *pool);

/* After the outcome was committed, or for a transfer that is given up: removes work and all that is
 * in it (so the file received, if it lies there).  Nothing there is success. */
apr_status_t mnet_portfolio_forget(const char *work, apr_pool_t *pool);

/* The route for a format: the highest priority that fits wins, of equals one that names the format
 * before "*", then the first.  NULL: none fits. */
const mnet_portfolio_route_t *mnet_portfolio_route(const mnet_portfolio_options_t *options,
                                                   const char *format);

/* A user's folder, relative to MnetPortfolioDir. */
const char *mnet_portfolio_user_folder(const char *user, const char *peer, apr_pool_t *pool);

#endif
