/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind "get": the package lies at a location of the peer's, which is asked for it by a plain
 * GET that carries the id of the intent.  A connection that broke is taken up where it broke, if
 * the peer says that it is still the same thing (ETag), or its SHA-1 was told before.
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/arrival.h"
#include "portfolio/location.h"

#define AGAIN_MAX 20  /* connections to one attempt, as long as each brings something */
#define TAG_MAX   200 /* bytes of an ETag that is kept */

/* One GET. */
typedef struct get_t {
    mnet_receipt_t *receipt;
    mnet_queue_run_t *run;
    const mnet_peer_t *peer;
    const char *url;
    apr_off_t from;  /* asked for from here on */
    apr_off_t whole; /* of the package, as the answer says; -1: it does not */
    int status;
    apr_off_t begins;  /* Content-Range's; -1: none */
    const char *tag;   /* a strong ETag, or NULL */
    const char *coded; /* Content-Encoding, if it is any */
    int begun;         /* the file is open for it */
    int restarted;     /* this attempt began anew once */
    apr_pool_t *pool;
} get_t;

/* --- the question --- */

static int has_id(const char *location)
{
    const char *query = strchr(location, '?');

    return query && (!strncmp(query, "?id=", 4) || strstr(query, "&id="));
}

static const char *url_of(const mnet_arrival_t *arrival, apr_pool_t *pool)
{
    const char *location = arrival->location;

    if (has_id(location)) {
        return location;
    }
    return apr_pstrcat(pool, location, strchr(location, '?') ? "&id=" : "?id=", arrival->token,
                       NULL);
}

static const char *tag_path(const mnet_receipt_t *receipt, apr_pool_t *pool)
{
    return apr_pstrcat(pool, receipt->work, "/etag", NULL);
}

/* What part is a part of, or NULL. */
static const char *kept_tag(const mnet_receipt_t *receipt, apr_pool_t *pool)
{
    char text[TAG_MAX + 1];
    apr_size_t len = 0;
    apr_file_t *file;

    if (apr_file_open(&file, tag_path(receipt, pool), APR_FOPEN_READ, 0, pool)) {
        return NULL;
    }
    (void)apr_file_read_full(file, text, TAG_MAX, &len);
    (void)apr_file_close(file);
    return len ? apr_pstrmemdup(pool, text, len) : NULL;
}

static void keep_tag(const get_t *get)
{
    const char *path = tag_path(get->receipt, get->pool);
    apr_file_t *file;

    (void)apr_file_remove(path, get->pool);
    if (get->tag &&
        !apr_file_open(&file, path, APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE,
                       APR_FPROT_UREAD | APR_FPROT_UWRITE, get->pool)) {
        (void)apr_file_write_full(file, get->tag, strlen(get->tag), NULL);
        (void)apr_file_close(file);
    }
}

static apr_array_header_t *headers_of(get_t *get)
{
    mnet_receipt_t *receipt = get->receipt;
    apr_array_header_t *headers = apr_array_make(get->pool, 2, sizeof(const char *));
    const char *tag = kept_tag(receipt, get->pool);
    apr_finfo_t info;

    get->from = 0;
    if ((tag || receipt->arrival->sha1) &&
        !apr_stat(&info, receipt->part, APR_FINFO_SIZE, get->pool) && info.size > 0) {
        get->from = info.size;
        APR_ARRAY_PUSH(headers, const char *) =
            apr_psprintf(get->pool, "Range: bytes=%" APR_OFF_T_FMT "-", get->from);
        if (tag) {
            APR_ARRAY_PUSH(headers, const char *) = apr_pstrcat(get->pool, "If-Range: ", tag, NULL);
        }
    }
    return headers;
}

static int may_connect(void *baton, const struct sockaddr *address)
{
    get_t *get = baton;

    return mnet_location_may_connect(get->peer->facts, get->receipt->arrival->caller, address,
                                     get->pool);
}

/* --- the answer --- */

