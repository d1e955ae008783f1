/* SPDX-License-Identifier: Apache-2.0 */

/* The school ledger: what its commands share, and how it stands. */
#include "cli/ledger.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "school/ledger_walk.h"
#include "school/ledger_words_in.h"
#include "service/session.h"
#include "trust/site.h"

#define CHANGES_SHOWN 40 /* on the terminal; --json has up to MNET_LEDGER_TOLD */

/* --- shared pieces --- */

int cli_ledger_begin(cli_t *cli, mnet_txn_e kind, mnet_ledger_t *ledger)
{
    const char *by;
    mnet_host_t *host;
    apr_status_t status;
    int rv = cli_site(cli, &host);

    if (rv != CLI_OK) {
        return rv;
    }
    if (!mnet_ledger_on(host)) {
        return cli_fail(cli, "state",
                        "%s has no ledger: write `MnetLedger On` in its virtual host and reload "
                        "httpd",
                        host->site->wwwroot);
    }
    by = cli_option(cli, "--by");
    if (by != NULL && mnet_ledger_text_problem(by, MNET_LEDGER_NAME_MAX) != NULL) {
        cli_fail(cli, "usage", "--by: %s", mnet_ledger_text_problem(by, MNET_LEDGER_NAME_MAX));
        return CLI_USAGE;
    }
    status = mnet_ledger_begin(ledger, host, kind, NULL, apr_time_now(), cli->pool);
    if (status != APR_SUCCESS) {
        return cli_fail_rv(cli, status, "the ledger cannot be opened");
    }
    ledger->by = by;
    ledger->told = apr_array_make(cli->pool, 16, sizeof(const char *));
    return CLI_OK;
}

int cli_ledger_fail(const cli_t *cli, const mnet_ledger_t *ledger, apr_status_t rv)
{
    return rv == MNET_E_REFUSED ? cli_fail(cli, "refused", "%s: %s", ledger->field, ledger->why)
                                : cli_fail_rv(cli, rv, "the ledger cannot be changed");
}

static void add_changes(const cli_t *cli, const mnet_ledger_t *ledger, mnet_value_t *answer)
{
    mnet_value_t *list = mnet_array(cli->pool);
    int i;

    for (i = 0; i < ledger->told->nelts; i++) {
        mnet_append(list, mnet_string(APR_ARRAY_IDX(ledger->told, i, const char *), cli->pool));
    }
    mnet_set(answer, "added", mnet_int(ledger->added, cli->pool));
    mnet_set(answer, "changed", mnet_int(ledger->changed, cli->pool));
    mnet_set(answer, "same", mnet_int(ledger->same, cli->pool));
    mnet_set(answer, "changes", list);
}

int cli_ledger_end(cli_t *cli, mnet_ledger_t *ledger, apr_status_t rv)
{
    int i;

    rv = rv != APR_SUCCESS ? rv : mnet_ledger_commit(ledger);
    mnet_ledger_abort(ledger);
    if (rv != APR_SUCCESS) {
        return cli_ledger_fail(cli, ledger, rv);
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        add_changes(cli, ledger, answer);
        return cli_document(cli, answer);
    }
    for (i = 0; i < ledger->told->nelts && i < CHANGES_SHOWN; i++) {
        cli_say(cli, "%s", cli_clean(cli, APR_ARRAY_IDX(ledger->told, i, const char *)));
    }
    if (ledger->added + ledger->changed > i) {
        cli_say(cli, "... and more");
    }
    cli_say(cli,
            "%" APR_INT64_T_FMT " added, %" APR_INT64_T_FMT " changed, %" APR_INT64_T_FMT
            " as they were",
            ledger->added, ledger->changed, ledger->same);
    return CLI_OK;
}

