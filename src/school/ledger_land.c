/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the ledger meets sign-on.  Whoever was imported and not allowed stays outside; whoever is
 * unknown comes in, is entered, and their enrolments are fetched behind their back.
 *
 *   group          key                          value
 *   ledger-fetch   site, SHA-256(peer, username) whose enrolments are still to be had
 */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/fault.h"
#include "school/ledger_int.h"
#include "school/ledger_pull.h"
#include "school/school.h"
#include "service/account.h"
#include "trust/policy.h"

#define FETCH     "ledger-fetch"
#define VERSION   1
#define AGAIN     apr_time_from_sec(600)
#define TRIES_MAX 100
#define AT_ONCE   100
#define LOOK      apr_time_from_sec(60)

/* --- may they come in? --- */

/* Who may write in the ledger may say who is who in it: the idnumber of a profile, or NULL. */
static const char *idnumber_of(const mnet_host_t *host, const mnet_peer_t *peer,
                               const apr_array_header_t *fields, apr_pool_t *pool)
{
    const char *said = fields && mnet_policy_publishes(peer, host->site->ledger->service)
                           ? mnet_attribute_find(fields, "idnumber")
                           : NULL;
    char *id;

    if (!said || mnet_ledger_text_problem(said, MNET_LEDGER_ID_MAX)) {
        return NULL;
    }
    /* As fetch_user has it. */
    id = apr_pstrdup(pool, said + strspn(said, " "));
    for (apr_size_t len = strlen(id); len && id[len - 1] == ' '; len--) {
        id[len - 1] = '\0';
    }
    return mnet_or_null(id);
}

static int may_login(const mnet_person_t *person, const char *peer, const char *username)
{
    for (int i = 0; i < person->logins->nelts; i++) {
        const mnet_login_name_t *login = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);

        if (!strcmp(login->peer, peer) && !strcmp(login->username, username)) {
            return login->allowed;
        }
    }
    return 1;
}

/* Under a name that is new here: as under the one at the same site, else as under any.  Names of
 * our own users are no matter of sites. */
static int may_as_another(const mnet_ledger_t *ledger, const mnet_person_t *person)
{
    const char *own = ledger->host->site->wwwroot;
    int here = 0, here_allowed = 0, count = 0, allowed = 0;

    for (int i = 0; i < person->logins->nelts; i++) {
        const mnet_login_name_t *login = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);
        int same = !strcmp(login->peer, ledger->peer);

        if (!strcmp(login->peer, own)) {
            continue;
        }
        count++;
        here |= same;
        here_allowed |= same && login->allowed;
        allowed |= login->allowed;
    }
    return !count || (here ? here_allowed : allowed);
}

