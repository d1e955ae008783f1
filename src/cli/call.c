/* SPDX-License-Identifier: Apache-2.0 */

/* Calling a peer: call, ping. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "rpc/fault.h"
#include "trust/policy.h"
#include "wire/json.h"

/* --- call --- */

/* JSON if it is JSON, else a text. */
static mnet_value_t *argument(const cli_t *cli, const char *text)
{
    mnet_value_t *value;
    const char *why;

    if (cli_option(cli, "--string") == NULL &&
        mnet_value_from_json(text, strlen(text), &value, &why, cli->pool) == APR_SUCCESS) {
        return value;
    }
    return mnet_string(text, cli->pool);
}

/* What to do about a fault that says something of the two sites, not of the call. */
static const char *mend_of_fault(const cli_t *cli, const mnet_host_t *host,
                                 const mnet_reply_t *reply)
{
    const char *us = host->site->wwwroot;

    switch (reply->code) {
    case MNET_FAULT_UNKNOWN_PEER:
    case 6003: /* Mahara's */
        return apr_psprintf(cli->pool, "that site does not know us: %s must be added there", us);
    case MNET_FAULT_BAD_SIGNATURE:
    case 6004:
        return apr_psprintf(cli->pool,
                            "that site has another certificate of %s: its administrator must fetch "
                            "it again (`mnetctl keys show` says what to compare)",
                            us);
    case MNET_FAULT_NOT_OPENED:
        return "that site could not open the message: its PHP lacks RC4 (OpenSSL's legacy "
               "provider), or it has a key that we do not know (`mnetctl peers verify`)";
    case 704:
        return "networking is switched off at that site";
    default:
        return NULL;
    }
}

static int failed(const cli_t *cli, const mnet_host_t *host, const mnet_reply_t *reply)
{
    const char *mend = reply->kind == MNET_CALL_FAULT ? mend_of_fault(cli, host, reply) : NULL;

    cli_fail_reply(cli, reply);
    if (mend != NULL) {
        cli_warn(cli, "%s", mend);
    }
    return CLI_FAILED;
}

static int call(cli_t *cli)
{
    apr_array_header_t *params = apr_array_make(cli->pool, 8, sizeof(mnet_value_t *));
    mnet_outgoing_t outgoing = {.params = params, .even_if_down = 1};
    const mnet_peer_t *peer;
    mnet_reply_t *reply;
    mnet_host_t *host;
    int i, rv = cli_site(cli, &host);

    if (rv == CLI_OK) {
        rv = cli_peer(cli, host, 0, &peer);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    for (i = 2; i < cli->args->nelts; i++) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = argument(cli, cli_arg(cli, i));
    }
    outgoing.host = host;
    outgoing.peer = peer->facts->wwwroot;
    outgoing.method = cli_arg(cli, 1);
    mnet_client_call(&outgoing, &reply, cli->pool);
    if (reply->kind != MNET_CALL_OK) {
        return failed(cli, host, reply);
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        mnet_set(answer, "result", reply->value);
        return cli_document(cli, answer);
    }
    return cli_value(cli, reply->value);
}

/* --- ping --- */

typedef struct services_t {
    apr_array_header_t *published;  /* const char *: they let us call */
    apr_array_header_t *subscribed; /* they call here */
} services_t;

static services_t read_services(const cli_t *cli, const mnet_value_t *answer)
{
    services_t services = {apr_array_make(cli->pool, 8, sizeof(const char *)),
                           apr_array_make(cli->pool, 8, sizeof(const char *))};
    int i;

    for (i = 0; i < mnet_count(answer); i++) {
        const mnet_value_t *item = mnet_item(answer, i);
        const char *name = mnet_as_text(mnet_get(item, "name"), cli->pool);

        if (name == NULL) {
            continue;
        }
        if (mnet_as_truth(mnet_get(item, "publish"))) {
            APR_ARRAY_PUSH(services.published, const char *) = name;
        }
        if (mnet_as_truth(mnet_get(item, "subscribe"))) {
            APR_ARRAY_PUSH(services.subscribed, const char *) = name;
        }
    }
    return services;
}

static int has(const apr_array_header_t *names, const char *name)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(names, i, const char *), name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Where one side asks for what the other does not give.  Mahara has names of its own for services
 * and no such lists (protocol 5.1), so that nothing can be said of it. */
