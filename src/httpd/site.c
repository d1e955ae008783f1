/* SPDX-License-Identifier: Apache-2.0 */
/* From a server's configuration to the plain facts of a site, which is all that libmnet sees. */

#include "httpd/backend_config.h"
#include "httpd/ledger_config.h"
#include "httpd/portfolio_config.h"

#include <apr_network_io.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <string.h>

/* ServerName, or else the host of the wwwroot. */
static const char *site_name(const mnet_conf_t *conf, const server_rec *s, apr_pool_t *pool)
{
    apr_uri_t uri;
    if (conf->site_name)
        return conf->site_name;
    if (s->server_hostname)
        return s->server_hostname;
    return apr_uri_parse(pool, conf->wwwroot, &uri) || !uri.hostname ? conf->wwwroot : uri.hostname;
}

/* NULL if one is unknown: *why. */
static apr_array_header_t *applications(const mnet_conf_t *conf, const char **why, apr_pool_t *pool)
{
    static const char *const built_in = "moodle";
    int count = conf->applications ? conf->applications->nelts : 0;
    apr_array_header_t *list = apr_array_make(pool, 2, sizeof(const mnet_application_t *));
    for (int i = 0; i < (count ? count : 1); i++) {
        const char *name = count ? APR_ARRAY_IDX(conf->applications, i, const char *) : built_in;
        const mnet_application_t *application = mnet_application_find(conf->defined, name);
        if (!application) {
            *why = apr_psprintf(pool,
                                "MnetApplication: '%s' is not known; write moodle or mahara, or "
                                "give its paths by MnetDefineApplication",
                                name);
            return NULL;
        }
        APR_ARRAY_PUSH(list, const mnet_application_t *) = application;
    }
    return list;
}

/* The texts were found good when they were read. */
static apr_array_header_t *subnets(const apr_array_header_t *texts, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, texts->nelts, sizeof(apr_ipsubnet_t *));
    for (int i = 0; i < texts->nelts; i++) {
        char *address = apr_pstrdup(pool, APR_ARRAY_IDX(texts, i, const char *));
        char *mask = strchr(address, '/');
        apr_ipsubnet_t *subnet;
        if (mask)
            *mask++ = '\0';
        if (!apr_ipsubnet_create(&subnet, address, mask, pool))
            APR_ARRAY_PUSH(list, apr_ipsubnet_t *) = subnet;
    }
    return list;
}

static void set_numbers(mnet_site_t *site, const mnet_conf_t *conf)
{
    if (conf->key_bits != MNET_UNSET)
        site->key_bits = conf->key_bits;
    if (conf->key_lifetime != MNET_UNSET)
        site->key_lifetime = conf->key_lifetime;
    if (conf->key_history != MNET_UNSET)
        site->key_history = conf->key_history;
    if (conf->clock_skew != MNET_UNSET)
        site->clock_skew = conf->clock_skew;
    if (conf->replay_window != MNET_UNSET)
        site->replay_window = conf->replay_window;
    if (conf->max_body != MNET_UNSET)
        site->max_body = conf->max_body;
    if (conf->register_all != MNET_UNSET)
        site->register_all = conf->register_all;
    if (conf->timeout != MNET_UNSET)
        site->timeout = conf->timeout;
    if (conf->session_lifetime != MNET_UNSET)
        site->session_lifetime = conf->session_lifetime;
    if (conf->session_idle != MNET_UNSET)
        site->session_idle = conf->session_idle;
    if (conf->token_lifetime != MNET_UNSET)
        site->token_lifetime = conf->token_lifetime;
    if (conf->failure_limit.count != MNET_UNSET) {
        site->failure_limit = conf->failure_limit.count;
        site->failure_period = conf->failure_limit.per;
    }
}

