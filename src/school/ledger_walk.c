/* SPDX-License-Identifier: Apache-2.0 */
#include "school/ledger_walk.h"

#include <apr_strings.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "school/ledger_int.h"

#define COLUMNS_MAX 20

static const char *const people[] = {"idnumber", "username",   "peer",   "firstname", "lastname",
                                     "email",    "may_log_in", "source", "since",     NULL};
static const char *const sections[] = {"section", "name", "terms", "peer", "source", "since", NULL};
static const char *const enrolments[] = {"section", "section_name", "user", "name",
                                         "role",    "status",       "code", "note",
                                         "source",  "since",        NULL};
static const char *const items[] = {"section",
                                    "assessment",
                                    "name",
                                    "points_possible",
                                    "chapter",
                                    "honors_required",
                                    "nonhonors_required",
                                    "extra_credit",
                                    "source",
                                    "since",
                                    NULL};
static const char *const grades[] = {"section",  "assessment", "assessment_name", "user",
                                     "name",     "attempt",    "points",          "points_possible",
                                     "excepted", "source",     "since",           NULL};
static const char *const entries[] = {
    "entry",   "kind",   "section",         "assessment", "user", "role", "status",
    "attempt", "points", "points_possible", "excepted",   "code", "note", "source",
    "when",    NULL};

/* Of each column: t text, n number, b truth. */
static const struct {
    const char *name, *group;
    const char *const *columns;
    const char *types;
} kinds[] = {{"people", LEDGER_PERSON, people, "ttttttbtt"},
             {"sections", LEDGER_SECTION, sections, "tttttt"},
             {"enrolments", LEDGER_ENROL, enrolments, "tttttttttt"},
             {"assessments", LEDGER_ITEM, items, "tttnnbbbtt"},
             {"grades", LEDGER_GRADE, grades, "tttttnnnbtt"},
             {"history", LEDGER_HISTORY, entries, "nttttttnnnbtttt"}};

const char *mnet_ledger_kind_name(mnet_ledger_kind_e kind)
{
    return kinds[kind].name;
}

mnet_ledger_kind_e mnet_ledger_kind_of(const char *name)
{
    int kind = 0;

    while (kind < MNET_LEDGER_KINDS && strcmp(kinds[kind].name, name)) {
        kind++;
    }
    return (mnet_ledger_kind_e)kind;
}

const char *const *mnet_ledger_columns(mnet_ledger_kind_e kind)
{
    return kinds[kind].columns;
}

/* --- from a record to a row --- */

typedef struct walking_t {
    mnet_host_t *host;
    mnet_ledger_kind_e kind;
    mnet_row_fn *row;
    void *baton;
    apr_array_header_t *records; /* record_t, of this batch */
    apr_array_header_t *rows;    /* const char **, of this batch */
} walking_t;

typedef struct record_t {
    mnet_name_t key;
    const void *data;
    apr_size_t len;
} record_t;

static const char **add_row(walking_t *walking, apr_pool_t *pool)
{
    const char **row = apr_pcalloc(pool, sizeof(*row) * COLUMNS_MAX);

    APR_ARRAY_PUSH(walking->rows, const char **) = row;
    return row;
}

static const char *number(double n, apr_pool_t *pool)
{
    char text[MNET_DOUBLE_TEXT];

    return apr_pstrdup(pool, mnet_format_double(n, text));
}

static const char *truth(int yes)
{
    return yes ? "yes" : "no";
}

static void set_mark(const char **cells, const mnet_mark_t *mark, apr_pool_t *pool)
{
    cells[0] = mark->source ? mark->source : mnet_mark_words(mark, pool);
    cells[1] = mnet_format_date(mark->when, pool);
}

static apr_status_t person_row(walking_t *walking, mnet_ledger_t *ledger, const record_t *record)
{
    mnet_person_t *person;
    apr_pool_t *pool = ledger->pool;
    apr_status_t rv =
        mnet_person_unpack(record->key.bytes, record->data, record->len, &person, pool);

    if (rv || person->same_as) {
        return rv;
    }
    for (int i = 0; i < person->logins->nelts || !i; i++) {
        const mnet_login_name_t *login =
            person->logins->nelts ? &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t) : NULL;
        const char **row = add_row(walking, pool);

        row[0] = person->idnumber;
        row[1] = login ? login->username : NULL;
        row[2] = login ? login->peer : NULL;
        row[3] = mnet_person_field(person, "firstname");
        row[4] = mnet_person_field(person, "lastname");
        row[5] = mnet_person_field(person, "email");
        row[6] = truth(login && login->allowed);
        set_mark(row + 7, &person->mark, pool);
    }
    return APR_SUCCESS;
}

