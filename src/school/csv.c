/* SPDX-License-Identifier: Apache-2.0 */
#include "school/csv.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"

static void skip_line_end(mnet_csv_t *csv)
{
    if (csv->at < csv->end && *csv->at == '\r') {
        csv->at++;
    }
    if (csv->at < csv->end && *csv->at == '\n') {
        csv->at++;
    }
    csv->next_line++;
}

void mnet_csv_begin(mnet_csv_t *csv, const char *text, apr_size_t len)
{
    static const char separators[] = ",;\t";
    int most = 0;

    memset(csv, 0, sizeof(*csv));
    if (len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) {
        text += 3;
        len -= 3;
    }
    csv->at = text;
    csv->end = text + len;
    csv->next_line = 1;
    csv->separator = ',';
    if (len >= 6 && !strncasecmp(text, "sep=", 4) && strchr(separators, text[4]) &&
        (text[5] == '\r' || text[5] == '\n')) {
        csv->separator = text[4];
        csv->at += 5;
        skip_line_end(csv);
        return;
    }
    for (const char *s = separators; *s; s++) {
        int count = 0;

        for (const char *at = text; at < csv->end && *at != '\n' && *at != '\r'; at++) {
            count += *at == *s;
        }
        if (count > most) {
            most = count;
            csv->separator = *s;
        }
    }
}

static apr_status_t mistake(mnet_csv_t *csv, int column, const char *why)
{
    csv->column = column;
    csv->why = why;
    return MNET_E_INVALID;
}

static int at_line_end(const mnet_csv_t *csv)
{
    return csv->at == csv->end || *csv->at == '\n' || *csv->at == '\r';
}

/* A quoted cell, from behind its first quote to behind its last one; "" is a quote. */
static apr_status_t quoted(mnet_csv_t *csv, char *to, apr_size_t *len, int column)
{
    for (csv->at++; csv->at < csv->end; csv->at++) {
        char c = *csv->at;

        if (c == '"') {
            if (csv->at + 1 == csv->end || csv->at[1] != '"') {
                csv->at++;
                if (at_line_end(csv) || *csv->at == csv->separator) {
                    return APR_SUCCESS;
                }
                return mistake(csv, column, "something stands behind a closing quote");
            }
            csv->at++;
        }
        csv->next_line +=
            c == '\n' || (c == '\r' && !(csv->at + 1 < csv->end && csv->at[1] == '\n'));
        if (*len == MNET_CSV_CELL) {
            return mistake(csv, column, "the cell is too long");
        }
        to[(*len)++] = c;
    }
    return mistake(csv, column, "a quote is opened and never closed");
}

static apr_status_t plain(mnet_csv_t *csv, char *to, apr_size_t *len, int column)
{
    for (; !at_line_end(csv) && *csv->at != csv->separator; csv->at++) {
        if (*len == MNET_CSV_CELL) {
            return mistake(csv, column, "the cell is too long");
        }
        to[(*len)++] = *csv->at;
    }
    return APR_SUCCESS;
}

/* Apostrophes before it are passed over, so that each that is put on can be taken off again. */
static int is_formula(const char *text)
{
    char c = text[strspn(text, "'")];

    return c == '=' || c == '+' || c == '-' || c == '@' || c == '\t' || c == '\r';
}

/* Room for the longest that the cell can be: what is left up to the limit. */
static apr_status_t read_cell(mnet_csv_t *csv, int column, const char **cell, apr_pool_t *pool)
{
    apr_size_t left = (apr_size_t)(csv->end - csv->at), len = 0;
    char *text;
    apr_status_t rv;

    if (left && *csv->at != '"') {
        /* The common case needs no more than the cell has. */
        const char *at = csv->at;

        while (at < csv->end && *at != csv->separator && *at != '\n' && *at != '\r') {
            at++;
        }
        left = (apr_size_t)(at - csv->at);
    }
    left = left > MNET_CSV_CELL ? MNET_CSV_CELL : left;
    text = apr_palloc(pool, left + 1);
    rv = csv->at < csv->end && *csv->at == '"' ? quoted(csv, text, &len, column)
                                               : plain(csv, text, &len, column);
    if (rv) {
        return rv;
    }
    text[len] = '\0';
    if (memchr(text, '\0', len) || !mnet_is_utf8(text, len)) {
        return mistake(csv, column,
                       "it is not UTF-8; save the spreadsheet as \"CSV UTF-8\" (Unicode)");
    }
    *cell = text[0] == '\'' && is_formula(text) ? text + 1 : text;
    return APR_SUCCESS;
}

static int is_empty(const apr_array_header_t *cells)
{
    for (int i = 0; i < cells->nelts; i++) {
        if (*APR_ARRAY_IDX(cells, i, const char *)) {
            return 0;
        }
    }
    return 1;
}

apr_status_t mnet_csv_row(mnet_csv_t *csv, apr_array_header_t **cells, apr_pool_t *pool)
{
    while (csv->at < csv->end) {
        int more = 1;

        *cells = apr_array_make(pool, 16, sizeof(const char *));
        csv->line = csv->next_line;
        while (more) {
            const char *cell;
            int column = (*cells)->nelts + 1;
            apr_status_t rv = column > MNET_CSV_CELLS
                                  ? mistake(csv, column, "there are too many cells")
                                  : read_cell(csv, column, &cell, pool);

            if (rv) {
                return rv;
            }
            APR_ARRAY_PUSH(*cells, const char *) = cell;
            more = csv->at < csv->end && *csv->at == csv->separator;
            csv->at += more;
        }
        skip_line_end(csv);
        if (!is_empty(*cells)) {
            return APR_SUCCESS;
        }
    }
    return APR_EOF;
}

/* --- writing --- */

static apr_status_t write_cell(const mnet_sink_t *to, const char *cell, int raw)
{
    int guard = !raw && is_formula(cell);
    apr_status_t rv = APR_SUCCESS;

    if (!guard && !strpbrk(cell, ",\"\r\n;") && cell[0] != ' ') {
        return mnet_sink_write(to, cell, strlen(cell));
    }
    rv = mnet_sink_write(to, guard ? "\"'" : "\"", guard ? 2 : 1);
    while (!rv && *cell) {
        apr_size_t len = strcspn(cell, "\"");

        rv = mnet_sink_write(to, cell, len);
        cell += len;
        if (!rv && *cell) {
            rv = mnet_sink_write(to, "\"\"", 2);
            cell++;
        }
    }
    return rv ? rv : mnet_sink_write(to, "\"", 1);
}

apr_status_t mnet_csv_write(const mnet_sink_t *to, const char *const *cells, int count, int raw)
{
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; !rv && i < count; i++) {
        if (i) {
            rv = mnet_sink_write(to, ",", 1);
        }
        rv = rv ? rv : write_cell(to, cells[i] ? cells[i] : "", raw);
    }
    return rv ? rv : mnet_sink_write(to, "\r\n", 2);
}
