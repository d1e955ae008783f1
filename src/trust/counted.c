/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/counted.h"

#include <apr_atomic.h>

apr_status_t mnet_counted_create(mnet_counted_t **counted)
{
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_tag(pool, "mnet_counted");
    *counted = apr_pcalloc(pool, sizeof(**counted));
    (*counted)->pool = pool;
    (*counted)->refs = 1;
    return APR_SUCCESS;
}

void mnet_counted_drop(mnet_counted_t *counted)
{
    if (counted && !apr_atomic_dec32(&counted->refs)) {
        apr_pool_destroy(counted->pool);
    }
}

static apr_status_t give_back(void *data)
{
    mnet_counted_drop(data);
    return APR_SUCCESS;
}

void mnet_counted_lend(mnet_counted_t *counted, apr_pool_t *pool)
{
    apr_atomic_inc32(&counted->refs);
    apr_pool_cleanup_register(pool, counted, give_back, apr_pool_cleanup_null);
}
