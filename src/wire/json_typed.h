/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_JSON_TYPED_H
#define MNET_WIRE_JSON_TYPED_H

/*
 * XML-RPC values as JSON that comes back as it was: for local applications (MnetBackend with
 * format=json, SetHandler mnet-call).  What JSON has no kind of its own for is an object with one
 * member, whose name begins with a "$":
 *
 *   base64      {"$base64": "aGVsbG8="}
 *   dateTime    {"$dateTime": "20260102T03:04:05"}
 *   int beyond 2^53 (either way)   a string of digits, which every language reads as it is
 *   struct with one member, and its name begins with "$"   {"$struct": {...}}, never taken for
 * these
 *
 * All else is as wire/json.h has it: nil null, array [], struct {} (empty ones too).
 */

#include "wire/value.h"

/* A value to be written by mnet_value_to_json.  What needs no change is shared with the original.
 */
mnet_value_t *mnet_json_mark(mnet_value_t *value, apr_pool_t *pool);

/*
 * What mnet_value_from_json read, with base64 and dateTimes again.  NULL and *why: a "$base64" that
 * is no base64, or a member of that kind that is no text.  An object with another "$" name is a
 * struct as it stands.
 */
mnet_value_t *mnet_json_unmark(mnet_value_t *value, const char **why, apr_pool_t *pool);

/*
 * A text by somebody who is not trusted with our memory: refuses more than so many values before
 * any is made.  Reads it and unmarks it.  NULL and *why.
 */
#define MNET_JSON_VALUES 1000000
mnet_value_t *mnet_json_read(const char *text, apr_size_t len, const char **why, apr_pool_t *pool);

#endif
