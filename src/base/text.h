/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_BASE_TEXT_H
#define MNET_BASE_TEXT_H

/*
 * Small texts: units as the directives write them, hexadecimal, random tokens, comparison and
 * escaping for logs.
 */

#include <apr_pools.h>
#include <apr_time.h>

/*
 * A size: digits, then nothing, b, k, m, g or t in either case (powers of 1024).  MNET_E_INVALID
 * if it is no such text or does not fit.
 */
apr_status_t mnet_parse_size(const char *text, apr_off_t *size);

/*
 * A duration: digits and one of ms, s, m, h, d, w.  A bare number is seconds.  MNET_E_INVALID if
 * it is no such text or does not fit.
 */
apr_status_t mnet_parse_time(const char *text, apr_interval_time_t *time);

/* A rate "N/TIME", as MnetFailureLimit has it.  "0" (or 0/..) means no limit. */
apr_status_t mnet_parse_rate(const char *text, int *count, apr_interval_time_t *per);

/* "28d", "15m", "500ms": the shortest text that mnet_parse_time reads back as the same value. */
const char *mnet_format_time(apr_interval_time_t time, apr_pool_t *pool);

/* RFC 3339 in UTC, "2026-11-22T06:00:00Z". */
const char *mnet_format_date(apr_time_t when, apr_pool_t *pool);

/* Lower-case hexadecimal, NUL-terminated. */
const char *mnet_hex(const unsigned char *data, apr_size_t len, apr_pool_t *pool);

/* n random bytes from OpenSSL's CSPRNG as 2n hexadecimal digits.  MNET_E_CRYPTO without entropy. */
apr_status_t mnet_random_hex(const char **hex, apr_size_t n, apr_pool_t *pool);

/* Equality whose time depends on the lengths alone.  NULL equals nothing. */
int mnet_equal_secret(const char *a, const char *b);

/*
 * Text from outside, fit for one log line: control characters, quotes and bytes that are not
 * UTF-8 escaped as \xNN, cut after max characters with "...".  NULL gives "-".
 */
const char *mnet_for_log(const char *text, apr_size_t len, apr_size_t max, apr_pool_t *pool);
/* The same of a text that ends with a NUL, of the length that most lines of the log have room for.
 */
const char *mnet_say(const char *text, apr_pool_t *pool);

/*
 * The character at the start of a text of len >= 1 bytes: its length in bytes, its code point in
 * *code.  0 if the first byte begins no valid sequence, -1 if the text ends within one.
 */
int mnet_utf8_next(const char *text, apr_size_t len, unsigned int *code);

/* How many bytes of a valid text there is room for, whole characters of it alone: at most so many
 * bytes, and so many characters. */
apr_size_t mnet_utf8_fit(const char *text, apr_size_t bytes, apr_size_t characters);

/* Is it a control character, or one of Unicode's marks of line and direction, which can make a text
 * look like another? */
int mnet_is_control(unsigned int code);

/* Is it valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF)? */
int mnet_is_utf8(const char *text, apr_size_t len);

#endif
