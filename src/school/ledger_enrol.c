/* SPDX-License-Identifier: Apache-2.0 */
/* Enrolments: who learns or teaches in which section, and what became of it. */
#include "school/ledger_int.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"

apr_status_t mnet_ledger_enrolment(mnet_ledger_t *ledger, apr_int64_t section, apr_int64_t person,
                                   int role, mnet_enrolment_t **enrolment)
{
    mnet_name_t key;
    const void *data;
    apr_size_t len;
    apr_status_t rv;

    *enrolment = NULL;
    mnet_key_enrol(ledger, &key, section, person, role);
    rv = mnet_txn_get(ledger->txn, LEDGER_ENROL, key.bytes, key.len, &data, &len);
    return rv ? rv : mnet_enrolment_unpack(key.bytes, data, len, enrolment, ledger->pool);
}

static apr_status_t read_enrol(mnet_ledger_t *ledger, const void *key, apr_size_t key_len,
                               const void *data, apr_size_t len, void **record)
{
    return mnet_enrolment_unpack(key, data, len, (mnet_enrolment_t **)record, ledger->pool);
}

apr_status_t mnet_ledger_enrolments_in(mnet_ledger_t *ledger, apr_int64_t section,
                                       apr_array_header_t **list)
{
    mnet_name_t prefix;

    mnet_key_of(ledger, &prefix, section, 0);
    return mnet_ledger_list(ledger, LEDGER_ENROL, &prefix, read_enrol, list);
}

static apr_status_t read_of(mnet_ledger_t *ledger, const void *key, apr_size_t key_len,
                            const void *data, apr_size_t len, void **record)
{
    return mnet_ledger_enrolment(
        ledger, mnet_key_at(key, MNET_SITE_PREFIX + 8), mnet_key_at(key, MNET_SITE_PREFIX),
        ((const unsigned char *)key)[MNET_SITE_PREFIX + 16], (mnet_enrolment_t **)record);
}

apr_status_t mnet_ledger_enrolments_of(mnet_ledger_t *ledger, apr_int64_t person,
                                       apr_array_header_t **list)
{
    mnet_name_t prefix;

    mnet_key_of(ledger, &prefix, person, 0);
    return mnet_ledger_list(ledger, LEDGER_OF, &prefix, read_of, list);
}

/* --- changing --- */

static apr_status_t write_enrolment(mnet_ledger_t *ledger, mnet_enrolment_t *enrolment, int fresh)
{
    unsigned char role = (unsigned char)enrolment->role;
    mnet_name_t key, of;
    const void *data;
    apr_size_t len;
    apr_status_t rv = APR_SUCCESS;

    enrolment->mark = mnet_ledger_mark(ledger);
    data = mnet_enrolment_pack(enrolment, &len, ledger->pool);
    mnet_key_enrol(ledger, &key, enrolment->section, enrolment->person, enrolment->role);
    if (fresh) {
        mnet_key_of(ledger, &of, enrolment->person, enrolment->section);
        mnet_name_add(&of, &role, 1);
        rv = mnet_txn_put(ledger->txn, LEDGER_OF, of.bytes, of.len, "", 1);
    }
    return rv ? rv : mnet_ledger_write(ledger, LEDGER_ENROL, HISTORY_ENROL, &key, data, len);
}

static int is_withdrawn(int status)
{
    return status == MNET_STATUS_WITHDRAWN || status == MNET_STATUS_FAILING;
}

static void set_status(mnet_enrolment_t *enrolment, int status)
{
    if (status == MNET_STATUS_ACTIVE && enrolment->status != MNET_STATUS_ACTIVE) {
        enrolment->code = enrolment->note = NULL; /* of the withdrawal; they stay in the history */
    }
    enrolment->status = status;
}

