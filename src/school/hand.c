/* SPDX-License-Identifier: Apache-2.0 */
#include "school/hand.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "base/status.h"
#include "school/ledger_words_in.h"
#include "service/sso_int.h"
#include "trust/site.h"

static apr_status_t bad(mnet_ledger_t *ledger, const char *column, const char *why)
{
    return mnet_ledger_refuse(ledger, MNET_LEDGER_BAD_FIELD, column, "%s", why);
}

static apr_status_t text(mnet_ledger_t *ledger, const mnet_value_t *row, const char *column,
                         int required, int characters, const char **value)
{
    mnet_said_t said = {ledger, row, ""};

    return mnet_said_text(&said, column, required, characters, value);
}

/* yes, no, true, false, 1, 0 */
static apr_status_t truth(mnet_ledger_t *ledger, const mnet_value_t *row, const char *column,
                          int *value)
{
    static const struct {
        const char *word;
        int value;
    } words[] = {{"yes", 1}, {"true", 1}, {"1", 1}, {"no", 0}, {"false", 0}, {"0", 0}};
    const char *word;
    apr_status_t rv = text(ledger, row, column, 0, MNET_LEDGER_ID_MAX, &word);

    *value = 0;
    if (rv || !word) {
        return rv;
    }
    for (apr_size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!strcasecmp(words[i].word, word)) {
            *value = words[i].value;
            return APR_SUCCESS;
        }
    }
    return bad(ledger, column, "yes or no is expected");
}

/* 3.5, and 3,5 as half of Europe writes it. */
static apr_status_t number(mnet_ledger_t *ledger, const mnet_value_t *row, const char *column,
                           int required, double *value)
{
    const char *said;
    char *plain, *comma;
    apr_status_t rv = text(ledger, row, column, required, MNET_LEDGER_ID_MAX, &said);

    *value = 0;
    if (rv || !said) {
        return rv;
    }
    plain = apr_pstrdup(ledger->pool, said);
    comma = strchr(plain, ',');
    if (comma && !strchr(plain, '.')) {
        *comma = '.';
    }
    if (!mnet_parse_double(plain, strlen(plain), value)) {
        return bad(ledger, column, "a number is expected");
    }
    return *value >= 0 && *value <= MNET_LEDGER_POINTS
               ? APR_SUCCESS
               : bad(ledger, column, *value < 0 ? "it is negative" : "it is too great");
}

static apr_status_t whole(mnet_ledger_t *ledger, const mnet_value_t *row, const char *column,
                          apr_int64_t most, int otherwise, int *value)
{
    mnet_said_t said = {ledger, row, ""};

    return mnet_said_int(&said, column, 0, 0, most, otherwise, value);
}

/* --- who and what is meant --- */

static apr_status_t none(mnet_ledger_t *ledger, apr_status_t rv, int fault, const char *column,
                         const char *kind, const char *name)
{
    if (rv == MNET_E_EXISTS) {
        return mnet_ledger_refuse(ledger, MNET_LEDGER_CONFLICT, column,
                                  "there are several %ss \"%s\"", kind, name);
    }
    return APR_STATUS_IS_NOTFOUND(rv)
               ? mnet_ledger_refuse(ledger, fault, column, "there is no %s \"%s\"", kind, name)
               : rv;
}

static apr_status_t the_person(mnet_ledger_t *ledger, const mnet_value_t *row, const char *column,
                               int required, mnet_person_t **person)
{
    const char *name;
    apr_status_t rv = text(ledger, row, column, required, 2 * MNET_LEDGER_ID_MAX, &name);

    *person = NULL;
    if (rv || !name) {
        return rv;
    }
    rv = mnet_ledger_named_person(ledger, name, person);
    return none(ledger, rv, MNET_LEDGER_NO_PERSON, column, "user", name);
}

static apr_status_t the_section(mnet_ledger_t *ledger, const mnet_value_t *row,
                                mnet_section_t **section)
{
    const char *name;
    apr_status_t rv = text(ledger, row, "section", 1, MNET_LEDGER_NAME_MAX, &name);

    rv = rv ? rv : mnet_ledger_named_section(ledger, name, section);
    return none(ledger, rv, MNET_LEDGER_NO_SECTION, "section", "section", name);
}

static apr_status_t the_item(mnet_ledger_t *ledger, const mnet_value_t *row,
                             const mnet_section_t *section, mnet_item_t **item)
{
    const char *id, *name, *column = "assessment";
    apr_status_t rv = text(ledger, row, "assessment", 0, MNET_LEDGER_NAME_MAX, &id);

    rv = rv ? rv : text(ledger, row, "assessment_name", !id, MNET_LEDGER_NAME_MAX, &name);
    if (rv) {
        return rv;
    }
    column = id ? column : "assessment_name";
    rv = mnet_ledger_named_item(ledger, section, id ? id : name, item);
    return none(ledger, rv, MNET_LEDGER_NO_ITEM, column, "assessment", id ? id : name);
}

/* --- people --- */

