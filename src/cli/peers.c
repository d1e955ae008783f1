/* SPDX-License-Identifier: Apache-2.0 */

/* Peers: what we know of them, and what is published to and subscribed from them. */
#include "cli/cli.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/status.h"
#include "rpc/periodic.h"

/* --- showing --- */

/* What it is, also where nobody said so. */
static const char *application_name(const mnet_peer_t *peer)
{
    return peer->application != NULL          ? peer->application->name
           : peer->facts->application != NULL ? peer->facts->application
                                              : "-";
}

mnet_value_t *cli_peer_value(const cli_t *cli, const mnet_peer_t *peer)
{
    const mnet_peer_facts_t *facts = peer->facts;
    const mnet_peer_state_t *state = peer->state;
    apr_pool_t *pool = cli->pool;
    mnet_value_t *value = mnet_struct(pool);

    mnet_set(value, "wwwroot", mnet_string(facts->wwwroot, pool));
    mnet_set(value, "application", mnet_string(application_name(peer), pool));
    mnet_set(value, "active", mnet_boolean(facts->active != 0, pool));
    mnet_set(value, "configured", mnet_boolean(peer->configured, pool));
    mnet_set(value, "endpoint", cli_text_or_nil(cli, facts->endpoint));
    mnet_set(value, "tls", mnet_string(cli_tls_name(facts->tls), pool));
    mnet_set(value, "cafile", cli_text_or_nil(cli, facts->cafile));
    mnet_set(value, "charset", mnet_string(cli_charset_name(facts->charset), pool));
    mnet_set(value, "publish", cli_texts_value(cli, facts->publish));
    mnet_set(value, "subscribe", cli_texts_value(cli, cli_subscriptions(cli, facts->subscribe)));
    mnet_set(value, "trust", mnet_string(cli_trust_name(state->trust), pool));
    mnet_set(value, "certificate", cli_certificate_value(cli, peer->certificate));
    mnet_set(value, "pending",
             cli_certificate_value(cli, cli_certificate_read(cli, state->pending)));
    mnet_set(value, "pending_why", cli_text_or_nil(cli, state->pending_why));
    mnet_set(value, "added", cli_date_value(cli, state->added));
    mnet_set(value, "rekeyed", cli_date_value(cli, state->rekeyed));
    mnet_set(value, "heard", cli_date_value(cli, state->heard));
    mnet_set(value, "reached", cli_date_value(cli, state->reached));
    return value;
}

/* "confirmed", "none, one pending", "rotated, inactive" */
static const char *key_words(const cli_t *cli, const mnet_peer_t *peer)
{
    return apr_pstrcat(cli->pool, cli_trust_name(peer->state->trust),
                       peer->state->pending ? ", one pending" : "",
                       peer->facts->active == 0 ? ", inactive" : "", NULL);
}

static void list_text(const cli_t *cli, const apr_array_header_t *list)
{
    cli_table_t *table = cli_table(cli, 6);
    int i;

    if (list->nelts == 0) {
        cli_say(cli, "  no peers; `mnetctl peers add URL` makes one");
        return;
    }
    cli_row(table, "PEER", "APPLICATION", "KEY", "EXPIRES", "PUBLISHED", "SUBSCRIBED");
    for (i = 0; i < list->nelts; i++) {
        const mnet_peer_t *peer = APR_ARRAY_IDX(list, i, const mnet_peer_t *);
        const mnet_peer_facts_t *facts = peer->facts;

        cli_row(table, facts->wwwroot, application_name(peer), key_words(cli, peer),
                peer->certificate ? cli_date(cli, peer->certificate->not_after) : "-",
                cli_join(cli, facts->publish),
                cli_join(cli, cli_subscriptions(cli, facts->subscribe)));
    }
    cli_table_print(cli, table, 2);
}

