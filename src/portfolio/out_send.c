/* SPDX-License-Identifier: Apache-2.0 */
/* From a user's wish to "accepted": nothing is promised before it is on the disk. */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/out_int.h"
#include "service/sso_int.h"
#include "trust/policy.h"

#define SERVICE      "pf"
#define SECRET_BYTES 20

/* --- may it be sent at all --- */

static apr_status_t check_peer(mnet_out_sending_t *sending, const mnet_peer_t **peer,
                               apr_pool_t *pool)
{
    mnet_host_t *host = sending->host;
    apr_status_t rv = mnet_host_look(host, sending->peer, peer, NULL, pool);
    char text[128];

    if (rv == APR_NOTFOUND) {
        return mnet_out_refuse(sending, rv, "policy", pool,
                               "%s is no active peer of %s: `mnetctl peers list` shows those there "
                               "are",
                               mnet_say(sending->peer, pool), host->site->wwwroot);
    }
    if (rv) {
        return mnet_out_refuse(sending, rv, "state", pool, "the peer cannot be read (%s)",
                               mnet_strerror(rv, text, sizeof(text)));
    }
    /* It fetches what we send: that is a call of its own, here. */
    if (!mnet_policy_publishes(*peer, SERVICE)) {
        return mnet_out_refuse(sending, MNET_E_REFUSED, "policy", pool,
                               "%s may not fetch packages here: `mnetctl peers publish %s +" SERVICE
                               "`, or MnetPublish " SERVICE,
                               sending->peer, sending->peer);
    }
    return APR_SUCCESS;
}

static apr_status_t check(mnet_out_sending_t *sending, const mnet_peer_t **peer, apr_pool_t *pool)
{
    const char *problem =
        sending->user && *sending->user ? mnet_username_problem(sending->user) : "empty";

    if (!sending->host->site->portfolio) {
        return mnet_out_refuse(sending, MNET_E_REFUSED, "policy", pool,
                               "%s has no MnetPortfolioDir, without which nothing is sent",
                               sending->host->site->wwwroot);
    }
    if (problem) {
        return mnet_out_refuse(sending, MNET_E_INVALID, "usage", pool,
                               "the name of the user is not fit for a peer: %s", problem);
    }
    if (!sending->paths || !sending->paths->nelts) {
        return mnet_out_refuse(sending, MNET_E_INVALID, "usage", pool, "say what to send");
    }
    if (sending->package && sending->paths->nelts != 1) {
        return mnet_out_refuse(sending, MNET_E_INVALID, "usage", pool,
                               "a package is one file, a zip");
    }
    return check_peer(sending, peer, pool);
}

static apr_status_t check_earlier(mnet_out_sending_t *sending, const mnet_out_t *out,
                                  apr_pool_t *pool)
{
    mnet_out_t *earlier;
    apr_status_t rv =
        mnet_out_earlier(sending->host, sending->peer, sending->user, out->content, &earlier, pool);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return APR_SUCCESS;
    }
    sending->earlier = rv ? NULL : earlier;
    if (rv || sending->again) {
        return rv;
    }
    return mnet_out_refuse(
        sending, MNET_E_EXISTS, "again", pool, "the same content was sent to %s for %s before: %s",
        sending->peer, sending->user,
        earlier->state == MNET_OUT_STATE_DELIVERED
            ? apr_psprintf(pool, "as \"%s\", delivered %s", mnet_say(earlier->title, pool),
                           mnet_format_date(earlier->done, pool))
            : apr_psprintf(pool, "as \"%s\", %s, and it is still on its way",
                           mnet_say(earlier->title, pool),
                           mnet_format_date(earlier->created, pool)));
}

/* --- the intent --- */

/* What to do about a peer's fault: a Mahara's words are the same in every language. */
static const char *mend(const mnet_out_sending_t *sending, const mnet_reply_t *reply,
                        apr_pool_t *pool)
{
    if (reply->kind != MNET_CALL_FAULT) {
        return "";
    }
    if (reply->code / 1000 == 7) { /* of the exchange, not of the user */
        return ": does that site publish the service " SERVICE " to us?";
    }
    if (strstr(reply->message, "mporting content is disabled")) {
        return apr_psprintf(pool,
                            ": there, \"We import content\" is off in the authentication instance "
                            "for %s, which that site's administrator can change",
                            sending->host->site->wwwroot);
    }
    if (!strstr(reply->message, "user") && !strstr(reply->message, "account")) {
        return "";
    }
    return apr_psprintf(pool, ": has the user an account there? %s takes them there, and back",
                        mnet_out_jump_url(sending->host, sending->peer, pool));
}

