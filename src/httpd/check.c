/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/check.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_file_info.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "httpd/backend_config.h"
#include "httpd/call_check.h"
#include "httpd/check_say.h"
#include "httpd/portfolio_config.h"
#include "httpd/routes.h"
#include "httpd/sso_check.h"
#include "httpd/sso_config.h"
#include "trust/certificate.h"

APLOG_USE_MODULE(mnet);

/* While a configuration is checked. */
typedef struct checking_t {
    apr_pool_t *pool; /* of this check */
    apr_pool_t *pconf;
    server_rec *main_server;
    mnet_crypto_t *crypto;
    apr_hash_t *wwwroots; /* to the mnet_conf_t that had it first */
    int errors;
} checking_t;

static void fail(checking_t *c, server_rec *s, const mnet_where_t *where, const char *id,
                 const char *text)
{
    c->errors++;
    mnet_check_say(s, APLOG_ERR, where, id, text);
}

/* --- the whole server --- */

/* Does path lie in the directory dir, or is it that? */
static int lies_in(const char *path, const char *dir)
{
    apr_size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

static void check_state_dir(checking_t *c)
{
    const mnet_conf_t *conf = mnet_conf_get(c->main_server);
    const mnet_where_t *where = &conf->where[MNET_FIELD_state_dir];
    const char *dir = mnet_conf_state_dir(conf, c->pool);
    apr_finfo_t info;

    if (!dir) {
        fail(c, c->main_server, where, "MNET0601",
             "MnetStateDir is no path; write an absolute one, as in /var/lib/apache2/mnet");
        return;
    }
    if (!apr_stat(&info, dir, APR_FINFO_TYPE, c->pool) && info.filetype != APR_DIR)
        fail(c, c->main_server, where, "MNET0602",
             apr_psprintf(c->pool, "MnetStateDir: %s is there and is no directory; name another",
                          dir));
    for (server_rec *s = c->main_server; s; s = s->next) {
        const core_server_config *core = ap_get_core_module_config(s->module_config);
        if (core->ap_document_root && lies_in(dir, core->ap_document_root)) {
            fail(c, s, where, "MNET0603",
                 apr_psprintf(c->pool,
                              "MnetStateDir %s lies below the DocumentRoot %s, so that our private "
                              "keys could be downloaded; name a directory outside of it",
                              dir, core->ap_document_root));
            return;
        }
    }
}

static void check_whole_server(checking_t *c)
{
    const char *why = "";
    check_state_dir(c);
    if (!ap_find_linked_module("mod_watchdog.c"))
        fail(c, c->main_server, NULL, "MNET0604",
             "MnetEngine is On, but mod_watchdog is not loaded, without which no key is ever "
             "replaced; add: LoadModule watchdog_module modules/mod_watchdog.so");
    if (mnet_crypto_create(&c->crypto, &why, c->pool)) {
        c->crypto = NULL;
        fail(c, c->main_server, NULL, "MNET0605", why);
    }
}

/* --- one virtual host --- */

static int by_order(const void *a, const void *b)
{
    const mnet_peer_section_t *const *x = a, *const *y = b;
    return ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

static apr_array_header_t *sections_of(const mnet_conf_t *conf, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 8, sizeof(const mnet_peer_section_t *));
    for (apr_hash_index_t *i = apr_hash_first(pool, conf->peers); i; i = apr_hash_next(i))
        APR_ARRAY_PUSH(list, const mnet_peer_section_t *) = apr_hash_this_val(i);
    if (list->nelts)
        qsort(list->elts, (size_t)list->nelts, (size_t)list->elt_size, by_order);
    return list;
}

/* Each peer against those before it, so that of two that exclude each other the later is blamed. */
static void check_peers(checking_t *c, server_rec *s, const mnet_conf_t *conf,
                        const mnet_site_t *site)
{
    apr_array_header_t *sections = sections_of(conf, c->pool);
    mnet_site_t so_far = *site;
    so_far.peers = apr_hash_make(c->pool);
    for (int i = 0; i < sections->nelts; i++) {
        const mnet_peer_section_t *section =
            APR_ARRAY_IDX(sections, i, const mnet_peer_section_t *);
        const mnet_peer_facts_t *facts = section->facts;
        const mnet_where_t *where = &section->where;
        const char *problem = mnet_peer_problem(&so_far, facts, NULL, c->pool);
        if (problem && facts->application &&
            !mnet_application_find(site->defined, facts->application))
            where = &section->application_where;
        if (!problem && c->crypto) {
            problem = mnet_peer_problem(&so_far, facts, c->crypto, c->pool);
            where = &section->certificate_where;
            if (problem)
                problem = apr_psprintf(c->pool, "MnetPeerCertificate %s: %s",
                                       section->certificate_file, problem);
        }
        if (problem)
            fail(c, s, where, "MNET0606", problem);
        apr_hash_set(so_far.peers, facts->wwwroot, APR_HASH_KEY_STRING, facts);
    }
}

/* A second virtual host of one wwwroot: the same site, if all else is equal. */
static void check_twin(checking_t *c, server_rec *s, mnet_conf_t *conf, const mnet_conf_t *first)
{
    mnet_field_e field = mnet_conf_difference(conf, first, c->pool);
    const mnet_where_t *where = &conf->where[MNET_FIELD_wwwroot];
    const mnet_where_t *other = &first->where[MNET_FIELD_wwwroot];
    const char *name;
    if (field == MNET_FIELD_COUNT) {
        conf->site = first->site;
        conf->routes = first->routes;
        conf->sso = first->sso;
        return;
    }
    name = mnet_field_name(field);
    fail(c, s, where, "MNET0607",
         apr_psprintf(c->pool,
                      "MnetWwwroot %s is also that of line %d of %s, but %s%s differs; two virtual "
                      "hosts may be one site only if every Mnet directive is the same in both",
                      conf->wwwroot, other->line, other->file ? other->file : "?", name,
                      name[0] == '<' ? ">" : ""));
}

static void check_host(checking_t *c, server_rec *s, mnet_conf_t *conf)
{
    const mnet_conf_t *first;
    mnet_field_e field;
    const char *why = NULL;

    if (!conf->wwwroot) {
        fail(c, s, &conf->where[MNET_FIELD_engine], "MNET0608",
             "MnetEngine is On, but there is no MnetWwwroot; say who this host is, as in "
             "MnetWwwroot https://www.example.org (or move MnetEngine On into the virtual hosts "
             "that have one)");
        return;
    }
    first = apr_hash_get(c->wwwroots, conf->wwwroot, APR_HASH_KEY_STRING);
    if (first) {
        check_twin(c, s, conf, first);
        return;
    }
    apr_hash_set(c->wwwroots, conf->wwwroot, APR_HASH_KEY_STRING, conf);
    conf->site = mnet_conf_site(conf, s, &why, c->pconf);
    if (!conf->site) {
        fail(c, s, &conf->where[MNET_FIELD_applications], "MNET0609", why);
        return;
    }
    conf->routes = mnet_routes_create(conf->site, &why, c->pconf);
    if (!conf->routes)
        fail(c, s, &conf->where[MNET_FIELD_applications], "MNET0610", why);
    check_peers(c, s, conf, conf->site);
    why = mnet_sso_prepare(conf, &field, c->pconf);
    if (why)
        fail(c, s, &conf->where[field], "MNET0614", why);
    APR_ARRAY_PUSH(conf->global->sites, mnet_site_t *) = conf->site;
}

/* Virtual hosts without any directive of ours share the main server's configuration. */
static int is_first_use(const server_rec *main_server, const server_rec *s)
{
    return s == main_server || mnet_conf_get(s) != mnet_conf_get(main_server);
}

/* httpd lists virtual hosts last first; here as they stand in the files, so that of two that
 * exclude each other the later is blamed. */
static apr_array_header_t *servers_of(server_rec *s, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 16, sizeof(server_rec *));
    for (server_rec *each = s->next; each; each = each->next)
        APR_ARRAY_PUSH(list, server_rec *) = each;
    APR_ARRAY_PUSH(list, server_rec *) = s;
    for (int i = 0; i < list->nelts / 2; i++) {
        server_rec *swap = APR_ARRAY_IDX(list, i, server_rec *);
        APR_ARRAY_IDX(list, i, server_rec *) =
            APR_ARRAY_IDX(list, list->nelts - 1 - i, server_rec *);
        APR_ARRAY_IDX(list, list->nelts - 1 - i, server_rec *) = swap;
    }
    return list;
}

