/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/watchdog.h"

#include <mod_watchdog.h>
#include <apr_atomic.h>
#include <apr_optional.h>
#include <apr_strings.h>
#include <apr_thread_pool.h>
#include <openssl/crypto.h>

#include "httpd/process.h"
#include "portfolio/portfolio.h"
#include "rpc/periodic.h"
#include "school/school.h"
#include "service/farewell.h"
#include "service/sso.h"

#define WATCHDOG_NAME "_mnet_"
#define EVERY         apr_time_from_sec(60)
#define THREADS       4
#define END_WAIT      apr_time_from_sec(2)
#define END_STEP      (20 * 1000)
#define TASKS_MAX     1000 /* that wait for a thread */

/* What the watchdog's thread is at (mnet_global_t). */
enum { AT_REST, AT_WORK, ENDED };

struct mnet_background_t {
    mnet_engine_t *engine;
    mnet_queue_t *queue; /* NULL: there is none */
    apr_pool_t *pool;
    apr_thread_pool_t *threads;
    apr_uint32_t stopping;
    apr_interval_time_t every;
    apr_time_t last; /* of the watchdog's thread alone */
};

/* One peer to be called. */
typedef struct task_t {
    mnet_work_fn *work;
    mnet_background_t *background;
    mnet_host_t *host;
    const char *wwwroot;
    apr_pool_t *pool; /* its own, this structure in it */
} task_t;

static void *APR_THREAD_FUNC call_peer(apr_thread_t *thread, void *data)
{
    task_t *task = data;
    if (!apr_atomic_read32(&task->background->stopping))
        task->work(task->host, task->wwwroot, apr_time_now(), task->pool);
    apr_pool_destroy(task->pool);
    return NULL;
}

static void push_peer(mnet_background_t *background, mnet_work_fn *work, mnet_host_t *host,
                      const char *wwwroot)
{
    apr_pool_t *pool;
    task_t *task;
    apr_status_t rv;

    if (apr_pool_create(&pool, background->pool))
        return;
    task = apr_palloc(pool, sizeof(*task));
    *task = (task_t){work, background, host, apr_pstrdup(pool, wwwroot), pool};
    rv = apr_thread_pool_push(background->threads, call_peer, task, APR_THREAD_TASK_PRIORITY_NORMAL,
                              background);
    if (rv) {
        mnet_log(background->engine->log, MNET_LOG_WARNING, rv, "MNET0690",
                 "the peer %s cannot be called in the background; it is tried again later",
                 wwwroot);
        apr_pool_destroy(pool);
    }
}

void mnet_background_do(mnet_background_t *background, mnet_host_t *host, mnet_work_fn *work,
                        const char *what)
{
    if (!apr_atomic_read32(&background->stopping) &&
        apr_thread_pool_tasks_count(background->threads) < TASKS_MAX)
        push_peer(background, work, host, what);
}

static void run(mnet_background_t *background, apr_time_t now, apr_pool_t *pool)
{
    const apr_array_header_t *hosts = background->engine->hosts;
    for (int i = 0; i < hosts->nelts && !apr_atomic_read32(&background->stopping); i++) {
        mnet_host_t *host = APR_ARRAY_IDX(hosts, i, mnet_host_t *);
        apr_array_header_t *due;
        mnet_periodic_quick(host, now, pool);
        mnet_sso_quick(host, now, pool);
        mnet_portfolio_quick(host, now, pool);
        /* Those of the last minute first: whoever is named is to be called. */
        if (apr_thread_pool_tasks_count(background->threads))
            continue;
        due = mnet_periodic_due(host, now, pool);
        for (int j = 0; j < due->nelts; j++)
            push_peer(background, mnet_periodic_peer, host, APR_ARRAY_IDX(due, j, const char *));
        due = mnet_sso_due(host, now, pool);
        for (int j = 0; j < due->nelts; j++)
            push_peer(background, mnet_sso_keepalive, host, APR_ARRAY_IDX(due, j, const char *));
        due = mnet_ledger_newcomers(host, now, pool);
        for (int j = 0; j < due->nelts; j++)
            push_peer(background, mnet_ledger_welcome, host, APR_ARRAY_IDX(due, j, const char *));
        due = mnet_farewells_due(host, now, pool);
        for (int j = 0; j < due->nelts; j++)
            push_peer(background, mnet_farewell_peer, host, APR_ARRAY_IDX(due, j, const char *));
    }
}

