/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods of the SchoolTool design (MNET protocol reference, 9), and two of ours that its
 * scenarios need: withdraw_enrolment and synchronise.  One call is one transaction: its claim, its
 * effect and their history, or nothing.
 */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/call.h"
#include "rpc/fault.h"
#include "rpc/peer_share.h"
#include "school/ledger_words_in.h"
#include "school/school.h"

/* --- one call --- */

/* Nothing is written but that this call was made, so that a copy of it does nothing later. */
static apr_status_t refuse(mnet_call_t *call, mnet_ledger_t *ledger)
{
    apr_status_t rv = mnet_call_claim_alone(call);

    if (rv) {
        return rv;
    }
    mnet_log(call->host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1130",
             "%s: %s by %s is refused with %d: %s: %s (%s)", call->host->site->wwwroot, call->path,
             call->peer->facts->wwwroot, ledger->fault, mnet_say(ledger->field, call->pool),
             mnet_say(ledger->why, call->pool), call->id ? call->id : "-");
    return mnet_call_fault(call, ledger->fault, "%s: %s", ledger->field, ledger->why);
}

static apr_status_t begin(mnet_call_t *call, mnet_ledger_t *ledger)
{
    apr_status_t rv = mnet_ledger_begin(ledger, call->host, MNET_WRITE, call->peer->facts->wwwroot,
                                        call->now, call->pool);

    if (!rv) {
        rv = mnet_call_claim(call, ledger->txn);
        if (rv) {
            mnet_ledger_abort(ledger);
        }
    }
    return rv;
}

static apr_status_t finish(mnet_call_t *call, mnet_ledger_t *ledger, apr_status_t rv)
{
    rv = rv ? rv : mnet_call_share_keep(call, ledger->txn);
    rv = rv ? rv : mnet_ledger_commit(ledger);
    mnet_ledger_abort(ledger);
    return rv == MNET_E_REFUSED ? refuse(call, ledger) : rv;
}

static apr_status_t change(mnet_call_t *call, mnet_say_fn *say)
{
    mnet_ledger_t ledger;
    mnet_said_t said = {&ledger, mnet_call_param(call, 0), ""};
    apr_status_t rv = begin(call, &ledger);

    if (rv) {
        return rv;
    }
    rv = mnet_said_struct(&said, call->method->parameters[0].name);
    rv = finish(call, &ledger, rv ? rv : say(&said));
    if (!rv && !call->fault_code) {
        call->result = mnet_boolean(1, call->pool);
    }
    return rv;
}

static mnet_value_t *tally(const mnet_ledger_t *ledger, apr_pool_t *pool)
{
    mnet_value_t *result = mnet_struct(pool), *told = mnet_array(pool);

    mnet_set(result, "added", mnet_int(ledger->added, pool));
    mnet_set(result, "changed", mnet_int(ledger->changed, pool));
    mnet_set(result, "same", mnet_int(ledger->same, pool));
    for (int i = 0; i < ledger->told->nelts; i++) {
        mnet_append(told, mnet_string(APR_ARRAY_IDX(ledger->told, i, const char *), pool));
    }
    mnet_set(result, "changes", told);
    return result;
}

static apr_status_t synchronise(mnet_call_t *call, void *baton)
{
    mnet_ledger_t ledger;
    apr_status_t rv = begin(call, &ledger);

    if (rv) {
        return rv;
    }
    ledger.told = apr_array_make(call->pool, 16, sizeof(const char *));
    rv = finish(call, &ledger, mnet_say_everything(&ledger, mnet_call_param(call, 0)));
    if (!rv && !call->fault_code) {
        call->result = tally(&ledger, call->pool);
    }
    return rv;
}

/* --- list_user_enrolments --- */

/* What the caller calls a section: its own id, or the one given by hand.  NULL: it is none of its
 * business. */
static const char *id_for(const mnet_ledger_t *ledger, const mnet_section_t *section)
{
    const mnet_link_t *link = mnet_link_of(section->links, ledger->peer);

    if (link) {
        return link->idnumber;
    }
    return section->links->nelts ? NULL : mnet_section_id(section, ledger->pool);
}