static int list(cli_t *cli)
{
    mnet_value_t *outer = mnet_struct(cli->pool), *sites = mnet_array(cli->pool);
    apr_array_header_t *hosts, *known;
    int i, k, rv = cli_sites(cli, &hosts);

    for (i = 0; rv == CLI_OK && i < hosts->nelts; i++) {
        mnet_host_t *host = APR_ARRAY_IDX(hosts, i, mnet_host_t *);
        mnet_value_t *site = mnet_struct(cli->pool), *peers = mnet_array(cli->pool);

        rv = cli_peers(cli, host, &known);
        if (rv != CLI_OK) {
            return rv;
        }
        cli_say(cli, "%s%s", i > 0 ? "\n" : "", host->site->wwwroot);
        if (!cli->json) {
            list_text(cli, known);
            continue;
        }
        for (k = 0; k < known->nelts; k++) {
            mnet_append(peers, cli_peer_value(cli, APR_ARRAY_IDX(known, k, const mnet_peer_t *)));
        }
        mnet_set(site, "wwwroot", mnet_string(host->site->wwwroot, cli->pool));
        mnet_set(site, "peers", peers);
        mnet_append(sites, site);
    }
    mnet_set(outer, "sites", sites);
    return rv == CLI_OK && cli->json ? cli_document(cli, outer) : rv;
}

/* "how it came to be trusted", for people. */
static const char *trust_sentence(mnet_trust_e trust)
{
    switch (trust) {
    case MNET_TRUST_CONFIG:
        return "named in the configuration";
    case MNET_TRUST_CONFIRMED:
        return "confirmed by an administrator";
    case MNET_TRUST_ROTATED:
        return "followed the one before by the rules of rotation";
    case MNET_TRUST_KEYSWAP:
        return "taken on first contact; nobody confirmed it";
    case MNET_TRUST_NONE:
    default:
        return "none is trusted";
    }
}

/* "12M of 338M": how much of the store is there for its sake, and may be. */
static const char *share_text(const cli_t *cli, const mnet_peer_t *peer)
{
    mnet_share_t share;

    return cli_peer_share(cli, peer, &share)
               ? "not known"
               : apr_psprintf(cli->pool, "%s of %s", cli_bytes(cli, share.used),
                              cli_bytes(cli, share.most));
}

static mnet_value_t *share_value(const cli_t *cli, const mnet_peer_t *peer)
{
    mnet_share_t share;
    mnet_value_t *value;

    if (cli_peer_share(cli, peer, &share)) {
        return mnet_nil(cli->pool);
    }
    value = mnet_struct(cli->pool);
    mnet_set(value, "used", mnet_int(share.used, cli->pool));
    mnet_set(value, "most", mnet_int(share.most, cli->pool));
    return value;
}

static void show_facts(const cli_t *cli, const mnet_peer_t *peer)
{
    const mnet_peer_facts_t *facts = peer->facts;
    cli_table_t *table = cli_table(cli, 2);

    cli_row(table, "application", application_name(peer));
    cli_row(table, "from",
            !peer->configured    ? "the state directory"
            : peer->state->facts ? "the configuration and the state directory"
                                 : "the configuration");
    if (facts->active == 0) {
        cli_row(table, "active", "no: it may not call, and is not called");
    }
    if (facts->endpoint != NULL) {
        cli_row(table, "endpoint", facts->endpoint);
    }
    cli_row(table, "TLS", facts->cafile ? facts->cafile : cli_tls_name(facts->tls));
    cli_row(table, "charset", cli_charset_name(facts->charset));
    cli_row(table, "published to it", cli_join(cli, facts->publish));
    cli_row(table, "subscribed there", cli_join(cli, cli_subscriptions(cli, facts->subscribe)));
    cli_row(table, "known since", cli_date(cli, peer->state->added));
    cli_row(table, "last new key", cli_date(cli, peer->state->rekeyed));
    cli_row(table, "last heard", cli_date(cli, peer->state->heard));
    cli_row(table, "last reached", cli_date(cli, peer->state->reached));
    cli_row(table, "share of the store", share_text(cli, peer));
    cli_table_print(cli, table, 0);
}

