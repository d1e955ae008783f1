/* SPDX-License-Identifier: Apache-2.0 */

/* mnetctl ledger import: a spreadsheet, all of it or nothing. */
#include "cli/ledger.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/status.h"
#include "school/csv.h"
#include "school/hand.h"

#define FILE_MAX   ((apr_size_t)256 << 20)
#define ERRORS_MAX 50

/* What there is, its columns, and those by which a header is known. */
static const struct {
    const char *name;
    mnet_hand_fn *hand;
    const char *needs[4];
    const char *columns[12];
} kinds[] = {
    {"grades",
     mnet_hand_grade,
     {"user", "points", NULL},
     {"section", "assessment", "assessment_name", "user", "points", "attempt", "excepted", NULL}},
    {"assessments",
     mnet_hand_assessment,
     {"name", "points_possible", NULL},
     {"section", "assessment", "name", "points_possible", "chapter", "honors_required",
      "nonhonors_required", "extra_credit", NULL}},
    {"enrolments",
     mnet_hand_enrolment,
     {"user", "section", NULL},
     {"user", "section", "role", "status", "code", "note", NULL}},
    {"people",
     mnet_hand_person,
     {"lastname", NULL},
     {"idnumber", "username", "peer", "firstname", "lastname", "email", "may_log_in", NULL}},
    {"sections", mnet_hand_section, {"name", NULL}, {"section", "name", "terms", "teacher", NULL}}};

#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

/* Other words for a column, and those of an export that say nothing new. */
static const struct {
    const char *word, *column; /* "": is passed over */
} words[] = {{"student", "user"},
             {"userid", "user"},
             {"user_id", "user"},
             {"sectionid", "section"},
             {"section_id", "section"},
             {"assessmentid", "assessment"},
             {"assignment", "assessment"},
             {"points_earned", "points"},
             {"grade", "points"},
             {"pointval", "points_possible"},
             {"max_points", "points_possible"},
             {"points_max", "points_possible"},
             {"term", "terms"},
             {"segment", "terms"},
             {"first_name", "firstname"},
             {"last_name", "lastname"},
             {"attempt_num", "attempt"},
             {"chapternum", "chapter"},
             {"source", ""},
             {"since", ""},
             {"section_name", ""}};

typedef struct importing_t {
    cli_t *cli;
    mnet_ledger_t ledger;
    mnet_csv_t csv;
    const char *file;
    int kind;                    /* of kinds; -1: a gradebook */
    apr_array_header_t *columns; /* const char *: what each cell is; "": nothing */
    apr_array_header_t *titles;  /* const char *: as the file has them */
    const char *section;         /* --section */
    mnet_value_t *errors;
    int rows;
} importing_t;

static void error(importing_t *importing, int line, const char *column, const char *why)
{
    cli_t *cli = importing->cli;
    mnet_value_t *one = mnet_struct(cli->pool);

    if (mnet_count(importing->errors) >= ERRORS_MAX) {
        return;
    }
    mnet_set(one, "line", mnet_int(line, cli->pool));
    mnet_set(one, "column", mnet_string(column, cli->pool));
    mnet_set(one, "message", mnet_string(why, cli->pool));
    mnet_append(importing->errors, one);
    if (!cli->json) {
        cli_warn(cli, "%s: line %d, column %s: %s", importing->file, line, column, why);
    }
}

/* --- the header --- */

/* "First name" as "first_name". */
static const char *normal(const char *title, apr_pool_t *pool)
{
    char *name = apr_pstrdup(pool, title), *c;
    apr_size_t len;
    apr_size_t i;

    while (*name == ' ') {
        name++;
    }
    for (len = strlen(name); len > 0 && name[len - 1] == ' '; len--) {
        name[len - 1] = '\0';
    }
    for (c = name; *c; c++) {
        *c = *c == ' ' || *c == '-' ? '_' : *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, name) == 0) {
            return words[i].column;
        }
    }
    return name;
}

static int has(const apr_array_header_t *list, const char *name)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(list, i, const char *), name) == 0) {
            return 1;
        }
    }
    return 0;
}