static apr_status_t read_login(mnet_ledger_t *ledger, const mnet_value_t *row,
                               mnet_person_facts_t *facts)
{
    const char *problem;
    apr_status_t rv = text(ledger, row, "username", 0, MNET_USERNAME_MAX, &facts->username);

    rv = rv ? rv : text(ledger, row, "peer", 0, MNET_LEDGER_ID_MAX, &facts->peer);
    if (rv || (!facts->username && !facts->peer)) {
        return rv;
    }
    if (!facts->username) {
        return bad(ledger, "username", "it is missing: a peer knows nobody without one");
    }
    /* Without a peer it is a user of this site. */
    facts->peer = facts->peer ? facts->peer : ledger->host->site->wwwroot;
    problem = mnet_username_problem(facts->username);
    if (problem) {
        return bad(ledger, "username", problem);
    }
    problem = mnet_wwwroot_problem(facts->peer, ledger->pool);
    return problem ? bad(ledger, "peer", problem) : APR_SUCCESS;
}

apr_status_t mnet_hand_person(mnet_ledger_t *ledger, const mnet_value_t *row)
{
    static const char *const names[] = {"firstname", "lastname", "email"};
    apr_array_header_t *fields = apr_array_make(ledger->pool, 3, sizeof(mnet_attribute_t));
    mnet_person_facts_t facts = {.fields = fields};
    mnet_person_t *person = NULL;
    const char *value;
    apr_status_t rv = text(ledger, row, "idnumber", 0, MNET_LEDGER_ID_MAX, &facts.idnumber);

    rv = rv ? rv : read_login(ledger, row, &facts);
    rv = rv ? rv : truth(ledger, row, "may_log_in", &facts.allowed);
    for (int i = 0; !rv && i < 3; i++) {
        rv = text(ledger, row, names[i], 0, MNET_LEDGER_NAME_MAX, &value);
        if (!rv && value) {
            APR_ARRAY_PUSH(fields, mnet_attribute_t) = (mnet_attribute_t){names[i], value};
        }
    }
    if (rv) {
        return rv;
    }
    if (!facts.idnumber && !facts.username) {
        return bad(ledger, "idnumber", "an idnumber or a username is needed to know somebody by");
    }
    rv = mnet_ledger_put_person(ledger, &facts, &person);
    /* Somebody who was there gets the right, and does not lose it, by a row. */
    return rv || !facts.allowed || !facts.peer ? rv
                                               : mnet_ledger_allow(ledger, person, facts.peer, 1);
}

/* --- sections --- */

/* "1 2", "1,2" */
static apr_status_t read_terms(mnet_ledger_t *ledger, const mnet_value_t *row,
                               apr_array_header_t **segments)
{
    const char *said;
    char *copy, *state, *word;
    apr_status_t rv = text(ledger, row, "terms", 0, 1024, &said);

    *segments = apr_array_make(ledger->pool, 2, sizeof(int));
    if (rv || !said) {
        return rv;
    }
    copy = apr_pstrdup(ledger->pool, said);
    for (word = apr_strtok(copy, " ,;", &state); word; word = apr_strtok(NULL, " ,;", &state)) {
        apr_int64_t n;

        if (!mnet_parse_int(word, strlen(word), &n) || n < 1 || n > MNET_LEDGER_SEGMENT) {
            return bad(ledger, "terms", "numbers of terms are expected, as in 1 2");
        }
        APR_ARRAY_PUSH(*segments, int) = (int)n;
    }
    return APR_SUCCESS;
}

/* What is in the column section may be the number that an export shows. */
static apr_status_t known_section(mnet_ledger_t *ledger, mnet_section_facts_t *facts)
{
    mnet_section_t *section = NULL;
    apr_status_t rv;

    if (!facts->idnumber || facts->idnumber[0] != '#') {
        return APR_SUCCESS;
    }
    rv = mnet_ledger_named_section(ledger, facts->idnumber, &section);
    if (rv) {
        return none(ledger, rv, MNET_LEDGER_NO_SECTION, "section", "section", facts->idnumber);
    }
    facts->section = section->id;
    facts->idnumber = NULL;
    return APR_SUCCESS;
}

apr_status_t mnet_hand_section(mnet_ledger_t *ledger, const mnet_value_t *row)
{
    mnet_enrolment_facts_t teaching = {.role = MNET_ROLE_TEACHER, .status = MNET_STATUS_ACTIVE};
    mnet_section_facts_t facts = {NULL};
    mnet_enrolment_t *enrolment;
    apr_array_header_t *segments;
    mnet_section_t *section = NULL;
    mnet_person_t *teacher = NULL;
    apr_status_t rv = text(ledger, row, "name", 1, MNET_LEDGER_NAME_MAX, &facts.name);

    rv = rv ? rv : text(ledger, row, "section", 0, MNET_LEDGER_ID_MAX, &facts.idnumber);
    rv = rv ? rv : read_terms(ledger, row, &segments);
    rv = rv ? rv : the_person(ledger, row, "teacher", 0, &teacher);
    rv = rv ? rv : known_section(ledger, &facts);
    if (rv) {
        return rv;
    }
    facts.segments = segments;
    rv = mnet_ledger_put_section(ledger, &facts, &section);
    if (rv || !teacher) {
        return rv;
    }
    teaching.section = section;
    teaching.person = teacher;
    return mnet_ledger_put_enrolment(ledger, &teaching, &enrolment);
}

