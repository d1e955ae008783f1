/* SPDX-License-Identifier: Apache-2.0 */

/* Peers: whether to trust a certificate. */
#include "cli/cli.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/status.h"
#include "rpc/client_keyswap.h"
#include "rpc/periodic.h"

/* --- fingerprints and questions --- */

/* "ab:CD ef" and "ABCDEF" are one fingerprint. */
static int same_fingerprint(const char *given, const char *known)
{
    const char *equals = strrchr(given, '='); /* "sha256 Fingerprint=AB:CD", as openssl says it */

    given = equals != NULL ? equals + 1 : given;
    for (;;) {
        while (*given != '\0' && !apr_isxdigit(*given)) {
            given++;
        }
        while (*known != '\0' && !apr_isxdigit(*known)) {
            known++;
        }
        if (*given == '\0' || *known == '\0') {
            return *given == *known;
        }
        if (apr_toupper(*given++) != apr_toupper(*known++)) {
            return 0;
        }
    }
}

static int is_meant(const char *given, const mnet_certificate_t *certificate)
{
    return same_fingerprint(given, certificate->sha256) ||
           same_fingerprint(given, certificate->sha1);
}

int cli_decide(const cli_t *cli, const mnet_certificate_t *certificate, int *yes)
{
    const char *given = cli_option(cli, "--fingerprint");

    *yes = cli_option(cli, "--yes") != NULL;
    if (given != NULL) {
        *yes = is_meant(given, certificate);
        return *yes ? CLI_OK
                    : cli_fail(cli, "trust",
                               "the certificate's fingerprint is not the one given: somebody may "
                               "stand between you and the peer, or the peer has a new key; nothing "
                               "was changed");
    }
    if (!*yes) {
        *yes = cli_ask(cli, "Does the peer's administrator say the same fingerprint?");
    }
    return CLI_OK;
}

/* --- asking the peer --- */

int cli_fetch(cli_t *cli, mnet_host_t *host, const mnet_peer_facts_t *facts,
              mnet_certificate_t **certificate, int *verified)
{
    mnet_keyswap_t keyswap;
    mnet_reply_t *reply;
    const char *why;

    mnet_client_keyswap(host, facts, &keyswap, &reply, cli->pool);
    if (reply->kind != MNET_CALL_OK) {
        return cli_fail_reply(cli, reply);
    }
    *verified = keyswap.verified;
    if (mnet_certificate_read(host->engine->crypto, keyswap.pem, certificate, &why, cli->pool) !=
        APR_SUCCESS) {
        return cli_fail(cli, "trust", "%s gave no certificate that can be used: %s", facts->wwwroot,
                        why);
    }
    why = mnet_certificate_mismatch(*certificate, facts->wwwroot, cli->pool);
    if (why != NULL) {
        return cli_fail(cli, "trust",
                        "the certificate is another site's: %s; give the peer's wwwroot exactly as "
                        "that site has it",
                        why);
    }
    return CLI_OK;
}

const char *cli_channel(int verified)
{
    return verified ? "over TLS with a verified certificate"
                    : "over a channel that nobody verified: compare the fingerprint";
}

/* --- confirm --- */

/* A script that says --yes each time it runs must not replace what is trusted by a stranger's. */
static int may_replace(cli_t *cli, const mnet_peer_t *peer, const mnet_certificate_t *given)
{
    if (cli_option(cli, "--fingerprint") != NULL || cli_option(cli, "--yes") == NULL) {
        return CLI_OK;
    }
    return cli_fail(
        cli, "trust",
        "what %s gives is another certificate than the one that is trusted (SHA-256 %s): --yes "
        "alone does not replace it; ask the peer's administrator for the fingerprint "
        "and give it by --fingerprint",
        peer->facts->wwwroot, given->sha256);
}

/* What the peer gives now, if it can be used as its certificate; else NULL. */
static mnet_certificate_t *given_now(cli_t *cli, mnet_host_t *host, const mnet_peer_t *peer,
                                     int *verified)
{
    mnet_certificate_t *given = NULL;
    mnet_keyswap_t keyswap;
    mnet_reply_t *reply;
    const char *why;

    mnet_client_keyswap(host, peer->facts, &keyswap, &reply, cli->pool);
    if (reply->kind != MNET_CALL_OK ||
        mnet_certificate_read(host->engine->crypto, keyswap.pem, &given, &why, cli->pool) ||
        mnet_certificate_mismatch(given, peer->facts->wwwroot, cli->pool) != NULL) {
        return NULL;
    }
    *verified = keyswap.verified;
    return given;
}