static int not_found(const cli_t *cli, apr_status_t rv, const char *kind, const char *name,
                     const char *several, const char *list)
{
    if (rv == MNET_E_EXISTS) {
        return cli_fail(cli, "refused", "\"%s\" may mean several %ss: %s", cli_clean(cli, name),
                        kind, several);
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? cli_fail(cli, "refused", "the ledger has no %s \"%s\": %s",
                                                 kind, cli_clean(cli, name), list)
                                      : cli_fail_rv(cli, rv, "the ledger cannot be read");
}

int cli_ledger_person(const cli_t *cli, mnet_ledger_t *ledger, const char *name,
                      mnet_person_t **person)
{
    apr_status_t rv = mnet_ledger_named_person(ledger, name, person);

    return rv == APR_SUCCESS
               ? CLI_OK
               : not_found(cli, rv, "user", name, "write username@site or the idnumber",
                           "`mnetctl ledger people` lists them");
}

int cli_ledger_section(const cli_t *cli, mnet_ledger_t *ledger, const char *name,
                       mnet_section_t **section)
{
    apr_status_t rv = mnet_ledger_named_section(ledger, name, section);

    return rv == APR_SUCCESS ? CLI_OK
                             : not_found(cli, rv, "section", name,
                                         "write the number that `mnetctl ledger sections` shows",
                                         "`mnetctl ledger sections` lists them");
}

int cli_ledger_item(const cli_t *cli, mnet_ledger_t *ledger, const mnet_section_t *section,
                    const char *name, mnet_item_t **item)
{
    apr_status_t rv = mnet_ledger_named_item(ledger, section, name, item);

    return rv == APR_SUCCESS ? CLI_OK
                             : not_found(cli, rv, "assessment", name,
                                         "write the number that `mnetctl ledger show` shows",
                                         "`mnetctl ledger show` lists those of a section");
}

/* Up to six digits of a second's fraction, as microseconds; NULL: it is none. */
static const char *fraction(const char *at, apr_int32_t *usec)
{
    apr_int32_t unit = 100000;

    *usec = 0;
    if (*at != '.') {
        return at;
    }
    for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10) {
        *usec += (*at - '0') * unit;
    }
    return at;
}

/* 2026-11-22, and such a day. */
static int is_day(const char *text, const apr_time_exp_t *parts)
{
    apr_time_exp_t back;
    apr_time_t when;
    int i;

    for (i = 0; i < 10; i++) {
        if (i == 4 || i == 7 ? text[i] != '-' : !apr_isdigit(text[i])) {
            return 0;
        }
    }
    return apr_time_exp_get(&when, (apr_time_exp_t *)parts) == APR_SUCCESS &&
           apr_time_exp_gmt(&back, when) == APR_SUCCESS &&
           (back.tm_mday == parts->tm_mday || parts->tm_sec == 60);
}

int cli_ledger_date(const cli_t *cli, const char *text, apr_time_t *when)
{
    apr_time_exp_t parts = {0};
    int year, month, day, hour = 23, minute = 59, second = 59, used = 0, more = 0;
    const char *end;

    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) == 3 && used == 10) {
        parts.tm_usec = 999999;
        end = text + used;
        if ((*end == 'T' || *end == ' ') &&
            sscanf(end + 1, "%2d:%2d:%2d%n", &hour, &minute, &second, &more) == 3 && more == 8) {
            end = fraction(end + 9, &parts.tm_usec);
        }
        end += *end == 'Z';
        parts.tm_year = year - 1900;
        parts.tm_mon = month - 1;
        parts.tm_mday = day;
        parts.tm_hour = hour;
        parts.tm_min = minute;
        parts.tm_sec = second;
        if (*end == '\0' && year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
            hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 60 &&
            is_day(text, &parts) && apr_time_exp_get(when, &parts) == APR_SUCCESS) {
            return CLI_OK;
        }
    }
    cli_fail(cli, "usage", "\"%s\" is no date; write 2026-11-22, or 2026-11-22T10:00:00Z (UTC)",
             cli_clean(cli, text));
    return CLI_USAGE;
}

const char *cli_points(const cli_t *cli, double points)
{
    char text[MNET_DOUBLE_TEXT];

    return apr_pstrdup(cli->pool, mnet_format_double(points, text));
}

const char *cli_day(const cli_t *cli, const char *date)
{
    return apr_pstrndup(cli->pool, date, 10);
}

/* --- status --- */

static int status(cli_t *cli)
{
    static const mnet_ledger_kind_e kinds[] = {MNET_LEDGER_PEOPLE,     MNET_LEDGER_SECTIONS,
                                               MNET_LEDGER_ENROLMENTS, MNET_LEDGER_ITEMS,
                                               MNET_LEDGER_GRADES,     MNET_LEDGER_ENTRIES};
    mnet_value_t *answer = mnet_struct(cli->pool);
    cli_table_t *table = cli_table(cli, 2);
    mnet_ledger_t ledger;
    int rv = cli_ledger_begin(cli, MNET_READ, &ledger);
    apr_size_t i;

    if (rv != CLI_OK) {
        return rv;
    }
    mnet_ledger_abort(&ledger);
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        apr_int64_t count;
        apr_status_t failed = mnet_ledger_count(ledger.host, kinds[i], &count, cli->pool);

        if (failed != APR_SUCCESS) {
            return cli_fail_rv(cli, failed, "the ledger cannot be read");
        }
        mnet_set(answer, mnet_ledger_kind_name(kinds[i]), mnet_int(count, cli->pool));
        cli_row(table, mnet_ledger_kind_name(kinds[i]),
                apr_psprintf(cli->pool, "%" APR_INT64_T_FMT, count));
    }
    mnet_set(answer, "wwwroot", mnet_string(ledger.host->site->wwwroot, cli->pool));
    mnet_set(answer, "prefix", mnet_string(ledger.host->site->ledger->prefix, cli->pool));
    mnet_set(answer, "service", mnet_string(ledger.host->site->ledger->service, cli->pool));
    if (cli->json) {
        return cli_document(cli, answer);
    }
    cli_say(cli, "%s: %s/..., service %s", ledger.host->site->wwwroot,
            ledger.host->site->ledger->prefix, ledger.host->site->ledger->service);
    cli_table_print(cli, table, 2);
    return CLI_OK;
}

