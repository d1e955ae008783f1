/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service mnet_enrol, answered from the ledger (MNET protocol reference, 5.4, 8): a peer sees
 * the sections that it may offer its users, enrols them, and takes them out.  Types are Moodle's:
 * what its database has is text.
 */
#include <apr_strings.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "rpc/call.h"
#include "rpc/peer_share.h"
#include "school/ledger_int.h"
#include "school/ledger_words_in.h"
#include "school/school.h"
#include "trust/policy.h"

#define SERVICE "mnet_enrol"
#define PREFIX  "enrol/mnet/enrol.php/"

/* Moodle's, with its words. */
#define NO_NAME    5021
#define NO_USER    5014
#define NO_COURSE  5012
#define NO_ENROL   5019
#define NO_UNENROL 5020

/* --- courses --- */

/* Ours, and those that the caller itself told of; not another peer's. */
static int is_offered(const mnet_section_t *section, const char *peer)
{
    return !section->links->nelts || mnet_link_of(section->links, peer);
}

static const char *number(apr_int64_t n, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, n);
}

static void set(mnet_value_t *to, const char *name, const char *text, apr_pool_t *pool)
{
    mnet_set(to, name, mnet_string(text ? text : "", pool));
}

/* A Moodle cuts what it is told to that many bytes, a character in two if it comes so; its database
 * then refuses the whole list.  So it is told no more. */
static void set_cut(mnet_value_t *to, const char *name, const char *text, apr_size_t bytes,
                    apr_pool_t *pool)
{
    set(to, name, apr_pstrmemdup(pool, text, mnet_utf8_fit(text, bytes, bytes)), pool);
}

