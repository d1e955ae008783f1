/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /mnet/hosts: the peers that a user can jump to, where they came from and the way back; for
 * somebody without a session, where they can log in.  A page, or JSON:
 *
 *   {"site": {"url", "name"}, "user": {"name", "username"} or null, "from": {"url", "name"} or
 * null, "hosts": [{"url", "name", "jump"}], "home": [{"name", "jump"}], "providers": [{"url",
 * "name", "login"}], "logout": URL or null}
 */

#include <http_protocol.h>
#include <apr_strings.h>
#include <string.h>

#include "httpd/auth.h"
#include "httpd/page.h"
#include "httpd/request.h"
#include "service/jump.h"
#include "service/land.h"
#include "service/myhosts.h"
#include "service/peer_title.h"
#include "trust/policy.h"
#include "wire/json.h"

/* What is shown. */
typedef struct hosts_t {
    mnet_host_t *host;
    const mnet_session_t *session; /* NULL: none, or httpd knows the user by other means */
    const char *user;              /* to be greeted by; NULL: nobody */
    const char *username;
    mnet_value_t *hosts;     /* where they can go */
    mnet_value_t *providers; /* where they can log in */
    mnet_value_t *home;      /* other sites of their home */
    const char *logout;      /* URL, or NULL */
    const char *from;        /* what the session's provider calls itself */
} hosts_t;

/* --- finding out --- */

static mnet_value_t *site_value(const char *url, const char *name, const char *key,
                                const char *link, apr_pool_t *pool)
{
    mnet_value_t *value = mnet_struct(pool);
    mnet_set(value, "url", mnet_string(url, pool));
    mnet_set(value, "name", mnet_string(name, pool));
    if (key)
        mnet_set(value, key, mnet_string(link, pool));
    return value;
}

static const char *first_jump(const mnet_site_t *site)
{
    return APR_ARRAY_IDX(site->applications, 0, const mnet_application_t *)->jump;
}

/* May this user leave by our jump page, as its own <Location> says? */
static int may_jump(request_rec *r, const hosts_t *h)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const char *path = apr_pstrcat(r->pool, conf->sso->root_path, first_jump(h->host->site), NULL);
    const mnet_dir_t *dir = ap_get_module_config(mnet_request_location(r, path), &mnet_module);
    return dir->identity_provider == 1 && (!h->session || dir->jump_onward == 1);
}

static apr_status_t find_hosts(request_rec *r, hosts_t *h)
{
    const mnet_site_t *site = h->host->site;
    apr_array_header_t *peers;
    apr_status_t rv;
    if (!h->user || !may_jump(r, h))
        return APR_SUCCESS;
    rv = mnet_jump_peers(h->host, &peers, r->pool);
    for (int i = 0; !rv && i < peers->nelts; i++) {
        const mnet_peer_t *peer = APR_ARRAY_IDX(peers, i, const mnet_peer_t *);
        const char *url = peer->facts->wwwroot;
        const char *jump = apr_pstrcat(r->pool, site->wwwroot, first_jump(site),
                                       "?hostwwwroot=", mnet_query_escape(url, r->pool), NULL);
        mnet_append(h->hosts,
                    site_value(url, mnet_peer_title(peer, r->pool), "jump", jump, r->pool));
    }
    return rv;
}

/* Can its users land here? */
static int is_provider(const mnet_peer_t *peer)
{
    return peer->facts->active != 0 && peer->certificate && peer->application->jump &&
           mnet_policy_subscribes(peer, "sso_idp") && mnet_policy_publishes(peer, "sso_sp");
}

static apr_status_t find_providers(request_rec *r, hosts_t *h, const char *wants)
{
    const mnet_login_t *login = mnet_dir_get(r)->login;
    apr_array_header_t *peers;
    mnet_txn_t *txn;
    apr_status_t rv;
    if (h->user)
        return APR_SUCCESS;
    rv = mnet_txn_begin(h->host->engine->store, MNET_READ, &txn, r->pool);
    if (rv)
        return rv;
    rv = mnet_peers_list(h->host->peers, txn, &peers, r->pool);
    mnet_txn_abort(txn);
    for (int i = 0; !rv && i < peers->nelts; i++) {
        const mnet_peer_t *peer = APR_ARRAY_IDX(peers, i, const mnet_peer_t *);
        const char *url = peer->facts->wwwroot;
        const char *ins = login && !strcmp(login->peer, url) ? login->ins : NULL;
        if (is_provider(peer))
            mnet_append(h->providers,
                        site_value(url, mnet_peer_title(peer, r->pool), "login",
                                   mnet_login_link(h->host, peer, ins, wants, r->pool), r->pool));
    }
    return rv;
}

