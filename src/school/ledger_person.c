/* SPDX-License-Identifier: Apache-2.0 */
/* People: who is meant, and what is known of them. */
#include "school/ledger_int.h"

#include <apr_strings.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "service/account.h"
#include "trust/site.h"

/* --- looking up --- */

static apr_status_t get(mnet_ledger_t *ledger, apr_int64_t id, mnet_person_t **person)
{
    mnet_name_t key;
    const void *data;
    apr_size_t len;
    apr_status_t rv;

    *person = NULL;
    mnet_key_of(ledger, &key, id, 0);
    rv = mnet_txn_get(ledger->txn, LEDGER_PERSON, key.bytes, key.len, &data, &len);
    return rv ? rv : mnet_person_unpack(key.bytes, data, len, person, ledger->pool);
}

apr_status_t mnet_ledger_person(mnet_ledger_t *ledger, apr_int64_t id, mnet_person_t **person)
{
    apr_status_t rv = get(ledger, id, person);

    /* One that was found to be another is never found to be a third. */
    return !rv && (*person)->same_as ? get(ledger, (*person)->same_as, person) : rv;
}

static apr_status_t one_of(mnet_ledger_t *ledger, char letter, const char *a, const char *b,
                           mnet_person_t **person)
{
    apr_array_header_t *ids;
    apr_status_t rv = mnet_index_find(ledger, letter, a, b, &ids);

    *person = NULL;
    if (rv) {
        return rv;
    }
    if (ids->nelts > 1) {
        return MNET_E_EXISTS;
    }
    return ids->nelts ? mnet_ledger_person(ledger, APR_ARRAY_IDX(ids, 0, apr_int64_t), person)
                      : APR_NOTFOUND;
}

apr_status_t mnet_ledger_find_login(mnet_ledger_t *ledger, const char *peer, const char *username,
                                    mnet_person_t **person)
{
    return one_of(ledger, NAME_LOGIN, peer, username, person);
}

apr_status_t mnet_ledger_find_idnumber(mnet_ledger_t *ledger, const char *idnumber,
                                       mnet_person_t **person)
{
    return one_of(ledger, NAME_IDNUMBER, idnumber, NULL, person);
}

/* username NULL: the first at that peer. */
static mnet_login_name_t *login_at(const mnet_person_t *person, const char *peer,
                                   const char *username)
{
    for (int i = 0; peer && i < person->logins->nelts; i++) {
        mnet_login_name_t *login = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);

        if (!strcmp(login->peer, peer) && (!username || !strcmp(login->username, username))) {
            return login;
        }
    }
    return NULL;
}

apr_status_t mnet_ledger_find_person(mnet_ledger_t *ledger, const char *name,
                                     mnet_person_t **person)
{
    apr_status_t mine, rv = one_of(ledger, NAME_IDNUMBER, name, NULL, person);
    mnet_person_t *own;

    if (!ledger->peer || (rv && !APR_STATUS_IS_NOTFOUND(rv)) ||
        (!rv && login_at(*person, ledger->peer, NULL))) {
        return rv;
    }
    /* No other peer's idnumber stands before what this one calls its own user. */
    mine = mnet_ledger_find_login(ledger, ledger->peer, name, &own);
    if (!mine) {
        *person = own;
    }
    return APR_STATUS_IS_NOTFOUND(mine) ? rv : mine;
}

/* "alice@moodle.example.org" */
static apr_status_t at_peer(mnet_ledger_t *ledger, const char *name, mnet_person_t **person)
{
    const char *at = strrchr(name, '@');
    apr_status_t rv = APR_NOTFOUND;

    for (int i = 0; at && at > name && i < 3 && APR_STATUS_IS_NOTFOUND(rv); i++) {
        static const char *const schemes[] = {"https://", "http://", ""};

        rv = mnet_ledger_find_login(ledger, apr_pstrcat(ledger->pool, schemes[i], at + 1, NULL),
                                    apr_pstrmemdup(ledger->pool, name, (apr_size_t)(at - name)),
                                    person);
    }
    return rv;
}

apr_status_t mnet_ledger_named_person(mnet_ledger_t *ledger, const char *name,
                                      mnet_person_t **person)
{
    apr_int64_t id;
    apr_status_t rv = one_of(ledger, NAME_IDNUMBER, name, NULL, person);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = at_peer(ledger, name, person);
    }
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = one_of(ledger, NAME_USERNAME, name, NULL, person);
    }
    if (APR_STATUS_IS_NOTFOUND(rv) && name[0] == '#' &&
        mnet_parse_int(name + 1, strlen(name + 1), &id)) {
        rv = mnet_ledger_person(ledger, id, person);
    }
    return rv;
}

/* --- changing --- */

/* The record of one who was changed, and its place in the history. */
static apr_status_t write_person(mnet_ledger_t *ledger, mnet_person_t *person)
{
    mnet_name_t key;
    const void *data;
    apr_size_t len;

    person->mark = mnet_ledger_mark(ledger);
    data = mnet_person_pack(person, &len, ledger->pool);
    mnet_key_of(ledger, &key, person->id, 0);
    return mnet_ledger_write(ledger, LEDGER_PERSON, HISTORY_PERSON, &key, data, len);
}