int mnet_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    checking_t c = {NULL, pconf, s, NULL, NULL, 0};
    apr_array_header_t *servers;
    int any = 0;

    if (apr_pool_create(&c.pool, ptemp))
        return HTTP_INTERNAL_SERVER_ERROR;
    c.wwwroots = apr_hash_make(c.pool);
    for (server_rec *each = s; each && !any; each = each->next)
        any = mnet_conf_get(each)->engine == 1;
    if (any) {
        check_whole_server(&c);
        servers = servers_of(s, c.pool);
        for (int i = 0; i < servers->nelts; i++) {
            server_rec *each = APR_ARRAY_IDX(servers, i, server_rec *);
            if (mnet_conf_get(each)->engine == 1 && is_first_use(s, each))
                check_host(&c, each, mnet_conf_get(each));
        }
        c.errors += mnet_sso_check(s, c.pool);
        c.errors += mnet_portfolio_check(s, c.pool);
        c.errors += mnet_backends_check(s, c.pool);
    }
    apr_pool_destroy(c.pool);
    if (c.errors)
        return HTTP_INTERNAL_SERVER_ERROR;
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST)
        mnet_check_warn(s, ptemp);
    return OK;
}

/* --- what is allowed, with a word --- */

static void warn_certificate(server_rec *s, const mnet_peer_section_t *section,
                             const mnet_crypto_t *crypto, apr_pool_t *pool)
{
    mnet_certificate_t *certificate;
    const char *why;
    if (!section->facts->certificate || !crypto ||
        mnet_certificate_read(crypto, section->facts->certificate, &certificate, &why, pool))
        return;
    if (certificate->not_after < apr_time_now())
        mnet_check_say(
            s, APLOG_WARNING, &section->certificate_where, "MNET0611",
            apr_psprintf(
                pool,
                "MnetPeerCertificate %s of the peer %s expired at %s; it is still used, as "
                "the peer may well do; ask the peer for its new one",
                section->certificate_file, section->facts->wwwroot,
                mnet_format_date(certificate->not_after, pool)));
}

