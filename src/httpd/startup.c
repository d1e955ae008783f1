/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/startup.h"

#include <http_core.h>
#include <util_mutex.h>
#include <apr_strings.h>

#include "httpd/check.h"
#include "httpd/log.h"
#include "httpd/watchdog.h"

#define MUTEX_NAME "mnet-shared"

int mnet_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    apr_status_t rv = ap_mutex_register(pconf, MUTEX_NAME, NULL, APR_LOCK_DEFAULT, 0);
    return rv ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

static int make_shared(mnet_global_t *global, const mnet_conf_t *conf, server_rec *s,
                       apr_pool_t *pconf)
{
    const mnet_log_t *log = &mnet_httpd_log_create(s, 0, pconf)->log;
    const char *why = "";
    apr_status_t rv = ap_global_mutex_create(&global->mutex, NULL, MUTEX_NAME, NULL, s, pconf, 0);
    if (rv) {
        mnet_log(log, MNET_LOG_ERR, rv, "MNET0631",
                 "the mutex " MUTEX_NAME " cannot be made; choose another mechanism for it by the "
                 "directive Mutex");
        return 0;
    }
#if APR_HAS_POSIXSEM_SERIALIZE
    if (apr_global_mutex_mech(global->mutex) == APR_LOCK_POSIXSEM) {
        mnet_log(log, MNET_LOG_ERR, 0, "MNET0632",
                 "the mutex " MUTEX_NAME " is a POSIX semaphore, which stays locked for ever when "
                 "a child dies with it; write: Mutex pthread " MUTEX_NAME);
        return 0;
    }
#endif
    rv = mnet_shared_create(&global->shared, mnet_conf_shared_memory(conf), global->mutex, log,
                            &why, pconf);
    if (rv)
        mnet_log(log, MNET_LOG_ERR, rv, "MNET0633", "%s", why);
    return !rv;
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
    const char *dir = mnet_conf_state_dir(conf, ptemp), *warning, *problem;
    const mnet_log_t *log = &mnet_httpd_log_create(s, 0, ptemp)->log;
    apr_pool_t *pool;

    problem = mnet_state_dir_prepare(dir, &warning, ptemp);
    if (problem) {
        mnet_log(log, MNET_LOG_ERR, 0, "MNET0634", "%s", problem);
        return 0;
    }
    if (warning)
        mnet_log(log, MNET_LOG_WARNING, 0, "MNET0635", "%s", warning);
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
    if (!prepare_state(conf, s, ptemp) || !make_shared(global, conf, s, pconf) ||
        !mnet_watchdog_register(s, pconf))
        return HTTP_INTERNAL_SERVER_ERROR;
    return OK;
}