static apr_status_t section_row(walking_t *walking, mnet_ledger_t *ledger, const record_t *record)
{
    mnet_section_t *section;
    apr_pool_t *pool = ledger->pool;
    apr_status_t rv =
        mnet_section_unpack(record->key.bytes, record->data, record->len, &section, pool);
    const char *terms = "", **row;

    if (rv) {
        return rv;
    }
    row = add_row(walking, pool);
    for (int i = 0; i < section->segments->nelts; i++) {
        terms = apr_psprintf(pool, "%s%s%d", terms, i ? " " : "",
                             APR_ARRAY_IDX(section->segments, i, int));
    }
    row[0] = mnet_section_id(section, pool);
    row[1] = section->name;
    row[2] = terms;
    row[3] = section->links->nelts ? APR_ARRAY_IDX(section->links, 0, mnet_link_t).peer : NULL;
    set_mark(row + 4, &section->mark, pool);
    return APR_SUCCESS;
}

static apr_status_t item_row(walking_t *walking, mnet_ledger_t *ledger, const record_t *record)
{
    mnet_section_t *section;
    mnet_item_t *item;
    const char **row;
    apr_pool_t *pool = ledger->pool;
    apr_status_t rv = mnet_item_unpack(record->key.bytes, record->data, record->len, &item, pool);

    rv = rv ? rv : mnet_ledger_section(ledger, item->section, &section);
    if (rv) {
        return rv;
    }
    row = add_row(walking, pool);
    row[0] = mnet_section_id(section, pool);
    row[1] = mnet_item_id(item, pool);
    row[2] = item->name;
    row[3] = number(item->points, pool);
    row[4] = apr_itoa(pool, item->chapter);
    row[5] = truth(item->honors);
    row[6] = truth(item->nonhonors);
    row[7] = truth(item->extra);
    set_mark(row + 8, &item->mark, pool);
    return APR_SUCCESS;
}

static apr_status_t enrolment_row(walking_t *walking, mnet_ledger_t *ledger, const record_t *record)
{
    mnet_enrolment_t *enrolment;
    mnet_section_t *section;
    mnet_person_t *person;
    const char **row;
    apr_pool_t *pool = ledger->pool;
    apr_status_t rv =
        mnet_enrolment_unpack(record->key.bytes, record->data, record->len, &enrolment, pool);

    rv = rv ? rv : mnet_ledger_section(ledger, enrolment->section, &section);
    rv = rv ? rv : mnet_ledger_person(ledger, enrolment->person, &person);
    if (rv) {
        return rv;
    }
    row = add_row(walking, pool);
    row[0] = mnet_section_id(section, pool);
    row[1] = section->name;
    row[2] = mnet_person_id(person, pool);
    row[3] = mnet_person_name(person, pool);
    row[4] = mnet_role_name(enrolment->role);
    row[5] = mnet_status_name(enrolment->status);
    row[6] = enrolment->code;
    row[7] = enrolment->note;
    set_mark(row + 8, &enrolment->mark, pool);
    return APR_SUCCESS;
}

static apr_status_t grade_row(walking_t *walking, mnet_ledger_t *ledger, const record_t *record)
{
    mnet_section_t *section;
    mnet_person_t *person;
    mnet_grade_t *grade;
    mnet_item_t *item;
    const char **row;
    apr_pool_t *pool = ledger->pool;
    apr_status_t rv = mnet_grade_unpack(record->key.bytes, record->data, record->len, &grade, pool);

    if (!rv && grade->taken_back && walking->kind == MNET_LEDGER_GRADES) {
        return APR_SUCCESS;
    }
    rv = rv ? rv : mnet_ledger_item(ledger, grade->item, &item);
    rv = rv ? rv : mnet_ledger_section(ledger, item->section, &section);
    rv = rv ? rv : mnet_ledger_person(ledger, grade->person, &person);
    if (rv) {
        return rv;
    }
    row = add_row(walking, pool);
    row[0] = mnet_section_id(section, pool);
    row[1] = mnet_item_id(item, pool);
    row[2] = item->name;
    row[3] = mnet_person_id(person, pool);
    row[4] = mnet_person_name(person, pool);
    row[5] = apr_itoa(pool, grade->attempt);
    row[6] = number(grade->points, pool);
    row[7] = number(grade->of, pool);
    row[8] = truth(grade->excepted);
    set_mark(row + 9, &grade->mark, pool);
    row[11] = grade->taken_back ? "taken back" : NULL; /* for a history */
    return APR_SUCCESS;
}

/* --- histories --- */

/* Where the columns of a record stand in the row of an entry; -1: nowhere. */
static const struct {
    char letter;
    const char *kind;
    apr_status_t (*row)(walking_t *walking, mnet_ledger_t *ledger, const record_t *record);
    signed char from[16]; /* by the entry's column, from the third: section */
} histories[] = {
    {HISTORY_ENROL, "enrolment", enrolment_row, {0, -1, 2, 4, 5, -1, -1, -1, -1, 6, 7, 8, 9}},
    {HISTORY_GRADE, "grade", grade_row, {0, 1, 3, -1, 11, 5, 6, 7, 8, -1, -1, 9, 10}},
    {HISTORY_ITEM, "assessment", item_row, {0, 1, -1, -1, -1, -1, -1, 3, -1, -1, 2, 8, 9}},
    {HISTORY_SECTION, "section", section_row, {0, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 5}},
    {HISTORY_PERSON, "person", person_row, {-1, -1, 0, -1, -1, -1, -1, -1, -1, -1, 4, 7, 8}}};

