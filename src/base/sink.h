/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_BASE_SINK_H
#define MNET_BASE_SINK_H

/*
 * Where bytes go.  Every stream of libmnet (base64, RC4, the XML reader, a spool, a response)
 * takes its input by a function of this shape, so that they chain without knowing each other.
 */

#include <apr_errno.h>

typedef apr_status_t mnet_sink_fn(void *baton, const char *data, apr_size_t len);

typedef struct mnet_sink_t {
    mnet_sink_fn *write;
    void *baton;
} mnet_sink_t;

/* data is valid during the call only. */
static inline apr_status_t mnet_sink_write(const mnet_sink_t *sink, const char *data,
                                           apr_size_t len)
{
    return len ? sink->write(sink->baton, data, len) : APR_SUCCESS;
}

#endif