/* --- enrolments --- */

apr_status_t mnet_hand_enrolment(mnet_ledger_t *ledger, const mnet_value_t *row)
{
    mnet_enrolment_facts_t facts = {.withdraw = mnet_get(row, "withdraw") != NULL};
    const char *role, *status;
    mnet_enrolment_t *enrolment;
    mnet_section_t *section = NULL;
    mnet_person_t *person = NULL;
    apr_status_t rv = the_person(ledger, row, "user", 1, &person);

    rv = rv ? rv : the_section(ledger, row, &section);
    rv = rv ? rv : text(ledger, row, "role", 0, MNET_LEDGER_ID_MAX, &role);
    rv = rv ? rv : text(ledger, row, "status", 0, MNET_LEDGER_ID_MAX, &status);
    rv = rv ? rv : text(ledger, row, "code", 0, MNET_LEDGER_ID_MAX, &facts.code);
    rv = rv ? rv : text(ledger, row, "note", 0, MNET_LEDGER_NOTE_MAX / 4, &facts.note);
    if (rv) {
        return rv;
    }
    facts.role = role ? mnet_role_of(role) : MNET_ROLE_STUDENT;
    facts.status = status ? mnet_status_of(status) : 0;
    if (!facts.role) {
        return bad(ledger, "role", "student or teacher is expected");
    }
    if (status && !facts.status) {
        return bad(ledger, "status", "active, withdrawn, withdrawn failing or passed is expected");
    }
    facts.section = section;
    facts.person = person;
    rv = mnet_ledger_put_enrolment(ledger, &facts, &enrolment);
    if (rv == MNET_E_REFUSED && !strcmp(ledger->field, "userid")) {
        ledger->field = "user";
    }
    return rv;
}

/* --- assessments and grades --- */

apr_status_t mnet_hand_assessment(mnet_ledger_t *ledger, const mnet_value_t *row)
{
    mnet_item_facts_t facts = {NULL};
    mnet_section_t *section = NULL;
    mnet_item_t *item = NULL;
    apr_status_t rv = the_section(ledger, row, &section);

    rv = rv ? rv : text(ledger, row, "name", 1, MNET_LEDGER_NAME_MAX, &facts.name);
    rv = rv ? rv : text(ledger, row, "assessment", 0, MNET_LEDGER_ID_MAX, &facts.idnumber);
    rv = rv ? rv : number(ledger, row, "points_possible", 1, &facts.points);
    rv = rv ? rv : whole(ledger, row, "chapter", APR_INT32_MAX, 0, &facts.chapter);
    rv = rv ? rv : truth(ledger, row, "honors_required", &facts.honors);
    rv = rv ? rv : truth(ledger, row, "nonhonors_required", &facts.nonhonors);
    rv = rv ? rv : truth(ledger, row, "extra_credit", &facts.extra);
    if (rv) {
        return rv;
    }
    if (facts.idnumber && facts.idnumber[0] == '#') {
        rv = the_item(ledger, row, section, &item);
        if (rv) {
            return rv;
        }
        facts.item = item->id;
        facts.idnumber = NULL;
    }
    facts.section = section;
    return mnet_ledger_put_item(ledger, &facts, &item);
}

apr_status_t mnet_hand_grade(mnet_ledger_t *ledger, const mnet_value_t *row)
{
    mnet_grade_facts_t facts = {NULL};
    mnet_section_t *section = NULL;
    mnet_person_t *person = NULL;
    mnet_grade_t *grade;
    mnet_item_t *item = NULL;
    apr_status_t rv = the_section(ledger, row, &section);

    facts.taken_back = mnet_get(row, "take_back") != NULL;
    rv = rv ? rv : the_item(ledger, row, section, &item);
    rv = rv ? rv : the_person(ledger, row, "user", 1, &person);
    rv = rv ? rv : truth(ledger, row, "excepted", &facts.excepted);
    rv = rv ? rv
            : number(ledger, row, "points", !facts.excepted && !facts.taken_back, &facts.points);
    rv = rv ? rv : whole(ledger, row, "attempt", MNET_LEDGER_ATTEMPTS, 1, &facts.attempt);
    if (rv) {
        return rv;
    }
    facts.item = item;
    facts.person = person;
    rv = mnet_ledger_put_grade(ledger, &facts, &grade);
    if (rv == MNET_E_REFUSED && !strcmp(ledger->field, "userid")) {
        ledger->field = "user";
    } else if (rv == MNET_E_REFUSED && !strcmp(ledger->field, "points_earned")) {
        ledger->field = "points";
    }
    return rv;
}
