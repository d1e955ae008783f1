/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/site.h"

#include <apr_strings.h>

#include "state/record.h"
#include "trust/texts.h"

#define FACTS_VERSION 1

mnet_peer_facts_t *mnet_peer_facts_create(const char *wwwroot, apr_pool_t *pool)
{
    mnet_peer_facts_t *facts = apr_pcalloc(pool, sizeof(*facts));
    facts->wwwroot = apr_pstrdup(pool, wwwroot);
    facts->tls = -1;
    facts->charset = -1;
    facts->active = -1;
    return facts;
}

#define TEXT(a, b)   ((a) ? (a) : (b))
#define NUMBER(a, b) ((a) != -1 ? (a) : (b))

mnet_peer_facts_t *mnet_peer_facts_merge(const mnet_peer_facts_t *over,
                                         const mnet_peer_facts_t *under, apr_pool_t *pool)
{
    mnet_peer_facts_t *facts = apr_pmemdup(pool, over ? over : under, sizeof(*facts));
    if (!over || !under) {
        return facts;
    }
    facts->application = TEXT(over->application, under->application);
    facts->certificate = TEXT(over->certificate, under->certificate);
    facts->endpoint = TEXT(over->endpoint, under->endpoint);
    facts->tls = NUMBER(over->tls, under->tls);
    /* The file belongs to the word before it: "verify" must not inherit another's CA. */
    facts->cafile = over->tls != -1 ? over->cafile : TEXT(over->cafile, under->cafile);
    facts->charset = NUMBER(over->charset, under->charset);
    facts->publish = TEXT(over->publish, under->publish);
    facts->subscribe = TEXT(over->subscribe, under->subscribe);
    facts->access = TEXT(over->access, under->access);
    facts->active = NUMBER(over->active, under->active);
    return facts;
}

static void pack_subscribe(mnet_pack_t *pack, const apr_array_header_t *subscribe)
{
    mnet_pack_i64(pack, subscribe ? subscribe->nelts : -1);
    for (int i = 0; subscribe && i < subscribe->nelts; i++) {
        const mnet_subscription_t *one = &APR_ARRAY_IDX(subscribe, i, mnet_subscription_t);
        mnet_pack_text(pack, one->service);
        mnet_texts_pack(pack, one->patterns);
    }
}

static apr_array_header_t *unpack_subscribe(mnet_unpack_t *unpack)
{
    int count = mnet_count_unpack(unpack);
    if (count < 0) {
        return NULL;
    }
    apr_array_header_t *subscribe = apr_array_make(unpack->pool, 4, sizeof(mnet_subscription_t));
    for (int i = 0; i < count && !unpack->bad; i++) {
        mnet_subscription_t *one = apr_array_push(subscribe);
        one->service = mnet_unpack_text(unpack);
        one->patterns = mnet_texts_unpack(unpack);
        unpack->bad |= !one->service;
    }
    return subscribe;
}

static void pack_access(mnet_pack_t *pack, const apr_array_header_t *access)
{
    mnet_pack_i64(pack, access ? access->nelts : -1);
    for (int i = 0; access && i < access->nelts; i++) {
        const mnet_access_t *one = &APR_ARRAY_IDX(access, i, mnet_access_t);
        mnet_pack_u8(pack, one->allow != 0);
        mnet_pack_text(pack, one->user);
    }
}

static apr_array_header_t *unpack_access(mnet_unpack_t *unpack)
{
    int count = mnet_count_unpack(unpack);
    if (count < 0) {
        return NULL;
    }
    apr_array_header_t *access = apr_array_make(unpack->pool, 4, sizeof(mnet_access_t));
    for (int i = 0; i < count && !unpack->bad; i++) {
        mnet_access_t *one = apr_array_push(access);
        one->allow = mnet_unpack_u8(unpack) == 1;
        one->user = mnet_unpack_text(unpack);
        unpack->bad |= !one->user;
    }
    return access;
}

const void *mnet_peer_facts_pack(const mnet_peer_facts_t *facts, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(FACTS_VERSION, pool);
    mnet_pack_text(pack, facts->wwwroot);
    mnet_pack_text(pack, facts->application);
    mnet_pack_text(pack, facts->certificate);
    mnet_pack_text(pack, facts->endpoint);
    mnet_pack_i64(pack, facts->tls);
    mnet_pack_text(pack, facts->cafile);
    mnet_pack_i64(pack, facts->charset);
    mnet_texts_pack(pack, facts->publish);
    pack_subscribe(pack, facts->subscribe);
    pack_access(pack, facts->access);
    mnet_pack_i64(pack, facts->active > 0 ? 1 : facts->active);
    return mnet_pack_end(pack, len);
}

apr_status_t mnet_peer_facts_unpack(const void *data, apr_size_t len, mnet_peer_facts_t **facts,
                                    apr_pool_t *pool)
{
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, FACTS_VERSION, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    mnet_peer_facts_t *read = apr_pcalloc(pool, sizeof(*read));
    read->wwwroot = mnet_unpack_text(&unpack);
    read->application = mnet_unpack_text(&unpack);
    read->certificate = mnet_unpack_text(&unpack);
    read->endpoint = mnet_unpack_text(&unpack);
    read->tls = (int)mnet_number_unpack(&unpack, -1, MNET_TLS_CAFILE);
    read->cafile = mnet_unpack_text(&unpack);
    read->charset = (int)mnet_number_unpack(&unpack, -1, MNET_PEER_CHARSET_BYTES);
    read->publish = mnet_texts_unpack(&unpack);
    read->subscribe = unpack_subscribe(&unpack);
    read->access = unpack_access(&unpack);
    read->active = (int)mnet_number_unpack(&unpack, -1, 1);
    unpack.bad |= !read->wwwroot;
    rv = mnet_unpack_end(&unpack);
    if (rv == APR_SUCCESS) {
        *facts = read;
    }
    return rv;
}
