/* SPDX-License-Identifier: Apache-2.0 */
/* mod_mnet/portfolio_send: a local application sends files to the portfolio of a user at a peer. */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "httpd/local_methods.h"
#include "portfolio/out.h"

#define PATIENCE   apr_time_from_sec(50) /* of an application whose user waits */
#define LOOK_EVERY (100 * 1000)

static apr_array_header_t *texts_of(const mnet_value_t *value, apr_pool_t *pool)
{
    apr_array_header_t *texts = apr_array_make(pool, 2, sizeof(const char *));
    const char *text = mnet_as_text(value, pool);

    if (text && *text)
        APR_ARRAY_PUSH(texts, const char *) = text;
    for (int i = 0; i < mnet_count(value); i++) {
        text = mnet_as_text(mnet_item(value, i), pool);
        if (text && *text)
            APR_ARRAY_PUSH(texts, const char *) = text;
    }
    return texts;
}

/* How it stands once it is over, or patience is. */
static mnet_out_t *wait_for(mnet_host_t *host, const mnet_out_t *out, apr_pool_t *parent)
{
    apr_time_t until = apr_time_now() + PATIENCE;
    mnet_out_t *now = NULL;
    apr_pool_t *pool;

    if (apr_pool_create(&pool, parent))
        return NULL;
    while (!mnet_out_look(host, out->id, &now, pool) && now->state == MNET_OUT_STATE_QUEUED &&
           apr_time_now() < until) {
        mnet_queue_item_t *item;
        if (mnet_queue_look(host, out->id, &item, NULL, pool) || item->state == MNET_QUEUE_PARKED)
            break;
        apr_sleep(LOOK_EVERY);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return mnet_out_look(host, out->id, &now, parent) ? NULL : now;
}

static void fill_in(mnet_host_t *host, const mnet_out_sending_t *sending, mnet_reply_t *reply,
                    apr_pool_t *pool)
{
    const mnet_out_t *out = sending->wait ? wait_for(host, sending->out, pool) : NULL;
    mnet_queue_item_t *item;

    out = out ? out : sending->out;
    reply->kind = MNET_CALL_OK;
    reply->value = mnet_out_value(host, out, pool);
    if (!mnet_queue_look(host, out->id, &item, NULL, pool) && item->reason)
        mnet_set(reply->value, "reason", mnet_string(item->reason, pool));
    else if (sending->postponed)
        mnet_set(reply->value, "reason", mnet_string(sending->postponed, pool));
}

void mnet_local_portfolio_send(mnet_host_t *host, const char *peer,
                               const apr_array_header_t *params, mnet_reply_t *reply,
                               apr_pool_t *pool)
{
    const mnet_value_t *what =
        params->nelts == 1 ? APR_ARRAY_IDX(params, 0, const mnet_value_t *) : NULL;
    mnet_out_sending_t sending = {.host = host,
                                  .peer = peer,
                                  .user = mnet_as_text(mnet_get(what, "user"), pool),
                                  .paths = texts_of(mnet_get(what, "file"), pool),
                                  .format = mnet_as_text(mnet_get(what, "format"), pool),
                                  .package = mnet_as_truth(mnet_get(what, "package")),
                                  .wait = mnet_as_truth(mnet_get(what, "wait")),
                                  .direct = mnet_as_truth(mnet_get(what, "direct")),
                                  .again = mnet_as_truth(mnet_get(what, "again")),
                                  .confined = 1,
                                  .now = apr_time_now()};

    if (!what || !sending.user || !sending.paths->nelts) {
        mnet_local_refuse(
            reply, MNET_CALL_POLICY, 0, pool,
            "one parameter is wanted, {\"file\": PATH or [PATH, ...], \"user\": NAME, "
            "\"format\": F, \"wait\": B, \"again\": B}");
        return;
    }
    if (sending.format && !*sending.format)
        sending.format = NULL;
    if (!mnet_out_send(&sending, pool)) {
        fill_in(host, &sending, reply, pool);
        return;
    }
    if (sending.reply && sending.reply->kind != MNET_CALL_OK)
        *reply = *sending.reply; /* a fault of the peer's, with its code */
    else
        mnet_local_refuse(reply, MNET_CALL_POLICY, 0, pool, "%s", sending.why);
}
