/* SPDX-License-Identifier: Apache-2.0 */
#include "school/ledger_pull.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "school/ledger_int.h"
#include "school/ledger_pull_int.h"
#include "school/ledger_words_in.h"
#include "school/school.h"
#include "trust/policy.h"

#define REPLY_MAX ((apr_off_t)64 << 20)
#define LIST_MAX  100000

void mnet_pull_begin(mnet_pull_t *pull, mnet_host_t *host, const char *peer, apr_time_t now,
                     apr_pool_t *pool)
{
    memset(pull, 0, sizeof(*pull));
    pull->host = host;
    pull->peer = peer;
    pull->now = now;
    pull->pool = pool;
    pull->told = apr_array_make(pool, 16, sizeof(const char *));
    pull->notes = apr_array_make(pool, 4, sizeof(const char *));
}

/* --- asking --- */

static apr_status_t ask(mnet_pull_t *pull, const char *method, mnet_value_t *parameter,
                        const mnet_value_t **answer, apr_pool_t *pool)
{
    apr_array_header_t *params = apr_array_make(pool, 1, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {.host = pull->host,
                            .peer = pull->peer,
                            .method = method,
                            .params = params,
                            .max_reply = REPLY_MAX,
                            .even_if_down = pull->even_if_down};
    mnet_reply_t *reply;

    if (parameter) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = parameter;
    }
    mnet_client_call(&call, &reply, pool);
    pull->reply = reply;
    *answer = reply->value;
    if (reply->kind != MNET_CALL_OK) {
        return MNET_E_PEER;
    }
    if (reply->value->type != MNET_ARRAY && reply->value->type != MNET_STRUCT) {
        mnet_pull_note(pull, apr_psprintf(pool, "%s: the answer is no list", method));
        return MNET_E_REFUSED;
    }
    if (mnet_count(reply->value) > LIST_MAX) {
        mnet_pull_note(pull,
                       apr_psprintf(pool, "%s: the answer is longer than %d", method, LIST_MAX));
        return MNET_E_REFUSED;
    }
    return APR_SUCCESS;
}

/* Is the peer there, and only does not do this? */
static int is_mere_refusal(const mnet_pull_t *pull)
{
    return pull->reply &&
           (pull->reply->kind == MNET_CALL_FAULT || pull->reply->kind == MNET_CALL_POLICY);
}

/* --- one user --- */