static void warn_peer(server_rec *s, const mnet_peer_section_t *section,
                      const mnet_crypto_t *crypto, apr_pool_t *pool)
{
    const mnet_peer_facts_t *facts = section->facts;
    if (!strncmp(facts->wwwroot, "http:", 5))
        mnet_check_say(
            s, APLOG_WARNING, &section->where, "MNET0612",
            apr_psprintf(pool,
                         "the peer %s is reached over plain http: what users' browsers carry "
                         "between the sites can be read and changed on the way; use https where "
                         "the peer has it",
                         facts->wwwroot));
    if (facts->tls == MNET_TLS_INSECURE)
        mnet_check_say(
            s, APLOG_WARNING, &section->where, "MNET0613",
            apr_psprintf(pool,
                         "MnetPeerTLS insecure: the TLS certificate of %s is not verified; name "
                         "the file of its CA instead",
                         facts->wwwroot));
    warn_certificate(s, section, crypto, pool);
}

void mnet_check_warn(server_rec *s, apr_pool_t *ptemp)
{
    apr_pool_t *pool;
    mnet_crypto_t *crypto = NULL;
    const char *why;

    if (!mnet_conf_get(s)->global->sites->nelts || apr_pool_create(&pool, ptemp))
        return;
    if (mnet_crypto_create(&crypto, &why, pool))
        crypto = NULL;
    for (server_rec *each = s; each; each = each->next) {
        const mnet_conf_t *conf = mnet_conf_get(each);
        apr_array_header_t *sections;
        if (conf->engine != 1 || !is_first_use(s, each))
            continue;
        sections = sections_of(conf, pool);
        for (int i = 0; i < sections->nelts; i++)
            warn_peer(each, APR_ARRAY_IDX(sections, i, const mnet_peer_section_t *), crypto, pool);
        mnet_sso_warn(each, pool);
        mnet_backends_warn(each, pool);
    }
    mnet_call_warn(s, pool);
    apr_pool_destroy(pool);
}
