/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of the ledger: for people, and as CSV or JSON for other programs. */
#include "cli/ledger.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "base/status.h"
#include "school/csv.h"
#include "school/ledger_walk.h"
#include "wire/json.h"

static apr_status_t to_stdout(void *baton, const char *data, apr_size_t len)
{
    return fwrite(data, 1, len, stdout) == len ? APR_SUCCESS : APR_EGENERAL;
}

static const mnet_sink_t out = {to_stdout, NULL};

/* --- export --- */

typedef struct exporting_t {
    mnet_ledger_kind_e kind;
    const char *const *columns;
    int count, raw, first;
    apr_pool_t *scratch; /* of one row */
} exporting_t;

static apr_status_t csv_row(void *baton, const char *const *cells, const char *types)
{
    const exporting_t *exporting = baton;

    return mnet_csv_write(&out, cells, exporting->count, exporting->raw);
}

static apr_status_t json_row(void *baton, const char *const *cells, const char *types)
{
    exporting_t *exporting = baton;
    mnet_value_t *row;
    int i;

    apr_pool_clear(exporting->scratch);
    row = mnet_struct(exporting->scratch);
    for (i = 0; i < exporting->count; i++) {
        mnet_value_t *cell;
        double number;

        if (cells[i] == NULL) {
            cell = mnet_nil(exporting->scratch);
        } else if (types[i] == 'b') {
            cell = mnet_boolean(strcmp(cells[i], "yes") == 0, exporting->scratch);
        } else {
            cell = mnet_string(cells[i], exporting->scratch);
            if (types[i] == 'n' && mnet_as_double(cell, &number)) {
                apr_int64_t whole;

                cell = mnet_as_int(cell, &whole) ? mnet_int(whole, exporting->scratch)
                                                 : mnet_double(number, exporting->scratch);
            }
        }
        mnet_set(row, exporting->columns[i], cell);
    }
    fputs(exporting->first ? "\n    " : ",\n    ", stdout);
    exporting->first = 0;
    return mnet_value_to_json(row, 0, &out);
}

static int begin_export(cli_t *cli, mnet_ledger_kind_e kind, exporting_t *exporting)
{
    memset(exporting, 0, sizeof(*exporting));
    exporting->kind = kind;
    exporting->columns = mnet_ledger_columns(kind);
    while (exporting->columns[exporting->count] != NULL) {
        exporting->count++;
    }
    exporting->raw = cli_option(cli, "--raw") != NULL;
    exporting->first = 1;
    return apr_pool_create(&exporting->scratch, cli->pool) == APR_SUCCESS
               ? CLI_OK
               : cli_fail(cli, "state", "no memory");
}

static int export_csv(cli_t *cli, mnet_host_t *host, mnet_ledger_kind_e kind)
{
    exporting_t exporting;
    apr_status_t rv;

    if (begin_export(cli, kind, &exporting) != CLI_OK) {
        return CLI_FAILED;
    }
    rv = mnet_csv_write(&out, exporting.columns, exporting.count, 1);
    rv = rv != APR_SUCCESS ? rv : mnet_ledger_walk(host, kind, csv_row, &exporting, cli->pool);
    return rv == APR_SUCCESS ? CLI_OK : cli_fail_rv(cli, rv, "the export broke off");
}

static int export_json(cli_t *cli, mnet_host_t *host, mnet_ledger_kind_e only)
{
    mnet_value_t *wwwroot = mnet_string(host->site->wwwroot, cli->pool);
    exporting_t exporting;
    apr_status_t rv;
    int kind;

    fputs("{\n  \"wwwroot\": ", stdout);
    rv = mnet_value_to_json(wwwroot, 0, &out);
    for (kind = 0; rv == APR_SUCCESS && kind < MNET_LEDGER_KINDS; kind++) {
        if (only != MNET_LEDGER_KINDS && kind != (int)only) {
            continue;
        }
        if (begin_export(cli, (mnet_ledger_kind_e)kind, &exporting) != CLI_OK) {
            return CLI_FAILED;
        }
        printf(",\n  \"%s\": [", mnet_ledger_kind_name((mnet_ledger_kind_e)kind));
        rv = mnet_ledger_walk(host, (mnet_ledger_kind_e)kind, json_row, &exporting, cli->pool);
        fputs("\n  ]", stdout);
        apr_pool_destroy(exporting.scratch);
    }
    fputs("\n}\n", stdout);
    return rv == APR_SUCCESS ? CLI_OK : cli_fail_rv(cli, rv, "the export broke off");
}