static int is_column(int kind, const char *name)
{
    int i;

    for (i = 0; kinds[kind].columns[i] != NULL; i++) {
        if (strcmp(kinds[kind].columns[i], name) == 0) {
            return 1;
        }
    }
    return 0;
}

static int fits(const importing_t *importing, int kind)
{
    int i;

    for (i = 0; kinds[kind].needs[i] != NULL; i++) {
        const char *need = kinds[kind].needs[i];

        if (!has(importing->columns, need) &&
            !(strcmp(need, "section") == 0 && importing->section != NULL)) {
            return 0;
        }
    }
    return 1;
}

/* "a, b and c" */
static const char *columns_of(const cli_t *cli, int kind)
{
    const char *list = "";
    int i;

    for (i = 0; kinds[kind].columns[i] != NULL; i++) {
        list = apr_pstrcat(cli->pool, list, i > 0 ? ", " : "", kinds[kind].columns[i], NULL);
    }
    return list;
}

/* In an export of grades or enrolments, "name" is a person's, which says nothing new. */
static void drop_names(importing_t *importing)
{
    int i;

    for (i = 0; i < importing->columns->nelts; i++) {
        const char **column = &APR_ARRAY_IDX(importing->columns, i, const char *);
        const char *name = kinds[importing->kind].name;

        if ((strcmp(name, "grades") == 0 &&
             (strcmp(*column, "name") == 0 || strcmp(*column, "points_possible") == 0)) ||
            (strcmp(name, "enrolments") == 0 && strcmp(*column, "name") == 0) ||
            (strcmp(name, "sections") == 0 && strcmp(*column, "peer") == 0)) {
            *column = "";
        }
    }
}

static int check_columns(importing_t *importing)
{
    cli_t *cli = importing->cli;
    int i, k;

    for (i = 0; i < importing->columns->nelts; i++) {
        const char *name = APR_ARRAY_IDX(importing->columns, i, const char *);
        const char *title = APR_ARRAY_IDX(importing->titles, i, const char *);

        if (!*name) {
            continue;
        }
        if (!is_column(importing->kind, name)) {
            error(importing, importing->csv.line, *title ? title : apr_itoa(cli->pool, i + 1),
                  apr_psprintf(cli->pool, "%s have no such column; they have: %s",
                               kinds[importing->kind].name, columns_of(cli, importing->kind)));
        }
        for (k = 0; k < i; k++) {
            if (strcmp(APR_ARRAY_IDX(importing->columns, k, const char *), name) == 0) {
                error(importing, importing->csv.line, title, "the column is there twice");
            }
        }
    }
    return CLI_OK;
}

/* The titles of a gradebook are names of assessments, exactly. */
static int check_titles(importing_t *importing)
{
    int i, k;

    for (i = 0; i < importing->titles->nelts; i++) {
        const char *title = APR_ARRAY_IDX(importing->titles, i, const char *);

        for (k = 0; *title && k < i; k++) {
            if (strcmp(APR_ARRAY_IDX(importing->titles, k, const char *), title) == 0) {
                error(importing, importing->csv.line, title, "the column is there twice");
            }
        }
    }
    return CLI_OK;
}

static int choose_kind(importing_t *importing)
{
    cli_t *cli = importing->cli;
    const char *what = cli_option(cli, "--what");
    int i;

    if (what != NULL && strcmp(what, "gradebook") == 0) {
        importing->kind = -1;
        if (importing->section == NULL || !has(importing->columns, "user")) {
            cli_fail(cli, "usage", "a gradebook needs --section and a column user");
            return CLI_USAGE;
        }
        return check_titles(importing);
    }
    for (i = 0; i < KINDS; i++) {
        if (what != NULL ? strcmp(what, kinds[i].name) == 0 : fits(importing, i)) {
            importing->kind = i;
            drop_names(importing);
            return check_columns(importing);
        }
    }
    if (what != NULL) {
        cli_fail(cli, "usage",
                 "--what takes grades, assessments, enrolments, people, sections or gradebook");
        return CLI_USAGE;
    }
    error(importing, importing->csv.line, "1",
          "the first line must name the columns, as in user,section,assessment,points");
    return CLI_OK;
}

