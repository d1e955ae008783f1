/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CURL_POOL_H
#define MNET_RPC_CURL_POOL_H

/*
 * The idle handles of a process, each with its connection still open.  A connection stays with its
 * handle: sharing connections between threads is not supported by libcurl.
 */

#include <apr_pools.h>
#include <curl/curl.h>

typedef struct mnet_curl_pool_t mnet_curl_pool_t;

/* Its handles go with parent. */
apr_status_t mnet_curl_pool_create(mnet_curl_pool_t **pool, apr_pool_t *parent);

/* One that talked to that peer before (key), else a new one, with no option set; the caller's until
 * it is given back or cleaned up.  NULL: no memory. */
CURL *mnet_curl_take(mnet_curl_pool_t *pool, const char *key);
/* Back into the pool; with a full pool the handle longest idle goes. */
void mnet_curl_give_back(mnet_curl_pool_t *pool, const char *key, CURL *easy);

#endif
