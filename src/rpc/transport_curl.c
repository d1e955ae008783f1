/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/transport.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <curl/curl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/curl_guard.h"
#include "rpc/curl_pool.h"
#include "rpc/curl_problem.h"

/* Bytes a second that a long reply needs over its whole length. */
#define DRIP (128 * 1024)

typedef struct curl_transport_t {
    mnet_curl_pool_t *pool;
    apr_uint32_t stopped;
} curl_transport_t;

/* One request under way. */
typedef struct transfer_t {
    curl_transport_t *transport;
    mnet_http_t *http;
    apr_pool_t *pool;
    CURL *easy;
    int easy_begun;         /* the transfer is under way */
    const char *url;        /* what libcurl is given */
    const char *connect_to; /* NULL or CURLOPT_CONNECT_TO's text */
    int tls;                /* the channel is TLS */
    struct curl_slist *headers, *connect;
    char error[CURL_ERROR_SIZE];
    apr_off_t received;
    apr_status_t failed; /* of the sink, or the limit */
    apr_file_t *file;    /* of a long body */
    const char *text;    /* of a short one that goes out once; at: how much of it did */
    apr_size_t at;
    mnet_curl_stall_t stall;
    apr_interval_time_t patience;
    int left_off; /* whoever watches the progress said so */
    int refused;  /* may_connect said no */
} transfer_t;

static int is_stopped(const transfer_t *transfer)
{
    return apr_atomic_read32(&transfer->transport->stopped) != 0;
}

static size_t take_response(char *data, size_t size, size_t n, void *baton)
{
    transfer_t *transfer = baton;
    apr_size_t len = size * n;

    if (transfer->http->max_response > 0 &&
        (apr_off_t)len > transfer->http->max_response - transfer->received) {
        transfer->failed = MNET_E_LIMIT;
        return 0;
    }
    transfer->received += (apr_off_t)len;
    if (len && transfer->http->response) {
        transfer->failed = mnet_sink_write(transfer->http->response, data, len);
    }
    return transfer->failed ? 0 : len;
}

static int watch_progress(void *baton, curl_off_t download_of, curl_off_t down,
                          curl_off_t upload_of, curl_off_t up)
{
    transfer_t *transfer = baton;

    if (is_stopped(transfer)) {
        return 1;
    }
    if (transfer->http->progress &&
        transfer->http->progress(transfer->http->progress_baton, down, download_of)) {
        transfer->left_off = 1;
        return 1;
    }
    return mnet_curl_stalled(&transfer->stall, down + up,
                             transfer->patience + (down ? 0 : transfer->http->think));
}

static size_t take_head_line(char *data, size_t size, size_t n, void *baton)
{
    transfer_t *transfer = baton;

    transfer->http->head_line(transfer->http->head_line_baton, data, size * n);
    return size * n;
}

