/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/pieces.h"

#include <util_filter.h>
#include <apr_buckets.h>

/* APR's macros for rings of buckets compute an offset as an old C compiler would. */
#if defined(__clang__) && __clang_major__ >= 13
#pragma clang diagnostic ignored "-Wnull-pointer-subtraction"
#endif

#define FILTER "MNET_PIECES"
#define PIECE  (32 * 1024) /* bytes passed on at once */

/* Moves the first bucket, or as much of a file as is read at once. */
static apr_status_t move_first(apr_bucket_brigade *from, apr_bucket_brigade *to, apr_size_t *bytes)
{
    apr_bucket *first = APR_BRIGADE_FIRST(from);
    const char *data;
    apr_size_t len = 0;
    apr_status_t rv = APR_SUCCESS;

    if (APR_BUCKET_IS_FILE(first)) {
        /* What mod_http2 counts is memory: not a file, nor a mapped one. */
        (void)apr_bucket_file_enable_mmap(first, 0);
        rv = apr_bucket_read(first, &data, &len, APR_BLOCK_READ);
    }
    if (rv)
        return rv;
    APR_BUCKET_REMOVE(first);
    APR_BRIGADE_INSERT_TAIL(to, first);
    *bytes += len;
    return APR_SUCCESS;
}

static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    apr_bucket_brigade *out = apr_brigade_create(f->r->pool, f->c->bucket_alloc);
    apr_status_t rv = APR_SUCCESS;

    while (!rv && !APR_BRIGADE_EMPTY(bb)) {
        apr_size_t bytes = 0;
        /* The end goes with the last bytes: a client that has them may not wait for it. */
        while (!rv && !APR_BRIGADE_EMPTY(bb) &&
               (bytes < PIECE || APR_BUCKET_IS_METADATA(APR_BRIGADE_FIRST(bb))))
            rv = move_first(bb, out, &bytes);
        if (!rv)
            rv = ap_pass_brigade(f->next, out);
        apr_brigade_cleanup(out);
    }
    return rv;
}

void mnet_pieces_register(void)
{
    /* After ranges were cut out of the file. */
    ap_register_output_filter(FILTER, filter, NULL, AP_FTYPE_TRANSCODE);
}

void mnet_pieces_add(request_rec *r)
{
    if (r->connection->master)
        ap_add_output_filter(FILTER, NULL, r, r->connection);
}
