/* SPDX-License-Identifier: Apache-2.0 */
/* What each struct of the school methods means (MNET protocol reference, 9). */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "school/ledger_words_in.h"
#include "service/account.h"
#include "service/sso_int.h"

/* --- who and what is meant --- */

static apr_status_t the_section(const mnet_said_t *said, mnet_section_t **section)
{
    const char *id;
    apr_status_t rv = mnet_said_text(said, "sectionid", 1, MNET_LEDGER_ID_MAX, &id);

    rv = rv ? rv : mnet_ledger_find_section(said->ledger, id, section);
    return APR_STATUS_IS_NOTFOUND(rv) ? mnet_said_refuse(said, MNET_LEDGER_NO_SECTION, "sectionid",
                                                         "no section \"%s\" is known here", id)
                                      : rv;
}

static apr_status_t the_person(const mnet_said_t *said, const char *field, const char *id,
                               mnet_person_t **person)
{
    apr_status_t rv = mnet_ledger_find_person(said->ledger, id, person);

    return APR_STATUS_IS_NOTFOUND(rv) ? mnet_said_refuse(said, MNET_LEDGER_NO_PERSON, field,
                                                         "no user \"%s\" is known here", id)
                                      : rv;
}

static apr_status_t the_user(const mnet_said_t *said, mnet_person_t **person)
{
    const char *id;
    apr_status_t rv = mnet_said_text(said, "userid", 1, MNET_LEDGER_ID_MAX, &id);

    return rv ? rv : the_person(said, "userid", id, person);
}

/* --- users --- */

/* Somebody who has been here before they were imported keeps their right to come in. */
static int was_here(mnet_ledger_t *ledger, const char *username)
{
    mnet_account_t *account;

    return mnet_account_in(ledger->host, ledger->txn, ledger->peer, username, &account,
                           ledger->pool) == APR_SUCCESS;
}

apr_status_t mnet_say_profile(const mnet_said_t *said, int allowed, mnet_person_t **person)
{
    mnet_person_facts_t facts = {.peer = said->ledger->peer};
    const char *problem;
    apr_status_t rv = mnet_said_text(said, "username", 1, MNET_USERNAME_MAX, &facts.username);

    if (rv) {
        return rv;
    }
    problem = mnet_username_problem(facts.username);
    if (problem) {
        return mnet_said_refuse(said, MNET_LEDGER_BAD_FIELD, "username", "%s", problem);
    }
    if (!said->stranger) {
        rv = mnet_said_text(said, "idnumber", 0, MNET_LEDGER_ID_MAX, &facts.idnumber);
    }
    rv = rv ? rv : mnet_said_profile(said, &facts.fields);
    if (rv) {
        return rv;
    }
    facts.allowed = allowed || was_here(said->ledger, facts.username);
    return mnet_ledger_put_person(said->ledger, &facts, person);
}

apr_status_t mnet_say_user(const mnet_said_t *said)
{
    mnet_person_t *person = NULL;
    const char *secret;
    /* Not kept, but no way to send a megabyte either. */
    apr_status_t rv = mnet_said_text(said, "password_hash", 0, MNET_LEDGER_ID_MAX, &secret);

    rv = rv ? rv : mnet_said_text(said, "password_hash_algorithm", 0, MNET_LEDGER_ID_MAX, &secret);
    return rv ? rv : mnet_say_profile(said, 0, &person);
}

/* --- sections --- */

/* One number, or a list of them.  0 is as none: the section is an ongoing one. */
static apr_status_t read_segments(const mnet_said_t *said, apr_array_header_t **segments)
{
    const mnet_value_t *value = mnet_get(said->data, "segment");
    int count =
        value && (value->type == MNET_ARRAY || value->type == MNET_STRUCT) ? mnet_count(value) : 1;
    apr_status_t rv = APR_SUCCESS;

    *segments = apr_array_make(said->ledger->pool, 2, sizeof(int));
    if (count > MNET_LEDGER_SEGMENTS) {
        return mnet_said_refuse(said, MNET_LEDGER_BAD_FIELD, "segment", "there are too many");
    }
    for (int i = 0; !rv && i < count; i++) {
        mnet_value_t *one = mnet_struct(said->ledger->pool);
        mnet_said_t each = {said->ledger, one, said->where};
        const mnet_value_t *at =
            count == 1 && value && value->type != MNET_ARRAY && value->type != MNET_STRUCT
                ? value
                : mnet_item(value, i);
        int number;

        if (at) {
            mnet_set(one, "segment", (mnet_value_t *)at);
        }
        rv = mnet_said_int(&each, "segment", 0, 0, MNET_LEDGER_SEGMENT, 0, &number);
        if (!rv && number) {
            APR_ARRAY_PUSH(*segments, int) = number;
        }
    }
    return rv;
}