/* --- a section --- */

static int show_people(const cli_t *cli, mnet_ledger_t *ledger, const mnet_section_t *section,
                       mnet_value_t *value, cli_table_t *table)
{
    mnet_value_t *people = mnet_array(cli->pool);
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_enrolments_in(ledger, section->id, &list);
    int i;

    cli_row(table, "WHO", "NAME", "ROLE", "STATUS", "SINCE");
    for (i = 0; rv == APR_SUCCESS && i < list->nelts; i++) {
        const mnet_enrolment_t *one = APR_ARRAY_IDX(list, i, const mnet_enrolment_t *);
        mnet_value_t *person = mnet_struct(cli->pool);
        mnet_person_t *who;

        rv = mnet_ledger_person(ledger, one->person, &who);
        if (rv != APR_SUCCESS) {
            break;
        }
        mnet_set(person, "id", mnet_string(mnet_person_id(who, cli->pool), cli->pool));
        mnet_set(person, "name", mnet_string(mnet_person_name(who, cli->pool), cli->pool));
        mnet_set(person, "role", mnet_string(mnet_role_name(one->role), cli->pool));
        mnet_set(person, "status", mnet_string(mnet_status_name(one->status), cli->pool));
        mnet_set(person, "code", cli_text_or_nil(cli, one->code));
        mnet_set(person, "note", cli_text_or_nil(cli, one->note));
        mnet_set(person, "since", cli_date_value(cli, one->mark.when));
        mnet_append(people, person);
        cli_row(table, cli_clean(cli, mnet_person_id(who, cli->pool)),
                cli_clean(cli, mnet_person_name(who, cli->pool)), mnet_role_name(one->role),
                mnet_status_name(one->status), cli_day(cli, cli_date(cli, one->mark.when)));
    }
    mnet_set(value, "people", people);
    return rv == APR_SUCCESS ? CLI_OK : cli_fail_rv(cli, rv, "the ledger cannot be read");
}

static int show_items(const cli_t *cli, mnet_ledger_t *ledger, const mnet_section_t *section,
                      mnet_value_t *value, cli_table_t *table)
{
    mnet_value_t *items = mnet_array(cli->pool);
    apr_array_header_t *list;
    apr_status_t rv = mnet_ledger_items_in(ledger, section->id, &list);
    int i;

    cli_row(table, "ASSESSMENT", "NAME", "POINTS", "FROM");
    for (i = 0; rv == APR_SUCCESS && i < list->nelts; i++) {
        const mnet_item_t *one = APR_ARRAY_IDX(list, i, const mnet_item_t *);
        mnet_value_t *item = mnet_struct(cli->pool);

        mnet_set(item, "id", mnet_string(mnet_item_id(one, cli->pool), cli->pool));
        mnet_set(item, "name", mnet_string(one->name, cli->pool));
        mnet_set(item, "points", mnet_double(one->points, cli->pool));
        mnet_set(item, "chapter", mnet_int(one->chapter, cli->pool));
        mnet_set(item, "by_hand", mnet_boolean(one->by_hand, cli->pool));
        mnet_append(items, item);
        cli_row(table, cli_clean(cli, mnet_item_id(one, cli->pool)), cli_clean(cli, one->name),
                cli_points(cli, one->points), mnet_mark_words(&one->mark, cli->pool));
    }
    mnet_set(value, "assessments", items);
    return rv == APR_SUCCESS ? CLI_OK : cli_fail_rv(cli, rv, "the ledger cannot be read");
}

