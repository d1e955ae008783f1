/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/site.h"

#include <limits.h>
#include <string.h>
#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"
#include "state/record.h"
#include "trust/site_int.h"
#include "trust/texts.h"
#include "trust/wwwroot.h"

#define SITE_VERSION 3 /* 2: sign-on; 3: portfolio and ledger */
#define DAY          (24 * 60 * 60)
#define HOUR         (60 * 60)

static void session_defaults(mnet_site_t *site)
{
    site->session_lifetime = apr_time_from_sec(8 * HOUR);
    site->session_idle = apr_time_from_sec(HOUR);
    site->token_lifetime = apr_time_from_sec(30);
}

mnet_site_t *mnet_site_create(const char *wwwroot, apr_pool_t *pool)
{
    mnet_site_t *site = apr_pcalloc(pool, sizeof(*site));
    apr_array_header_t *applications = apr_array_make(pool, 2, sizeof(const mnet_application_t *));
    APR_ARRAY_PUSH(applications, const mnet_application_t *) =
        mnet_application_find(NULL, "moodle");
    site->wwwroot = apr_pstrdup(pool, wwwroot);
    site->name = apr_pstrdup(pool, mnet_wwwroot_bare(site->wwwroot));
    site->applications = applications;
    site->defined = apr_hash_make(pool);
    site->key_bits = 2048;
    site->key_lifetime = apr_time_from_sec(365 * DAY);
    site->key_history = 6;
    site->clock_skew = apr_time_from_sec(15 * 60);
    site->replay_window = apr_time_from_sec((apr_time_t)30 * DAY);
    site->max_body = 10 * 1024 * 1024;
    site->timeout = apr_time_from_sec(30);
    site->failure_limit = 30;
    site->failure_period = apr_time_from_sec(60);
    site->peers = apr_hash_make(pool);
    session_defaults(site);
    return site;
}

const char *mnet_site_key_uri(const mnet_site_t *site, apr_pool_t *pool)
{
    const mnet_application_t *ours =
        APR_ARRAY_IDX(site->applications, 0, const mnet_application_t *);
    if (ours->publickey) {
        return apr_pstrcat(pool, site->wwwroot, ours->publickey, NULL);
    }
    const char *slash = strrchr(ours->xmlrpc, '/');
    return apr_psprintf(pool, "%s%.*s/publickey.php", site->wwwroot,
                        slash ? (int)(slash - ours->xmlrpc) : 0, ours->xmlrpc);
}

