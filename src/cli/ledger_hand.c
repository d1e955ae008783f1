/* SPDX-License-Identifier: Apache-2.0 */

/* What a counsellor or a teacher enters in the ledger by hand. */
#include "cli/ledger.h"

#include <string.h>

#include <apr_strings.h>

#include "base/number.h"
#include "school/hand.h"

/* An option or an argument as a column of a row. */
static void set(const cli_t *cli, mnet_value_t *row, const char *column, const char *text)
{
    if (text != NULL) {
        mnet_set(row, column, mnet_string(text, cli->pool));
    }
}

static void set_flag(const cli_t *cli, mnet_value_t *row, const char *column, const char *option)
{
    if (cli_option(cli, option) != NULL) {
        mnet_set(row, column, mnet_string("yes", cli->pool));
    }
}

static int enter(cli_t *cli, mnet_hand_fn *hand, const mnet_value_t *row)
{
    mnet_ledger_t ledger;
    int rv = cli_ledger_begin(cli, MNET_WRITE, &ledger);

    return rv != CLI_OK ? rv : cli_ledger_end(cli, &ledger, hand(&ledger, row));
}

static int person(cli_t *cli)
{
    mnet_value_t *row = mnet_struct(cli->pool);

    set(cli, row, "idnumber", cli_option(cli, "--idnumber"));
    set(cli, row, "username", cli_option(cli, "--username"));
    set(cli, row, "peer", cli_option(cli, "--peer"));
    set(cli, row, "firstname", cli_option(cli, "--first"));
    set(cli, row, "lastname", cli_option(cli, "--last"));
    set(cli, row, "email", cli_option(cli, "--email"));
    set_flag(cli, row, "may_log_in", "--allow");
    return enter(cli, mnet_hand_person, row);
}

static int section(cli_t *cli)
{
    mnet_value_t *row = mnet_struct(cli->pool);

    set(cli, row, "name", cli_arg(cli, 0));
    set(cli, row, "section", cli_option(cli, "--idnumber"));
    set(cli, row, "terms", cli_option(cli, "--term"));
    set(cli, row, "teacher", cli_option(cli, "--teacher"));
    return enter(cli, mnet_hand_section, row);
}

static mnet_value_t *enrolment_row(const cli_t *cli)
{
    mnet_value_t *row = mnet_struct(cli->pool);

    set(cli, row, "user", cli_arg(cli, 0));
    set(cli, row, "section", cli_arg(cli, 1));
    set(cli, row, "role", cli_option(cli, "--role"));
    set(cli, row, "status", cli_option(cli, "--status"));
    set(cli, row, "code", cli_option(cli, "--code"));
    set(cli, row, "note", cli_option(cli, "--note"));
    return row;
}

static int enrol(cli_t *cli)
{
    mnet_value_t *row = enrolment_row(cli);

    if (cli_option(cli, "--status") == NULL) {
        set(cli, row, "status", "active");
    }
    return enter(cli, mnet_hand_enrolment, row);
}

static int withdraw(cli_t *cli)
{
    mnet_value_t *row = enrolment_row(cli);

    if (cli_option(cli, "--failing") != NULL) {
        set(cli, row, "status", "withdrawn failing");
    }
    set(cli, row, "withdraw", "yes");
    return enter(cli, mnet_hand_enrolment, row);
}

static int assessment(cli_t *cli)
{
    mnet_value_t *row = mnet_struct(cli->pool);

    set(cli, row, "section", cli_arg(cli, 0));
    set(cli, row, "name", cli_arg(cli, 1));
    set(cli, row, "assessment", cli_option(cli, "--idnumber"));
    set(cli, row, "points_possible", cli_option(cli, "--points"));
    set(cli, row, "chapter", cli_option(cli, "--chapter"));
    set_flag(cli, row, "honors_required", "--honors");
    set_flag(cli, row, "nonhonors_required", "--nonhonors");
    set_flag(cli, row, "extra_credit", "--extra-credit");
    return enter(cli, mnet_hand_assessment, row);
}

static int grade(cli_t *cli)
{
    mnet_value_t *row = mnet_struct(cli->pool);

    set(cli, row, "user", cli_arg(cli, 0));
    set(cli, row, "section", cli_arg(cli, 1));
    set(cli, row, "assessment", cli_arg(cli, 2));
    set(cli, row, "points", cli_arg(cli, 3));
    set(cli, row, "attempt", cli_option(cli, "--attempt"));
    set_flag(cli, row, "excepted", "--excepted");
    set_flag(cli, row, "take_back", "--take-back");
    if (cli_arg(cli, 3) == NULL && cli_option(cli, "--excepted") == NULL &&
        cli_option(cli, "--take-back") == NULL) {
        cli_fail(cli, "usage", "say how many points, or --excepted, or --take-back");
        return CLI_USAGE;
    }
    return enter(cli, mnet_hand_grade, row);
}

