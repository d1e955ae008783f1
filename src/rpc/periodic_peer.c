/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/client.h"
#include "rpc/client_keyswap.h"
#include "rpc/doubt.h"
#include "rpc/periodic.h"
#include "rpc/periodic_private.h"
#include "trust/policy.h"

#define METHODS_MAX 500 /* paths learnt of one service */

static int has_name(const apr_array_header_t *names, const char *name)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(names, i, const char *), name)) {
            return 1;
        }
    }
    return 0;
}

/* The lines "service path" of one service in what was learnt, or "". */
static const char *lines_of(const char *methods, const char *service, apr_pool_t *pool)
{
    const char *prefix = apr_pstrcat(pool, service, " ", NULL), *lines = "";

    while (methods && *methods) {
        apr_size_t len = strcspn(methods, "\n");

        if (!strncmp(methods, prefix, strlen(prefix))) {
            lines = apr_pstrcat(pool, lines, apr_pstrmemdup(pool, methods, len), "\n", NULL);
        }
        methods += methods[len] ? len + 1 : len;
    }
    return lines;
}

/* The subscribed services that only the peer can tell us about: const char *. */
static apr_array_header_t *foreign_services(mnet_host_t *host, const mnet_peer_t *peer,
                                            apr_pool_t *pool)
{
    const apr_array_header_t *subscribed = peer->facts->subscribe;
    apr_array_header_t *foreign = apr_array_make(pool, 4, sizeof(const char *));
    apr_array_header_t *known;
    int i;

    if (!subscribed || !subscribed->nelts) {
        return foreign;
    }
    known = mnet_registry_services(host->engine->registry, host->site->wwwroot, pool);
    for (i = 0; i < subscribed->nelts; i++) {
        const mnet_subscription_t *one = &APR_ARRAY_IDX(subscribed, i, mnet_subscription_t);

        if (!one->patterns && !has_name(known, one->service)) {
            APR_ARRAY_PUSH(foreign, const char *) = one->service;
        }
    }
    return foreign;
}

int mnet_periodic_unlearnt(mnet_host_t *host, const mnet_peer_t *peer, apr_pool_t *pool)
{
    apr_array_header_t *foreign = foreign_services(host, peer, pool);
    int i;

    for (i = 0; i < foreign->nelts; i++) {
        if (!*lines_of(peer->state->methods, APR_ARRAY_IDX(foreign, i, const char *), pool)) {
            return 1;
        }
    }
    return 0;
}

/* Moodle answers with an array of paths, Mahara with a struct by path (protocol 5.1). */
static const char *read_methods(const mnet_value_t *value, const char *service, apr_pool_t *pool)
{
    const char *lines = "";
    int i, n = mnet_count(value);

    for (i = 0; i < n && i < METHODS_MAX; i++) {
        const char *path = mnet_item_name(value, i);

        if (!path || !strchr(path, '/')) {
            path = mnet_as_text(mnet_item(value, i), pool);
        }
        if (mnet_method_name_ok(path) && strncmp(path, "system", 6)) {
            lines = apr_pstrcat(pool, lines, service, " ", path, "\n", NULL);
        }
    }
    return lines;
}

typedef struct lesson_t {
    const char *methods;
    apr_time_t reached;
} lesson_t;

static apr_status_t keep_lesson(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    const lesson_t *lesson = baton;

    if (lesson->methods) {
        state->methods = lesson->methods;
    }
    state->reached = lesson->reached > state->reached ? lesson->reached : state->reached;
    return APR_SUCCESS;
}

static mnet_reply_t *ask(mnet_host_t *host, const char *wwwroot, const char *method,
                         const char *parameter, apr_pool_t *pool)
{
    apr_array_header_t *params = apr_array_make(pool, 1, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {
        .host = host, .peer = wwwroot, .method = method, .params = params, .even_if_down = 1};
    mnet_reply_t *reply;

    if (parameter) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(parameter, pool);
    }
    mnet_client_call(&call, &reply, pool);
    return reply;
}