static const char *kinds_in_words(const cli_t *cli)
{
    const char *list = "";
    int kind;

    for (kind = 0; kind < MNET_LEDGER_KINDS; kind++) {
        list = apr_pstrcat(cli->pool, list, kind > 0 ? ", " : "",
                           mnet_ledger_kind_name((mnet_ledger_kind_e)kind), NULL);
    }
    return list;
}

static int export(cli_t *cli)
{
    const char *what = cli_option(cli, "--what"), *format = cli_option(cli, "--format");
    int csv = format != NULL && strcmp(format, "csv") == 0;
    mnet_ledger_kind_e kind = MNET_LEDGER_KINDS;
    mnet_ledger_t ledger;
    int rv;

    if (format != NULL && !csv && strcmp(format, "json") != 0) {
        cli_fail(cli, "usage", "--format takes csv or json");
        return CLI_USAGE;
    }
    if (what != NULL) {
        kind = mnet_ledger_kind_of(what);
    }
    if ((what != NULL || csv) && kind == MNET_LEDGER_KINDS) {
        cli_fail(cli, "usage", "--what takes one of %s", kinds_in_words(cli));
        return CLI_USAGE;
    }
    rv = cli_ledger_begin(cli, MNET_READ, &ledger);
    if (rv != CLI_OK) {
        return rv;
    }
    mnet_ledger_abort(&ledger);
    return csv ? export_csv(cli, ledger.host, kind) : export_json(cli, ledger.host, kind);
}

/* --- lists --- */

typedef struct showing_t {
    const cli_t *cli;
    cli_table_t *table;
    int count;
} showing_t;

static apr_status_t show_row(void *baton, const char *const *cells, const char *types)
{
    showing_t *showing = baton;
    int i;

    for (i = 0; i < showing->count; i++) {
        const char *text = cells[i] != NULL && *cells[i] ? cells[i] : "-";

        APR_ARRAY_PUSH(showing->table->cells, const char *) =
            apr_pstrdup(showing->cli->pool, cli_clean(showing->cli, text));
    }
    return APR_SUCCESS;
}

static int list(cli_t *cli, mnet_ledger_kind_e kind)
{
    const char *const *columns = mnet_ledger_columns(kind);
    showing_t showing = {cli, NULL, 0};
    mnet_ledger_t ledger;
    apr_status_t failed;
    int i, rv = cli_ledger_begin(cli, MNET_READ, &ledger);

    if (rv != CLI_OK) {
        return rv;
    }
    mnet_ledger_abort(&ledger);
    if (cli->json) {
        return export_json(cli, ledger.host, kind);
    }
    while (columns[showing.count] != NULL) {
        showing.count++;
    }
    showing.table = cli_table(cli, showing.count);
    for (i = 0; i < showing.count; i++) {
        char *title = apr_pstrdup(cli->pool, columns[i]), *c;

        for (c = title; *c; c++) {
            *c = *c == '_' ? ' ' : *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
        }
        APR_ARRAY_PUSH(showing.table->cells, const char *) = title;
    }
    failed = mnet_ledger_walk(ledger.host, kind, show_row, &showing, cli->pool);
    if (failed != APR_SUCCESS) {
        return cli_fail_rv(cli, failed, "the ledger cannot be read");
    }
    cli_table_print(cli, showing.table, 2);
    return CLI_OK;
}

static int people(cli_t *cli)
{
    return list(cli, MNET_LEDGER_PEOPLE);
}

static int sections(cli_t *cli)
{
    return list(cli, MNET_LEDGER_SECTIONS);
}

static const cli_option_t export_options[] = {
    {"--format", "csv|json"}, {"--what", "KIND"}, {"--raw", NULL}, {NULL, NULL}};

const cli_command_t cli_ledger_export_commands[] = {
    {.group = "ledger",
     .name = "people",
     .run = people,
     .usage = "",
     .summary = "Everybody in the ledger, and whether they may log in here.",
     .help = "One line for each site that knows them."},
    {.group = "ledger",
     .name = "sections",
     .run = sections,
     .usage = "",
     .summary = "Every section, with its terms and where it came from.",
     .help = "TERMS are the numbers of its segments; none: it is an ongoing one."},
    {.group = "ledger",
     .name = "export",
     .run = export,
     .options = export_options,
     .usage = "[--format csv|json] [--what KIND] [--raw]",
     .summary = "Write the ledger as CSV or JSON.",
     .help = "KIND: people, sections, enrolments, assessments, grades or history; JSON (if no\n"
             "--format is given) without it has all of them.  Whatever there is, it is written as\n"
             "it is read, beside a running server.  A cell of CSV that a spreadsheet would take\n"
             "for a formula gets an apostrophe before it, unless --raw is given.  There are no\n"
             "passwords in a ledger.\n\n"
             "Example: mnetctl ledger export --format csv --what grades > grades.csv"},
    {.group = NULL}};