/* --- terms --- */

static int list_terms(cli_t *cli)
{
    mnet_value_t *answer = mnet_struct(cli->pool), *terms = mnet_array(cli->pool);
    cli_table_t *table = cli_table(cli, 4);
    apr_array_header_t *list;
    mnet_ledger_t ledger;
    apr_status_t failed;
    int i, rv = cli_ledger_begin(cli, MNET_READ, &ledger);

    if (rv != CLI_OK) {
        return rv;
    }
    failed = mnet_ledger_terms(&ledger, &list);
    mnet_ledger_abort(&ledger);
    if (failed != APR_SUCCESS) {
        return cli_fail_rv(cli, failed, "the ledger cannot be read");
    }
    cli_row(table, "TERM", "NAME", "FROM", "TO");
    for (i = 0; i < list->nelts; i++) {
        const mnet_term_t *term = APR_ARRAY_IDX(list, i, const mnet_term_t *);
        mnet_value_t *one = mnet_struct(cli->pool);

        mnet_set(one, "number", mnet_int(term->number, cli->pool));
        mnet_set(one, "name", mnet_string(term->name, cli->pool));
        mnet_set(one, "from", cli_text_or_nil(cli, term->from));
        mnet_set(one, "to", cli_text_or_nil(cli, term->to));
        mnet_append(terms, one);
        cli_row(table, apr_itoa(cli->pool, term->number), cli_clean(cli, term->name),
                term->from != NULL ? term->from : "-", term->to != NULL ? term->to : "-");
    }
    mnet_set(answer, "terms", terms);
    if (cli->json) {
        return cli_document(cli, answer);
    }
    cli_table_print(cli, table, 2);
    return CLI_OK;
}

/* A day as an option has it, or CLI_USAGE after saying what is wrong. */
static int day(const cli_t *cli, const char *option, const char **text)
{
    apr_time_t when;
    int rv;

    *text = cli_option(cli, option);
    if (*text == NULL) {
        return CLI_OK;
    }
    rv = cli_ledger_date(cli, *text, &when);
    *text = cli_day(cli, *text);
    return rv;
}

static int term(cli_t *cli)
{
    const char *number = cli_arg(cli, 0), *problem;
    mnet_term_t facts = {.name = cli_arg(cli, 1)};
    mnet_ledger_t ledger;
    apr_int64_t n = 0;
    int rv;

    if (number == NULL) {
        return list_terms(cli);
    }
    if (facts.name == NULL || !mnet_parse_int(number, strlen(number), &n) || n < 1 ||
        n > MNET_LEDGER_SEGMENT) {
        cli_fail(cli, "usage", "a number from 1 to %d and a name are expected, as in 1 \"Autumn\"",
                 MNET_LEDGER_SEGMENT);
        return CLI_USAGE;
    }
    problem =
        *facts.name ? mnet_ledger_text_problem(facts.name, MNET_LEDGER_NAME_MAX) : "it is empty";
    if (problem != NULL) {
        cli_fail(cli, "usage", "the name of the term: %s", problem);
        return CLI_USAGE;
    }
    facts.number = (int)n;
    rv = day(cli, "--from", &facts.from);
    rv = rv != CLI_OK ? rv : day(cli, "--to", &facts.to);
    rv = rv != CLI_OK ? rv : cli_ledger_begin(cli, MNET_WRITE, &ledger);
    return rv != CLI_OK ? rv : cli_ledger_end(cli, &ledger, mnet_ledger_put_term(&ledger, &facts));
}

/* --- the commands --- */

static const cli_option_t person_options[] = {
    {"--idnumber", "ID"}, {"--username", "NAME"}, {"--peer", "URL"},
    {"--first", "NAME"},  {"--last", "NAME"},     {"--email", "ADDRESS"},
    {"--allow", NULL},    {"--by", "NAME"},       {NULL, NULL}};
static const cli_option_t section_options[] = {
    {"--idnumber", "ID"}, {"--term", "N,N"}, {"--teacher", "USER"}, {"--by", "NAME"}, {NULL, NULL}};
static const cli_option_t enrol_options[] = {{"--role", "ROLE"}, {"--status", "STATUS"},
                                             {"--code", "CODE"}, {"--note", "TEXT"},
                                             {"--by", "NAME"},   {NULL, NULL}};
static const cli_option_t withdraw_options[] = {
    {"--failing", NULL}, {"--role", "ROLE"}, {"--status", "STATUS"},
    {"--code", "CODE"},  {"--note", "TEXT"}, {"--by", "NAME"},
    {NULL, NULL}};