/* A peer that says what it said before does not undo what a hand has entered since. */
static void hear(mnet_enrolment_t *enrolment, const mnet_enrolment_facts_t *facts)
{
    int said = facts->status                   ? facts->status
               : !facts->withdraw              ? MNET_STATUS_ACTIVE
               : is_withdrawn(enrolment->said) ? enrolment->said
                                               : MNET_STATUS_WITHDRAWN;
    /* "Withdrawn failing", entered by hand, is the more exact word for a withdrawal. */
    int finer = said == MNET_STATUS_WITHDRAWN && enrolment->status == MNET_STATUS_FAILING;

    if (said != enrolment->said && !finer) {
        set_status(enrolment, said);
    }
    enrolment->said = said;
}

static void enter(mnet_enrolment_t *enrolment, const mnet_enrolment_facts_t *facts)
{
    if (facts->status) {
        set_status(enrolment, facts->status);
    } else if (facts->withdraw && !is_withdrawn(enrolment->status)) {
        set_status(enrolment, MNET_STATUS_WITHDRAWN);
    }
}

/* A peer with nothing new to say adds to a hand's code and note, and does not replace them. */
static void set_words(const mnet_ledger_t *ledger, mnet_enrolment_t *now,
                      const mnet_enrolment_t *before, const mnet_enrolment_facts_t *facts)
{
    int by_hand =
        ledger->peer && before->mark.when && !before->mark.source && before->status == now->status;

    if (facts->code && !(by_hand && now->code)) {
        now->code = mnet_or_null(facts->code);
    }
    if (facts->note && !(by_hand && now->note)) {
        now->note = mnet_or_null(facts->note);
    }
}

static void say(mnet_ledger_t *ledger, const mnet_enrolment_facts_t *facts,
                const mnet_enrolment_t *enrolment, mnet_change_e change)
{
    mnet_ledger_did(ledger, change, "enrolment of %s in %s (%s): %s, %s",
                    mnet_person_id(facts->person, ledger->pool),
                    mnet_section_id(facts->section, ledger->pool), mnet_role_name(enrolment->role),
                    change == MNET_CHANGE_ADDED ? "added" : "changed",
                    mnet_status_name(enrolment->status));
}

apr_status_t mnet_ledger_put_enrolment(mnet_ledger_t *ledger, const mnet_enrolment_facts_t *facts,
                                       mnet_enrolment_t **enrolment)
{
    mnet_enrolment_t before, *now;
    int fresh, changed;
    apr_status_t rv = mnet_ledger_enrolment(ledger, facts->section->id, facts->person->id,
                                            facts->role, enrolment);

    fresh = APR_STATUS_IS_NOTFOUND(rv);
    if (rv && !fresh) {
        return rv;
    }
    if (fresh && facts->withdraw) {
        return mnet_ledger_refuse(
            ledger, MNET_LEDGER_NOT_IN, "userid", "\"%s\" is not enrolled in \"%s\" as %s",
            mnet_person_id(facts->person, ledger->pool),
            mnet_section_id(facts->section, ledger->pool), mnet_role_name(facts->role));
    }
    if (fresh) {
        *enrolment = apr_pcalloc(ledger->pool, sizeof(**enrolment));
        (*enrolment)->section = facts->section->id;
        (*enrolment)->person = facts->person->id;
        (*enrolment)->role = facts->role;
        (*enrolment)->status = MNET_STATUS_ACTIVE;
    }
    now = *enrolment;
    before = *now;
    (ledger->peer ? hear : enter)(now, facts);
    set_words(ledger, now, &before, facts);
    changed = before.status != now->status || before.said != now->said ||
              !mnet_same(before.code, now->code) || !mnet_same(before.note, now->note);
    if (fresh || changed) {
        rv = write_enrolment(ledger, now, fresh);
    }
    say(ledger, facts, now,
        fresh     ? MNET_CHANGE_ADDED
        : changed ? MNET_CHANGE_CHANGED
                  : MNET_CHANGE_NONE);
    return fresh || changed ? rv : APR_SUCCESS;
}