/* What it has of each foreign service; where it does not tell, what it told before stays. */
static void learn(mnet_host_t *host, const mnet_peer_t *peer, apr_time_t now, apr_pool_t *pool)
{
    apr_array_header_t *foreign = foreign_services(host, peer, pool);
    const char *before = peer->state->methods ? peer->state->methods : "", *methods = "";
    lesson_t lesson = {NULL, now};
    char text[128];
    apr_status_t rv;
    int i;

    for (i = 0; i < foreign->nelts; i++) {
        const char *service = APR_ARRAY_IDX(foreign, i, const char *), *lines = "";
        mnet_reply_t *reply = ask(host, peer->facts->wwwroot, "system/listMethods", service, pool);

        if (reply->kind == MNET_CALL_OK) {
            lines = read_methods(reply->value, service, pool);
        }
        methods =
            apr_pstrcat(pool, methods, *lines ? lines : lines_of(before, service, pool), NULL);
    }
    if (strcmp(methods, before)) {
        lesson.methods = methods;
    }
    rv = mnet_peers_change(host->peers, peer->facts->wwwroot, keep_lesson, &lesson, pool);
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_WARNING, rv, "MNET0456",
                 "%s: what %s answered could not be kept (%s)", host->site->wwwroot,
                 peer->facts->wwwroot, mnet_strerror(rv, text, sizeof(text)));
    }
}

/* Puts the certificate that the site gives out before an administrator. */
static void fetch_certificate(mnet_host_t *host, const mnet_peer_t *peer, const char *reason,
                              apr_pool_t *pool)
{
    const mnet_log_t *log = host->engine->log;
    const char *wwwroot = peer->facts->wwwroot, *why = "", *mismatch = NULL;
    mnet_certificate_t *certificate = NULL;
    mnet_keyswap_t keyswap;
    mnet_reply_t *reply;
    apr_status_t rv;

    mnet_client_keyswap(host, peer->facts, &keyswap, &reply, pool);
    if (!keyswap.pem) {
        mnet_log(log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0457",
                 "%s: %s did not give its certificate, it is asked again in an hour: %s",
                 host->site->wwwroot, wwwroot, reply->message);
        return;
    }
    rv = mnet_certificate_read(host->engine->crypto, keyswap.pem, &certificate, &why, pool);
    if (!rv) {
        mismatch = mnet_certificate_mismatch(certificate, wwwroot, pool);
    }
    if (rv || mismatch) {
        mnet_log(log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0458",
                 "%s: %s gave a certificate that is not its own: %s", host->site->wwwroot, wwwroot,
                 mismatch ? mismatch : why);
        return;
    }
    if ((peer->certificate && !strcmp(peer->certificate->sha256, certificate->sha256)) ||
        (peer->state->pending && !strcmp(peer->state->pending, certificate->pem))) {
        return;
    }
    rv = mnet_peers_offer(host->peers, wwwroot, certificate->pem, reason, pool);
    mnet_log(log, MNET_LOG_WARNING, rv, "MNET0459",
             "%s: %s gave a certificate (%s; %s): SHA-256 %s, SHA-1 %s; compare with what the site "
             "itself shows, then run `mnetctl peers confirm %s`",
             host->site->wwwroot, wwwroot, reason,
             keyswap.verified ? "over verified TLS" : "over a channel anybody could have changed",
             certificate->sha256, certificate->sha1, wwwroot);
}

void mnet_periodic_peer(mnet_host_t *host, const char *wwwroot, apr_time_t now, apr_pool_t *parent)
{
    const mnet_peer_t *peer;
    mnet_reply_t *reply;
    apr_pool_t *pool;

    if (apr_pool_create(&pool, parent)) {
        return;
    }
    if (mnet_host_look(host, wwwroot, &peer, NULL, pool)) {
        apr_pool_destroy(pool);
        return;
    }
    if (!peer->certificate) {
        fetch_certificate(host, peer, "the first one of this peer", pool);
        apr_pool_destroy(pool);
        return;
    }
    reply = ask(host, wwwroot, "system/listServices", NULL, pool);
    if (reply->kind == MNET_CALL_OK) {
        learn(host, peer, now, pool);
    } else {
        mnet_log(host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0460",
                 "%s: the peer %s was called to see whether it still knows us, without success: %s",
                 host->site->wwwroot, wwwroot, reply->message);
        /* It may have rotated past what it can open (protocol 11, 3 and 26), or have a new key of
         * which it told nobody. */
        if (reply->kind != MNET_CALL_TRANSPORT && peer->certificate->not_after < now) {
            fetch_certificate(host, peer, "the one we have has expired and calls fail", pool);
        } else if (mnet_doubted(host, wwwroot, now)) {
            fetch_certificate(host, peer, MNET_DOUBT_WHY, pool);
        }
    }
    apr_pool_destroy(pool);
}
