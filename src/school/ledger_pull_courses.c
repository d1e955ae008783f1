/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer's courses of mnet_enrol as sections, and our own users whom it has enrolled in them.  They
 * are users of this site: their login's peer is ourselves.
 */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "school/enrol_client.h"
#include "school/ledger_int.h"
#include "school/ledger_pull_int.h"

/* Shorter than a name of ours may be, and fit for one. */
static const char *fit(const char *text, apr_pool_t *pool)
{
    return text && *text && !mnet_ledger_text_problem(text, MNET_LEDGER_NAME_MAX)
               ? apr_pstrdup(pool, text)
               : NULL;
}

static apr_status_t enter_course(mnet_ledger_t *ledger, const mnet_course_t *course,
                                 mnet_section_t **section)
{
    mnet_section_facts_t facts = {.name = fit(course->fullname, ledger->pool),
                                  .idnumber = fit(course->idnumber, ledger->pool),
                                  .remoteid = fit(course->remoteid, ledger->pool)};

    facts.name = facts.name ? facts.name : fit(course->shortname, ledger->pool);
    if (!facts.name || !facts.remoteid) {
        return mnet_ledger_refuse(ledger, MNET_LEDGER_BAD_FIELD,
                                  facts.remoteid ? "fullname" : "remoteid",
                                  "it is missing or too long");
    }
    return mnet_ledger_put_section(ledger, &facts, section);
}

/* "editingteacher" is one, too. */
static int role_of(const char *shortname)
{
    return shortname && strstr(shortname, "teacher") ? MNET_ROLE_TEACHER : MNET_ROLE_STUDENT;
}

static apr_status_t our_user(mnet_ledger_t *ledger, const char *username, mnet_person_t **person)
{
    mnet_person_facts_t facts = {
        .peer = ledger->host->site->wwwroot, .username = username, .allowed = 1};
    const char *problem = mnet_username_problem(username);
    apr_status_t rv;

    if (problem) {
        return mnet_ledger_refuse(ledger, MNET_LEDGER_BAD_FIELD, "username", "%s", problem);
    }
    rv = mnet_ledger_find_login(ledger, facts.peer, username, person);
    return APR_STATUS_IS_NOTFOUND(rv) ? mnet_ledger_put_person(ledger, &facts, person) : rv;
}

static int is_ours(const mnet_ledger_t *ledger, const mnet_person_t *person)
{
    for (int i = 0; i < person->logins->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(person->logins, i, mnet_login_name_t).peer,
                    ledger->host->site->wwwroot)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t withdraw_rest(mnet_ledger_t *ledger, const mnet_section_t *section,
                                  apr_hash_t *heard)
{
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_enrolments_in(ledger, section->id, &list);

    for (int i = 0; !rv && i < list->nelts; i++) {
        const mnet_enrolment_t *one = APR_ARRAY_IDX(list, i, const mnet_enrolment_t *);
        mnet_enrolment_facts_t facts = {.section = section, .role = one->role, .withdraw = 1};
        mnet_enrolment_t *enrolment;
        mnet_person_t *person;

        if (one->said != MNET_STATUS_ACTIVE || mnet_pull_heard(heard, one->person, one->role)) {
            continue;
        }
        rv = mnet_ledger_person(ledger, one->person, &person);
        if (!rv && is_ours(ledger, person)) {
            facts.person = person;
            rv = mnet_ledger_put_enrolment(ledger, &facts, &enrolment);
        }
    }
    return rv;
}

static apr_status_t enter_people(mnet_ledger_t *ledger, const mnet_section_t *section,
                                 const apr_array_header_t *people)
{
    apr_hash_t *heard = apr_hash_make(ledger->pool);
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; !rv && i < people->nelts; i++) {
        const mnet_participant_t *one = &APR_ARRAY_IDX(people, i, mnet_participant_t);
        mnet_enrolment_facts_t facts = {
            .section = section, .role = role_of(one->role), .status = MNET_STATUS_ACTIVE};
        mnet_enrolment_t *enrolment;
        mnet_person_t *person = NULL;

        if (!strcmp(one->username, "guest")) {
            continue;
        }
        rv = our_user(ledger, one->username, &person);
        facts.person = person;
        rv = rv ? rv : mnet_ledger_put_enrolment(ledger, &facts, &enrolment);
        if (!rv && person) {
            mnet_pull_hear(heard, person->id, facts.role);
        }
    }
    return rv ? rv : withdraw_rest(ledger, section, heard);
}

static apr_status_t one_course(mnet_pull_t *pull, const mnet_course_t *course, apr_pool_t *pool)
{
    apr_array_header_t *people = NULL;
    mnet_section_t *section = NULL;
    mnet_ledger_t ledger;
    mnet_reply_t *reply;
    const char *why;
    apr_status_t rv =
        mnet_enrol_who(pull->host, pull->peer, course->remoteid, &reply, &people, &why, pool);

    if (rv) {
        mnet_pull_note(pull, apr_psprintf(pool, "course %s: %s", course->remoteid,
                                          rv == MNET_E_PEER ? reply->message : why));
        pull->reply = reply;
        return rv == MNET_E_PEER && reply->kind != MNET_CALL_FAULT ? rv : APR_SUCCESS;
    }
    rv = mnet_pull_into(pull, &ledger, pool);
    if (rv) {
        return rv;
    }
    rv = enter_course(&ledger, course, &section);
    rv = rv || !section ? rv : enter_people(&ledger, section, people);
    rv = mnet_pull_end(pull, &ledger, apr_pstrcat(pool, "course ", course->remoteid, NULL), rv);
    return rv == MNET_E_REFUSED ? APR_SUCCESS : rv;
}

apr_status_t mnet_pull_courses(mnet_pull_t *pull)
{
    apr_array_header_t *courses = NULL;
    mnet_reply_t *reply;
    const char *why;
    apr_pool_t *pool;
    apr_status_t rv =
        mnet_enrol_courses(pull->host, pull->peer, &reply, &courses, &why, pull->pool);

    pull->reply = reply;
    if (rv) {
        mnet_pull_note(pull, apr_pstrcat(pull->pool, "courses: ",
                                         rv == MNET_E_PEER ? reply->message : why, NULL));
        return rv == MNET_E_PEER && reply->kind != MNET_CALL_FAULT ? rv : APR_SUCCESS;
    }
    rv = apr_pool_create(&pool, pull->pool);
    for (int i = 0; !rv && i < courses->nelts; i++) {
        apr_pool_clear(pool);
        rv = one_course(pull, &APR_ARRAY_IDX(courses, i, mnet_course_t), pool);
    }
    return rv;
}
