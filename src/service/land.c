/* SPDX-License-Identifier: Apache-2.0 */
#include "service/land.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/client.h"
#include "rpc/fault.h"
#include "service/account.h"
#include "service/farewell.h"
#include "service/myhosts.h"
#include "service/peer_title.h"
#include "service/sso_int.h"
#include "trust/policy.h"
#include "trust/replay.h"

#define TOKEN_MAX   64  /* what Moodle's own land page takes */
#define WWWROOT_MAX 255 /* bytes */
#define REPLY_MAX   (1024 * 1024)
#define TOKEN_KEPT  apr_time_from_sec(24 * 60 * 60) /* beyond it no provider knows its token */

/* What goes through the steps. */
typedef struct work_t {
    mnet_landing_t *in;
    const mnet_peer_t *peer;
    const char *path; /* of wantsurl */
    const mnet_value_t *user;
    const apr_array_header_t *myhosts; /* of the user's */
    mnet_session_t session;
    apr_pool_t *pool;
} work_t;

/* --- what a student is told --- */

static const char link_again[] =
    "Go back to the site you came from and click the link again. If that does not help, tell the "
    "people who look after this site, with the code below.";
static const char bad_link[] =
    "The link that brought you here is not complete. Go back to the site you came from and click "
    "it there; do not copy it or keep it as a bookmark.";
static const char not_joined[] =
    "This site does not take users from there. If you think it should, ask the people who look "
    "after this site, with the code below.";
static const char home_trouble[] =
    "Your home site did not tell us who you are. Wait a minute, then go back there and click the "
    "link again. If it keeps failing, tell the people who look after it, with the code below.";
static const char our_trouble[] =
    "This is our fault, not yours. Wait a minute, then go back to the site you came from and click "
    "the link again. If it keeps failing, tell the people who look after this site, with the code "
    "below.";
static const char no_room[] =
    "This is not your fault. Tell the people who look after this site, with the code below.";

/* The way back, for whoever is known to be the provider: no link to a site that is no peer. */
static void find_home(work_t *work)
{
    mnet_landing_t *in = work->in;
    const mnet_peer_t *peer = work->peer;

    if (!peer && in->idp && strnlen(in->idp, WWWROOT_MAX + 1) <= WWWROOT_MAX &&
        mnet_host_look(in->host, in->idp, &peer, NULL, work->pool)) {
        peer = NULL;
    }
    if (peer) {
        in->home = peer->facts->wwwroot;
        in->home_name = mnet_peer_title(peer, work->pool);
    }
}

