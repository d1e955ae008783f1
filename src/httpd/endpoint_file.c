/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mnet-file: a package of ours for the peer that was told of it, by a plain GET (MNET protocol
 * reference, 7.3).  httpd's own filters see to ranges, conditions and sendfile.
 */

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <scoreboard.h>
#include <apr_buckets.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "httpd/pieces.h"
#include "httpd/process.h"
#include "httpd/request.h"
#include "httpd/routes.h"
#include "portfolio/out.h"

/* APR's macros for rings of buckets compute an offset as an old C compiler would. */
#if defined(__clang__) && __clang_major__ >= 13
#pragma clang diagnostic ignored "-Wnull-pointer-subtraction"
#endif

/* --- which one --- */

/* What httpd's own logs and pages would say of the question (%r, %q): without the token. */
static void hide_query(request_rec *r)
{
    const char *uri = ap_os_escape_path(r->pool, r->uri, 0);
    r->the_request = apr_pstrcat(r->pool, r->method, " ", uri, " ", r->protocol, NULL);
    r->unparsed_uri = apr_pstrdup(r->pool, uri);
    r->args = r->parsed_uri.query = NULL;
    /* And what mod_status shows of this request, and of the last one afterwards. */
    ap_update_child_status(r->connection->sbh, SERVER_BUSY_WRITE, r);
}

/* The same whatever is wrong, so that nobody learns which it is.  A question with a token costs the
 * address a failure, as a message that does not open does. */
static int refuse(request_rec *r, const mnet_host_t *host, const mnet_out_give_t *give,
                  apr_status_t rv)
{
    if (rv && rv != APR_NOTFOUND)
        mnet_log(host->engine->log, MNET_LOG_ERR, rv, "MNET1071",
                 "a package cannot be looked for in the state directory: answered 404 (%s)",
                 mnet_request_id(r));
    else
        mnet_log(host->engine->log, MNET_LOG_INFO, 0, "MNET1070",
                 "%s asked for a package that is none, or not theirs, or not any more (%s)",
                 r->useragent_ip, mnet_request_id(r));
    if (give->secret)
        mnet_shared_failed(host->engine->shared, r->useragent_ip, r->request_time,
                           host->site->failure_period);
    return mnet_answer_text(r, HTTP_NOT_FOUND, "There is no such package, or not any more.");
}

/* --- the file --- */

static apr_status_t open_file(request_rec *r, const mnet_out_give_t *give, apr_file_t **file)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    apr_finfo_t info;
    apr_status_t rv = apr_file_open(
        file, give->path, APR_READ | APR_BINARY | AP_SENDFILE_ENABLED(core->enable_sendfile),
        APR_OS_DEFAULT, r->pool);
    if (!rv)
        rv = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_MTIME | APR_FINFO_TYPE, *file);
    if (rv)
        return rv;
    if (info.filetype != APR_REG || info.size != give->out->size)
        return APR_EINVAL;
    ap_update_mtime(r, info.mtime);
    return APR_SUCCESS;
}

static void set_headers(request_rec *r, const mnet_out_t *out)
{
    apr_table_setn(r->headers_out, "ETag", apr_psprintf(r->pool, "\"%s\"", out->sha1));
    ap_set_last_modified(r);
    ap_set_accept_ranges(r);
    ap_set_content_type(r, "application/zip");
    ap_set_content_length(r, out->size);
    /* RFC 9530, and RFC 3230 before it. */
    apr_table_setn(r->headers_out, "Repr-Digest",
                   apr_psprintf(r->pool, "sha-256=:%s:", out->sha256));
    apr_table_setn(r->headers_out, "Digest", apr_psprintf(r->pool, "SHA-256=%s", out->sha256));
    apr_table_setn(r->headers_out, "Cache-Control", "private, no-cache");
    apr_table_setn(r->headers_out, "Content-Disposition", "attachment; filename=\"package.zip\"");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    /* What is compressed already, and is asked for by ranges, stays as it is. */
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
}

