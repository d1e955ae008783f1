/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/body.h"

#include <http_protocol.h>
#include <apr_buckets.h>
#include <apr_strings.h>

#include "base/status.h"

/* APR's macros for rings of buckets compute an offset as an old C compiler would. */
#if defined(__clang__) && __clang_major__ >= 13
#pragma clang diagnostic ignored "-Wnull-pointer-subtraction"
#endif

#define PIECE (32 * 1024) /* bytes asked of the network at once */

static apr_status_t write_bucket(apr_bucket *bucket, const mnet_sink_t *to)
{
    const char *data;
    apr_size_t len;
    apr_status_t rv = apr_bucket_read(bucket, &data, &len, APR_BLOCK_READ);
    return rv ? rv : mnet_sink_write(to, data, len);
}

static apr_status_t write_brigade(apr_bucket_brigade *bb, const mnet_sink_t *to, int *end)
{
    apr_status_t rv = APR_SUCCESS;
    while (!rv && !*end && !APR_BRIGADE_EMPTY(bb)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(bb);
        if (APR_BUCKET_IS_EOS(bucket))
            *end = 1;
        else if (!APR_BUCKET_IS_METADATA(bucket))
            rv = write_bucket(bucket, to);
        apr_bucket_delete(bucket);
    }
    apr_brigade_cleanup(bb);
    return rv;
}

int mnet_body_read(request_rec *r, const mnet_sink_t *to)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    int end = 0;
    while (!end) {
        apr_status_t rv =
            ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ, PIECE);
        if (rv)
            return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        rv = write_brigade(bb, to, &end);
        if (rv == MNET_E_LIMIT)
            return HTTP_REQUEST_ENTITY_TOO_LARGE;
        if (rv)
            return ap_map_http_request_error(rv, HTTP_INTERNAL_SERVER_ERROR);
    }
    return OK;
}

int mnet_body_too_large(const request_rec *r, apr_off_t max)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t bytes;
    char *end;
    return length && max && (apr_strtoff(&bytes, length, &end, 10) || bytes > max);
}
