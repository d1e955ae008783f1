/* SPDX-License-Identifier: Apache-2.0 */
/* What was sent to whom, so that the same is not sent again unasked; for a year. */
#include <string.h>

#include "base/status.h"
#include "portfolio/out_int.h"
#include "rpc/site_record.h"
#include "service/sso_int.h"

#define LOG     "out-log"
#define VERSION 1
#define KEPT    apr_time_from_sec((apr_time_t)365 * 86400)

static apr_status_t name_of_log(const mnet_host_t *host, const char *peer, const char *user,
                                const char *content, mnet_name_t *name)
{
    apr_status_t rv;

    mnet_name_begin(host, name);
    rv = mnet_name_add_digest(host, name, peer, user);
    mnet_name_add(name, content, strnlen(content, 2 * MNET_SHA1));
    return rv;
}

apr_status_t mnet_out_log(const mnet_host_t *host, mnet_txn_t *txn, const mnet_out_t *out,
                          apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(VERSION, pool);
    mnet_name_t name;
    apr_status_t rv = name_of_log(host, out->peer, out->user, out->content, &name);

    mnet_pack_text(pack, out->id);
    mnet_pack_text(pack, out->title);
    mnet_pack_i64(pack, out->created);
    mnet_pack_i64(pack, out->state == MNET_OUT_STATE_DELIVERED ? out->done : 0);
    return rv ? rv : mnet_record_put(txn, LOG, &name, pack);
}

static apr_status_t read_log(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                             mnet_out_t **earlier, apr_pool_t *pool)
{
    mnet_out_t *log = apr_pcalloc(pool, sizeof(*log)), *whole;
    mnet_unpack_t unpack;
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, LOG, name->bytes, name->len, &data, &len);

    rv = rv ? rv : mnet_unpack_begin(&unpack, data, len, VERSION, pool);
    if (rv) {
        return rv;
    }
    log->id = mnet_unpack_text(&unpack);
    log->title = mnet_unpack_text(&unpack);
    log->created = mnet_unpack_i64(&unpack);
    log->done = mnet_unpack_i64(&unpack);
    log->state = log->done ? MNET_OUT_STATE_DELIVERED : MNET_OUT_STATE_EXPIRED;
    unpack.bad |= !log->id || !log->title;
    rv = mnet_unpack_end(&unpack);
    if (rv || !log->id) {
        return rv;
    }
    /* Of one that is on its way the record knows more. */
    if (!log->done && !mnet_out_get(host, txn, log->id, &whole, pool)) {
        log = whole;
    }
    *earlier = log;
    return log->state == MNET_OUT_STATE_DROPPED || log->state == MNET_OUT_STATE_EXPIRED
               ? APR_NOTFOUND
               : APR_SUCCESS;
}

apr_status_t mnet_out_earlier(const mnet_host_t *host, const char *peer, const char *user,
                              const char *content, mnet_out_t **earlier, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    mnet_name_t name;
    apr_status_t rv = name_of_log(host, peer, user, content, &name);

    *earlier = NULL;
    rv = rv ? rv : mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);
    if (!rv) {
        rv = read_log(host, txn, &name, earlier, pool);
        mnet_txn_abort(txn);
    }
    return rv;
}

/* --- what is too old --- */

/* Likewise one that cannot be read, but not one of a later version. */
static int is_old(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                  apr_pool_t *pool)
{
    const apr_time_t *now = baton;
    apr_time_t created, done;
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, VERSION, pool);

    (void)mnet_unpack_text(&unpack);
    (void)mnet_unpack_text(&unpack);
    created = mnet_unpack_i64(&unpack);
    done = mnet_unpack_i64(&unpack);
    if (rv == MNET_E_VERSION) {
        return 0;
    }
    return rv || mnet_unpack_end(&unpack) ||
           *now > mnet_ahead(done > created ? done : created, KEPT);
}

static apr_status_t forget(void *baton, mnet_txn_t *txn, const mnet_name_t *name, const void *data,
                           apr_size_t len, apr_pool_t *pool)
{
    return mnet_txn_del(txn, LOG, name->bytes, name->len);
}

apr_status_t mnet_out_log_prune(const mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    mnet_tending_t tending = {LOG, is_old, forget, &now};

    return mnet_tend(host, &tending, pool);
}
