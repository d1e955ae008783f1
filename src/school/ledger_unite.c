/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two people who turn out to be one: somebody who was met without an idnumber (they signed on, or a
 * peer had none) and somebody who was entered with it.  Everything of the first becomes the
 * second's, histories included; the first stays as a record that leads to the second.
 */
#include "school/ledger_int.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"

typedef struct moving_t {
    mnet_ledger_t *ledger;
    apr_array_header_t *entries; /* entry_t */
} moving_t;

typedef struct entry_t {
    mnet_name_t key;
    const void *data;
    apr_size_t len;
} entry_t;

static apr_status_t gather(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                           const void *data, apr_size_t len)
{
    moving_t *moving = baton;
    entry_t *entry = apr_array_push(moving->entries);

    entry->key.len = 0;
    mnet_name_add(&entry->key, key, key_len);
    entry->data = apr_pmemdup(moving->ledger->pool, data, len);
    entry->len = len;
    return APR_SUCCESS;
}

/* Moves every record under a prefix to the same name with the other person at that place. */
static apr_status_t move_all(mnet_ledger_t *ledger, const char *group, const mnet_name_t *prefix,
                             apr_size_t at, apr_int64_t to)
{
    moving_t moving = {ledger, apr_array_make(ledger->pool, 16, sizeof(entry_t))};
    apr_status_t rv =
        mnet_txn_each(ledger->txn, group, prefix->bytes, prefix->len, NULL, 0, gather, &moving);
    mnet_name_t id = {.len = 0};

    mnet_key_i64(&id, to);
    for (int i = 0; !rv && i < moving.entries->nelts; i++) {
        entry_t *entry = &APR_ARRAY_IDX(moving.entries, i, entry_t);
        const void *there;
        apr_size_t len;

        rv = mnet_txn_del(ledger->txn, group, entry->key.bytes, entry->key.len);
        if (rv) {
            return rv;
        }
        memcpy(entry->key.bytes + at, id.bytes, id.len);
        rv = mnet_txn_get(ledger->txn, group, entry->key.bytes, entry->key.len, &there, &len);
        /* What the other has already is theirs; ours is in the history. */
        rv = APR_STATUS_IS_NOTFOUND(rv) ? mnet_txn_put(ledger->txn, group, entry->key.bytes,
                                                       entry->key.len, entry->data, entry->len)
                                        : rv;
    }
    return rv;
}

static void letter_prefix(const mnet_ledger_t *ledger, mnet_name_t *key, char letter)
{
    mnet_key_begin(ledger, key);
    mnet_name_add(key, &letter, 1);
}

static apr_status_t move_enrolments(mnet_ledger_t *ledger, apr_int64_t from, apr_int64_t to)
{
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_enrolments_of(ledger, from, &list);

    for (int i = 0; !rv && i < list->nelts; i++) {
        const mnet_enrolment_t *one = APR_ARRAY_IDX(list, i, const mnet_enrolment_t *);
        mnet_name_t key, of, history;
        unsigned char role = (unsigned char)one->role;

        mnet_key_enrol(ledger, &key, one->section, from, one->role);
        rv = move_all(ledger, LEDGER_ENROL, &key, MNET_SITE_PREFIX + 8, to);
        letter_prefix(ledger, &history, HISTORY_ENROL);
        mnet_name_add(&history, key.bytes + MNET_SITE_PREFIX, key.len - MNET_SITE_PREFIX);
        rv = rv ? rv : move_all(ledger, LEDGER_HISTORY, &history, MNET_SITE_PREFIX + 9, to);
        mnet_key_of(ledger, &of, to, one->section);
        mnet_name_add(&of, &role, 1);
        rv = rv ? rv : mnet_txn_put(ledger->txn, LEDGER_OF, of.bytes, of.len, "", 1);
        mnet_key_of(ledger, &of, from, one->section);
        mnet_name_add(&of, &role, 1);
        rv = rv ? rv : mnet_txn_del(ledger->txn, LEDGER_OF, of.bytes, of.len);
    }
    return rv;
}

static apr_status_t move_grades(mnet_ledger_t *ledger, apr_int64_t from, apr_int64_t to)
{
    mnet_name_t key, history;
    apr_status_t rv;

    mnet_key_of(ledger, &key, from, 0);
    rv = move_all(ledger, LEDGER_GRADE, &key, MNET_SITE_PREFIX, to);
    letter_prefix(ledger, &history, HISTORY_GRADE);
    mnet_key_i64(&history, from);
    return rv ? rv : move_all(ledger, LEDGER_HISTORY, &history, MNET_SITE_PREFIX + 1, to);
}

static apr_status_t move_logins(mnet_ledger_t *ledger, const mnet_person_t *from, mnet_person_t *to)
{
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; !rv && i < from->logins->nelts; i++) {
        const mnet_login_name_t *one = &APR_ARRAY_IDX(from->logins, i, mnet_login_name_t);

        rv = mnet_index_del(ledger, NAME_LOGIN, one->peer, one->username, from->id);
        rv = rv ? rv : mnet_index_del(ledger, NAME_USERNAME, one->username, NULL, from->id);
        rv = rv ? rv : mnet_index_add(ledger, NAME_LOGIN, one->peer, one->username, to->id);
        rv = rv ? rv : mnet_index_add(ledger, NAME_USERNAME, one->username, NULL, to->id);
        APR_ARRAY_PUSH(to->logins, mnet_login_name_t) = *one;
    }
    return rv;
}

apr_status_t mnet_ledger_too_many_logins(mnet_ledger_t *ledger, const mnet_person_t *person)
{
    return mnet_ledger_refuse(ledger, MNET_LEDGER_CONFLICT, "idnumber",
                              "\"%s\" has %d usernames already",
                              mnet_person_id(person, ledger->pool), MNET_LEDGER_LOGINS);
}

apr_status_t mnet_ledger_unite(mnet_ledger_t *ledger, mnet_person_t *from, mnet_person_t *to)
{
    apr_status_t rv;

    if (from->logins->nelts + to->logins->nelts > MNET_LEDGER_LOGINS) {
        return mnet_ledger_too_many_logins(ledger, to);
    }
    rv = move_logins(ledger, from, to);
    rv = rv ? rv : move_enrolments(ledger, from->id, to->id);
    rv = rv ? rv : move_grades(ledger, from->id, to->id);
    from->logins = apr_array_make(ledger->pool, 1, sizeof(mnet_login_name_t));
    from->same_as = to->id;
    mnet_ledger_did(ledger, MNET_CHANGE_CHANGED, "person #%" APR_INT64_T_FMT " is %s: united",
                    from->id, mnet_person_id(to, ledger->pool));
    return rv;
}
