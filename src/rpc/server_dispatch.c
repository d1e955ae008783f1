/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/exchange.h"
#include "trust/policy.h"

#define SAY_SHARE apr_time_from_sec(5 * 60)

/* The method that is called, if the caller may call it. */
static const mnet_method_t *permitted(mnet_exchange_t *exchange)
{
    const char *path = exchange->document->method;
    const mnet_method_t *method;

    if (!mnet_method_name_ok(path)) {
        mnet_exchange_refuse(exchange, MNET_FAULT_METHOD_NAME, MNET_LOG_WARNING, "MNET0422",
                             "\"%s\" is no name of a method",
                             mnet_for_log(path, path ? strlen(path) : 0, 120, exchange->pool));
        return NULL;
    }
    method = mnet_registry_find(exchange->engine->registry, exchange->host->site->wwwroot, path);
    if (!method && !strncmp(path, "system", 6) && (path[6] == '/' || path[6] == '.')) {
        mnet_exchange_refuse(exchange, MNET_FAULT_NO_SYSTEM_METHOD, MNET_LOG_WARNING, "MNET0423",
                             "there is no %s", path);
        return NULL;
    }
    if (!method) {
        mnet_exchange_refuse(exchange, MNET_FAULT_PERMISSION, MNET_LOG_WARNING, "MNET0424",
                             "nothing here answers %s", path);
        return NULL;
    }
    if (strcmp(method->service, "system") &&
        (!exchange->peer || !mnet_policy_publishes(exchange->peer, method->service))) {
        mnet_exchange_refuse(exchange, MNET_FAULT_PERMISSION, MNET_LOG_WARNING, "MNET0425",
                             "%s belongs to the service %s, which is not published to it "
                             "(MnetPublish, or `mnetctl peers publish`)",
                             path, method->service);
        return NULL;
    }
    return method;
}

static int has_required(mnet_exchange_t *exchange, const mnet_method_t *method)
{
    int given = exchange->document->params->nelts;
    const char *name;

    if (given >= method->required) {
        return 1;
    }
    name = method->parameters ? method->parameters[given].name : NULL;
    mnet_exchange_refuse(exchange, MNET_FAULT_INVALID, MNET_LOG_NOTICE, "MNET0426",
                         "%s was called without %s", method->path, name ? name : "a parameter");
    exchange->text = apr_psprintf(exchange->pool, "The parameter %s is missing.",
                                  name ? name : apr_itoa(exchange->pool, given + 1));
    return 0;
}

static int replayed(mnet_exchange_t *exchange)
{
    mnet_shared_add(exchange->engine->shared, MNET_COUNT_REPLAYS, 1);
    return mnet_exchange_refuse(exchange, MNET_FAULT_REPLAY, MNET_LOG_WARNING, "MNET0427",
                                "it was executed before");
}

/* A peer that has its share of the store may read, and change things again when what it made is
 * past.  Nothing old is forgotten for it: that is what replays are known by. */
static int no_share_left(mnet_exchange_t *exchange)
{
    const char *peer = exchange->peer->facts->wwwroot;

    exchange->code = MNET_FAULT_BUSY;
    exchange->text = mnet_fault_text(MNET_FAULT_BUSY);
    if (mnet_shared_once(exchange->engine->shared, "share", peer, exchange->request.now,
                         SAY_SHARE)) {
        mnet_log(exchange->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0463",
                 "%s: %s has its share of the store (a third of it, or as much as is left): its "
                 "calls that change something are answered with %d until what it made is past. Is "
                 "it that busy, raise MnetStateSize (`mnetctl peers show %s`)",
                 exchange->host->site->wwwroot, peer, MNET_FAULT_BUSY, peer);
    }
    return 0;
}

/* A call that changes something is used up, on the disk, before it does. */
static int claim(mnet_exchange_t *exchange, mnet_call_t *call)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(exchange->engine->store, MNET_WRITE, &txn, exchange->pool);

    if (!rv) {
        rv = mnet_call_claim(call, txn);
        if (rv) {
            mnet_txn_abort(txn);
        } else {
            rv = mnet_txn_commit(txn);
        }
    }
    if (rv == MNET_E_REPLAY) {
        return replayed(exchange);
    }
    if (rv == MNET_E_SHARE) {
        return no_share_left(exchange);
    }
    return rv ? mnet_exchange_fail(exchange, rv, "MNET0428", "it could not be noted as received")
              : 1;
}

static void run(mnet_exchange_t *exchange, mnet_call_t *call)
{
    apr_status_t rv = call->method->handler(call, call->method->baton);

    exchange->answered = call->answered;
    exchange->answered_baton = call->answered_baton;
    if (rv == MNET_E_REPLAY) {
        replayed(exchange);
    } else if (rv == MNET_E_SHARE) {
        no_share_left(exchange);
    } else if (rv) {
        mnet_exchange_fail(exchange, rv, "MNET0429", "its handler failed");
    } else if (call->fault_code || call->fault_text) {
        exchange->code = call->fault_code;
        exchange->text = call->fault_text ? call->fault_text : mnet_fault_text(call->fault_code);
    } else {
        exchange->result = call->result;
    }
}

void mnet_exchange_dispatch(mnet_exchange_t *exchange)
{
    const mnet_method_t *method = permitted(exchange);
    mnet_call_t call = {
        .pool = exchange->pool,
        .host = exchange->host,
        .peer = exchange->peer,
        .method = method,
        .path = exchange->document->method,
        .params = exchange->document->params,
        .address = exchange->request.address,
        .user_agent = exchange->request.user_agent,
        .now = exchange->request.now,
        .id = exchange->request.id,
        .replay = exchange->replay,
        .replay_until = exchange->replay_until,
        .sealed = exchange->sealed,
    };

    if (!method || !has_required(exchange, method)) {
        return;
    }
    if (method->effect == MNET_METHOD_CHANGES && !claim(exchange, &call)) {
        return;
    }
    run(exchange, &call);
}