static curl_socket_t open_socket(void *baton, curlsocktype purpose, struct curl_sockaddr *address)
{
    transfer_t *transfer = baton;
    const mnet_http_t *http = transfer->http;

    if (!http->may_connect(http->may_connect_baton, &address->addr)) {
        transfer->refused = 1;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* What only some requests ask for. */
static CURLcode set_watchers(transfer_t *transfer)
{
    const mnet_http_t *http = transfer->http;
    CURL *easy = transfer->easy;
    CURLcode rc = CURLE_OK;

    if (http->head_line) {
        rc = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head_line);
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    }
    if (http->may_connect) {
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    return rc;
}

static size_t give_body(char *data, size_t size, size_t n, void *baton)
{
    transfer_t *transfer = baton;
    apr_size_t len = size * n;
    apr_status_t rv = apr_file_read(transfer->file, data, &len);

    if (rv == APR_EOF) {
        return 0;
    }
    return rv ? CURL_READFUNC_ABORT : len;
}

static size_t give_text(char *data, size_t size, size_t n, void *baton)
{
    transfer_t *transfer = baton;
    apr_size_t left = (apr_size_t)mnet_spool_length(transfer->http->body) - transfer->at;
    apr_size_t len = left < size * n ? left : size * n;

    memcpy(data, transfer->text + transfer->at, len);
    transfer->at += len;
    return len;
}

/* libcurl sends again from the start when a kept connection turns out to be dead. */
static int rewind_body(void *baton, curl_off_t offset, int origin)
{
    transfer_t *transfer = baton;
    apr_off_t at = offset;

    if (transfer->easy_begun && transfer->http->once) {
        return CURL_SEEKFUNC_FAIL;
    }
    if (transfer->text) {
        transfer->at = 0;
        return origin == SEEK_SET && !offset ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
    }

    if (origin != SEEK_SET || apr_file_seek(transfer->file, APR_SET, &at)) {
        return CURL_SEEKFUNC_FAIL;
    }
    return CURL_SEEKFUNC_OK;
}

/* host:port of a URL, IPv6 in brackets. */
static apr_status_t endpoint_address(const char *url, const char **scheme, const char **address,
                                     apr_pool_t *pool)
{
    CURLU *parts = curl_url();
    char *host = NULL, *port = NULL, *name = NULL;
    apr_status_t rv = MNET_E_INVALID;

    if (parts && !curl_url_set(parts, CURLUPART_URL, url, 0) &&
        !curl_url_get(parts, CURLUPART_SCHEME, &name, 0) &&
        !curl_url_get(parts, CURLUPART_HOST, &host, 0) &&
        !curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) {
        *scheme = apr_pstrdup(pool, name);
        *address = apr_pstrcat(pool, host, ":", port, NULL);
        rv = APR_SUCCESS;
    }
    curl_free(name);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return rv;
}

/* The wwwroot's URL says whom we mean (Host, SNI, the name in TLS); the endpoint only where the
 * connection goes and whether TLS is spoken on it. */
static apr_status_t address(transfer_t *transfer)
{
    mnet_http_t *http = transfer->http;
    const char *scheme, *where, *rest = strstr(http->url, "://");

    if (!rest) {
        http->problem = apr_psprintf(transfer->pool, "%s is no URL", http->url);
        return APR_EGENERAL;
    }
    transfer->url = http->url;
    if (http->endpoint) {
        if (endpoint_address(http->endpoint, &scheme, &where, transfer->pool)) {
            http->problem = apr_psprintf(transfer->pool,
                                         "the endpoint \"%s\" is no URL: MnetPeerEndpoint wants "
                                         "http://HOST:PORT or https://HOST:PORT",
                                         http->endpoint);
            return APR_EGENERAL;
        }
        transfer->url = apr_pstrcat(transfer->pool, scheme, rest, NULL);
        transfer->connect_to = apr_pstrcat(transfer->pool, "::", where, NULL);
    }
    transfer->tls = !strncasecmp(transfer->url, "https:", 6);
    return APR_SUCCESS;
}

static const char *idle_key(const transfer_t *transfer)
{
    const mnet_http_t *http = transfer->http;
    const char *path = strstr(transfer->url, "://");
    apr_size_t len;

    path = strchr(path + 3, '/');
    len = path ? (apr_size_t)(path - transfer->url) : strlen(transfer->url);
    return apr_pstrcat(transfer->pool, apr_pstrmemdup(transfer->pool, transfer->url, len), " ",
                       transfer->connect_to ? transfer->connect_to
                       : http->unix_socket  ? http->unix_socket
                                            : "",
                       " ", apr_itoa(transfer->pool, (int)http->tls), " ",
                       http->cafile ? http->cafile : "", NULL);
}

static apr_status_t add_header(transfer_t *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);

    if (!longer) {
        return APR_ENOMEM;
    }
    transfer->headers = longer;
    return APR_SUCCESS;
}

static apr_status_t set_headers(transfer_t *transfer)
{
    const mnet_http_t *http = transfer->http;
    const char *lines[5], *host = strstr(http->url, "://") + 3;
    int i, n = 0;

    lines[n++] = "Accept: text/xml, */*";
    lines[n++] = "Accept-Charset: UTF-8";
    lines[n++] = "Expect:";
    if (http->body) {
        lines[n++] = apr_pstrcat(transfer->pool, "Content-Type: ",
                                 http->content_type ? http->content_type : "text/xml", NULL);
    }
    if (transfer->url != http->url) {
        /* The scheme may have changed, which must not change the port in Host. */
        lines[n++] = apr_psprintf(transfer->pool, "Host: %.*s", (int)strcspn(host, "/"), host);
    }
    for (i = 0; i < n; i++) {
        if (add_header(transfer, lines[i])) {
            return APR_ENOMEM;
        }
    }
    for (i = 0; http->headers && i < http->headers->nelts; i++) {
        if (add_header(transfer, APR_ARRAY_IDX(http->headers, i, const char *))) {
            return APR_ENOMEM;
        }
    }
    if (transfer->connect_to) {
        transfer->connect = curl_slist_append(NULL, transfer->connect_to);
        if (!transfer->connect) {
            return APR_ENOMEM;
        }
    }
    return APR_SUCCESS;
}

static CURLcode set_body(transfer_t *transfer)
{
    mnet_spool_t *body = transfer->http->body;
    CURL *easy = transfer->easy;
    const char *text;
    CURLcode rc;

    if (!body) {
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    rc = curl_easy_setopt(easy, CURLOPT_POST, 1L);
    rc = rc ? rc
            : curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t)mnet_spool_length(body));
    text = mnet_spool_text(body);
    if (text && !transfer->http->once) {
        return rc ? rc : curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text);
    }
    /* What libcurl has to ask for, it cannot send again unless it is let: rewind_body. */
    transfer->text = text;
    transfer->file = mnet_spool_file(body);
    if (rewind_body(transfer, 0, SEEK_SET) != CURL_SEEKFUNC_OK) {
        return CURLE_READ_ERROR;
    }
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_READFUNCTION, text ? give_text : give_body);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_body);
    return rc ? rc : curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
}