/* Did the answer have the package's last byte in it? */
static int reaches_end(const request_rec *r, const mnet_out_t *out)
{
    const char *range = apr_table_get(r->headers_out, "Content-Range"), *dash;
    apr_off_t last;
    char *end;

    if (r->header_only || (r->connection->aborted && !r->connection->master))
        return 0;
    if (r->status == HTTP_OK)
        return 1;
    dash = range ? strchr(range, '-') : NULL;
    return r->status == HTTP_PARTIAL_CONTENT && dash && !apr_strtoff(&last, dash + 1, &end, 10) &&
           last == out->size - 1;
}

static int send_file(request_rec *r, const mnet_host_t *host, const mnet_out_t *out,
                     apr_file_t *file)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, alloc);
    apr_bucket *bucket = apr_brigade_insert_file(bb, file, 0, out->size, r->pool);
    apr_status_t rv;

    if (core->enable_mmap == ENABLE_MMAP_OFF)
        apr_bucket_file_enable_mmap(bucket, 0);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    mnet_pieces_add(r);
    rv = ap_pass_brigade(r->output_filters, bb);
    if (rv || r->header_only)
        return r->connection->aborted || r->header_only ? OK : ap_map_http_request_error(rv, OK);
    /* So that we know when it is gone: until here it may wait for its turn.  Over HTTP/2 nobody
     * tells (mnet_received). */
    apr_brigade_cleanup(bb);
    if (!r->connection->master) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(alloc));
        rv = ap_pass_brigade(r->connection->output_filters, bb);
    }
    if (!rv && reaches_end(r, out)) {
        mnet_log(host->engine->log, MNET_LOG_INFO, 0, "MNET1072",
                 "the last byte of %s (%s) went to %s, who was told of it by its location",
                 mnet_for_log(out->title, strlen(out->title), 120, r->pool), out->id,
                 r->useragent_ip);
        rv = mnet_out_given((mnet_host_t *)host, out->id, apr_time_now(), r->pool);
        if (rv)
            mnet_log(host->engine->log, MNET_LOG_ERR, rv, "MNET1073",
                     "that %s went out could not be written to the state directory", out->id);
    }
    return OK;
}

static int not_modified(request_rec *r)
{
    r->status = HTTP_NOT_MODIFIED;
    r->status_line = NULL;
    apr_table_unset(r->headers_out, "Content-Length");
    return OK;
}

int mnet_endpoint_file(request_rec *r, mnet_host_t *host, const mnet_route_t *route)
{
    mnet_out_give_t give = {host};
    apr_table_t *query;
    apr_file_t *file;
    apr_status_t rv;
    int status;

    query = mnet_request_query(r);
    hide_query(r);
    if (r->method_number != M_GET) {
        apr_table_setn(r->headers_out, "Allow", "GET, HEAD");
        return mnet_answer_text(r, HTTP_METHOD_NOT_ALLOWED,
                                "Packages are there to be fetched, by GET.");
    }
    if (query) {
        give.id = apr_table_get(query, "id");
        give.secret = apr_table_get(query, "token");
    }
    give.now = r->request_time;
    rv = mnet_out_give(&give, r->pool);
    if (rv)
        return refuse(r, host, &give, rv);
    rv = open_file(r, &give, &file);
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_ERR, rv, "MNET1074",
                 "the package of %s for %s cannot be read: answered 404", give.out->id,
                 give.out->peer);
        return mnet_answer_text(r, HTTP_NOT_FOUND, "There is no such package, or not any more.");
    }
    if (!r->header_only && !give.out->begun) {
        rv = mnet_out_giving(host, give.out->id, r->request_time, r->pool);
        if (rv)
            return refuse(r, host, &give, rv);
    }
    set_headers(r, give.out);
    status = ap_meets_conditions(r);
    if (status == HTTP_NOT_MODIFIED)
        return not_modified(r);
    if (status != OK)
        return mnet_answer_text(r, status, "The package is not what you expect it to be.");
    return send_file(r, host, give.out, file);
}