/* "Name: value" of that name: its value in pool, or NULL. */
static const char *value_of(const char *line, apr_size_t len, const char *name, apr_pool_t *pool)
{
    apr_size_t n = strlen(name);

    if (len <= n || strncasecmp(line, name, n) || line[n] != ':') {
        return NULL;
    }
    line += n + 1;
    len -= n + 1;
    while (len && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    while (len && apr_isspace(line[len - 1])) {
        len--;
    }
    return apr_pstrmemdup(pool, line, len);
}

/* "bytes 5-9/10" */
static void read_range(get_t *get, const char *text)
{
    const char *slash = strchr(text, '/');

    if (strncasecmp(text, "bytes ", 6) || !slash) {
        return;
    }
    if (text[6] != '*') {
        get->begins = apr_atoi64(text + 6);
    }
    get->whole = slash[1] != '*' ? apr_atoi64(slash + 1) : -1;
}

/* Three digits. */
static int status_of(const char *text)
{
    int status = 0;

    for (int i = 0; i < 3; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }
        status = status * 10 + (text[i] - '0');
    }
    return status;
}

static void head_line(void *baton, const char *line, apr_size_t len)
{
    get_t *get = baton;
    const char *value;

    if (len > 9 && !strncmp(line, "HTTP/", 5)) {
        const char *space = memchr(line, ' ', len);

        get->status = space && (apr_size_t)(line + len - space) > 3 ? status_of(space + 1) : 0;
        get->begins = get->whole = -1;
        get->tag = get->coded = NULL;
        return;
    }
    if ((value = value_of(line, len, "ETag", get->pool)) != NULL) {
        get->tag = value[0] == '"' && strlen(value) <= TAG_MAX ? value : NULL;
    } else if ((value = value_of(line, len, "Content-Encoding", get->pool)) != NULL) {
        get->coded = *value && strcasecmp(value, "identity") ? value : NULL;
    } else if ((value = value_of(line, len, "Content-Range", get->pool)) != NULL) {
        read_range(get, value);
    } else if (get->status == 200 &&
               (value = value_of(line, len, "Content-Length", get->pool)) != NULL) {
        get->whole = apr_atoi64(value);
    }
}

/* The body: only of an answer that is the package, or the part of it that was asked for. */
static apr_status_t take(void *baton, const char *data, apr_size_t len)
{
    get_t *get = baton;
    apr_status_t rv = APR_SUCCESS;
    int onward = get->status == 206 && get->from > 0 && get->begins == get->from;

    if (get->status != 200 && !onward) {
        return get->status == 206 ? MNET_E_PEER : APR_SUCCESS;
    }
    if (get->coded) {
        return MNET_E_FAULT; /* it was not asked for: its bytes are not the package's */
    }
    if (!get->begun) {
        if (!onward) {
            keep_tag(get);
        }
        rv = mnet_receipt_begin(get->receipt, onward);
        get->begun = !rv;
    }
    return rv ? rv : mnet_receipt_write(get->receipt, data, len);
}

static int watch(void *baton, apr_off_t done, apr_off_t total)
{
    get_t *get = baton;

    return mnet_queue_progress(get->run, get->begun ? get->receipt->length : get->from,
                               get->whole > 0 ? get->whole : 0) != APR_SUCCESS;
}

/* --- one connection --- */

static apr_status_t perform(get_t *get, mnet_http_t *http)
{
    const mnet_engine_t *engine = get->run->host->engine;
    const mnet_peer_facts_t *facts = get->peer->facts;
    const mnet_site_t *site = get->run->host->site;
    mnet_sink_t sink = {take, get};
    apr_status_t rv;

    get->begun = get->status = 0;
    get->begins = get->whole = -1;
    get->tag = get->coded = NULL;
    *http = (mnet_http_t){.url = get->url,
                          .endpoint = facts->endpoint,
                          .tls = facts->tls >= 0 ? (mnet_tls_e)facts->tls : MNET_TLS_VERIFY,
                          .cafile = facts->cafile,
                          .timeout = site->timeout,
                          .headers = headers_of(get),
                          .response = &sink,
                          .max_response = get->receipt->max + 1,
                          .progress = watch,
                          .progress_baton = get,
                          .may_connect = may_connect,
                          .may_connect_baton = get,
                          .head_line = head_line,
                          .head_line_baton = get};
    rv = engine->transport->ops->perform(engine->transport->self, http, get->pool);
    if (get->receipt->file && rv) {
        (void)apr_file_close(get->receipt->file);
        get->receipt->file = NULL;
    }
    return rv;
}

static mnet_queue_outcome_e wrong_status(get_t *get)
{
    mnet_queue_run_t *run = get->run;

    run->reason =
        get->status >= 300 && get->status < 400
            ? "the location answered with a redirect, which is not followed"
            : apr_psprintf(run->pool, "the location answered with HTTP status %d", get->status);
    /* Gone for good, or nothing that a later try would mend. */
    return get->status == 404 || get->status == 410 || get->status == 403 ? MNET_QUEUE_WRONG
                                                                          : MNET_QUEUE_RETRY;
}

