/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an item of the queue costs while others wait: the processor time of putting one, claiming it
 * and taking it away as done, with 100 and with 10,000 others of a hundred peers, in microseconds,
 * as JSON.  Every step is a synced commit, as it is in the server; the disk's time does not count.
 */
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "portfolio/queue.h"

#define PEERS 100
#define ITEMS 400 /* measured */
#define HOUR  apr_time_from_sec(3600)

static void check(apr_status_t rv, const char *what)
{
    if (rv) {
        fprintf(stderr, "queue: %s: %d\n", what, rv);
        exit(1);
    }
}

static double cpu_us(void)
{
    struct timespec t;

    check(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), "clock_gettime");
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static mnet_host_t *open_host(const char *dir, apr_pool_t *pool)
{
    mnet_engine_options_t options = {.state_dir = dir, .state_size = (apr_off_t)1 << 30};
    mnet_site_t *site = mnet_site_create("http://site.example", pool);
    apr_array_header_t *sites = apr_array_make(pool, 1, sizeof(const mnet_site_t *));
    mnet_engine_t *engine;
    const char *why = "";

    site->portfolio = mnet_portfolio_options_create(dir, pool);
    APR_ARRAY_PUSH(sites, const mnet_site_t *) = site;
    options.sites = sites;
    options.registry = mnet_registry_create(pool);
    check(mnet_engine_create(&engine, &options, &why, pool), why);
    return mnet_engine_host(engine, site->wwwroot);
}

static void put(const mnet_host_t *host, mnet_txn_t *txn, int i, apr_time_t due, apr_time_t now,
                apr_pool_t *pool)
{
    static const char payload[500] = "";
    mnet_queue_item_t item = {.kind = "fetch", .user = "alice", .title = "essay.txt", .due = due};

    item.peer = apr_psprintf(pool, "https://peer%d.example", i % PEERS);
    check(mnet_queue_put(host, txn, &item, payload, sizeof(payload), now, pool), "put");
}

static void fill(const mnet_host_t *host, int count, apr_time_t now, apr_pool_t *parent)
{
    mnet_txn_t *txn;
    apr_pool_t *pool;

    check(apr_pool_create(&pool, parent), "pool");
    check(mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool), "begin");
    for (int i = 0; i < count; i++) {
        put(host, txn, i, now + HOUR + i, now, pool);
    }
    check(mnet_txn_commit(txn), "commit");
    apr_pool_destroy(pool);
}

static void one(const mnet_host_t *host, const struct mnet_queue_owner_t *owner, int i,
                apr_time_t now, apr_pool_t *pool)
{
    apr_array_header_t *items;
    mnet_txn_t *txn;
    int state;

    check(mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool), "begin");
    put(host, txn, i, now, now, pool);
    check(mnet_txn_commit(txn), "commit");
    check(mnet_queue_claim(host, owner, 4, 4, now, &items, pool), "claim");
    check(items->nelts != 1, "the one that is due");
    check(mnet_queue_give_back(host, owner, APR_ARRAY_IDX(items, 0, mnet_queue_item_t *),
                               MNET_QUEUE_DONE, NULL, 0, now, &state, pool),
          "done");
}

static double measure(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                      apr_time_t now, apr_pool_t *parent)
{
    apr_pool_t *pool;
    double start;

    check(apr_pool_create(&pool, parent), "pool");
    for (int i = 0; i < 50; i++) {
        one(host, owner, i, now, pool);
    }
    start = cpu_us();
    for (int i = 0; i < ITEMS; i++) {
        one(host, owner, i, now, pool);
        apr_pool_clear(pool);
    }
    start = (cpu_us() - start) / ITEMS;
    apr_pool_destroy(pool);
    return start;
}

static double with(int others, apr_pool_t *parent)
{
    char dir[] = "/tmp/mnet-queue-XXXXXX";
    struct mnet_queue_owner_t owner;
    mnet_host_t *host;
    apr_pool_t *pool;
    apr_time_t now = apr_time_now();
    double cost;

    check(apr_pool_create(&pool, parent), "pool");
    check(!mkdtemp(dir), "mkdtemp");
    host = open_host(dir, pool);
    check(mnet_queue_owner(&owner, host->engine->crypto), "owner");
    fill(host, others, now, pool);
    cost = measure(host, &owner, now, pool);
    apr_pool_destroy(pool);
    (void)apr_file_remove(apr_pstrcat(parent, dir, "/data.mdb", NULL), parent);
    (void)apr_file_remove(apr_pstrcat(parent, dir, "/lock.mdb", NULL), parent);
    (void)apr_dir_remove(apr_pstrcat(parent, dir, "/tmp", NULL), parent);
    (void)apr_dir_remove(dir, parent);
    return cost;
}

int main(void)
{
    apr_pool_t *pool;
    double few, many;

    check(apr_initialize(), "APR");
    check(apr_pool_create(&pool, NULL), "pool");
    few = with(100, pool);
    many = with(10000, pool);
    printf("{\"few\": %.3f, \"many\": %.3f}\n", few, many);
    return 0;
}