/* Sets the answer and writes the line.  Returns 0, as every step does that ends the landing. */
static int refuse(work_t *work, int status, const char *title, const char *advice, int level,
                  const char *id, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
static int refuse(work_t *work, int status, const char *title, const char *advice, int level,
                  const char *id, const char *fmt, ...)
{
    mnet_landing_t *in = work->in;
    const char *what;
    va_list ap;

    in->status = status;
    in->title = title;
    in->advice = advice;
    find_home(work);
    va_start(ap, fmt);
    what = apr_pvsprintf(work->pool, fmt, ap);
    va_end(ap);
    mnet_log(in->host->engine->log, level, APR_SUCCESS, id, "%s: nobody landed from %s (%s): %s",
             in->host->site->wwwroot, in->address ? in->address : "-", in->id ? in->id : "-", what);
    return 0;
}

static int broken(work_t *work, apr_status_t rv, const char *id, const char *what)
{
    char text[128];

    return refuse(work, 500, "You could not be signed in here", our_trouble, MNET_LOG_ERR, id,
                  "%s (%s)", what, mnet_strerror(rv, text, sizeof(text)));
}

/* --- what the browser sent --- */

static int token_ok(const char *token)
{
    apr_size_t len = token ? strnlen(token, TOKEN_MAX + 1) : 0;

    if (!len || len > TOKEN_MAX) {
        return 0;
    }
    for (; *token; token++) {
        if (!apr_isalnum(*token) && !strchr("/+=_-", *token)) {
            return 0;
        }
    }
    return 1;
}

static int is_on(const char *parameter)
{
    return parameter && *parameter && strcmp(parameter, "0") && strcasecmp(parameter, "false") &&
           strcasecmp(parameter, "no") && strcasecmp(parameter, "off");
}

static int check_parameters(work_t *work)
{
    mnet_landing_t *in = work->in;

    if (!token_ok(in->token)) {
        return refuse(work, 400, "This link does not work", bad_link, MNET_LOG_NOTICE, "MNET0810",
                      "the parameter token is missing or is no token");
    }
    if (!in->idp || !*in->idp || strnlen(in->idp, WWWROOT_MAX + 1) > WWWROOT_MAX) {
        return refuse(work, 400, "This link does not work", bad_link, MNET_LOG_NOTICE, "MNET0811",
                      "the parameter idp is missing or too long");
    }
    return 1;
}

/* The provider, and whether it may send us users. */
static int check_provider(work_t *work)
{
    mnet_landing_t *in = work->in;
    apr_status_t rv = mnet_host_look(in->host, in->idp, &work->peer, NULL, work->pool);

    if (rv == APR_NOTFOUND) {
        return refuse(work, 404, "We do not know the site you came from", not_joined,
                      MNET_LOG_NOTICE, "MNET0812", "%s is no active peer",
                      mnet_say(in->idp, work->pool));
    }
    if (rv) {
        return broken(work, rv, "MNET0813", "the state directory cannot be read");
    }
    if (!mnet_policy_subscribes(work->peer, "sso_idp") ||
        !mnet_policy_publishes(work->peer, "sso_sp")) {
        return refuse(work, 403, "Users of that site cannot come here", not_joined, MNET_LOG_NOTICE,
                      "MNET0814",
                      "%s may not send users: that takes `MnetSubscribe sso_idp` and `MnetPublish "
                      "sso_sp` for it",
                      in->idp);
    }
    if (!work->peer->certificate) {
        return refuse(work, 403, "Users of that site cannot come here yet", not_joined,
                      MNET_LOG_WARNING, "MNET0815",
                      "no certificate of %s is trusted yet: see `mnetctl peers confirm`", in->idp);
    }
    return 1;
}

static int check_wantsurl(work_t *work)
{
    mnet_landing_t *in = work->in;
    const char *root = is_on(in->remoteurl) ? work->peer->facts->wwwroot : in->host->site->wwwroot;

    work->path = mnet_wants_path(in->wantsurl, root, work->pool);
    return work->path ? 1
                      : refuse(work, 400, "This link does not work", bad_link, MNET_LOG_WARNING,
                               "MNET0816", "wantsurl is no path on %s: %s", root,
                               mnet_say(in->wantsurl, work->pool));
}

/* --- what the provider says --- */

/* A fault that says of the envelope, not of the user. */
static int is_envelope_fault(const mnet_reply_t *reply)
{
    switch (reply->code) {
    case MNET_FAULT_INVALID:
    case MNET_FAULT_NO_SIGNATURE:
    case MNET_FAULT_BAD_SIGNATURE:
    case MNET_FAULT_PLAINTEXT:
    case MNET_FAULT_NOT_OPENED:
    case MNET_FAULT_KEY_CHANGED:
    case MNET_FAULT_CLOCK:
    case MNET_FAULT_REPLAY:
    case MNET_FAULT_WWWROOT:
    case MNET_FAULT_BACKEND:
    case MNET_FAULT_BUSY:
        return 1;
    default:
        return reply->no_rc4;
    }
}

static int judge_fault(work_t *work, const mnet_reply_t *reply)
{
    const char *idp = work->in->idp, *text = mnet_say(reply->message, work->pool);

    if (is_envelope_fault(reply)) {
        return refuse(work, 502, "Your home site did not tell us who you are", home_trouble,
                      MNET_LOG_WARNING, "MNET0817", "%s answered user_authorise with fault %d: %s",
                      idp, reply->code, text);
    }
    if (reply->code == MNET_FAULT_PERMISSION || reply->code == MNET_FAULT_NOT_PUBLISHED) {
        return refuse(work, 403, "Users of that site cannot come here yet", not_joined,
                      MNET_LOG_WARNING, "MNET0830",
                      "%s does not let us ask who they are, fault %d: %s", idp, reply->code,
                      reply->message);
    }
    return refuse(work, 403, "Your home site did not confirm this link", link_again,
                  MNET_LOG_NOTICE, "MNET0818", "%s refused the token with fault %d: %s", idp,
                  reply->code, text);
}

static int judge(work_t *work, const mnet_reply_t *reply)
{
    const char *idp = work->in->idp, *text = reply->message;

    switch (reply->kind) {
    case MNET_CALL_OK:
        work->user = reply->value;
        return 1;
    case MNET_CALL_FAULT:
        return judge_fault(work, reply);
    case MNET_CALL_POLICY:
        return refuse(work, 503, "There is too much going on just now", our_trouble,
                      MNET_LOG_WARNING, "MNET0819", "%s could not be asked: %s", idp, text);
    case MNET_CALL_TRANSPORT:
        if (reply->timed_out) {
            return refuse(work, 504, "Your home site did not answer", home_trouble,
                          MNET_LOG_WARNING, "MNET0820", "%s did not answer user_authorise: %s", idp,
                          text);
        }
        break;
    case MNET_CALL_TRUST:
        break;
    }
    return refuse(work, 502, "Your home site did not tell us who you are", home_trouble,
                  MNET_LOG_WARNING, "MNET0821", "user_authorise at %s failed (%s): %s", idp,
                  mnet_call_kind_name(reply->kind), text);
}

static int ask(work_t *work)
{
    mnet_landing_t *in = work->in;
    apr_array_header_t *params = apr_array_make(work->pool, 2, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {.host = in->host,
                            .peer = work->peer->facts->wwwroot,
                            .method = "auth/mnet/auth.php/user_authorise",
                            .params = params,
                            .max_reply = REPLY_MAX};
    mnet_reply_t *reply;

    work->session.user_agent = mnet_user_agent_hash(in->host, in->user_agent, work->pool);
    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(in->token, work->pool);
    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(work->session.user_agent, work->pool);
    mnet_client_call(&call, &reply, work->pool);
    return judge(work, reply);
}

/*
 * "bob@uni.example" of the peer evil.example would be bob of uni.example to an application that
 * cuts REMOTE_USER at the wrong place, or is given the bare name.  With "user@peer" itself no two
 * peers share a user, since a wwwroot has no '@'.
 */
static const char *other_site(work_t *work, const char *username)
{
    mnet_host_t *host = work->in->host;
    const char *at = strrchr(username, '@');
    char *suffix;

    if (!at || !at[1]) {
        return NULL;
    }
    suffix = apr_pstrdup(work->pool, at + 1);
    for (char *c = suffix; *c; c++) {
        *c = (char)apr_tolower(*c);
    }
    if (!strcasecmp(suffix, mnet_wwwroot_bare(host->site->wwwroot))) {
        return suffix;
    }
    for (int i = 0; i < 2; i++) {
        const char *root = apr_pstrcat(work->pool, i ? "http://" : "https://", suffix, NULL);
        const mnet_peer_t *peer;

        if (strcmp(root, work->peer->facts->wwwroot) &&
            !mnet_host_look(host, root, &peer, NULL, work->pool)) {
            return suffix;
        }
    }
    return NULL;
}

static int same_root(const char *said, const char *wwwroot)
{
    apr_size_t len = strlen(wwwroot);

    return !strncmp(said, wwwroot, len) && (!said[len] || !strcmp(said + len, "/"));
}

static int check_user(work_t *work)
{
    static const char title[] = "Your home site did not tell us who you are";
    mnet_landing_t *in = work->in;
    const mnet_value_t *user = work->user;
    const char *username = mnet_as_text(mnet_get(user, "username"), work->pool);
    const char *root = mnet_as_text(mnet_get(user, "wwwroot"), work->pool), *problem;

    if (user->type != MNET_STRUCT || !username) {
        return refuse(work, 502, title, home_trouble, MNET_LOG_WARNING, "MNET0822",
                      "the answer of %s names no user", in->idp);
    }
    problem = mnet_username_problem(username);
    if (problem) {
        return refuse(work, 502, title, home_trouble, MNET_LOG_WARNING, "MNET0823",
                      "the username that %s gives is refused, %s: %s", in->idp, problem,
                      mnet_say(username, work->pool));
    }
    problem = other_site(work, username);
    if (problem) {
        return refuse(work, 502, title, home_trouble, MNET_LOG_WARNING, "MNET0824",
                      "%s calls its user %s as if of another site, %s", in->idp,
                      mnet_say(username, work->pool), mnet_say(problem, work->pool));
    }
    if (root && *root && !same_root(root, work->peer->facts->wwwroot)) {
        return refuse(work, 502, title, home_trouble, MNET_LOG_WARNING, "MNET0825",
                      "%s answers for a user of another site, %s", in->idp,
                      mnet_say(root, work->pool));
    }
    if (!mnet_policy_user(work->peer, username)) {
        return refuse(work, 403, "You may not come in here",
                      "Your home site knows you, but this site does not let you in. If you think "
                      "it should, ask the people who look after this site, with the code below.",
                      MNET_LOG_NOTICE, "MNET0826", "MnetUserAccess denies %s of %s",
                      mnet_say(username, work->pool), in->idp);
    }
    work->session.username = username;
    return 1;
}

/* Somebody was entered here before they ever came, and waits for an administrator. */
static int check_admitted(work_t *work)
{
    mnet_landing_t *in = work->in;
    apr_status_t rv;

    work->session.attributes = mnet_account_fields(in->host, work->user, work->pool);
    rv = in->admit ? in->admit(in->host, work->peer, work->session.username,
                               work->session.attributes, work->pool)
                   : APR_SUCCESS;

    if (rv == MNET_E_REFUSED) {
        return refuse(work, 403, "You may not come in here yet",
                      "Your home site has told us of you, but nobody here has let you in yet. Ask "
                      "the people who look after this site, with the code below.",
                      MNET_LOG_NOTICE, "MNET1132",
                      "%s of %s was imported and may not log in: `mnetctl ledger allow`",
                      mnet_say(work->session.username, work->pool), in->idp);
    }
    return rv ? broken(work, rv, "MNET1133", "the ledger cannot be asked") : 1;
}

/* --- in --- */

/*
 * A token lands once, whatever its provider says to it the second time: PHP's never consume one,
 * and ours answers a repeat within seconds.  In the transaction of the session.
 */
static apr_status_t claim_token(work_t *work, mnet_txn_t *txn)
{
    mnet_landing_t *in = work->in;
    mnet_replay_name_t name;
    const char *all = apr_pstrcat(work->pool, "land ", in->host->site->wwwroot, " ",
                                  work->session.peer, " ", NULL);
    apr_status_t rv = mnet_sha256(in->host->engine->crypto, all, strlen(all), in->token,
                                  strlen(in->token), name.bytes);

    return rv ? rv : mnet_replay_claim(txn, &name, in->now, in->now + TOKEN_KEPT);
}

static apr_status_t write_all(work_t *work, mnet_txn_t *txn)
{
    mnet_landing_t *in = work->in;
    mnet_session_t *session = &work->session;
    mnet_farewell_t farewell = {.peer = session->peer,
                                .at_provider = 1,
                                .username = session->username,
                                .user_agent = session->user_agent};
    mnet_name_t old;
    apr_status_t rv = claim_token(work, txn);

    if (rv) {
        return rv;
    }
    rv = mnet_session_name(in->host, in->old_session, &old);
    if (!rv) {
        rv = mnet_session_drop(in->host, txn, &old, NULL, work->pool);
    }
    if (rv && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    /* What is still to be told of an earlier logout must not end their session there. */
    rv = mnet_farewell_drop(in->host, txn, &farewell);
    if (rv) {
        return rv;
    }
    rv = mnet_myhosts_note(in->host, txn, session->peer, session->username, work->myhosts,
                           work->pool);
    if (rv) {
        return rv;
    }
    rv = mnet_account_note(in->host, txn, session->peer, session->username, session->attributes,
                           in->now, work->pool);
    return rv ? rv : mnet_session_begin(in->host, txn, session, in->now, &in->session, work->pool);
}

/* Nothing was written. */
static int stays_out(work_t *work, apr_status_t rv)
{
    mnet_landing_t *in = work->in;

    in->session = NULL;
    if (rv == MNET_E_REPLAY) {
        return refuse(work, 403, "This link was used before", link_again, MNET_LOG_WARNING,
                      "MNET0829", "the token of %s for %s of %s landed here before",
                      in->address ? in->address : "-", mnet_say(work->session.username, work->pool),
                      in->idp);
    }
    if (rv == MNET_E_SHARE) {
        return refuse(
            work, 503, "There is no room for more users of your home site", no_room,
            MNET_LOG_WARNING, "MNET0831",
            "%s has its share of the store (`mnetctl peers show`): is it that busy, raise "
            "MnetStateSize",
            in->idp);
    }
    return broken(work, rv, "MNET0827", "the session could not be written");
}

static int come_in(work_t *work)
{
    mnet_landing_t *in = work->in;
    mnet_txn_t *txn;
    apr_status_t rv;

    work->session.peer = work->peer->facts->wwwroot;
    work->myhosts = mnet_myhosts_read(work->session.peer, work->user, work->pool);
    rv = mnet_txn_begin(in->host->engine->store, MNET_WRITE, &txn, work->pool);
    if (!rv) {
        rv = write_all(work, txn);
        rv = rv ? rv : mnet_txn_commit(txn);
        mnet_txn_abort(txn);
    }
    if (rv) {
        return stays_out(work, rv);
    }
    in->status = 303;
    in->peer = work->session.peer;
    in->username = work->session.username;
    in->location =
        apr_pstrcat(work->pool, is_on(in->remoteurl) ? work->session.peer : in->host->site->wwwroot,
                    work->path, NULL);
    mnet_log(in->host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET0828",
             "%s: %s of %s landed from %s (%s)", in->host->site->wwwroot,
             mnet_say(work->session.username, work->pool), work->session.peer,
             in->address ? in->address : "-", in->id ? in->id : "-");
    return 1;
}

void mnet_land(mnet_landing_t *landing, apr_pool_t *pool)
{
    work_t work = {.in = landing, .pool = pool};

    landing->status = 500;
    landing->location = landing->session = landing->title = landing->advice = NULL;
    landing->home = landing->home_name = NULL;
    (void)(check_parameters(&work) && check_provider(&work) && check_wantsurl(&work) &&
           ask(&work) && check_user(&work) && check_admitted(&work) && come_in(&work));
}
