/* SPDX-License-Identifier: Apache-2.0 */

/* mnetctl ledger sync: everything that a peer has for the ledger, as often as one likes. */
#include "cli/ledger.h"

#include "base/status.h"
#include "school/ledger_pull.h"

static int answer(const cli_t *cli, const mnet_pull_t *pull)
{
    mnet_value_t *value = mnet_struct(cli->pool);

    mnet_set(value, "peer", mnet_string(pull->peer, cli->pool));
    mnet_set(value, "added", mnet_int(pull->added, cli->pool));
    mnet_set(value, "changed", mnet_int(pull->changed, cli->pool));
    mnet_set(value, "same", mnet_int(pull->same, cli->pool));
    mnet_set(value, "changes", cli_texts_value(cli, pull->told));
    mnet_set(value, "notes", cli_texts_value(cli, pull->notes));
    return cli_document(cli, value);
}

static void say(const cli_t *cli, const mnet_pull_t *pull)
{
    int i;

    for (i = 0; i < pull->told->nelts; i++) {
        cli_say(cli, "%s", cli_clean(cli, APR_ARRAY_IDX(pull->told, i, const char *)));
    }
    if (pull->added + pull->changed > pull->told->nelts) {
        cli_say(cli, "... and more");
    }
    for (i = 0; i < pull->notes->nelts; i++) {
        cli_warn(cli, "%s", APR_ARRAY_IDX(pull->notes, i, const char *));
    }
    cli_say(cli,
            "%s: %" APR_INT64_T_FMT " added, %" APR_INT64_T_FMT " changed, %" APR_INT64_T_FMT
            " as they were",
            pull->peer, pull->added, pull->changed, pull->same);
}

static int sync_with(cli_t *cli)
{
    const mnet_peer_t *peer;
    mnet_ledger_t ledger;
    mnet_pull_t pull;
    apr_status_t failed;
    int rv = cli_ledger_begin(cli, MNET_READ, &ledger);

    if (rv != CLI_OK) {
        return rv;
    }
    mnet_ledger_abort(&ledger);
    rv = cli_peer(cli, ledger.host, 0, &peer);
    if (rv != CLI_OK) {
        return rv;
    }
    mnet_pull_begin(&pull, ledger.host, peer->facts->wwwroot, apr_time_now(), cli->pool);
    pull.even_if_down = 1;
    failed = mnet_pull_all(&pull);
    if (failed == MNET_E_PEER && pull.reply != NULL) {
        if (pull.added + pull.changed > 0) {
            say(cli, &pull);
        }
        return cli_fail_reply(cli, pull.reply);
    }
    if (failed != APR_SUCCESS) {
        return cli_fail_rv(cli, failed, "%s could not be synchronised with", pull.peer);
    }
    if (cli->json) {
        return answer(cli, &pull);
    }
    say(cli, &pull);
    return CLI_OK;
}

const cli_command_t cli_ledger_sync_commands[] = {
    {.group = "ledger",
     .name = "sync",
     .run = sync_with,
     .least = 1,
     .most = 1,
     .usage = "PEER",
     .summary = "Fetch everything that a site has for the ledger.",
     .help = "Asks for list_everything, if the site has that, for the enrolments of each of its\n"
             "users (list_user_enrolments), and for its courses with our users in them\n"
             "(mnet_enrol); for what we subscribe to.  What it tells no more is withdrawn, not\n"
             "erased; what was entered by hand stays.  Says what changed: a second run changes\n"
             "nothing.  For now and then, run it from cron.\n\n"
             "A site may also push it, in one call of synchronise: see docs/ledger.md."},
    {.group = NULL}};
