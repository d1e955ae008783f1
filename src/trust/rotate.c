/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <openssl/crypto.h>

#include "base/status.h"
#include "base/text.h"
#include "trust/certificate.h"
#include "trust/key_record.h"
#include "trust/keyring_int.h"

#define EARLY_MAX apr_time_from_sec(7 * 24 * 60 * 60)

/* What the store has of a site's keys, without their secrets. */
typedef struct seen_t {
    apr_pool_t *pool;
    apr_size_t prefix_len;
    apr_array_header_t *seqs; /* apr_uint64_t, oldest first */
    apr_uint64_t current;     /* 0: there is none */
    apr_time_t created;       /* of it, as the next two */
    apr_time_t not_after;
    apr_status_t readable;
} seen_t;

static apr_status_t see_one(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                            const void *data, apr_size_t len)
{
    seen_t *seen = baton;
    mnet_key_record_t record = {0};
    apr_uint64_t seq = mnet_key_seq(key, key_len, seen->prefix_len);
    if (seq) {
        APR_ARRAY_PUSH(seen->seqs, apr_uint64_t) = seq;
        seen->current = seq;
        seen->readable = mnet_key_unpack(data, len, 0, &record, seen->pool);
        seen->created = record.created;
        seen->not_after = record.not_after;
    }
    return APR_SUCCESS;
}

static apr_status_t see(const mnet_keyring_parts_t *parts, mnet_txn_t *txn, seen_t *seen,
                        apr_pool_t *pool)
{
    unsigned char name[MNET_KEY_NAME_MAX];
    memset(seen, 0, sizeof(*seen));
    seen->pool = pool;
    seen->prefix_len = mnet_key_name(name, parts->site->wwwroot, NULL);
    seen->seqs = apr_array_make(pool, 8, sizeof(apr_uint64_t));
    return seen->prefix_len
               ? mnet_txn_each(txn, MNET_KEY_GROUP, name, seen->prefix_len, NULL, 0, see_one, seen)
               : MNET_E_INVALID;
}

static int is_due(const seen_t *seen, apr_time_t now)
{
    apr_interval_time_t early = (seen->not_after - seen->created) / 10;
    if (early > EARLY_MAX) {
        early = EARLY_MAX;
    }
    return !seen->current || seen->not_after - now <= early;
}

/* Is there anything to do?  An unreadable current key is never silently replaced. */
static apr_status_t look(const mnet_keyring_parts_t *parts, apr_time_t now, int force, int *due,
                         apr_uint64_t *current, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    seen_t seen;
    apr_status_t rv = mnet_txn_begin(parts->store, MNET_READ, &txn, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = see(parts, txn, &seen, pool);
    mnet_txn_abort(txn);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *current = seen.current;
    *due = force || is_due(&seen, now);
    if (seen.current && seen.readable != APR_SUCCESS && !force) {
        mnet_log(parts->log, MNET_LOG_ERR, seen.readable, "MNET0303",
                 "the current key of %s (number %" APR_UINT64_T_FMT
                 ") cannot be read, so it is not replaced; restore the state directory, or make a "
                 "new identity by mnetctl keys rotate",
                 parts->site->wwwroot, seen.current);
        return seen.readable;
    }
    return APR_SUCCESS;
}

static apr_status_t trim(const mnet_keyring_parts_t *parts, mnet_txn_t *txn, const seen_t *seen)
{
    unsigned char name[MNET_KEY_NAME_MAX];
    apr_status_t rv = APR_SUCCESS;
    int old = seen->seqs->nelts + 1 - mnet_keyring_most(parts->site);
    for (int i = 0; i < old && rv == APR_SUCCESS; i++) {
        apr_uint64_t seq = APR_ARRAY_IDX(seen->seqs, i, apr_uint64_t);
        apr_size_t len = mnet_key_name(name, parts->site->wwwroot, &seq);
        rv = mnet_txn_del(txn, MNET_KEY_GROUP, name, len);
    }
    return rv;
}

/* Puts the new key in its place, unless another process was first: all in one transaction. */
static apr_status_t promote(const mnet_keyring_parts_t *parts, const void *record, apr_size_t len,
                            apr_uint64_t current, int *made, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    seen_t seen;
    unsigned char name[MNET_KEY_NAME_MAX];
    apr_status_t rv = mnet_txn_begin(parts->store, MNET_WRITE_END, &txn, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = see(parts, txn, &seen, pool);
    if (rv != APR_SUCCESS || seen.current != current) {
        mnet_txn_abort(txn);
        return rv;
    }
    apr_uint64_t seq = current + 1;
    rv = mnet_txn_put(txn, MNET_KEY_GROUP, name, mnet_key_name(name, parts->site->wwwroot, &seq),
                      record, len);
    if (rv == APR_SUCCESS) {
        rv = trim(parts, txn, &seen);
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_txn_touch(txn);
    }
    if (rv != APR_SUCCESS) {
        mnet_txn_abort(txn);
        return rv;
    }
    rv = mnet_txn_commit(txn);
    *made = rv == APR_SUCCESS;
    return rv;
}

static apr_status_t replace(const mnet_keyring_parts_t *parts, apr_time_t now, apr_uint64_t current,
                            int *made, apr_pool_t *pool)
{
    const mnet_site_t *site = parts->site;
    const char *application =
        APR_ARRAY_IDX(site->applications, 0, const mnet_application_t *)->name;
    mnet_new_key_t *key;
    apr_status_t rv = mnet_certificate_make(parts->crypto, site->wwwroot, site->name, application,
                                            site->key_bits, now, site->key_lifetime, &key, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    mnet_key_record_t record = {now,      key->not_before, key->not_after,
                                key->pem, key->key_der,    key->key_len};
    apr_size_t len = 0;
    void *packed = mnet_key_pack(&record, &len, pool);
    rv = promote(parts, packed, len, current, made, pool);
    OPENSSL_cleanse(packed, len);
    if (*made) {
        mnet_log(parts->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET0304",
                 "%s has a new key (%d bits), valid until %s", site->wwwroot, site->key_bits,
                 mnet_format_date(key->not_after, pool));
    }
    return rv;
}

apr_status_t mnet_keyring_rotate(mnet_keyring_t *keyring, apr_time_t now, int force, int *made,
                                 apr_pool_t *pool)
{
    const mnet_keyring_parts_t *parts = mnet_keyring_parts(keyring);
    apr_uint64_t current = 0;
    apr_pool_t *scratch; /* its clearing cleanses what was secret */
    int due = 0;
    *made = 0;
    apr_status_t rv = apr_pool_create(&scratch, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = look(parts, now, force, &due, &current, scratch);
    if (rv == APR_SUCCESS && due) {
        rv = replace(parts, now, current, made, scratch);
        if (rv != APR_SUCCESS) {
            mnet_log(parts->log, MNET_LOG_ERR, rv, "MNET0305",
                     "no new key could be made for %s; the one before stays current",
                     parts->site->wwwroot);
        }
    }
    apr_pool_destroy(scratch);
    return rv;
}
