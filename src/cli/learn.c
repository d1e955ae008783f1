/* SPDX-License-Identifier: Apache-2.0 */

/* The methods of a peer's services, as the peer lists them. */
#include "cli/cli.h"

#include <string.h>

#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"

#define METHODS_MAX 10000 /* of one service */

typedef struct learning_t {
    cli_t *cli;
    mnet_host_t *host;
    const char *peer;
    apr_array_header_t *services; /* const char *: those that were answered */
    const char *methods;          /* "service path\n..." */
} learning_t;

/* Moodle answers a list of paths, Mahara a struct whose names are the paths. */
static int take_methods(learning_t *learning, const char *service, const mnet_value_t *answer)
{
    apr_array_header_t *pieces = apr_array_make(learning->cli->pool, 32, sizeof(const char *));
    int i, count = mnet_count(answer), taken = 0;

    for (i = 0; i < count && i < METHODS_MAX; i++) {
        const char *path = mnet_item_name(answer, i);

        if (path == NULL) {
            path = mnet_as_text(mnet_item(answer, i), learning->cli->pool);
        }
        if (path != NULL && mnet_method_name_ok(path)) {
            APR_ARRAY_PUSH(pieces, const char *) =
                apr_pstrcat(learning->cli->pool, service, " ", path, "\n", NULL);
            taken++;
        }
    }
    learning->methods = apr_pstrcat(learning->cli->pool, learning->methods,
                                    apr_array_pstrcat(learning->cli->pool, pieces, '\0'), NULL);
    APR_ARRAY_PUSH(learning->services, const char *) = service;
    return taken;
}

/* 0: the peer did not answer; no use asking on. */
static int ask(learning_t *learning, const char *service)
{
    cli_t *cli = learning->cli;
    apr_array_header_t *params = apr_array_make(cli->pool, 1, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {.host = learning->host,
                            .peer = learning->peer,
                            .method = "system/listMethods",
                            .params = params,
                            .even_if_down = 1};
    mnet_reply_t *reply;

    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(service, cli->pool);
    mnet_client_call(&call, &reply, cli->pool);
    if (reply->kind == MNET_CALL_OK) {
        if (take_methods(learning, service, reply->value) == 0) {
            cli_warn(cli, "%s lists no methods of %s: it does not publish it to us", learning->peer,
                     service);
        }
        return 1;
    }
    cli_warn(cli,
             "the methods of %s are not known yet: %s; `mnetctl peers verify %s` asks again "
             "once the peer knows us",
             service, reply->message, learning->peer);
    return 0;
}

static int answered(const learning_t *learning, const char *line, apr_size_t len)
{
    int i;

    for (i = 0; i < learning->services->nelts; i++) {
        const char *service = APR_ARRAY_IDX(learning->services, i, const char *);
        apr_size_t n = strlen(service);

        if (len > n && strncmp(line, service, n) == 0 && line[n] == ' ') {
            return 1;
        }
    }
    return 0;
}

/* A mnet_peer_change_fn: what was learnt before of other services stays. */
static apr_status_t keep(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    learning_t *learning = baton;
    const char *line = state->methods, *methods = learning->methods, *end;

    for (; line != NULL && *line != '\0'; line = end) {
        end = strchr(line, '\n');
        end = end != NULL ? end + 1 : line + strlen(line);
        if (!answered(learning, line, (apr_size_t)(end - line))) {
            methods = apr_pstrcat(pool, methods,
                                  apr_pstrmemdup(pool, line, (apr_size_t)(end - line)), NULL);
        }
    }
    state->methods = methods;
    return APR_SUCCESS;
}

void cli_learn(cli_t *cli, mnet_host_t *host, const mnet_peer_t *peer)
{
    const apr_array_header_t *subscribe = peer->facts->subscribe;
    learning_t learning = {.cli = cli,
                           .host = host,
                           .peer = peer->facts->wwwroot,
                           .services = apr_array_make(cli->pool, 4, sizeof(const char *)),
                           .methods = ""};
    apr_status_t rv;
    char why[200];
    int i;

    for (i = 0; subscribe != NULL && i < subscribe->nelts; i++) {
        const mnet_subscription_t *one = &APR_ARRAY_IDX(subscribe, i, mnet_subscription_t);

        if (one->patterns == NULL && !ask(&learning, one->service)) {
            break;
        }
    }
    if (learning.services->nelts == 0) {
        return;
    }
    rv = mnet_peers_change(host->peers, learning.peer, keep, &learning, cli->pool);
    if (rv != APR_SUCCESS) {
        cli_warn(cli, "the methods of %s could not be kept: %s", learning.peer,
                 mnet_strerror(rv, why, sizeof(why)));
    }
}