static apr_status_t name_login(mnet_ledger_t *ledger, apr_int64_t id, const char *peer,
                               const char *username)
{
    apr_status_t rv = mnet_index_add(ledger, NAME_LOGIN, peer, username, id);

    return rv ? rv : mnet_index_add(ledger, NAME_USERNAME, username, NULL, id);
}

/* The bare name stays if another peer knows them by it.  That the login was somebody's is noted. */
static apr_status_t unname_login(mnet_ledger_t *ledger, const mnet_person_t *person,
                                 const char *peer, const char *username)
{
    int others = 0;
    apr_status_t rv = mnet_index_del(ledger, NAME_LOGIN, peer, username, person->id);

    rv = rv ? rv : mnet_index_add(ledger, NAME_GONE, peer, username, person->id);
    for (int i = 0; i < person->logins->nelts; i++) {
        const mnet_login_name_t *one = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);

        others += strcmp(one->peer, peer) && !strcmp(one->username, username);
    }
    return rv || others ? rv : mnet_index_del(ledger, NAME_USERNAME, username, NULL, person->id);
}

/* Is it more than one message may hold? */
static int is_too_much(const apr_array_header_t *fields)
{
    apr_size_t total = 0;

    for (int i = 0; i < fields->nelts && total <= MNET_PROFILE_MAX; i++) {
        total += strlen(APR_ARRAY_IDX(fields, i, mnet_attribute_t).value);
    }
    return fields->nelts > MNET_LEDGER_FIELDS || total > MNET_PROFILE_MAX;
}

/* What is said now beside what was said before, or instead of it if both are too much; *changed: 1
 * if anything is new. */
static const apr_array_header_t *merge_fields(mnet_ledger_t *ledger,
                                              const apr_array_header_t *before,
                                              const apr_array_header_t *said, int *changed)
{
    apr_array_header_t *fields;

    if (!said) {
        return before;
    }
    fields = before ? apr_array_copy(ledger->pool, before)
                    : apr_array_make(ledger->pool, 8, sizeof(mnet_attribute_t));
    for (int i = 0; i < said->nelts; i++) {
        const mnet_attribute_t *one = &APR_ARRAY_IDX(said, i, mnet_attribute_t);
        int at = 0;

        while (at < fields->nelts &&
               strcmp(APR_ARRAY_IDX(fields, at, mnet_attribute_t).name, one->name)) {
            at++;
        }
        if (at == fields->nelts) {
            *changed |= *one->value != '\0';
            if (*one->value) {
                APR_ARRAY_PUSH(fields, mnet_attribute_t) = *one;
            }
        } else if (strcmp(APR_ARRAY_IDX(fields, at, mnet_attribute_t).value, one->value)) {
            APR_ARRAY_IDX(fields, at, mnet_attribute_t).value = one->value;
            *changed = 1;
        }
    }
    return is_too_much(fields) ? said : fields;
}

/* A username that its site has given to somebody else now: it is no longer this person's. */
static apr_status_t take_login(mnet_ledger_t *ledger, mnet_person_t *person, const char *peer,
                               const char *username)
{
    apr_array_header_t *logins = apr_array_make(ledger->pool, 2, sizeof(mnet_login_name_t));
    const mnet_login_name_t *login = login_at(person, peer, username);
    apr_status_t rv = unname_login(ledger, person, peer, username);

    for (int i = 0; i < person->logins->nelts; i++) {
        const mnet_login_name_t *one = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);

        if (one != login) {
            APR_ARRAY_PUSH(logins, mnet_login_name_t) = *one;
        }
    }
    person->logins = logins;
    return rv ? rv : write_person(ledger, person);
}

static apr_status_t set_idnumber(mnet_ledger_t *ledger, mnet_person_t *person, const char *idnumber,
                                 int *changed)
{
    if (!idnumber || mnet_same(person->idnumber, idnumber)) {
        return APR_SUCCESS;
    }
    person->idnumber = idnumber;
    *changed = 1;
    return mnet_index_add(ledger, NAME_IDNUMBER, idnumber, NULL, person->id);
}

static apr_status_t set_login(mnet_ledger_t *ledger, mnet_person_t *person,
                              const mnet_person_facts_t *facts, int *changed)
{
    mnet_login_name_t *login = login_at(person, facts->peer, facts->username);
    apr_status_t rv = APR_SUCCESS;

    if (!ledger->peer) {
        person->fields = merge_fields(ledger, person->fields, facts->fields, changed);
    }
    if (!facts->peer) {
        return APR_SUCCESS;
    }
    login = login ? login : login_at(person, facts->peer, NULL);
    if (login && strcmp(login->username, facts->username)) {
        rv = unname_login(ledger, person, facts->peer, login->username);
        /* Another name is another key to the door, and opens none that was shut. */
        login->allowed = login->allowed && facts->allowed;
    }
    if (!login && person->logins->nelts >= MNET_LEDGER_LOGINS) {
        return mnet_ledger_too_many_logins(ledger, person);
    }
    if (!login) {
        login = apr_array_push(person->logins);
        memset(login, 0, sizeof(*login));
        login->allowed = facts->allowed;
    }
    if (!rv && !mnet_same(login->username, facts->username)) {
        login->peer = facts->peer;
        login->username = facts->username;
        *changed = 1;
        rv = name_login(ledger, person->id, facts->peer, facts->username);
    }
    if (ledger->peer) {
        login->fields = merge_fields(ledger, login->fields, facts->fields, changed);
    }
    return rv;
}