const char *mnet_site_allow_plaintext(mnet_site_t *site, const char *cidr, apr_pool_t *pool)
{
    char *address = apr_pstrdup(pool, cidr);
    char *mask = strchr(address, '/');
    if (mask) {
        *mask++ = '\0';
    }
    apr_ipsubnet_t *subnet;
    if (!strpbrk(address, ".:") || (mask && !*mask) ||
        apr_ipsubnet_create(&subnet, address, mask, pool) != APR_SUCCESS) {
        return apr_psprintf(pool,
                            "'%s' is no address or CIDR; write it as in 192.0.2.7, 192.0.2.0/24 "
                            "or 2001:db8::/32",
                            mnet_for_log(cidr, strlen(cidr), 100, pool));
    }
    apr_array_header_t *subnets = site->plaintext_from
                                      ? apr_array_copy(pool, site->plaintext_from)
                                      : apr_array_make(pool, 2, sizeof(apr_ipsubnet_t *));
    apr_array_header_t *texts = site->plaintext_text
                                    ? apr_array_copy(pool, site->plaintext_text)
                                    : apr_array_make(pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(subnets, apr_ipsubnet_t *) = subnet;
    APR_ARRAY_PUSH(texts, const char *) = apr_pstrdup(pool, cidr);
    site->plaintext_from = subnets;
    site->plaintext_text = texts;
    return NULL;
}

/* --- the record --- */

static void pack_applications(mnet_pack_t *pack, const mnet_site_t *site, apr_pool_t *pool)
{
    apr_array_header_t *names = mnet_hash_names(site->defined, pool);
    mnet_pack_i64(pack, names->nelts);
    for (int i = 0; i < names->nelts; i++) {
        const mnet_application_t *one =
            apr_hash_get(site->defined, APR_ARRAY_IDX(names, i, const char *), APR_HASH_KEY_STRING);
        mnet_pack_text(pack, one->name);
        mnet_pack_text(pack, one->xmlrpc);
        mnet_pack_text(pack, one->land);
        mnet_pack_text(pack, one->jump);
        mnet_pack_text(pack, one->publickey);
    }
    mnet_pack_i64(pack, site->applications->nelts);
    for (int i = 0; i < site->applications->nelts; i++) {
        mnet_pack_text(pack, APR_ARRAY_IDX(site->applications, i, mnet_application_t *)->name);
    }
}

static void unpack_applications(mnet_unpack_t *unpack, mnet_site_t *site)
{
    int count = mnet_count_unpack(unpack);
    for (int i = 0; i < count && !unpack->bad; i++) {
        mnet_application_t *one = apr_pcalloc(unpack->pool, sizeof(*one));
        one->name = mnet_unpack_text(unpack);
        one->xmlrpc = mnet_unpack_text(unpack);
        one->land = mnet_unpack_text(unpack);
        one->jump = mnet_unpack_text(unpack);
        one->publickey = mnet_unpack_text(unpack);
        unpack->bad |= !one->name || !one->xmlrpc;
        if (!unpack->bad) {
            apr_hash_set(site->defined, one->name, APR_HASH_KEY_STRING, one);
        }
    }
    apr_array_header_t *ours = apr_array_make(unpack->pool, 2, sizeof(mnet_application_t *));
    apr_array_header_t *names = mnet_texts_unpack(unpack);
    for (int i = 0; names && i < names->nelts && !unpack->bad; i++) {
        const mnet_application_t *one =
            mnet_application_find(site->defined, APR_ARRAY_IDX(names, i, const char *));
        APR_ARRAY_PUSH(ours, const mnet_application_t *) = one;
        unpack->bad |= !one;
    }
    unpack->bad |= !ours->nelts;
    site->applications = ours;
}

static void pack_peers(mnet_pack_t *pack, const mnet_site_t *site, apr_pool_t *pool)
{
    apr_array_header_t *names = mnet_hash_names(site->peers, pool);
    mnet_pack_i64(pack, names->nelts);
    for (int i = 0; i < names->nelts; i++) {
        apr_size_t len;
        const void *facts = mnet_peer_facts_pack(
            apr_hash_get(site->peers, APR_ARRAY_IDX(names, i, const char *), APR_HASH_KEY_STRING),
            &len, pool);
        mnet_pack_bytes(pack, facts, len);
    }
}

static apr_status_t unpack_peers(mnet_unpack_t *unpack, mnet_site_t *site)
{
    int count = mnet_count_unpack(unpack);
    for (int i = 0; i < count && !unpack->bad; i++) {
        apr_size_t len = 0;
        const unsigned char *data = mnet_unpack_bytes(unpack, &len);
        if (!data || unpack->bad) {
            unpack->bad = 1;
            break;
        }
        mnet_peer_facts_t *facts;
        apr_status_t rv = mnet_peer_facts_unpack(data, len, &facts, unpack->pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        apr_hash_set(site->peers, facts->wwwroot, APR_HASH_KEY_STRING, facts);
    }
    return APR_SUCCESS;
}

static void unpack_plaintext(mnet_unpack_t *unpack, mnet_site_t *site)
{
    apr_array_header_t *texts = mnet_texts_unpack(unpack);
    for (int i = 0; texts && i < texts->nelts && !unpack->bad; i++) {
        unpack->bad |= mnet_site_allow_plaintext(site, APR_ARRAY_IDX(texts, i, const char *),
                                                 unpack->pool) != NULL;
    }
}

static void unpack_sign_on(mnet_unpack_t *unpack, mnet_site_t *site)
{
    if (unpack->version < 2) {
        session_defaults(site);
        return;
    }
    site->session_lifetime = mnet_number_unpack(unpack, 0, APR_INT64_MAX);
    site->session_idle = mnet_number_unpack(unpack, 0, APR_INT64_MAX);
    site->token_lifetime = mnet_number_unpack(unpack, 0, APR_INT64_MAX);
    site->profile_fields = mnet_texts_unpack(unpack);
}

const void *mnet_site_pack(const mnet_site_t *site, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(SITE_VERSION, pool);
    mnet_pack_text(pack, site->wwwroot);
    mnet_pack_text(pack, site->name);
    pack_applications(pack, site, pool);
    mnet_pack_i64(pack, site->key_bits);
    mnet_pack_i64(pack, site->key_lifetime);
    mnet_pack_i64(pack, site->key_history);
    mnet_pack_i64(pack, site->clock_skew);
    mnet_pack_i64(pack, site->replay_window);
    mnet_pack_i64(pack, site->max_body);
    mnet_texts_pack(pack, site->plaintext_text);
    mnet_pack_u8(pack, site->register_all != 0);
    mnet_pack_i64(pack, site->timeout);
    mnet_pack_i64(pack, site->failure_limit);
    mnet_pack_i64(pack, site->failure_period);
    pack_peers(pack, site, pool);
    mnet_pack_i64(pack, site->session_lifetime);
    mnet_pack_i64(pack, site->session_idle);
    mnet_pack_i64(pack, site->token_lifetime);
    mnet_texts_pack(pack, site->profile_fields);
    mnet_site_options_pack(pack, site);
    return mnet_pack_end(pack, len);
}

apr_status_t mnet_site_unpack(const void *data, apr_size_t len, mnet_site_t **site,
                              apr_pool_t *pool)
{
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, SITE_VERSION, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    mnet_site_t *read = apr_pcalloc(pool, sizeof(*read));
    read->defined = apr_hash_make(pool);
    read->peers = apr_hash_make(pool);
    read->wwwroot = mnet_unpack_text(&unpack);
    read->name = mnet_unpack_text(&unpack);
    unpack_applications(&unpack, read);
    read->key_bits = (int)mnet_number_unpack(&unpack, 0, INT_MAX);
    read->key_lifetime = mnet_number_unpack(&unpack, 0, APR_INT64_MAX);
    read->key_history = (int)mnet_number_unpack(&unpack, 0, INT_MAX);
    read->clock_skew = mnet_number_unpack(&unpack, 0, APR_INT64_MAX);
    read->replay_window = mnet_number_unpack(&unpack, 0, APR_INT64_MAX);
    read->max_body = mnet_number_unpack(&unpack, 0, APR_INT64_MAX);
    unpack_plaintext(&unpack, read);
    read->register_all = mnet_unpack_u8(&unpack) == 1;
    read->timeout = mnet_number_unpack(&unpack, 0, APR_INT64_MAX);
    read->failure_limit = (int)mnet_number_unpack(&unpack, 0, INT_MAX);
    read->failure_period = mnet_number_unpack(&unpack, 0, APR_INT64_MAX);
    rv = unpack_peers(&unpack, read);
    unpack_sign_on(&unpack, read);
    if (unpack.version >= 3) {
        mnet_site_options_unpack(&unpack, read);
    }
    unpack.bad |= !read->wwwroot || !read->name;
    if (rv == APR_SUCCESS) {
        rv = mnet_unpack_end(&unpack);
    }
    if (rv == APR_SUCCESS) {
        *site = read;
    }
    return rv;
}