static CURLcode set_tls(transfer_t *transfer)
{
    const mnet_http_t *http = transfer->http;
    CURL *easy = transfer->easy;
    long verify = http->tls != MNET_TLS_INSECURE;
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify);

    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    if (http->tls == MNET_TLS_CAFILE && http->cafile) {
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_CAINFO, http->cafile);
        /* That file alone: not the system's directory besides. */
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return rc;
}

/*
 * The longest that a whole exchange may take, in milliseconds: a peer that drips just fast enough
 * to count as progress must not hold a thread for hours.
 */
static long total_ms(const mnet_http_t *http, apr_int64_t timeout_ms)
{
    apr_int64_t total = 3 * timeout_ms + http->think / 1000;

    if (http->total > 0) {
        return (long)(http->total < 86400 * APR_USEC_PER_SEC ? http->total / 1000 + 1 : 86400000);
    }
    if (http->max_response > 0) {
        total += http->max_response / DRIP * 1000;
    }
    return (long)(total < 86400000 ? total : 86400000);
}

/* Seconds that a kept connection may have idled: a server that closes one just then would be sent
 * what may go out once only. */
#define ONCE_MAX_IDLE 2L

static CURLcode set_connection(transfer_t *transfer, apr_int64_t ms)
{
    const mnet_http_t *http = transfer->http;
    CURL *easy = transfer->easy;
    apr_int64_t connect =
        http->connect > 0 && http->connect / 1000 < ms ? http->connect / 1000 : ms;
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer->connect);

    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 2L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect ? connect : 1));
    if (http->unix_socket) {
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, http->unix_socket);
    }
    if (http->once) {
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, ONCE_MAX_IDLE);
    }
    return rc;
}

static CURLcode set_options(transfer_t *transfer)
{
    const mnet_http_t *http = transfer->http;
    CURL *easy = transfer->easy;
    apr_int64_t ms = apr_time_as_msec(http->timeout > 0 ? http->timeout : apr_time_from_sec(30));
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, transfer->url);

    ms = ms < 1 ? 1 : ms > 86400000 ? 86400000 : ms;
    rc = rc ? rc : mnet_curl_guard(easy);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    rc = rc ? rc : set_connection(transfer, ms);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, total_ms(http, ms));
    transfer->patience = ms * 1000;
    mnet_curl_stall_begin(&transfer->stall);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch_progress);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_response);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (http->max_response > 0) {
        rc = rc ? rc
                : curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)http->max_response);
    }
    rc = rc ? rc : set_watchers(transfer);
    rc = rc ? rc : set_tls(transfer);
    return rc ? rc : set_body(transfer);
}

