/* SPDX-License-Identifier: Apache-2.0 */

/* mnetctl ledger report: one student's progress, for people. */
#include "cli/ledger.h"

#include <string.h>

#include <apr_strings.h>

#include "school/report.h"

static const char *text_of(const cli_t *cli, const mnet_value_t *value, const char *name)
{
    const char *text = mnet_as_text(mnet_get(value, name), cli->pool);

    return text != NULL && *text ? cli_clean(cli, text) : NULL;
}

static double number_of(const mnet_value_t *value, const char *name)
{
    double number = 0;

    mnet_as_double(mnet_get(value, name), &number);
    return number;
}

static void say_student(const cli_t *cli, const mnet_value_t *report)
{
    const mnet_value_t *student = mnet_get(report, "student");
    const mnet_value_t *logins = mnet_get(student, "logins");
    int i;

    cli_say(cli, "Progress report of %s", text_of(cli, student, "name"));
    if (text_of(cli, student, "idnumber") != NULL) {
        cli_say(cli, "  idnumber %s", text_of(cli, student, "idnumber"));
    }
    for (i = 0; i < mnet_count(logins); i++) {
        cli_say(cli, "  %s at %s", text_of(cli, mnet_item(logins, i), "username"),
                text_of(cli, mnet_item(logins, i), "peer"));
    }
    cli_say(cli, "  as of %s, from %s", text_of(cli, report, "as_of"),
            text_of(cli, report, "site"));
}

static const char *percent(const cli_t *cli, double points, double of)
{
    return of > 0 ? apr_psprintf(cli->pool, "%.0f %%", 100 * points / of) : "";
}

/* "from moodle.example.org, 2026-09-12", and what else was said. */
static const char *where_from(const cli_t *cli, const mnet_value_t *grade,
                              const mnet_value_t *others)
{
    const char *words = apr_psprintf(cli->pool, "%s, %s", text_of(cli, grade, "source"),
                                     cli_day(cli, text_of(cli, grade, "when")));
    int i, attempt = (int)number_of(grade, "attempt");

    if (attempt != 1) {
        words = apr_psprintf(cli->pool, "attempt %d, %s", attempt, words);
    }
    for (i = 0; i < mnet_count(others); i++) {
        const mnet_value_t *other = mnet_item(others, i);
        int its = (int)number_of(other, "attempt");

        words = its == attempt ? apr_psprintf(cli->pool, "%s; %s says %s", words,
                                              text_of(cli, other, "source"),
                                              cli_points(cli, number_of(other, "points")))
                               : apr_psprintf(cli->pool, "%s; attempt %d: %s", words, its,
                                              cli_points(cli, number_of(other, "points")));
    }
    return words;
}

static void say_items(const cli_t *cli, const mnet_value_t *section)
{
    const mnet_value_t *items = mnet_get(section, "assessments");
    cli_table_t *table = cli_table(cli, 4);
    int i;

    for (i = 0; i < mnet_count(items); i++) {
        const mnet_value_t *item = mnet_item(items, i), *grade = mnet_get(item, "grade");
        const char *name = text_of(cli, item, "name");
        double points = number_of(grade, "points"), of = number_of(grade, "of");

        if (mnet_as_truth(mnet_get(item, "extra_credit"))) {
            name = apr_pstrcat(cli->pool, name, " (extra credit)", NULL);
        }
        if (grade == NULL || grade->type != MNET_STRUCT) {
            cli_row(
                table, name,
                apr_pstrcat(cli->pool, "- of ", cli_points(cli, number_of(item, "points")), NULL),
                "", "not graded yet");
        } else if (mnet_as_truth(mnet_get(grade, "excepted"))) {
            cli_row(table, name, "excepted", "", where_from(cli, grade, mnet_get(item, "others")));
        } else {
            cli_row(
                table, name,
                apr_psprintf(cli->pool, "%s of %s", cli_points(cli, points), cli_points(cli, of)),
                percent(cli, points, of), where_from(cli, grade, mnet_get(item, "others")));
        }
    }
    if (number_of(section, "possible") > 0) {
        cli_row(table, "Together",
                apr_psprintf(cli->pool, "%s of %s", cli_points(cli, number_of(section, "earned")),
                             cli_points(cli, number_of(section, "possible"))),
                percent(cli, number_of(section, "earned"), number_of(section, "possible")), "");
    }
    if (table->cells->nelts > 0) {
        cli_table_print(cli, table, 4);
    }
}

