/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <limits.h>
#include <string.h>

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/status.h"

static const char hex_digits[] = "0123456789abcdef";

/* --- units --- */

/* Digits at *text, at least one; *text is left behind them. */
static apr_status_t read_digits(const char **text, apr_int64_t *number)
{
    const char *c = *text;
    apr_int64_t n = 0;

    if (*c < '0' || *c > '9') {
        return MNET_E_INVALID;
    }
    for (; *c >= '0' && *c <= '9'; c++) {
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *c - '0', &n)) {
            return MNET_E_INVALID;
        }
    }
    *text = c;
    *number = n;
    return APR_SUCCESS;
}

static int size_shift(char unit)
{
    switch (unit) {
    case '\0':
    case 'b':
    case 'B':
        return 0;
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    case 't':
    case 'T':
        return 40;
    default:
        return -1;
    }
}

apr_status_t mnet_parse_size(const char *text, apr_off_t *size)
{
    apr_int64_t n;
    int shift;

    if (!text || read_digits(&text, &n) != APR_SUCCESS) {
        return MNET_E_INVALID;
    }
    shift = size_shift(*text);
    if (shift < 0 || (*text && text[1]) || n > (APR_INT64_MAX >> shift)) {
        return MNET_E_INVALID;
    }
    *size = (apr_off_t)(n << shift);
    return APR_SUCCESS;
}

/* From the largest: the order in which mnet_format_time tries them (weeks are only read). */
static const struct {
    const char *name;
    apr_interval_time_t length;
} time_units[] = {
    {"w", APR_USEC_PER_SEC * 7 * 24 * 3600},
    {"d", APR_USEC_PER_SEC * 24 * 3600},
    {"h", APR_USEC_PER_SEC * 3600},
    {"m", APR_USEC_PER_SEC * 60},
    {"s", APR_USEC_PER_SEC},
    {"ms", 1000},
};
#define TIME_UNITS (sizeof(time_units) / sizeof(time_units[0]))

apr_status_t mnet_parse_time(const char *text, apr_interval_time_t *time)
{
    apr_int64_t n, result;
    apr_size_t i;

    if (!text || read_digits(&text, &n) != APR_SUCCESS) {
        return MNET_E_INVALID;
    }
    if (!*text) {
        text = "s";
    }
    for (i = 0; i < TIME_UNITS; i++) {
        if (!strcmp(text, time_units[i].name)) {
            if (__builtin_mul_overflow(n, time_units[i].length, &result)) {
                return MNET_E_INVALID;
            }
            *time = result;
            return APR_SUCCESS;
        }
    }
    return MNET_E_INVALID;
}

apr_status_t mnet_parse_rate(const char *text, int *count, apr_interval_time_t *per)
{
    apr_interval_time_t time = 0;
    apr_int64_t n;

    if (!text || read_digits(&text, &n) != APR_SUCCESS || n > INT_MAX) {
        return MNET_E_INVALID;
    }
    if (*text == '/') {
        if (mnet_parse_time(text + 1, &time) != APR_SUCCESS) {
            return MNET_E_INVALID;
        }
    } else if (*text || n) {
        return MNET_E_INVALID;
    }
    if (n && !time) {
        return MNET_E_INVALID;
    }
    *count = (int)n;
    *per = n ? time : 0;
    return APR_SUCCESS;
}

const char *mnet_format_time(apr_interval_time_t time, apr_pool_t *pool)
{
    apr_size_t i;

    if (time <= 0) {
        return "0";
    }
    for (i = 1; i < TIME_UNITS - 1 && time % time_units[i].length; i++) {
    }
    return apr_psprintf(pool, "%" APR_INT64_T_FMT "%s", (apr_int64_t)(time / time_units[i].length),
                        time_units[i].name);
}

const char *mnet_format_date(apr_time_t when, apr_pool_t *pool)
{
    apr_time_exp_t t;

    if (apr_time_exp_gmt(&t, when) != APR_SUCCESS) {
        return "-";
    }
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02dZ", t.tm_year + 1900, t.tm_mon + 1,
                        t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
}

/* --- hexadecimal, secrets --- */

/* "000102..." to "fdfeff" */
#define PAIRS(a)                                                                                   \
    a "0" a "1" a "2" a "3" a "4" a "5" a "6" a "7" a "8" a "9" a "a" a "b" a "c" a "d" a "e" a "f"
static const char hex_pairs[] =
    PAIRS("0") PAIRS("1") PAIRS("2") PAIRS("3") PAIRS("4") PAIRS("5") PAIRS("6") PAIRS("7")
        PAIRS("8") PAIRS("9") PAIRS("a") PAIRS("b") PAIRS("c") PAIRS("d") PAIRS("e") PAIRS("f");

