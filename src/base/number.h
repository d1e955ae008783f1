/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_BASE_NUMBER_H
#define MNET_BASE_NUMBER_H

/*
 * Numbers as XML-RPC and PHP write them, whatever the locale of the process.  White space around
 * a number is ignored; anything else that is no part of it is a refusal.
 */

#include <apr.h>

/* Decimal digits with a sign or without.  Returns 0 if it is none or does not fit. */
int mnet_parse_int(const char *text, apr_size_t len, apr_int64_t *number);

/* Digits with at most one point, perhaps an exponent.  No infinity, no hexadecimal.  0 if not. */
int mnet_parse_double(const char *text, apr_size_t len, double *number);

/*
 * The shortest text that reads back as the same number, without an exponent: "1.5", "2",
 * "0.0000001".  Infinities and NaN, as PHP has them: "INF", "-INF", "NAN".  Returns buf.
 */
#define MNET_DOUBLE_TEXT 352 /* bytes: -, 0., 323 zeros and 17 digits, or 309 digits, and NUL */
const char *mnet_format_double(double number, char buf[MNET_DOUBLE_TEXT]);

#endif
