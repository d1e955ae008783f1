/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"
#include "wire/json.h"

/* A mnet_sink_fn. */
static apr_status_t to_stdout(void *baton, const char *data, apr_size_t len)
{
    return fwrite(data, 1, len, stdout) == len ? APR_SUCCESS : APR_EGENERAL;
}

static const mnet_sink_t standard_output = {to_stdout, NULL};

/* --- sentences --- */

static mnet_value_t *error_value(const cli_t *cli, const char *kind, int code, const char *message)
{
    mnet_value_t *error = mnet_struct(cli->pool);

    mnet_set(error, "kind", mnet_string(kind, cli->pool));
    mnet_set(error, "code", mnet_int(code, cli->pool));
    mnet_set(error, "message", mnet_string(message, cli->pool));
    return error;
}

mnet_value_t *cli_reply_value(const cli_t *cli, const mnet_reply_t *reply)
{
    return error_value(cli, mnet_call_kind_name(reply->kind), reply->code, reply->message);
}

static int fail(const cli_t *cli, const char *kind, int code, const char *message)
{
    mnet_value_t *answer;

    if (cli->json) {
        answer = mnet_struct(cli->pool);
        mnet_set(answer, "error", error_value(cli, kind, code, message));
        cli_document(cli, answer);
    } else {
        fprintf(stderr, "mnetctl: %s\n", cli_clean(cli, message));
    }
    return CLI_FAILED;
}

int cli_fail(const cli_t *cli, const char *kind, const char *fmt, ...)
{
    const char *message;
    va_list args;

    va_start(args, fmt);
    message = apr_pvsprintf(cli->pool, fmt, args);
    va_end(args);
    return fail(cli, kind, 0, message);
}

int cli_fail_rv(const cli_t *cli, apr_status_t rv, const char *fmt, ...)
{
    char why[200];
    const char *message;
    va_list args;

    va_start(args, fmt);
    message = apr_pvsprintf(cli->pool, fmt, args);
    va_end(args);
    message = apr_pstrcat(cli->pool, message, ": ", mnet_strerror(rv, why, sizeof(why)), NULL);
    return fail(cli, "state", 0, message);
}

int cli_fail_reply(const cli_t *cli, const mnet_reply_t *reply)
{
    const char *kind = mnet_call_kind_name(reply->kind);

    if (reply->kind == MNET_CALL_OK) {
        return CLI_OK;
    }
    if (cli->json) {
        return fail(cli, kind, reply->code, reply->message);
    }
    if (reply->kind == MNET_CALL_FAULT) {
        fprintf(stderr, "mnetctl: fault %d: %s\n", reply->code, cli_clean(cli, reply->message));
    } else {
        fprintf(stderr, "mnetctl: %s: %s\n", kind, cli_clean(cli, reply->message));
    }
    return CLI_FAILED;
}

void cli_warn(const cli_t *cli, const char *fmt, ...)
{
    const char *message;
    va_list args;

    va_start(args, fmt);
    message = apr_pvsprintf(cli->pool, fmt, args);
    va_end(args);
    fprintf(stderr, "mnetctl: %s\n", cli_clean(cli, message));
}

void cli_say(const cli_t *cli, const char *fmt, ...)
{
    const char *message;
    va_list args;

    if (cli->json) {
        return;
    }
    va_start(args, fmt);
    message = apr_pvsprintf(cli->pool, fmt, args);
    va_end(args);
    fputs(message, stdout);
    fputc('\n', stdout);
}

int cli_document(const cli_t *cli, const mnet_value_t *value)
{
    apr_status_t rv = mnet_value_to_json(value, 2, &standard_output);

    if (rv == APR_SUCCESS && fputc('\n', stdout) != EOF) {
        return CLI_OK;
    }
    cli_warn(cli, "the answer could not be written in full");
    return CLI_FAILED;
}

/* --- text from outside --- */

static int is_control(const char *text, apr_size_t left)
{
    unsigned char c = (unsigned char)text[0];

    if (c < 0x20 || c == 0x7F) {
        return 1;
    }
    return c == 0xC2 && left > 1 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xA0;
}

/* A mnet_sink_fn; baton: was the last byte of the piece before, held back, the first of two that
 * may be a C1 control? */
static apr_status_t to_terminal(void *baton, const char *data, apr_size_t len)
{
    int *held = baton;
    apr_size_t i, from = 0;

    if (*held && len) {
        from = (unsigned char)data[0] >= 0x80 && (unsigned char)data[0] < 0xA0;
        if (from) {
            fprintf(stdout, "\\x%02X", (unsigned int)(unsigned char)data[0]);
        } else {
            fputc(0xC2, stdout);
        }
        *held = 0;
    }
    if (len > from && (unsigned char)data[len - 1] == 0xC2) {
        *held = 1;
        len--;
    }
    for (i = from; i < len; i++) {
        if (data[i] != '\n' && data[i] != '\t' && is_control(data + i, len - i)) {
            fwrite(data + from, 1, i - from, stdout);
            if ((unsigned char)data[i] == 0xC2) {
                i++;
            }
            fprintf(stdout, "\\x%02X", (unsigned int)(unsigned char)data[i]);
            from = i + 1;
        }
    }
    fwrite(data + from, 1, len - from, stdout);
    return ferror(stdout) ? APR_EGENERAL : APR_SUCCESS;
}

