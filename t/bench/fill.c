/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes sessions in a site's store, which may be in use: fill STATE_DIR WWWROOT PROVIDER COUNT
 * FILE. The ids that their cookies would have go to FILE, one to a line.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/sso_int.h"

#define PER_TRANSACTION 5000

static void check(apr_status_t rv, const char *what)
{
    if (rv) {
        fprintf(stderr, "%s: %d\n", what, rv);
        exit(1);
    }
}

static mnet_host_t *open_host(const char *dir, const char *wwwroot, const char *provider,
                              apr_pool_t *pool)
{
    mnet_engine_options_t options = {.state_dir = dir, .state_size = (apr_off_t)1 << 30};
    mnet_site_t *site = mnet_site_create(wwwroot, pool);
    apr_array_header_t *sites = apr_array_make(pool, 1, sizeof(const mnet_site_t *));
    apr_global_mutex_t *mutex;
    mnet_engine_t *engine;
    const char *why = "";

    apr_hash_set(site->peers, provider, APR_HASH_KEY_STRING,
                 mnet_peer_facts_create(provider, pool));
    APR_ARRAY_PUSH(sites, const mnet_site_t *) = site;
    options.sites = sites;
    options.registry = mnet_registry_create(pool);
    check(apr_global_mutex_create(&mutex, NULL, APR_LOCK_DEFAULT, pool), "mutex");
    check(mnet_shared_create(&options.shared, 4 << 20, mutex, NULL, &why, pool), why);
    check(mnet_engine_create(&engine, &options, &why, pool), why);
    return mnet_engine_host(engine, site->wwwroot);
}

static apr_array_header_t *profile(apr_pool_t *pool)
{
    static const mnet_attribute_t fields[] = {
        {"firstname", "Alice"}, {"lastname", "Liddell"}, {"email", "alice@example.org"},
        {"city", "Oxford"},     {"country", "GB"},       {"lang", "en"}};
    apr_array_header_t *attributes = apr_array_make(pool, 6, sizeof(mnet_attribute_t));

    for (apr_size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        APR_ARRAY_PUSH(attributes, mnet_attribute_t) = fields[i];
    }
    return attributes;
}

int main(int argc, const char *const *argv)
{
    apr_array_header_t *attributes;
    apr_pool_t *pool, *scratch;
    mnet_txn_t *txn = NULL;
    mnet_host_t *host;
    long count;
    FILE *out;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    apr_pool_create(&scratch, pool);
    count = argc == 6 ? strtol(argv[4], NULL, 10) : 0;
    out = count > 0 ? fopen(argv[5], "w") : NULL;
    if (!out) {
        return 2;
    }
    host = open_host(argv[1], argv[2], argv[3], pool);
    attributes = profile(pool);
    for (long i = 0; i < count; i++) {
        mnet_session_t session = {.peer = argv[3],
                                  .username = apr_psprintf(scratch, "user%ld", i),
                                  .attributes = attributes,
                                  .user_agent = "c22b5f9178342609428d6f51b2c5af4c0bde6a42"};
        const char *id;

        if (!txn) {
            check(mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, scratch), "begin");
        }
        check(mnet_session_begin(host, txn, &session, apr_time_now(), &id, scratch), "session");
        fprintf(out, "%s\n", id);
        if (i % PER_TRANSACTION == PER_TRANSACTION - 1 || i == count - 1) {
            check(mnet_txn_commit(txn), "commit");
            txn = NULL;
            apr_pool_clear(scratch);
        }
    }
    apr_pool_destroy(pool);
    return fclose(out) ? 1 : 0;
}