static apr_status_t set_teacher(const mnet_said_t *said, const mnet_section_t *section,
                                const mnet_person_t *teacher)
{
    mnet_enrolment_facts_t facts = {
        .section = section, .person = teacher, .role = MNET_ROLE_TEACHER};
    mnet_enrolment_t *enrolment;

    return mnet_ledger_put_enrolment(said->ledger, &facts, &enrolment);
}

apr_status_t mnet_say_section(const mnet_said_t *said)
{
    mnet_section_facts_t facts = {NULL};
    mnet_person_t *person = NULL;
    mnet_section_t *section = NULL;
    apr_array_header_t *segments;
    const char *teacher;
    apr_status_t rv = mnet_said_text(said, "name", 1, MNET_LEDGER_NAME_MAX, &facts.name);

    rv = rv ? rv : mnet_said_text(said, "idnumber", 1, MNET_LEDGER_ID_MAX, &facts.idnumber);
    rv = rv ? rv : mnet_said_text(said, "teacheridnumber", 0, MNET_LEDGER_ID_MAX, &teacher);
    rv = rv ? rv : read_segments(said, &segments);
    if (!rv && teacher) {
        rv = the_person(said, "teacheridnumber", teacher, &person);
    }
    if (rv) {
        return rv;
    }
    facts.segments = segments;
    rv = mnet_ledger_put_section(said->ledger, &facts, &section);
    return rv || !person ? rv : set_teacher(said, section, person);
}

/* --- enrolments --- */

static apr_status_t read_role(const mnet_said_t *said, int required, int *role)
{
    const char *name;
    apr_status_t rv = mnet_said_text(said, "role", required, MNET_LEDGER_ID_MAX, &name);

    *role = name ? mnet_role_of(name) : MNET_ROLE_STUDENT;
    return rv || *role ? rv
                       : mnet_said_refuse(said, MNET_LEDGER_BAD_FIELD, "role",
                                          "it is neither student nor teacher");
}

static apr_status_t read_status(const mnet_said_t *said, int *status)
{
    const char *name;
    apr_status_t rv = mnet_said_text(said, "status", 0, MNET_LEDGER_ID_MAX, &name);

    *status = name ? mnet_status_of(name) : 0;
    return rv || *status || !name
               ? rv
               : mnet_said_refuse(said, MNET_LEDGER_BAD_FIELD, "status",
                                  "it is none of active, withdrawn, withdrawn failing, passed");
}

static apr_status_t enrol(const mnet_said_t *said, int withdraw)
{
    mnet_enrolment_facts_t facts = {.withdraw = withdraw};
    mnet_enrolment_t *enrolment;
    mnet_section_t *section = NULL;
    mnet_person_t *person = NULL;
    apr_status_t rv = the_section(said, &section);

    rv = rv ? rv : the_user(said, &person);
    rv = rv ? rv : read_role(said, !withdraw, &facts.role);
    rv = rv ? rv : read_status(said, &facts.status);
    rv = rv ? rv : mnet_said_text(said, "code", 0, MNET_LEDGER_ID_MAX, &facts.code);
    rv = rv ? rv : mnet_said_text(said, "note", 0, MNET_LEDGER_NOTE_MAX / 4, &facts.note);
    if (!rv && withdraw && facts.status == MNET_STATUS_ACTIVE) {
        rv = mnet_said_refuse(said, MNET_LEDGER_BAD_FIELD, "status",
                              "active is no withdrawal; new_enrolment enrols again");
    }
    if (rv) {
        return rv;
    }
    facts.section = section;
    facts.person = person;
    return mnet_ledger_put_enrolment(said->ledger, &facts, &enrolment);
}

apr_status_t mnet_say_enrolment(const mnet_said_t *said)
{
    return enrol(said, 0);
}

apr_status_t mnet_say_withdrawal(const mnet_said_t *said)
{
    return enrol(said, 1);
}

/* --- assessments and grades --- */