static const char *status_words(const cli_t *cli, const mnet_value_t *entry, const char *when)
{
    const char *code = text_of(cli, entry, "code"), *note = text_of(cli, entry, "note");
    const char *words =
        apr_psprintf(cli->pool, "%s since %s (%s)", text_of(cli, entry, "status"),
                     cli_day(cli, text_of(cli, entry, when)), text_of(cli, entry, "source"));

    if (code != NULL) {
        words = apr_pstrcat(cli->pool, words, ", code ", code, NULL);
    }
    return note != NULL ? apr_pstrcat(cli->pool, words, ": ", note, NULL) : words;
}

static void say_section(const cli_t *cli, const mnet_value_t *section)
{
    const mnet_value_t *history = mnet_get(section, "history");
    const mnet_value_t *teachers = mnet_get(section, "teachers");
    const char *with = "";
    int i;

    for (i = 0; i < mnet_count(teachers); i++) {
        with = apr_pstrcat(cli->pool, with, i > 0 ? ", " : "",
                           cli_clean(cli, mnet_as_text(mnet_item(teachers, i), cli->pool)), NULL);
    }
    cli_say(cli, "  %s (%s)%s%s%s", text_of(cli, section, "name"), text_of(cli, section, "id"),
            *with ? ", " : "", with,
            strcmp(text_of(cli, section, "role"), "teacher") == 0 ? ", as teacher" : "");
    /* The last entry is how it stands; the others are how it came to that. */
    for (i = 0; i < mnet_count(history); i++) {
        cli_say(cli, "    %s", status_words(cli, mnet_item(history, i), "when"));
    }
    say_items(cli, section);
}

static void say_report(const cli_t *cli, const mnet_value_t *report)
{
    const mnet_value_t *sections = mnet_get(report, "sections");
    const char *term = NULL;
    int i;

    say_student(cli, report);
    if (mnet_count(sections) == 0) {
        cli_say(cli, "\n  not enrolled in anything");
    }
    for (i = 0; i < mnet_count(sections); i++) {
        const mnet_value_t *section = mnet_item(sections, i);
        const char *now = text_of(cli, section, "term");

        if (term == NULL || strcmp(term, now) != 0) {
            cli_say(cli, "\n%s", now);
        } else {
            cli_say(cli, "%s", "");
        }
        term = now;
        say_section(cli, section);
    }
}

static int report(cli_t *cli)
{
    const char *name = cli_option(cli, "--student"), *date = cli_option(cli, "--date");
    apr_time_t when = apr_time_now();
    mnet_person_t *person;
    mnet_ledger_t ledger;
    mnet_value_t *value;
    apr_status_t failed;
    int rv;

    name = name != NULL ? name : cli_arg(cli, 0);
    if (name == NULL || !*name) {
        cli_fail(cli, "usage", "say whose: --student USER");
        return CLI_USAGE;
    }
    rv = date != NULL ? cli_ledger_date(cli, date, &when) : CLI_OK;
    rv = rv != CLI_OK ? rv : cli_ledger_begin(cli, MNET_READ, &ledger);
    if (rv != CLI_OK) {
        return rv;
    }
    rv = cli_ledger_person(cli, &ledger, name, &person);
    failed = rv == CLI_OK ? mnet_report_make(&ledger, person, when, &value) : APR_SUCCESS;
    mnet_ledger_abort(&ledger);
    if (rv != CLI_OK || failed != APR_SUCCESS) {
        return rv != CLI_OK ? rv : cli_fail_rv(cli, failed, "the report cannot be made");
    }
    if (cli->json) {
        return cli_document(cli, value);
    }
    say_report(cli, value);
    return CLI_OK;
}

static const cli_option_t report_options[] = {
    {"--student", "USER"}, {"--date", "DATE"}, {NULL, NULL}};

const cli_command_t cli_ledger_report_commands[] = {
    {.group = "ledger",
     .name = "report",
     .run = report,
     .most = 1,
     .options = report_options,
     .usage = "--student USER [--date DATE]",
     .summary = "A progress report of one student.",
     .help = "Every section with its status and how it came to that, and every assessment with\n"
             "its grade.  --date: what was known by then: 2026-11-22 (to the end of that day,\n"
             "UTC) or 2026-11-22T10:00:00Z.  A grade by hand counts before one that a site sent\n"
             "for the same attempt; what the site says stands beside it.\n\n"
             "Example: mnetctl ledger report --student 1234457 --date 2026-10-31"},
    {.group = NULL}};
