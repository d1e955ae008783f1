/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grades.  What each source says of an attempt is kept for itself, so that a grade by hand and one
 * that travels never overwrite one another.  Which of them counts is the readers' matter: the one
 * by hand, else the latest (mnet_grade_counts).
 */
#include "school/ledger_int.h"

#include <apr_strings.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"

static apr_status_t read_grade(mnet_ledger_t *ledger, const void *key, apr_size_t key_len,
                               const void *data, apr_size_t len, void **record)
{
    return mnet_grade_unpack(key, data, len, (mnet_grade_t **)record, ledger->pool);
}

apr_status_t mnet_ledger_grades_of(mnet_ledger_t *ledger, apr_int64_t person, apr_int64_t item,
                                   apr_array_header_t **list)
{
    mnet_name_t prefix;

    mnet_key_of(ledger, &prefix, person, item);
    return mnet_ledger_list(ledger, LEDGER_GRADE, &prefix, read_grade, list);
}

int mnet_grade_counts(const mnet_grade_t *a, const mnet_grade_t *b)
{
    if (!a->taken_back != !b->taken_back) {
        return !a->taken_back;
    }
    if (a->attempt != b->attempt) {
        return a->attempt > b->attempt;
    }
    if (!a->mark.source != !b->mark.source) {
        return !a->mark.source;
    }
    return a->mark.when > b->mark.when;
}

/* Is, or was, the person a student there? */
static apr_status_t check_student(mnet_ledger_t *ledger, const mnet_grade_facts_t *facts)
{
    mnet_enrolment_t *enrolment;
    apr_status_t rv = mnet_ledger_enrolment(ledger, facts->item->section, facts->person->id,
                                            MNET_ROLE_STUDENT, &enrolment);

    return APR_STATUS_IS_NOTFOUND(rv)
               ? mnet_ledger_refuse(ledger, MNET_LEDGER_NOT_IN, "userid",
                                    "\"%s\" is no student of the section of \"%s\"",
                                    mnet_person_id(facts->person, ledger->pool), facts->item->name)
               : rv;
}

static apr_status_t get(mnet_ledger_t *ledger, const mnet_name_t *key, mnet_grade_t **grade)
{
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(ledger->txn, LEDGER_GRADE, key->bytes, key->len, &data, &len);

    *grade = NULL;
    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    return mnet_grade_unpack(key->bytes, data, len, grade, ledger->pool);
}

static void say(mnet_ledger_t *ledger, const mnet_grade_facts_t *facts, mnet_change_e change)
{
    char points[MNET_DOUBLE_TEXT], of[MNET_DOUBLE_TEXT];

    if (change != MNET_CHANGE_NONE && !ledger->told) {
        mnet_ledger_did(ledger, change, "%s", "");
        return;
    }
    mnet_ledger_did(
        ledger, change, "grade of %s in %s (%s), attempt %d: %s, %s of %s",
        mnet_person_id(facts->person, ledger->pool), mnet_item_id(facts->item, ledger->pool),
        facts->item->name, facts->attempt, change == MNET_CHANGE_ADDED ? "added" : "changed",
        mnet_format_double(facts->points, points), mnet_format_double(facts->item->points, of));
}

apr_status_t mnet_ledger_put_grade(mnet_ledger_t *ledger, const mnet_grade_facts_t *facts,
                                   mnet_grade_t **grade)
{
    char points[MNET_DOUBLE_TEXT], of[MNET_DOUBLE_TEXT];
    mnet_grade_t *before;
    mnet_name_t key;
    const void *data;
    apr_size_t len;
    apr_status_t rv;

    if (facts->points > facts->item->points) {
        return mnet_ledger_refuse(ledger, MNET_LEDGER_TOO_MANY, "points_earned",
                                  "%s is more than the %s points of \"%s\"",
                                  mnet_format_double(facts->points, points),
                                  mnet_format_double(facts->item->points, of), facts->item->name);
    }
    rv = check_student(ledger, facts);
    rv = rv ? rv
            : mnet_key_grade(ledger, &key, facts->person->id, facts->item->id, facts->attempt,
                             ledger->peer);
    rv = rv ? rv : get(ledger, &key, &before);
    if (rv) {
        return rv;
    }
    if (facts->taken_back && !before) {
        return mnet_ledger_refuse(ledger, MNET_LEDGER_NOT_IN, "attempt",
                                  "there is no such grade by hand to be taken back");
    }
    if (before && before->taken_back == facts->taken_back &&
        (facts->taken_back ||
         (before->points == facts->points && before->of == facts->item->points &&
          before->excepted == facts->excepted))) {
        *grade = before;
        say(ledger, facts, MNET_CHANGE_NONE);
        return APR_SUCCESS;
    }
    *grade = apr_pcalloc(ledger->pool, sizeof(**grade));
    (*grade)->person = facts->person->id;
    (*grade)->item = facts->item->id;
    (*grade)->attempt = facts->attempt;
    (*grade)->points = facts->points;
    (*grade)->of = facts->item->points;
    (*grade)->excepted = facts->excepted;
    if (facts->taken_back) {
        (*grade)->points = before->points;
        (*grade)->of = before->of;
        (*grade)->excepted = before->excepted;
        (*grade)->taken_back = 1;
    }
    (*grade)->mark = mnet_ledger_mark(ledger);
    data = mnet_grade_pack(*grade, &len, ledger->pool);
    say(ledger, facts, before ? MNET_CHANGE_CHANGED : MNET_CHANGE_ADDED);
    return mnet_ledger_write(ledger, LEDGER_GRADE, HISTORY_GRADE, &key, data, len);
}
