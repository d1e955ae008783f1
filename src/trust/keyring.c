/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/keyring.h"

#include <string.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "base/status.h"
#include "trust/certificate.h"
#include "trust/counted.h"
#include "trust/key_record.h"
#include "trust/keyring_int.h"

/* A ring and what keeps it alive. */
typedef struct held_t {
    mnet_counted_t *counted;
    mnet_ring_t ring;
} held_t;

struct mnet_keyring_t {
    mnet_keyring_parts_t parts;
    apr_thread_mutex_t *lock; /* for the two below, never held over anything slow */
    held_t *held;             /* the newest ring, or NULL */
    apr_uint64_t generation;  /* as of which it is the newest */
};

const mnet_keyring_parts_t *mnet_keyring_parts(const mnet_keyring_t *keyring)
{
    return &keyring->parts;
}

static apr_status_t let_go(void *data)
{
    mnet_keyring_t *keyring = data;
    mnet_counted_drop(keyring->held ? keyring->held->counted : NULL);
    keyring->held = NULL;
    return APR_SUCCESS;
}

mnet_keyring_t *mnet_keyring_create(const mnet_crypto_t *crypto, mnet_store_t *store,
                                    const mnet_site_t *site, const mnet_log_t *log,
                                    apr_pool_t *pool)
{
    mnet_keyring_t *keyring = apr_pcalloc(pool, sizeof(*keyring));
    keyring->parts.crypto = crypto;
    keyring->parts.store = store;
    keyring->parts.site = site;
    keyring->parts.log = log;
    if (apr_thread_mutex_create(&keyring->lock, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, keyring, let_go, apr_pool_cleanup_null);
    return keyring;
}

/* --- reading --- */

/* The site's records, oldest first, as they lie in the transaction. */
typedef struct found_t {
    apr_uint64_t seq;
    const void *data;
    apr_size_t len;
} found_t;

typedef struct finding_t {
    apr_array_header_t *found; /* found_t */
    apr_size_t prefix_len;
} finding_t;

static apr_status_t find_one(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                             const void *data, apr_size_t len)
{
    finding_t *finding = baton;
    apr_uint64_t seq = mnet_key_seq(key, key_len, finding->prefix_len);
    if (seq) {
        found_t *found = apr_array_push(finding->found);
        found->seq = seq;
        found->data = data;
        found->len = len;
    }
    return APR_SUCCESS;
}

static apr_status_t find_records(const mnet_keyring_t *keyring, mnet_txn_t *txn,
                                 apr_array_header_t **found, apr_pool_t *pool)
{
    unsigned char name[MNET_KEY_NAME_MAX];
    finding_t finding;
    finding.prefix_len = mnet_key_name(name, keyring->parts.site->wwwroot, NULL);
    finding.found = *found = apr_array_make(pool, 8, sizeof(found_t));
    if (!finding.prefix_len) {
        return MNET_E_INVALID;
    }
    apr_status_t rv =
        mnet_txn_each(txn, MNET_KEY_GROUP, name, finding.prefix_len, NULL, 0, find_one, &finding);
    return rv == APR_SUCCESS && !finding.found->nelts ? APR_NOTFOUND : rv;
}

/* What tells one set of records from another. */
static apr_status_t stamp_of(const mnet_keyring_t *keyring, const apr_array_header_t *found,
                             apr_uint64_t *stamp)
{
    unsigned char all[MNET_SHA256] = {0}, one[MNET_SHA256];
    for (int i = 0; i < found->nelts; i++) {
        const found_t *record = &APR_ARRAY_IDX(found, i, found_t);
        apr_status_t rv = mnet_sha256(keyring->parts.crypto, &record->seq, sizeof(record->seq),
                                      record->data, record->len, one);
        if (rv == APR_SUCCESS) {
            rv = mnet_sha256(keyring->parts.crypto, all, sizeof(all), one, sizeof(one), all);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    memcpy(stamp, all, sizeof(*stamp));
    return APR_SUCCESS;
}

/* --- parsing --- */

/* Room in a ring that is being made, filled from its front. */
typedef struct making_t {
    int count;
    EVP_PKEY **keys;
    const char **pems;
    apr_time_t *created, *not_after;
} making_t;

static apr_status_t free_key(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

/* A private key that belongs to its certificate, in our context. */
static EVP_PKEY *parse_key(const mnet_crypto_t *crypto, const mnet_key_record_t *record,
                           const mnet_certificate_t *certificate)
{
    const unsigned char *at = record->key_der;
    ERR_set_mark();
    EVP_PKEY *key =
        d2i_AutoPrivateKey_ex(NULL, &at, (long)record->key_len, mnet_crypto_libctx(crypto), NULL);
    if (key && EVP_PKEY_eq(key, certificate->key) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    ERR_pop_to_mark();
    return key;
}

static apr_status_t parse_record(const mnet_keyring_t *keyring, const found_t *found,
                                 making_t *making, apr_pool_t *pool, apr_pool_t *scratch)
{
    mnet_key_record_t record;
    mnet_certificate_t *certificate;
    const char *why;
    EVP_PKEY *key = NULL;
    apr_status_t rv = mnet_key_unpack(found->data, found->len, 1, &record, scratch);
    if (rv == APR_SUCCESS) {
        rv = mnet_certificate_read(keyring->parts.crypto, record.pem, &certificate, &why, scratch);
        key = rv == APR_SUCCESS ? parse_key(keyring->parts.crypto, &record, certificate) : NULL;
        OPENSSL_cleanse((void *)record.key_der, record.key_len);
    }
    if (rv == APR_SUCCESS && !key) {
        rv = MNET_E_INVALID;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_cleanup_register(pool, key, free_key, apr_pool_cleanup_null);
    making->keys[making->count] = key;
    making->pems[making->count] = apr_pstrdup(pool, certificate->pem);
    making->created[making->count] = record.created;
    making->not_after[making->count] = record.not_after;
    making->count++;
    return APR_SUCCESS;
}

/* Newest first.  The current key must be readable; an old one that is not is skipped. */
static apr_status_t parse_records(const mnet_keyring_t *keyring, const apr_array_header_t *found,
                                  making_t *making, apr_pool_t *pool, apr_pool_t *scratch)
{
    const mnet_keyring_parts_t *parts = &keyring->parts;
    int most = mnet_keyring_most(parts->site);
    for (int i = found->nelts - 1; i >= 0 && found->nelts - i <= most; i--) {
        const found_t *record = &APR_ARRAY_IDX(found, i, found_t);
        apr_status_t rv = parse_record(keyring, record, making, pool, scratch);
        if (rv != APR_SUCCESS && i == found->nelts - 1) {
            mnet_log(parts->log, MNET_LOG_ERR, rv, "MNET0301",
                     "the current key of %s (number %" APR_UINT64_T_FMT ") cannot be read",
                     parts->site->wwwroot, record->seq);
            return rv;
        }
        if (rv != APR_SUCCESS) {
            mnet_log(parts->log, MNET_LOG_WARNING, rv, "MNET0302",
                     "an old key of %s (number %" APR_UINT64_T_FMT ") cannot be read",
                     parts->site->wwwroot, record->seq);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t make_ring(const mnet_keyring_t *keyring, const apr_array_header_t *found,
                              apr_uint64_t stamp, held_t **held, apr_pool_t *scratch)
{
    mnet_counted_t *counted;
    making_t making = {0};
    apr_status_t rv = mnet_counted_create(&counted);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_size_t most = (apr_size_t)found->nelts;
    making.keys = apr_pcalloc(counted->pool, most * sizeof(*making.keys));
    making.pems = apr_pcalloc(counted->pool, most * sizeof(*making.pems));
    making.created = apr_pcalloc(counted->pool, most * sizeof(*making.created));
    making.not_after = apr_pcalloc(counted->pool, most * sizeof(*making.not_after));
    rv = parse_records(keyring, found, &making, counted->pool, scratch);
    if (rv != APR_SUCCESS) {
        mnet_counted_drop(counted);
        return rv;
    }
    *held = apr_pcalloc(counted->pool, sizeof(**held));
    (*held)->counted = counted;
    (*held)->ring.count = making.count;
    (*held)->ring.keys = making.keys;
    (*held)->ring.pems = making.pems;
    (*held)->ring.created = making.created;
    (*held)->ring.not_after = making.not_after;
    (*held)->ring.stamp = stamp;
    return APR_SUCCESS;
}

/* --- lending --- */

/* Lends the held ring if it is as new as generation; stamp, if not NULL: or has that stamp, which
 * makes it as new. */
static const mnet_ring_t *lend_held(mnet_keyring_t *keyring, apr_uint64_t generation,
                                    const apr_uint64_t *stamp, apr_pool_t *pool)
{
    const mnet_ring_t *ring = NULL;
    apr_thread_mutex_lock(keyring->lock);
    held_t *held = keyring->held;
    if (held && stamp && held->ring.stamp == *stamp && keyring->generation < generation) {
        keyring->generation = generation;
    }
    /* A newer one than our snapshot's has all its keys and serves as well. */
    if (held && keyring->generation >= generation) {
        mnet_counted_lend(held->counted, pool);
        ring = &held->ring;
    }
    apr_thread_mutex_unlock(keyring->lock);
    return ring;
}

static void put_held(mnet_keyring_t *keyring, held_t *held, apr_uint64_t generation)
{
    held_t *old = held;
    apr_thread_mutex_lock(keyring->lock);
    if (!keyring->held || keyring->generation < generation) {
        old = keyring->held;
        keyring->held = held;
        keyring->generation = generation;
    }
    apr_thread_mutex_unlock(keyring->lock);
    mnet_counted_drop(old ? old->counted : NULL);
}

apr_status_t mnet_keyring_get(mnet_keyring_t *keyring, mnet_txn_t *txn, const mnet_ring_t **ring,
                              apr_pool_t *pool)
{
    apr_uint64_t generation = mnet_txn_generation(txn);
    apr_uint64_t stamp = 0;
    apr_array_header_t *found;
    apr_pool_t *scratch;
    held_t *held = NULL;
    *ring = lend_held(keyring, generation, NULL, pool);
    if (*ring) {
        return APR_SUCCESS;
    }
    apr_status_t rv = apr_pool_create(&scratch, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = find_records(keyring, txn, &found, scratch);
    if (rv == APR_SUCCESS) {
        rv = stamp_of(keyring, found, &stamp);
    }
    if (rv == APR_SUCCESS) {
        *ring = lend_held(keyring, generation, &stamp, pool);
    }
    if (rv == APR_SUCCESS && !*ring) {
        rv = make_ring(keyring, found, stamp, &held, scratch);
    }
    if (held) {
        mnet_counted_lend(held->counted, pool);
        *ring = &held->ring;
        put_held(keyring, held, generation);
    }
    apr_pool_destroy(scratch);
    return rv;
}
