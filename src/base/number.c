/* SPDX-License-Identifier: Apache-2.0 */
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void trim(const char **text, apr_size_t *len)
{
    while (*len && is_space(**text)) {
        (*text)++;
        (*len)--;
    }
    while (*len && is_space((*text)[*len - 1])) {
        (*len)--;
    }
}

int mnet_parse_int(const char *text, apr_size_t len, apr_int64_t *number)
{
    apr_int64_t n = 0;
    apr_size_t i = 0;
    int negative;

    trim(&text, &len);
    negative = len && text[0] == '-';
    if (len && (text[0] == '-' || text[0] == '+')) {
        i = 1;
    }
    if (i == len) {
        return 0;
    }
    for (; i < len; i++) {
        int digit = text[i] - '0';

        if (digit < 0 || digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, negative ? -digit : digit, &n)) {
            return 0;
        }
    }
    *number = n;
    return 1;
}

static apr_size_t skip_digits(const char *text, apr_size_t len, apr_size_t from)
{
    while (from < len && text[from] >= '0' && text[from] <= '9') {
        from++;
    }
    return from;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit on either side of the point. */
static int is_decimal(const char *text, apr_size_t len)
{
    apr_size_t i = 0, start, digits;

    if (i < len && (text[i] == '-' || text[i] == '+')) {
        i++;
    }
    start = i;
    i = skip_digits(text, len, i);
    digits = i - start;
    if (i < len && text[i] == '.') {
        start = ++i;
        i = skip_digits(text, len, i);
        digits += i - start;
    }
    if (!digits) {
        return 0;
    }
    if (i < len && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < len && (text[i] == '-' || text[i] == '+')) {
            i++;
        }
        start = i;
        i = skip_digits(text, len, i);
        if (i == start) {
            return 0;
        }
    }
    return i == len;
}

int mnet_parse_double(const char *text, apr_size_t len, double *number)
{
    char copy[1024];
    locale_t c_locale;
    double result;

    trim(&text, &len);
    if (len >= sizeof(copy) || !is_decimal(text, len)) {
        return 0;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0) {
        return 0;
    }
    result = strtod_l(copy, NULL, c_locale);
    freelocale(c_locale);
    if (!isfinite(result)) {
        return 0;
    }
    *number = result;
    return 1;
}

/*
 * The digits of a finite number and its decimal exponent: D.DDD * 10^exponent.  The point of the
 * locale is skipped by its place, so that no locale matters.  Returns how many digits there are.
 */
static int shortest_digits(double number, char digits[20], int *exponent)
{
    char text[64], *e;
    int precision, n = 0;

    for (precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    for (e = text; *e && *e != 'e'; e++) {
        if (*e >= '0' && *e <= '9' && n < 19) {
            digits[n++] = *e;
        }
    }
    digits[n] = '\0';
    *exponent = *e ? (int)strtol(e + 1, NULL, 10) : 0;
    return n;
}

const char *mnet_format_double(double number, char buf[MNET_DOUBLE_TEXT])
{
    char digits[20];
    int n, exponent, i, used = 0;

    if (!isfinite(number)) {
        snprintf(buf, MNET_DOUBLE_TEXT, "%s", isnan(number) ? "NAN" : number < 0 ? "-INF" : "INF");
        return buf;
    }
    if (number == 0) {
        number = 0; /* no "-0": PHP has no use for it */
    }
    n = shortest_digits(fabs(number), digits, &exponent);
    if (number < 0) {
        buf[used++] = '-';
    }
    if (exponent < 0) {
        buf[used++] = '0';
        buf[used++] = '.';
        for (i = -1; i > exponent; i--) {
            buf[used++] = '0';
        }
    }
    for (i = 0; i < n || i <= exponent; i++) {
        if (exponent >= 0 && i == exponent + 1) {
            buf[used++] = '.';
        }
        buf[used++] = i < n ? digits[i] : '0';
    }
    buf[used] = '\0';
    return buf;
}
