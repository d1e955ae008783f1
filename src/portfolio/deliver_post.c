/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/deliver_int.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>
#include <curl/curl.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/curl_guard.h"

#define ANSWER_SHOWN 200          /* bytes of the application's answer that are told */
#define ANSWER_MOST  (256 * 1024) /* bytes of it that are waited for */
#define DRIP         (64 * 1024)  /* bytes a second that a long POST needs on average */
#define PATIENCE     apr_time_from_sec(30)

/* One POST under way. */
typedef struct {
    mnet_deliver_t *deliver;
    CURL *easy;
    curl_mime *mime;
    struct curl_slist *headers;
    const char *url, *socket; /* socket NULL: over the network */
    char error[CURL_ERROR_SIZE];
    apr_interval_time_t patience;
    mnet_curl_stall_t stall;
    int stopped;
    apr_size_t answer_len, answer_held;
    char answer[ANSWER_SHOWN];
} post_t;

static size_t take_answer(char *data, size_t size, size_t n, void *baton)
{
    post_t *post = baton;
    apr_size_t len = size * n, room = sizeof(post->answer) - post->answer_held;

    post->answer_len += len;
    if (post->answer_len > ANSWER_MOST) {
        return 0;
    }
    memcpy(post->answer + post->answer_held, data, len < room ? len : room);
    post->answer_held += len < room ? len : room;
    return len;
}

static int watch(void *baton, curl_off_t download_of, curl_off_t down, curl_off_t upload_of,
                 curl_off_t up)
{
    post_t *post = baton;
    const mnet_package_source_t *source = &post->deliver->source;

    if (source->stop && source->stop(source->stop_baton)) {
        post->stopped = 1;
        return 1;
    }
    return mnet_curl_stalled(&post->stall, down + up, post->patience);
}

/* --- what is sent --- */

static CURLcode add_field(post_t *post, const char *name, const char *value)
{
    curl_mimepart *part = curl_mime_addpart(post->mime);
    CURLcode rc = part ? curl_mime_name(part, name) : CURLE_OUT_OF_MEMORY;

    return rc ? rc : curl_mime_data(part, value ? value : "", CURL_ZERO_TERMINATED);
}

static CURLcode add_file(post_t *post, const char *name, const char *path, const char *filename,
                         const char *type)
{
    curl_mimepart *part = curl_mime_addpart(post->mime);
    CURLcode rc = part ? curl_mime_name(part, name) : CURLE_OUT_OF_MEMORY;

    rc = rc ? rc : curl_mime_filedata(part, path);
    rc = rc ? rc : curl_mime_type(part, type);
    return rc ? rc : curl_mime_filename(part, filename);
}

static int is_plain(const mnet_package_t *package)
{
    return package->files->nelts == 1 &&
           !strcmp(package->format, APR_ARRAY_IDX(package->files, 0, mnet_package_file_t).format);
}

static CURLcode add_package(post_t *post)
{
    const mnet_package_t *package = post->deliver->delivered->package;
    const mnet_package_file_t *file = &APR_ARRAY_IDX(package->files, 0, mnet_package_file_t);
    const char *slash;

    if (!is_plain(package)) {
        return add_file(post, "package", package->path, "package.zip", "application/zip");
    }
    slash = strrchr(file->path, '/');
    return add_file(post, "file",
                    apr_pstrcat(post->deliver->pool, package->folder, "/", file->path, NULL),
                    slash ? slash + 1 : file->path, file->type);
}

static CURLcode add_parts(post_t *post)
{
    const mnet_package_source_t *source = &post->deliver->source;
    const mnet_package_t *package = post->deliver->delivered->package;
    CURLcode rc;

    post->mime = curl_mime_init(post->easy);
    if (!post->mime) {
        return CURLE_OUT_OF_MEMORY;
    }
    rc = add_field(post, "peer", source->peer);
    rc = rc ? rc : add_field(post, "user", source->user);
    rc = rc ? rc : add_field(post, "id", source->id);
    rc = rc ? rc : add_field(post, "format", package->format);
    rc = rc ? rc : add_field(post, "title", package->title);
    rc = rc ? rc : add_file(post, "report", package->report, NULL, "application/json");
    return rc ? rc : add_package(post);
}

static CURLcode add_headers(post_t *post)
{
    const char *lines[2];
    int i;

    lines[0] = "Expect:";
    lines[1] = apr_pstrcat(post->deliver->pool, "Idempotency-Key: \"", post->deliver->source.id,
                           "\"", NULL);
    for (i = 0; i < 2; i++) {
        struct curl_slist *longer = curl_slist_append(post->headers, lines[i]);

        if (!longer) {
            return CURLE_OUT_OF_MEMORY;
        }
        post->headers = longer;
    }
    return CURLE_OK;
}

/* --- how --- */

