/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"
#include "rpc/clock.h"
#include "rpc/exchange.h"
#include "trust/policy.h"

static apr_status_t write_document(const mnet_exchange_t *exchange, const mnet_sink_t *to)
{
    const mnet_request_t *request = &exchange->request;
    mnet_charset_e charset =
        exchange->peer
            ? mnet_policy_charset_out(exchange->peer, request->user_agent, request->accept_charset)
            : MNET_CHARSET_UTF8;
    mnet_value_t nothing = {.type = MNET_STRING, .data = "", .len = 0};

    if (exchange->code || exchange->text) {
        return mnet_xmlrpc_write_fault(exchange->code, exchange->text, charset, to);
    }
    return mnet_xmlrpc_write_response(exchange->result ? exchange->result : &nothing, charset, to);
}

/*
 * By the clock that the request was held against, or by the peer's if that is another one.  A
 * Moodle expects the middle between its sending and its receiving, give or take 15 seconds: the end
 * of a call that took 40 is too late for it.
 */
static apr_int64_t time_of_signing(const mnet_exchange_t *exchange)
{
    return mnet_clock_answer(exchange->host->site, exchange->apart,
                             exchange->request.now + (apr_time_now() - exchange->started) / 2);
}

apr_status_t mnet_exchange_reply(mnet_exchange_t *exchange, apr_off_t *length,
                                 const mnet_sink_t *to)
{
    mnet_spool_t *document = mnet_spool_create(0, exchange->engine->tmp_dir, exchange->pool);
    mnet_sink_t spool = {mnet_spool_write, document};
    mnet_wrapping_t how = {
        .crypto = exchange->engine->crypto,
        .sign = exchange->sign,
        .seal = exchange->seal,
        .wwwroot = exchange->host->site->wwwroot,
        .now = time_of_signing(exchange),
    };
    apr_status_t rv = write_document(exchange, &spool);

    if (rv) {
        return rv;
    }
    if (!how.sign && !how.seal) {
        *length = mnet_spool_length(document);
        return mnet_spool_pour(document, to);
    }
    how.key_uri = mnet_site_key_uri(exchange->host->site, exchange->pool);
    return mnet_message_wrap(&how, document, length, to, exchange->pool);
}

int mnet_exchange_asks(const mnet_exchange_t *exchange)
{
    return exchange->answered != NULL;
}

void mnet_exchange_answered(mnet_exchange_t *exchange, int whole)
{
    void (*answered)(void *, int) = exchange->answered;

    exchange->answered = NULL;
    if (answered) {
        answered(exchange->answered_baton, whole);
    }
}