static apr_status_t list_of(mnet_ledger_t *ledger, const mnet_person_t *person,
                            mnet_value_t *result, apr_pool_t *pool)
{
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_enrolments_of(ledger, person->id, &list);

    for (int i = 0; !rv && i < list->nelts; i++) {
        const mnet_enrolment_t *one = APR_ARRAY_IDX(list, i, const mnet_enrolment_t *);
        mnet_value_t *item = mnet_struct(pool);
        mnet_section_t *section;
        const char *id;

        rv = mnet_ledger_section(ledger, one->section, &section);
        id = rv ? NULL : id_for(ledger, section);
        if (id) {
            mnet_set(item, "sectionid", mnet_string(id, pool));
            mnet_set(item, "name", mnet_string(section->name, pool));
            mnet_set(item, "role", mnet_string(mnet_role_name(one->role), pool));
            mnet_set(item, "status", mnet_string(mnet_status_name(one->status), pool));
            mnet_append(result, item);
        }
    }
    return rv;
}

/* A username, or an idnumber; or a struct that has one. */
static apr_status_t named_user(mnet_call_t *call, mnet_ledger_t *ledger, mnet_person_t **person)
{
    const mnet_value_t *user = mnet_call_param(call, 0);
    mnet_value_t *wrapped = mnet_struct(call->pool);
    mnet_said_t said = {ledger, wrapped, ""};
    const char *name;
    apr_status_t rv;

    if (user && user->type == MNET_STRUCT) {
        user = mnet_get(user, "username") ? mnet_get(user, "username") : mnet_get(user, "idnumber");
    }
    if (user) {
        mnet_set(wrapped, "user", (mnet_value_t *)user);
    }
    rv = mnet_said_text(&said, "user", 1, MNET_LEDGER_ID_MAX, &name);
    if (rv) {
        return rv;
    }
    rv = mnet_ledger_find_login(ledger, ledger->peer, name, person);
    rv = APR_STATUS_IS_NOTFOUND(rv) ? mnet_ledger_find_person(ledger, name, person) : rv;
    return APR_STATUS_IS_NOTFOUND(rv) ? mnet_said_refuse(&said, MNET_LEDGER_NO_PERSON, "user",
                                                         "no user \"%s\" is known here", name)
                                      : rv;
}

static apr_status_t list_user_enrolments(mnet_call_t *call, void *baton)
{
    mnet_ledger_t ledger;
    mnet_person_t *person;
    apr_status_t rv = mnet_ledger_begin(&ledger, call->host, MNET_READ, call->peer->facts->wwwroot,
                                        call->now, call->pool);

    if (rv) {
        return rv;
    }
    call->result = mnet_array(call->pool);
    rv = named_user(call, &ledger, &person);
    rv = rv ? rv : list_of(&ledger, person, call->result, call->pool);
    mnet_ledger_abort(&ledger);
    return rv == MNET_E_REFUSED
               ? mnet_call_fault(call, ledger.fault, "%s: %s", ledger.field, ledger.why)
               : rv;
}

/* --- the methods --- */

#define CHANGES(name, say)                                                                         \
    static apr_status_t name(mnet_call_t *call, void *baton)                                       \
    {                                                                                              \
        return change(call, say);                                                                  \
    }
CHANGES(fetch_user, mnet_say_user)
CHANGES(new_section, mnet_say_section)
CHANGES(new_enrolment, mnet_say_enrolment)
CHANGES(withdraw_enrolment, mnet_say_withdrawal)
CHANGES(new_assessment, mnet_say_assessment)
CHANGES(new_grade, mnet_say_grade)

#define PARAMETERS(name, text)                                                                     \
    (const mnet_parameter_t[])                                                                     \
    {                                                                                              \
        {name, "struct", text},                                                                    \
        {                                                                                          \
            NULL, NULL, NULL                                                                       \
        }                                                                                          \
    }
#define DONE                                                                                       \
    {                                                                                              \
        NULL, "boolean", "true"                                                                    \
    }

