/* SPDX-License-Identifier: Apache-2.0 */

/* mnetctl enrol: our users in the courses of a peer (the service mnet_enrol). */
#include "cli/ledger.h"

#include <string.h>

#include <apr_strings.h>

#include "base/number.h"
#include "base/status.h"
#include "school/enrol_client.h"

/* A question to the peer of the first argument. */
typedef struct asking_t {
    mnet_host_t *host;
    const char *wwwroot;
    mnet_reply_t *reply;
    const char *why;
} asking_t;

static int begin(cli_t *cli, asking_t *asking)
{
    const mnet_peer_t *peer;
    int rv = cli_site(cli, &asking->host);

    rv = rv != CLI_OK ? rv : cli_peer(cli, asking->host, 0, &peer);
    if (rv == CLI_OK) {
        asking->wwwroot = peer->facts->wwwroot;
        asking->why = "";
    }
    return rv;
}

/* What the fault of mnet_enrol says. */
static const char *fault_words(int code)
{
    switch (code) {
    case 5011:
        return "that site could not make an account of the user";
    case 5012:
        return "that site has no such course";
    case 5013:
        return "the course is not open to our users there: it has no MNet enrolment for us";
    case 5014:
        return "that site does not know the user";
    case 5017:
        return "the course has no MNet enrolment there: add one to it";
    case 5018:
    case 5019:
    case 5020:
        return "that site could not do it";
    case 5021:
        return "the user has no name";
    default:
        return NULL;
    }
}

static int failed(const cli_t *cli, apr_status_t rv, const asking_t *asking)
{
    const char *words;

    if (rv == MNET_E_INVALID) {
        return cli_fail(cli, "fault", "%s", asking->why);
    }
    if (rv != MNET_E_PEER) {
        return cli_fail_rv(cli, rv, "the site could not be asked");
    }
    cli_fail_reply(cli, asking->reply);
    words = asking->reply->kind == MNET_CALL_FAULT ? fault_words(asking->reply->code) : NULL;
    if (words != NULL) {
        cli_warn(cli, "%s", words);
    }
    return CLI_FAILED;
}

static mnet_value_t *as_list(const cli_t *cli, const mnet_value_t *value)
{
    mnet_value_t *list = mnet_array(cli->pool);
    int i;

    for (i = 0; i < mnet_count(value); i++) {
        mnet_append(list, mnet_item(value, i));
    }
    return list;
}

static const char *or_dash(const cli_t *cli, const char *text)
{
    return text != NULL && *text ? cli_clean(cli, text) : "-";
}

/* The courses of the peer, or who is in one of them.  Not CLI_OK: it is said why. */
static int ask_list(cli_t *cli, const char *course, asking_t *asking, apr_array_header_t **list)
{
    apr_status_t status;
    int rv = begin(cli, asking);

    if (rv != CLI_OK) {
        return rv;
    }
    status = course != NULL ? mnet_enrol_who(asking->host, asking->wwwroot, course, &asking->reply,
                                             list, &asking->why, cli->pool)
                            : mnet_enrol_courses(asking->host, asking->wwwroot, &asking->reply,
                                                 list, &asking->why, cli->pool);
    return status != APR_SUCCESS ? failed(cli, status, asking) : CLI_OK;
}

/* --- courses --- */

static int courses(cli_t *cli)
{
    cli_table_t *table = cli_table(cli, 5);
    apr_array_header_t *list;
    asking_t asking;
    int i, rv = ask_list(cli, NULL, &asking, &list);

    if (rv != CLI_OK) {
        return rv;
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        mnet_set(answer, "courses", as_list(cli, asking.reply->value));
        return cli_document(cli, answer);
    }
    if (list->nelts == 0) {
        cli_say(cli, "%s offers no courses to us", asking.wwwroot);
        return CLI_OK;
    }
    cli_row(table, "COURSE", "SHORT NAME", "NAME", "CATEGORY", "ROLE");
    for (i = 0; i < list->nelts; i++) {
        const mnet_course_t *course = &APR_ARRAY_IDX(list, i, mnet_course_t);

        cli_row(table, cli_clean(cli, course->remoteid), or_dash(cli, course->shortname),
                or_dash(cli, course->fullname), or_dash(cli, course->category),
                or_dash(cli, course->role));
    }
    cli_table_print(cli, table, 2);
    return CLI_OK;
}

/* --- who is there --- */

static const char *since(const cli_t *cli, const char *seconds)
{
    apr_int64_t number;

    return seconds != NULL && mnet_parse_int(seconds, strlen(seconds), &number) && number > 0 &&
                   number < APR_INT64_C(100000000000)
               ? cli_date(cli, apr_time_from_sec(number))
               : "-";
}

static int who(cli_t *cli)
{
    cli_table_t *table = cli_table(cli, 4);
    apr_array_header_t *list;
    asking_t asking;
    int i, rv = ask_list(cli, cli_arg(cli, 1), &asking, &list);

    if (rv != CLI_OK) {
        return rv;
    }
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool), *users = mnet_array(cli->pool);

        for (i = 0; i < list->nelts; i++) {
            const mnet_participant_t *one = &APR_ARRAY_IDX(list, i, mnet_participant_t);
            mnet_value_t *user = mnet_struct(cli->pool);

            mnet_set(user, "username", mnet_string(one->username, cli->pool));
            mnet_set(user, "role", cli_text_or_nil(cli, one->role));
            mnet_set(user, "enrol", cli_text_or_nil(cli, one->how));
            mnet_set(user, "timemodified", cli_text_or_nil(cli, one->since));
            mnet_append(users, user);
        }
        mnet_set(answer, "enrolments", users);
        return cli_document(cli, answer);
    }
    if (list->nelts == 0) {
        cli_say(cli, "none of our users is in course %s of %s", cli_arg(cli, 1), asking.wwwroot);
        return CLI_OK;
    }
    cli_row(table, "USER", "ROLE", "BY", "SINCE");
    for (i = 0; i < list->nelts; i++) {
        const mnet_participant_t *one = &APR_ARRAY_IDX(list, i, mnet_participant_t);

        cli_row(table, cli_clean(cli, one->username), or_dash(cli, one->role),
                or_dash(cli, one->how), since(cli, one->since));
    }
    cli_table_print(cli, table, 2);
    return CLI_OK;
}

