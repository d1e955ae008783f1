/* SPDX-License-Identifier: Apache-2.0 */
/* Creating and merging the configuration of a server: all of it from MNET_FIELDS. */

#include "httpd/config.h"

#include <apr_strings.h>

#include "httpd/backend_config.h"

#define UNSET_FLAG     MNET_UNSET
#define UNSET_INT      MNET_UNSET
#define UNSET_SIZE     MNET_UNSET
#define UNSET_TIME     MNET_UNSET
#define UNSET_TEXT     NULL
#define UNSET_RATE     ((mnet_rate_t){MNET_UNSET, 0})
#define UNSET_LIST     NULL
#define UNSET_TABLE    apr_hash_make(pool)
#define UNSET_ROUTES   NULL
#define UNSET_PEERS    apr_hash_make(pool)
#define UNSET_BACKENDS NULL

#define IS_SET_FLAG(value)   ((value) != MNET_UNSET)
#define IS_SET_INT(value)    ((value) != MNET_UNSET)
#define IS_SET_SIZE(value)   ((value) != MNET_UNSET)
#define IS_SET_TIME(value)   ((value) != MNET_UNSET)
#define IS_SET_TEXT(value)   ((value) != NULL)
#define IS_SET_RATE(value)   ((value).count != MNET_UNSET)
#define IS_SET_ROUTES(value) ((value) != NULL)
#define IS_SET_LIST(value)   ((value) != NULL)

/* The virtual host's if it says one, with the place where it stands. */
#define MERGE_ONE(kind, member)                                                                    \
    do {                                                                                           \
        const mnet_conf_t *from = IS_SET_##kind(over->member) ? over : under;                      \
        conf->member = from->member;                                                               \
        conf->where[MNET_FIELD_##member] = from->where[MNET_FIELD_##member];                       \
    } while (0)
#define MERGE_FLAG(member)   MERGE_ONE(FLAG, member)
#define MERGE_INT(member)    MERGE_ONE(INT, member)
#define MERGE_SIZE(member)   MERGE_ONE(SIZE, member)
#define MERGE_TIME(member)   MERGE_ONE(TIME, member)
#define MERGE_TEXT(member)   MERGE_ONE(TEXT, member)
#define MERGE_RATE(member)   MERGE_ONE(RATE, member)
#define MERGE_ROUTES(member) MERGE_ONE(ROUTES, member)
#define MERGE_LIST(member)   MERGE_ONE(LIST, member)
#define MERGE_TABLE(member)                                                                        \
    do {                                                                                           \
        const mnet_conf_t *from = over->where[MNET_FIELD_##member].file ? over : under;            \
        conf->member = apr_hash_overlay(pool, over->member, under->member);                        \
        conf->where[MNET_FIELD_##member] = from->where[MNET_FIELD_##member];                       \
    } while (0)
#define MERGE_BACKENDS(member)                                                                     \
    do {                                                                                           \
        const mnet_conf_t *from = over->member ? over : under;                                     \
        conf->member = mnet_backends_merge(pool, over->member, under->member);                     \
        conf->where[MNET_FIELD_##member] = from->where[MNET_FIELD_##member];                       \
    } while (0)
#define MERGE_PEERS(member)                                                                        \
    conf->member = apr_hash_merge(pool, over->member, under->member, merge_section, NULL)

mnet_conf_t *mnet_conf_get(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &mnet_module);
}

const char *mnet_field_name(mnet_field_e field)
{
#define FIELD_NAME(kind, member, directive) directive,
    static const char *const names[] = {MNET_FIELDS(FIELD_NAME)};
    return names[field];
}

void *mnet_conf_create(apr_pool_t *pool, server_rec *s)
{
    mnet_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));
#define FIELD_CREATE(kind, member, directive) conf->member = UNSET_##kind;
    MNET_FIELDS(FIELD_CREATE)
    if (!s->is_virtual) {
        conf->global = apr_pcalloc(pool, sizeof(*conf->global));
        conf->global->sites = apr_array_make(pool, 4, sizeof(mnet_site_t *));
    }
    return conf;
}

/* One peer said in the server and again in the virtual host. */
static void *merge_section(apr_pool_t *pool, const void *key, apr_ssize_t len, const void *over,
                           const void *under, const void *data)
{
    const mnet_peer_section_t *a = over, *b = under;
    mnet_peer_section_t *section = apr_pmemdup(pool, a, sizeof(*a));
    section->facts = mnet_peer_facts_merge(a->facts, b->facts, pool);
    if (!a->facts->application)
        section->application_where = b->application_where;
    if (!a->facts->certificate) {
        section->certificate_where = b->certificate_where;
        section->certificate_file = b->certificate_file;
    }
    return section;
}

void *mnet_conf_merge(apr_pool_t *pool, void *base, void *add)
{
    const mnet_conf_t *under = base, *over = add;
    mnet_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));
#define FIELD_MERGE(kind, member, directive) MERGE_##kind(member);
    MNET_FIELDS(FIELD_MERGE)
    conf->logins = over->logins;
    conf->global = under->global;
    return conf;
}

const char *mnet_conf_state_dir(const mnet_conf_t *conf, apr_pool_t *pool)
{
    const char *dir = conf->state_dir ? conf->state_dir : MNET_STATE_DIR;
    return ap_server_root_relative(pool, dir);
}

apr_off_t mnet_conf_state_size(const mnet_conf_t *conf)
{
    return conf->state_size != MNET_UNSET ? conf->state_size : MNET_DEFAULT_STATE_SIZE;
}

apr_size_t mnet_conf_shared_memory(const mnet_conf_t *conf)
{
    return (apr_size_t)(conf->shared_memory != MNET_UNSET ? conf->shared_memory
                                                          : MNET_DEFAULT_SHARED_MEMORY);
}