/* What the home told of its other sites; those to which they can go from here are there already. */
static apr_status_t find_home(request_rec *r, hosts_t *h)
{
    apr_array_header_t *myhosts;
    apr_status_t rv;
    if (!h->session)
        return APR_SUCCESS;
    rv = mnet_myhosts_find(h->host, h->session->peer, h->session->username, &myhosts, r->pool);
    for (int i = 0; !rv && i < myhosts->nelts; i++) {
        const mnet_myhost_t *each = &APR_ARRAY_IDX(myhosts, i, mnet_myhost_t);
        mnet_value_t *site = mnet_struct(r->pool);
        mnet_set(site, "name", mnet_string(each->name, r->pool));
        mnet_set(site, "jump", mnet_string(each->url, r->pool));
        mnet_append(h->home, site);
    }
    return rv;
}

/* The logout page, where the administrator put one at its usual place. */
static const char *find_logout(request_rec *r, const hosts_t *h)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const char *path = apr_pstrcat(r->pool, conf->sso->root_path, "/mnet/logout", NULL);
    const char *handler = mnet_request_set_handler(r, mnet_request_location(r, path));
    return h->user && handler && !strcmp(handler, "mnet-logout")
               ? apr_pstrcat(r->pool, h->host->site->wwwroot, "/mnet/logout", NULL)
               : NULL;
}

static void find_user(request_rec *r, hosts_t *h)
{
    const mnet_here_t *here = mnet_here(r);
    const char *first, *last;
    if (here->entered || !r->user)
        h->session = mnet_here_session(r);
    h->username = h->session ? h->session->username : r->user;
    h->user = h->username;
    if (!h->session)
        return;
    h->from = mnet_peer_title_of(h->host, h->session->peer, r->pool);
    first = mnet_attribute_find(h->session->attributes, "firstname");
    last = mnet_attribute_find(h->session->attributes, "lastname");
    if (first && last)
        h->user = apr_pstrcat(r->pool, first, " ", last, NULL);
}

static void say_where(mnet_value_t *site, apr_pool_t *pool)
{
    const char *name = mnet_as_text(mnet_get(site, "name"), pool);
    const char *where = mnet_wwwroot_bare(mnet_as_text(mnet_get(site, "url"), pool));
    if (!strstr(name, where))
        mnet_set(site, "name", mnet_string(apr_pstrcat(pool, name, " (", where, ")", NULL), pool));
}

/* Of several that call themselves the same, each says where it is. */
static void tell_apart(mnet_value_t *sites, apr_pool_t *pool)
{
    apr_hash_t *seen = apr_hash_make(pool);
    for (int i = 0; i < mnet_count(sites); i++) {
        mnet_value_t *each = mnet_item(sites, i), *before;
        char *folded = apr_pstrdup(pool, mnet_as_text(mnet_get(each, "name"), pool));
        ap_str_tolower(folded);
        before = apr_hash_get(seen, folded, APR_HASH_KEY_STRING);
        if (!before)
            apr_hash_set(seen, folded, APR_HASH_KEY_STRING, each);
        else
            say_where(before, pool), say_where(each, pool);
    }
}

/* --- JSON --- */

static apr_status_t write_to_client(void *baton, const char *data, apr_size_t len)
{
    return ap_rwrite(data, (int)len, (request_rec *)baton) < 0 ? APR_EGENERAL : APR_SUCCESS;
}

static int send_json(request_rec *r, const hosts_t *h)
{
    const mnet_sink_t sink = {write_to_client, r};
    const mnet_site_t *site = h->host->site;
    mnet_value_t *all = mnet_struct(r->pool), *user = mnet_nil(r->pool);
    mnet_value_t *from = mnet_nil(r->pool);

    if (h->user) {
        user = mnet_struct(r->pool);
        mnet_set(user, "name", mnet_string(h->user, r->pool));
        mnet_set(user, "username", mnet_string(h->username, r->pool));
    }
    if (h->session)
        from = site_value(h->session->peer, h->from, NULL, NULL, r->pool);
    mnet_set(all, "site", site_value(site->wwwroot, site->name, NULL, NULL, r->pool));
    mnet_set(all, "user", user);
    mnet_set(all, "from", from);
    mnet_set(all, "hosts", h->hosts);
    mnet_set(all, "home", h->home);
    mnet_set(all, "providers", h->providers);
    mnet_set(all, "logout", h->logout ? mnet_string(h->logout, r->pool) : mnet_nil(r->pool));
    ap_set_content_type(r, "application/json");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    mnet_value_to_json(all, 0, &sink);
    ap_rputs("\n", r);
    return OK;
}

/* --- the page --- */

