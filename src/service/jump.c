/* SPDX-License-Identifier: Apache-2.0 */
#include "service/jump.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "service/jump_int.h"
#include "service/land.h"
#include "trust/policy.h"

#define TOKEN_BYTES 20 /* 40 digits: the peers' columns */
#define WWWROOT_MAX 255

typedef struct work_t {
    mnet_jumping_t *in;
    const mnet_peer_t *peer;
    const char *path;
    const char *username; /* as the peer is told */
    apr_array_header_t *attributes;
    const char *token;
    apr_pool_t *pool;
} work_t;

static const char bad_link[] =
    "The link that brought you here is not complete. Go back to the page you came from and click "
    "it there. If that does not help, tell the people who look after this site, with the code "
    "below.";
static const char ask_us[] =
    "If you think you should get there, ask the people who look after this site, with the code "
    "below.";

/* Sets the answer and writes the line.  Returns 0, as every step does that ends the jump. */
static int refuse(work_t *work, int status, const char *title, const char *advice, int level,
                  const char *id, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
static int refuse(work_t *work, int status, const char *title, const char *advice, int level,
                  const char *id, const char *fmt, ...)
{
    mnet_jumping_t *in = work->in;
    const char *what;
    va_list ap;

    in->status = status;
    in->title = title;
    in->advice = advice;
    va_start(ap, fmt);
    what = apr_pvsprintf(work->pool, fmt, ap);
    va_end(ap);
    mnet_log(in->host->engine->log, level, APR_SUCCESS, id, "%s: %s did not jump (%s): %s",
             in->host->site->wwwroot, mnet_say(in->username, work->pool), in->id ? in->id : "-",
             what);
    return 0;
}

static int broken(work_t *work, apr_status_t rv, const char *id, const char *what)
{
    char text[128];

    return refuse(work, 500, "You could not be sent on",
                  "This is our fault, not yours. Wait a minute, then click the link again. If it "
                  "keeps failing, tell the people who look after this site, with the code below.",
                  MNET_LOG_ERR, id, "%s (%s)", what, mnet_strerror(rv, text, sizeof(text)));
}

/* --- who --- */

static int check_user(work_t *work)
{
    mnet_jumping_t *in = work->in;
    const char *told = mnet_attribute_find(in->attributes, "username"), *problem;

    if (!in->username || !*in->username) {
        return refuse(work, 403, "You are not signed in",
                      "Sign in on this site first, then click the link again.", MNET_LOG_NOTICE,
                      "MNET0840", "nobody was authenticated");
    }
    if (in->from && !in->from_allowed) {
        return refuse(work, 403, "You can go on only from your home site",
                      "You came here from another site. Go back there, and find the link to the "
                      "site you want on its own pages.",
                      MNET_LOG_NOTICE, "MNET0841", "they came from %s and may not go on from here",
                      mnet_say(in->from, work->pool));
    }
    work->username = told && *told ? told : in->username;
    problem = mnet_username_problem(work->username);
    if (problem) {
        return refuse(work, 403, "Your user name does not fit the other site", ask_us,
                      MNET_LOG_WARNING, "MNET0842",
                      "the username is not fit for a peer, %s: set another by `MnetAttribute "
                      "username ...`",
                      problem);
    }
    return 1;
}

/* --- where --- */

int mnet_jump_hostid(const mnet_peer_t *peer)
{
    return (int)(peer->id & 0x7FFFFFFF);
}

static apr_status_t list_peers(mnet_host_t *host, apr_array_header_t **peers, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    if (!rv) {
        rv = mnet_peers_list(host->peers, txn, peers, pool);
        mnet_txn_abort(txn);
    }
    return rv;
}

/* May our users go there at all? */
static int is_open(const mnet_peer_t *peer)
{
    return peer->facts->active != 0 && mnet_policy_publishes(peer, "sso_idp") &&
           mnet_policy_subscribes(peer, "sso_sp");
}

apr_status_t mnet_jump_peers(mnet_host_t *host, apr_array_header_t **peers, apr_pool_t *pool)
{
    apr_array_header_t *all;
    apr_status_t rv = list_peers(host, &all, pool);

    *peers = apr_array_make(pool, 8, sizeof(const mnet_peer_t *));
    for (int i = 0; !rv && i < all->nelts; i++) {
        const mnet_peer_t *peer = APR_ARRAY_IDX(all, i, const mnet_peer_t *);

        if (is_open(peer) && peer->certificate && peer->application->land) {
            APR_ARRAY_PUSH(*peers, const mnet_peer_t *) = peer;
        }
    }
    return rv;
}

static apr_status_t find_by_id(work_t *work, const char *text)
{
    apr_array_header_t *peers;
    apr_int64_t id;
    char *end;
    apr_status_t rv;

    if (strnlen(text, 11) > 10 || !apr_isdigit(*text)) {
        return APR_NOTFOUND;
    }
    id = apr_strtoi64(text, &end, 10);
    rv = *end ? APR_NOTFOUND : list_peers(work->in->host, &peers, work->pool);
    if (rv) {
        return rv;
    }
    for (int i = 0; i < peers->nelts; i++) {
        const mnet_peer_t *peer = APR_ARRAY_IDX(peers, i, const mnet_peer_t *);

        if (mnet_jump_hostid(peer) == id && peer->facts->active != 0) {
            work->peer = peer;
            return APR_SUCCESS;
        }
    }
    return APR_NOTFOUND;
}

/* Without its trailing slashes, and with either scheme if it has none. */
static apr_status_t find_by_wwwroot(work_t *work, const char *text)
{
    static const char *const schemes[] = {"https://", "http://"};
    apr_size_t len = strnlen(text, WWWROOT_MAX + 1);
    char *root = apr_pstrmemdup(work->pool, text, len);
    apr_status_t rv;

    if (len > WWWROOT_MAX) {
        return APR_NOTFOUND;
    }
    while (len && root[len - 1] == '/') {
        root[--len] = '\0';
    }
    rv = len ? mnet_host_look(work->in->host, root, &work->peer, NULL, work->pool) : APR_NOTFOUND;
    for (int i = 0; i < 2 && len && rv == APR_NOTFOUND && !strstr(root, "://"); i++) {
        rv = mnet_host_look(work->in->host, apr_pstrcat(work->pool, schemes[i], root, NULL),
                            &work->peer, NULL, work->pool);
    }
    return rv;
}

static int find_peer(work_t *work)
{
    mnet_jumping_t *in = work->in;
    const char *named = in->hostwwwroot && *in->hostwwwroot ? in->hostwwwroot : in->wr;
    int by_id = !(named && *named);
    apr_status_t rv;

    if (by_id) {
        named = in->hostid;
    }
    if (!named || !*named) {
        return refuse(work, 400, "This link does not work", bad_link, MNET_LOG_NOTICE, "MNET0843",
                      "none of hostwwwroot, hostid and wr says where to");
    }
    rv = by_id ? find_by_id(work, named) : find_by_wwwroot(work, named);
    if (rv == APR_NOTFOUND) {
        return refuse(work, 404, "We do not know that site", ask_us, MNET_LOG_NOTICE, "MNET0844",
                      "%s is no active peer", mnet_say(named, work->pool));
    }
    return rv ? broken(work, rv, "MNET0845", "the state directory cannot be read") : 1;
}

static int check_peer(work_t *work)
{
    const mnet_peer_t *peer = work->peer;
    const char *root = peer->facts->wwwroot;

    if (!is_open(peer)) {
        return refuse(work, 403, "Users of this site cannot go there", ask_us, MNET_LOG_NOTICE,
                      "MNET0846",
                      "%s takes no users of ours: that takes `MnetPublish sso_idp` and "
                      "`MnetSubscribe sso_sp` for it",
                      root);
    }
    if (!peer->certificate || !peer->application->land) {
        return refuse(work, 403, "Users of this site cannot go there yet", ask_us, MNET_LOG_WARNING,
                      "MNET0847", "%s has %s", root,
                      peer->certificate ? "an application without a land page"
                                        : "no trusted certificate: see `mnetctl peers confirm`");
    }
    root = work->in->back ? work->in->host->site->wwwroot : root;
    work->path = mnet_wants_path(work->in->wantsurl, root, work->pool);
    if (!work->path) {
        return refuse(work, 400, "This link does not work", bad_link, MNET_LOG_WARNING, "MNET0848",
                      "wantsurl is no path on %s: %s", root,
                      mnet_say(work->in->wantsurl, work->pool));
    }
    return 1;
}

/* --- with what --- */

/* Is it known to be one?  Most sections of peers say nothing, which stands for a Moodle as well as
 * for a site of our kind. */
static int is_moodle(const mnet_peer_t *peer)
{
    const char *said = peer->facts->application, *made = peer->certificate->product;

    return said ? !strcmp(said, "moodle") : made && !strcasecmp(made, "moodle");
}

/*
 * A Moodle makes an account for a name in small letters alone, of few other characters unless its
 * setting extendedusernamechars is on; its page would help nobody.
 */
static int check_moodle_name(work_t *work)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz", others[] = "0123456789-._@";
    const char *name = work->username, *root = work->peer->facts->wwwroot;
    int capital = 0, strange = 0;

    for (const char *c = name; *c; c++) {
        capital |= apr_isupper(*c);
        strange |= !strchr(letters, apr_tolower(*c)) && !strchr(others, *c);
    }
    if (strcmp(work->peer->application->name, "moodle") != 0) {
        return 1;
    }
    if (capital && is_moodle(work->peer)) {
        return refuse(
            work, 403, "Your user name does not fit the other site",
            "The other site takes only user names in small letters, and yours has a capital "
            "letter. Tell the people who look after this site, with the code below: the directive "
            "MnetAttribute sets the name that the other site is told, as in MnetAttribute username "
            "\"%{tolower:%{REMOTE_USER}}\".",
            MNET_LOG_WARNING, "MNET0858",
            "%s, a Moodle, would refuse the capital letters of their name: set another by "
            "`MnetAttribute username \"%%{tolower:%%{REMOTE_USER}}\"`, unless users here differ by "
            "case alone",
            root);
    }
    if (capital || strange) {
        mnet_log(work->in->host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET0859",
                 "%s, if a Moodle, takes %s only %s; `MnetAttribute username` sets another name",
                 root, mnet_say(name, work->pool),
                 capital ? "in small letters" : "if extendedusernamechars is on there");
    }
    return 1;
}