apr_status_t mnet_ledger_was_login(mnet_ledger_t *ledger, const char *peer, const char *username,
                                   int *was)
{
    apr_array_header_t *ids;
    apr_status_t rv = mnet_index_find(ledger, NAME_GONE, peer, username, &ids);

    *was = !rv && ids->nelts;
    return rv;
}

static apr_status_t unite(mnet_ledger_t *ledger, mnet_person_t *from, mnet_person_t *to)
{
    apr_status_t rv = mnet_ledger_unite(ledger, from, to);

    rv = rv ? rv : write_person(ledger, from);
    return rv ? rv : write_person(ledger, to);
}

/* Who is meant: by idnumber, else by login.  *stale: who has that login now, but is not meant. */
static apr_status_t who(mnet_ledger_t *ledger, const mnet_person_facts_t *facts,
                        mnet_person_t **person, mnet_person_t **stale)
{
    mnet_person_t *by_login = NULL, *by_id = NULL;
    apr_status_t rv = APR_SUCCESS;

    *person = *stale = NULL;
    if (facts->idnumber) {
        rv = one_of(ledger, NAME_IDNUMBER, facts->idnumber, NULL, &by_id);
        rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    if (!rv && facts->peer) {
        rv = mnet_ledger_find_login(ledger, facts->peer, facts->username, &by_login);
        rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    if (rv) {
        return rv;
    }
    if (by_id && by_login && by_id->id != by_login->id && !by_login->idnumber) {
        /* The same person, who was met here twice. */
        *person = by_id;
        return unite(ledger, by_login, by_id);
    }
    if (by_id) {
        *person = by_id;
        *stale = by_login && by_login->id != by_id->id ? by_login : NULL;
    } else if (by_login && facts->idnumber && by_login->idnumber) {
        *stale = by_login;
    } else {
        *person = by_login;
    }
    return APR_SUCCESS;
}

apr_status_t mnet_ledger_put_person(mnet_ledger_t *ledger, const mnet_person_facts_t *facts,
                                    mnet_person_t **person)
{
    mnet_person_facts_t own = *facts;
    mnet_person_t *stale;
    int changed = 0, fresh, was = 0;
    apr_status_t rv = who(ledger, facts, person, &stale);

    if (!rv && stale) {
        rv = take_login(ledger, stale, facts->peer, facts->username);
    }
    if (!rv && facts->peer) {
        rv = mnet_ledger_was_login(ledger, facts->peer, facts->username, &was);
    }
    if (rv) {
        return rv;
    }
    /* With a name that was somebody's goes no right. */
    own.allowed = own.allowed && !was;
    fresh = !*person;
    if (fresh) {
        *person = apr_pcalloc(ledger->pool, sizeof(**person));
        (*person)->id = mnet_ledger_id(ledger);
        (*person)->logins = apr_array_make(ledger->pool, 2, sizeof(mnet_login_name_t));
    }
    rv = set_idnumber(ledger, *person, facts->idnumber, &changed);
    rv = rv ? rv : set_login(ledger, *person, &own, &changed);
    if (!rv && (fresh || changed)) {
        rv = write_person(ledger, *person);
    }
    mnet_ledger_did(ledger,
                    fresh     ? MNET_CHANGE_ADDED
                    : changed ? MNET_CHANGE_CHANGED
                              : MNET_CHANGE_NONE,
                    "person %s (%s): %s", mnet_person_id(*person, ledger->pool),
                    mnet_person_name(*person, ledger->pool), fresh ? "added" : "changed");
    return rv;
}

apr_status_t mnet_ledger_allow(mnet_ledger_t *ledger, mnet_person_t *person, const char *peer,
                               int allowed)
{
    int changed = 0, known = 0;

    for (int i = 0; i < person->logins->nelts; i++) {
        mnet_login_name_t *login = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);

        if (!peer || !strcmp(peer, login->peer)) {
            known = 1;
            changed |= login->allowed != allowed;
            login->allowed = allowed;
        }
    }
    if (!known) {
        return mnet_ledger_refuse(ledger, MNET_LEDGER_NO_PERSON, "user", "%s has no username at %s",
                                  mnet_person_id(person, ledger->pool), peer ? peer : "any site");
    }
    mnet_ledger_did(ledger, changed ? MNET_CHANGE_CHANGED : MNET_CHANGE_NONE,
                    "person %s: %s log in here", mnet_person_id(person, ledger->pool),
                    allowed ? "may" : "may not");
    return changed ? write_person(ledger, person) : APR_SUCCESS;
}
