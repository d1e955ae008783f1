/* SPDX-License-Identifier: Apache-2.0 */
/* A peer redeems a token. */
#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "service/farewell.h"
#include "service/jump_int.h"

#define TOKEN_MAX     64
#define GUESSES       30 /* wrong tokens of one peer */
#define GUESSES_PER   apr_time_from_sec(60)
#define SAY_AGAIN     apr_time_from_sec(60)
#define NO_SUCH_TOKEN 1
#define TOO_LATE      2
#define OTHER_BROWSER 3

typedef struct claiming_t {
    mnet_call_t *call;
    const char *token, *user_agent;
    mnet_claim_t *claim;
    mnet_name_t name;
    mnet_jump_t *jump;
    const char *guesses; /* what shared memory counts them under */
} claiming_t;

/* Refuses with a fault and a line of its own. */
static apr_status_t refuse(claiming_t *claiming, int fault, int level, const char *id,
                           const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static apr_status_t refuse(claiming_t *claiming, int fault, int level, const char *id,
                           const char *fmt, ...)
{
    mnet_call_t *call = claiming->call;
    const char *what;
    va_list ap;

    claiming->claim->fault = fault;
    va_start(ap, fmt);
    what = apr_pvsprintf(call->pool, fmt, ap);
    va_end(ap);
    mnet_log(call->host->engine->log, level, APR_SUCCESS, id,
             "%s: user_authorise by %s refused with %d: %s (%s)", call->host->site->wwwroot,
             call->peer->facts->wwwroot, fault, what, call->id ? call->id : "-");
    return APR_SUCCESS;
}

/*
 * Guesses are counted per peer.  Once there are too many they are refused in silence but for one
 * line a minute.  A token that is there is honoured all the same: whoever opens the peer's land
 * page with rubbish must not keep its users out, and 160 bits are not guessed at any rate.
 */
static int too_many_guesses(claiming_t *claiming)
{
    mnet_call_t *call = claiming->call;
    mnet_shared_t *shared = call->host->engine->shared;
    const char *peer = call->peer->facts->wwwroot;

    if (mnet_shared_failures(shared, claiming->guesses, call->now, GUESSES_PER) < GUESSES) {
        return 0;
    }
    claiming->claim->fault = NO_SUCH_TOKEN;
    if (mnet_shared_once(shared, "guesses", peer, call->now, SAY_AGAIN)) {
        mnet_log(call->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0852",
                 "%s: %s asked for %d tokens that are none within a minute; the next ones are "
                 "refused without a line each",
                 call->host->site->wwwroot, peer, GUESSES);
    }
    return 1;
}

/* A token that is none, or none of this peer's. */
static apr_status_t guessed(claiming_t *claiming)
{
    mnet_call_t *call = claiming->call;

    if (too_many_guesses(claiming)) {
        return APR_SUCCESS;
    }
    mnet_shared_failed(call->host->engine->shared, claiming->guesses, call->now, GUESSES_PER);
    if (claiming->jump) {
        return refuse(claiming, NO_SUCH_TOKEN, MNET_LOG_WARNING, "MNET0853",
                      "the token was made for %s", claiming->jump->peer);
    }
    return refuse(claiming, NO_SUCH_TOKEN, MNET_LOG_NOTICE, "MNET0854",
                  "there is no such token, or not any more");
}

/* Either way: a clock that was set back must not make a token last. */
static int is_within(apr_time_t now, apr_time_t then, apr_interval_time_t by)
{
    return now - then <= by && then - now <= by;
}

/* APR_SUCCESS without a fault: the token may be claimed. */
static apr_status_t judge(claiming_t *claiming)
{
    const mnet_call_t *call = claiming->call;
    const mnet_jump_t *jump = claiming->jump;

    if (!jump || strcmp(jump->peer, call->peer->facts->wwwroot)) {
        return guessed(claiming);
    }
    if (!mnet_equal_secret(claiming->user_agent, jump->user_agent)) {
        return refuse(claiming, OTHER_BROWSER, MNET_LOG_WARNING, "MNET0855",
                      "%s landed with another browser than the one they left with",
                      mnet_say(jump->user, call->pool));
    }
    if (jump->claimed) {
        return is_within(call->now, jump->claimed, MNET_CLAIM_AGAIN)
                   ? APR_SUCCESS
                   : refuse(claiming, NO_SUCH_TOKEN, MNET_LOG_WARNING, "MNET0856",
                            "the token of %s was used before", mnet_say(jump->user, call->pool));
    }
    if (call->now > jump->until || call->now < jump->created - MNET_CLAIM_AGAIN) {
        return refuse(claiming, TOO_LATE, MNET_LOG_NOTICE, "MNET0857",
                      "the token of %s is older than MnetTokenLifetime",
                      mnet_say(jump->user, call->pool));
    }
    return APR_SUCCESS;
}

static apr_status_t look(claiming_t *claiming, mnet_txn_t *txn)
{
    apr_status_t rv = mnet_jump_get(claiming->call->host, txn, &claiming->name, &claiming->jump,
                                    claiming->call->pool);

    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* First without writing: what is refused costs no wait for the disk. */
static apr_status_t look_first(claiming_t *claiming)
{
    mnet_call_t *call = claiming->call;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(call->host->engine->store, MNET_READ, &txn, call->pool);

    if (rv) {
        return rv;
    }
    if (call->replay_until && mnet_replay_claimed(txn, &call->replay, call->now)) {
        rv = MNET_E_REPLAY;
    }
    rv = rv ? rv : look(claiming, txn);
    mnet_txn_abort(txn);
    return rv ? rv : judge(claiming);
}

static apr_status_t note(claiming_t *claiming, mnet_txn_t *txn)
{
    mnet_call_t *call = claiming->call;
    mnet_jump_t *jump = claiming->jump;
    mnet_child_t child = {jump->peer,    jump->username, jump->user, jump->user_agent,
                          jump->session, call->now,      call->now,  jump->picture};
    mnet_farewell_t farewell = {
        .peer = jump->peer, .username = jump->username, .user_agent = jump->user_agent};
    apr_status_t rv = APR_SUCCESS;

    if (!jump->claimed) {
        jump->claimed = call->now;
        rv = mnet_jump_put(call->host, txn, &claiming->name, jump, call->pool);
        rv = rv ? rv : mnet_child_put(call->host, txn, &child, call->pool);
        /* What is still to be told of an earlier logout there must not end this one. */
        rv = rv ? rv : mnet_farewell_drop(call->host, txn, &farewell);
    }
    return rv;
}

static apr_status_t claim_it(claiming_t *claiming)
{
    mnet_call_t *call = claiming->call;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(call->host->engine->store, MNET_WRITE, &txn, call->pool);

    if (rv) {
        return rv;
    }
    rv = mnet_call_claim(call, txn);
    rv = rv ? rv : look(claiming, txn); /* two at once: the second one sees the first */
    rv = rv ? rv : judge(claiming);
    if (!rv && !claiming->claim->fault) {
        rv = note(claiming, txn);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_jump_claim(mnet_call_t *call, const char *token, const char *user_agent_hash,
                             mnet_claim_t *claim)
{
    claiming_t claiming = {.call = call,
                           .token = token ? token : "",
                           .user_agent = user_agent_hash ? user_agent_hash : "",
                           .claim = claim};
    apr_status_t rv;

    memset(claim, 0, sizeof(*claim));
    claiming.guesses = apr_pstrcat(call->pool, "token:", call->peer->facts->wwwroot, NULL);
    if (!*claiming.token || strnlen(claiming.token, TOKEN_MAX + 1) > TOKEN_MAX) {
        return guessed(&claiming);
    }
    rv = mnet_jump_name(call->host, claiming.token, &claiming.name);
    rv = rv ? rv : look_first(&claiming);
    if (!rv && !claim->fault) {
        rv = claim_it(&claiming);
    }
    if (!rv && !claim->fault) {
        claim->username = claiming.jump->username;
        claim->attributes = claiming.jump->attributes;
        claim->picture = claiming.jump->picture;
    }
    return rv;
}
