/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of services as the command line has them. */
#include "cli/cli.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define SERVICE_MAX 40 /* what a Moodle's tables hold (protocol, appendix A) */

apr_array_header_t *cli_words(const cli_t *cli, const char *text)
{
    apr_array_header_t *words = apr_array_make(cli->pool, 4, sizeof(const char *));
    char *state, *word;

    for (word = apr_strtok(apr_pstrdup(cli->pool, text), ", ", &state); word != NULL;
         word = apr_strtok(NULL, ", ", &state)) {
        const char **last =
            words->nelts > 0 ? &APR_ARRAY_IDX(words, words->nelts - 1, const char *) : NULL;

        /* A pattern always has one of these, the name of a service never. */
        if (last != NULL && strchr(*last, '=') != NULL && strchr(word, '=') == NULL &&
            strpbrk(word, "/*") != NULL) {
            *last = apr_pstrcat(cli->pool, *last, ",", word, NULL);
        } else {
            APR_ARRAY_PUSH(words, const char *) = word;
        }
    }
    return words;
}

static int name_ok(const char *name)
{
    const char *c;

    for (c = name; *c != '\0'; c++) {
        if (!apr_isalnum(*c) && strchr("_-.", *c) == NULL) {
            return 0;
        }
    }
    return c != name && c - name <= SERVICE_MAX && apr_isalnum(*name) && strcmp(name, "none") != 0;
}

static int bad_name(const cli_t *cli, const char *name)
{
    cli_fail(cli, "usage",
             "\"%s\" is no name of a service: letters, digits, \"_\", \"-\" and \".\", at most %d",
             name, SERVICE_MAX);
    return CLI_USAGE;
}

/* Are the words changes ("+x", "-x"), names, or a mixture? */
static int kind_of_list(const cli_t *cli, const apr_array_header_t *words, int *changes)
{
    int i, signs = 0;

    for (i = 0; i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);

        signs += word[0] == '+' || word[0] == '-';
    }
    *changes = signs > 0;
    if (signs == 0 || signs == words->nelts) {
        return CLI_OK;
    }
    cli_fail(cli, "usage",
             "names replace the list, \"+name\" and \"-name\" change it: not both at once");
    return CLI_USAGE;
}

static int find_text(const apr_array_header_t *texts, const char *text)
{
    int i;

    for (i = 0; i < texts->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(texts, i, const char *), text) == 0) {
            return i;
        }
    }
    return -1;
}

static int find_subscription(const apr_array_header_t *list, const char *service)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(list, i, mnet_subscription_t).service, service) == 0) {
            return i;
        }
    }
    return -1;
}

/* Takes the element at index out; the order stays. */
static void take_out(apr_array_header_t *list, int index)
{
    char *at = list->elts + (apr_size_t)index * (apr_size_t)list->elt_size;

    memmove(at, at + list->elt_size,
            (apr_size_t)(list->nelts - index - 1) * (apr_size_t)list->elt_size);
    list->nelts--;
}

/* "none", alone: the empty list, as httpd's directives have it. */
static int is_none(const apr_array_header_t *words)
{
    return words->nelts == 1 && strcmp(APR_ARRAY_IDX(words, 0, const char *), "none") == 0;
}

int cli_publish_list(const cli_t *cli, const apr_array_header_t *words,
                     const apr_array_header_t *now, apr_array_header_t **list)
{
    int i, at, changes, rv = kind_of_list(cli, words, &changes);

    *list = changes && now != NULL ? apr_array_copy(cli->pool, now)
                                   : apr_array_make(cli->pool, 4, sizeof(const char *));
    for (i = is_none(words); rv == CLI_OK && i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);
        const char *name = word + changes;

        if (!name_ok(name)) {
            return bad_name(cli, name);
        }
        at = find_text(*list, name);
        if (changes && word[0] == '-') {
            if (at >= 0) {
                take_out(*list, at);
            }
        } else if (at < 0) {
            APR_ARRAY_PUSH(*list, const char *) = name;
        }
    }
    return rv;
}

/* "NAME" or "NAME=PATTERN,PATTERN" */
static int parse_subscription(const cli_t *cli, const char *word, mnet_subscription_t *subscription)
{
    const char *equals = strchr(word, '=');
    apr_array_header_t *patterns;
    char *state, *pattern;

    subscription->patterns = NULL;
    subscription->service =
        equals ? apr_pstrmemdup(cli->pool, word, (apr_size_t)(equals - word)) : word;
    if (!name_ok(subscription->service)) {
        return bad_name(cli, subscription->service);
    }
    if (equals == NULL) {
        return CLI_OK;
    }
    patterns = apr_array_make(cli->pool, 2, sizeof(const char *));
    for (pattern = apr_strtok(apr_pstrdup(cli->pool, equals + 1), ",", &state); pattern != NULL;
         pattern = apr_strtok(NULL, ",", &state)) {
        APR_ARRAY_PUSH(patterns, const char *) = pattern;
    }
    if (patterns->nelts == 0) {
        cli_fail(cli, "usage", "%s names no method: NAME=PATTERN[,PATTERN], as in x=mod/x/*", word);
        return CLI_USAGE;
    }
    subscription->patterns = patterns;
    return CLI_OK;
}

int cli_subscribe_list(const cli_t *cli, const apr_array_header_t *words,
                       const apr_array_header_t *now, apr_array_header_t **list)
{
    int i, at, changes, rv = kind_of_list(cli, words, &changes);

    *list = changes && now != NULL ? apr_array_copy(cli->pool, now)
                                   : apr_array_make(cli->pool, 4, sizeof(mnet_subscription_t));
    for (i = is_none(words); rv == CLI_OK && i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);
        mnet_subscription_t subscription;

        rv = parse_subscription(cli, word + changes, &subscription);
        if (rv != CLI_OK) {
            return rv;
        }
        at = find_subscription(*list, subscription.service);
        if (changes && word[0] == '-') {
            if (at >= 0) {
                take_out(*list, at);
            }
        } else if (at >= 0) {
            APR_ARRAY_IDX(*list, at, mnet_subscription_t) = subscription;
        } else {
            APR_ARRAY_PUSH(*list, mnet_subscription_t) = subscription;
        }
    }
    return rv;
}