apr_status_t mnet_say_assessment(const mnet_said_t *said)
{
    mnet_item_facts_t facts = {NULL};
    mnet_section_t *section = NULL;
    mnet_item_t *item = NULL;
    apr_status_t rv = the_section(said, &section);

    rv = rv ? rv : mnet_said_text(said, "name", 1, MNET_LEDGER_NAME_MAX, &facts.name);
    rv = rv ? rv : mnet_said_text(said, "idnumber", 1, MNET_LEDGER_ID_MAX, &facts.idnumber);
    rv = rv ? rv : mnet_said_int(said, "chapternum", 0, 0, APR_INT32_MAX, 0, &facts.chapter);
    rv = rv ? rv : mnet_said_truth(said, "honors_required", &facts.honors);
    rv = rv ? rv : mnet_said_truth(said, "nonhonors_required", &facts.nonhonors);
    rv = rv ? rv : mnet_said_truth(said, "extra_credit", &facts.extra);
    rv = rv ? rv : mnet_said_number(said, "pointval", 1, 0, MNET_LEDGER_POINTS, &facts.points);
    if (rv) {
        return rv;
    }
    facts.section = section;
    return mnet_ledger_put_item(said->ledger, &facts, &item);
}

apr_status_t mnet_say_grade(const mnet_said_t *said)
{
    mnet_grade_facts_t facts = {NULL};
    mnet_person_t *person = NULL;
    mnet_grade_t *grade;
    mnet_item_t *item = NULL;
    const char *id;
    apr_status_t rv = mnet_said_text(said, "assessmentid", 1, MNET_LEDGER_ID_MAX, &id);

    rv = rv ? rv : mnet_ledger_find_item(said->ledger, id, &item);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return mnet_said_refuse(said, MNET_LEDGER_NO_ITEM, "assessmentid",
                                "no assessment \"%s\" is known here", id);
    }
    rv = rv ? rv : the_user(said, &person);
    rv = rv ? rv : mnet_said_truth(said, "excepted", &facts.excepted);
    rv = rv ? rv
            : mnet_said_number(said, "points_earned", !facts.excepted, 0, MNET_LEDGER_POINTS,
                               &facts.points);
    rv =
        rv ? rv : mnet_said_int(said, "attempt_num", 0, 0, MNET_LEDGER_ATTEMPTS, 1, &facts.attempt);
    if (rv) {
        return rv;
    }
    facts.item = item;
    facts.person = person;
    return mnet_ledger_put_grade(said->ledger, &facts, &grade);
}

/* --- all at once --- */

static const struct {
    const char *name;
    mnet_say_fn *say;
} parts[] = {{"users", mnet_say_user},
             {"sections", mnet_say_section},
             {"enrolments", mnet_say_enrolment},
             {"assessments", mnet_say_assessment},
             {"grades", mnet_say_grade}};

apr_status_t mnet_say_everything(mnet_ledger_t *ledger, const mnet_value_t *all)
{
    mnet_said_t whole = {ledger, all, ""};
    apr_pool_t *before = ledger->pool, *each;
    apr_status_t rv = mnet_said_struct(&whole, "data");

    if (!rv) {
        rv = apr_pool_create(&each, before);
    }
    if (rv) {
        return rv;
    }
    for (apr_size_t p = 0; !rv && p < sizeof(parts) / sizeof(parts[0]); p++) {
        const mnet_value_t *list = mnet_get(all, parts[p].name);

        if (list && list->type != MNET_ARRAY && list->type != MNET_STRUCT) {
            rv = mnet_said_refuse(&whole, MNET_LEDGER_BAD_FIELD, parts[p].name,
                                  "an array is expected");
        }
        for (int i = 0; !rv && i < mnet_count(list); i++) {
            mnet_said_t one = {ledger, mnet_item(list, i), ""};

            apr_pool_clear(each);
            ledger->pool = each;
            one.where = apr_psprintf(each, "%s[%d].", parts[p].name, i);
            rv =
                one.data && one.data->type == MNET_STRUCT
                    ? parts[p].say(&one)
                    : mnet_said_refuse(&one, MNET_LEDGER_BAD_FIELD, "data", "a struct is expected");
            if (rv == MNET_E_REFUSED && strncmp(ledger->field, one.where, strlen(one.where))) {
                ledger->field = apr_pstrcat(ledger->keep, one.where, ledger->field, NULL);
            }
        }
    }
    ledger->pool = before;
    apr_pool_destroy(each);
    return rv;
}