/* The whole POST in milliseconds: an application that drips must not hold a thread for ever. */
static long longest(const post_t *post)
{
    apr_int64_t ms = apr_time_as_msec(post->patience) * 3 +
                     post->deliver->delivered->package->total / DRIP * 1000;

    return (long)(ms < 86400000 ? ms : 86400000);
}

static CURLcode set_options(post_t *post)
{
    CURL *easy = post->easy;
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, post->url);

    rc = rc ? rc : mnet_curl_guard(easy);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, post->socket);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_MIMEPOST, post->mime);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
    rc = rc ? rc
            : curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                               (long)apr_time_as_msec(post->patience));
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, longest(post));
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_XFERINFODATA, post);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->error);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    return rc ? rc : curl_easy_setopt(easy, CURLOPT_WRITEDATA, post);
}

/* "unix:PATH|URL", or a URL. */
static apr_status_t split_url(post_t *post)
{
    const char *to = post->deliver->delivered->route->to, *bar;

    post->url = to;
    if (strncasecmp(to, "unix:", 5)) {
        return APR_SUCCESS;
    }
    bar = strchr(to, '|');
    if (!bar) {
        return mnet_deliver_fail(post->deliver, MNET_E_INVALID,
                                 "the URL of its MnetPortfolioRoute has no \"|\" after the socket");
    }
    post->socket = apr_pstrmemdup(post->deliver->pool, to + 5, (apr_size_t)(bar - to - 5));
    post->url = bar + 1;
    return APR_SUCCESS;
}

/* --- what came back --- */

/* Statuses that another attempt may turn into a success. */
static int is_passing(long status)
{
    static const long passing[] = {401, 403, 404, 408, 409, 423, 425, 429};
    apr_size_t i;

    for (i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        if (status == passing[i]) {
            return 1;
        }
    }
    return status < 400 || status >= 500;
}

static apr_status_t judge(post_t *post, CURLcode rc)
{
    mnet_deliver_t *deliver = post->deliver;
    const char *text;
    long status = 0;

    if (post->stopped) {
        return mnet_deliver_fail(deliver, MNET_E_BUSY, "this server is stopping");
    }
    (void)curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
    /* A status that came is an answer, even if its body was too long or broke off. */
    if (rc && rc != CURLE_WRITE_ERROR && rc != CURLE_PARTIAL_FILE) {
        return mnet_deliver_fail(deliver, APR_ECONNREFUSED,
                                 "the application behind it did not answer (%s)",
                                 post->error[0] ? post->error : curl_easy_strerror(rc));
    }
    deliver->delivered->status = (int)status;
    if (status >= 200 && status < 300) {
        return APR_SUCCESS;
    }
    text = mnet_for_log(post->answer, post->answer_held, ANSWER_SHOWN, deliver->pool);
    return mnet_deliver_fail(deliver, is_passing(status) ? MNET_E_FAULT : MNET_E_REFUSED,
                             "the application behind it answered %ld%s%s%s", status,
                             *text ? " (" : "", text, *text ? ")" : "");
}

static apr_status_t run(post_t *post)
{
    CURLcode rc;

    post->easy = curl_easy_init();
    if (!post->easy) {
        return mnet_deliver_fail(post->deliver, APR_ENOMEM, "no memory");
    }
    rc = add_parts(post);
    rc = rc ? rc : add_headers(post);
    rc = rc ? rc : set_options(post);
    if (rc) {
        return mnet_deliver_fail(post->deliver, APR_EGENERAL, "the POST cannot be made (%s)",
                                 curl_easy_strerror(rc));
    }
    mnet_curl_stall_begin(&post->stall);
    return judge(post, curl_easy_perform(post->easy));
}

apr_status_t mnet_deliver_to_url(mnet_deliver_t *deliver)
{
    post_t *post = apr_pcalloc(deliver->pool, sizeof(*post));
    mnet_deliver_mark_t mark = {.is_url = 1};
    apr_status_t rv;

    post->deliver = deliver;
    post->patience = deliver->delivery->timeout > 0 ? deliver->delivery->timeout : PATIENCE;
    deliver->delivered->to = deliver->delivered->route->to;
    rv = split_url(post);
    if (rv == APR_SUCCESS) {
        rv = run(post);
    }
    curl_mime_free(post->mime);
    curl_slist_free_all(post->headers);
    if (post->easy) {
        curl_easy_cleanup(post->easy);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    mark.to = deliver->delivered->to;
    rv = mnet_deliver_mark(deliver->source.work, &mark, deliver->pool);
    if (rv != APR_SUCCESS) {
        /* The application has it: to say otherwise would send it again. */
        mnet_log(deliver->source.log, MNET_LOG_WARNING, rv, "MNET1050",
                 "that a package was posted to %s cannot be written to %s", mark.to,
                 deliver->source.work);
    }
    return APR_SUCCESS;
}
