/* SPDX-License-Identifier: Apache-2.0 */
#include "school/report.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"

typedef struct work_t {
    mnet_ledger_t *ledger;
    apr_pool_t *pool;
    const mnet_person_t *person;
    apr_time_t when;
} work_t;

/* One section of the report, to be put in order. */
typedef struct part_t {
    int segment;
    const char *name;
    mnet_value_t *value;
} part_t;

static void set(const work_t *work, mnet_value_t *to, const char *name, const char *text)
{
    mnet_set(to, name, text ? mnet_string(text, work->pool) : mnet_nil(work->pool));
}

static void set_mark(const work_t *work, mnet_value_t *to, const char *when,
                     const mnet_mark_t *mark)
{
    set(work, to, when, mnet_format_date(mark->when, work->pool));
    set(work, to, "source", mnet_mark_words(mark, work->pool));
}

/* --- grades --- */

static mnet_value_t *grade_value(const work_t *work, const mnet_grade_t *grade)
{
    mnet_value_t *value = mnet_struct(work->pool);

    mnet_set(value, "attempt", mnet_int(grade->attempt, work->pool));
    mnet_set(value, "points", mnet_double(grade->points, work->pool));
    mnet_set(value, "of", mnet_double(grade->of, work->pool));
    mnet_set(value, "excepted", mnet_boolean(grade->excepted, work->pool));
    set_mark(work, value, "when", &grade->mark);
    return value;
}

