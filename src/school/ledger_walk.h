/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_LEDGER_WALK_H
#define MNET_SCHOOL_LEDGER_WALK_H

/*
 * Everything of a kind as rows of text, a piece at a time: memory stays flat however much there is,
 * no transaction stays open while a row is written, and what is added meanwhile may be in or not.
 */

#include "school/ledger.h"

typedef enum {
    MNET_LEDGER_PEOPLE,
    MNET_LEDGER_SECTIONS,
    MNET_LEDGER_ENROLMENTS,
    MNET_LEDGER_ITEMS,
    MNET_LEDGER_GRADES,
    MNET_LEDGER_ENTRIES, /* of histories */
    MNET_LEDGER_KINDS
} mnet_ledger_kind_e;

const char *mnet_ledger_kind_name(mnet_ledger_kind_e kind); /* "people" */
/* MNET_LEDGER_KINDS: none is called so. */
mnet_ledger_kind_e mnet_ledger_kind_of(const char *name);
/* The names of a kind's columns, up to NULL. */
const char *const *mnet_ledger_columns(mnet_ledger_kind_e kind);

/* cells: as many as there are columns; NULL: nothing.  numbers: is that cell a number or a truth,
 * as JSON has them? */
typedef apr_status_t mnet_row_fn(void *baton, const char *const *cells, const char *numbers);
apr_status_t mnet_ledger_walk(mnet_host_t *host, mnet_ledger_kind_e kind, mnet_row_fn *row,
                              void *baton, apr_pool_t *pool);
apr_status_t mnet_ledger_count(mnet_host_t *host, mnet_ledger_kind_e kind, apr_int64_t *count,
                               apr_pool_t *pool);

#endif
