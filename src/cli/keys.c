/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

static mnet_value_t *key_value(const cli_t *cli, const mnet_ring_t *ring, int i)
{
    mnet_value_t *value = cli_certificate_value(cli, cli_certificate_read(cli, ring->pems[i]));

    if (value->type == MNET_STRUCT) {
        mnet_set(value, "current", mnet_boolean(i == 0, cli->pool));
        mnet_set(value, "created", cli_date_value(cli, ring->created[i]));
    }
    return value;
}

static void key_text(const cli_t *cli, const mnet_ring_t *ring, int i)
{
    mnet_certificate_t *certificate = cli_certificate_read(cli, ring->pems[i]);

    if (i == 0) {
        cli_say(cli, "current key, made %s", cli_date(cli, ring->created[i]));
    } else {
        cli_say(cli, "old key %d, made %s: opens messages, answers with the current certificate", i,
                cli_date(cli, ring->created[i]));
    }
    if (certificate != NULL) {
        cli_certificate(cli, certificate, NULL);
    }
}

static int show(cli_t *cli)
{
    mnet_value_t *outer = mnet_struct(cli->pool), *sites = mnet_array(cli->pool);
    apr_array_header_t *hosts;
    int i, k, rv = cli_sites(cli, &hosts);

    for (i = 0; rv == CLI_OK && i < hosts->nelts; i++) {
        mnet_host_t *host = APR_ARRAY_IDX(hosts, i, mnet_host_t *);
        mnet_value_t *site = mnet_struct(cli->pool), *keys = mnet_array(cli->pool);
        const mnet_ring_t *ring;

        rv = cli_ring(cli, host, &ring);
        if (rv != CLI_OK) {
            return rv;
        }
        cli_say(cli, "%s%s", i > 0 ? "\n" : "", host->site->wwwroot);
        for (k = 0; ring != NULL && k < ring->count; k++) {
            key_text(cli, ring, k);
            mnet_append(keys, key_value(cli, ring, k));
        }
        if (ring == NULL) {
            cli_say(cli, "no key yet: httpd makes one when it starts, and so does `mnetctl keys "
                         "rotate`");
        }
        mnet_set(site, "wwwroot", mnet_string(host->site->wwwroot, cli->pool));
        mnet_set(site, "keys", keys);
        mnet_append(sites, site);
    }
    mnet_set(outer, "sites", sites);
    return rv == CLI_OK && cli->json ? cli_document(cli, outer) : rv;
}

static int rotate(cli_t *cli)
{
    mnet_host_t *host;
    const mnet_ring_t *ring;
    apr_status_t status;
    int made = 0, rv = cli_site(cli, &host);

    if (rv != CLI_OK) {
        return rv;
    }
    status = mnet_keyring_rotate(host->keyring, apr_time_now(), 1, &made, cli->pool);
    if (status != APR_SUCCESS) {
        return cli_fail_rv(cli, status, "no new key; the old one stays");
    }
    rv = cli_ring(cli, host, &ring);
    if (rv != CLI_OK || ring == NULL) {
        return rv != CLI_OK ? rv : cli_fail(cli, "state", "the new key cannot be found again");
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        mnet_set(answer, "wwwroot", mnet_string(host->site->wwwroot, cli->pool));
        mnet_set(answer, "rotated", mnet_boolean(made, cli->pool));
        mnet_set(answer, "key", key_value(cli, ring, 0));
        return cli_document(cli, answer);
    }
    cli_say(cli, "%s: %s", host->site->wwwroot,
            made ? "a new key is in force, in a running server as well"
                 : "another process has just made a new key");
    key_text(cli, ring, 0);
    if (ring->count > 1) {
        cli_say(cli, "\nPeers learn of it when they next call: Moodle notices nothing, the first "
                     "call of a\nMahara fails.");
    }
    return CLI_OK;
}

static int export(cli_t *cli)
{
    mnet_host_t *host;
    const mnet_ring_t *ring;
    int rv = cli_site(cli, &host);

    if (rv == CLI_OK) {
        rv = cli_ring(cli, host, &ring);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    if (ring == NULL) {
        return cli_fail(cli, "state", "%s has no key yet: start httpd or run `mnetctl keys rotate`",
                        host->site->wwwroot);
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        mnet_set(answer, "wwwroot", mnet_string(host->site->wwwroot, cli->pool));
        mnet_set(answer, "certificate", mnet_string(ring->pems[0], cli->pool));
        return cli_document(cli, answer);
    }
    fputs(ring->pems[0], stdout);
    return CLI_OK;
}

const cli_command_t cli_keys_commands[] = {
    {.group = "keys",
     .name = "show",
     .run = show,
     .usage = "",
     .summary = "Our keys: fingerprints, ages, expiry.",
     .help = "Shows the current key of each site, or of the one that -w names, and the old\n"
             "keys that still open messages.  Tell a peer's administrator the SHA-256 (Moodle\n"
             "and openssl) or SHA-1 (Mahara) to compare with what that site shows."},
    {.group = "keys",
     .name = "rotate",
     .run = rotate,
     .usage = "",
     .summary = "Replace our key now.",
     .help = "Makes a new key and puts it in force in the same moment; the old one becomes\n"
             "history and still opens messages, which are answered with the new certificate.\n"
             "The server rotates by itself before a key expires: this is for a key that may\n"
             "have been seen by others, and for tests."},
    {.group = "keys",
     .name = "export",
     .run = export,
     .usage = "",
     .summary = "Our certificate as PEM, for a peer's administrator.",
     .help = "Prints the current certificate.  It is public: a peer may paste it into its own\n"
             "form.  Private keys are never printed by this command."},
    {NULL}};