static int show(cli_t *cli)
{
    cli_table_t *people = cli_table(cli, 5), *items = cli_table(cli, 4);
    mnet_value_t *value = mnet_struct(cli->pool);
    mnet_section_t *section;
    mnet_ledger_t ledger;
    int rv = cli_ledger_begin(cli, MNET_READ, &ledger);

    if (rv != CLI_OK) {
        return rv;
    }
    rv = cli_ledger_section(cli, &ledger, cli_arg(cli, 0), &section);
    rv = rv != CLI_OK ? rv : show_people(cli, &ledger, section, value, people);
    rv = rv != CLI_OK ? rv : show_items(cli, &ledger, section, value, items);
    mnet_ledger_abort(&ledger);
    if (rv != CLI_OK) {
        return rv;
    }
    mnet_set(value, "id", mnet_string(mnet_section_id(section, cli->pool), cli->pool));
    mnet_set(value, "name", mnet_string(section->name, cli->pool));
    if (cli->json) {
        return cli_document(cli, value);
    }
    cli_say(cli, "%s (%s)", cli_clean(cli, section->name),
            cli_clean(cli, mnet_section_id(section, cli->pool)));
    cli_table_print(cli, people, 2);
    cli_say(cli, "%s", "");
    cli_table_print(cli, items, 2);
    return CLI_OK;
}

/* --- who may log in --- */

/* Sessions of those who may no longer come in end at once. */
static int end_sessions(const cli_t *cli, mnet_host_t *host, const mnet_person_t *person,
                        const char *peer)
{
    int i, ended;

    for (i = 0; i < person->logins->nelts; i++) {
        const mnet_login_name_t *login = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);
        apr_status_t rv;

        if (peer != NULL && strcmp(peer, login->peer) != 0) {
            continue;
        }
        rv = mnet_sessions_end_user(host, NULL, login->peer, login->username, NULL, &ended,
                                    cli->pool);
        if (rv != APR_SUCCESS) {
            return cli_fail_rv(cli, rv, "they may not log in any more, but a session stays");
        }
    }
    return CLI_OK;
}

static int set_allowed(cli_t *cli, int allowed)
{
    const char *peer = cli_option(cli, "--peer");
    mnet_person_t *person = NULL;
    mnet_ledger_t ledger;
    apr_status_t failed = APR_SUCCESS;
    int i, rv = cli_ledger_begin(cli, MNET_WRITE, &ledger);

    for (i = 0; rv == CLI_OK && failed == APR_SUCCESS && i < cli->args->nelts; i++) {
        rv = cli_ledger_person(cli, &ledger, cli_arg(cli, i), &person);
        failed = rv == CLI_OK ? mnet_ledger_allow(&ledger, person, peer, allowed) : APR_SUCCESS;
    }
    if (rv != CLI_OK) {
        return rv;
    }
    rv = cli_ledger_end(cli, &ledger, failed);
    for (i = 0; rv == CLI_OK && !allowed && i < cli->args->nelts; i++) {
        rv = mnet_ledger_begin(&ledger, ledger.host, MNET_READ, NULL, apr_time_now(), cli->pool) ==
                     APR_SUCCESS
                 ? cli_ledger_person(cli, &ledger, cli_arg(cli, i), &person)
                 : CLI_FAILED;
        mnet_ledger_abort(&ledger);
        rv = rv != CLI_OK ? rv : end_sessions(cli, ledger.host, person, peer);
    }
    return rv;
}

static int allow(cli_t *cli)
{
    return set_allowed(cli, 1);
}

static int deny(cli_t *cli)
{
    return set_allowed(cli, 0);
}

static const cli_option_t allow_options[] = {{"--peer", "URL"}, {NULL, NULL}};

const cli_command_t cli_ledger_commands[] = {
    {.group = "ledger",
     .name = "status",
     .run = status,
     .usage = "",
     .summary = "How much is in the school ledger.",
     .help = "Counts people, sections, enrolments, assessments, grades and entries of history."},
    {.group = "ledger",
     .name = "show",
     .run = show,
     .least = 1,
     .most = 1,
     .usage = "SECTION",
     .summary = "Who is in a section, and what is graded there.",
     .help = "SECTION is its idnumber, its name if it is the only one of that name, or the\n"
             "#number that `ledger sections` shows."},
    {.group = "ledger",
     .name = "allow",
     .run = allow,
     .least = 1,
     .most = -1,
     .options = allow_options,
     .usage = "USER... [--peer URL]",
     .summary = "Let imported users log in here.",
     .help = "Users whom a peer entered in the ledger may not log in here until this is done.\n"
             "USER is an idnumber, a username, or username@site.  --peer: only from there."},
    {.group = "ledger",
     .name = "deny",
     .run = deny,
     .least = 1,
     .most = -1,
     .options = allow_options,
     .usage = "USER... [--peer URL]",
     .summary = "Let users of the ledger no longer log in here.",
     .help = "Takes the right away again, and ends their sessions here."},
    {.group = NULL}};