/* The peer's new key, if it has one that it told nobody of; else NULL. */
static int replacement(cli_t *cli, mnet_host_t *host, const mnet_peer_t *peer,
                       mnet_certificate_t **certificate)
{
    int verified = 0;
    mnet_certificate_t *given = given_now(cli, host, peer, &verified);

    if (given == NULL || strcmp(given->sha256, peer->certificate->sha256) == 0) {
        return CLI_OK;
    }
    cli_say(cli, "%s gives another certificate than the one that is trusted, %s",
            peer->facts->wwwroot, cli_channel(verified));
    *certificate = given;
    return may_replace(cli, peer, given);
}

/* What waits may be a stranger's: if it is not the one that is meant, the peer may give that. */
static void prefer_meant(cli_t *cli, mnet_host_t *host, const mnet_peer_t *peer,
                         mnet_certificate_t **certificate)
{
    const char *meant = cli_option(cli, "--fingerprint");
    mnet_certificate_t *given;
    int verified = 0;

    if (meant == NULL || *certificate == NULL || is_meant(meant, *certificate)) {
        return;
    }
    given = given_now(cli, host, peer, &verified);
    if (given != NULL && is_meant(meant, given)) {
        cli_say(cli, "that is not the one with this fingerprint, but %s gives it now, %s",
                peer->facts->wwwroot, cli_channel(verified));
        *certificate = given;
    }
}

/* What there is to confirm: what waits, what nobody confirmed, or what the peer gives now. */
static int candidate(cli_t *cli, mnet_host_t *host, const mnet_peer_t *peer,
                     mnet_certificate_t **certificate)
{
    int unconfirmed = peer->certificate != NULL && peer->state->trust == MNET_TRUST_KEYSWAP;
    int verified = 0, rv;

    if (peer->state->pending != NULL) {
        *certificate = cli_certificate_read(cli, peer->state->pending);
        cli_say(cli, "%s offers: %s", peer->facts->wwwroot,
                cli_clean(cli, peer->state->pending_why));
        if (*certificate == NULL) {
            return cli_fail(cli, "state", "the certificate that waits cannot be read");
        }
        prefer_meant(cli, host, peer, certificate);
        return peer->certificate != NULL && !unconfirmed ? may_replace(cli, peer, *certificate)
                                                         : CLI_OK;
    }
    if (unconfirmed) {
        *certificate = cli_certificate_read(cli, peer->certificate->pem);
        prefer_meant(cli, host, peer, certificate);
        return CLI_OK;
    }
    if (peer->certificate != NULL) {
        return replacement(cli, host, peer, certificate);
    }
    rv = cli_fetch(cli, host, peer->facts, certificate, &verified);
    if (rv == CLI_OK) {
        cli_say(cli, "%s, %s", peer->facts->wwwroot, cli_channel(verified));
    }
    return rv;
}

static int confirmed(cli_t *cli, mnet_host_t *host, const char *note)
{
    const mnet_peer_t *peer;
    int rv = cli_peer(cli, host, 0, &peer);

    if (rv != CLI_OK) {
        return rv;
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        mnet_set(answer, "peer", cli_peer_value(cli, peer));
        mnet_set(answer, "confirmed", mnet_boolean(1, cli->pool));
        return cli_document(cli, answer);
    }
    cli_say(cli, "%s: %s", peer->facts->wwwroot, note);
    return CLI_OK;
}

