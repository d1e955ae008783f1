/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/deliver_int.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"

/* --- routes --- */

/* A Moodle's formats for files are kinds of "file" (protocol 7.2). */
static int is_files(const char *format)
{
    static const char *const files[] = {"file", "image", "video", "text", "html", "manifest"};
    apr_size_t i;

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (!strcmp(files[i], format)) {
            return 1;
        }
    }
    return 0;
}

/* How well a route fits a format: 0 not at all. */
static int fits(const char *route, const char *format)
{
    if (!strcasecmp(route, format)) {
        return 3;
    }
    if (!strcasecmp(route, "file") && is_files(format)) {
        return 2;
    }
    return !strcmp(route, "*");
}

const mnet_portfolio_route_t *mnet_portfolio_route(const mnet_portfolio_options_t *options,
                                                   const char *format)
{
    const mnet_portfolio_route_t *best = NULL;
    int i, best_fit = 0;

    for (i = 0; options->routes && i < options->routes->nelts; i++) {
        const mnet_portfolio_route_t *route =
            APR_ARRAY_IDX(options->routes, i, const mnet_portfolio_route_t *);
        int fit = fits(route->format, format);

        if (fit && (!best || route->priority > best->priority ||
                    (route->priority == best->priority && fit > best_fit))) {
            best = route;
            best_fit = fit;
        }
    }
    return best;
}

/* --- delivering --- */

static int exists(const char *path)
{
    struct stat info;

    return !lstat(path, &info);
}

/*
 * What an earlier attempt came to.  *done: it delivered.  Otherwise its mark is taken away before
 * the package is, or a later attempt would take its absence for a delivery.
 */
static apr_status_t look_back(mnet_deliver_t *deliver, int *done)
{
    const char *work = deliver->source.work;
    const char *folder = apr_pstrcat(deliver->pool, work, "/" MNET_PACKAGE_FOLDER, NULL);
    mnet_deliver_mark_t mark;
    apr_status_t rv = mnet_deliver_marked(work, &mark, deliver->pool);

    *done = 0;
    if (APR_STATUS_IS_ENOENT(rv)) {
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS && (mark.is_url || !exists(folder))) {
        *done = 1;
        deliver->delivered->again = 1;
        deliver->delivered->to = mark.to;
        return APR_SUCCESS;
    }
    return rv == APR_SUCCESS ? mnet_deliver_unmark(work, deliver->pool) : rv;
}

static apr_status_t choose_route(mnet_deliver_t *deliver)
{
    const char *format = deliver->delivered->package->format;

    deliver->delivered->route = mnet_portfolio_route(deliver->delivery->options, format);
    if (!deliver->delivered->route) {
        return mnet_deliver_fail(deliver, MNET_E_REFUSED, "packages of format %s are not taken",
                                 format);
    }
    return APR_SUCCESS;
}

/* Opens the package and takes it where it goes. */
static apr_status_t go(mnet_deliver_t *deliver)
{
    mnet_package_t *package;
    const char *why;
    apr_status_t rv = mnet_package_open(&package, &deliver->source, &why, deliver->pool);

    if (rv != APR_SUCCESS) {
        return mnet_deliver_fail(deliver, rv, "%s", why);
    }
    deliver->delivered->package = package;
    rv = choose_route(deliver);
    if (rv == APR_SUCCESS) {
        rv = deliver->delivered->route->is_url ? mnet_deliver_to_url(deliver)
                                               : mnet_deliver_to_folder(deliver);
    }
    if (rv != APR_SUCCESS || deliver->delivered->route->is_url) {
        /* First the mark: a package that is gone with its mark there has arrived. */
        if (rv == APR_SUCCESS ||
            mnet_deliver_unmark(deliver->source.work, deliver->pool) == APR_SUCCESS) {
            (void)mnet_package_discard(deliver->source.work, deliver->pool);
        }
    }
    return rv;
}

