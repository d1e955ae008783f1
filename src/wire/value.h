/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_VALUE_H
#define MNET_WIRE_VALUE_H

/*
 * XML-RPC values (protocol 2.2).  Peers are loose with types: a number may arrive as text, a
 * struct as an array and an empty one as either, so the readers below convert as PHP would and
 * say whether they could.  Values live in the pool of the document they came from.
 */

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "wire/spool.h"

typedef enum {
    MNET_NIL,
    MNET_STRING,
    MNET_INT,
    MNET_BOOLEAN,
    MNET_DOUBLE,
    MNET_BASE64,   /* kept decoded */
    MNET_DATETIME, /* kept as written */
    MNET_ARRAY,
    MNET_STRUCT
} mnet_type_e;

typedef struct mnet_value_t mnet_value_t;

struct mnet_value_t {
    mnet_type_e type;
    /* STRING, BASE64, DATETIME: data, NUL-terminated (which may also hold NULs before len). */
    const char *data;
    apr_size_t len;
    mnet_spool_t *spool;       /* instead of data where the text went to a file */
    int plain;                 /* all of the spool is ASCII that no writer escapes (base64) */
    apr_int64_t integer;       /* INT; BOOLEAN 0 or 1 */
    double real;               /* DOUBLE */
    apr_array_header_t *items; /* ARRAY: mnet_value_t *; STRUCT: mnet_member_t */
};

typedef struct mnet_member_t {
    const char *name; /* UTF-8 */
    apr_size_t name_len;
    mnet_value_t *value;
} mnet_member_t;

/* Making.  Texts are copied; a text must be UTF-8 (it is not checked here, the writer does). */
mnet_value_t *mnet_nil(apr_pool_t *pool);
mnet_value_t *mnet_string(const char *text, apr_pool_t *pool); /* NULL gives "" */
mnet_value_t *mnet_string_n(const char *data, apr_size_t len, apr_pool_t *pool);
mnet_value_t *mnet_string_spool(mnet_spool_t *spool, apr_pool_t *pool);
/* The same of a text that is nothing but base64: it goes into a document without being looked at,
 * and into a document that is a spool without being read. */
mnet_value_t *mnet_string_plain(mnet_spool_t *spool, apr_pool_t *pool);
mnet_value_t *mnet_int(apr_int64_t integer, apr_pool_t *pool);
mnet_value_t *mnet_boolean(int truth, apr_pool_t *pool);
mnet_value_t *mnet_double(double real, apr_pool_t *pool);
mnet_value_t *mnet_array(apr_pool_t *pool);
mnet_value_t *mnet_struct(apr_pool_t *pool);
void mnet_append(mnet_value_t *array, mnet_value_t *item);
/* Sets a member; an older one of that name is replaced in its place. */
void mnet_set(mnet_value_t *structure, const char *name, mnet_value_t *value);

/* Reading.  All accept NULL for the value and then say no. */
int mnet_count(const mnet_value_t *value); /* of an array or struct; 0 for anything else */
/* The item at index of an array; of a struct: the value of its index-th member (PHP's lists may
 * arrive as structs).  NULL if there is none. */
mnet_value_t *mnet_item(const mnet_value_t *value, int index);
const char *mnet_item_name(const mnet_value_t *structure, int index); /* NULL for an array */
mnet_value_t *mnet_get(const mnet_value_t *structure, const char *name);

/*
 * A text: strings, numbers, booleans (1 and "" as PHP has it), nil as "".  NULL for a container,
 * a text that went to a file, or one with a NUL in it.
 */
const char *mnet_as_text(const mnet_value_t *value, apr_pool_t *pool);
/* A whole number, of INT, BOOLEAN, DOUBLE without a fraction, or decimal text.  0 if not. */
int mnet_as_int(const mnet_value_t *value, apr_int64_t *integer);
int mnet_as_double(const mnet_value_t *value, double *real);
/* PHP's truth: "", "0", 0, 0.0, nil, false and an empty container are false. */
int mnet_as_truth(const mnet_value_t *value);
/* The bytes of a STRING, BASE64 or DATETIME wherever they are, into a sink. */
apr_status_t mnet_value_pour(const mnet_value_t *value, const mnet_sink_t *to);

#endif