static int read_header(importing_t *importing)
{
    cli_t *cli = importing->cli;
    apr_status_t rv = mnet_csv_row(&importing->csv, &importing->titles, cli->pool);
    int i;

    importing->columns = apr_array_make(cli->pool, 8, sizeof(const char *));
    if (rv == MNET_E_INVALID) {
        error(importing, importing->csv.line, apr_itoa(cli->pool, importing->csv.column),
              importing->csv.why);
        return CLI_OK;
    }
    if (rv != APR_SUCCESS) {
        return cli_fail(cli, "refused", "%s is empty: the first line names the columns",
                        importing->file);
    }
    for (i = 0; i < importing->titles->nelts; i++) {
        APR_ARRAY_PUSH(importing->columns, const char *) =
            normal(APR_ARRAY_IDX(importing->titles, i, const char *), cli->pool);
    }
    return choose_kind(importing);
}

/* --- rows --- */

/* The title of the column that a refusal names. */
static const char *title_of(const importing_t *importing, const char *column)
{
    int i;

    for (i = 0; i < importing->columns->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(importing->columns, i, const char *), column) == 0) {
            return APR_ARRAY_IDX(importing->titles, i, const char *);
        }
    }
    return column;
}

static apr_status_t one(importing_t *importing, mnet_hand_fn *hand, mnet_value_t *row,
                        const char *column)
{
    mnet_ledger_t *ledger = &importing->ledger;
    apr_status_t rv;

    if (importing->section != NULL && mnet_get(row, "section") == NULL) {
        mnet_set(row, "section", mnet_string(importing->section, ledger->pool));
    }
    rv = hand(ledger, row);
    if (rv == MNET_E_REFUSED) {
        error(importing, importing->csv.line,
              column != NULL ? column : title_of(importing, ledger->field), ledger->why);
        return APR_SUCCESS;
    }
    return rv;
}

static apr_status_t gradebook_row(importing_t *importing, const apr_array_header_t *cells,
                                  apr_pool_t *pool)
{
    const char *user = "";
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < cells->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(importing->columns, i, const char *), "user") == 0) {
            user = APR_ARRAY_IDX(cells, i, const char *);
        }
    }
    for (i = 0; rv == APR_SUCCESS && i < cells->nelts; i++) {
        const char *name = APR_ARRAY_IDX(importing->columns, i, const char *);
        const char *title = APR_ARRAY_IDX(importing->titles, i, const char *);
        mnet_value_t *row = mnet_struct(pool);

        if (strcmp(name, "user") == 0 || strcmp(name, "name") == 0 ||
            strcmp(name, "firstname") == 0 || strcmp(name, "lastname") == 0 || !*name ||
            !*APR_ARRAY_IDX(cells, i, const char *)) {
            continue;
        }
        mnet_set(row, "user", mnet_string(user, pool));
        mnet_set(row, "assessment", mnet_string(title, pool));
        mnet_set(row, "points", mnet_string(APR_ARRAY_IDX(cells, i, const char *), pool));
        rv = one(importing, mnet_hand_grade, row, title);
    }
    return rv;
}

static apr_status_t plain_row(importing_t *importing, const apr_array_header_t *cells,
                              apr_pool_t *pool)
{
    mnet_value_t *row = mnet_struct(pool);
    int i;

    for (i = 0; i < cells->nelts; i++) {
        const char *name = APR_ARRAY_IDX(importing->columns, i, const char *);
        const char *cell = APR_ARRAY_IDX(cells, i, const char *);

        if (*name && *cell) {
            mnet_set(row, name, mnet_string(cell, pool));
        }
    }
    return one(importing, kinds[importing->kind].hand, row, NULL);
}

