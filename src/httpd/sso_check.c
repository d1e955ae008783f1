/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/sso_check.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_file_info.h>
#include <apr_strings.h>
#include <string.h>

#include "httpd/check_say.h"
#include "httpd/cookie.h"
#include "httpd/log.h"
#include "httpd/sso_config.h"
#include "state/store.h"
#include "trust/peers.h"

#define STORE_FILE "data.mdb" /* LMDB's */

/* --- MnetLogin --- */

/* Is it a <MnetPeer> where a MnetLogin of s counts?  In the main server, which virtual hosts
 * inherit from, one of them is enough. */
static int is_configured(const server_rec *main_server, const server_rec *s, const char *peer)
{
    for (const server_rec *each = main_server; each; each = each->next) {
        const mnet_conf_t *conf = mnet_conf_get(each);
        if ((s == main_server || each == s) && conf->engine == 1 &&
            apr_hash_get(conf->peers, peer, APR_HASH_KEY_STRING))
            return 1;
    }
    return 0;
}

typedef void login_fn(void *baton, server_rec *s, const mnet_login_t *login);

/* Every MnetLogin that no <MnetPeer> answers to. */
static void each_unknown(server_rec *main_server, login_fn *fn, void *baton)
{
    for (server_rec *s = main_server; s; s = s->next) {
        const apr_array_header_t *logins = mnet_conf_get(s)->logins;
        int first = s == main_server || mnet_conf_get(s) != mnet_conf_get(main_server);
        for (int i = 0; first && logins && i < logins->nelts; i++) {
            const mnet_login_t *login = APR_ARRAY_IDX(logins, i, const mnet_login_t *);
            if (!is_configured(main_server, s, login->peer))
                fn(baton, s, login);
        }
    }
}

typedef struct checking_t {
    int stored; /* there is a store, whose peers are not known yet */
    int errors;
    apr_pool_t *pool;
} checking_t;

static void check_unknown(void *baton, server_rec *s, const mnet_login_t *login)
{
    checking_t *c = baton;
    const mnet_conf_t *conf = mnet_conf_get(s);
    if (conf->wwwroot && !strcmp(conf->wwwroot, login->peer)) {
        c->errors++;
        mnet_check_say(s, APLOG_ERR, &login->where, "MNET0615",
                       apr_psprintf(c->pool,
                                    "MnetLogin %s is this site itself; name the peer where its "
                                    "users have their accounts",
                                    login->peer));
    } else if (!c->stored) {
        c->errors++;
        mnet_check_say(s, APLOG_ERR, &login->where, "MNET0616",
                       apr_psprintf(c->pool,
                                    "MnetLogin %s is no peer; add it by <MnetPeer \"%s\">, or "
                                    "write the wwwroot of one as it is there",
                                    login->peer, login->peer));
    } else if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        /* Only a start reads the store (mnet_sso_check_stored): a test of the configuration may be
         * anybody's, and must not touch it. */
        mnet_check_say(s, APLOG_WARNING, &login->where, "MNET0898",
                       apr_psprintf(c->pool,
                                    "MnetLogin %s has no <MnetPeer>; unless it was added by "
                                    "mnetctl, write the wwwroot of one as it is there (see "
                                    "`mnetctl peers list`)",
                                    login->peer));
    }
}

int mnet_sso_check(server_rec *main_server, apr_pool_t *pool)
{
    const char *dir = mnet_conf_state_dir(mnet_conf_get(main_server), pool);
    checking_t c = {0, 0, pool};
    apr_finfo_t info;
    c.stored =
        dir && !apr_stat(&info, apr_pstrcat(pool, dir, "/" STORE_FILE, NULL), APR_FINFO_TYPE, pool);
    each_unknown(main_server, check_unknown, &c);
    return c.errors;
}

/* --- MnetLogin, and what mnetctl added --- */

typedef struct stored_t {
    mnet_store_t *store;
    mnet_txn_t *txn;
    mnet_crypto_t *crypto;
    const mnet_log_t *log;
    const mnet_conf_t *main_conf;
    apr_pool_t *pool;
} stored_t;

static int is_stored(const stored_t *w, const mnet_site_t *site, const char *wwwroot)
{
    mnet_peers_t *peers = mnet_peers_create(w->crypto, w->store, site, w->log, w->pool);
    const mnet_peer_t *peer;
    return !mnet_peers_find(peers, w->txn, wwwroot, &peer, w->pool);
}

