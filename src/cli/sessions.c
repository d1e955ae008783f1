/* SPDX-License-Identifier: Apache-2.0 */

/* Sessions of users who landed here. */
#include "cli/cli.h"

#include <string.h>

#include <apr_strings.h>

#include "service/session.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000000
#define KEY_LEN      64
#define KEY_SHOWN    16 /* digits in a table: enough to name one by */

static const cli_option_t list_options[] = {
    {"--peer", "URL"}, {"--user", "NAME"}, {"--max", "N"}, {NULL, NULL}};
static const cli_option_t kill_options[] = {{"--peer", "URL"}, {"--user", "NAME"}, {NULL, NULL}};

/* --- list --- */

static mnet_value_t *session_value(const cli_t *cli, const mnet_host_t *host, const void *one_of)
{
    const mnet_session_t *session = one_of;
    mnet_value_t *value = mnet_struct(cli->pool), *attributes = mnet_struct(cli->pool);
    int i;

    for (i = 0; i < session->attributes->nelts; i++) {
        const mnet_attribute_t *one = &APR_ARRAY_IDX(session->attributes, i, mnet_attribute_t);

        mnet_set(attributes, one->name, mnet_string(one->value, cli->pool));
    }
    mnet_set(value, "key", mnet_string(session->key, cli->pool));
    mnet_set(value, "peer", mnet_string(session->peer, cli->pool));
    mnet_set(value, "username", mnet_string(session->username, cli->pool));
    mnet_set(value, "created", cli_date_value(cli, session->created));
    mnet_set(value, "used", cli_date_value(cli, session->used));
    mnet_set(value, "expires", cli_date_value(cli, session->expires));
    mnet_set(value, "attributes", attributes);
    return value;
}

static void list_text(const cli_t *cli, const apr_array_header_t *list)
{
    cli_table_t *table = cli_table(cli, 5);
    int i;

    if (list->nelts == 0) {
        cli_say(cli, "  nobody is signed in");
        return;
    }
    cli_row(table, "KEY", "USER", "PEER", "SIGNED IN", "LAST USED", NULL);
    for (i = 0; i < list->nelts; i++) {
        const mnet_session_t *session = APR_ARRAY_IDX(list, i, const mnet_session_t *);

        cli_row(table, apr_pstrndup(cli->pool, session->key, KEY_SHOWN),
                cli_clean(cli, session->username), session->peer, cli_date(cli, session->created),
                cli_date(cli, session->used), NULL);
    }
    cli_table_print(cli, table, 2);
}

static apr_status_t find_sessions(const cli_t *cli, mnet_host_t *host, int max,
                                  apr_array_header_t **found)
{
    return mnet_sessions_list(host, cli_option(cli, "--peer"), cli_option(cli, "--user"), max,
                              apr_time_now(), found, cli->pool);
}

static int list(cli_t *cli)
{
    static const cli_listing_t sessions = {"sessions", "the sessions cannot be read", find_sessions,
                                           list_text, session_value};

    return cli_list(cli, &sessions, LIST_DEFAULT, LIST_MAX);
}

/* --- kill --- */

static int is_named(const cli_t *cli, const mnet_session_t *session)
{
    const char *peer = cli_option(cli, "--peer"), *user = cli_option(cli, "--user");
    int i;

    if ((peer != NULL && strcmp(session->peer, peer) != 0) ||
        (user != NULL && strcmp(session->username, user) != 0)) {
        return 0;
    }
    for (i = 0; i < cli->args->nelts; i++) {
        const char *key = cli_arg(cli, i);

        if (strncmp(session->key, key, strlen(key)) == 0) {
            return 1;
        }
    }
    return cli->args->nelts == 0;
}

/* Keys may be cut short as the list shows them, but not to nothing. */
static int check_kill(const cli_t *cli)
{
    int i;

    if (cli->args->nelts == 0 && cli_option(cli, "--peer") == NULL &&
        cli_option(cli, "--user") == NULL) {
        cli_fail(cli, "usage",
                 "say which: keys as `mnetctl sessions list` shows them, --user or --peer");
        return CLI_USAGE;
    }
    for (i = 0; i < cli->args->nelts; i++) {
        apr_size_t len = strlen(cli_arg(cli, i));

        if (len < KEY_SHOWN || len > KEY_LEN ||
            strspn(cli_arg(cli, i), "0123456789abcdef") != len) {
            cli_fail(cli, "usage", "%s is no key of a session: they have %d to %d digits",
                     cli_arg(cli, i), KEY_SHOWN, KEY_LEN);
            return CLI_USAGE;
        }
    }
    return CLI_OK;
}

static int kill_at(cli_t *cli, mnet_host_t *host, int *ended)
{
    apr_array_header_t *found;
    apr_status_t status =
        mnet_sessions_list(host, cli_option(cli, "--peer"), cli_option(cli, "--user"), LIST_MAX,
                           apr_time_now(), &found, cli->pool);
    int i;

    for (i = 0; status == APR_SUCCESS && i < found->nelts; i++) {
        const mnet_session_t *session = APR_ARRAY_IDX(found, i, const mnet_session_t *);

        if (is_named(cli, session)) {
            status = mnet_session_end_key(host, session->key, cli->pool);
            *ended += status == APR_SUCCESS;
            status = APR_STATUS_IS_NOTFOUND(status) ? APR_SUCCESS : status;
        }
    }
    return status == APR_SUCCESS ? CLI_OK
                                 : cli_fail_rv(cli, status, "%d sessions ended, then", *ended);
}

static int kill_sessions(cli_t *cli)
{
    apr_array_header_t *hosts;
    int i, ended = 0, rv = check_kill(cli);

    rv = rv != CLI_OK ? rv : cli_sites(cli, &hosts);
    for (i = 0; rv == CLI_OK && i < hosts->nelts; i++) {
        rv = kill_at(cli, APR_ARRAY_IDX(hosts, i, mnet_host_t *), &ended);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    if (ended == 0) {
        return cli_fail(cli, "state",
                        "there is no such session: `mnetctl sessions list` shows all");
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        mnet_set(answer, "ended", mnet_int(ended, cli->pool));
        return cli_document(cli, answer);
    }
    cli_say(cli, "ended: %d", ended);
    return CLI_OK;
}

const cli_command_t cli_sessions_commands[] = {
    {.group = "sessions",
     .name = "list",
     .run = list,
     .options = list_options,
     .usage = "[--peer URL] [--user NAME] [--max N]",
     .summary = "Who is signed in here from a peer.",
     .help = "Shows the newest sessions of each site, or of the one that -w names.  NAME is\n"
             "the user's name at the peer.  LAST USED is what the state directory has, which\n"
             "may be a minute behind the running server."},
    {.group = "sessions",
     .name = "kill",
     .run = kill_sessions,
     .most = -1,
     .options = kill_options,
     .usage = "[KEY...] [--peer URL] [--user NAME]",
     .summary = "End sessions here.",
     .help = "Ends those that the keys name (as `sessions list` shows them), or all of a user\n"
             "or a peer, in a running server as well.  Peers are not told: to keep a user out,\n"
             "deny them with MnetUserAccess.\n\n"
             "Example: mnetctl sessions kill --peer https://moodle.example.org --user alice"},
    {.group = NULL}};
