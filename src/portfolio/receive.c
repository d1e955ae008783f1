/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer calls here to send something (MNET protocol reference, 5.5, 7.1, 7.3): it announces
 * that (intent), says that the package is ready, and is told whether we have it or will fetch it.
 */
#include "portfolio/receive.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/arrival.h"
#include "portfolio/intent.h"
#include "portfolio/location.h"
#include "portfolio/portfolio.h"
#include "rpc/call.h"
#include "rpc/fault.h"
#include "service/account.h"
#include "trust/policy.h"

#define FAULT_TOKEN   8009 /* unknown, or another's */
#define FAULT_EXPIRED 8010
#define FAULT_USER    8011
#define FAULT_DATA    8013 /* what "ready" says is no good */
#define FAULT_PACKAGE 8014 /* the package is */

#define FORMAT_MAX         50
#define FILENAME_MAX_BYTES 1024

static const char *say(const mnet_call_t *call, const char *text)
{
    return mnet_for_log(text, text ? strlen(text) : 0, 120, call->pool);
}

/* --- who --- */

/* A user of the caller's who has landed here, and may be here.  NULL: the fault is set. */
static const char *known_user(mnet_call_t *call, const char *username)
{
    mnet_account_t *account;
    const char *peer = call->peer->facts->wwwroot;
    apr_status_t rv = APR_NOTFOUND;

    if (username && *username && mnet_policy_user(call->peer, username)) {
        rv = mnet_account_find(call->host, peer, username, &account, call->pool);
    }
    if (!rv) {
        return username;
    }
    mnet_log(call->host->engine->log, MNET_LOG_NOTICE, rv, "MNET1011",
             "%s: %s would send something for %s, who never landed here or may not",
             call->host->site->wwwroot, peer, say(call, username));
    (void)mnet_call_fault(call, FAULT_USER, "Could not find user %s for %s", say(call, username),
                          peer);
    return NULL;
}

/* --- an intent --- */

/* The token, which is on disk; NULL: rv. */
static apr_status_t note_intent(mnet_call_t *call, const char *username, const char **token)
{
    mnet_intent_t intent = {.peer = call->peer->facts->wwwroot, .user = username};
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(call->host->engine->store, MNET_WRITE, &txn, call->pool);

    if (rv) {
        return rv;
    }
    rv = mnet_call_claim(call, txn);
    rv = rv ? rv : mnet_intent_create(call->host, txn, &intent, call->now, token, call->pool);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    if (!rv) {
        mnet_log(call->host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET1012",
                 "%s: %s will send something for %s", call->host->site->wwwroot, intent.peer,
                 say(call, username));
    }
    return rv;
}

static apr_status_t answer_intent(mnet_call_t *call, const char *username, int direct)
{
    static const char *const moodle[] = {"immediate", "queue", "none"};
    static const char *const first_design[] = {"queandwait", "queonly", "no"};
    int accept = call->host->site->portfolio->accept;
    const char *token = "";
    apr_status_t rv = APR_SUCCESS;

    if (!known_user(call, username)) {
        return APR_SUCCESS;
    }
    if (accept != MNET_ACCEPT_NONE) {
        rv = note_intent(call, username, &token);
    }
    if (rv == MNET_E_LIMIT) {
        mnet_log(call->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1021",
                 "%s: %s announced %d packages that it never sent: no more of them for now",
                 call->host->site->wwwroot, call->peer->facts->wwwroot, MNET_INTENTS_OPEN);
        accept = MNET_ACCEPT_NONE;
        token = "";
    } else if (rv) {
        return rv;
    }
    call->result = mnet_struct(call->pool);
    if (direct) {
        mnet_set(call->result, "id", mnet_string(token, call->pool));
        mnet_set(call->result, "type", mnet_string(first_design[accept], call->pool));
    } else {
        mnet_set(call->result, "sendtype", mnet_string(moodle[accept], call->pool));
        mnet_set(call->result, "token", mnet_string(token, call->pool));
    }
    return APR_SUCCESS;
}

static apr_status_t send_content_intent(mnet_call_t *call, void *baton)
{
    return answer_intent(call, mnet_call_text(call, 0), 0);
}

/* User information: the profile, or the username alone. */
static apr_status_t content_intent(mnet_call_t *call, void *baton)
{
    const mnet_value_t *user = mnet_call_param(call, 0);
    const char *username = mnet_call_text(call, 0);

    if (user && (user->type == MNET_STRUCT || user->type == MNET_ARRAY)) {
        username = mnet_as_text(mnet_get(user, "username"), call->pool);
    }
    return answer_intent(call, username, 1);
}