static void log_outcome(const mnet_deliver_t *deliver, apr_status_t rv)
{
    const mnet_package_source_t *source = &deliver->source;
    const mnet_delivered_t *delivered = deliver->delivered;
    const char *user = mnet_for_log(source->user, strlen(source->user), 100, deliver->pool);
    const char *to = delivered->to ? delivered->to : "-";

    to = mnet_for_log(to, strlen(to), 300, deliver->pool);
    if (rv == APR_SUCCESS && delivered->again) {
        mnet_log(source->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1046",
                 "the package for %s from %s had arrived before: %s", user, source->peer, to);
    } else if (rv == APR_SUCCESS) {
        mnet_log(source->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1045",
                 "a package for %s from %s (%s, files: %d, bytes: %" APR_OFF_T_FMT ") went to %s",
                 user, source->peer, delivered->package->format, delivered->package->files->nelts,
                 delivered->package->total, to);
    } else if (delivered->package && rv == MNET_E_REFUSED) {
        mnet_log(source->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1047",
                 "the package for %s from %s is not taken: %s", user, source->peer, delivered->why);
    } else if (delivered->package && rv != MNET_E_BUSY) {
        mnet_log(source->log, MNET_LOG_ERR, delivered->status ? APR_SUCCESS : rv, "MNET1048",
                 "the package for %s from %s is here but cannot be delivered now: %s", user,
                 source->peer, delivered->why);
    }
}

static apr_status_t deliver_locked(mnet_deliver_t *deliver)
{
    char text[100];
    int done;
    apr_status_t rv = look_back(deliver, &done);

    if (rv != APR_SUCCESS) {
        return mnet_deliver_fail(deliver, rv, "what an earlier attempt left cannot be read (%s)",
                                 mnet_strerror(rv, text, sizeof(text)));
    }
    return done ? APR_SUCCESS : go(deliver);
}

apr_status_t mnet_portfolio_deliver(mnet_delivered_t **delivered, const mnet_delivery_t *delivery,
                                    apr_pool_t *pool)
{
    mnet_deliver_t *deliver = apr_pcalloc(pool, sizeof(*deliver));
    mnet_package_limits_t limits = mnet_package_limits_default;
    char text[100];
    apr_status_t rv;
    int lock = -1;

    deliver->pool = pool;
    deliver->delivery = delivery;
    deliver->delivered = apr_pcalloc(pool, sizeof(**delivered));
    deliver->source = delivery->source;
    *delivered = deliver->delivered;
    if (!deliver->source.limits) {
        /* What is in a package may be no more than a package may be. */
        limits.total = limits.file = delivery->options->max_size;
        deliver->source.limits = &limits;
    }
    rv = apr_dir_make_recursive(delivery->source.work,
                                APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_UEXECUTE, pool);
    if (rv == APR_SUCCESS) {
        rv = mnet_deliver_lock(delivery->source.work, &lock, pool);
    }
    if (rv == MNET_E_BUSY) {
        mnet_deliver_fail(deliver, rv, "another attempt is at it");
    } else if (rv != APR_SUCCESS) {
        mnet_deliver_fail(deliver, rv, "there is no room or no right for it on this server (%s)",
                          mnet_strerror(rv, text, sizeof(text)));
        mnet_log(delivery->source.log, MNET_LOG_ERR, rv, "MNET1049",
                 "%s cannot be made or written to", delivery->source.work);
    } else {
        rv = deliver_locked(deliver);
        close(lock);
        log_outcome(deliver, rv);
    }
    return rv;
}

apr_status_t mnet_portfolio_forget(const char *work, apr_pool_t *pool)
{
    apr_status_t rv;
    int lock;

    if (!exists(work)) {
        return APR_SUCCESS;
    }
    rv = mnet_deliver_lock(work, &lock, pool);
    if (rv == APR_SUCCESS) {
        rv = mnet_package_remove(work);
        close(lock);
    }
    return rv;
}
