/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_CSV_H
#define MNET_SCHOOL_CSV_H

/*
 * Spreadsheets as text (RFC 4180): rows of cells, quoted where they must be.  Read: comma,
 * semicolon or tab, whichever the first line has; LF, CRLF or CR; a byte order mark is skipped;
 * UTF-8 only; a first line sep=; (Excel's) names the separator.  Written: comma and CRLF.  A cell
 * that a spreadsheet would take for a formula (it begins with = + - @, a tab or a CR, perhaps
 * behind apostrophes) is written with an apostrophe before it, which reading takes off again.
 */

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/sink.h"

#define MNET_CSV_CELLS 1000                /* in a row */
#define MNET_CSV_CELL  ((apr_size_t)65536) /* bytes of one */

typedef struct mnet_csv_t {
    const char *at, *end;
    char separator;
    int line; /* where the row that was read begins; from 1 */
    int next_line;
    int column;      /* of a mistake; from 1 */
    const char *why; /* after MNET_E_INVALID */
} mnet_csv_t;

/* text: valid as long as rows are read. */
void mnet_csv_begin(mnet_csv_t *csv, const char *text, apr_size_t len);
/* The next row that has anything in it: const char *, in pool.  APR_EOF: there is none;
 * MNET_E_INVALID: csv->why, csv->line, csv->column. */
apr_status_t mnet_csv_row(mnet_csv_t *csv, apr_array_header_t **cells, apr_pool_t *pool);

/* Writes a row; NULL is an empty cell.  raw: no apostrophes. */
apr_status_t mnet_csv_write(const mnet_sink_t *to, const char *const *cells, int count, int raw);

#endif