static apr_status_t ask(mnet_out_sending_t *sending, mnet_out_t *out, apr_pool_t *pool)
{
    mnet_reply_t *reply;
    mnet_out_said_e said = mnet_out_intent(sending->host, sending->peer, sending->user, out->direct,
                                           1, &out->token, &reply, pool);

    if (said == MNET_OUT_SAID_NOTHING && reply->kind == MNET_CALL_FAULT && !out->direct &&
        mnet_out_only_direct(sending->host, sending->peer, pool)) {
        out->direct = 1;
        said = mnet_out_intent(sending->host, sending->peer, sending->user, 1, 1, &out->token,
                               &reply, pool);
    }
    switch (said) {
    case MNET_OUT_SAID_QUEUE:
        out->wait = 0;
        return APR_SUCCESS;
    case MNET_OUT_SAID_IMMEDIATE:
        return APR_SUCCESS;
    case MNET_OUT_SAID_NONE:
        return mnet_out_refuse(sending, MNET_E_REFUSED, "peer", pool,
                               "%s takes nothing for %s at present", sending->peer, sending->user);
    default:
        break;
    }
    sending->reply = reply;
    out->token = NULL;
    if (reply->kind == MNET_CALL_TRANSPORT) {
        sending->postponed = reply->message;
        return APR_SUCCESS;
    }
    return mnet_out_refuse(sending, MNET_E_FAULT, mnet_call_kind_name(reply->kind), pool, "%s%s",
                           reply->message, mend(sending, reply, pool));
}

/* --- accepted --- */

static apr_status_t accept_it(mnet_out_sending_t *sending, mnet_out_t *out,
                              const apr_array_header_t *files, apr_pool_t *pool)
{
    mnet_host_t *host = sending->host;
    mnet_queue_item_t item = {.id = out->id,
                              .kind = MNET_OUT_READY,
                              .peer = out->peer,
                              .user = out->user,
                              .title = out->title};
    mnet_txn_t *txn;
    char text[128];
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool);

    if (!rv) {
        rv = mnet_out_put(host, txn, out, pool);
        rv = rv ? rv : mnet_out_files_put(host, txn, out->id, files, pool);
        rv = rv ? rv : mnet_out_log(host, txn, out, pool);
        rv = rv ? rv : mnet_queue_put(host, txn, &item, NULL, 0, sending->now, pool);
        rv = rv ? rv : mnet_txn_commit(txn);
        mnet_txn_abort(txn);
    }
    if (rv) {
        mnet_out_remove_files(host, out->id, pool);
        return mnet_out_refuse(sending, rv, "state", pool,
                               "the transfer cannot be written to the state directory (%s)",
                               mnet_strerror(rv, text, sizeof(text)));
    }
    mnet_log(host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET1068",
             "%s: %s of %s is to go to %s (%s, %" APR_OFF_T_FMT " bytes)", host->site->wwwroot,
             mnet_say(out->title, pool), mnet_say(out->user, pool), out->peer, out->id, out->size);
    sending->out = out;
    return APR_SUCCESS;
}

static apr_status_t name_it(const mnet_out_sending_t *sending, mnet_out_t *out, apr_pool_t *pool)
{
    apr_status_t rv = mnet_random_hex(&out->id, MNET_QUEUE_ID / 2, pool);

    out->peer = sending->peer;
    out->user = sending->user;
    out->state = MNET_OUT_STATE_QUEUED;
    out->wait = sending->wait;
    out->direct = sending->direct;
    out->created = sending->now;
    out->expires = mnet_ahead(sending->now, sending->host->site->portfolio->expire);
    return rv ? rv : mnet_random_hex(&out->secret, SECRET_BYTES, pool);
}

apr_status_t mnet_out_send(mnet_out_sending_t *sending, apr_pool_t *pool)
{
    mnet_out_t *out = apr_pcalloc(pool, sizeof(*out));
    const mnet_peer_t *peer = NULL;
    apr_array_header_t *files = NULL;
    apr_status_t rv = check(sending, &peer, pool);

    rv = rv ? rv : name_it(sending, out, pool);
    rv = rv ? rv : mnet_out_collect(sending, &files, pool);
    rv = rv ? rv : mnet_out_look_inside(sending, &files, pool);
    rv = rv ? rv : mnet_out_plan(sending, files, out, pool);
    rv = rv ? rv : check_earlier(sending, out, pool);
    rv = rv ? rv : ask(sending, out, pool);
    rv = rv ? rv : mnet_out_pack(sending, files, out, pool);
    rv = rv ? rv : accept_it(sending, out, files, pool);
    if (rv && !sending->why) {
        sending->kind = "state";
        sending->why = "it cannot be sent: memory or entropy is short";
    }
    return rv;
}
