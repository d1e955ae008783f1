/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The command line.  Not apr_getopt: --json may stand anywhere, also behind a command's arguments,
 * and "-sso_idp" is an argument of two commands.
 */
#include "cli/cli.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/number.h"

typedef struct parser_t {
    cli_t *cli;
    const cli_command_t *const *tables;
    int argc, at;
    const char *const *argv;
    const char *group; /* the first word */
    int help_word;     /* it is "help" */
    int literal;       /* "--" was seen */
} parser_t;

static const cli_command_t *find(const cli_command_t *const *tables, const char *group,
                                 const char *name)
{
    const cli_command_t *command;

    for (; *tables != NULL; tables++) {
        for (command = *tables; command->group != NULL; command++) {
            if (strcmp(command->group, group) == 0 &&
                (name == NULL || (command->name != NULL && strcmp(command->name, name) == 0))) {
                return command;
            }
        }
    }
    return NULL;
}

/* The groups, or the names within one, as "a, b, c". */
static const char *choices(const cli_t *cli, const cli_command_t *const *tables, const char *group)
{
    const char *list = "", *last = "";
    const cli_command_t *command;

    for (; *tables != NULL; tables++) {
        for (command = *tables; command->group != NULL; command++) {
            if (group == NULL && strcmp(command->group, last) != 0) {
                list = apr_pstrcat(cli->pool, list, *list ? ", " : "", command->group, NULL);
                last = command->group;
            } else if (group != NULL && strcmp(command->group, group) == 0) {
                list = apr_pstrcat(cli->pool, list, *list ? ", " : "", command->name, NULL);
            }
        }
    }
    return group == NULL ? apr_pstrcat(cli->pool, list, ", help", NULL) : list;
}

static int usage(const cli_t *cli, const char *sentence)
{
    cli_fail(cli, "usage", "%s", sentence);
    return CLI_USAGE;
}

static int option_value(parser_t *parser, const char *option, const char **value)
{
    if (parser->at + 1 >= parser->argc) {
        return usage(parser->cli, apr_psprintf(parser->cli->pool, "%s needs a value", option));
    }
    *value = parser->argv[++parser->at];
    return CLI_OK;
}

/* *taken: it was one of the general options. */
static int general_option(parser_t *parser, const char *word, int *taken)
{
    cli_t *cli = parser->cli;

    *taken = 1;
    if (strcmp(word, "--json") == 0) {
        cli->json = 1;
    } else if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        cli->help = 1;
    } else if (strcmp(word, "-v") == 0) {
        cli->log.level = cli->log.level < MNET_LOG_INFO ? MNET_LOG_INFO : MNET_LOG_DEBUG;
    } else if (strcmp(word, "-d") == 0) {
        return option_value(parser, word, &cli->state_dir);
    } else if (strcmp(word, "-w") == 0) {
        return option_value(parser, word, &cli->wwwroot);
    } else {
        *taken = 0;
    }
    return CLI_OK;
}

static int command_option(parser_t *parser, const char *word)
{
    cli_t *cli = parser->cli;
    const cli_option_t *option = cli->command != NULL ? cli->command->options : NULL;
    const char *equals = strchr(word, '='), *value = "";
    const char *name = equals ? apr_pstrmemdup(cli->pool, word, (apr_size_t)(equals - word)) : word;
    int rv;

    while (option != NULL && option->name != NULL && strcmp(option->name, name) != 0) {
        option++;
    }
    if (option == NULL || option->name == NULL) {
        return usage(cli,
                     apr_psprintf(cli->pool, "unknown option %s; `mnetctl help%s%s` lists them",
                                  cli_clean(cli, name), parser->group ? " " : "",
                                  parser->group ? parser->group : ""));
    }
    if (option->value == NULL && equals != NULL) {
        return usage(cli, apr_psprintf(cli->pool, "%s takes no value", name));
    }
    if (equals != NULL) {
        value = equals + 1;
    } else if (option->value != NULL) {
        rv = option_value(parser, name, &value);
        if (rv != CLI_OK) {
            return rv;
        }
    }
    apr_table_setn(cli->options, name, value);
    return CLI_OK;
}

/* A word that is no option: the group, the command's name, or an argument. */
static int word_of(parser_t *parser, const char *word)
{
    cli_t *cli = parser->cli;
    const cli_command_t *first;

    if (parser->group == NULL) {
        parser->group = word;
        parser->help_word = strcmp(word, "help") == 0;
        first = find(parser->tables, word, NULL);
        if (first == NULL && !parser->help_word) {
            return usage(cli,
                         apr_psprintf(cli->pool, "unknown command \"%s\"; there are: %s",
                                      cli_clean(cli, word), choices(cli, parser->tables, NULL)));
        }
        if (first != NULL && first->name == NULL) {
            cli->command = first;
        }
        return CLI_OK;
    }
    if (!parser->help_word && cli->command == NULL) {
        cli->command = find(parser->tables, parser->group, word);
        if (cli->command == NULL) {
            return usage(cli, apr_psprintf(cli->pool, "unknown command \"%s %s\"; there are: %s",
                                           parser->group, cli_clean(cli, word),
                                           choices(cli, parser->tables, parser->group)));
        }
        return CLI_OK;
    }
    APR_ARRAY_PUSH(cli->args, const char *) = word;
    return CLI_OK;
}