/* --- in and out --- */

static int done(cli_t *cli, const char *sentence)
{
    if (cli->json) {
        mnet_value_t *answer = mnet_struct(cli->pool);

        mnet_set(answer, "done", mnet_boolean(1, cli->pool));
        return cli_document(cli, answer);
    }
    cli_say(cli, "%s", sentence);
    return CLI_OK;
}

/* NAME=VALUE behind the user: what else the peer is told of them. */
static int profile_of(cli_t *cli, mnet_value_t **profile)
{
    static const char *const options[][2] = {{"--first", "firstname"},
                                             {"--last", "lastname"},
                                             {"--email", "email"},
                                             {"--idnumber", "idnumber"}};
    apr_size_t o;
    int i;

    *profile = mnet_struct(cli->pool);
    mnet_set(*profile, "username", mnet_string(cli_arg(cli, 2), cli->pool));
    for (o = 0; o < sizeof(options) / sizeof(options[0]); o++) {
        const char *value = cli_option(cli, options[o][0]);

        if (value != NULL) {
            mnet_set(*profile, options[o][1], mnet_string(value, cli->pool));
        }
    }
    for (i = 3; i < cli->args->nelts; i++) {
        const char *equals = strchr(cli_arg(cli, i), '=');

        if (equals == NULL || equals == cli_arg(cli, i)) {
            cli_fail(cli, "usage", "%s is no NAME=VALUE of the user's profile", cli_arg(cli, i));
            return CLI_USAGE;
        }
        mnet_set(*profile,
                 apr_pstrmemdup(cli->pool, cli_arg(cli, i), (apr_size_t)(equals - cli_arg(cli, i))),
                 mnet_string(equals + 1, cli->pool));
    }
    return CLI_OK;
}

static int add(cli_t *cli)
{
    mnet_value_t *profile;
    asking_t asking;
    apr_status_t status;
    int rv = profile_of(cli, &profile);

    rv = rv != CLI_OK ? rv : begin(cli, &asking);
    if (rv != CLI_OK) {
        return rv;
    }
    status = mnet_enrol_add(asking.host, asking.wwwroot, cli_arg(cli, 1), profile, &asking.reply,
                            &asking.why, cli->pool);
    if (status != APR_SUCCESS) {
        return failed(cli, status, &asking);
    }
    return done(cli, apr_psprintf(cli->pool, "%s is enrolled in course %s of %s", cli_arg(cli, 2),
                                  cli_arg(cli, 1), asking.wwwroot));
}

static int take_out(cli_t *cli)
{
    asking_t asking;
    apr_status_t status;
    int rv = begin(cli, &asking);

    if (rv != CLI_OK) {
        return rv;
    }
    status = mnet_enrol_remove(asking.host, asking.wwwroot, cli_arg(cli, 1), cli_arg(cli, 2),
                               &asking.reply, &asking.why, cli->pool);
    if (status != APR_SUCCESS) {
        return failed(cli, status, &asking);
    }
    return done(cli, apr_psprintf(cli->pool, "%s is no longer enrolled in course %s of %s",
                                  cli_arg(cli, 2), cli_arg(cli, 1), asking.wwwroot));
}

static const cli_option_t add_options[] = {{"--first", "NAME"},
                                           {"--last", "NAME"},
                                           {"--email", "ADDRESS"},
                                           {"--idnumber", "ID"},
                                           {NULL, NULL}};

const cli_command_t cli_enrol_commands[] = {
    {.group = "enrol",
     .name = "courses",
     .run = courses,
     .least = 1,
     .most = 1,
     .usage = "PEER",
     .summary = "The courses that a site offers our users.",
     .help = "We must subscribe to its service mnet_enrol, and it must publish that to us.\n"
             "COURSE is what the other commands take."},
    {.group = "enrol",
     .name = "who",
     .run = who,
     .least = 2,
     .most = 2,
     .usage = "PEER COURSE",
     .summary = "Our users in a course of a site.",
     .help = "By whatever way they were enrolled there."},
    {.group = "enrol",
     .name = "add",
     .run = add,
     .least = 3,
     .most = -1,
     .options = add_options,
     .usage = "PEER COURSE USER [--first NAME] [--last NAME] [--email ADDRESS] [--idnumber ID] "
              "[NAME=VALUE...]",
     .summary = "Enrol one of our users in a course of a site.",
     .help = "A user whom that site does not know yet gets an account there, for which it needs\n"
             "a first and a last name and an address.\n\n"
             "Example: mnetctl enrol add https://moodle.example.org 12 alice --first Alice\n"
             "             --last Liddell --email alice@example.org"},
    {.group = "enrol",
     .name = "remove",
     .run = take_out,
     .least = 3,
     .most = 3,
     .usage = "PEER COURSE USER",
     .summary = "Take one of our users out of a course of a site.",
     .help = "Only who was enrolled by us can be taken out by us."},
    {.group = NULL}};
