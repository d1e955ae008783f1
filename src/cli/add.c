/* SPDX-License-Identifier: Apache-2.0 */

/* peers add: first contact. */
#include "cli/cli.h"

#include <string.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include "base/status.h"

#define PEM_MAX (64 * 1024)

typedef struct adding_t {
    cli_t *cli;
    mnet_host_t *host;
    mnet_peer_facts_t *facts;    /* as given */
    const mnet_peer_t *existing; /* or NULL */
    mnet_certificate_t *certificate;
    int verified, trusted;
} adding_t;

static int tls_option(cli_t *cli, mnet_peer_facts_t *facts)
{
    const char *tls = cli_option(cli, "--tls");
    apr_finfo_t info;
    char *path;

    if (tls == NULL) {
        return CLI_OK;
    }
    facts->tls = strcmp(tls, "verify") == 0     ? MNET_TLS_VERIFY
                 : strcmp(tls, "insecure") == 0 ? MNET_TLS_INSECURE
                                                : MNET_TLS_CAFILE;
    if (facts->tls != MNET_TLS_CAFILE) {
        return CLI_OK;
    }
    /* The server stands in another directory. */
    if (apr_filepath_merge(&path, NULL, tls, APR_FILEPATH_TRUENAME, cli->pool) != APR_SUCCESS ||
        apr_stat(&info, path, APR_FINFO_TYPE, cli->pool) != APR_SUCCESS ||
        info.filetype != APR_REG) {
        cli_fail(cli, "usage",
                 "--tls takes verify, insecure, or a file of CA certificates; %s is "
                 "none of these",
                 tls);
        return CLI_USAGE;
    }
    if (!mnet_certificate_authorities(path)) {
        cli_fail(cli, "usage", "--tls: there is no certificate in %s", path);
        return CLI_USAGE;
    }
    facts->cafile = path;
    return CLI_OK;
}

static int charset_option(cli_t *cli, mnet_peer_facts_t *facts)
{
    const char *charset = cli_option(cli, "--charset");

    if (charset == NULL) {
        return CLI_OK;
    }
    if (strcmp(charset, "auto") == 0) {
        facts->charset = MNET_PEER_CHARSET_AUTO;
    } else if (strcmp(charset, "utf8") == 0) {
        facts->charset = MNET_PEER_CHARSET_UTF8;
    } else if (strcmp(charset, "bytes") == 0) {
        facts->charset = MNET_PEER_CHARSET_BYTES;
    } else {
        cli_fail(cli, "usage", "--charset takes auto, utf8 or bytes, not %s", charset);
        return CLI_USAGE;
    }
    return CLI_OK;
}

static int services_options(cli_t *cli, mnet_peer_facts_t *facts)
{
    const char *publish = cli_option(cli, "--publish"), *subscribe = cli_option(cli, "--subscribe");
    apr_array_header_t *list;
    int rv = CLI_OK;

    if (publish != NULL) {
        rv = cli_publish_list(cli, cli_words(cli, publish), NULL, &list);
        facts->publish = list;
    }
    if (rv == CLI_OK && subscribe != NULL) {
        rv = cli_subscribe_list(cli, cli_words(cli, subscribe), NULL, &list);
        facts->subscribe = list;
    }
    return rv;
}

const char *cli_endpoint_problem(const cli_t *cli, const char *endpoint)
{
    const char *problem = mnet_wwwroot_problem(endpoint, cli->pool);

    if (problem == NULL && strchr(mnet_wwwroot_bare(endpoint), '/') != NULL) {
        problem = "write scheme, host and port alone, as in http://127.0.0.1:8081";
    }
    return problem ? apr_pstrcat(cli->pool, "the endpoint: ", problem, NULL) : NULL;
}

