/* SPDX-License-Identifier: Apache-2.0 */

/* mnetctl: looks after a site's keys and peers, and calls peers, beside a running server or
 * without one. */
#include "cli/cli.h"
#include "cli/ledger.h"

#include <signal.h>
#include <stdio.h>

#include <apr_general.h>

#include "base/status.h"

static const cli_command_t *const tables[] = {
    cli_keys_commands,        cli_peers_commands,         cli_add_commands,
    cli_trust_commands,       cli_call_commands,          cli_doctor_commands,
    cli_transfer_commands,    cli_sessions_commands,      cli_queue_commands,
    cli_portfolio_commands,   cli_ledger_commands,        cli_ledger_report_commands,
    cli_ledger_hand_commands, cli_ledger_export_commands, cli_ledger_import_commands,
    cli_ledger_sync_commands, cli_enrol_commands,         NULL};

/* The library's lines go where they do not mix with an answer. */
static void write_log(void *baton, int level, apr_status_t rv, const char *id, const char *text)
{
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
    int i = level < MNET_LOG_ERR ? 0 : level > MNET_LOG_DEBUG ? 4 : level - MNET_LOG_ERR;
    char why[200];

    if (rv == APR_SUCCESS) {
        fprintf(stderr, "mnetctl: %s: %s: %s\n", names[i], id, text);
    } else {
        fprintf(stderr, "mnetctl: %s: %s: %s: %s\n", names[i], id, text,
                mnet_strerror(rv, why, sizeof(why)));
    }
}

static int run(int argc, const char *const *argv)
{
    apr_pool_t *pool;
    cli_t *cli;
    int status;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fputs("mnetctl: no memory\n", stderr);
        return CLI_FAILED;
    }
    cli = apr_pcalloc(pool, sizeof(*cli));
    cli->pool = pool;
    cli->state_dir = MNET_STATE_DIR;
    cli->log.write = write_log;
    cli->log.level = MNET_LOG_WARNING;
    status = cli_parse(cli, tables, argc, argv);
    if (status == CLI_OK) {
        status = cli->help ? cli_help(cli, tables, cli_arg(cli, 0), cli_arg(cli, 1))
                           : cli->command->run(cli);
    }
    /* A full disk or a closed pipe is no success. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == CLI_OK) {
        perror("mnetctl: standard output");
        status = CLI_FAILED;
    }
    apr_pool_destroy(pool);
    return status;
}

int main(int argc, const char *const *argv, const char *const *env)
{
    int status;

    if (apr_app_initialize(&argc, &argv, &env) != APR_SUCCESS) {
        fputs("mnetctl: APR does not start\n", stderr);
        return CLI_FAILED;
    }
    /* What a reader left is seen by fflush. */
    signal(SIGPIPE, SIG_IGN);
    status = run(argc, argv);
    apr_terminate();
    return status;
}