const char *cli_clean(const cli_t *cli, const char *text)
{
    apr_size_t len;
    char *clean, *to;
    int i, n;

    if (text == NULL) {
        return "-";
    }
    to = clean = apr_palloc(cli->pool, strlen(text) * 4 + 1);
    for (len = strlen(text); len; len -= (apr_size_t)n, text += n) {
        unsigned int code = 0;
        int valid = (n = mnet_utf8_next(text, len, &code)) > 0;

        n = valid ? n : 1;
        for (i = 0; i < n; i++) {
            if (valid && !mnet_is_control(code)) {
                *to++ = text[i];
            } else {
                apr_snprintf(to, 5, "\\x%02X", (unsigned int)(unsigned char)text[i]);
                to += 4;
            }
        }
    }
    *to = '\0';
    return clean;
}

/* --- values for people --- */

static int is_container(const mnet_value_t *value)
{
    return value != NULL && (value->type == MNET_ARRAY || value->type == MNET_STRUCT) &&
           mnet_count(value) > 0;
}

static apr_status_t print_scalar(const cli_t *cli, const mnet_value_t *value)
{
    int held = 0; /* a text is UTF-8: none ends with half of a character */
    mnet_sink_t terminal = {to_terminal, &held};

    if (value == NULL || value->type == MNET_NIL) {
        fputs("nil", stdout);
        return APR_SUCCESS;
    }
    switch (value->type) {
    case MNET_STRING:
    case MNET_DATETIME:
        return mnet_value_pour(value, &terminal);
    case MNET_BOOLEAN:
        fputs(value->integer ? "true" : "false", stdout);
        return APR_SUCCESS;
    case MNET_ARRAY:
        fputs("[]", stdout);
        return APR_SUCCESS;
    case MNET_STRUCT:
        fputs("{}", stdout);
        return APR_SUCCESS;
    default: /* numbers, and bytes as their base64 text */
        return mnet_value_to_json(value, 0, &standard_output);
    }
}

/* inline_first: the cursor stands behind "- ", where the first line goes. */
static apr_status_t print_value(const cli_t *cli, const mnet_value_t *value, int depth,
                                int inline_first)
{
    int i, count = mnet_count(value);
    apr_status_t rv = APR_SUCCESS;

    if (!is_container(value)) {
        rv = print_scalar(cli, value);
        fputc('\n', stdout);
        return rv;
    }
    if (depth > MNET_JSON_DEPTH) {
        return MNET_E_LIMIT;
    }
    for (i = 0; i < count && rv == APR_SUCCESS; i++) {
        mnet_value_t *item = mnet_item(value, i);

        if (i > 0 || !inline_first) {
            printf("%*s", depth * 2, "");
        }
        if (value->type == MNET_ARRAY) {
            fputs("- ", stdout);
            rv = print_value(cli, item, depth + 1, 1);
            continue;
        }
        printf("%s:%s", cli_clean(cli, mnet_item_name(value, i)), is_container(item) ? "\n" : " ");
        rv = print_value(cli, item, depth + 1, 0);
    }
    return rv;
}

int cli_value(const cli_t *cli, const mnet_value_t *value)
{
    apr_status_t rv = print_value(cli, value, 0, 0);

    return rv == APR_SUCCESS ? CLI_OK : cli_fail_rv(cli, rv, "the answer could not be shown");
}

/* --- tables --- */

cli_table_t *cli_table(const cli_t *cli, int columns)
{
    cli_table_t *table = apr_palloc(cli->pool, sizeof(*table));

    table->columns = columns;
    table->cells = apr_array_make(cli->pool, columns * 8, sizeof(const char *));
    return table;
}

void cli_row_of(cli_table_t *table, const char *const *cells)
{
    int i;

    for (i = 0; i < table->columns; i++) {
        APR_ARRAY_PUSH(table->cells, const char *) = cells[i];
    }
}

/* Characters, each taken for one column. */
static int width(const char *text)
{
    int columns = 0;

    for (; *text != '\0'; text++) {
        columns += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return columns;
}

void cli_table_print(const cli_t *cli, const cli_table_t *table, int indent)
{
    int *widths = apr_pcalloc(cli->pool, sizeof(int) * (apr_size_t)table->columns);
    int i, column, count = table->cells->nelts / table->columns * table->columns;

    if (cli->json) {
        return;
    }
    for (i = 0; i < count; i++) {
        const char **cell = &APR_ARRAY_IDX(table->cells, i, const char *);

        *cell = cli_clean(cli, *cell);
        column = i % table->columns;
        widths[column] = width(*cell) > widths[column] ? width(*cell) : widths[column];
    }
    for (i = 0; i < count; i++) {
        const char *cell = APR_ARRAY_IDX(table->cells, i, const char *);

        column = i % table->columns;
        if (column == 0) {
            printf("%*s", indent, "");
        }
        if (column == table->columns - 1) {
            printf("%s\n", cell);
        } else {
            printf("%s%*s", cell, widths[column] - width(cell) + 2, "");
        }
    }
}

/* --- questions --- */

int cli_interactive(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

int cli_ask(const cli_t *cli, const char *question)
{
    char line[64];

    if (!cli_interactive() || cli->json) {
        return 0;
    }
    fflush(stdout);
    fprintf(stderr, "%s [yes/no] ", question);
    if (fgets(line, sizeof(line), stdin) == NULL) {
        return 0;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return strcasecmp(line, "yes") == 0 || strcasecmp(line, "y") == 0;
}