/* A section that the peer names and nobody has told of: entered under what is known of it. */
static apr_status_t section_of(const mnet_said_t *said, mnet_section_t **section)
{
    mnet_section_facts_t facts = {NULL};
    const char *id;
    apr_status_t rv = mnet_said_text(said, "sectionid", 1, MNET_LEDGER_ID_MAX, &id);

    rv = rv ? rv : mnet_said_text(said, "name", 0, MNET_LEDGER_NAME_MAX, &facts.name);
    rv = rv ? rv : mnet_ledger_find_section(said->ledger, id, section);
    if (!APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    facts.idnumber = id;
    return mnet_ledger_put_section(said->ledger, &facts, section);
}

/* Of two words about the same enrolment in one answer the first counts. */
static apr_status_t hear_one(const mnet_said_t *said, const mnet_person_t *person,
                             apr_hash_t *heard)
{
    mnet_enrolment_facts_t facts = {.person = person};
    mnet_enrolment_t *enrolment;
    const char *role, *status;
    mnet_section_t *section = NULL;
    apr_status_t rv = mnet_said_struct(said, "enrolment");

    rv = rv ? rv : mnet_said_text(said, "role", 0, MNET_LEDGER_ID_MAX, &role);
    rv = rv ? rv : mnet_said_text(said, "status", 0, MNET_LEDGER_ID_MAX, &status);
    if (rv) {
        return rv;
    }
    /* Moodle's editing teacher is one; what its managers do in a course is no matter of ours. */
    facts.role = !role                     ? MNET_ROLE_STUDENT
                 : strstr(role, "teacher") ? MNET_ROLE_TEACHER
                                           : mnet_role_of(role);
    facts.status = status ? mnet_status_of(status) : MNET_STATUS_ACTIVE;
    if (!facts.role) {
        return APR_SUCCESS;
    }
    if (!facts.status) {
        return mnet_said_refuse(said, MNET_LEDGER_BAD_FIELD, "status", "it is not understood");
    }
    rv = section_of(said, &section);
    facts.section = section;
    if (rv || mnet_pull_heard(heard, section->id, facts.role)) {
        return rv;
    }
    mnet_pull_hear(heard, section->id, facts.role);
    return mnet_ledger_put_enrolment(said->ledger, &facts, &enrolment);
}

/* What the peer said before and says no more. */
static apr_status_t withdraw_rest(mnet_ledger_t *ledger, const mnet_person_t *person,
                                  apr_hash_t *heard)
{
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_enrolments_of(ledger, person->id, &list);

    for (int i = 0; !rv && i < list->nelts; i++) {
        const mnet_enrolment_t *one = APR_ARRAY_IDX(list, i, const mnet_enrolment_t *);
        mnet_enrolment_facts_t facts = {.person = person, .role = one->role, .withdraw = 1};
        mnet_enrolment_t *enrolment;
        mnet_section_t *section;
        const mnet_link_t *link;

        if (one->said != MNET_STATUS_ACTIVE || mnet_pull_heard(heard, one->section, one->role)) {
            continue;
        }
        rv = mnet_ledger_section(ledger, one->section, &section);
        link = rv ? NULL : mnet_link_of(section->links, ledger->peer);
        if (link && link->idnumber) {
            facts.section = section;
            rv = mnet_ledger_put_enrolment(ledger, &facts, &enrolment);
        }
    }
    return rv;
}

static int logins_at(const mnet_person_t *person, const char *peer)
{
    int count = 0;

    for (int i = 0; i < person->logins->nelts; i++) {
        count += !strcmp(APR_ARRAY_IDX(person->logins, i, mnet_login_name_t).peer, peer);
    }
    return count;
}

static apr_status_t hear_all(mnet_ledger_t *ledger, const char *username,
                             const mnet_value_t *answer, int whole)
{
    apr_hash_t *heard = apr_hash_make(ledger->pool);
    mnet_person_t *person = NULL;
    apr_status_t rv = mnet_ledger_find_login(ledger, ledger->peer, username, &person);

    for (int i = 0; !rv && i < mnet_count(answer); i++) {
        mnet_said_t said = {ledger, mnet_item(answer, i), ""};

        said.where = apr_psprintf(ledger->pool, "[%d].", i);
        rv = hear_one(&said, person, heard);
    }
    /* Of two usernames of one person at the peer neither answer is the whole. */
    return rv || !whole || logins_at(person, ledger->peer) > 1
               ? rv
               : withdraw_rest(ledger, person, heard);
}

apr_status_t mnet_pull_user(mnet_pull_t *pull, const char *username, int whole)
{
    const mnet_value_t *answer;
    mnet_ledger_t ledger;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, pull->scratch ? pull->scratch : pull->pool);

    if (rv) {
        return rv;
    }
    rv = ask(pull, mnet_ledger_path(pull->host, "list_user_enrolments", pool),
             mnet_string(username, pool), &answer, pool);
    if (rv == MNET_E_PEER) {
        return rv; /* the reply stays to be read */
    }
    if (!rv) {
        rv = mnet_pull_into(pull, &ledger, pool);
        rv = rv ? rv
                : mnet_pull_end(pull, &ledger, apr_pstrcat(pool, "enrolments of ", username, NULL),
                                hear_all(&ledger, username, answer, whole));
    }
    pull->reply = NULL;
    apr_pool_destroy(pool);
    return rv;
}

/* --- all users --- */

typedef struct users_t {
    mnet_pull_t *pull;
    apr_array_header_t *names; /* const char *, of this batch */
} users_t;

