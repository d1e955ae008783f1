/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's transaction, the names of its records, and the ways from a name to a record. */
#include "school/ledger_int.h"

#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

#include "base/status.h"

#define VERSION 1

/* --- keys --- */

void mnet_key_begin(const mnet_ledger_t *ledger, mnet_name_t *key)
{
    mnet_name_begin(ledger->host, key);
}

void mnet_key_i64(mnet_name_t *key, apr_int64_t number)
{
    unsigned char bytes[8];
    apr_uint64_t n = (apr_uint64_t)number;

    for (int i = 7; i >= 0; i--) {
        bytes[i] = (unsigned char)(n & 0xFF);
        n >>= 8;
    }
    mnet_name_add(key, bytes, sizeof(bytes));
}

void mnet_key_i32(mnet_name_t *key, apr_uint32_t number)
{
    unsigned char bytes[4] = {(unsigned char)(number >> 24), (unsigned char)(number >> 16),
                              (unsigned char)(number >> 8), (unsigned char)number};

    mnet_name_add(key, bytes, sizeof(bytes));
}

static apr_uint64_t number_at(const void *key, apr_size_t offset, int width)
{
    const unsigned char *at = (const unsigned char *)key + offset;
    apr_uint64_t n = 0;

    for (int i = 0; i < width; i++) {
        n = n << 8 | at[i];
    }
    return n;
}

apr_int64_t mnet_key_at(const void *key, apr_size_t offset)
{
    return (apr_int64_t)number_at(key, offset, 8);
}

apr_uint32_t mnet_key_at32(const void *key, apr_size_t offset)
{
    return (apr_uint32_t)number_at(key, offset, 4);
}

void mnet_key_of(const mnet_ledger_t *ledger, mnet_name_t *key, apr_int64_t a, apr_int64_t b)
{
    mnet_key_begin(ledger, key);
    if (a) {
        mnet_key_i64(key, a);
    }
    if (b) {
        mnet_key_i64(key, b);
    }
}

void mnet_key_enrol(const mnet_ledger_t *ledger, mnet_name_t *key, apr_int64_t section,
                    apr_int64_t person, int role)
{
    unsigned char byte = (unsigned char)role;

    mnet_key_of(ledger, key, section, person);
    mnet_name_add(key, &byte, 1);
}

apr_status_t mnet_key_grade(const mnet_ledger_t *ledger, mnet_name_t *key, apr_int64_t person,
                            apr_int64_t item, int attempt, const char *source)
{
    unsigned char digest[MNET_SHA256] = {0};
    apr_status_t rv = APR_SUCCESS;

    mnet_key_of(ledger, key, person, item);
    mnet_key_i32(key, (apr_uint32_t)attempt);
    if (source) {
        rv = mnet_sha256(ledger->host->engine->crypto, source, strlen(source), NULL, 0, digest);
    }
    mnet_name_add(key, digest, 8);
    return rv;
}

/* --- the transaction --- */

int mnet_ledger_on(const mnet_host_t *host)
{
    return host->site->ledger != NULL;
}

static apr_status_t read_own(mnet_ledger_t *ledger)
{
    mnet_unpack_t unpack;
    mnet_name_t key;
    const void *data;
    apr_size_t len;
    apr_status_t rv;

    ledger->next_id = ledger->next_entry = 1;
    mnet_key_begin(ledger, &key);
    rv = mnet_txn_get(ledger->txn, LEDGER_GROUP, key.bytes, key.len, &data, &len);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return APR_SUCCESS;
    }
    if (rv) {
        return rv;
    }
    rv = mnet_record_open(&unpack, ledger->host, data, len, VERSION, ledger->pool);
    ledger->next_id = mnet_unpack_i64(&unpack);
    ledger->next_entry = mnet_unpack_i64(&unpack);
    rv = rv ? rv : mnet_unpack_end(&unpack);
    if (APR_STATUS_IS_NOTFOUND(rv) || (!rv && (ledger->next_id < 1 || ledger->next_entry < 1))) {
        rv = APR_EGENERAL;
    }
    return rv;
}

apr_status_t mnet_ledger_begin(mnet_ledger_t *ledger, mnet_host_t *host, mnet_txn_e kind,
                               const char *peer, apr_time_t now, apr_pool_t *pool)
{
    apr_status_t rv;

    memset(ledger, 0, sizeof(*ledger));
    ledger->host = host;
    ledger->pool = ledger->keep = pool;
    ledger->peer = peer;
    ledger->now = now;
    rv = mnet_txn_begin(host->engine->store, kind, &ledger->txn, pool);
    if (rv) {
        ledger->txn = NULL;
        return rv;
    }
    rv = read_own(ledger);
    if (rv) {
        mnet_ledger_abort(ledger);
    }
    return rv;
}

static apr_status_t write_own(mnet_ledger_t *ledger)
{
    mnet_pack_t *pack = mnet_record_create(ledger->host, VERSION, ledger->keep);
    mnet_name_t key;

    mnet_pack_i64(pack, ledger->next_id);
    mnet_pack_i64(pack, ledger->next_entry);
    mnet_key_begin(ledger, &key);
    return mnet_record_put(ledger->txn, LEDGER_GROUP, &key, pack);
}

apr_status_t mnet_ledger_commit(mnet_ledger_t *ledger)
{
    mnet_txn_t *txn = ledger->txn;
    apr_status_t rv = ledger->touched ? write_own(ledger) : APR_SUCCESS;

    if (rv) {
        mnet_ledger_abort(ledger);
        return rv;
    }
    ledger->txn = NULL;
    return mnet_txn_commit(txn);
}

