/* SPDX-License-Identifier: Apache-2.0 */
/* What is done when a transfer is over. */
#include <apr_file_info.h>
#include <apr_strings.h>
#include <string.h>

#include "portfolio/out_int.h"
#include "service/sso_int.h"

#define KEPT      apr_time_from_sec(30 * 24 * 3600) /* what is over, for who asks after it */
#define STRAY     apr_time_from_sec(24 * 3600)      /* files that belong to no transfer */
#define PRUNE     apr_time_from_sec(24 * 3600)      /* the log of what was sent, so often */
#define GROUP_OUT "out"

typedef struct tending_t {
    mnet_host_t *host;
    apr_time_t now;
    apr_array_header_t *over; /* mnet_out_t *, of this batch */
} tending_t;

static int has_files(const mnet_out_t *out, apr_time_t now)
{
    return out->state == MNET_OUT_STATE_QUEUED || out->state == MNET_OUT_STATE_OFFERED ||
           /* A location holds until it expires. */
           (out->direct && out->state == MNET_OUT_STATE_DELIVERED && now <= out->expires) ||
           (mnet_out_is_unconfirmed(out) && now - out->done < MNET_OUT_UNCONFIRMED);
}

/* What has been over for a day was tidied up long ago. */
static int is_news(const mnet_out_t *out, apr_time_t now)
{
    apr_time_t end = out->direct && out->expires > out->done ? out->expires : out->done;

    return now <= mnet_ahead(end, STRAY);
}

static int is_past(const mnet_out_t *out, apr_time_t now)
{
    apr_time_t end = out->done > out->expires ? out->done : out->expires;

    return now > mnet_ahead(end, KEPT);
}

static apr_status_t tend_see(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                             apr_pool_t *scratch)
{
    tending_t *tending = baton;
    mnet_out_t *out = mnet_out_read(tending->host, data, len, scratch);

    if (!tending->over) {
        tending->over = apr_array_make(scratch, 16, sizeof(mnet_out_t *));
    }
    if (out && !has_files(out, tending->now) &&
        (is_news(out, tending->now) || is_past(out, tending->now))) {
        APR_ARRAY_PUSH(tending->over, mnet_out_t *) = out;
    }
    return APR_SUCCESS;
}

static apr_status_t forget(tending_t *tending, const apr_array_header_t *over, apr_pool_t *pool)
{
    mnet_txn_t *txn = NULL;
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; !rv && i < over->nelts; i++) {
        const mnet_out_t *out = APR_ARRAY_IDX(over, i, const mnet_out_t *);

        if (!is_past(out, tending->now)) {
            continue;
        }
        if (!txn) {
            rv = mnet_txn_begin(tending->host->engine->store, MNET_WRITE_WORK, &txn, pool);
        }
        rv = rv ? rv : mnet_out_del(tending->host, txn, out);
    }
    if (txn) {
        rv = rv ? rv : mnet_txn_commit(txn);
        mnet_txn_abort(txn);
    }
    return rv;
}

static apr_status_t tend_done(void *baton, apr_pool_t *scratch)
{
    tending_t *tending = baton;
    apr_array_header_t *over = tending->over;

    tending->over = NULL;
    for (int i = 0; over && i < over->nelts; i++) {
        mnet_out_remove_files(tending->host, APR_ARRAY_IDX(over, i, mnet_out_t *)->id, scratch);
    }
    return over ? forget(tending, over, scratch) : APR_SUCCESS;
}

/* What a sender that was killed left: files whose transfer was never written. */
static void sweep(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    const char *folder = mnet_out_path(host, "", "", pool);
    apr_finfo_t info;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, folder, pool)) {
        return;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME | APR_FINFO_MTIME, dir) == APR_SUCCESS) {
        const char *dot = strchr(info.name, '.');
        const char *id = dot ? apr_pstrmemdup(pool, info.name, (apr_size_t)(dot - info.name)) : "";
        mnet_out_t *out;

        if (strlen(id) == MNET_QUEUE_ID && now - info.mtime > STRAY &&
            APR_STATUS_IS_NOTFOUND(mnet_out_look(host, id, &out, pool))) {
            mnet_out_remove_files(host, id, pool);
        }
    }
    (void)apr_dir_close(dir);
}

apr_status_t mnet_out_tend(mnet_host_t *host, apr_time_t now, apr_pool_t *parent)
{
    tending_t tending = {host, now, NULL};
    mnet_walk_t walk = {GROUP_OUT, tend_see, tend_done, &tending};
    apr_pool_t *pool;
    apr_status_t rv;

    if (!host->site->portfolio) {
        return APR_SUCCESS;
    }
    rv = apr_pool_create(&pool, parent);
    if (rv) {
        return rv;
    }
    rv = mnet_walk(host, &walk, pool);
    if (!rv && mnet_shared_once(host->engine->shared, "out-log", host->site->wwwroot, now, PRUNE)) {
        rv = mnet_out_log_prune(host, now, pool);
    }
    sweep(host, now, pool);
    apr_pool_destroy(pool);
    return rv;
}