static const cli_option_t assessment_options[] = {
    {"--points", "N"},     {"--idnumber", "ID"}, {"--chapter", "N"},       {"--honors", NULL},
    {"--nonhonors", NULL}, {"--by", "NAME"},     {"--extra-credit", NULL}, {NULL, NULL}};
static const cli_option_t grade_options[] = {{"--attempt", "N"},
                                             {"--excepted", NULL},
                                             {"--take-back", NULL},
                                             {"--by", "NAME"},
                                             {NULL, NULL}};
static const cli_option_t term_options[] = {
    {"--from", "DATE"}, {"--to", "DATE"}, {"--by", "NAME"}, {NULL, NULL}};

const cli_command_t cli_ledger_hand_commands[] = {
    {.group = "ledger",
     .name = "add-person",
     .run = person,
     .options = person_options,
     .usage = "[--idnumber ID] [--username NAME [--peer URL]] [--first NAME] [--last NAME] "
              "[--email ADDRESS] [--allow] [--by NAME]",
     .summary = "Enter somebody, or what is known of them.",
     .help = "They are known by --idnumber, or by --username at --peer (this site, if none is\n"
             "given).  --allow: they may log in here from there.  --by: who enters it."},
    {.group = "ledger",
     .name = "add-section",
     .run = section,
     .least = 1,
     .most = 1,
     .options = section_options,
     .usage = "NAME [--idnumber ID] [--term N,N] [--teacher USER] [--by NAME]",
     .summary = "Enter a section: one taught group of a course.",
     .help = "A peer that tells of a section with the same idnumber, or of exactly the same name\n"
             "if there is no idnumber, tells of this one.  Without --term it is an ongoing one."},
    {.group = "ledger",
     .name = "term",
     .run = term,
     .most = 2,
     .options = term_options,
     .usage = "[NUMBER NAME [--from DATE] [--to DATE]]",
     .summary = "Name a term; without arguments: list them.",
     .help = "NUMBER is the segment that peers send with a section.  Once a term is named,\n"
             "sections of numbers without a name stand under \"Ongoing\"."},
    {.group = "ledger",
     .name = "enrol",
     .run = enrol,
     .least = 2,
     .most = 2,
     .options = enrol_options,
     .usage =
         "USER SECTION [--role ROLE] [--status STATUS] [--code CODE] [--note TEXT] [--by NAME]",
     .summary = "Enrol somebody in a section, or set how that stands.",
     .help = "ROLE: student (if none is given) or teacher.  STATUS: active (if none is given),\n"
             "withdrawn, \"withdrawn failing\", passed.  What was before stays in the history.\n\n"
             "Example: mnetctl ledger enrol 1234457 197423 --status passed --by \"Ms Gray\""},
    {.group = "ledger",
     .name = "withdraw",
     .run = withdraw,
     .least = 2,
     .most = 2,
     .options = withdraw_options,
     .usage = "USER SECTION [--failing] [--code CODE] [--note TEXT] [--role ROLE] [--by NAME]",
     .summary = "Somebody left a section; or add a code and a note to that.",
     .help = "The enrolment stays, with its history.  Somebody who is withdrawn already keeps\n"
             "their status and gets the code and the note.\n\n"
             "Example: mnetctl ledger withdraw 1234457 197423 --code W2 --note \"Moved away\""},
    {.group = "ledger",
     .name = "add-assessment",
     .run = assessment,
     .least = 2,
     .most = 2,
     .options = assessment_options,
     .usage = "SECTION NAME --points N [--idnumber ID] [--chapter N] [--honors] [--nonhonors] "
              "[--extra-credit] [--by NAME]",
     .summary = "Enter something that is graded in a section.",
     .help = "A peer that tells of an assessment of exactly the same name in that section tells\n"
             "of this one; grades entered by hand stay as they are."},
    {.group = "ledger",
     .name = "grade",
     .run = grade,
     .least = 3,
     .most = 4,
     .options = grade_options,
     .usage = "USER SECTION ASSESSMENT POINTS [--attempt N] [--excepted] [--take-back] "
              "[--by NAME]",
     .summary = "Enter a grade.",
     .help = "ASSESSMENT is its idnumber or its name.  A grade by hand counts before one that a\n"
             "peer sends for the same attempt; both are kept, with the history of each.\n"
             "--excepted: the student need not do it; POINTS may be left out.  --take-back: what\n"
             "was entered by hand counts no more (without POINTS); the history keeps it, and what\n"
             "a peer sent for that attempt counts again."},
    {.group = NULL}};
