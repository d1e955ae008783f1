/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/site_record.h"

#include <string.h>

#include "base/status.h"

#define FNV_OFFSET 14695981039346656037ULL
#define FNV_PRIME  1099511628211ULL
#define BATCH      500 /* records to a read transaction */
#define PAGES      4   /* that a change of one changes, with its indices */

void mnet_name_begin(const mnet_host_t *host, mnet_name_t *name)
{
    const char *at = host->site->wwwroot;
    apr_uint64_t hash = FNV_OFFSET;

    for (; *at; at++) {
        hash = (hash ^ (unsigned char)*at) * FNV_PRIME;
    }
    name->len = 0;
    mnet_name_add_time(name, (apr_time_t)hash);
}

void mnet_name_add(mnet_name_t *name, const void *data, apr_size_t len)
{
    if (len <= sizeof(name->bytes) - name->len) {
        memcpy(name->bytes + name->len, data, len);
        name->len += len;
    }
}

void mnet_name_add_time(mnet_name_t *name, apr_time_t when)
{
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)((apr_uint64_t)when >> (56 - 8 * i));
    }
    mnet_name_add(name, bytes, sizeof(bytes));
}

apr_status_t mnet_name_add_digest(const mnet_host_t *host, mnet_name_t *name, const char *a,
                                  const char *b)
{
    unsigned char digest[MNET_SHA256];
    apr_status_t rv =
        mnet_sha256(host->engine->crypto, a, strlen(a) + (b != NULL), b, b ? strlen(b) : 0, digest);

    if (!rv) {
        mnet_name_add(name, digest, sizeof(digest));
    }
    return rv;
}

/* --- what they begin with --- */

mnet_pack_t *mnet_record_create(const mnet_host_t *host, unsigned char version, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(version, pool);

    mnet_pack_text(pack, host->site->wwwroot);
    return pack;
}

apr_status_t mnet_record_put(mnet_txn_t *txn, const char *group, const mnet_name_t *name,
                             mnet_pack_t *pack)
{
    apr_size_t len;
    const void *data = mnet_pack_end(pack, &len);

    return mnet_txn_put(txn, group, name->bytes, name->len, data, len);
}

apr_status_t mnet_record_open(mnet_unpack_t *unpack, const mnet_host_t *host, const void *data,
                              apr_size_t len, unsigned char newest, apr_pool_t *pool)
{
    apr_status_t rv = mnet_unpack_begin(unpack, data, len, newest, pool);
    const char *wwwroot = mnet_unpack_text(unpack);

    if (!rv && !wwwroot) {
        rv = APR_EINCOMPLETE;
    } else if (!rv && strcmp(wwwroot, host->site->wwwroot)) {
        rv = APR_NOTFOUND;
    }
    unpack->bad |= rv != APR_SUCCESS;
    return rv;
}

/* --- all records of a site --- */

typedef struct batch_t {
    const mnet_walk_t *walk;
    mnet_name_t last;
    int count;
    apr_pool_t *scratch;
} batch_t;

static apr_status_t see_one(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                            const void *data, apr_size_t len)
{
    batch_t *batch = baton;
    apr_status_t rv;

    if (key_len > sizeof(batch->last.bytes)) {
        return APR_SUCCESS; /* none of ours */
    }
    if (batch->count == BATCH) {
        return APR_EOF;
    }
    batch->count++;
    memcpy(batch->last.bytes, key, key_len);
    batch->last.len = key_len;
    rv = batch->walk->see(batch->walk->baton, &batch->last, data, len, batch->scratch);
    return rv;
}

static apr_status_t read_batch(const mnet_host_t *host, batch_t *batch)
{
    unsigned char from[MNET_NAME_MAX + 1];
    apr_size_t from_len = batch->last.len;
    mnet_name_t site;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, batch->scratch);

    if (rv) {
        return rv;
    }
    mnet_name_begin(host, &site);
    memcpy(from, batch->last.bytes, from_len);
    from[from_len] = 0; /* the least name above the last one */
    batch->count = 0;
    rv = mnet_txn_each(txn, batch->walk->group, site.bytes, site.len, from_len ? from : NULL,
                       from_len ? from_len + 1 : 0, see_one, batch);
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_walk(const mnet_host_t *host, const mnet_walk_t *walk, apr_pool_t *pool)
{
    batch_t batch = {.walk = walk};
    apr_status_t rv = apr_pool_create(&batch.scratch, pool);

    if (rv) {
        return rv;
    }
    do {
        apr_pool_clear(batch.scratch);
        rv = read_batch(host, &batch);
        if (!rv && walk->done) {
            rv = walk->done(walk->baton, batch.scratch);
        }
    } while (!rv && batch.count == BATCH);
    apr_pool_destroy(batch.scratch);
    return rv;
}

/* --- upkeep --- */

typedef struct batch_wants_t {
    const mnet_host_t *host;
    const mnet_tending_t *tending;
    apr_array_header_t *names; /* mnet_name_t, of this batch; NULL: none yet */
} batch_wants_t;

static apr_status_t tend_see(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                             apr_pool_t *scratch)
{
    batch_wants_t *batch = baton;

    if (batch->tending->wants(batch->tending->baton, name, data, len, scratch)) {
        if (!batch->names) {
            batch->names = apr_array_make(scratch, 16, sizeof(mnet_name_t));
        }
        APR_ARRAY_PUSH(batch->names, mnet_name_t) = *name;
    }
    return APR_SUCCESS;
}

static apr_status_t tend_one(const mnet_tending_t *tending, mnet_txn_t *txn,
                             const mnet_name_t *name, apr_pool_t *scratch)
{
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, tending->group, name->bytes, name->len, &data, &len);

    if (!rv && tending->wants(tending->baton, name, data, len, scratch)) {
        rv = tending->change(tending->baton, txn, name, data, len, scratch);
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* As many as there is room for, from the one at *from on. */
static apr_status_t tend_some(const batch_wants_t *batch, const apr_array_header_t *names,
                              int *from, apr_pool_t *scratch)
{
    mnet_txn_t *txn;
    int last;
    apr_status_t rv = mnet_txn_begin(batch->host->engine->store, MNET_WRITE_WORK, &txn, scratch);

    if (rv) {
        return rv;
    }
    for (last = *from + mnet_txn_few(txn, names->nelts - *from, PAGES); !rv && *from < last;
         ++*from) {
        rv = tend_one(batch->tending, txn, &APR_ARRAY_IDX(names, *from, mnet_name_t), scratch);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

static apr_status_t tend_done(void *baton, apr_pool_t *scratch)
{
    batch_wants_t *batch = baton;
    const apr_array_header_t *names = batch->names;
    apr_status_t rv = APR_SUCCESS;

    batch->names = NULL; /* they go with scratch */
    for (int from = 0; !rv && names && from < names->nelts;) {
        rv = tend_some(batch, names, &from, scratch);
    }
    return rv;
}

apr_status_t mnet_tend(const mnet_host_t *host, const mnet_tending_t *tending, apr_pool_t *pool)
{
    batch_wants_t batch = {host, tending, NULL};
    mnet_walk_t walk = {tending->group, tend_see, tend_done, &batch};

    return mnet_walk(host, &walk, pool);
}