#define ENTRY_REST 13 /* columns from section to when */

/* The letter, the record's own key, the entry's number. */
static apr_status_t entry_row(walking_t *walking, mnet_ledger_t *ledger, const record_t *record)
{
    char letter = (char)record->key.bytes[MNET_SITE_PREFIX];
    record_t own = {.data = record->data, .len = record->len};
    int before = walking->rows->nelts;
    const char **row, **from;
    apr_size_t h = 0;
    apr_status_t rv;

    while (h < sizeof(histories) / sizeof(histories[0]) && histories[h].letter != letter) {
        h++;
    }
    if (h == sizeof(histories) / sizeof(histories[0]) || record->key.len < MNET_SITE_PREFIX + 9) {
        return APR_SUCCESS;
    }
    mnet_name_add(&own.key, record->key.bytes, MNET_SITE_PREFIX);
    mnet_name_add(&own.key, record->key.bytes + MNET_SITE_PREFIX + 1,
                  record->key.len - MNET_SITE_PREFIX - 9);
    rv = histories[h].row(walking, ledger, &own);
    if (rv || walking->rows->nelts == before) {
        return rv;
    }
    walking->rows->nelts = before + 1; /* a person's logins are one entry */
    from = APR_ARRAY_IDX(walking->rows, before, const char **);
    row = apr_pcalloc(ledger->pool, sizeof(*row) * COLUMNS_MAX);
    row[0] = apr_psprintf(ledger->pool, "%" APR_INT64_T_FMT,
                          mnet_key_at(record->key.bytes, record->key.len - 8));
    row[1] = histories[h].kind;
    for (int i = 0; i < ENTRY_REST; i++) {
        row[2 + i] = histories[h].from[i] < 0 ? NULL : from[(int)histories[h].from[i]];
    }
    APR_ARRAY_IDX(walking->rows, before, const char **) = row;
    return APR_SUCCESS;
}

static apr_status_t make_row(walking_t *walking, mnet_ledger_t *ledger, const record_t *record)
{
    switch (walking->kind) {
    case MNET_LEDGER_PEOPLE:
        return person_row(walking, ledger, record);
    case MNET_LEDGER_SECTIONS:
        return section_row(walking, ledger, record);
    case MNET_LEDGER_ENROLMENTS:
        return enrolment_row(walking, ledger, record);
    case MNET_LEDGER_ITEMS:
        return item_row(walking, ledger, record);
    case MNET_LEDGER_GRADES:
        return grade_row(walking, ledger, record);
    default:
        return entry_row(walking, ledger, record);
    }
}

/* --- all of them --- */

static apr_status_t see(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                        apr_pool_t *scratch)
{
    walking_t *walking = baton;
    record_t *record;

    if (!walking->records) {
        walking->records = apr_array_make(scratch, 256, sizeof(record_t));
    }
    record = apr_array_push(walking->records);
    record->key = *name;
    record->data = apr_pmemdup(scratch, data, len);
    record->len = len;
    return APR_SUCCESS;
}

static apr_status_t make_rows(walking_t *walking, apr_pool_t *scratch)
{
    mnet_ledger_t ledger;
    apr_status_t rv = mnet_ledger_begin(&ledger, walking->host, MNET_READ, NULL, 0, scratch);

    if (rv) {
        return rv;
    }
    for (int i = 0; !rv && i < walking->records->nelts; i++) {
        rv = make_row(walking, &ledger, &APR_ARRAY_IDX(walking->records, i, record_t));
        /* Somebody was found to be somebody else since the batch was read. */
        rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    mnet_ledger_abort(&ledger);
    return rv;
}

static apr_status_t done(void *baton, apr_pool_t *scratch)
{
    walking_t *walking = baton;
    apr_status_t rv = APR_SUCCESS;

    walking->rows = apr_array_make(scratch, 256, sizeof(const char **));
    if (walking->records) {
        rv = make_rows(walking, scratch);
    }
    walking->records = NULL;
    for (int i = 0; !rv && i < walking->rows->nelts; i++) {
        rv = walking->row(walking->baton, APR_ARRAY_IDX(walking->rows, i, const char **),
                          kinds[walking->kind].types);
    }
    return rv;
}

apr_status_t mnet_ledger_walk(mnet_host_t *host, mnet_ledger_kind_e kind, mnet_row_fn *row,
                              void *baton, apr_pool_t *pool)
{
    walking_t walking = {.host = host, .kind = kind, .row = row, .baton = baton};
    mnet_walk_t walk = {kinds[kind].group, see, done, &walking};

    return mnet_walk(host, &walk, pool);
}

static apr_status_t count_one(void *baton, const mnet_name_t *name, const void *data,
                              apr_size_t len, apr_pool_t *scratch)
{
    ++*(apr_int64_t *)baton;
    return APR_SUCCESS;
}

apr_status_t mnet_ledger_count(mnet_host_t *host, mnet_ledger_kind_e kind, apr_int64_t *count,
                               apr_pool_t *pool)
{
    mnet_walk_t walk = {kinds[kind].group, count_one, NULL, count};

    *count = 0;
    return mnet_walk(host, &walk, pool);
}