/* --- what "ready" says --- */

static const char *hex40(const mnet_value_t *value, apr_pool_t *pool)
{
    const char *text = mnet_as_text(value, pool);
    char *lower = text ? apr_pstrdup(pool, text) : NULL;

    if (!text || strlen(text) != 40 || strspn(text, "0123456789abcdefABCDEF") != 40) {
        return NULL;
    }
    for (char *at = lower; *at; at++) {
        *at = (char)(*at >= 'A' && *at <= 'F' ? *at + ('a' - 'A') : *at);
    }
    return lower;
}

/* A size that was said, or -1; *bad if it is none. */
static apr_off_t size_of(const mnet_value_t *value, int *bad)
{
    apr_int64_t size = -1;

    if (value && (!mnet_as_int(value, &size) || size < 0)) {
        *bad = 1;
    }
    return size;
}

/* NULL, or what is wrong with it. */
static const char *read_manifest(const mnet_value_t *value, mnet_arrival_t *arrival,
                                 apr_pool_t *pool)
{
    int count = mnet_count(value), bad = 0;
    apr_array_header_t *manifest;

    if (!value || (value->type != MNET_STRUCT && value->type != MNET_ARRAY) || !count) {
        return "Missing files manifest in import data";
    }
    if (count > mnet_package_limits_default.files) {
        return "Too many files in the manifest";
    }
    manifest = apr_array_make(pool, count, sizeof(mnet_package_expected_t));
    for (int i = 0; i < count; i++) {
        const mnet_value_t *one = mnet_item(value, i);
        mnet_package_expected_t *expected = apr_array_push(manifest);

        expected->filename = mnet_as_text(mnet_get(one, "filename"), pool);
        expected->sha1 = hex40(mnet_get(one, "sha1"), pool);
        expected->size = size_of(mnet_get(one, "size"), &bad);
        if (!expected->filename || !*expected->filename ||
            strlen(expected->filename) > FILENAME_MAX_BYTES || !expected->sha1 || bad) {
            return "A file of the manifest lacks its filename, its sha1 or its size";
        }
    }
    arrival->manifest = manifest;
    return NULL;
}

/* zipfilesha1, sizes.  strict: as a Mahara demands them. */
static const char *read_sizes(const mnet_value_t *data, int strict, apr_off_t max,
                              mnet_arrival_t *arrival, apr_pool_t *pool)
{
    int bad = 0;

    arrival->sha1 = hex40(mnet_get(data, "zipfilesha1"), pool);
    arrival->size = size_of(mnet_get(data, "zipfilesize"), &bad);
    arrival->total = size_of(mnet_get(data, "totalsize"), &bad);
    if (!arrival->sha1 && (strict || mnet_get(data, "zipfilesha1"))) {
        return "Missing zipfile sha1 in import data";
    }
    if (bad) {
        return "A size is no number";
    }
    if (strict && arrival->total < 0) {
        return "missing totalsize";
    }
    if (arrival->total > max || arrival->size > max) {
        return "Exceeded user quota";
    }
    return NULL;
}

/* What send_content_ready says, as an arrival.  0: the fault is set. */
static int read_ready(mnet_call_t *call, mnet_arrival_t *arrival)
{
    const mnet_value_t *data = mnet_call_param(call, 3);
    apr_off_t max = call->host->site->portfolio->max_size;
    const char *problem;

    arrival->token = mnet_call_text(call, 0);
    arrival->format = mnet_call_text(call, 2);
    if (!arrival->format || !*arrival->format || strlen(arrival->format) > FORMAT_MAX ||
        !mnet_is_utf8(arrival->format, strlen(arrival->format))) {
        (void)mnet_call_fault(call, FAULT_DATA, "Invalid format %s", say(call, arrival->format));
        return 0;
    }
    problem = read_manifest(mnet_get(data, "filesmanifest"), arrival, call->pool);
    problem = problem ? problem : read_sizes(data, 1, max, arrival, call->pool);
    if (!problem) {
        return 1;
    }
    mnet_log(call->host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1013",
             "%s: what %s has ready for %s is refused: %s", call->host->site->wwwroot,
             call->peer->facts->wwwroot, say(call, mnet_call_text(call, 1)), problem);
    (void)mnet_call_fault(call, FAULT_DATA, "%s%s",
                          strcmp(problem, "Exceeded user quota") ? "Invalid importdata: " : "",
                          problem);
    return 0;
}

