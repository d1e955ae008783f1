/* SPDX-License-Identifier: Apache-2.0 */
/* What was, and when. */
#include "school/ledger_int.h"

#include "base/status.h"

/* The record's own key from a history's: without the letter in front. */
static void record_key(const void *key, apr_size_t key_len, mnet_name_t *record)
{
    record->len = 0;
    mnet_name_add(record, key, MNET_SITE_PREFIX);
    mnet_name_add(record, (const unsigned char *)key + MNET_SITE_PREFIX + 1,
                  key_len - MNET_SITE_PREFIX - 1);
}

static void history_prefix(const mnet_ledger_t *ledger, mnet_name_t *prefix, char letter,
                           const mnet_name_t *key)
{
    mnet_key_begin(ledger, prefix);
    mnet_name_add(prefix, &letter, 1);
    mnet_name_add(prefix, key->bytes + MNET_SITE_PREFIX, key->len - MNET_SITE_PREFIX);
}

static apr_status_t read_enrolment(mnet_ledger_t *ledger, const void *key, apr_size_t key_len,
                                   const void *data, apr_size_t len, void **record)
{
    mnet_name_t own;

    record_key(key, key_len, &own);
    return mnet_enrolment_unpack(own.bytes, data, len, (mnet_enrolment_t **)record, ledger->pool);
}

static apr_status_t read_grade(mnet_ledger_t *ledger, const void *key, apr_size_t key_len,
                               const void *data, apr_size_t len, void **record)
{
    mnet_name_t own;

    record_key(key, key_len, &own);
    return mnet_grade_unpack(own.bytes, data, len, (mnet_grade_t **)record, ledger->pool);
}

apr_status_t mnet_ledger_enrolment_history(mnet_ledger_t *ledger, const mnet_enrolment_t *now,
                                           apr_array_header_t **list)
{
    mnet_name_t key, prefix;

    mnet_key_enrol(ledger, &key, now->section, now->person, now->role);
    history_prefix(ledger, &prefix, HISTORY_ENROL, &key);
    return mnet_ledger_list(ledger, LEDGER_HISTORY, &prefix, read_enrolment, list);
}

apr_status_t mnet_ledger_grade_history(mnet_ledger_t *ledger, const mnet_grade_t *now,
                                       apr_array_header_t **list)
{
    mnet_name_t key, prefix;
    apr_status_t rv =
        mnet_key_grade(ledger, &key, now->person, now->item, now->attempt, now->mark.source);

    if (rv) {
        return rv;
    }
    history_prefix(ledger, &prefix, HISTORY_GRADE, &key);
    return mnet_ledger_list(ledger, LEDGER_HISTORY, &prefix, read_grade, list);
}

/* The last that is not later.  Entries are in the order of writing, whatever the clock did. */
apr_status_t mnet_ledger_enrolment_at(mnet_ledger_t *ledger, const mnet_enrolment_t *now,
                                      apr_time_t when, mnet_enrolment_t **then)
{
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_enrolment_history(ledger, now, &list);

    *then = NULL;
    for (int i = 0; !rv && i < list->nelts; i++) {
        mnet_enrolment_t *one = APR_ARRAY_IDX(list, i, mnet_enrolment_t *);

        *then = one->mark.when <= when ? one : *then;
    }
    return rv || *then ? rv : APR_NOTFOUND;
}

apr_status_t mnet_ledger_grade_at(mnet_ledger_t *ledger, const mnet_grade_t *now, apr_time_t when,
                                  mnet_grade_t **then)
{
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_grade_history(ledger, now, &list);

    *then = NULL;
    for (int i = 0; !rv && i < list->nelts; i++) {
        mnet_grade_t *one = APR_ARRAY_IDX(list, i, mnet_grade_t *);

        *then = one->mark.when <= when ? one : *then;
    }
    return rv || *then ? rv : APR_NOTFOUND;
}

static apr_status_t read_item(mnet_ledger_t *ledger, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len, void **record)
{
    mnet_name_t own;

    record_key(key, key_len, &own);
    return mnet_item_unpack(own.bytes, data, len, (mnet_item_t **)record, ledger->pool);
}

apr_status_t mnet_ledger_item_at(mnet_ledger_t *ledger, const mnet_item_t *now, apr_time_t when,
                                 mnet_item_t **then)
{
    apr_array_header_t *list;
    mnet_name_t key, prefix;
    apr_status_t rv;

    mnet_key_of(ledger, &key, now->id, 0);
    history_prefix(ledger, &prefix, HISTORY_ITEM, &key);
    rv = mnet_ledger_list(ledger, LEDGER_HISTORY, &prefix, read_item, &list);
    *then = NULL;
    for (int i = 0; !rv && i < list->nelts; i++) {
        mnet_item_t *one = APR_ARRAY_IDX(list, i, mnet_item_t *);

        *then = one->mark.when <= when ? one : *then;
    }
    return rv || *then ? rv : APR_NOTFOUND;
}