static void look(const mnet_global_t *global, apr_pool_t *pool)
{
    mnet_background_t *background = global->process ? global->process->background : NULL;
    apr_time_t now = apr_time_now();

    if (!background)
        return;
    if (background->queue)
        mnet_queue_tick(background->queue, now, pool);
    /* A clock set back must not stop us for as long as it was wrong. */
    if (now >= background->last && now - background->last < background->every)
        return;
    background->last = now;
    run(background, now, pool);
}

/* In the watchdog's thread of the one child that has its turn, every second. */
static apr_status_t tick(int state, void *data, apr_pool_t *pool)
{
    mnet_global_t *global = data;

    /* A child of prefork ends from within a signal's handler: by the time it is told of its end
     * here, nothing that data leads to need be there any more. */
    if (state != AP_WATCHDOG_STATE_RUNNING ||
        apr_atomic_cas32(&global->watchdog, AT_WORK, AT_REST) != AT_REST)
        return APR_SUCCESS;
    look(global, pool);
    /* What OpenSSL keeps for this thread it would free when the thread ends, by the engine's
     * library context, which may be gone by then. */
    OPENSSL_thread_stop();
    (void)apr_atomic_cas32(&global->watchdog, AT_REST, AT_WORK);
    return APR_SUCCESS;
}

int mnet_watchdog_end(mnet_global_t *global)
{
    apr_time_t until = apr_time_now() + END_WAIT;

    while (apr_atomic_cas32(&global->watchdog, ENDED, AT_REST) == AT_WORK) {
        if (apr_time_now() > until)
            return 0;
        apr_sleep(END_STEP);
    }
    return 1;
}

int mnet_watchdog_register(server_rec *s, apr_pool_t *pconf)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;
    apr_status_t rv = APR_ENOTIMPL;

    if (get && add) {
        rv = get(&watchdog, WATCHDOG_NAME, 0, 1, pconf);
        if (!rv)
            rv = add(watchdog, AP_WD_TM_INTERVAL, mnet_conf_get(s)->global, tick);
    }
    if (rv)
        mnet_log(&mnet_httpd_log_create(s, 0, pconf)->log, MNET_LOG_ERR, rv, "MNET0637",
                 "mod_watchdog does not serve us, without which no key is ever replaced; is it "
                 "loaded?");
    return !rv;
}

/* Often enough to replace a key of the shortest life in time: it is due a tenth before its end. */
static apr_interval_time_t period(const mnet_engine_t *engine)
{
    apr_interval_time_t every = EVERY;

    for (int i = 0; i < engine->hosts->nelts; i++) {
        const mnet_host_t *host = APR_ARRAY_IDX(engine->hosts, i, const mnet_host_t *);
        if (host->site->key_lifetime / 20 < every)
            every = host->site->key_lifetime / 20;
        if (host->site->portfolio && host->site->portfolio->interval < every)
            every = host->site->portfolio->interval;
    }
    return every;
}

apr_status_t mnet_background_create(mnet_background_t **created, mnet_engine_t *engine,
                                    mnet_queue_t *queue, apr_pool_t *pool)
{
    mnet_background_t *background = apr_pcalloc(pool, sizeof(*background));
    background->engine = engine;
    background->queue = queue;
    background->pool = pool;
    background->every = period(engine);
    *created = background;
    return apr_thread_pool_create(&background->threads, 0, THREADS, pool);
}

void mnet_background_stop(mnet_background_t *background)
{
    apr_atomic_set32(&background->stopping, 1);
    if (background->queue)
        mnet_queue_stop(background->queue);
}

int mnet_background_end(mnet_background_t *background)
{
    apr_time_t until = apr_time_now() + END_WAIT;
    const mnet_transport_t *transport = background->engine->transport;

    mnet_background_stop(background);
    /* Only now: until here threads of requests may be waiting for a peer, too. */
    if (transport->ops->stop)
        transport->ops->stop(transport->self);
    while (apr_thread_pool_busy_count(background->threads) ||
           apr_thread_pool_tasks_count(background->threads) ||
           (background->queue && mnet_queue_busy(background->queue))) {
        if (apr_time_now() > until)
            return 0;
        apr_sleep(END_STEP);
    }
    apr_thread_pool_destroy(background->threads);
    if (background->queue)
        mnet_queue_end(background->queue);
    return 1;
}