static int parse_word(parser_t *parser, const char *word)
{
    const cli_command_t *command = parser->cli->command;
    int taken, rv;

    if (parser->literal || word[0] != '-' || word[1] == '\0') {
        return word_of(parser, word);
    }
    if (strcmp(word, "--") == 0) {
        parser->literal = 1;
        return CLI_OK;
    }
    rv = general_option(parser, word, &taken);
    if (rv != CLI_OK || taken) {
        return rv;
    }
    if (word[1] != '-' && command != NULL && (command->dashes || apr_isdigit(word[1]))) {
        return word_of(parser, word);
    }
    return command_option(parser, word);
}

static int check_arguments(parser_t *parser)
{
    cli_t *cli = parser->cli;
    const cli_command_t *command = cli->command;
    int count = cli->args->nelts;

    if (count >= command->least && (command->most < 0 || count <= command->most)) {
        return CLI_OK;
    }
    return usage(cli, apr_psprintf(cli->pool, "too %s arguments; usage: mnetctl %s%s%s %s",
                                   count < command->least ? "few" : "many", command->group,
                                   command->name ? " " : "", command->name ? command->name : "",
                                   command->usage));
}

int cli_parse(cli_t *cli, const cli_command_t *const *tables, int argc, const char *const *argv)
{
    parser_t parser = {.cli = cli, .tables = tables, .argc = argc, .argv = argv};
    int i, rv;

    cli->options = apr_table_make(cli->pool, 4);
    cli->args = apr_array_make(cli->pool, 4, sizeof(const char *));
    /* An error of usage is told as JSON as well, wherever --json stands. */
    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        cli->json |= strcmp(argv[i], "--json") == 0;
    }
    for (parser.at = 1; parser.at < argc; parser.at++) {
        rv = parse_word(&parser, argv[parser.at]);
        if (rv != CLI_OK) {
            return rv;
        }
    }
    if (parser.group == NULL && !cli->help) {
        return usage(
            cli, apr_psprintf(cli->pool, "no command; there are: %s", choices(cli, tables, NULL)));
    }
    if (parser.group == NULL || parser.help_word) {
        cli->help = 1;
        return CLI_OK;
    }
    if (cli->help) {
        const char *name = cli->command != NULL ? cli->command->name : NULL;

        apr_array_clear(cli->args);
        APR_ARRAY_PUSH(cli->args, const char *) = parser.group;
        if (name != NULL) {
            APR_ARRAY_PUSH(cli->args, const char *) = name;
        }
        return CLI_OK;
    }
    if (cli->command == NULL) {
        cli->command = find(tables, parser.group, NULL);
    }
    return check_arguments(&parser);
}

const char *cli_option(const cli_t *cli, const char *name)
{
    return apr_table_get(cli->options, name);
}

const char *cli_arg(const cli_t *cli, int index)
{
    return index < cli->args->nelts ? APR_ARRAY_IDX(cli->args, index, const char *) : NULL;
}

/* --- help --- */

static const char *title(const cli_t *cli, const cli_command_t *command)
{
    return apr_pstrcat(cli->pool, command->group, command->name ? " " : "",
                       command->name ? command->name : "", *command->usage ? " " : "",
                       command->usage, NULL);
}

static int help_command(cli_t *cli, const cli_command_t *command)
{
    cli_say(cli, "mnetctl %s\n    %s\n\n%s", title(cli, command), command->summary, command->help);
    return CLI_OK;
}

static int help_list(cli_t *cli, const cli_command_t *const *tables, const char *group)
{
    const cli_command_t *command;

    for (; *tables != NULL; tables++) {
        for (command = *tables; command->group != NULL; command++) {
            if (group == NULL || strcmp(command->group, group) == 0) {
                cli_say(cli, "  %s\n      %s", title(cli, command), command->summary);
            }
        }
    }
    return CLI_OK;
}

int cli_help(cli_t *cli, const cli_command_t *const *tables, const char *group, const char *name)
{
    const cli_command_t *command = group != NULL ? find(tables, group, name) : NULL;

    cli->json = 0;
    if (group == NULL) {
        cli_say(cli, "usage: mnetctl [-d STATEDIR] [-w WWWROOT] [-v] [--json] COMMAND\n\n"
                     "  -d STATEDIR  the server's MnetStateDir; default " MNET_STATE_DIR "\n"
                     "  -w WWWROOT   which of our sites, where there are several\n"
                     "  -v           show what the library says; twice for more\n"
                     "  --json       answer with one JSON document; may stand anywhere\n"
                     "  --           everything after it is an argument\n\n"
                     "Commands:");
        help_list(cli, tables, NULL);
        cli_say(cli,
                "\n`mnetctl help COMMAND` tells more.  Exit status: 0 done, 1 failed, 2 usage.");
        return CLI_OK;
    }
    if (command == NULL) {
        return usage(cli,
                     apr_psprintf(cli->pool, "no command \"%s%s%s\" to explain; there are: %s",
                                  cli_clean(cli, group), name ? " " : "",
                                  name ? cli_clean(cli, name) : "",
                                  choices(cli, tables, find(tables, group, NULL) ? group : NULL)));
    }
    if (name == NULL && command->name != NULL) {
        cli_say(cli, "mnetctl %s", group);
        return help_list(cli, tables, group);
    }
    return help_command(cli, command);
}

int cli_max(const cli_t *cli, int usual, int most, int *max)
{
    const char *text = cli_option(cli, "--max");
    apr_int64_t number = usual;

    if (text != NULL &&
        (!mnet_parse_int(text, strlen(text), &number) || number < 1 || number > most)) {
        cli_fail(cli, "usage", "--max takes a number from 1 to %d", most);
        return CLI_USAGE;
    }
    *max = (int)number;
    return CLI_OK;
}
