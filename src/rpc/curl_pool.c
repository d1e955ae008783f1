/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/curl_pool.h"

#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <poll.h>
#include <string.h>

#define IDLE_MAX 32

typedef struct idle_t {
    CURL *easy;
    char key[320]; /* whom it last talked to */
} idle_t;

struct mnet_curl_pool_t {
    apr_thread_mutex_t *mutex;
    idle_t idle[IDLE_MAX]; /* the oldest first */
    int count;
};

static apr_status_t cleanup(void *data)
{
    mnet_curl_pool_t *pool = data;
    int i;

    for (i = 0; i < pool->count; i++) {
        curl_easy_cleanup(pool->idle[i].easy);
    }
    pool->count = 0;
    return APR_SUCCESS;
}

apr_status_t mnet_curl_pool_create(mnet_curl_pool_t **made, apr_pool_t *parent)
{
    mnet_curl_pool_t *pool = apr_pcalloc(parent, sizeof(*pool));
    apr_status_t rv = apr_thread_mutex_create(&pool->mutex, APR_THREAD_MUTEX_DEFAULT, parent);

    if (!rv) {
        apr_pool_cleanup_register(parent, pool, cleanup, apr_pool_cleanup_null);
    }
    *made = pool;
    return rv;
}

/*
 * Did something come on its connection after the last answer, or its end?  Whatever it is, it would
 * be taken for the answer to the next request, which may be another caller's.  (libcurl looks for
 * itself from 8.0 on.)
 */
static int is_dirty(CURL *easy)
{
    struct pollfd watched = {.events = POLLIN};
    curl_socket_t connection = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &connection) ||
        connection == CURL_SOCKET_BAD) {
        return 0;
    }
    watched.fd = connection;
    return poll(&watched, 1, 0) != 0;
}

CURL *mnet_curl_take(mnet_curl_pool_t *pool, const char *key)
{
    CURL *easy = NULL;
    int i;

    apr_thread_mutex_lock(pool->mutex);
    for (i = pool->count - 1; i >= 0 && !easy; i--) {
        if (!strcmp(pool->idle[i].key, key)) {
            easy = pool->idle[i].easy;
            pool->count--;
            memmove(&pool->idle[i], &pool->idle[i + 1], sizeof(idle_t) * (size_t)(pool->count - i));
        }
    }
    apr_thread_mutex_unlock(pool->mutex);
    if (easy && is_dirty(easy)) {
        curl_easy_cleanup(easy);
        easy = NULL;
    }
    return easy ? easy : curl_easy_init();
}

void mnet_curl_give_back(mnet_curl_pool_t *pool, const char *key, CURL *easy)
{
    CURL *surplus = NULL;

    curl_easy_reset(easy); /* forgets our buffers and callbacks, keeps the connection */
    apr_thread_mutex_lock(pool->mutex);
    if (pool->count == IDLE_MAX) {
        surplus = pool->idle[0].easy;
        pool->count--;
        memmove(&pool->idle[0], &pool->idle[1], sizeof(idle_t) * (size_t)pool->count);
    }
    pool->idle[pool->count].easy = easy;
    apr_cpystrn(pool->idle[pool->count].key, key, sizeof(pool->idle[0].key));
    pool->count++;
    apr_thread_mutex_unlock(pool->mutex);
    if (surplus) {
        curl_easy_cleanup(surplus);
    }
}