const char *mnet_hex(const unsigned char *data, apr_size_t len, apr_pool_t *pool)
{
    char *hex = apr_palloc(pool, len * 2 + 1);
    apr_size_t i;

    for (i = 0; i < len; i++) {
        memcpy(hex + 2 * i, hex_pairs + 2 * data[i], 2);
    }
    hex[2 * len] = '\0';
    return hex;
}

apr_status_t mnet_random_hex(const char **hex, apr_size_t n, apr_pool_t *pool)
{
    unsigned char bytes[64];
    char *text;
    apr_size_t i, part;

    if (n > (APR_SIZE_MAX - 1) / 2) {
        return MNET_E_INVALID;
    }
    text = apr_palloc(pool, n * 2 + 1);
    for (i = 0; i < n; i += part) {
        apr_size_t j;

        part = n - i < sizeof(bytes) ? n - i : sizeof(bytes);
        if (RAND_bytes(bytes, (int)part) != 1) {
            return MNET_E_CRYPTO;
        }
        for (j = 0; j < part; j++) {
            text[2 * (i + j)] = hex_digits[bytes[j] >> 4];
            text[2 * (i + j) + 1] = hex_digits[bytes[j] & 15];
        }
    }
    text[2 * n] = '\0';
    OPENSSL_cleanse(bytes, sizeof(bytes));
    *hex = text;
    return APR_SUCCESS;
}

int mnet_equal_secret(const char *a, const char *b)
{
    apr_size_t len;

    if (!a || !b) {
        return 0;
    }
    len = strlen(a);
    return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}

/* --- UTF-8 --- */

int mnet_utf8_next(const char *text, apr_size_t len, unsigned int *code)
{
    const unsigned char *c = (const unsigned char *)text;
    unsigned int low = 0x80, high = 0xbf, value;
    int more, i;

    if (c[0] < 0x80) {
        *code = c[0];
        return 1;
    }
    if (c[0] >= 0xc2 && c[0] <= 0xdf) {
        more = 1;
        value = c[0] & 0x1f;
    } else if (c[0] >= 0xe0 && c[0] <= 0xef) {
        more = 2;
        value = c[0] & 0x0f;
        low = c[0] == 0xe0 ? 0xa0 : 0x80;
        high = c[0] == 0xed ? 0x9f : 0xbf;
    } else if (c[0] >= 0xf0 && c[0] <= 0xf4) {
        more = 3;
        value = c[0] & 0x07;
        low = c[0] == 0xf0 ? 0x90 : 0x80;
        high = c[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    for (i = 1; i <= more; i++) {
        if ((apr_size_t)i >= len) {
            return -1;
        }
        if (c[i] < low || c[i] > high) {
            return 0;
        }
        value = value << 6 | (c[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }
    *code = value;
    return more + 1;
}

int mnet_is_utf8(const char *text, apr_size_t len)
{
    unsigned int code;

    while (len) {
        int n = mnet_utf8_next(text, len, &code);

        if (n <= 0) {
            return 0;
        }
        text += n;
        len -= (apr_size_t)n;
    }
    return 1;
}

apr_size_t mnet_utf8_fit(const char *text, apr_size_t bytes, apr_size_t characters)
{
    apr_size_t len = strnlen(text, bytes), fits = 0;
    unsigned int code;

    for (; characters && fits < len; characters--) {
        int n = mnet_utf8_next(text + fits, len - fits, &code);

        if (n < 1) {
            break;
        }
        fits += (apr_size_t)n;
    }
    return fits;
}

int mnet_is_control(unsigned int code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
           code == 0xfeff;
}

/* May it stand in a log line as it is? */
static int is_plain(unsigned int code)
{
    return !mnet_is_control(code) && code != '"' && code != '\\';
}

const char *mnet_for_log(const char *text, apr_size_t len, apr_size_t max, apr_pool_t *pool)
{
    apr_size_t chars, used = 0, room = (len < max ? len : max);
    char *out;

    if (!text) {
        return "-";
    }
    /* At most 4 bytes a character; each takes 4 bytes escaped. */
    out = apr_palloc(pool, room * 16 + sizeof("..."));
    for (chars = 0; len && chars < max; chars++) {
        unsigned int code = 0;
        int i, n = mnet_utf8_next(text, len, &code), valid = n > 0;

        n = valid ? n : 1;
        for (i = 0; i < n; i++) {
            unsigned char c = (unsigned char)text[i];

            if (valid && is_plain(code)) {
                out[used++] = (char)c;
            } else {
                out[used++] = '\\';
                out[used++] = 'x';
                out[used++] = hex_digits[c >> 4];
                out[used++] = hex_digits[c & 15];
            }
        }
        text += n;
        len -= (apr_size_t)n;
    }
    apr_cpystrn(out + used, len ? "..." : "", sizeof("..."));
    return out;
}

const char *mnet_say(const char *text, apr_pool_t *pool)
{
    return mnet_for_log(text, text ? strlen(text) : 0, 120, pool);
}