/* Every PHP peer insists on these three, and would fail with a page that helps nobody. */
static int refuse_lacking(work_t *work, const char *lacks)
{
    return refuse(
        work, 403, "Your account here lacks something that the other site needs",
        apr_psprintf(work->pool,
                     "The other site takes only users with a first name, a last name and an e-mail "
                     "address, and we do not know your: %s. Fill it in where you look after your "
                     "account. If it is there already, tell the people who look after this site, "
                     "with the code below: it is set by the directive MnetAttribute, as in "
                     "MnetAttribute %.*s \"%%{env:...}\".",
                     lacks, (int)strcspn(lacks, ","), lacks),
        MNET_LOG_WARNING, "MNET0849", "%s would refuse them without %s: set it by `MnetAttribute`",
        work->peer->facts->wwwroot, lacks);
}

static int check_attributes(work_t *work)
{
    mnet_told_t told;
    const char *root = work->peer->facts->wwwroot;

    mnet_jump_told(work->in->attributes, &told, work->pool);
    work->attributes = told.attributes;
    if (told.too_long) {
        return refuse(work, 403, "Your e-mail address is too long for the other site",
                      "The other site has room for 100 characters. Give a shorter address where "
                      "you look after your account, or tell the people who look after this site, "
                      "with the code below: what the other site is told is set by the directive "
                      "MnetAttribute, as in MnetAttribute email \"%{REMOTE_USER}@example.org\".",
                      MNET_LOG_WARNING, "MNET0879",
                      "%s would refuse their e-mail address, which is longer than 100 characters: "
                      "set another by `MnetAttribute email ...`",
                      root);
    }
    if (told.lacks) {
        return refuse_lacking(work, told.lacks);
    }
    if (told.left_out || told.cut) {
        mnet_log(work->in->host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET0878",
                 "%s: %s goes to %s, where there is no room for all that `MnetAttribute` says: "
                 "left out: %s; cut: %s",
                 work->in->host->site->wwwroot, mnet_say(work->in->username, work->pool), root,
                 told.left_out ? told.left_out : "nothing", told.cut ? told.cut : "nothing");
    }
    return 1;
}

