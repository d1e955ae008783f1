/* SPDX-License-Identifier: Apache-2.0 */
/* Packages by their location (protocol 7.3), how far they are, and what is done when they are over.
 */
#include <apr_strings.h>
#include <apr_file_info.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/out_int.h"
#include "portfolio/queue_int.h"
#include "service/sso_int.h"

#define SECRET_DIGITS    40
#define ID_MAX           255
#define KEPT             apr_time_from_sec(30 * 24 * 3600) /* what is over, for who asks after it */
#define STRAY            apr_time_from_sec(24 * 3600)      /* files that belong to no transfer */
#define GROUP_OUT        "out"
#define PROGRESS_VERSION 1

/* --- the GET --- */

static apr_status_t find(mnet_out_give_t *give, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(give->host->engine->store, MNET_READ, &txn, pool);

    if (!rv) {
        rv = mnet_out_find(give->host, txn, "#", give->secret, &give->out, pool);
        mnet_txn_abort(txn);
    }
    return rv;
}

apr_status_t mnet_out_give(mnet_out_give_t *give, apr_pool_t *pool)
{
    apr_status_t rv;

    give->out = NULL;
    if (!give->host->site->portfolio || !give->id || !*give->id || !give->secret ||
        strnlen(give->id, ID_MAX + 1) > ID_MAX ||
        strnlen(give->secret, SECRET_DIGITS + 1) != SECRET_DIGITS) {
        return APR_NOTFOUND;
    }
    rv = find(give, pool);
    if (rv) {
        return rv;
    }
    /* Found by a digest of the secret; what is compared is the whole of both. */
    if (!mnet_equal_secret(give->secret, give->out->secret) ||
        !mnet_equal_secret(give->id, give->out->token) || !give->out->direct ||
        !give->out->offered || give->now > give->out->expires ||
        give->out->state == MNET_OUT_STATE_EXPIRED || give->out->state == MNET_OUT_STATE_DROPPED) {
        return APR_NOTFOUND;
    }
    give->path = mnet_out_path(give->host, give->out->id, ".zip", pool);
    return APR_SUCCESS;
}

apr_status_t mnet_out_went(const mnet_host_t *host, mnet_txn_t *txn, mnet_out_t *out,
                           apr_time_t now, apr_pool_t *pool)
{
    apr_status_t rv;

    out->fetched = now;
    if (out->state != MNET_OUT_STATE_OFFERED) {
        return mnet_out_put(host, txn, out, pool);
    }
    rv = mnet_out_deliver(host, txn, out, now, pool);
    rv = rv ? rv : mnet_queue_drop(host, txn, out->id, pool);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

static apr_status_t note_given(mnet_host_t *host, const char *id, int end, apr_time_t now,
                               apr_pool_t *pool)
{
    mnet_out_t *out;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);

    if (rv) {
        return rv;
    }
    rv = mnet_out_get(host, txn, id, &out, pool);
    if (!rv && out->state == MNET_OUT_STATE_DELIVERED) {
        rv = MNET_E_EXISTS; /* one more time: nothing to write */
    } else if (!rv && end) {
        rv = mnet_out_went(host, txn, out, now, pool);
    } else if (!rv) {
        out->begun = now;
        rv = mnet_out_put(host, txn, out, pool);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv == MNET_E_EXISTS ? APR_SUCCESS : rv;
}

apr_status_t mnet_out_giving(mnet_host_t *host, const char *id, apr_time_t now, apr_pool_t *pool)
{
    return note_given(host, id, 0, now, pool);
}

apr_status_t mnet_out_given(mnet_host_t *host, const char *id, apr_time_t now, apr_pool_t *pool)
{
    return note_given(host, id, 1, now, pool);
}

/* --- how far --- */

/* As the queue's own threads write it (mnet_queue_progress), by somebody who has no lease. */
static apr_status_t put_progress(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                 const mnet_queue_progress_t *progress, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(PROGRESS_VERSION, pool);
    unsigned char bytes[MNET_QUEUE_ID_BYTES] = {0};
    mnet_queue_item_t *item;
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_queue_id(id, bytes);

    mnet_pack_i64(pack, progress->done);
    mnet_pack_i64(pack, progress->total);
    mnet_pack_i64(pack, progress->when);
    data = mnet_pack_end(pack, &len);
    mnet_name_begin(host, &name);
    mnet_name_add(&name, bytes, sizeof(bytes));
    rv = rv ? rv : mnet_queue_get(host, txn, id, &item, pool);
    return rv ? rv : mnet_txn_put(txn, MNET_GROUP_DONE, name.bytes, name.len, data, len);
}

void mnet_out_note(const mnet_host_t *host, const char *id, apr_off_t done, apr_off_t total,
                   apr_time_t now, apr_pool_t *parent)
{
    mnet_queue_progress_t progress = {done, total, now};
    mnet_txn_t *txn;
    apr_pool_t *pool;
    apr_status_t rv;

    if (apr_pool_create(&pool, parent)) {
        return;
    }
    rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);
    if (!rv) {
        rv = put_progress(host, txn, id, &progress, pool);
        if (!rv) {
            (void)mnet_txn_commit(txn);
        }
        mnet_txn_abort(txn);
    }
    apr_pool_destroy(pool);
}

/* --- upkeep --- */

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
            rv = mnet_txn_begin(tending->host->engine->store, MNET_WRITE, &txn, pool);
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
    sweep(host, now, pool);
    apr_pool_destroy(pool);
    return rv;
}
