/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer announces that something will be sent (MNET protocol reference, 5.5, 7.1), and is given a
 * token for it.
 */
#include "portfolio/receive_int.h"

#include "base/status.h"
#include "base/text.h"
#include "portfolio/intent.h"

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
                 mnet_say(username, call->pool));
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

    if (!mnet_receive_user(call, username)) {
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

apr_status_t mnet_receive_send_content_intent(mnet_call_t *call, void *baton)
{
    return answer_intent(call, mnet_call_text(call, 0), 0);
}

/* User information: the profile, or the username alone. */
apr_status_t mnet_receive_content_intent(mnet_call_t *call, void *baton)
{
    const mnet_value_t *user = mnet_call_param(call, 0);
    const char *username = mnet_call_text(call, 0);

    if (user && (user->type == MNET_STRUCT || user->type == MNET_ARRAY)) {
        username = mnet_as_text(mnet_get(user, "username"), call->pool);
    }
    return answer_intent(call, username, 1);
}