static apr_status_t read_rows(importing_t *importing)
{
    cli_t *cli = importing->cli;
    apr_pool_t *keep = importing->ledger.pool, *pool;
    apr_array_header_t *cells;
    apr_status_t rv = apr_pool_create(&pool, keep);

    while (rv == APR_SUCCESS) {
        apr_pool_clear(pool);
        importing->ledger.pool = pool;
        rv = mnet_csv_row(&importing->csv, &cells, pool);
        if (rv == MNET_E_INVALID) {
            error(importing, importing->csv.line, apr_itoa(cli->pool, importing->csv.column),
                  importing->csv.why);
            rv = APR_EOF; /* where a row ends is not known any more */
        }
        if (rv != APR_SUCCESS) {
            break;
        }
        importing->rows++;
        while (cells->nelts > importing->columns->nelts &&
               !*APR_ARRAY_IDX(cells, cells->nelts - 1, const char *)) {
            apr_array_pop(cells);
        }
        if (cells->nelts > importing->columns->nelts) {
            error(importing, importing->csv.line, apr_itoa(cli->pool, cells->nelts),
                  "there are more cells than the first line has columns");
            continue;
        }
        rv = importing->kind < 0 ? gradebook_row(importing, cells, pool)
                                 : plain_row(importing, cells, pool);
    }
    importing->ledger.pool = keep;
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static int finish(importing_t *importing, apr_status_t rv)
{
    cli_t *cli = importing->cli;
    mnet_value_t *answer, *inner;

    if (rv != APR_SUCCESS || mnet_count(importing->errors) == 0) {
        return cli_ledger_end(cli, &importing->ledger, rv);
    }
    mnet_ledger_abort(&importing->ledger);
    if (!cli->json) {
        return cli_fail(cli, "refused", "%s: nothing of it was entered", importing->file);
    }
    answer = mnet_struct(cli->pool);
    inner = mnet_struct(cli->pool);
    mnet_set(inner, "kind", mnet_string("refused", cli->pool));
    mnet_set(inner, "code", mnet_int(0, cli->pool));
    mnet_set(inner, "message", mnet_string("nothing of it was entered", cli->pool));
    mnet_set(inner, "errors", importing->errors);
    mnet_set(answer, "error", inner);
    cli_document(cli, answer);
    return CLI_FAILED;
}

static int import(cli_t *cli)
{
    importing_t *importing = apr_pcalloc(cli->pool, sizeof(*importing));
    apr_status_t failed = APR_SUCCESS;
    apr_size_t len;
    char *text;
    int rv;

    importing->cli = cli;
    importing->file = cli_arg(cli, 0);
    importing->section = cli_option(cli, "--section");
    importing->errors = mnet_array(cli->pool);
    rv = cli_read_file(cli, importing->file, FILE_MAX, &text, &len);
    if (rv != CLI_OK) {
        return rv;
    }
    mnet_csv_begin(&importing->csv, text, len);
    rv = read_header(importing);
    rv = rv != CLI_OK ? rv : cli_ledger_begin(cli, MNET_WRITE, &importing->ledger);
    if (rv != CLI_OK) {
        return rv;
    }
    if (mnet_count(importing->errors) == 0) {
        failed = read_rows(importing);
    }
    return finish(importing, failed);
}

static const cli_option_t import_options[] = {
    {"--what", "KIND"}, {"--section", "SECTION"}, {"--by", "NAME"}, {NULL, NULL}};

const cli_command_t cli_ledger_import_commands[] = {
    {.group = "ledger",
     .name = "import",
     .run = import,
     .least = 1,
     .most = 1,
     .options = import_options,
     .usage = "FILE.csv [--what KIND] [--section SECTION] [--by NAME]",
     .summary = "Enter a spreadsheet, all of it or nothing.",
     .help = "The first line names the columns, which say what it is, unless --what does:\n"
             "  people       idnumber, username, peer, firstname, lastname, email, may_log_in\n"
             "  sections     section, name, terms, teacher\n"
             "  enrolments   user, section, role, status, code, note\n"
             "  assessments  section, assessment, name, points_possible, chapter,\n"
             "               honors_required, nonhonors_required, extra_credit\n"
             "  grades       user, section, assessment (or assessment_name), points, attempt,\n"
             "               excepted\n"
             "  gradebook    user, and a column for each assessment of --section\n"
             "Comma, semicolon or tab; UTF-8.  --section: the section of every row without one.\n"
             "A mistake is told with its line and column, and then nothing is entered.  What is\n"
             "there already stays as it is, so that a file can be entered twice."},
    {.group = NULL}};
