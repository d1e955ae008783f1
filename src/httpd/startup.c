/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/startup.h"

#include <http_core.h>
#include <util_mutex.h>
#include <apr_strings.h>

#include "httpd/backend_config.h"
#include "httpd/check.h"
#include "httpd/log.h"
#include "httpd/portfolio_config.h"
#include "httpd/sso_check.h"
#include "httpd/watchdog.h"

#define MUTEX_NAME "mnet-shared"

int mnet_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    apr_status_t rv = ap_mutex_register(pconf, MUTEX_NAME, NULL, APR_LOCK_DEFAULT, 0);
    return rv ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

/*
 * The mutex and the segment live as long as the server: children of the generation before still use
 * them after a graceful restart, and what was received is not forgotten by it.
 */
typedef struct kept_t {
    apr_global_mutex_t *mutex;
    mnet_shared_t *shared;
    apr_size_t size;
} kept_t;

static int make_mutex(apr_global_mutex_t **mutex, const mnet_log_t *log, server_rec *s,
                      apr_pool_t *pool)
{
    apr_status_t rv = ap_global_mutex_create(mutex, NULL, MUTEX_NAME, NULL, s, pool, 0);
    if (rv) {
        mnet_log(log, MNET_LOG_ERR, rv, "MNET0631",
                 "the mutex " MUTEX_NAME " cannot be made; choose another mechanism for it by the "
                 "directive Mutex");
        return 0;
    }
#if APR_HAS_POSIXSEM_SERIALIZE
    if (apr_global_mutex_mech(*mutex) == APR_LOCK_POSIXSEM) {
        mnet_log(log, MNET_LOG_ERR, 0, "MNET0632",
                 "the mutex " MUTEX_NAME " is a POSIX semaphore, which stays locked for ever when "
                 "a child dies with it; write: Mutex pthread " MUTEX_NAME);
        return 0;
    }
#endif
    return 1;
}

/* A newer module, loaded by a graceful restart, does not find what it would misread. */
static const char *kept_name(apr_pool_t *pool)
{
    return apr_psprintf(pool, MUTEX_NAME " %x %x", (unsigned int)mnet_shared_layout(),
                        (unsigned int)sizeof(kept_t));
}

static kept_t *make_kept(const char *name, apr_size_t size, const mnet_log_t *log, server_rec *s)
{
    apr_pool_t *pool = s->process->pool;
    kept_t *kept = apr_pcalloc(pool, sizeof(*kept));
    const char *why = "";
    apr_status_t rv;

    if (!make_mutex(&kept->mutex, log, s, pool))
        return NULL;
    kept->size = size;
    rv = mnet_shared_create(&kept->shared, size, kept->mutex, log, &why, pool);
    if (rv) {
        mnet_log(log, MNET_LOG_ERR, rv, "MNET0633", "%s", why);
        return NULL;
    }
    /* With a copy of the name: ours goes when a restart unloads the module. */
    if (apr_pool_userdata_set(kept, name, NULL, pool))
        return NULL;
    return kept;
}

static int make_shared(mnet_global_t *global, const mnet_conf_t *conf, server_rec *s,
                       apr_pool_t *pconf)
{
    const mnet_log_t *log = &mnet_httpd_log_create(s, 0, pconf)->log;
    const char *name = kept_name(pconf);
    apr_size_t size = mnet_conf_shared_memory(conf);
    void *found = NULL;
    kept_t *kept;

    apr_pool_userdata_get(&found, name, s->process->pool);
    kept = found ? found : make_kept(name, size, log, s);
    if (!kept)
        return 0;
    if (kept->size != size)
        mnet_log(log, MNET_LOG_WARNING, 0, "MNET0635",
                 "MnetSharedMemory changed: it is heeded when httpd is stopped and started, not at "
                 "a graceful restart");
    mnet_shared_log(kept->shared, log);
    global->mutex = kept->mutex;
    global->shared = kept->shared;
    return 1;
}

/* core's limit on a body, lifted, as one more <Location> would do it. */
static ap_conf_vector_t *unlimited(apr_pool_t *pconf)
{
    ap_conf_vector_t *vector = ap_create_per_dir_config(pconf);
    core_dir_config *core = core_module.create_dir_config(pconf, NULL);
    core->limit_req_body = 0;
    ap_set_core_module_config(vector, core);
    return vector;
}

static int prepare_state(const mnet_conf_t *conf, server_rec *s, apr_pool_t *ptemp)
{
    const char *dir = mnet_conf_state_dir(conf, ptemp), *problem;
    const mnet_log_t *log = &mnet_httpd_log_create(s, 0, ptemp)->log;
    apr_pool_t *pool;

    problem = mnet_state_dir_prepare(dir, ptemp);
    if (!problem)
        problem = mnet_portfolio_prepare(conf->global, ptemp);
    if (problem) {
        mnet_log(log, MNET_LOG_ERR, 0, "MNET0634", "%s", problem);
        return 0;
    }
    if (apr_pool_create(&pool, ptemp))
        return 0;
    problem = mnet_state_write(s, dir, pool);
    if (problem)
        mnet_log(log, MNET_LOG_ERR, 0, "MNET0636", "%s", problem);
    apr_pool_destroy(pool);
    return !problem;
}

int mnet_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    mnet_conf_t *conf = mnet_conf_get(s);
    mnet_global_t *global = conf->global;

    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG || !global->sites->nelts)
        return OK;
    mnet_check_warn(s, ptemp);
    global->unlimited = unlimited(pconf);
    global->backend_secret = mnet_backends_secret(s);
    if (!prepare_state(conf, s, ptemp) || !make_shared(global, conf, s, pconf) ||
        !mnet_watchdog_register(s, pconf))
        return HTTP_INTERNAL_SERVER_ERROR;
    mnet_sso_check_stored(s, ptemp);
    return OK;
}
