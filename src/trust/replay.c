/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/replay.h"

#include <string.h>

#include "base/status.h"
#include "trust/wwwroot.h"

/*
 * Two records a claim: group "replay", the name, with its expiry; and group "replay-until",
 * expiry and name, which lie in the order in which they can go.
 */
#define CLAIMS   "replay"
#define EXPIRIES "replay-until"
#define VERSION  1
#define FEWER    8
#define TIME     8
#define VALUE    (1 + TIME) /* version, expiry */
#define EXPIRY   (TIME + MNET_SHA256)

apr_status_t mnet_replay_name(const mnet_crypto_t *crypto, const mnet_site_t *site,
                              const mnet_peer_t *peer,
                              const unsigned char session_key[MNET_SESSION_KEY],
                              mnet_replay_name_t *name)
{
    char between[2 * (MNET_WWWROOT_MAX + 1)];
    apr_size_t ours = strnlen(site->wwwroot, MNET_WWWROOT_MAX + 1);
    apr_size_t theirs = strnlen(peer->facts->wwwroot, MNET_WWWROOT_MAX + 1);
    if (ours > MNET_WWWROOT_MAX || theirs > MNET_WWWROOT_MAX) {
        return MNET_E_INVALID;
    }
    memcpy(between, site->wwwroot, ours + 1);
    memcpy(between + ours + 1, peer->facts->wwwroot, theirs + 1);
    return mnet_sha256(crypto, between, ours + theirs + 2, session_key, MNET_SESSION_KEY,
                       name->bytes);
}

static void write_time(unsigned char out[TIME], apr_time_t when)
{
    for (int i = 0; i < TIME; i++) {
        out[i] = (unsigned char)((apr_uint64_t)when >> (56 - 8 * i));
    }
}

static apr_time_t read_time(const unsigned char in[TIME])
{
    apr_uint64_t when = 0;
    for (int i = 0; i < TIME; i++) {
        when = when << 8 | in[i];
    }
    return (apr_time_t)when;
}

static void expiry_key(unsigned char key[EXPIRY], const mnet_replay_name_t *name, apr_time_t until)
{
    write_time(key, until);
    memcpy(key + TIME, name->bytes, MNET_SHA256);
}

/* Until when a name is claimed.  APR_NOTFOUND: it is not. */
static apr_status_t claimed_until(mnet_txn_t *txn, const mnet_replay_name_t *name,
                                  apr_time_t *until)
{
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, CLAIMS, name->bytes, MNET_SHA256, &data, &len);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!len || *(const unsigned char *)data != VERSION) {
        return MNET_E_VERSION;
    }
    if (len < VALUE) {
        return APR_EINCOMPLETE;
    }
    *until = read_time((const unsigned char *)data + 1);
    return APR_SUCCESS;
}

apr_status_t mnet_replay_claim(mnet_txn_t *txn, const mnet_replay_name_t *name, apr_time_t now,
                               apr_time_t until)
{
    static const unsigned char version = VERSION;
    unsigned char value[VALUE] = {VERSION};
    unsigned char key[EXPIRY];
    apr_time_t before = 0;
    if (now < 0 || until < 0) {
        return MNET_E_INVALID;
    }
    apr_status_t rv = claimed_until(txn, name, &before);
    if (rv == APR_SUCCESS && before >= now) {
        return MNET_E_REPLAY;
    }
    if (rv == APR_SUCCESS) {
        expiry_key(key, name, before);
        rv = mnet_txn_del(txn, EXPIRIES, key, EXPIRY);
    }
    if (rv != APR_SUCCESS && rv != APR_NOTFOUND) {
        return rv;
    }
    write_time(value + 1, until);
    expiry_key(key, name, until);
    rv = mnet_txn_put(txn, CLAIMS, name->bytes, MNET_SHA256, value, VALUE);
    return rv == APR_SUCCESS ? mnet_txn_put(txn, EXPIRIES, key, EXPIRY, &version, 1) : rv;
}

int mnet_replay_claimed(mnet_txn_t *txn, const mnet_replay_name_t *name, apr_time_t now)
{
    apr_time_t until = 0;
    apr_status_t rv = claimed_until(txn, name, &until);
    /* What cannot be read may have been a claim. */
    return rv == APR_SUCCESS ? until >= now : rv != APR_NOTFOUND;
}

/* --- purging --- */

typedef struct purge_t {
    apr_time_t now;
    int max;
    int left;
    apr_array_header_t *gone; /* mnet_replay_name_t */
} purge_t;

static apr_status_t purge_one(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    purge_t *purge = baton;
    if (key_len != EXPIRY) {
        return APR_EINCOMPLETE;
    }
    if (read_time(key) >= purge->now) {
        return APR_EOF;
    }
    if (purge->gone->nelts >= purge->max) {
        purge->left = 1;
        return APR_EOF;
    }
    memcpy(apr_array_push(purge->gone), (const unsigned char *)key + TIME, MNET_SHA256);
    return mnet_txn_del(txn, EXPIRIES, key, key_len);
}

static apr_status_t see_one(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                            const void *data, apr_size_t len)
{
    purge_t *purge = baton;
    purge->left = key_len != EXPIRY || read_time(key) < purge->now;
    return APR_EOF;
}

/* Does anything wait?  Asked in a read transaction, so that an idle site never waits for a writer.
 */
static apr_status_t anything(mnet_store_t *store, purge_t *purge, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(store, MNET_READ, &txn, pool);
    if (rv == APR_SUCCESS) {
        rv = mnet_txn_each(txn, EXPIRIES, NULL, 0, NULL, 0, see_one, purge);
        mnet_txn_abort(txn);
    }
    return rv;
}

static apr_status_t purge_in(mnet_txn_t *txn, purge_t *purge)
{
    apr_status_t rv = mnet_txn_each(txn, EXPIRIES, NULL, 0, NULL, 0, purge_one, purge);
    for (int i = 0; i < purge->gone->nelts && rv == APR_SUCCESS; i++) {
        const mnet_replay_name_t *name = &APR_ARRAY_IDX(purge->gone, i, mnet_replay_name_t);
        rv = mnet_txn_del(txn, CLAIMS, name->bytes, MNET_SHA256);
        rv = rv == APR_NOTFOUND ? APR_SUCCESS : rv;
    }
    return rv;
}

static apr_status_t purge_some(mnet_store_t *store, purge_t *purge, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    purge->left = 0;
    purge->gone = apr_array_make(pool, 16, sizeof(mnet_replay_name_t));
    apr_status_t rv = mnet_txn_begin(store, MNET_WRITE_WORK, &txn, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    purge->max = mnet_txn_few(txn, purge->max, 1); /* each lies on a page of its own */
    rv = purge_in(txn, purge);
    if (rv != APR_SUCCESS) {
        mnet_txn_abort(txn);
        return rv;
    }
    return mnet_txn_commit(txn);
}

apr_status_t mnet_replay_purge(mnet_store_t *store, apr_time_t now, int max, int *left,
                               apr_pool_t *pool)
{
    purge_t purge = {.now = now, .max = max};
    *left = 0;
    apr_status_t rv = anything(store, &purge, pool);
    if (rv != APR_SUCCESS || !purge.left) {
        return rv;
    }
    /* A disk may have less room than the store: few at a time, then. */
    do {
        rv = purge_some(store, &purge, pool);
        purge.max = purge.max > 1 && purge.max < FEWER ? 1 : purge.max / FEWER;
    } while (rv != APR_SUCCESS && purge.max > 0);
    *left = rv == APR_SUCCESS && purge.left;
    return rv;
}
