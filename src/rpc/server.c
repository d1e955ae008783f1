/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/exchange.h"

apr_status_t mnet_exchange_begin(mnet_exchange_t **created, const mnet_request_t *request,
                                 apr_pool_t *pool)
{
    const mnet_site_t *site = request->host->site;
    mnet_engine_t *engine = request->host->engine;
    mnet_exchange_t *exchange;

    if (site->failure_limit > 0 &&
        mnet_shared_failures(engine->shared, request->address, request->now,
                             site->failure_period) >= site->failure_limit) {
        if (mnet_shared_once(engine->shared, "429", request->address, request->now,
                             apr_time_from_sec(60))) {
            mnet_log(engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0401",
                     "%s: %s sent too many messages that do not open (MnetFailureLimit); it is "
                     "answered 429 for a while",
                     site->wwwroot, request->address);
        }
        return MNET_E_BUSY;
    }
    exchange = apr_pcalloc(pool, sizeof(*exchange));
    exchange->request = *request;
    exchange->request.id = request->id ? request->id : "-";
    exchange->host = request->host;
    exchange->engine = engine;
    exchange->pool = pool;
    exchange->reading.crypto = engine->crypto;
    exchange->reading.limits = &mnet_xml_limits_stranger;
    exchange->reading.charset = MNET_CHARSET_UTF8;
    exchange->reading.max = site->max_body;
    exchange->reading.tmpdir = engine->tmp_dir;
    exchange->reader = mnet_message_reader_create(&exchange->reading, pool);
    *created = exchange;
    return exchange->reader ? APR_SUCCESS : APR_ENOMEM;
}

apr_status_t mnet_exchange_write(void *baton, const char *data, apr_size_t len)
{
    mnet_exchange_t *exchange = baton;
    const mnet_site_t *site = exchange->host->site;

    if (site->max_body > 0 && (apr_off_t)len > site->max_body - exchange->received) {
        return MNET_E_LIMIT;
    }
    exchange->received += (apr_off_t)len;
    if (!exchange->spoilt) {
        exchange->spoilt = mnet_message_reader_write(exchange->reader, data, len);
    }
    return APR_SUCCESS;
}

/* Is that status about the bytes, or about ourselves? */
static int about_the_bytes(apr_status_t rv)
{
    return rv == MNET_E_XML || rv == MNET_E_DOCTYPE || rv == MNET_E_LIMIT || rv == MNET_E_BASE64;
}

/* The end of the body.  What was wrong with it is for our log alone. */
static int receive(mnet_exchange_t *exchange)
{
    const char *problem;

    if (!exchange->spoilt) {
        exchange->spoilt = mnet_message_reader_end(exchange->reader, &exchange->message);
    }
    if (!exchange->spoilt) {
        return 1;
    }
    exchange->message = NULL;
    if (!about_the_bytes(exchange->spoilt)) {
        exchange->broken = exchange->spoilt;
        return mnet_exchange_fail(exchange, exchange->spoilt, "MNET0402",
                                  "the message could not be taken in");
    }
    problem = mnet_message_reader_problem(exchange->reader);
    return mnet_exchange_refuse(exchange, MNET_FAULT_INVALID, MNET_LOG_WARNING, "MNET0403",
                                "it is no MNET message: %s",
                                mnet_for_log(problem, strlen(problem), 160, exchange->pool));
}

/* One line per call, and the counters. */
static void sum_up(mnet_exchange_t *exchange)
{
    mnet_shared_add(exchange->engine->shared, MNET_COUNT_CALLS_IN, 1);
    if (exchange->code) {
        mnet_shared_add(exchange->engine->shared, MNET_COUNT_FAULTS_OUT, 1);
    }
    if (!mnet_exchange_logs(exchange, MNET_LOG_INFO)) {
        return;
    }
    mnet_log(exchange->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET0400",
             "%s: %s by %s from %s: %d in %" APR_INT64_T_FMT " us (%s)",
             exchange->host->site->wwwroot, mnet_exchange_called(exchange),
             mnet_exchange_claimed(exchange), exchange->request.address, exchange->code,
             (apr_int64_t)(apr_time_now() - exchange->started), exchange->request.id);
}

apr_status_t mnet_exchange_finish(mnet_exchange_t *exchange, apr_off_t *length,
                                  const mnet_sink_t *to)
{
    apr_status_t rv;

    exchange->started = apr_time_now();
    if (receive(exchange) && mnet_exchange_trust(exchange)) {
        mnet_exchange_dispatch(exchange);
    }
    rv = exchange->broken ? exchange->broken : mnet_exchange_reply(exchange, length, to);
    sum_up(exchange);
    return rv;
}
