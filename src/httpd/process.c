/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/process.h"

#include <ap_mpm.h>
#include <http_main.h>
#include <apr_allocator.h>
#include <apr_strings.h>
#include <unistd.h>

#include "base/status.h"
#include "httpd/backend_config.h"
#include "httpd/providers.h"
#include "httpd/watchdog.h"
#include "portfolio/portfolio.h"
#include "school/school.h"
#include "service/services.h"
#include "service/session.h"

/* A child of prefork is ended from within a signal's handler, perhaps in the middle of a request,
 * whose own cleanups come later than ours and use the engine. */
static int ends_in_request(void)
{
    int threaded = 1;
    return !ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded) && threaded == AP_MPMQ_NOT_SUPPORTED;
}

/*
 * At the child's end.  Requests may go on: of mod_http2, whose threads httpd waits for a few
 * seconds only, once it stops at once.  A thread of ours may still wait for a peer which hangs.
 * They use what is here, so that it stays then; the process is about to go anyway.
 */
static apr_status_t process_end(void *data)
{
    mnet_process_t *process = data;
    mnet_global_t *global = process->global;
    int idle;

    if (process->background)
        mnet_background_stop(process->background);
    idle = mnet_watchdog_end(global) &&
           (!process->background || mnet_background_end(process->background));
    mnet_shared_process_end(global->shared);
    if (idle && process->graceful && !ends_in_request())
        apr_pool_destroy(process->pool);
    return APR_SUCCESS;
}

/*
 * Requests, the watchdog's thread and our own take children from the process's pool at once, which
 * pchild does not stand under prefork: it has an allocator of its own with a mutex.  Nested, since
 * prefork ends a child from within a signal's handler.  Nothing of it is pchild's, which may go
 * before the last request.
 */
static apr_status_t create_pool(apr_pool_t **created)
{
    apr_allocator_t *allocator;
    apr_thread_mutex_t *mutex;
    apr_status_t rv = apr_allocator_create(&allocator);
    if (rv)
        return rv;
    rv = apr_pool_create_unmanaged_ex(created, NULL, allocator);
    if (rv) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, *created);
    rv = apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_NESTED, *created);
    if (rv)
        apr_pool_destroy(*created);
    else
        apr_allocator_mutex_set(allocator, mutex);
    return rv;
}

/* MnetOutgoingLimit, by default half of all the threads that answer requests. */
static int outgoing_limit(const mnet_conf_t *conf)
{
    int daemons = 1, threads = 1;
    if (conf->outgoing_limit != MNET_UNSET)
        return conf->outgoing_limit;
    if (ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &daemons) || daemons < 1)
        daemons = 1;
    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) || threads < 1)
        threads = 1;
    return daemons > 100000 / threads ? 50000 : daemons * threads > 1 ? daemons * threads / 2 : 1;
}

/* Private operations at once over all processes: more than the processors can do only makes a flood
 * of messages that do not open stand in the way of those that do. */
static int private_limit(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 16 : processors > 256 ? 4096 : (int)processors * 16;
}

static mnet_registry_t *make_registry(server_rec *s, mnet_portfolio_t *portfolio,
                                      const mnet_log_t *log, apr_pool_t *pool)
{
    const apr_array_header_t *sites = mnet_conf_get(s)->global->sites;
    mnet_registry_t *registry = mnet_registry_create(pool);
    apr_status_t rv = mnet_services_register(registry);
    rv = rv ? rv : mnet_portfolio_register(registry, portfolio, sites, pool);
    if (rv) {
        mnet_log(log, MNET_LOG_ERR, rv, "MNET0662", "the built-in methods cannot be registered");
        return NULL;
    }
    mnet_providers_add(registry, s, log, pool);
    mnet_backends_add(registry, s, log, pool);
    /* Last: what answers a path already keeps it. */
    for (int i = 0; i < sites->nelts; i++) {
        const mnet_site_t *site = APR_ARRAY_IDX(sites, i, const mnet_site_t *);
        rv = mnet_school_register(registry, site, pool);
        if (rv)
            mnet_log(log, MNET_LOG_ERR, rv, "MNET1131",
                     "the methods of the ledger of %s cannot be registered", site->wwwroot);
    }
    return registry;
}

static mnet_engine_t *make_engine(server_rec *s, mnet_portfolio_t *portfolio, const mnet_log_t *log,
                                  apr_pool_t *pool)
{
    const mnet_conf_t *conf = mnet_conf_get(s);
    mnet_engine_options_t options = {0};
    mnet_engine_t *engine = NULL;
    const char *why = "";
    apr_status_t rv;

    options.registry = make_registry(s, portfolio, log, pool);
    if (!options.registry)
        return NULL;
    options.log = log;
    options.state_dir = mnet_conf_state_dir(conf, pool);
    options.state_size = mnet_conf_state_size(conf);
    options.shared = conf->global->shared;
    options.sites = conf->global->sites;
    options.outgoing_limit = outgoing_limit(conf);
    options.private_limit = private_limit();
    rv = mnet_engine_create(&engine, &options, &why, pool);
    if (rv) {
        mnet_log(log, MNET_LOG_ERR, rv, "MNET0663",
                 "this process cannot answer MNET and says 503 instead: %s", why);
        return NULL;
    }
    return engine;
}