static void say_gaps(const cli_t *cli, const mnet_peer_t *peer, const services_t *theirs)
{
    const apr_array_header_t *subscribe = peer->facts->subscribe;
    const char *name;
    int i;

    if (peer->application == NULL || strcmp(peer->application->name, "mahara") == 0) {
        return;
    }
    for (i = 0; subscribe != NULL && i < subscribe->nelts; i++) {
        name = APR_ARRAY_IDX(subscribe, i, mnet_subscription_t).service;
        if (!has(theirs->published, name)) {
            cli_say(cli,
                    "  we subscribe to %s, but they do not publish it to us: it must be "
                    "published there",
                    name);
        }
    }
    for (i = 0; i < theirs->subscribed->nelts; i++) {
        name = APR_ARRAY_IDX(theirs->subscribed, i, const char *);
        if (!mnet_policy_publishes(peer, name)) {
            cli_say(cli,
                    "  they subscribe to %s, which we do not publish to them: `mnetctl peers "
                    "publish %s +%s`, if it should be so",
                    cli_clean(cli, name), peer->facts->wwwroot, cli_clean(cli, name));
        }
    }
}

static void say_services(const cli_t *cli, const mnet_peer_t *peer, const mnet_value_t *answer)
{
    services_t theirs = read_services(cli, answer);
    cli_table_t *table = cli_table(cli, 2);

    cli_row(table, "they let us call:", cli_join(cli, theirs.published));
    cli_row(table, "they call here:", cli_join(cli, theirs.subscribed));
    cli_row(table, "we let them call:", cli_join(cli, peer->facts->publish));
    cli_row(table, "we call there:", cli_join(cli, cli_subscriptions(cli, peer->facts->subscribe)));
    cli_table_print(cli, table, 2);
    say_gaps(cli, peer, &theirs);
}

static int ping(cli_t *cli)
{
    mnet_outgoing_t outgoing = {.method = "system/listServices", .even_if_down = 1};
    const mnet_peer_t *peer;
    mnet_reply_t *reply;
    mnet_host_t *host;
    apr_time_t start;
    apr_interval_time_t took;
    int rv = cli_site(cli, &host);

    if (rv == CLI_OK) {
        rv = cli_peer(cli, host, 0, &peer);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    outgoing.host = host;
    outgoing.peer = peer->facts->wwwroot;
    outgoing.params = apr_array_make(cli->pool, 1, sizeof(mnet_value_t *));
    start = apr_time_now();
    mnet_client_call(&outgoing, &reply, cli->pool);
    took = apr_time_now() - start;
    if (reply->kind != MNET_CALL_OK) {
        return failed(cli, host, reply);
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        mnet_set(answer, "peer", mnet_string(outgoing.peer, cli->pool));
        mnet_set(answer, "seconds", mnet_double((double)took / APR_USEC_PER_SEC, cli->pool));
        mnet_set(answer, "services", reply->value);
        mnet_set(answer, "publish", cli_texts_value(cli, peer->facts->publish));
        mnet_set(answer, "subscribe",
                 cli_texts_value(cli, cli_subscriptions(cli, peer->facts->subscribe)));
        return cli_document(cli, answer);
    }
    cli_say(cli, "%s answered in %.1f ms", outgoing.peer, (double)took / 1000);
    say_services(cli, peer, reply->value);
    return CLI_OK;
}

static const cli_option_t call_options[] = {{"--string", NULL}, {NULL, NULL}};

const cli_command_t cli_call_commands[] = {
    {.group = "call",
     .run = call,
     .least = 2,
     .most = -1,
     .options = call_options,
     .usage = "PEER METHOD [ARG...]",
     .summary = "Call a method at a peer and print what it answers.",
     .help = "An ARG that is JSON (a number, true, false, null, an array, an object, a text in\n"
             "double quotes) is sent as that; anything else is sent as text.  --string sends\n"
             "every ARG as text.  What begins with \"-\" and is no number goes behind \"--\".\n"
             "A text that a peer sends over 64 KiB is streamed, whatever its size up to\n"
             "MnetMaxBody.\n\n"
             "With --json: {\"result\": ...}, or {\"error\": {\"kind\": \"fault\", \"code\": N,\n"
             "\"message\": TEXT}}; kind is fault, policy, trust or transport.\n\n"
             "Example: mnetctl call https://moodle.example.org system/listMethods sso_idp"},
    {.group = "ping",
     .run = ping,
     .least = 1,
     .most = 1,
     .usage = "PEER",
     .summary = "Is a peer well, and what does either side let the other do?",
     .help = "Calls system/listServices, signed and sealed, and says how long it took and\n"
             "which services each side publishes to, and calls at, the other.  If it fails,\n"
             "says why and what to do."},
    {NULL}};
