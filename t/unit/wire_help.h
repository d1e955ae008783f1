/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_T_WIRE_HELP_H
#define MNET_T_WIRE_HELP_H

/* What the tests of the readers and writers share: a pool for each test, and sinks. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include "base/sink.h"
#include "base/status.h"

#define HELP __attribute__((unused)) static

HELP int help_setup(void **state)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    *state = pool;
    return 0;
}

HELP int help_teardown(void **state)
{
    apr_pool_destroy(*state);
    apr_terminate();
    return 0;
}

#define test(f) cmocka_unit_test_setup_teardown(f, help_setup, help_teardown)

/* A text that grows. */
typedef struct collected_t {
    char *data;
    apr_size_t len;
    apr_size_t room;
    int writes;
} collected_t;

HELP apr_status_t collect(void *baton, const char *data, apr_size_t len)
{
    collected_t *c = baton;

    if (c->len + len + 1 > c->room) {
        c->room = (c->len + len + 1) * 2;
        c->data = realloc(c->data, c->room);
        assert_non_null(c->data);
    }
    memcpy(c->data + c->len, data, len);
    c->len += len;
    c->data[c->len] = '\0';
    c->writes++;
    return APR_SUCCESS;
}

HELP const char *collected(collected_t *c, apr_pool_t *pool)
{
    const char *text = c->data ? apr_pstrmemdup(pool, c->data, c->len) : "";

    free(c->data);
    memset(c, 0, sizeof(*c));
    return text;
}

#endif