/* The first day of a term, in seconds; "0": it is not known. */
static apr_status_t starts(mnet_ledger_t *ledger, int segment, const char **seconds,
                           apr_pool_t *pool)
{
    apr_time_exp_t day = {.tm_mday = 0};
    mnet_term_t *term;
    apr_time_t when;
    apr_status_t rv = mnet_ledger_term(ledger, segment, &term);

    *seconds = "0";
    if (!rv && term->from &&
        sscanf(term->from, "%4d-%2d-%2d", &day.tm_year, &day.tm_mon, &day.tm_mday) == 3) {
        day.tm_year -= 1900;
        day.tm_mon--;
        if (!apr_time_exp_get(&when, &day)) {
            *seconds = number(apr_time_sec(when), pool);
        }
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* A term is a category; a section without one is in the ongoing one. */
static apr_status_t set_category(mnet_ledger_t *ledger, const mnet_section_t *section,
                                 mnet_value_t *course, apr_pool_t *pool)
{
    int segment = section->segments->nelts ? APR_ARRAY_IDX(section->segments, 0, int) : 0;
    const char *name, *seconds;
    apr_status_t rv = mnet_ledger_container(ledger, segment, &name);

    rv = rv ? rv : starts(ledger, segment, &seconds, pool);
    if (rv) {
        return rv;
    }
    set(course, "startdate", seconds, pool);

    set(course, "cat_id", apr_itoa(pool, segment), pool);
    set_cut(course, "cat_name", name, 255, pool);
    set(course, "cat_description", "", pool);
    set(course, "cat_descriptionformat", "1", pool);
    return APR_SUCCESS;
}

static apr_status_t course_of(mnet_ledger_t *ledger, const mnet_section_t *section,
                              mnet_value_t **course, apr_pool_t *pool)
{
    const char *id = mnet_section_id(section, pool);

    *course = mnet_struct(pool);
    set(*course, "remoteid", number(section->id, pool), pool);
    set_cut(*course, "fullname", section->name, 254, pool);
    set_cut(*course, "shortname", *id == '#' ? section->name : id, 100, pool);
    set_cut(*course, "idnumber", *id == '#' ? "" : id, 100, pool);
    set(*course, "summary", "", pool);
    set(*course, "summaryformat", "1", pool);
    set(*course, "sortorder", number(section->id, pool), pool);
    set(*course, "cost", "", pool);
    set(*course, "currency", "", pool);
    set(*course, "defaultroleid", "5", pool);
    set(*course, "defaultrolename", "Student", pool);
    return set_category(ledger, section, *course, pool);
}

typedef struct offering_t {
    mnet_ledger_t *ledger;
    mnet_value_t *list;
    apr_pool_t *pool;
} offering_t;

static apr_status_t offer(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                          const void *data, apr_size_t len)
{
    offering_t *offering = baton;
    mnet_section_t *section;
    mnet_value_t *course;
    apr_status_t rv = mnet_section_unpack(key, data, len, &section, offering->pool);

    if (rv || !is_offered(section, offering->ledger->peer)) {
        return rv;
    }
    rv = course_of(offering->ledger, section, &course, offering->pool);
    mnet_append(offering->list, course);
    return rv;
}

static apr_status_t look(mnet_call_t *call, mnet_ledger_t *ledger)
{
    return mnet_ledger_begin(ledger, call->host, MNET_READ, call->peer->facts->wwwroot, call->now,
                             call->pool);
}

static apr_status_t available_courses(mnet_call_t *call, void *baton)
{
    mnet_ledger_t ledger;
    offering_t offering = {&ledger, mnet_array(call->pool), call->pool};
    mnet_name_t prefix;
    apr_status_t rv = look(call, &ledger);

    if (rv) {
        return rv;
    }
    mnet_key_begin(&ledger, &prefix);
    rv = mnet_txn_each(ledger.txn, LEDGER_SECTION, prefix.bytes, prefix.len, NULL, 0, offer,
                       &offering);
    mnet_ledger_abort(&ledger);
    call->result = offering.list;
    return rv;
}

/* The section of a course's number; NULL: there is none, or it is not offered to the caller. */
static apr_status_t course_called(mnet_call_t *call, mnet_ledger_t *ledger, int parameter,
                                  mnet_section_t **section)
{
    apr_int64_t id;
    apr_status_t rv;

    *section = NULL;
    if (!mnet_as_int(mnet_call_param(call, parameter), &id) || id < 1) {
        return APR_SUCCESS;
    }
    rv = mnet_ledger_section(ledger, id, section);
    if (!rv && !is_offered(*section, ledger->peer)) {
        *section = NULL;
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* --- who is there --- */

static const char *username_at(const mnet_person_t *person, const char *peer)
{
    for (int i = 0; i < person->logins->nelts; i++) {
        const mnet_login_name_t *login = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);

        if (!strcmp(login->peer, peer)) {
            return login->username;
        }
    }
    return NULL;
}

/* A comma's list, or an array, of roles' short names; nothing: all. */
static int is_wanted(const mnet_call_t *call, const char *role)
{
    const mnet_value_t *roles = mnet_call_param(call, 1);
    char *copy, *state, *word;
    const char *text;

    if (!roles || roles->type == MNET_NIL) {
        return 1;
    }
    if (roles->type == MNET_ARRAY || roles->type == MNET_STRUCT) {
        for (int i = 0; i < mnet_count(roles); i++) {
            text = mnet_as_text(mnet_item(roles, i), call->pool);
            if (text && !strcmp(text, role)) {
                return 1;
            }
        }
        return !mnet_count(roles);
    }
    text = mnet_as_text(roles, call->pool);
    if (!text || !*text) {
        return text != NULL;
    }
    copy = apr_pstrdup(call->pool, text);
    for (word = apr_strtok(copy, ", ", &state); word; word = apr_strtok(NULL, ", ", &state)) {
        if (!strcmp(word, role)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t add_enrolled(mnet_call_t *call, mnet_ledger_t *ledger,
                                 const mnet_enrolment_t *one)
{
    mnet_value_t *item = mnet_struct(call->pool);
    const char *role = mnet_role_name(one->role), *username;
    mnet_person_t *person;
    apr_status_t rv = mnet_ledger_person(ledger, one->person, &person);

    username = rv ? NULL : username_at(person, ledger->peer);
    if (!username || one->status != MNET_STATUS_ACTIVE || !is_wanted(call, role)) {
        return rv;
    }
    set(item, "username", username, call->pool);
    set(item, "shortname", role, call->pool);
    set(item, "name", "", call->pool);
    set(item, "enrol", one->said ? "mnet" : "manual", call->pool);
    set(item, "timemodified", number(apr_time_sec(one->mark.when), call->pool), call->pool);
    mnet_append(call->result, item);
    return APR_SUCCESS;
}

static apr_status_t course_enrolments(mnet_call_t *call, void *baton)
{
    apr_array_header_t *list;
    mnet_section_t *section;
    mnet_ledger_t ledger;
    apr_status_t rv = look(call, &ledger);

    if (rv) {
        return rv;
    }
    call->result = mnet_array(call->pool);
    rv = course_called(call, &ledger, 0, &section);
    if (!rv && section) {
        rv = mnet_ledger_enrolments_in(&ledger, section->id, &list);
        for (int i = 0; !rv && i < list->nelts; i++) {
            rv = add_enrolled(call, &ledger, APR_ARRAY_IDX(list, i, const mnet_enrolment_t *));
        }
    }
    mnet_ledger_abort(&ledger);
    return rv;
}

/* Never implemented by Moodle either, which answers an empty array. */
static apr_status_t user_enrolments(mnet_call_t *call, void *baton)
{
    call->result = mnet_array(call->pool);
    return APR_SUCCESS;
}

/* --- in and out --- */

typedef struct enrolling_t {
    mnet_call_t *call;
    mnet_ledger_t ledger;
    int fault; /* Moodle's */
    const char *word;
} enrolling_t;

static apr_status_t fail(enrolling_t *enrolling, int fault, const char *word)
{
    enrolling->fault = fault;
    enrolling->word = word;
    return MNET_E_REFUSED;
}

static apr_status_t enrol_in(enrolling_t *enrolling)
{
    mnet_call_t *call = enrolling->call;
    mnet_ledger_t *ledger = &enrolling->ledger;
    mnet_said_t said = {ledger, mnet_call_param(call, 0), ""};
    const char *username = mnet_as_text(mnet_get(said.data, "username"), call->pool);
    mnet_enrolment_facts_t facts = {.role = MNET_ROLE_STUDENT};
    mnet_enrolment_t *enrolment;
    mnet_section_t *section;
    mnet_person_t *person;
    apr_status_t rv;

    said.lenient = 1;
    said.stranger = !mnet_policy_publishes(call->peer, call->host->site->ledger->service);
    if (!username || !*username) {
        return fail(enrolling, NO_NAME, "emptyusername");
    }
    rv = course_called(call, ledger, 1, &section);
    if (rv || !section) {
        return rv ? rv : fail(enrolling, NO_COURSE, "coursenotfound");
    }
    rv = mnet_say_profile(&said, 1, &person);
    if (rv) {
        return rv == MNET_E_REFUSED ? fail(enrolling, 5011, "couldnotcreateuser") : rv;
    }
    facts.section = section;
    facts.person = person;
    rv = mnet_ledger_put_enrolment(ledger, &facts, &enrolment);
    return rv == MNET_E_REFUSED ? fail(enrolling, NO_ENROL, "couldnotenrol") : rv;
}

/* Has the caller enrolled them, the last time that a peer did? */
static apr_status_t is_theirs(mnet_ledger_t *ledger, const mnet_enrolment_t *enrolment, int *theirs)
{
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_enrolment_history(ledger, enrolment, &list);
    int said = 0;

    *theirs = 0;
    for (int i = 0; !rv && i < list->nelts; i++) {
        const mnet_enrolment_t *entry = APR_ARRAY_IDX(list, i, const mnet_enrolment_t *);

        if (entry->said == MNET_STATUS_ACTIVE && said != MNET_STATUS_ACTIVE) {
            *theirs = entry->mark.source && !strcmp(entry->mark.source, ledger->peer);
        }
        said = entry->said;
    }
    return rv;
}

static apr_status_t take_out(enrolling_t *enrolling)
{
    mnet_call_t *call = enrolling->call;
    mnet_ledger_t *ledger = &enrolling->ledger;
    const char *username = mnet_call_text(call, 0);
    mnet_enrolment_facts_t facts = {.role = MNET_ROLE_STUDENT, .withdraw = 1};
    mnet_enrolment_t *enrolment;
    mnet_section_t *section;
    mnet_person_t *person;
    int theirs = 0;
    apr_status_t rv = username && *username
                          ? mnet_ledger_find_login(ledger, ledger->peer, username, &person)
                          : APR_NOTFOUND;

    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? fail(enrolling, NO_USER, "usernotfound") : rv;
    }
    rv = course_called(call, ledger, 1, &section);
    if (rv || !section) {
        return rv ? rv : fail(enrolling, NO_COURSE, "coursenotfound");
    }
    rv = mnet_ledger_enrolment(ledger, section->id, person->id, facts.role, &enrolment);
    if (!rv) {
        rv = is_theirs(ledger, enrolment, &theirs);
    }
    /* As in Moodle: what the caller did not make it does not undo, and that is no fault. */
    if (APR_STATUS_IS_NOTFOUND(rv) || (!rv && !theirs)) {
        return APR_SUCCESS;
    }
    facts.section = section;
    facts.person = person;
    rv = rv ? rv : mnet_ledger_put_enrolment(ledger, &facts, &enrolment);
    return rv == MNET_E_REFUSED ? fail(enrolling, NO_UNENROL, "couldnotunenrol") : rv;
}

static apr_status_t run(mnet_call_t *call, apr_status_t (*step)(enrolling_t *enrolling))
{
    enrolling_t enrolling = {.call = call};
    mnet_ledger_t *ledger = &enrolling.ledger;
    apr_status_t rv = mnet_ledger_begin(ledger, call->host, MNET_WRITE, call->peer->facts->wwwroot,
                                        call->now, call->pool);

    if (rv) {
        return rv;
    }
    rv = mnet_call_claim(call, ledger->txn);
    rv = rv ? rv : step(&enrolling);
    rv = rv ? rv : mnet_call_share_keep(call, ledger->txn);
    rv = rv ? rv : mnet_ledger_commit(ledger);
    mnet_ledger_abort(ledger);
    if (rv == MNET_E_REFUSED) {
        rv = mnet_call_claim_alone(call);
        return rv ? rv : mnet_call_fault(call, enrolling.fault, "enrol_mnet/%s", enrolling.word);
    }
    call->result = mnet_boolean(1, call->pool);
    return rv;
}

static apr_status_t enrol_user(mnet_call_t *call, void *baton)
{
    return run(call, enrol_in);
}

static apr_status_t unenrol_user(mnet_call_t *call, void *baton)
{
    return run(call, take_out);
}

/* --- the methods --- */

static const mnet_parameter_t enrol_parameters[] = {{"userdata", "array", "the user's profile"},
                                                    {"courseid", "int", "the course's remoteid"},
                                                    {NULL, NULL, NULL}};
static const mnet_parameter_t unenrol_parameters[] = {
    {"username", "string", "of the user at the caller"},
    {"courseid", "int", "the course's remoteid"},
    {NULL, NULL, NULL}};
static const mnet_parameter_t course_parameters[] = {
    {"courseid", "int", "the course's remoteid"},
    {"roles", "string", "short names, with commas; all if there are none"},
    {NULL, NULL, NULL}};
static const mnet_parameter_t no_parameters[] = {{NULL, NULL, NULL}};

static const mnet_method_t methods[] = {
    {.path = PREFIX "available_courses",
     .effect = MNET_METHOD_READS,
     .parameters = no_parameters,
     .returns = {NULL, "array", "the courses offered"},
     .help = "The sections that the caller's users may be enrolled in.",
     .handler = available_courses},
    {.path = PREFIX "user_enrolments",
     .effect = MNET_METHOD_READS,
     .parameters = no_parameters,
     .returns = {NULL, "array", "always empty"},
     .help = "An empty list, as of Moodle.",
     .handler = user_enrolments},
    {.path = PREFIX "enrol_user",
     .effect = MNET_METHOD_CLAIMS,
     .parameters = enrol_parameters,
     .required = 2,
     .returns = {NULL, "boolean", "true"},
     .help = "Enrols a user of the caller as student.",
     .handler = enrol_user},
    {.path = PREFIX "unenrol_user",
     .effect = MNET_METHOD_CLAIMS,
     .parameters = unenrol_parameters,
     .required = 2,
     .returns = {NULL, "boolean", "true"},
     .help = "Withdraws a user whom the caller has enrolled.",
     .handler = unenrol_user},
    {.path = PREFIX "course_enrolments",
     .effect = MNET_METHOD_READS,
     .parameters = course_parameters,
     .required = 1,
     .returns = {NULL, "array", "username, shortname, name, enrol, timemodified"},
     .help = "The caller's users who are enrolled in a course.",
     .handler = course_enrolments}};

apr_status_t mnet_enrol_register(mnet_registry_t *registry, const mnet_site_t *site,
                                 apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;

    for (apr_size_t i = 0; !rv && i < sizeof(methods) / sizeof(methods[0]); i++) {
        mnet_method_t *method = apr_pmemdup(pool, &methods[i], sizeof(*method));

        method->service = SERVICE;
        if (!mnet_registry_find(registry, site->wwwroot, method->path)) {
            rv = mnet_registry_add(registry, site->wwwroot, method);
        }
    }
    return rv;
}
