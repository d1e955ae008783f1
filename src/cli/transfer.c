/* SPDX-License-Identifier: Apache-2.0 */

/* export: a site's peers, and with --with-keys its keys, as one JSON document. */
#include "cli/transfer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <openssl/bio.h>
#include <openssl/pem.h>

static mnet_value_t *list_or_nil(const cli_t *cli, const apr_array_header_t *texts)
{
    return texts != NULL ? cli_texts_value(cli, texts) : mnet_nil(cli->pool);
}

static mnet_value_t *access_value(const cli_t *cli, const apr_array_header_t *access)
{
    mnet_value_t *list = mnet_array(cli->pool), *one;
    int i;

    for (i = 0; access != NULL && i < access->nelts; i++) {
        const mnet_access_t *rule = &APR_ARRAY_IDX(access, i, mnet_access_t);

        one = mnet_struct(cli->pool);
        mnet_set(one, "allow", mnet_boolean(rule->allow, cli->pool));
        mnet_set(one, "user", mnet_string(rule->user, cli->pool));
        mnet_append(list, one);
    }
    return access != NULL ? list : mnet_nil(cli->pool);
}

static mnet_value_t *peer_value(const cli_t *cli, const mnet_peer_t *peer)
{
    const mnet_peer_facts_t *facts = peer->facts;
    const mnet_peer_state_t *state = peer->state;
    mnet_value_t *value = mnet_struct(cli->pool);
    const char *tls = facts->tls == MNET_TLS_CAFILE ? facts->cafile : cli_tls_name(facts->tls);

    mnet_set(value, "wwwroot", mnet_string(facts->wwwroot, cli->pool));
    mnet_set(value, "application", cli_text_or_nil(cli, facts->application));
    mnet_set(value, "endpoint", cli_text_or_nil(cli, facts->endpoint));
    mnet_set(value, "tls", cli_text_or_nil(cli, facts->tls < 0 ? NULL : tls));
    mnet_set(value, "charset",
             cli_text_or_nil(cli, facts->charset < 0 ? NULL : cli_charset_name(facts->charset)));
    mnet_set(value, "publish", list_or_nil(cli, facts->publish));
    mnet_set(value, "subscribe",
             facts->subscribe ? cli_texts_value(cli, cli_subscriptions(cli, facts->subscribe))
                              : mnet_nil(cli->pool));
    mnet_set(value, "access", access_value(cli, facts->access));
    mnet_set(value, "active", mnet_boolean(facts->active != 0, cli->pool));
    mnet_set(value, "trust", mnet_string(cli_trust_name(state->trust), cli->pool));
    mnet_set(value, "certificate",
             cli_text_or_nil(cli, peer->certificate ? peer->certificate->pem : NULL));
    mnet_set(value, "previous", cli_text_or_nil(cli, state->previous));
    mnet_set(value, "pending", cli_text_or_nil(cli, state->pending));
    mnet_set(value, "pending_why", cli_text_or_nil(cli, state->pending_why));
    mnet_set(value, "methods", cli_text_or_nil(cli, state->methods));
    return value;
}

/* PKCS#8 in PEM, or NULL. */
static const char *private_pem(const cli_t *cli, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    const char *pem = NULL;
    char *data;
    long len;

    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        len = BIO_get_mem_data(bio, &data);
        pem = len > 0 ? apr_pstrmemdup(cli->pool, data, (apr_size_t)len) : NULL;
    }
    BIO_free(bio);
    return pem;
}

static int keys_value(cli_t *cli, mnet_host_t *host, mnet_value_t *site)
{
    mnet_value_t *keys = mnet_array(cli->pool), *one;
    const mnet_ring_t *ring;
    const char *pem;
    int i, rv = cli_ring(cli, host, &ring);

    for (i = 0; rv == CLI_OK && ring != NULL && i < ring->count; i++) {
        pem = private_pem(cli, ring->keys[i]);
        if (pem == NULL) {
            return cli_fail(cli, "state", "a private key of %s cannot be written",
                            host->site->wwwroot);
        }
        one = mnet_struct(cli->pool);
        mnet_set(one, "certificate", mnet_string(ring->pems[i], cli->pool));
        mnet_set(one, "private_key", mnet_string(pem, cli->pool));
        mnet_append(keys, one);
    }
    mnet_set(site, "keys", keys);
    return rv;
}

static int site_value(cli_t *cli, mnet_host_t *host, int with_keys, mnet_value_t *site)
{
    mnet_value_t *peers = mnet_array(cli->pool);
    apr_array_header_t *list;
    int i, rv = cli_peers(cli, host, &list);

    for (i = 0; rv == CLI_OK && i < list->nelts; i++) {
        mnet_append(peers, peer_value(cli, APR_ARRAY_IDX(list, i, const mnet_peer_t *)));
    }
    mnet_set(site, "wwwroot", mnet_string(host->site->wwwroot, cli->pool));
    mnet_set(site, "peers", peers);
    return rv == CLI_OK && with_keys ? keys_value(cli, host, site) : rv;
}

static int export(cli_t *cli)
{
    int i, rv, with_keys = cli_option(cli, "--with-keys") != NULL;
    mnet_value_t *answer = mnet_struct(cli->pool), *sites = mnet_array(cli->pool), *site;
    apr_array_header_t *hosts;

    if (with_keys && isatty(STDOUT_FILENO)) {
        return cli_fail(cli, "state",
                        "private keys do not go to a terminal: send them into a file "
                        "that only you can read");
    }
    rv = cli_sites(cli, &hosts);
    for (i = 0; rv == CLI_OK && i < hosts->nelts; i++) {
        site = mnet_struct(cli->pool);
        rv = site_value(cli, APR_ARRAY_IDX(hosts, i, mnet_host_t *), with_keys, site);
        mnet_append(sites, site);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    mnet_set(answer, "format", mnet_string(TRANSFER_FORMAT, cli->pool));
    mnet_set(answer, "version", mnet_int(TRANSFER_VERSION, cli->pool));
    mnet_set(answer, "made", cli_date_value(cli, apr_time_now()));
    mnet_set(answer, "sites", sites);
    rv = cli_document(cli, answer);
    if (rv == CLI_OK && with_keys) {
        cli_warn(cli, "what was written holds private keys: whoever reads it can be this site");
    }
    return rv;
}

static const cli_option_t export_options[] = {{"--with-keys", NULL}, {NULL, NULL}};
static const cli_option_t import_options[] = {
    {"--replace", NULL}, {"--with-keys", NULL}, {NULL, NULL}};

const cli_command_t cli_transfer_commands[] = {
    {.group = "export",
     .run = export,
     .options = export_options,
     .usage = "[--with-keys] > FILE",
     .summary = "Write the peers as JSON, to move them to another server.",
     .help = "Writes every site, or that of -w: its peers with their certificates, services\n"
             "and rules, those of httpd's <MnetPeer> too.  Private keys only with --with-keys,\n"
             "and never to a terminal.  A backup is a copy of the whole state directory."},
    {.group = "import",
     .run = cli_import,
     .least = 1,
     .most = 1,
     .options = import_options,
     .usage = "FILE [--replace] [--with-keys]",
     .summary = "Read what export wrote (FILE may be -).",
     .help = "Each site of the file goes to our site of the same wwwroot; with -w only that\n"
             "one.  Everything in the file is checked before anything is written.  A peer\n"
             "that is known already stays as it is unless --replace is given.  The trust in a\n"
             "certificate comes with it, so import only files that you trust.  --with-keys\n"
             "takes over the file's private keys: its current key becomes ours, the key we\n"
             "had becomes an old one."},
    {NULL}};
