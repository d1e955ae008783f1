/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a look at a session costs, with as many live as asked for: sessions [COUNT [ROUNDS]].  One
 * line of JSON: microseconds for mnet_session_find, and seconds for one round of upkeep, both of
 * processor time.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "service/sso_int.h"

#define PROVIDER "https://moodle.example"

/* Of this process, in microseconds. */
static apr_time_t cpu(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (apr_time_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void check(apr_status_t rv, const char *what)
{
    if (rv) {
        fprintf(stderr, "%s: %d\n", what, rv);
        exit(1);
    }
}

static mnet_host_t *make_host(const char *dir, apr_pool_t *pool)
{
    mnet_engine_options_t options = {.state_dir = dir, .state_size = (apr_off_t)2 << 30};
    mnet_site_t *site = mnet_site_create("https://gw.example", pool);
    apr_array_header_t *sites = apr_array_make(pool, 1, sizeof(const mnet_site_t *));
    apr_global_mutex_t *mutex;
    mnet_engine_t *engine;
    const char *why = "";

    apr_hash_set(site->peers, PROVIDER, APR_HASH_KEY_STRING,
                 mnet_peer_facts_create(PROVIDER, pool));
    APR_ARRAY_PUSH(sites, const mnet_site_t *) = site;
    options.sites = sites;
    options.registry = mnet_registry_create(pool);
    check(apr_global_mutex_create(&mutex, NULL, APR_LOCK_DEFAULT, pool), "mutex");
    check(mnet_shared_create(&options.shared, 4 << 20, mutex, NULL, &why, pool), why);
    check(mnet_engine_create(&engine, &options, &why, pool), why);
    return mnet_engine_host(engine, site->wwwroot);
}

static const char **fill(mnet_host_t *host, int count, apr_time_t now, apr_pool_t *pool)
{
    static const char *const fields[][2] = {
        {"firstname", "Alice"}, {"lastname", "Liddell"}, {"email", "alice@example.org"},
        {"city", "Oxford"},     {"country", "GB"},       {"lang", "en"}};
    const char **ids = apr_palloc(pool, (apr_size_t)count * sizeof(*ids));
    apr_array_header_t *attributes = apr_array_make(pool, 6, sizeof(mnet_attribute_t));
    apr_pool_t *scratch;
    mnet_txn_t *txn = NULL;

    for (int i = 0; i < 6; i++) {
        APR_ARRAY_PUSH(attributes, mnet_attribute_t) =
            (mnet_attribute_t){fields[i][0], fields[i][1]};
    }
    apr_pool_create(&scratch, pool);
    for (int i = 0; i < count; i++) {
        mnet_session_t session = {.peer = PROVIDER,
                                  .username = apr_psprintf(scratch, "user%d", i),
                                  .attributes = attributes,
                                  .user_agent = "c22b5f9178342609428d6f51b2c5af4c0bde6a42"};

        if (!txn) {
            check(mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, scratch), "begin");
        }
        check(mnet_session_begin(host, txn, &session, now, &ids[i], scratch), "session");
        ids[i] = apr_pstrdup(pool, ids[i]);
        if (i % 5000 == 4999 || i == count - 1) {
            check(mnet_txn_commit(txn), "commit");
            txn = NULL;
            apr_pool_clear(scratch);
        }
    }
    apr_pool_destroy(scratch);
    return ids;
}

int main(int argc, const char *const *argv)
{
    int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 100000;
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 300000;
    char dir[] = "/tmp/mnet-sessions-XXXXXX";
    const mnet_session_t *session;
    apr_pool_t *pool, *scratch;
    apr_time_t now, start, found, tended;
    const char **ids;
    mnet_host_t *host;
    unsigned int at = 1;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (count < 1 || rounds < 1 || !mkdtemp(dir)) {
        return 2;
    }
    host = make_host(dir, pool);
    now = apr_time_now();
    ids = fill(host, count, now, pool);
    apr_pool_create(&scratch, pool);
    start = cpu();
    for (int i = 0; i < rounds; i++) {
        at = at * 1664525U + 1013904223U;
        check(mnet_session_find(host, ids[(at >> 8) % (unsigned int)count], now, &session, scratch),
              "find");
        apr_pool_clear(scratch);
    }
    found = cpu() - start;
    start = cpu();
    check(mnet_sessions_tend(host, now, scratch), "tend");
    tended = cpu() - start;
    printf("{\"sessions\": %d, \"find_us\": %.3f, \"tend_s\": %.3f}\n", count,
           (double)found / rounds, (double)tended / 1e6);
    apr_pool_destroy(pool);
    fflush(stdout);
    execlp("rm", "rm", "-rf", dir, (char *)NULL);
    return 0;
}
