/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an item of the queue costs while others are in it: the time of putting one, claiming the one
 * that is first and taking it away as done, and the processor's part of that, in microseconds, as
 * JSON.
 *
 *   few, many            100 and 10,000 others, which wait for their time
 *   few_due, many_due    100 and 10,000 others, whose time has come: each new one is the last
 *
 * They are of a hundred peers and came at a time of their own.  Every step is a synced commit, as
 * it is in the server.  The store has 100,000 other records in all cases.  Those that are compared
 * take turns, and a median is said, against the moods of the disk.
 */
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "portfolio/queue.h"

#define PEERS  100
#define ITEMS  750 /* of each, after those that warm up; few and many take turns with each */
#define WARMUP 50
#define OTHERS 50000 /* records of other groups, twice */
#define HOUR   apr_time_from_sec(3600)
#define FEW    100
#define MANY   10000

static void check(apr_status_t rv, const char *what)
{
    if (rv) {
        fprintf(stderr, "queue: %s: %d\n", what, rv);
        exit(1);
    }
}

static double us(clockid_t clock)
{
    struct timespec t;

    check(clock_gettime(clock, &t), "clock_gettime");
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

static void fill(const mnet_host_t *host, int count, int due, apr_time_t now, apr_pool_t *parent)
{
    mnet_txn_t *txn;
    apr_pool_t *pool;

    check(apr_pool_create(&pool, parent), "pool");
    check(mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool), "begin");
    for (int i = 0; i < count; i++) {
        apr_time_t then = now - apr_time_from_sec(count - i);

        put(host, txn, i, due ? then : now + HOUR + i, then, pool);
    }
    check(mnet_txn_commit(txn), "commit");
    apr_pool_destroy(pool);
}

/* What a store that is in use has besides: a month's claims of calls, say. */
static void live_in(const mnet_host_t *host, apr_pool_t *parent)
{
    unsigned char name[32];
    mnet_txn_t *txn;
    apr_pool_t *pool;

    check(apr_pool_create(&pool, parent), "pool");
    check(mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool), "begin");
    for (int i = 0; i < OTHERS; i++) {
        check(mnet_random(host->engine->crypto, name, sizeof(name)), "random");
        check(mnet_txn_put(txn, "replay", name, sizeof(name), name, 16), "put");
        check(mnet_txn_put(txn, "jump", name, sizeof(name), name, 16), "put");
    }
    check(mnet_txn_commit(txn), "commit");
    apr_pool_destroy(pool);
}

static void put_now(const mnet_host_t *host, int i, apr_pool_t *pool)
{
    apr_time_t now = apr_time_now();
    mnet_txn_t *txn;

    check(mnet_txn_begin(host->engine->store, MNET_WRITE, &txn, pool), "begin");
    put(host, txn, i, now, now, pool);
    check(mnet_txn_commit(txn), "commit");
}

static void work_off(const mnet_host_t *host, const struct mnet_queue_owner_t *owner,
                     apr_pool_t *pool)
{
    apr_time_t now = apr_time_now();
    apr_array_header_t *items;
    int state;

    check(mnet_queue_claim(host, owner, 1, 1, NULL, now, &items, pool), "claim");
    check(items->nelts != 1, "the one that is due");
    check(mnet_queue_give_back(host, owner, APR_ARRAY_IDX(items, 0, mnet_queue_item_t *),
                               MNET_QUEUE_DONE, NULL, 0, now, &state, pool),
          "done");
}

static void one(const mnet_host_t *host, const struct mnet_queue_owner_t *owner, int i,
                apr_pool_t *pool)
{
    put_now(host, i, pool);
    work_off(host, owner, pool);
}

/* One of the two queues that are held against each other. */
typedef struct queue_t {
    char dir[32];
    struct mnet_queue_owner_t owner;
    mnet_host_t *host;
    apr_pool_t *pool, *scratch;
    double cpu[ITEMS], time[ITEMS];
} queue_t;

static void begin(queue_t *queue, int others, int due, apr_time_t now, apr_pool_t *parent)
{
    check(apr_pool_create(&queue->pool, parent), "pool");
    check(apr_pool_create(&queue->scratch, queue->pool), "pool");
    apr_cpystrn(queue->dir, "/tmp/mnet-queue-XXXXXX", sizeof(queue->dir));
    check(!mkdtemp(queue->dir), "mkdtemp");
    queue->host = open_host(queue->dir, queue->pool);
    check(mnet_queue_owner(&queue->owner, queue->host->engine->crypto), "owner");
    live_in(queue->host, queue->pool);
    fill(queue->host, others, due, now, queue->pool);
}

static void measure(queue_t *queue, int i)
{
    double cpu = us(CLOCK_PROCESS_CPUTIME_ID), start = us(CLOCK_MONOTONIC);
    int n = i > WARMUP ? i - WARMUP : 0;

    one(queue->host, &queue->owner, i, queue->scratch);
    apr_pool_clear(queue->scratch);
    queue->cpu[n] = us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    queue->time[n] = us(CLOCK_MONOTONIC) - start;
}

static void end(queue_t *queue, apr_pool_t *pool)
{
    static const char *const names[] = {"/data.mdb", "/lock.mdb"};

    apr_pool_destroy(queue->pool);
    for (int i = 0; i < 2; i++) {
        (void)apr_file_remove(apr_pstrcat(pool, queue->dir, names[i], NULL), pool);
    }
    (void)apr_dir_remove(apr_pstrcat(pool, queue->dir, "/tmp", NULL), pool);
    (void)apr_dir_remove(queue->dir, pool);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *slices, int count)
{
    qsort(slices, (size_t)count, sizeof(*slices), by_size);
    return slices[count / 2];
}

static void both(int due, const char *few_name, const char *many_name, apr_pool_t *pool)
{
    static queue_t few, many;
    apr_time_t now = apr_time_now();

    begin(&few, FEW, due, now, pool);
    begin(&many, MANY, due, now, pool);
    for (int i = 0; i < WARMUP + ITEMS; i++) {
        measure(&few, i);
        measure(&many, i);
    }
    end(&few, pool);
    end(&many, pool);
    printf("\"%s\": %.3f, \"%s\": %.3f, \"%s_cpu\": %.3f, \"%s_cpu\": %.3f", few_name,
           median(few.time, ITEMS), many_name, median(many.time, ITEMS), few_name,
           median(few.cpu, ITEMS), many_name, median(many.cpu, ITEMS));
}

int main(void)
{
    apr_pool_t *pool;

    check(apr_initialize(), "APR");
    check(apr_pool_create(&pool, NULL), "pool");
    printf("{");
    both(0, "few", "many", pool);
    printf(", ");
    both(1, "few_due", "many_due", pool);
    printf("}\n");
    return 0;
}