static const char *member(const mnet_value_t *value, const char *name, apr_pool_t *pool)
{
    return mnet_as_text(mnet_get(value, name), pool);
}

static const char *list(const mnet_value_t *sites, const char *key, apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 8, sizeof(const char *));
    APR_ARRAY_PUSH(parts, const char *) = "<ul>\n";
    for (int i = 0; i < mnet_count(sites); i++) {
        const mnet_value_t *each = mnet_item(sites, i);
        APR_ARRAY_PUSH(parts, const char *) = apr_pstrcat(
            pool, "<li>", mnet_html_link(member(each, key, pool), member(each, "name", pool), pool),
            "</li>\n", NULL);
    }
    APR_ARRAY_PUSH(parts, const char *) = "</ul>\n";
    return apr_array_pstrcat(pool, parts, 0);
}

static const char *user_part(const hosts_t *h, apr_pool_t *pool)
{
    const char *came = "", *out = "", *home = "", *go;
    if (h->session)
        came = apr_pstrcat(pool, "<p>",
                           mnet_html_link(apr_pstrcat(pool, h->session->peer, "/", NULL),
                                          apr_pstrcat(pool, "Back to ", h->from, NULL), pool),
                           "</p>\n", NULL);
    if (mnet_count(h->home))
        home = apr_pstrcat(pool, "<nav aria-labelledby=\"home\">\n<h2 id=\"home\">Other sites of ",
                           mnet_html(h->from, pool), "</h2>\n", list(h->home, "jump", pool),
                           "</nav>\n", NULL);
    if (h->logout)
        out = apr_pstrcat(pool, "<p>", mnet_html_link(h->logout, "Log out", pool), "</p>\n", NULL);
    if (mnet_count(h->hosts))
        go =
            apr_pstrcat(pool, "<nav aria-labelledby=\"go\">\n<h2 id=\"go\">Where you can go</h2>\n",
                        list(h->hosts, "jump", pool), "</nav>\n", NULL);
    else if (h->session && mnet_count(h->home))
        go = "";
    else if (h->session)
        go = "<p>To go to another site, follow its link at the site that you came from.</p>\n";
    else
        go = "<p>There is no other site that you can go to from here.</p>\n";
    return apr_pstrcat(pool, "<p>You are logged in as <strong>", mnet_html(h->user, pool),
                       "</strong>.</p>\n", came, go, home, out, NULL);
}

static const char *login_part(const hosts_t *h, apr_pool_t *pool)
{
    if (!mnet_count(h->providers))
        return "<p>You are not logged in, and there is no other site where you could log in for "
               "this one.</p>\n";
    return apr_pstrcat(pool,
                       "<p>You are not logged in. Choose the site where you have your account; you "
                       "come back here when you are logged in there.</p>\n"
                       "<nav aria-labelledby=\"in\">\n<h2 id=\"in\">Where you can log in</h2>\n",
                       list(h->providers, "login", pool), "</nav>\n", NULL);
}

int mnet_endpoint_hosts(request_rec *r, mnet_host_t *host, const mnet_route_t *route)
{
    hosts_t h = {
        host, NULL, NULL, NULL, mnet_array(r->pool), mnet_array(r->pool), mnet_array(r->pool),
        NULL, NULL};
    const char *format, *wants;
    apr_table_t *query;
    apr_status_t rv;

    if (r->method_number != M_GET)
        return mnet_page_get_only(r);
    query = mnet_request_query(r);
    format = query ? apr_table_get(query, "format") : NULL;
    wants = query ? apr_table_get(query, "wantsurl") : NULL;
    wants = mnet_wants_path(wants, host->site->wwwroot, r->pool);
    find_user(r, &h);
    rv = find_hosts(r, &h);
    if (!rv)
        rv = find_home(r, &h);
    if (!rv)
        rv = find_providers(r, &h, wants ? wants : "/");
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_ERR, rv, "MNET0893",
                 "the peers of %s cannot be read from the state directory (%s)",
                 host->site->wwwroot, mnet_request_id(r));
        return mnet_page_send(r, HTTP_INTERNAL_SERVER_ERROR, "This page cannot be shown",
                              "<p>Something is wrong with this site. Try again later.</p>\n");
    }
    tell_apart(h.hosts, r->pool);
    tell_apart(h.providers, r->pool);
    h.logout = find_logout(r, &h);
    apr_table_mergen(r->headers_out, "Vary", "Accept");
    if ((format && !ap_cstr_casecmp(format, "json")) ||
        (!mnet_request_accepts(r, "text/html") && mnet_request_accepts(r, "application/json")))
        return send_json(r, &h);
    return mnet_page_send(r, HTTP_OK, host->site->name,
                          h.user ? user_part(&h, r->pool) : login_part(&h, r->pool));
}