static int show(cli_t *cli)
{
    const mnet_peer_t *peer;
    const mnet_certificate_t *pending;
    mnet_host_t *host;
    int rv = cli_site(cli, &host);

    if (rv == CLI_OK) {
        rv = cli_peer(cli, host, 0, &peer);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    if (cli->json) {
        mnet_value_t *value = cli_peer_value(cli, peer);

        mnet_set(value, "share", share_value(cli, peer));
        return cli_document(cli, value);
    }
    cli_say(cli, "%s", peer->facts->wwwroot);
    show_facts(cli, peer);
    cli_say(cli, "certificate: %s", trust_sentence(peer->state->trust));
    if (peer->certificate != NULL) {
        cli_certificate(cli, peer->certificate, NULL);
    }
    pending = cli_certificate_read(cli, peer->state->pending);
    if (pending != NULL) {
        cli_say(cli, "another waits to be confirmed: %s", cli_clean(cli, peer->state->pending_why));
        cli_certificate(cli, pending, NULL);
        cli_say(cli,
                "compare it with what the peer's administrator says, then `mnetctl peers "
                "confirm %s`",
                peer->facts->wwwroot);
    }
    return CLI_OK;
}

/* --- services --- */

typedef struct service_change_t {
    cli_t *cli;
    const char *wwwroot;
    const apr_array_header_t *words;
    int subscribe;
    int rv;
} service_change_t;

/* A mnet_peer_change_fn: "+name" is worked out against what is stored at that moment. */
static apr_status_t change_services(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    service_change_t *change = baton;
    mnet_peer_facts_t *facts = mnet_peer_facts_create(change->wwwroot, pool);
    apr_array_header_t *list = NULL;

    if (state->facts != NULL) {
        *facts = *state->facts;
    }
    if (change->subscribe) {
        change->rv = cli_subscribe_list(change->cli, change->words, facts->subscribe, &list);
        facts->subscribe = list;
    } else {
        change->rv = cli_publish_list(change->cli, change->words, facts->publish, &list);
        facts->publish = list;
    }
    state->facts = facts;
    return change->rv == CLI_OK ? APR_SUCCESS : MNET_E_INVALID;
}

/* The arguments behind the peer. */
static apr_array_header_t *service_words(const cli_t *cli)
{
    apr_array_header_t *words = apr_array_make(cli->pool, 4, sizeof(const char *));
    int i;

    for (i = 1; i < cli->args->nelts; i++) {
        apr_array_cat(words, cli_words(cli, cli_arg(cli, i)));
    }
    return words;
}

/* The configuration wins: what it says cannot be changed here. */
static int configured_here(const cli_t *cli, const mnet_host_t *host, const mnet_peer_t *peer,
                           int subscribe)
{
    const mnet_peer_facts_t *facts =
        host->site->peers != NULL
            ? apr_hash_get(host->site->peers, peer->facts->wwwroot, APR_HASH_KEY_STRING)
            : NULL;

    if (facts == NULL || (subscribe ? facts->subscribe : facts->publish) == NULL) {
        return CLI_OK;
    }
    return cli_fail(cli, "state",
                    "%s has its %s in httpd's <MnetPeer>, which wins: change it there and reload",
                    peer->facts->wwwroot, subscribe ? "MnetSubscribe" : "MnetPublish");
}

/* Is there a service whose methods the peer may have to list? */
static int asks_peer(const mnet_peer_t *peer)
{
    const apr_array_header_t *subscribe = peer->facts->subscribe;
    int i;

    for (i = 0; subscribe != NULL && i < subscribe->nelts; i++) {
        if (APR_ARRAY_IDX(subscribe, i, mnet_subscription_t).patterns == NULL) {
            return 1;
        }
    }
    return 0;
}

static int services_done(cli_t *cli, mnet_host_t *host, int subscribe)
{
    const mnet_peer_t *peer;
    int rv = cli_peer(cli, host, 0, &peer);

    if (rv != CLI_OK) {
        return rv;
    }
    if (subscribe && peer->certificate != NULL && asks_peer(peer)) {
        mnet_periodic_peer(host, peer->facts->wwwroot, apr_time_now(), cli->pool);
    }
    if (peer->state->trust == MNET_TRUST_KEYSWAP || peer->state->trust == MNET_TRUST_NONE) {
        cli_warn(cli, "warning: nobody confirmed the key of %s: `mnetctl peers confirm %s`",
                 peer->facts->wwwroot, peer->facts->wwwroot);
    }
    if (cli->json) {
        return cli_document(cli, cli_peer_value(cli, peer));
    }
    cli_say(cli, "published to %s: %s", peer->facts->wwwroot, cli_join(cli, peer->facts->publish));
    cli_say(cli, "subscribed there: %s",
            cli_join(cli, cli_subscriptions(cli, peer->facts->subscribe)));
    return CLI_OK;
}

static int change(cli_t *cli, int subscribe)
{
    service_change_t baton = {.cli = cli, .subscribe = subscribe, .rv = CLI_OK};
    const mnet_peer_t *peer;
    mnet_host_t *host;
    apr_status_t status;
    int rv = cli_site(cli, &host);

    if (rv == CLI_OK) {
        rv = cli_peer(cli, host, 0, &peer);
    }
    if (rv == CLI_OK) {
        rv = configured_here(cli, host, peer, subscribe);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    baton.wwwroot = peer->facts->wwwroot;
    baton.words = service_words(cli);
    status = mnet_peers_change(host->peers, baton.wwwroot, change_services, &baton, cli->pool);
    if (baton.rv != CLI_OK) {
        return baton.rv;
    }
    if (status != APR_SUCCESS) {
        return cli_fail_rv(cli, status, "nothing was changed");
    }
    return services_done(cli, host, subscribe);
}

static int publish(cli_t *cli)
{
    return change(cli, 0);
}

static int subscribe(cli_t *cli)
{
    return change(cli, 1);
}

static int remove_peer(cli_t *cli)
{
    const char *wwwroot = cli_arg(cli, 0);
    mnet_host_t *host;
    apr_status_t status;
    int configured, rv = cli_site(cli, &host);

    if (rv != CLI_OK) {
        return rv;
    }
    configured = host->site->peers != NULL &&
                 apr_hash_get(host->site->peers, wwwroot, APR_HASH_KEY_STRING) != NULL;
    status = mnet_peers_remove(host->peers, wwwroot, cli->pool);
    if (status == APR_NOTFOUND) {
        const mnet_peer_t *peer;

        return configured ? cli_fail(cli, "policy",
                                     "%s is only in httpd's configuration: take its <MnetPeer> "
                                     "out and reload",
                                     wwwroot)
                          : cli_peer(cli, host, 0, &peer);
    }
    if (status != APR_SUCCESS) {
        return cli_fail_rv(cli, status, "%s is still there", wwwroot);
    }
    if (configured) {
        cli_warn(cli,
                 "httpd's configuration still names %s: take its <MnetPeer> out and reload, "
                 "else it stays a peer",
                 wwwroot);
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        mnet_set(answer, "removed", mnet_string(wwwroot, cli->pool));
        mnet_set(answer, "configured", mnet_boolean(configured, cli->pool));
        return cli_document(cli, answer);
    }
    cli_say(cli, "removed %s%s", wwwroot, configured ? " from the state directory" : "");
    return CLI_OK;
}

const cli_command_t cli_peers_commands[] = {
    {.group = "peers",
     .name = "list",
     .run = list,
     .usage = "",
     .summary = "The peers, their keys and services.",
     .help = "KEY says how the peer's certificate came to be trusted: configured (by\n"
             "MnetPeerCertificate), confirmed (by an administrator), rotated (the peer\n"
             "announced it and the rules of rotation held), unconfirmed (taken on first\n"
             "contact), none.  \"one pending\" waits for `peers confirm`."},
    {.group = "peers",
     .name = "show",
     .run = show,
     .least = 1,
     .most = 1,
     .usage = "PEER",
     .summary = "Everything known of one peer.",
     .help = "PEER is the peer's wwwroot, exactly as that site writes it."},
    {.group = "peers",
     .name = "publish",
     .run = publish,
     .least = 2,
     .most = -1,
     .dashes = 1,
     .usage = "PEER SERVICE...",
     .summary = "Which of our services the peer may call.",
     .help = "Names replace the list; +NAME adds one, -NAME takes one away; \"none\" is no\n"
             "service.  What httpd's <MnetPeer> says wins and is changed there.\n\n"
             "Example: mnetctl peers publish https://moodle.example.org +sso_idp"},
    {.group = "peers",
     .name = "subscribe",
     .run = subscribe,
     .least = 2,
     .most = -1,
     .dashes = 1,
     .usage = "PEER SERVICE...",
     .summary = "Which of the peer's services we call.",
     .help = "Names replace the list; +NAME adds one, -NAME takes one away; \"none\" is no\n"
             "service.  The methods of a service are those known here, else those the peer\n"
             "lists when it is asked, else those of NAME=PATTERN[,PATTERN].\n\n"
             "Example: mnetctl peers subscribe https://moodle.example.org 'x=mod/x/*'"},
    {.group = "peers",
     .name = "remove",
     .run = remove_peer,
     .least = 1,
     .most = 1,
     .usage = "PEER",
     .summary = "Forget a peer.",
     .help = "Takes the peer's record out of the state directory, its certificate too.  A\n"
             "peer in httpd's configuration stays one until its <MnetPeer> goes as well."},
    {NULL}};