/* What content_ready says: id, location, and perhaps whether the user waits, and import data. */
static int read_content_ready(mnet_call_t *call, mnet_arrival_t *arrival)
{
    const mnet_value_t *data = mnet_call_param(call, 3);
    const char *problem;

    arrival->token = mnet_call_text(call, 0);
    arrival->location = mnet_call_text(call, 1);
    arrival->format = mnet_as_text(mnet_get(data, "format"), call->pool);
    arrival->size = arrival->total = -1;
    problem = mnet_location_problem(call->peer->facts->wwwroot,
                                    arrival->location ? arrival->location : "", call->pool);
    if (arrival->format && (!*arrival->format || strlen(arrival->format) > FORMAT_MAX ||
                            !mnet_is_utf8(arrival->format, strlen(arrival->format)))) {
        arrival->format = NULL;
    }
    if (!problem && data && mnet_count(data)) {
        problem = mnet_get(data, "filesmanifest")
                      ? read_manifest(mnet_get(data, "filesmanifest"), arrival, call->pool)
                      : NULL;
        problem = problem ? problem
                          : read_sizes(data, 0, call->host->site->portfolio->max_size, arrival,
                                       call->pool);
    }
    if (!problem) {
        return 1;
    }
    mnet_log(call->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1014",
             "%s: a package of %s is refused: %s: %s", call->host->site->wwwroot,
             call->peer->facts->wwwroot, say(call, arrival->location), problem);
    (void)mnet_call_fault(call, FAULT_DATA, "%s", problem);
    return 0;
}

/* --- "ready" --- */

/* One "ready": what it says, and what becomes of it. */
typedef struct ready_t {
    mnet_call_t *call;
    mnet_portfolio_t *portfolio;
    mnet_arrival_t *arrival;
    const char *user; /* NULL: whoever the intent is of */
    const char *kind;
    int wait;
    const void *payload;
    apr_size_t len;
    const char *said; /* the payload's digest */
    mnet_intent_t *intent;
    const char *item;
} ready_t;

static apr_status_t refuse_token(ready_t *ready, const char *why, int code, const char *told)
{
    mnet_call_t *call = ready->call;

    mnet_log(call->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1015",
             "%s: %s says that something is ready%s%s: %s", call->host->site->wwwroot,
             call->peer->facts->wwwroot, ready->user ? " for " : "",
             ready->user ? say(call, ready->user) : "", why);
    return mnet_call_fault(call, code, "%s", told);
}

