/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_T_FUZZ_HELP_H
#define MNET_T_FUZZ_HELP_H

/* What the fuzz targets share. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "base/sink.h"
#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* An invariant that must hold for every input. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Each target has one of these. */
static void fuzz(const char *data, apr_size_t len, apr_pool_t *pool);

/* The pool is empty after each input: what APR maps is nothing to a leak checker. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static apr_pool_t *pool;

    if (!pool) {
        apr_initialize();
        apr_pool_create(&pool, NULL);
    }
    if (len) {
        fuzz((const char *)data, len, pool);
    }
    apr_pool_clear(pool);
    return 0;
}

/* Writes in pieces of step bytes. */
__attribute__((unused)) static apr_status_t write_pieces(const mnet_sink_t *to, const char *data,
                                                         apr_size_t len, apr_size_t step)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t at;

    for (at = 0; at < len && rv == APR_SUCCESS; at += step) {
        rv = mnet_sink_write(to, data + at, len - at < step ? len - at : step);
    }
    return rv;
}

#endif