/* What the command line says of the peer, and whether such a peer can be. */
static int take_options(adding_t *adding)
{
    cli_t *cli = adding->cli;
    const char *endpoint = cli_option(cli, "--endpoint"), *problem;
    mnet_peer_facts_t *facts = mnet_peer_facts_create(cli_arg(cli, 0), cli->pool);
    int rv = tls_option(cli, facts);

    adding->facts = facts;
    facts->application = cli_option(cli, "--application");
    facts->endpoint = endpoint;
    if (rv == CLI_OK) {
        rv = charset_option(cli, facts);
    }
    if (rv == CLI_OK) {
        rv = services_options(cli, facts);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    problem = mnet_peer_problem(adding->host->site, facts, NULL, cli->pool);
    if (problem == NULL && endpoint != NULL) {
        problem = cli_endpoint_problem(cli, endpoint);
    }
    return problem == NULL ? CLI_OK : cli_fail(cli, "policy", "%s", problem);
}

/* Is it known, or does another one differ from it only in the scheme? */
static int look_around(adding_t *adding)
{
    const char *wwwroot = adding->facts->wwwroot;
    apr_array_header_t *list;
    int i, rv = cli_peers(adding->cli, adding->host, &list);

    for (i = 0; rv == CLI_OK && i < list->nelts; i++) {
        const mnet_peer_t *peer = APR_ARRAY_IDX(list, i, const mnet_peer_t *);

        if (strcmp(peer->facts->wwwroot, wwwroot) == 0) {
            adding->existing = peer;
        } else if (strcmp(mnet_wwwroot_bare(peer->facts->wwwroot), mnet_wwwroot_bare(wwwroot)) ==
                   0) {
            return cli_fail(adding->cli, "policy",
                            "%s is a peer already and differs only in the scheme, so that their "
                            "users would be one; remove it first if %s is right",
                            peer->facts->wwwroot, wwwroot);
        }
    }
    return rv;
}

/* --certificate FILE: pinned. */
static int read_certificate(adding_t *adding, const char *path)
{
    cli_t *cli = adding->cli;
    const char *why;
    apr_size_t len;
    char *pem;
    int rv = cli_read_file(cli, path, PEM_MAX, &pem, &len);

    if (rv != CLI_OK) {
        return rv;
    }
    if (mnet_certificate_read(cli->engine->crypto, pem, &adding->certificate, &why, cli->pool) !=
        APR_SUCCESS) {
        return cli_fail(cli, "trust", "%s: %s", path, why);
    }
    why = mnet_certificate_mismatch(adding->certificate, adding->facts->wwwroot, cli->pool);
    return why == NULL ? CLI_OK : cli_fail(cli, "trust", "%s is another site's: %s", path, why);
}

static int get_certificate(adding_t *adding)
{
    cli_t *cli = adding->cli;
    const char *path = cli_option(cli, "--certificate");
    const mnet_peer_facts_t *facts = adding->facts;
    int rv;

    if (path != NULL) {
        rv = read_certificate(adding, path);
    } else {
        if (adding->existing != NULL) {
            facts = mnet_peer_facts_merge(facts, adding->existing->facts, cli->pool);
            if (adding->existing->certificate != NULL) {
                return CLI_OK;
            }
        }
        rv = cli_fetch(cli, adding->host, facts, &adding->certificate, &adding->verified);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    cli_say(cli, "%s", facts->wwwroot);
    if (!cli->json) {
        cli_certificate(cli, adding->certificate,
                        path ? "from the file" : cli_channel(adding->verified));
    }
    if (path != NULL && cli_option(cli, "--fingerprint") == NULL) {
        adding->trusted = 1;
        return CLI_OK;
    }
    return cli_decide(cli, adding->certificate, &adding->trusted);
}

/* A mnet_peer_change_fn. */
static apr_status_t write_facts(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    adding_t *adding = baton;
    mnet_peer_facts_t *facts = mnet_peer_facts_merge(adding->facts, state->facts, pool);

    facts->active = 1;
    state->facts = facts;
    if (state->added == 0) {
        state->added = apr_time_now();
    }
    return APR_SUCCESS;
}

static int write_peer(adding_t *adding)
{
    cli_t *cli = adding->cli;
    const char *wwwroot = adding->facts->wwwroot, *why = "";
    apr_status_t rv =
        mnet_peers_change(adding->host->peers, wwwroot, write_facts, adding, cli->pool);

    if (rv == APR_SUCCESS && adding->certificate != NULL && adding->trusted) {
        rv = mnet_peers_accept(adding->host->peers, wwwroot, adding->certificate->pem,
                               MNET_TRUST_CONFIRMED, apr_time_now(), &why, cli->pool);
    } else if (rv == APR_SUCCESS && adding->certificate != NULL) {
        rv = mnet_peers_offer(adding->host->peers, wwwroot, adding->certificate->pem,
                              adding->verified
                                  ? "fetched by keyswap over verified TLS on first contact"
                                  : "fetched by keyswap on first contact, not verified",
                              cli->pool);
    }
    if (rv == MNET_E_INVALID && why != NULL && *why) {
        return cli_fail(cli, "trust", "%s", why);
    }
    return rv == APR_SUCCESS ? CLI_OK : cli_fail_rv(cli, rv, "%s could not be written", wwwroot);
}

static int added(adding_t *adding)
{
    cli_t *cli = adding->cli;
    const mnet_peer_t *peer;
    int rv = cli_peer(cli, adding->host, 0, &peer);

    if (rv != CLI_OK) {
        return rv;
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        mnet_set(answer, "peer", cli_peer_value(cli, peer));
        mnet_set(answer, "verified_tls", mnet_boolean(adding->verified, cli->pool));
        mnet_set(answer, "confirmed",
                 mnet_boolean(adding->certificate == NULL || adding->trusted, cli->pool));
        return cli_document(cli, answer);
    }
    cli_say(cli, "%s %s", adding->existing ? "changed" : "added", peer->facts->wwwroot);
    if (adding->certificate != NULL && !adding->trusted) {
        cli_say(cli,
                "its certificate waits: compare the fingerprint with what its administrator says, "
                "then\n  mnetctl peers confirm %s",
                peer->facts->wwwroot);
    }
    if (peer->configured) {
        cli_say(cli, "httpd's <MnetPeer> names it too, and wins field by field");
    }
    return CLI_OK;
}

static int add(cli_t *cli)
{
    adding_t adding = {.cli = cli};
    int rv = cli_site(cli, &adding.host);

    if (rv == CLI_OK) {
        rv = take_options(&adding);
    }
    if (rv == CLI_OK) {
        rv = look_around(&adding);
    }
    if (rv == CLI_OK) {
        rv = get_certificate(&adding);
    }
    if (rv == CLI_OK) {
        rv = write_peer(&adding);
    }
    return rv == CLI_OK ? added(&adding) : rv;
}

static const cli_option_t add_options[] = {{"--application", "NAME"},
                                           {"--endpoint", "URL"},
                                           {"--tls", "verify|insecure|CAFILE"},
                                           {"--charset", "auto|utf8|bytes"},
                                           {"--certificate", "FILE"},
                                           {"--publish", "a,b"},
                                           {"--subscribe", "a,b"},
                                           {"--fingerprint", "FP"},
                                           {"--yes", NULL},
                                           {NULL, NULL}};

const cli_command_t cli_add_commands[] = {
    {.group = "peers",
     .name = "add",
     .run = add,
     .least = 1,
     .most = 1,
     .options = add_options,
     .usage = "URL [OPTION...]",
     .summary = "Make a site a peer, or change one.",
     .help = "URL is the peer's wwwroot exactly as that site has it.  Its certificate is\n"
             "fetched by keyswap and shown; on a terminal you are asked whether it is the right\n"
             "one, else it waits for `peers confirm`.  A peer that is known already keeps its\n"
             "certificate and gets what the options say.\n\n"
             "  --application NAME   moodle (default), mahara, or a MnetDefineApplication\n"
             "  --endpoint URL       connect here instead; Host and TLS name stay URL's\n"
             "  --tls MODE           verify (default), insecure, or a file of CA certificates\n"
             "  --charset KIND       auto (default), utf8, bytes: the form of its text\n"
             "  --certificate FILE   the peer's certificate as PEM: pinned, nothing is fetched\n"
             "  --publish a,b        services it may call here\n"
             "  --subscribe a,b      services we call there; others as NAME=PATTERN\n"
             "  --fingerprint FP     confirmed if its SHA-256 or SHA-1 is this, else refused\n"
             "  --yes                confirmed without a question"},
    {NULL}};