static int confirm(cli_t *cli)
{
    mnet_certificate_t *certificate = NULL;
    const mnet_peer_t *peer;
    const char *why = "";
    mnet_host_t *host;
    apr_status_t status;
    int yes = 0, rv = cli_site(cli, &host);

    if (rv == CLI_OK) {
        rv = cli_peer(cli, host, 0, &peer);
    }
    if (rv == CLI_OK) {
        rv = candidate(cli, host, peer, &certificate);
    }
    if (rv == CLI_OK && certificate == NULL) {
        return confirmed(cli, host, "nothing waits; the certificate in force is trusted already");
    }
    if (rv == CLI_OK && !cli->json) {
        cli_certificate(cli, certificate, NULL);
    }
    if (rv == CLI_OK) {
        rv = cli_decide(cli, certificate, &yes);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    if (!yes) {
        return cli_fail(cli, "trust",
                        "not confirmed: give --fingerprint FP as the peer's "
                        "administrator says it, or --yes");
    }
    status = mnet_peers_accept(host->peers, peer->facts->wwwroot, certificate->pem,
                               MNET_TRUST_CONFIRMED, apr_time_now(), &why, cli->pool);
    if (status != APR_SUCCESS) {
        return why != NULL && *why ? cli_fail(cli, "trust", "%s", why)
                                   : cli_fail_rv(cli, status, "not confirmed");
    }
    return confirmed(cli, host, "its certificate is in force");
}

/* --- verify --- */

static const char *compare(const mnet_peer_t *peer, const mnet_certificate_t *offered)
{
    if (peer->certificate != NULL && strcmp(peer->certificate->pem, offered->pem) == 0) {
        return "same";
    }
    if (peer->state->pending != NULL && strcmp(peer->state->pending, offered->pem) == 0) {
        return "pending";
    }
    return peer->certificate != NULL ? "differs" : "new";
}

static void say_compared(const cli_t *cli, const char *how, const char *wwwroot)
{
    if (strcmp(how, "same") == 0) {
        cli_say(cli, "  the certificate is the one we trust");
    } else if (strcmp(how, "differs") == 0) {
        cli_say(cli,
                "  it is NOT the one we trust: the peer has a new key, or somebody stands between; "
                "if its administrator says the same fingerprint: `mnetctl peers confirm %s "
                "--fingerprint FP`",
                wwwroot);
    } else {
        cli_say(cli, "  nobody confirmed it yet: `mnetctl peers confirm %s`", wwwroot);
    }
}

static int call_once(cli_t *cli, mnet_host_t *host, const char *wwwroot, mnet_reply_t **reply)
{
    mnet_outgoing_t call = {.host = host,
                            .peer = wwwroot,
                            .method = "system/listServices",
                            .params = apr_array_make(cli->pool, 1, sizeof(mnet_value_t *)),
                            .even_if_down = 1};

    mnet_client_call(&call, reply, cli->pool);
    return (*reply)->kind == MNET_CALL_OK;
}

static int verify(cli_t *cli)
{
    mnet_certificate_t *offered = NULL;
    mnet_value_t *answer = mnet_struct(cli->pool);
    const mnet_peer_t *peer;
    const char *how;
    mnet_reply_t *reply;
    mnet_host_t *host;
    int verified = 0, answers, rv = cli_site(cli, &host);

    if (rv == CLI_OK) {
        rv = cli_peer(cli, host, 0, &peer);
    }
    if (rv == CLI_OK) {
        rv = cli_fetch(cli, host, peer->facts, &offered, &verified);
    }
    if (rv != CLI_OK || offered == NULL) {
        return rv != CLI_OK ? rv : CLI_FAILED;
    }
    /* The call may follow a rotation: compare after it. */
    answers = call_once(cli, host, peer->facts->wwwroot, &reply);
    rv = cli_peer(cli, host, 0, &peer);
    if (rv != CLI_OK) {
        return rv;
    }
    how = compare(peer, offered);
    if (answers) {
        mnet_periodic_peer(host, peer->facts->wwwroot, apr_time_now(), cli->pool);
    }
    rv = answers && strcmp(how, "same") == 0 ? CLI_OK : CLI_FAILED;
    mnet_set(answer, "peer", mnet_string(peer->facts->wwwroot, cli->pool));
    mnet_set(answer, "certificate", mnet_string(how, cli->pool));
    mnet_set(answer, "offered", cli_certificate_value(cli, offered));
    mnet_set(answer, "verified_tls", mnet_boolean(verified, cli->pool));
    mnet_set(answer, "answers", mnet_boolean(answers, cli->pool));
    if (cli->json) {
        if (!answers) {
            mnet_set(answer, "error", cli_reply_value(cli, reply));
        }
        return cli_document(cli, answer) == CLI_OK ? rv : CLI_FAILED;
    }
    cli_say(cli, "%s gives this certificate, %s", peer->facts->wwwroot, cli_channel(verified));
    cli_certificate(cli, offered, NULL);
    say_compared(cli, how, peer->facts->wwwroot);
    if (answers) {
        cli_say(cli, "  it answers signed and sealed calls");
    } else {
        cli_say(cli, "  it does not answer a signed and sealed call:");
        cli_fail_reply(cli, reply);
    }
    return rv;
}

static const cli_option_t confirm_options[] = {
    {"--fingerprint", "FP"}, {"--yes", NULL}, {NULL, NULL}};

const cli_command_t cli_trust_commands[] = {
    {.group = "peers",
     .name = "verify",
     .run = verify,
     .least = 1,
     .most = 1,
     .usage = "PEER",
     .summary = "Ask the peer for its certificate again, and call it.",
     .help = "Compares the certificate that the peer gives now with the one we trust, calls\n"
             "system/listServices, and learns the methods of the services we subscribe to.\n"
             "Exit status 1 if the certificate is another or the call fails."},
    {.group = "peers",
     .name = "confirm",
     .run = confirm,
     .least = 1,
     .most = 1,
     .options = confirm_options,
     .usage = "PEER [--fingerprint FP] [--yes]",
     .summary = "Trust the certificate that waits.",
     .help = "Shows the certificate that waits for a decision, or that was taken on first\n"
             "contact, and puts it in force when you say so: on the terminal, by --yes, or by\n"
             "--fingerprint with the SHA-256 or SHA-1 that the peer's administrator told you\n"
             "(colons and case do not matter).  If none waits, or not the one of --fingerprint,\n"
             "the peer is asked: one that has a new key and told nobody (its old one was deleted,\n"
             "a backup was put back) gives it.  In the place of a certificate that is trusted\n"
             "another is put on the terminal or by --fingerprint, not by --yes."},
    {NULL}};
