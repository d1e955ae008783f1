/* SPDX-License-Identifier: Apache-2.0 */
/* How an exchange ends before its method is reached: the fault, and the line that says why. */
#include "rpc/exchange.h"

#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"

int mnet_exchange_logs(const mnet_exchange_t *exchange, int level)
{
    return exchange->engine->log && exchange->engine->log->level >= level;
}

/* Whom the message says it is from, fit for a log. */
const char *mnet_exchange_claimed(const mnet_exchange_t *exchange)
{
    const char *wwwroot = exchange->message ? exchange->message->wwwroot : NULL;

    return wwwroot ? mnet_for_log(wwwroot, strlen(wwwroot), 255, exchange->pool) : "nobody";
}

const char *mnet_exchange_called(const mnet_exchange_t *exchange)
{
    const char *method = exchange->document ? exchange->document->method : NULL;

    return method ? mnet_for_log(method, strlen(method), 120, exchange->pool) : "-";
}

int mnet_exchange_refuse(mnet_exchange_t *exchange, int code, int level, const char *id,
                         const char *fmt, ...)
{
    va_list ap;

    exchange->code = code;
    exchange->text = mnet_fault_text(code);
    if (mnet_exchange_logs(exchange, level)) {
        const char *sentence;

        va_start(ap, fmt);
        sentence = apr_pvsprintf(exchange->pool, fmt, ap);
        va_end(ap);
        mnet_log(exchange->engine->log, level, APR_SUCCESS, id,
                 "%s: message of %s from %s answered with %d: %s (%s)",
                 exchange->host->site->wwwroot, mnet_exchange_claimed(exchange),
                 exchange->request.address, code, sentence, exchange->request.id);
    }
    return 0;
}

int mnet_exchange_fail(mnet_exchange_t *exchange, apr_status_t rv, const char *id, const char *what)
{
    char text[128];

    exchange->code = MNET_FAULT_INVALID;
    exchange->text = "The call failed for a reason of this site's own.";
    mnet_log(exchange->engine->log, MNET_LOG_ERR, rv, id,
             "%s: call of %s by %s failed: %s: %s (%s)", exchange->host->site->wwwroot,
             mnet_exchange_called(exchange), mnet_exchange_claimed(exchange), what,
             mnet_strerror(rv, text, sizeof(text)), exchange->request.id);
    return 0;
}
