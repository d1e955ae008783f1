/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_CLI_LEDGER_H
#define MNET_CLI_LEDGER_H

/* What the commands about the ledger share. */

#include "cli/cli.h"
#include "school/ledger.h"

/* The tables of the groups ledger and enrol. */
extern const cli_command_t cli_ledger_commands[];        /* status, people, sections, report, ... */
extern const cli_command_t cli_ledger_report_commands[]; /* report */
extern const cli_command_t cli_ledger_hand_commands[];   /* section, enrol, withdraw, grade, ... */
extern const cli_command_t cli_ledger_export_commands[]; /* export */
extern const cli_command_t cli_ledger_import_commands[]; /* import */
extern const cli_command_t cli_ledger_sync_commands[];   /* sync */
extern const cli_command_t cli_enrol_commands[];

/* The site, which must have a ledger, and a transaction in it; what is entered is by hand, by the
 * person of --by if there is that option. */
int cli_ledger_begin(cli_t *cli, mnet_txn_e kind, mnet_ledger_t *ledger);
/* Ends it, commits if rv allows, and says what was done.  A refusal is said with its field. */
int cli_ledger_end(cli_t *cli, mnet_ledger_t *ledger, apr_status_t rv);
/* Why an operation failed, in words. */
int cli_ledger_fail(const cli_t *cli, const mnet_ledger_t *ledger, apr_status_t rv);
/* Those that a text names; says so if there is none, or several. */
int cli_ledger_person(const cli_t *cli, mnet_ledger_t *ledger, const char *name,
                      mnet_person_t **person);
int cli_ledger_section(const cli_t *cli, mnet_ledger_t *ledger, const char *name,
                       mnet_section_t **section);
int cli_ledger_item(const cli_t *cli, mnet_ledger_t *ledger, const mnet_section_t *section,
                    const char *name, mnet_item_t **item);
/* "2026-11-22" (to its end), or with a time, in UTC.  CLI_USAGE after saying what is wrong. */
int cli_ledger_date(const cli_t *cli, const char *text, apr_time_t *when);
/* "3", "3.5" */
const char *cli_points(const cli_t *cli, double points);
/* The day of a date that cli_date wrote. */
const char *cli_day(const cli_t *cli, const char *date);

#endif