static apr_status_t outcome(transfer_t *transfer, CURLcode rc)
{
    mnet_http_t *http = transfer->http;
    const char *type = NULL, *to = NULL;
    long out = 0, verdict = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http->status);
    http->sent = curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &out) || out > 0;
    if (!curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type) && type) {
        http->content_type_in = apr_pstrdup(transfer->pool, type);
    }
    if (!curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &to) && to) {
        http->redirect = mnet_for_log(to, strcspn(to, "?#"), 200, transfer->pool);
    }
    if (transfer->failed) {
        if (transfer->failed == MNET_E_LIMIT) {
            http->problem = "the answer is longer than allowed";
        }
        return transfer->failed;
    }
    if (rc == CURLE_OK) {
        http->verified = transfer->tls && http->tls != MNET_TLS_INSECURE;
        return APR_SUCCESS;
    }
    if (rc == CURLE_FILESIZE_EXCEEDED) {
        http->problem = "the answer is longer than allowed";
        return MNET_E_LIMIT;
    }
    if (transfer->left_off) {
        http->problem = "it was left off here";
        return APR_EINTR;
    }
    if (transfer->refused && rc == CURLE_COULDNT_CONNECT) {
        http->problem = "its name leads to an address that is not the peer's";
        return MNET_E_REFUSED;
    }
    if (is_stopped(transfer)) {
        http->problem = "this server is stopping";
        return APR_EGENERAL;
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
    http->problem = mnet_curl_problem(http, rc, verdict,
                                      transfer->error[0] ? transfer->error : curl_easy_strerror(rc),
                                      transfer->pool);
    http->timed_out = rc == CURLE_OPERATION_TIMEDOUT || rc == CURLE_ABORTED_BY_CALLBACK;
    return http->timed_out ? APR_TIMEUP : APR_EGENERAL;
}

/* No curl_global_cleanup: it is the process's, and others in it may be using libcurl. */
static apr_status_t create(void **self, const mnet_log_t *log, apr_pool_t *parent)
{
    curl_transport_t *transport = apr_pcalloc(parent, sizeof(*transport));

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return APR_EGENERAL;
    }
    *self = transport;
    return mnet_curl_pool_create(&transport->pool, parent);
}

static apr_status_t perform(void *self, mnet_http_t *http, apr_pool_t *pool)
{
    curl_transport_t *transport = self;
    transfer_t transfer = {.transport = transport, .http = http, .pool = pool};
    const char *key;
    CURLcode rc;
    apr_status_t rv;

    http->status = 0;
    http->verified = http->timed_out = http->sent = 0;
    http->problem = http->content_type_in = http->redirect = NULL;
    rv = address(&transfer);
    if (rv) {
        return rv;
    }
    key = idle_key(&transfer);
    transfer.easy = mnet_curl_take(transport->pool, key);
    if (!transfer.easy) {
        return APR_ENOMEM;
    }
    rv = set_headers(&transfer);
    if (!rv) {
        rc = set_options(&transfer);
        transfer.easy_begun = 1;
        rv = outcome(&transfer, rc ? rc : curl_easy_perform(transfer.easy));
    }
    if (rv && http->once) {
        /* From 8.7 on libcurl keeps it in mind that the body was to be sent again, and the next
         * request by this handle would fail for it. */
        curl_easy_cleanup(transfer.easy);
    } else {
        mnet_curl_give_back(transport->pool, key, transfer.easy);
    }
    curl_slist_free_all(transfer.headers);
    curl_slist_free_all(transfer.connect);
    return rv;
}

static void stop(void *self)
{
    curl_transport_t *transport = self;

    apr_atomic_set32(&transport->stopped, 1);
}

const mnet_transport_ops_t mnet_transport_curl = {create, perform, stop};