/* Whether that token is this peer's and this user's, nobody else is told. */
static apr_status_t check_intent(ready_t *ready, mnet_txn_t *txn)
{
    mnet_call_t *call = ready->call;
    const char *peer = call->peer->facts->wwwroot, *why = NULL;
    apr_status_t rv =
        mnet_intent_get(call->host, txn, ready->arrival->token, &ready->intent, call->pool);

    if (rv && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    if (rv) {
        why = "there is no such intent";
    } else if (strcmp(ready->intent->peer, peer)) {
        why = "the intent is another peer's";
    } else if (ready->user && strcmp(ready->intent->user, ready->user)) {
        why = "the intent is of another user";
    }
    if (why) {
        return refuse_token(
            ready, why, FAULT_TOKEN,
            apr_psprintf(call->pool,
                         "Could not find queue record with given token for username %s for %s",
                         ready->user ? say(call, ready->user) : "", peer));
    }
    if (ready->intent->state == MNET_INTENT_OPEN && ready->intent->expires <= call->now) {
        return refuse_token(ready, "the intent has expired", FAULT_EXPIRED,
                            "Queue record has expired");
    }
    if (ready->intent->state != MNET_INTENT_OPEN &&
        (!ready->intent->said || strcmp(ready->intent->said, ready->said))) {
        return refuse_token(ready, "it said so before, of another package", FAULT_TOKEN,
                            "Something else was announced as ready with this token before");
    }
    return APR_SUCCESS;
}

/* Into the queue; or, said again, one that was parked is tried again. */
static apr_status_t enqueue(ready_t *ready, mnet_txn_t *txn)
{
    mnet_call_t *call = ready->call;
    mnet_intent_t *intent = ready->intent;
    mnet_queue_item_t item = {.kind = ready->kind,
                              .peer = call->peer->facts->wwwroot,
                              .user = intent->user,
                              .title = mnet_arrival_title(ready->arrival, call->pool)};
    mnet_queue_item_t *before;
    apr_status_t rv;

    if (intent->state == MNET_INTENT_DONE) {
        return APR_SUCCESS;
    }
    if (intent->state == MNET_INTENT_READY) {
        ready->item = intent->item;
        rv = mnet_queue_get(call->host, txn, intent->item, &before, call->pool);
        if (!rv && before->state == MNET_QUEUE_PARKED) {
            rv = mnet_queue_again(call->host, txn, before, call->now, call->pool);
        }
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    rv = mnet_queue_put(call->host, txn, &item, ready->payload, ready->len, call->now, call->pool);
    intent->state = MNET_INTENT_READY;
    intent->item = ready->item = item.id;
    intent->said = ready->said;
    return rv ? rv : mnet_intent_put(call->host, txn, ready->arrival->token, intent, call->pool);
}

static apr_status_t note_ready(ready_t *ready)
{
    mnet_call_t *call = ready->call;
    unsigned char digest[MNET_SHA256];
    mnet_txn_t *txn;
    apr_status_t rv;

    ready->payload = mnet_arrival_pack(ready->arrival, &ready->len, call->pool);
    /* The address it said so from does not make it another package. */
    rv = mnet_sha256(call->host->engine->crypto, ready->payload, ready->len, NULL, 0, digest);
    ready->said = mnet_hex(digest, sizeof(digest), call->pool);
    if (ready->arrival->location) {
        ready->arrival->caller = call->address;
        ready->payload = mnet_arrival_pack(ready->arrival, &ready->len, call->pool);
    }
    rv = rv ? rv : mnet_txn_begin(call->host->engine->store, MNET_WRITE, &txn, call->pool);
    if (rv) {
        return rv;
    }
    rv = mnet_call_claim(call, txn);
    rv = rv ? rv : check_intent(ready, txn);
    if (!rv && !call->fault_text) {
        rv = enqueue(ready, txn);
        rv = rv ? rv : mnet_txn_commit(txn);
    }
    mnet_txn_abort(txn);
    return rv;
}

/* "complete", "queued", or a fault. */
static apr_status_t answer_ready(ready_t *ready, const char *type, const char *query)
{
    mnet_call_t *call = ready->call;

    call->result = mnet_struct(call->pool);
    mnet_set(call->result, "status", mnet_boolean(1, call->pool));
    mnet_set(call->result, "type", mnet_string(type, call->pool));
    if (query) {
        mnet_set(call->result, "querystring", mnet_string(query, call->pool));
    }
    return APR_SUCCESS;
}

/* Its user waits: at once, as long as a Moodle does. */
static apr_status_t fetch_now(ready_t *ready)
{
    mnet_call_t *call = ready->call;
    mnet_queue_outcome_e outcome = MNET_QUEUE_RETRY;
    mnet_queue_ticket_t *ticket;
    const char *said = NULL;

    if (!ready->portfolio->queue ||
        mnet_queue_begin(ready->portfolio->queue, call->host, ready->item, &ticket, call->pool)) {
        return answer_ready(ready, "queued", NULL);
    }
    if (mnet_queue_wait(ticket, MNET_PORTFOLIO_PATIENCE, &outcome, &said, call->pool)) {
        return answer_ready(ready, "queued", NULL);
    }
    if (outcome == MNET_QUEUE_DONE) {
        return answer_ready(ready, "complete", said ? said : "?");
    }
    if (outcome == MNET_QUEUE_RETRY) {
        return answer_ready(ready, "queued", NULL);
    }
    return mnet_call_fault(call, FAULT_PACKAGE, "The package was not accepted: %s",
                           said ? said : "it could not be fetched");
}

/* What waits already says so much of its files that a few more peers like it would fill the store.
 */
static apr_status_t too_much(ready_t *ready)
{
    mnet_call_t *call = ready->call;

    mnet_log(call->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET1022",
             "%s: what %s announced as ready takes more than %d MB of the state directory: no more "
             "of it until some is fetched or dropped",
             call->host->site->wwwroot, call->peer->facts->wwwroot, (int)(MNET_QUEUE_HELD >> 20));
    return mnet_call_fault(call, MNET_FAULT_BUSY,
                           "Too much of what was announced waits to be fetched: try again later");
}

static apr_status_t answer(ready_t *ready)
{
    apr_status_t rv = note_ready(ready);

    if (rv == MNET_E_LIMIT) {
        return too_much(ready);
    }
    if (rv || ready->call->fault_text) {
        return rv;
    }
    if (ready->intent->state == MNET_INTENT_DONE) {
        return answer_ready(ready, "complete", ready->intent->result);
    }
    mnet_log(ready->call->host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET1016",
             "%s: a package of %s for %s is ready (%s)", ready->call->host->site->wwwroot,
             ready->call->peer->facts->wwwroot, say(ready->call, ready->intent->user), ready->item);
    if (ready->wait && ready->call->host->site->portfolio->accept == MNET_ACCEPT_IMMEDIATE) {
        return fetch_now(ready);
    }
    return answer_ready(ready, "queued", NULL);
}

static apr_status_t send_content_ready(mnet_call_t *call, void *baton)
{
    mnet_arrival_t arrival = {.size = -1, .total = -1};
    ready_t ready = {.call = call,
                     .portfolio = baton,
                     .arrival = &arrival,
                     .kind = mnet_fetch_kind.name,
                     .wait = mnet_as_truth(mnet_call_param(call, 4))};

    ready.user = known_user(call, mnet_call_text(call, 1));
    if (!ready.user || !read_ready(call, &arrival)) {
        return APR_SUCCESS;
    }
    return answer(&ready);
}

static apr_status_t content_ready(mnet_call_t *call, void *baton)
{
    mnet_arrival_t arrival = {.size = -1, .total = -1};
    ready_t ready = {.call = call,
                     .portfolio = baton,
                     .arrival = &arrival,
                     .kind = mnet_get_kind.name,
                     .wait = mnet_as_truth(mnet_call_param(call, 2))};

    return read_content_ready(call, &arrival) ? answer(&ready) : APR_SUCCESS;
}

/* --- the table --- */

static const mnet_parameter_t intent_parameters[] = {
    {"username", "string", "a user of the caller's who has landed here"}, {NULL}};
static const mnet_parameter_t ready_parameters[] = {
    {"token", "string", "as send_content_intent gave it"},
    {"username", "string", "whose package it is"},
    {"format", "string", "file or leap2a"},
    {"importdata", "struct", "filesmanifest, zipfilesha1, zipfilesize, totalsize"},
    {"fetchnow", "boolean", "whether the user waits"},
    {NULL}};
static const mnet_parameter_t content_intent_parameters[] = {
    {"user", "struct", "the user's profile with their username, or the username alone"}, {NULL}};
static const mnet_parameter_t content_ready_parameters[] = {
    {"id", "string", "as content_intent gave it"},
    {"location", "string", "where the package is, below the caller's wwwroot"},
    {"wait", "boolean", "whether the user waits"},
    {"importdata", "struct", "what is known: format, filesmanifest, zipfilesha1, sizes"},
    {NULL}};

static const mnet_method_t methods[] = {
    {"portfolio/mahara/lib.php/send_content_intent",
     "pf",
     MNET_METHOD_CLAIMS,
     intent_parameters,
     1,
     {NULL, "struct", "sendtype (immediate, queue, none) and token"},
     "Announces that a user is about to send something.",
     send_content_intent},
    {"portfolio/mahara/lib.php/send_content_ready",
     "pf",
     MNET_METHOD_CLAIMS,
     ready_parameters,
     4,
     {NULL, "struct", "status, type (complete, queued) and querystring"},
     "Says that what was announced can be fetched, by fetch_file.",
     send_content_ready},
    {"portfolio/content_intent",
     "pf",
     MNET_METHOD_CLAIMS,
     content_intent_parameters,
     1,
     {NULL, "struct", "id and type (queandwait, queonly, no)"},
     "Announces that a user is about to send something, which will have a location.",
     content_intent},
    {"portfolio/content_ready",
     "pf",
     MNET_METHOD_CLAIMS,
     content_ready_parameters,
     2,
     {NULL, "struct", "status, type (complete, queued) and querystring"},
     "Says where what was announced can be fetched, by a GET with the id.",
     content_ready},
};

apr_status_t mnet_portfolio_receive_add(mnet_registry_t *registry, mnet_portfolio_t *portfolio,
                                        const char *wwwroot, apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;

    for (apr_size_t i = 0; !rv && i < sizeof(methods) / sizeof(methods[0]); i++) {
        mnet_method_t *method = apr_pmemdup(pool, &methods[i], sizeof(methods[i]));

        method->baton = portfolio;
        rv = mnet_registry_add(registry, wwwroot, method);
    }
    return rv;
}