/* What one connection came to; *onward: another may bring more. */
static mnet_queue_outcome_e judge(get_t *get, const mnet_http_t *http, apr_status_t rv, int *onward)
{
    mnet_queue_run_t *run = get->run;
    mnet_receipt_t *receipt = get->receipt;

    *onward = 0;
    if (rv == MNET_E_LIMIT) {
        return mnet_receipt_wrong(receipt, "the package is larger than announced or allowed");
    }
    if (rv == MNET_E_REFUSED) {
        run->reason = apr_psprintf(run->pool, "%s: set MnetPeerEndpoint if it is", http->problem);
        return MNET_QUEUE_WRONG;
    }
    if (rv == MNET_E_FAULT) {
        return mnet_receipt_wrong(
            receipt, apr_psprintf(run->pool, "the location gives it in the Content-Encoding %s",
                                  mnet_for_log(get->coded, strlen(get->coded), 40, run->pool)));
    }
    if (rv == MNET_E_PEER || (!rv && get->status == 416)) {
        *onward = !get->restarted; /* from the start then */
        get->restarted = 1;
        (void)apr_file_remove(receipt->part, get->pool);
        (void)apr_file_remove(tag_path(receipt, get->pool), get->pool);
        run->reason = "the location gives another part than was asked for";
        return MNET_QUEUE_RETRY;
    }
    if (rv) {
        *onward = get->begun && receipt->length > get->from && rv != APR_EINTR;
        if (!receipt->arrival->sha1 && !kept_tag(receipt, get->pool)) {
            /* It cannot be taken up where it broke: from the start, but not for ever. */
            *onward = *onward && !get->restarted;
            get->restarted = 1;
        }
        run->reason = apr_psprintf(run->pool, "it could not be got: %s",
                                   http->problem ? http->problem : "the package cannot be written");
        return MNET_QUEUE_RETRY;
    }
    if (get->status != 200 && get->status != 206) {
        return wrong_status(get);
    }
    if (!get->begun && mnet_receipt_begin(receipt, 0)) { /* an empty one */
        run->reason = "no file can be made in MnetPortfolioDir";
        return MNET_QUEUE_RETRY;
    }
    return mnet_receipt_end(receipt);
}

static mnet_queue_outcome_e receive(mnet_receipt_t *receipt)
{
    mnet_queue_run_t *run = receipt->run;
    get_t get = {.receipt = receipt, .run = run};
    mnet_queue_outcome_e outcome = MNET_QUEUE_RETRY;
    mnet_http_t http;
    int onward = 1;
    apr_status_t rv = apr_pool_create(&get.pool, run->pool);

    rv = rv ? rv : mnet_host_look(run->host, run->item->peer, &get.peer, NULL, run->pool);
    if (rv) {
        run->reason =
            apr_psprintf(run->pool, "%s is no active peer of ours any more", run->item->peer);
        return MNET_QUEUE_RETRY;
    }
    /* Asked again: the peer's wwwroot may be another peer's section by now. */
    run->reason =
        mnet_location_problem(get.peer->facts->wwwroot, receipt->arrival->location, run->pool);
    if (run->reason) {
        return MNET_QUEUE_PARK;
    }
    get.url = url_of(receipt->arrival, run->pool);
    for (int i = 0; i < AGAIN_MAX && onward && !mnet_queue_stopping(run); i++) {
        apr_pool_clear(get.pool);
        rv = perform(&get, &http);
        outcome = judge(&get, &http, rv, &onward);
    }
    return outcome;
}

static mnet_queue_outcome_e work(mnet_queue_run_t *run)
{
    mnet_receipt_t receipt;
    int here;
    mnet_queue_outcome_e outcome = mnet_receipt_open(&receipt, run, &here);

    if (outcome == MNET_QUEUE_DONE && !receipt.arrival->location) {
        run->reason = "its record is damaged";
        return MNET_QUEUE_PARK;
    }
    if (outcome == MNET_QUEUE_DONE && !here) {
        outcome = receive(&receipt);
    }
    return outcome == MNET_QUEUE_DONE ? mnet_arrival_finish(&receipt) : outcome;
}

const mnet_queue_kind_t mnet_get_kind = {"get", work, mnet_arrival_dropped};