/* --- off --- */

static const char *encode(const char *text, apr_pool_t *pool)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = apr_palloc(pool, 3 * strlen(text) + 1), *at = out;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (apr_isalnum(c) || strchr("-._~", c)) {
            *at++ = (char)c;
        } else {
            *at++ = '%';
            *at++ = digits[c >> 4];
            *at++ = digits[c & 0xF];
        }
    }
    *at = '\0';
    return out;
}

static apr_status_t write_jump(work_t *work)
{
    mnet_jumping_t *in = work->in;
    mnet_host_t *host = in->host;
    mnet_jump_t jump = {
        .peer = work->peer->facts->wwwroot,
        .username = work->username,
        .user = in->username,
        .user_agent = mnet_user_agent_hash(host, in->user_agent, work->pool),
        .session = in->session,
        .attributes = work->attributes,
        .picture = in->picture,
        .created = in->now,
        .until = mnet_ahead(in->now, host->site->token_lifetime),
    };
    mnet_name_t name;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_random_hex(&work->token, TOKEN_BYTES, work->pool);

    rv = rv ? rv : mnet_jump_name(host, work->token, &name);
    rv = rv ? rv : mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, work->pool);
    if (rv) {
        return rv;
    }
    rv = mnet_jump_room(host, txn, in->username, work->pool);
    rv = rv ? rv : mnet_jump_put(host, txn, &name, &jump, work->pool);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return rv;
}

static int go(work_t *work)
{
    mnet_jumping_t *in = work->in;
    const mnet_peer_t *peer = work->peer;
    apr_status_t rv = write_jump(work);

    if (rv) {
        return broken(work, rv, "MNET0850", "the token could not be written");
    }
    in->status = 303;
    in->location = apr_pstrcat(
        work->pool, peer->facts->wwwroot, peer->application->land, "?token=", work->token,
        "&idp=", encode(in->host->site->wwwroot, work->pool),
        "&wantsurl=", encode(work->path, work->pool), in->back ? "&remoteurl=1" : "", NULL);
    mnet_log(in->host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET0851",
             "%s: %s jumps to %s (%s)", in->host->site->wwwroot, mnet_say(in->username, work->pool),
             peer->facts->wwwroot, in->id ? in->id : "-");
    return 1;
}

void mnet_jump(mnet_jumping_t *jumping, apr_pool_t *pool)
{
    work_t work = {.in = jumping, .pool = pool};

    jumping->status = 500;
    jumping->location = jumping->title = jumping->advice = NULL;
    (void)(check_user(&work) && find_peer(&work) && check_peer(&work) && check_moodle_name(&work) &&
           check_attributes(&work) && go(&work));
}