static void warn_unknown(void *baton, server_rec *s, const mnet_login_t *login)
{
    const stored_t *w = baton;
    const mnet_conf_t *conf = mnet_conf_get(s);
    const apr_array_header_t *sites = w->main_conf->global->sites;
    int known = 0;
    for (int i = 0; !known && i < sites->nelts; i++) {
        const mnet_site_t *site = APR_ARRAY_IDX(sites, i, const mnet_site_t *);
        if (conf == w->main_conf || conf->site == site)
            known = is_stored(w, site, login->peer);
    }
    if (!known)
        mnet_check_say(s, APLOG_WARNING, &login->where, "MNET0638",
                       apr_psprintf(w->pool,
                                    "MnetLogin %s is no active peer, neither by <MnetPeer> nor by "
                                    "mnetctl; users choose from the page of peers instead",
                                    login->peer));
}

static void count_unknown(void *baton, server_rec *s, const mnet_login_t *login)
{
    ++*(int *)baton;
}

void mnet_sso_check_stored(server_rec *main_server, apr_pool_t *pool)
{
    const mnet_conf_t *conf = mnet_conf_get(main_server);
    stored_t w = {
        .log = &mnet_httpd_log_create(main_server, 0, pool)->log, .main_conf = conf, .pool = pool};
    const char *why;
    int count = 0;

    each_unknown(main_server, count_unknown, &count);
    if (!count || mnet_crypto_create(&w.crypto, &why, pool) ||
        mnet_store_open(&w.store, &mnet_store_lmdb, mnet_conf_state_dir(conf, pool),
                        mnet_conf_state_size(conf), w.log, &why, pool))
        return;
    if (!mnet_txn_begin(w.store, MNET_READ, &w.txn, pool)) {
        each_unknown(main_server, warn_unknown, &w);
        mnet_txn_abort(w.txn);
    }
    mnet_store_close(w.store);
}

/* --- what is allowed, with a word --- */

/* Was a list given that does not have it?  What is not said here mnetctl may have said. */
static int lacks(const apr_array_header_t *services, int size, const char *name)
{
    for (int i = 0; services && i < services->nelts; i++)
        if (!strcmp(*(const char **)(void *)(services->elts + i * size), name))
            return 0;
    return services != NULL;
}

static void warn_closed(server_rec *s, const mnet_login_t *login, const mnet_peer_facts_t *facts,
                        apr_pool_t *pool)
{
    int subscribe = lacks(facts->subscribe, sizeof(mnet_subscription_t), "sso_idp");
    if (subscribe || lacks(facts->publish, sizeof(const char *), "sso_sp"))
        mnet_check_say(s, APLOG_WARNING, &login->where, "MNET0899",
                       apr_psprintf(pool,
                                    "MnetLogin %s: its users are sent to log in there and then "
                                    "refused here; add %s to its <MnetPeer>",
                                    login->peer,
                                    subscribe ? "MnetSubscribe sso_idp" : "MnetPublish sso_sp"));
}

static void warn_login(server_rec *s, const mnet_conf_t *conf, const mnet_login_t *login,
                       apr_pool_t *pool)
{
    const mnet_peer_section_t *section =
        apr_hash_get(conf->peers, login->peer, APR_HASH_KEY_STRING);
    const char *application = section ? section->facts->application : NULL;
    if (section)
        warn_closed(s, login, section->facts, pool);
    if (application && !strcmp(application, "mahara") && !login->ins)
        mnet_check_say(s, APLOG_WARNING, &login->where, "MNET0617",
                       apr_psprintf(pool,
                                    "MnetLogin %s is a Mahara, whose jump page asks for the number "
                                    "that it knows us by; add it, as in ins=7",
                                    login->peer));
}

void mnet_sso_warn(server_rec *s, apr_pool_t *pool)
{
    const mnet_conf_t *conf = mnet_conf_get(s);
    const char *cookie = mnet_cookie_warning(conf->cookie, pool);

    if (cookie)
        mnet_check_say(s, APLOG_WARNING, &conf->where[MNET_FIELD_cookie], "MNET0618", cookie);
    if (conf->remote_user && mnet_remote_user_mixes(conf->remote_user))
        mnet_check_say(s, APLOG_WARNING, &conf->where[MNET_FIELD_remote_user], "MNET0619",
                       apr_psprintf(pool,
                                    "MnetRemoteUser %s can give users of two peers one name, so "
                                    "that one passes for the other; %%{username}@%%{peer} never "
                                    "does",
                                    conf->remote_user));
    for (int i = 0; conf->logins && i < conf->logins->nelts; i++)
        warn_login(s, conf, APR_ARRAY_IDX(conf->logins, i, const mnet_login_t *), pool);
}