static const mnet_method_t methods[] = {
    {.path = "fetch_user",
     .effect = MNET_METHOD_CLAIMS,
     .parameters = PARAMETERS("userdata", "username, firstname, lastname, idnumber, email, ..."),
     .required = 1,
     .returns = DONE,
     .help = "Enters or updates a user.  They may not log in here until an administrator says so.",
     .handler = fetch_user},
    {.path = "new_section",
     .effect = MNET_METHOD_CLAIMS,
     .parameters = PARAMETERS("sectiondata", "name, idnumber, teacheridnumber, segment"),
     .required = 1,
     .returns = DONE,
     .help = "Enters or updates a section (a course at the caller), in one more term.",
     .handler = new_section},
    {.path = "new_enrolment",
     .effect = MNET_METHOD_CLAIMS,
     .parameters = PARAMETERS("enrolmentdata", "sectionid, userid, role; status, code, note"),
     .required = 1,
     .returns = DONE,
     .help = "Enrols a user in a section as student or teacher.",
     .handler = new_enrolment},
    {.path = "withdraw_enrolment",
     .effect = MNET_METHOD_CLAIMS,
     .parameters = PARAMETERS("enrolmentdata", "sectionid, userid; role, status, code, note"),
     .required = 1,
     .returns = DONE,
     .help = "A user left a section.  The enrolment stays, as withdrawn, with its history.",
     .handler = withdraw_enrolment},
    {.path = "new_assessment",
     .effect = MNET_METHOD_CLAIMS,
     .parameters = PARAMETERS("assessmentdata",
                              "sectionid, name, idnumber, pointval; chapternum, honors_required, "
                              "nonhonors_required, extra_credit"),
     .required = 1,
     .returns = DONE,
     .help = "Enters or updates something that is graded in a section.",
     .handler = new_assessment},
    {.path = "new_grade",
     .effect = MNET_METHOD_CLAIMS,
     .parameters =
         PARAMETERS("gradedata", "assessmentid, userid, points_earned; excepted, attempt_num"),
     .required = 1,
     .returns = DONE,
     .help = "Enters a grade of a student in an assessment.",
     .handler = new_grade},
    {.path = "synchronise",
     .effect = MNET_METHOD_CLAIMS,
     .parameters = PARAMETERS("data", "users, sections, enrolments, assessments, grades: arrays"),
     .required = 1,
     .returns = {NULL, "struct", "added, changed, same: counts; changes: in words"},
     .help = "Many structs of the methods above in one call, all of them or none.  Repeatable.",
     .handler = synchronise},
    {.path = "list_user_enrolments",
     .effect = MNET_METHOD_READS,
     .parameters =
         (const mnet_parameter_t[]){{"user", "string", "username or idnumber"}, {NULL, NULL, NULL}},
     .required = 1,
     .returns = {NULL, "array", "of structs: sectionid, name, role, status"},
     .help = "The enrolments of a user in sections of the caller and of this site.",
     .handler = list_user_enrolments}};

const char *mnet_ledger_path(const mnet_host_t *host, const char *name, apr_pool_t *pool)
{
    return apr_pstrcat(
        pool, host->site->ledger ? host->site->ledger->prefix : "mod/schooltool/rpclib.php", "/",
        name, NULL);
}

/* What answers a path already keeps it. */
static apr_status_t add(mnet_registry_t *registry, const mnet_site_t *site,
                        const mnet_method_t *from, apr_pool_t *pool)
{
    mnet_method_t *method = apr_pmemdup(pool, from, sizeof(*method));

    method->path = apr_pstrcat(pool, site->ledger->prefix, "/", from->path, NULL);
    method->service = site->ledger->service;
    return mnet_registry_find(registry, site->wwwroot, method->path)
               ? APR_SUCCESS
               : mnet_registry_add(registry, site->wwwroot, method);
}

apr_status_t mnet_school_register(mnet_registry_t *registry, const mnet_site_t *site,
                                  apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;

    if (!site->ledger) {
        return APR_SUCCESS;
    }
    for (apr_size_t i = 0; !rv && i < sizeof(methods) / sizeof(methods[0]); i++) {
        rv = add(registry, site, &methods[i], pool);
    }
    return rv ? rv : mnet_enrol_register(registry, site, pool);
}

static apr_status_t not_here(mnet_call_t *call, void *baton)
{
    return mnet_call_fault(call, MNET_FAULT_PERMISSION, "%s",
                           mnet_fault_text(MNET_FAULT_PERMISSION));
}

apr_status_t mnet_school_know(mnet_registry_t *registry, const mnet_site_t *site, apr_pool_t *pool)
{
    /* Ours to ask for, not to answer. */
    static const mnet_method_t everything = {.path = "list_everything",
                                             .effect = MNET_METHOD_READS,
                                             .returns = {NULL, "struct", "as of synchronise"},
                                             .help = "Everything that a site has.",
                                             .handler = not_here};
    apr_status_t rv = mnet_school_register(registry, site, pool);

    if (!rv && site->ledger) {
        rv = add(registry, site, &everything, pool);
    }
    return rv || site->ledger ? rv : mnet_enrol_register(registry, site, pool);
}