/* Those of that time, the one that counts first. */
static apr_status_t grades_then(const work_t *work, apr_int64_t item, apr_array_header_t **then)
{
    apr_array_header_t *now;
    apr_status_t rv = mnet_ledger_grades_of(work->ledger, work->person->id, item, &now);

    *then = apr_array_make(work->pool, 2, sizeof(mnet_grade_t *));
    for (int i = 0; !rv && i < now->nelts; i++) {
        mnet_grade_t *one;

        rv = mnet_ledger_grade_at(work->ledger, APR_ARRAY_IDX(now, i, mnet_grade_t *), work->when,
                                  &one);
        if (!rv && !one->taken_back) {
            APR_ARRAY_PUSH(*then, mnet_grade_t *) = one;
            if (mnet_grade_counts(one, APR_ARRAY_IDX(*then, 0, mnet_grade_t *))) {
                APR_ARRAY_IDX(*then, (*then)->nelts - 1, mnet_grade_t *) =
                    APR_ARRAY_IDX(*then, 0, mnet_grade_t *);
                APR_ARRAY_IDX(*then, 0, mnet_grade_t *) = one;
            }
        }
        rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    return rv;
}

static apr_status_t add_item(const work_t *work, const mnet_item_t *now, mnet_value_t *list,
                             double *earned, double *possible)
{
    mnet_value_t *value = mnet_struct(work->pool), *others = mnet_array(work->pool);
    apr_array_header_t *grades;
    const mnet_grade_t *counts;
    mnet_item_t *item;
    apr_status_t rv = mnet_ledger_item_at(work->ledger, now, work->when, &item);

    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    rv = grades_then(work, item->id, &grades);
    counts = !rv && grades->nelts ? APR_ARRAY_IDX(grades, 0, mnet_grade_t *) : NULL;
    set(work, value, "id", mnet_item_id(item, work->pool));
    set(work, value, "name", item->name);
    mnet_set(value, "points", mnet_double(item->points, work->pool));
    mnet_set(value, "chapter", mnet_int(item->chapter, work->pool));
    mnet_set(value, "extra_credit", mnet_boolean(item->extra, work->pool));
    mnet_set(value, "grade", counts ? grade_value(work, counts) : mnet_nil(work->pool));
    for (int i = 1; !rv && i < grades->nelts; i++) {
        mnet_append(others, grade_value(work, APR_ARRAY_IDX(grades, i, mnet_grade_t *)));
    }
    mnet_set(value, "others", others);
    mnet_append(list, value);
    if (counts && !counts->excepted) {
        *earned += counts->points;
        *possible += item->extra ? 0 : counts->of;
    }
    return rv;
}

static apr_status_t add_items(const work_t *work, const mnet_section_t *section,
                              mnet_value_t *value)
{
    mnet_value_t *list = mnet_array(work->pool);
    double earned = 0, possible = 0;
    apr_array_header_t *items;
    apr_status_t rv = mnet_ledger_items_in(work->ledger, section->id, &items);

    for (int i = 0; !rv && i < items->nelts; i++) {
        rv = add_item(work, APR_ARRAY_IDX(items, i, mnet_item_t *), list, &earned, &possible);
    }
    mnet_set(value, "assessments", list);
    mnet_set(value, "earned", mnet_double(earned, work->pool));
    mnet_set(value, "possible", mnet_double(possible, work->pool));
    mnet_set(value, "percent",
             possible > 0 ? mnet_double(100 * earned / possible, work->pool)
                          : mnet_nil(work->pool));
    return rv;
}

/* --- sections --- */

static apr_status_t add_teachers(const work_t *work, const mnet_section_t *section,
                                 mnet_value_t *value)
{
    mnet_value_t *names = mnet_array(work->pool);
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_enrolments_in(work->ledger, section->id, &list);

    for (int i = 0; !rv && i < list->nelts; i++) {
        const mnet_enrolment_t *now = APR_ARRAY_IDX(list, i, mnet_enrolment_t *);
        mnet_enrolment_t *one;
        mnet_person_t *teacher;

        if (now->role != MNET_ROLE_TEACHER || now->person == work->person->id) {
            continue;
        }
        rv = mnet_ledger_enrolment_at(work->ledger, now, work->when, &one);
        if (!rv && one->status == MNET_STATUS_ACTIVE) {
            rv = mnet_ledger_person(work->ledger, one->person, &teacher);
            if (!rv) {
                mnet_append(names, mnet_string(mnet_person_name(teacher, work->pool), work->pool));
            }
        }
        rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    mnet_set(value, "teachers", names);
    return rv;
}

static apr_status_t add_history(const work_t *work, const mnet_enrolment_t *now,
                                mnet_value_t *value)
{
    mnet_value_t *entries = mnet_array(work->pool);
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_enrolment_history(work->ledger, now, &list);

    for (int i = 0; !rv && i < list->nelts; i++) {
        const mnet_enrolment_t *one = APR_ARRAY_IDX(list, i, mnet_enrolment_t *);
        mnet_value_t *entry = mnet_struct(work->pool);

        if (one->mark.when > work->when) {
            continue;
        }
        set(work, entry, "status", mnet_status_name(one->status));
        set(work, entry, "code", one->code);
        set(work, entry, "note", one->note);
        set_mark(work, entry, "when", &one->mark);
        mnet_append(entries, entry);
    }
    mnet_set(value, "history", entries);
    return rv;
}

static apr_status_t add_section(const work_t *work, const mnet_enrolment_t *now,
                                apr_array_header_t *parts)
{
    mnet_value_t *value = mnet_struct(work->pool);
    mnet_section_t *section;
    mnet_enrolment_t *one;
    const char *term;
    int segment;
    apr_status_t rv = mnet_ledger_enrolment_at(work->ledger, now, work->when, &one);

    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    rv = mnet_ledger_section(work->ledger, one->section, &section);
    if (rv) {
        return rv;
    }
    segment = section->segments->nelts ? APR_ARRAY_IDX(section->segments, 0, int) : 0;
    rv = mnet_ledger_container(work->ledger, segment, &term);
    set(work, value, "id", mnet_section_id(section, work->pool));
    set(work, value, "name", section->name);
    set(work, value, "term", rv ? NULL : term);
    set(work, value, "role", mnet_role_name(one->role));
    set(work, value, "status", mnet_status_name(one->status));
    set(work, value, "code", one->code);
    set(work, value, "note", one->note);
    set_mark(work, value, "since", &one->mark);
    rv = rv ? rv : add_teachers(work, section, value);
    rv = rv ? rv : add_history(work, now, value);
    if (!rv && one->role == MNET_ROLE_STUDENT) {
        rv = add_items(work, section, value);
    }
    APR_ARRAY_PUSH(parts, part_t) =
        (part_t){segment ? segment : APR_INT32_MAX, section->name, value};
    return rv;
}

static int by_term(const void *a, const void *b)
{
    const part_t *x = a, *y = b;

    return x->segment != y->segment ? (x->segment < y->segment ? -1 : 1) : strcmp(x->name, y->name);
}

/* --- the whole --- */

static mnet_value_t *student_value(const work_t *work)
{
    const mnet_person_t *person = work->person;
    mnet_value_t *value = mnet_struct(work->pool), *logins = mnet_array(work->pool);

    set(work, value, "id", mnet_person_id(person, work->pool));
    set(work, value, "name", mnet_person_name(person, work->pool));
    set(work, value, "idnumber", person->idnumber);
    for (int i = 0; i < person->logins->nelts; i++) {
        const mnet_login_name_t *one = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);
        mnet_value_t *login = mnet_struct(work->pool);

        set(work, login, "peer", one->peer);
        set(work, login, "username", one->username);
        mnet_append(logins, login);
    }
    mnet_set(value, "logins", logins);
    return value;
}

apr_status_t mnet_report_make(mnet_ledger_t *ledger, const mnet_person_t *person, apr_time_t when,
                              mnet_value_t **report)
{
    work_t work = {ledger, ledger->pool, person, when};
    apr_array_header_t *parts = apr_array_make(ledger->pool, 8, sizeof(part_t)), *list;
    mnet_value_t *sections = mnet_array(ledger->pool);
    apr_status_t rv = mnet_ledger_enrolments_of(ledger, person->id, &list);

    for (int i = 0; !rv && i < list->nelts; i++) {
        rv = add_section(&work, APR_ARRAY_IDX(list, i, mnet_enrolment_t *), parts);
    }
    if (parts->nelts > 1) {
        qsort(parts->elts, (size_t)parts->nelts, sizeof(part_t), by_term);
    }
    for (int i = 0; i < parts->nelts; i++) {
        mnet_append(sections, APR_ARRAY_IDX(parts, i, part_t).value);
    }
    *report = mnet_struct(ledger->pool);
    mnet_set(*report, "student", student_value(&work));
    set(&work, *report, "as_of", mnet_format_date(when, ledger->pool));
    set(&work, *report, "site", ledger->host->site->wwwroot);
    mnet_set(*report, "sections", sections);
    return rv;
}