static void set_hosts(server_rec *s, const mnet_engine_t *engine)
{
    for (server_rec *each = s; each; each = each->next) {
        mnet_conf_t *conf = mnet_conf_get(each);
        if (conf->site)
            conf->host = mnet_engine_host(engine, conf->site->wwwroot);
    }
}

/* NULL if no site has a portfolio, or the log says why not. */
static mnet_queue_t *make_queue(mnet_process_t *process, mnet_portfolio_t *portfolio)
{
    const apr_array_header_t *hosts = process->engine->hosts;
    int wanted = 0;
    apr_status_t rv;

    for (int i = 0; i < hosts->nelts; i++)
        wanted |= APR_ARRAY_IDX(hosts, i, mnet_host_t *)->site->portfolio != NULL;
    if (!wanted)
        return NULL;
    rv = mnet_queue_create(&portfolio->queue, process->engine, portfolio, process->pool);
    if (rv) {
        portfolio->queue = NULL;
        mnet_log(&process->log->log, MNET_LOG_ERR, rv, "MNET1020",
                 "this process cannot work the queue; another one will");
    }
    return portfolio->queue;
}

static void keep_sessions(mnet_process_t *process)
{
    const apr_array_header_t *hosts = process->engine->hosts;
    for (int i = 0; i < hosts->nelts; i++) {
        apr_status_t rv = mnet_sessions_keep(APR_ARRAY_IDX(hosts, i, mnet_host_t *), process->pool);
        if (rv)
            mnet_log(&process->log->log, MNET_LOG_WARNING, rv, "MNET0667",
                     "this process reads every session anew from the state directory");
    }
}

static void start(mnet_process_t *process, server_rec *s, apr_pool_t *pchild)
{
    const mnet_log_t *log = &process->log->log;
    mnet_portfolio_t *portfolio;
    apr_status_t rv;

    mnet_shared_process_start(process->global->shared);
    /* Before the child's other pools and cleanups, and after mod_http2 has waited for its threads.
     */
    apr_pool_pre_cleanup_register(pchild, process, process_end);
    portfolio = apr_pcalloc(process->pool, sizeof(*portfolio));
    process->engine = make_engine(s, portfolio, log, process->pool);
    if (!process->engine)
        return;
    keep_sessions(process);
    rv = mnet_background_create(&process->background, process->engine,
                                make_queue(process, portfolio), process->pool);
    if (rv) {
        process->background = NULL;
        mnet_log(log, MNET_LOG_WARNING, rv, "MNET0666",
                 "this process cannot do periodic work; another one will");
    }
    set_hosts(s, process->engine);
}

void mnet_process_start(apr_pool_t *pchild, server_rec *s)
{
    mnet_global_t *global = mnet_conf_get(s)->global;
    mnet_process_t *process;
    apr_pool_t *pool;
    apr_status_t rv;

    if (!global->sites->nelts)
        return;
    rv = create_pool(&pool);
    process = apr_pcalloc(rv ? pchild : pool, sizeof(*process));
    process->pool = rv ? NULL : pool;
    process->log = mnet_httpd_log_create(s, 1, rv ? pchild : pool);
    process->global = global;
    mnet_shared_log(global->shared, &process->log->log);
    global->process = process;
    if (rv) {
        mnet_log(&process->log->log, MNET_LOG_ERR, rv, "MNET0665",
                 "out of memory at the start of a process");
        return;
    }
    rv =
        apr_global_mutex_child_init(&global->mutex, apr_global_mutex_lockfile(global->mutex), pool);
    if (rv)
        mnet_log(&process->log->log, MNET_LOG_ERR, rv, "MNET0664",
                 "this process cannot use the mutex mnet-shared and answers 503; restart httpd, or "
                 "choose another mechanism by the directive Mutex");
    else
        start(process, s, pchild);
}

void mnet_process_stopping(apr_pool_t *pchild, int graceful)
{
    mnet_conf_t *conf = ap_server_conf ? mnet_conf_get(ap_server_conf) : NULL;
    mnet_process_t *process = conf ? conf->global->process : NULL;
    const mnet_transport_t *transport =
        process && process->engine ? process->engine->transport : NULL;
    if (process)
        process->graceful = graceful;
    if (process && process->background)
        mnet_background_stop(process->background);
    /* httpd has closed the connections of those who would hear an answer, and waits for the
     * threads: none is to wait for a peer or an application that hangs. */
    if (!graceful && transport && transport->ops->stop)
        transport->ops->stop(transport->self);
}