static apr_status_t may_enter(mnet_ledger_t *ledger, const char *username, const char *idnumber,
                              int *may)
{
    mnet_person_t *person;
    int was = 0;
    apr_status_t rv = mnet_ledger_find_login(ledger, ledger->peer, username, &person);

    if (!APR_STATUS_IS_NOTFOUND(rv)) {
        *may = !rv && may_login(person, ledger->peer, username);
        return rv;
    }
    rv = mnet_ledger_was_login(ledger, ledger->peer, username, &was);
    *may = !was;
    if (rv || was || !idnumber) {
        return rv;
    }
    rv = mnet_ledger_find_idnumber(ledger, idnumber, &person);
    *may = rv || may_as_another(ledger, person);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

apr_status_t mnet_ledger_admit(mnet_host_t *host, const mnet_peer_t *peer, const char *username,
                               const apr_array_header_t *fields, apr_pool_t *pool)
{
    mnet_ledger_t ledger;
    apr_status_t rv;
    int may = 0;

    if (!mnet_ledger_on(host)) {
        return APR_SUCCESS;
    }
    rv = mnet_ledger_begin(&ledger, host, MNET_READ, peer->facts->wwwroot, 0, pool);
    if (rv) {
        return rv;
    }
    rv = may_enter(&ledger, username, idnumber_of(host, peer, fields, pool), &may);
    mnet_ledger_abort(&ledger);
    return rv || may ? rv : MNET_E_REFUSED;
}

/* --- what is still to be fetched --- */

/* A wwwroot has no space in it. */
const char *mnet_ledger_newcomer(const char *peer, const char *username, apr_pool_t *pool)
{
    return apr_pstrcat(pool, peer, " ", username, NULL);
}

typedef struct fetch_t {
    const char *peer, *username;
    apr_time_t due;
    int tries;
} fetch_t;

static apr_status_t fetch_key(const mnet_host_t *host, const fetch_t *fetch, mnet_name_t *key)
{
    mnet_name_begin(host, key);
    return mnet_name_add_digest(host, key, fetch->peer, fetch->username);
}

static apr_status_t read_fetch(const mnet_host_t *host, const void *data, apr_size_t len,
                               fetch_t *fetch, apr_pool_t *pool)
{
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_record_open(&unpack, host, data, len, VERSION, pool);

    fetch->peer = mnet_unpack_text(&unpack);
    fetch->username = mnet_unpack_text(&unpack);
    fetch->due = mnet_unpack_i64(&unpack);
    fetch->tries = (int)mnet_unpack_i64(&unpack);
    rv = rv ? rv : mnet_unpack_end(&unpack);
    return rv || (fetch->peer && fetch->username) ? rv : APR_NOTFOUND;
}

static apr_status_t put_fetch(const mnet_host_t *host, mnet_txn_t *txn, const fetch_t *fetch,
                              apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_record_create(host, VERSION, pool);
    mnet_name_t key;
    apr_status_t rv = fetch_key(host, fetch, &key);

    mnet_pack_text(pack, fetch->peer);
    mnet_pack_text(pack, fetch->username);
    mnet_pack_i64(pack, fetch->due);
    mnet_pack_i64(pack, fetch->tries);
    return rv ? rv : mnet_record_put(txn, FETCH, &key, pack);
}

static apr_status_t get_fetch(const mnet_host_t *host, mnet_txn_t *txn, fetch_t *fetch,
                              apr_pool_t *pool)
{
    mnet_name_t key;
    const void *data;
    apr_size_t len;
    apr_status_t rv = fetch_key(host, fetch, &key);

    rv = rv ? rv : mnet_txn_get(txn, FETCH, key.bytes, key.len, &data, &len);
    return rv ? rv : read_fetch(host, data, len, fetch, pool);
}

typedef struct looking_t {
    mnet_host_t *host;
    apr_time_t now;
    apr_array_header_t *due; /* const char * */
    apr_pool_t *pool;
} looking_t;

static apr_status_t see_fetch(void *baton, const mnet_name_t *name, const void *data,
                              apr_size_t len, apr_pool_t *scratch)
{
    looking_t *looking = baton;
    fetch_t fetch;

    if (read_fetch(looking->host, data, len, &fetch, scratch) == APR_SUCCESS &&
        fetch.due <= looking->now && looking->due->nelts < AT_ONCE) {
        APR_ARRAY_PUSH(looking->due, const char *) =
            mnet_ledger_newcomer(fetch.peer, fetch.username, looking->pool);
    }
    return APR_SUCCESS;
}

apr_array_header_t *mnet_ledger_newcomers(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    looking_t looking = {host, now, apr_array_make(pool, 4, sizeof(const char *)), pool};
    mnet_walk_t walk = {FETCH, see_fetch, NULL, &looking};

    if (mnet_ledger_on(host) &&
        mnet_shared_once(host->engine->shared, "ledger-fetch", host->site->wwwroot, now, LOOK)) {
        apr_status_t rv = mnet_walk(host, &walk, pool);

        if (rv) {
            mnet_log(host->engine->log, MNET_LOG_WARNING, rv, "MNET1140",
                     "%s: whose enrolments are to be fetched cannot be read; it is tried again in "
                     "a minute",
                     host->site->wwwroot);
        }
    }
    return looking.due;
}

/* --- a newcomer --- */

typedef struct coming_t {
    mnet_host_t *host;
    const mnet_peer_t *peer;
    fetch_t fetch;
    apr_time_t now;
    apr_pool_t *pool;
} coming_t;

static void trouble(const coming_t *coming, apr_status_t rv, const char *id, const char *what)
{
    mnet_log(coming->host->engine->log, MNET_LOG_WARNING, rv, id, "%s: %s of %s: %s",
             coming->host->site->wwwroot, mnet_say(coming->fetch.username, coming->pool),
             coming->fetch.peer, what);
}

/* 1: there is something to fetch. */
static int is_waiting(coming_t *coming, int *known)
{
    fetch_t fetch = coming->fetch;
    mnet_ledger_t ledger;
    mnet_person_t *person;
    apr_status_t rv = mnet_ledger_begin(&ledger, coming->host, MNET_READ, coming->fetch.peer,
                                        coming->now, coming->pool);
    int waiting = 0;

    *known = 1;
    if (!rv) {
        rv = mnet_ledger_find_login(&ledger, fetch.peer, fetch.username, &person);
        *known = !APR_STATUS_IS_NOTFOUND(rv);
        rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
        waiting = !rv && !get_fetch(coming->host, ledger.txn, &fetch, coming->pool);
        coming->fetch = fetch;
        mnet_ledger_abort(&ledger);
    }
    if (rv) {
        trouble(coming, rv, "MNET1141", "the ledger cannot be read");
    }
    return waiting;
}

/* Enters them, with what their site said of them when they landed. */
static apr_status_t enter(coming_t *coming, int fetch)
{
    mnet_person_facts_t facts = {
        .peer = coming->fetch.peer, .username = coming->fetch.username, .allowed = 1};
    mnet_account_t *account = NULL;
    mnet_ledger_t ledger;
    mnet_person_t *person;
    apr_status_t rv = mnet_ledger_begin(&ledger, coming->host, MNET_WRITE, coming->fetch.peer,
                                        coming->now, coming->pool);

    if (rv) {
        return rv;
    }
    rv = mnet_account_in(coming->host, ledger.txn, facts.peer, facts.username, &account,
                         coming->pool);
    rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    if (account) {
        facts.fields = account->attributes;
        facts.idnumber = idnumber_of(coming->host, coming->peer, account->attributes, coming->pool);
    }
    rv = rv ? rv : mnet_ledger_put_person(&ledger, &facts, &person);
    if (!rv && fetch) {
        coming->fetch.due = coming->now + AGAIN;
        rv = put_fetch(coming->host, ledger.txn, &coming->fetch, coming->pool);
    }
    rv = rv ? rv : mnet_ledger_commit(&ledger);
    mnet_ledger_abort(&ledger);
    return rv;
}

/* Done with, or to be tried again. */
static void settle(coming_t *coming, int again)
{
    mnet_name_t key;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(coming->host->engine->store, MNET_WRITE, &txn, coming->pool);

    if (!rv) {
        coming->fetch.tries++;
        coming->fetch.due = coming->now + AGAIN;
        rv = fetch_key(coming->host, &coming->fetch, &key);
        if (!rv) {
            rv = again && coming->fetch.tries < TRIES_MAX
                     ? put_fetch(coming->host, txn, &coming->fetch, coming->pool)
                     : mnet_txn_del(txn, FETCH, key.bytes, key.len);
        }
        rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
        rv = rv ? rv : mnet_txn_commit(txn);
        mnet_txn_abort(txn);
    }
    if (rv) {
        trouble(coming, rv, "MNET1142", "it cannot be noted that their enrolments were fetched");
    }
}

static void fetch_enrolments(coming_t *coming)
{
    mnet_pull_t pull;
    apr_status_t rv;
    int again;

    mnet_pull_begin(&pull, coming->host, coming->fetch.peer, coming->now, coming->pool);
    rv = mnet_pull_user(&pull, coming->fetch.username, 0);
    if (!rv) {
        mnet_log(coming->host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET1143",
                 "%s: %s of %s is new here; %" APR_INT64_T_FMT " entries were fetched",
                 coming->host->site->wwwroot, mnet_say(coming->fetch.username, coming->pool),
                 coming->fetch.peer, pull.added);
    } else if (rv == MNET_E_PEER) {
        trouble(coming, APR_SUCCESS, "MNET1144",
                apr_pstrcat(coming->pool, "their enrolments could not be fetched: ",
                            mnet_say(pull.reply->message, coming->pool), NULL));
    } else {
        trouble(coming, rv == MNET_E_REFUSED ? APR_SUCCESS : rv, "MNET1145",
                apr_pstrcat(coming->pool, "their enrolments could not be entered: ",
                            pull.notes->nelts
                                ? mnet_say(APR_ARRAY_IDX(pull.notes, 0, const char *), coming->pool)
                                : "the ledger failed",
                            NULL));
    }
    again = rv && rv != MNET_E_REFUSED &&
            !(rv == MNET_E_PEER && pull.reply->kind == MNET_CALL_FAULT &&
              pull.reply->code != MNET_FAULT_BUSY);
    settle(coming, again);
}

void mnet_ledger_welcome(mnet_host_t *host, const char *newcomer, apr_time_t now, apr_pool_t *pool)
{
    coming_t coming = {.host = host, .now = now, .pool = pool};
    const char *space = strchr(newcomer, ' ');
    int fetch, known, waiting;

    if (!space || !mnet_ledger_on(host)) {
        return;
    }
    coming.fetch.peer = apr_pstrmemdup(pool, newcomer, (apr_size_t)(space - newcomer));
    coming.fetch.username = space + 1;
    waiting = is_waiting(&coming, &known);
    if (mnet_host_look(host, coming.fetch.peer, &coming.peer, NULL, pool)) {
        coming.peer = NULL;
    }
    fetch = coming.peer && mnet_policy_subscribes(coming.peer, host->site->ledger->service);
    if (waiting && !fetch) {
        settle(&coming, 0); /* it cannot be asked any more */
    }
    if (!coming.peer) {
        return;
    }
    if (!known) {
        apr_status_t rv = enter(&coming, fetch);

        if (rv) {
            trouble(&coming, rv, "MNET1146", "they could not be entered in the ledger");
            return;
        }
        waiting = fetch;
    }
    if (waiting && fetch) {
        fetch_enrolments(&coming);
    }
}