mnet_site_t *mnet_conf_site(const mnet_conf_t *conf, const server_rec *s, const char **why,
                            apr_pool_t *pool)
{
    mnet_site_t *site = mnet_site_create(conf->wwwroot, pool);
    *why = NULL;
    site->name = site_name(conf, s, pool);
    site->defined = conf->defined;
    site->applications = applications(conf, why, pool);
    if (!site->applications)
        return NULL;
    set_numbers(site, conf);
    if (conf->plaintext_from) {
        site->plaintext_text = conf->plaintext_from;
        site->plaintext_from = subnets(conf->plaintext_from, pool);
    }
    site->profile_fields = conf->profile_fields;
    site->ledger = mnet_conf_ledger(conf, pool);
    site->portfolio = mnet_conf_portfolio(conf, pool);
    site->peers = apr_hash_make(pool);
    for (apr_hash_index_t *i = apr_hash_first(pool, conf->peers); i; i = apr_hash_next(i)) {
        const mnet_peer_section_t *section = apr_hash_this_val(i);
        apr_hash_set(site->peers, section->facts->wwwroot, APR_HASH_KEY_STRING, section->facts);
    }
    return site;
}

/* --- are two virtual hosts of one wwwroot the same site? --- */

static int same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static int same_list(const apr_array_header_t *a, const apr_array_header_t *b)
{
    int count = a ? a->nelts : 0;
    if (count != (b ? b->nelts : 0))
        return 0;
    for (int i = 0; i < count; i++)
        if (strcmp(APR_ARRAY_IDX(a, i, const char *), APR_ARRAY_IDX(b, i, const char *)))
            return 0;
    return 1;
}

static int same_application(const void *one, const void *other, apr_pool_t *pool)
{
    const mnet_application_t *a = one, *b = other;
    return same_text(a->xmlrpc, b->xmlrpc) && same_text(a->land, b->land) &&
           same_text(a->jump, b->jump) && same_text(a->publickey, b->publickey);
}

static int same_section(const void *one, const void *other, apr_pool_t *pool)
{
    const mnet_peer_section_t *a = one, *b = other;
    apr_size_t a_len, b_len;
    const void *a_bytes = mnet_peer_facts_pack(a->facts, &a_len, pool);
    const void *b_bytes = mnet_peer_facts_pack(b->facts, &b_len, pool);
    return a_len == b_len && !memcmp(a_bytes, b_bytes, a_len);
}

static int same_hash(apr_hash_t *a, apr_hash_t *b,
                     int (*same)(const void *, const void *, apr_pool_t *), apr_pool_t *pool)
{
    if (apr_hash_count(a) != apr_hash_count(b))
        return 0;
    for (apr_hash_index_t *i = apr_hash_first(pool, a); i; i = apr_hash_next(i)) {
        const void *other = apr_hash_get(b, apr_hash_this_key(i), apr_hash_this_key_len(i));
        if (!other || !same(apr_hash_this_val(i), other, pool))
            return 0;
    }
    return 1;
}

#define SAME_FLAG(x, y)     ((x) == (y))
#define SAME_INT(x, y)      ((x) == (y))
#define SAME_SIZE(x, y)     ((x) == (y))
#define SAME_TIME(x, y)     ((x) == (y))
#define SAME_TEXT(x, y)     same_text(x, y)
#define SAME_RATE(x, y)     ((x).count == (y).count && (x).per == (y).per)
#define SAME_LIST(x, y)     same_list(x, y)
#define SAME_TABLE(x, y)    same_hash(x, y, same_application, pool)
#define SAME_BACKENDS(x, y) mnet_backends_same(x, y)
#define SAME_ROUTES(x, y)   mnet_portfolio_routes_same(x, y)
#define SAME_PEERS(x, y)    same_hash(x, y, same_section, pool)

mnet_field_e mnet_conf_difference(const mnet_conf_t *a, const mnet_conf_t *b, apr_pool_t *pool)
{
#define FIELD_SAME(kind, member, directive)                                                        \
    if (!SAME_##kind(a->member, b->member))                                                        \
        return MNET_FIELD_##member;
    MNET_FIELDS(FIELD_SAME)
    return MNET_FIELD_COUNT;
}
