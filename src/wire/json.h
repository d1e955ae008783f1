/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_JSON_H
#define MNET_WIRE_JSON_H

/*
 * XML-RPC values as JSON (RFC 8259) and back, for mnetctl, for applications that speak JSON and
 * for reports.
 *
 *   nil        null              int      a number without fraction or exponent
 *   string     a string          double   a number with one of them; NaN and infinities: null
 *   boolean    true, false       array    an array
 *   base64     its base64 text   struct   an object
 *   datetime   its text
 *
 * What JSON has kinds for comes back as it was; base64 and datetime come back as strings.
 */

#include <apr_pools.h>

#include "base/sink.h"
#include "wire/value.h"

/* Containers within containers, both ways; deeper is MNET_E_LIMIT. */
#define MNET_JSON_DEPTH 64

/*
 * Writes a value.  indent: spaces for each level, 0: all on one line; no newline at the end.  A
 * text that went to a file is poured, never held.  Bytes that are not UTF-8 become U+FFFD; control
 * characters, DEL and U+0080 to U+009F are escaped, so that a terminal may be shown the outcome.
 */
apr_status_t mnet_value_to_json(const mnet_value_t *value, int indent, const mnet_sink_t *to);

/*
 * Reads one JSON text of any kind, all of len bytes of it.  Two members of one name are refused,
 * and so is a whole number beyond 64 bits.  MNET_E_INVALID or MNET_E_LIMIT, and then *why says what
 * is wrong and where, in pool.
 */
apr_status_t mnet_value_from_json(const char *text, apr_size_t len, mnet_value_t **value,
                                  const char **why, apr_pool_t *pool);

#endif