void mnet_ledger_abort(mnet_ledger_t *ledger)
{
    if (ledger->txn) {
        mnet_txn_abort(ledger->txn);
        ledger->txn = NULL;
    }
}

apr_status_t mnet_ledger_refuse(mnet_ledger_t *ledger, int fault, const char *field,
                                const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    ledger->why = apr_pvsprintf(ledger->keep, fmt, ap);
    va_end(ap);
    ledger->fault = fault;
    ledger->field = apr_pstrdup(ledger->keep, field);
    return MNET_E_REFUSED;
}

/* --- names --- */

apr_int64_t mnet_ledger_id(mnet_ledger_t *ledger)
{
    ledger->touched = 1;
    return ledger->next_id++;
}

static apr_status_t index_key(const mnet_ledger_t *ledger, mnet_name_t *key, char letter,
                              const char *a, const char *b)
{
    mnet_key_begin(ledger, key);
    mnet_name_add(key, &letter, 1);
    return mnet_name_add_digest(ledger->host, key, a, b);
}

apr_status_t mnet_index_add(mnet_ledger_t *ledger, char letter, const char *a, const char *b,
                            apr_int64_t id)
{
    mnet_name_t key;
    apr_status_t rv = index_key(ledger, &key, letter, a, b);

    mnet_key_i64(&key, id);
    return rv ? rv : mnet_txn_put(ledger->txn, LEDGER_INDEX, key.bytes, key.len, "", 1);
}

apr_status_t mnet_index_del(mnet_ledger_t *ledger, char letter, const char *a, const char *b,
                            apr_int64_t id)
{
    mnet_name_t key;
    apr_status_t rv = index_key(ledger, &key, letter, a, b);

    mnet_key_i64(&key, id);
    rv = rv ? rv : mnet_txn_del(ledger->txn, LEDGER_INDEX, key.bytes, key.len);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

typedef struct finding_t {
    apr_array_header_t *ids;
    apr_size_t skip;
} finding_t;

static apr_status_t find_each(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    finding_t *finding = baton;

    if (key_len == finding->skip + 8) {
        APR_ARRAY_PUSH(finding->ids, apr_int64_t) = mnet_key_at(key, finding->skip);
    }
    return finding->ids->nelts < LEDGER_SAME_NAME ? APR_SUCCESS : APR_EOF;
}

apr_status_t mnet_index_find(mnet_ledger_t *ledger, char letter, const char *a, const char *b,
                             apr_array_header_t **ids)
{
    finding_t finding = {apr_array_make(ledger->pool, 2, sizeof(apr_int64_t)), 0};
    mnet_name_t key;
    apr_status_t rv = index_key(ledger, &key, letter, a, b);

    finding.skip = key.len;
    *ids = finding.ids;
    return rv ? rv
              : mnet_txn_each(ledger->txn, LEDGER_INDEX, key.bytes, key.len, NULL, 0, find_each,
                              &finding);
}

const char *mnet_section_text(apr_int64_t section, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, section);
}

/* --- records --- */

apr_status_t mnet_ledger_write(mnet_ledger_t *ledger, const char *group, char letter,
                               const mnet_name_t *key, const void *data, apr_size_t len)
{
    mnet_name_t entry;
    apr_status_t rv = mnet_txn_put(ledger->txn, group, key->bytes, key->len, data, len);

    mnet_key_begin(ledger, &entry);
    mnet_name_add(&entry, &letter, 1);
    mnet_name_add(&entry, key->bytes + MNET_SITE_PREFIX, key->len - MNET_SITE_PREFIX);
    mnet_key_i64(&entry, ledger->next_entry++);
    ledger->touched = 1;
    return rv ? rv : mnet_txn_put(ledger->txn, LEDGER_HISTORY, entry.bytes, entry.len, data, len);
}

typedef struct listing_t {
    mnet_ledger_t *ledger;
    mnet_read_fn *read;
    apr_array_header_t *list;
} listing_t;

static apr_status_t list_each(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    listing_t *listing = baton;
    void *record;
    apr_status_t rv = listing->read(listing->ledger, key, key_len, data, len, &record);

    if (!rv) {
        APR_ARRAY_PUSH(listing->list, void *) = record;
    }
    return rv;
}

apr_status_t mnet_ledger_list(mnet_ledger_t *ledger, const char *group, const mnet_name_t *prefix,
                              mnet_read_fn *read, apr_array_header_t **list)
{
    listing_t listing = {ledger, read, apr_array_make(ledger->pool, 16, sizeof(void *))};

    *list = listing.list;
    return mnet_txn_each(ledger->txn, group, prefix->bytes, prefix->len, NULL, 0, list_each,
                         &listing);
}

void mnet_ledger_did(mnet_ledger_t *ledger, mnet_change_e change, const char *fmt, ...)
{
    va_list ap;

    ledger->change = change;
    if (change == MNET_CHANGE_NONE) {
        ledger->same++;
        return;
    }
    ledger->added += change == MNET_CHANGE_ADDED;
    ledger->changed += change == MNET_CHANGE_CHANGED;
    if (ledger->told && ledger->told->nelts < MNET_LEDGER_TOLD) {
        va_start(ap, fmt);
        APR_ARRAY_PUSH(ledger->told, const char *) = apr_pvsprintf(ledger->keep, fmt, ap);
        va_end(ap);
    }
}

mnet_mark_t mnet_ledger_mark(const mnet_ledger_t *ledger)
{
    mnet_mark_t mark = {ledger->now, ledger->peer, ledger->peer ? NULL : ledger->by};

    return mark;
}