static apr_status_t see_user(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                             apr_pool_t *scratch)
{
    users_t *users = baton;
    mnet_person_t *person = NULL;
    apr_status_t rv = mnet_person_unpack(name->bytes, data, len, &person, scratch);

    if (!users->names) {
        users->names = apr_array_make(scratch, 64, sizeof(const char *));
    }
    for (int i = 0; !rv && i < person->logins->nelts; i++) {
        const mnet_login_name_t *login = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);

        if (!strcmp(login->peer, users->pull->peer)) {
            APR_ARRAY_PUSH(users->names, const char *) = login->username;
        }
    }
    return rv;
}

static apr_status_t users_done(void *baton, apr_pool_t *scratch)
{
    users_t *users = baton;
    apr_array_header_t *names = users->names;
    mnet_pull_t *pull = users->pull;
    apr_status_t rv = APR_SUCCESS;

    users->names = NULL;
    pull->scratch = scratch;
    for (int i = 0; !rv && names && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        rv = mnet_pull_user(pull, name, 1);
        if (rv == MNET_E_PEER && pull->reply && pull->reply->kind == MNET_CALL_FAULT) {
            mnet_pull_note(pull, apr_psprintf(scratch, "enrolments of %s: fault %d: %s", name,
                                              pull->reply->code, pull->reply->message));
            /* One that is not there any more is no reason to leave out the others. */
            rv = pull->reply->code == 7012 || pull->reply->code == 707 ? APR_EOF : APR_SUCCESS;
        }
        rv = rv == MNET_E_REFUSED ? APR_SUCCESS : rv;
    }
    pull->scratch = NULL;
    return rv;
}

static apr_status_t pull_users(mnet_pull_t *pull)
{
    users_t users = {pull, NULL};
    mnet_walk_t walk = {LEDGER_PERSON, see_user, users_done, &users};
    apr_status_t rv = mnet_walk(pull->host, &walk, pull->pool);

    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* --- everything in one answer --- */

static apr_status_t pull_everything(mnet_pull_t *pull)
{
    const mnet_value_t *answer;
    mnet_ledger_t ledger;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, pull->pool);

    rv = rv ? rv
            : ask(pull, mnet_ledger_path(pull->host, "list_everything", pool), NULL, &answer, pool);
    if (rv) {
        return rv;
    }
    rv = mnet_pull_into(pull, &ledger, pool);
    rv = rv ? rv
            : mnet_pull_end(pull, &ledger, "list_everything", mnet_say_everything(&ledger, answer));
    apr_pool_destroy(pool);
    pull->reply = NULL;
    return rv;
}

apr_status_t mnet_pull_all(mnet_pull_t *pull)
{
    const mnet_peer_t *peer;
    apr_status_t rv = mnet_host_look(pull->host, pull->peer, &peer, NULL, pull->pool);

    if (rv) {
        return rv;
    }
    if (mnet_policy_subscribes(peer, pull->host->site->ledger->service)) {
        rv = pull_everything(pull);
        if (rv == MNET_E_PEER && is_mere_refusal(pull)) {
            mnet_pull_note(pull, apr_pstrcat(pull->pool, "the site has no list_everything: ",
                                             pull->reply->message, NULL));
            rv = APR_SUCCESS;
        }
        rv = rv == MNET_E_REFUSED ? APR_SUCCESS : rv;
        rv = rv ? rv : pull_users(pull);
    } else {
        mnet_pull_note(pull, apr_psprintf(pull->pool, "we do not subscribe to its service %s",
                                          pull->host->site->ledger->service));
    }
    if (!rv && mnet_policy_subscribes(peer, "mnet_enrol")) {
        rv = mnet_pull_courses(pull);
        rv = rv == MNET_E_REFUSED ? APR_SUCCESS : rv;
    } else if (!rv) {
        mnet_pull_note(pull, "we do not subscribe to its service mnet_enrol");
    }
    return rv;
}
