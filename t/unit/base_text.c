/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_help.h"

#include "base/text.h"

static void size_units(void **state)
{
    static const struct {
        const char *text;
        apr_off_t size;
    } good[] = {{"0", 0},
                {"17", 17},
                {"17b", 17},
                {"64k", 65536},
                {"64K", 65536},
                {"10m", 10485760},
                {"1g", 1073741824},
                {"2T", 2199023255552},
                {"9223372036854775807", APR_INT64_MAX},
                {"8388607t", 8388607LL << 40}};
    static const char *bad[] = {"",
                                "k",
                                "-1",
                                "+1",
                                " 1",
                                "1 ",
                                "1kb",
                                "1 k",
                                "1.5m",
                                "1x",
                                "0x1",
                                NULL,
                                "8388608t",
                                "9223372036854775808",
                                "99999999999999999999"};
    apr_off_t size;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size = -1;
        assert_int_equal(mnet_parse_size(good[i].text, &size), APR_SUCCESS);
        assert_int_equal(size, good[i].size);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size = -1;
        assert_int_equal(mnet_parse_size(bad[i], &size), MNET_E_INVALID);
        assert_int_equal(size, -1);
    }
}

static void time_units(void **state)
{
    static const struct {
        const char *text;
        apr_interval_time_t time;
    } good[] = {
        {"0", 0},          {"30", 30000000},    {"30s", 30000000},      {"500ms", 500000},
        {"5m", 300000000}, {"8h", 28800000000}, {"28d", 2419200000000}, {"4w", 2419200000000}};
    static const char *bad[] = {"",    "s",  "-1s", "1.5h", "1 s",           "5M",
                                "5us", "1y", NULL,  "1mss", "9223372036855", "15250285w"};
    apr_interval_time_t time;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        time = -1;
        assert_int_equal(mnet_parse_time(good[i].text, &time), APR_SUCCESS);
        assert_int_equal(time, good[i].time);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        time = -1;
        assert_int_equal(mnet_parse_time(bad[i], &time), MNET_E_INVALID);
        assert_int_equal(time, -1);
    }
}

static void a_time_is_written_as_it_is_read(void **state)
{
    static const char *texts[] = {"0", "500ms", "1s", "90s", "15m", "8h", "28d", "365d", "1001ms"};
    apr_interval_time_t time;
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(mnet_parse_time(texts[i], &time), APR_SUCCESS);
        assert_string_equal(mnet_format_time(time, *state), texts[i]);
    }
    assert_int_equal(mnet_parse_time("2w", &time), APR_SUCCESS);
    assert_string_equal(mnet_format_time(time, *state), "14d");
}

static void rates(void **state)
{
    static const char *bad[] = {"",     "30",   "30/",           "/1m",    "-1/1m",
                                "30/0", "30/x", "2147483648/1m", "30 /1m", NULL};
    apr_interval_time_t per;
    int count;
    size_t i;

    assert_int_equal(mnet_parse_rate("30/1m", &count, &per), APR_SUCCESS);
    assert_int_equal(count, 30);
    assert_int_equal(per, 60000000);
    assert_int_equal(mnet_parse_rate("0", &count, &per), APR_SUCCESS);
    assert_int_equal(count, 0);
    assert_int_equal(mnet_parse_rate("0/5s", &count, &per), APR_SUCCESS);
    assert_int_equal(count, 0);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(mnet_parse_rate(bad[i], &count, &per), MNET_E_INVALID);
    }
}

static void dates(void **state)
{
    assert_string_equal(mnet_format_date(0, *state), "1970-01-01T00:00:00Z");
    assert_string_equal(mnet_format_date(apr_time_from_sec(1795327200), *state),
                        "2026-11-22T06:00:00Z");
}

static void hexadecimal(void **state)
{
    static const unsigned char bytes[] = {0x00, 0x7f, 0x80, 0xff, 0x0a};
    const char *a, *b;

    assert_string_equal(mnet_hex(bytes, sizeof(bytes), *state), "007f80ff0a");
    assert_string_equal(mnet_hex(bytes, 0, *state), "");
    assert_int_equal(mnet_random_hex(&a, 100, *state), APR_SUCCESS);
    assert_int_equal(mnet_random_hex(&b, 100, *state), APR_SUCCESS);
    assert_int_equal(strlen(a), 200);
    assert_int_equal(strspn(a, "0123456789abcdef"), 200);
    assert_string_not_equal(a, b);
}

static void secrets_are_compared(void **state)
{
    assert_true(mnet_equal_secret("abc", "abc"));
    assert_true(mnet_equal_secret("", ""));
    assert_false(mnet_equal_secret("abc", "abd"));
    assert_false(mnet_equal_secret("abc", "abcd"));
    assert_false(mnet_equal_secret("abc", ""));
    assert_false(mnet_equal_secret(NULL, "abc"));
    assert_false(mnet_equal_secret("abc", NULL));
    assert_false(mnet_equal_secret(NULL, NULL));
}

static void a_log_line_stays_one_line(void **state)
{
    apr_pool_t *pool = *state;

    assert_string_equal(mnet_for_log(NULL, 0, 10, pool), "-");
    assert_string_equal(mnet_for_log("", 0, 10, pool), "");
    assert_string_equal(mnet_for_log("plain text", 10, 10, pool), "plain text");
    assert_string_equal(mnet_for_log("a\nb\r\x1b[m", 7, 20, pool), "a\\x0ab\\x0d\\x1b[m");
    assert_string_equal(mnet_for_log("\"'\\", 3, 20, pool), "\\x22'\\x5c");
    assert_string_equal(mnet_for_log("\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80", 9, 20, pool),
                        "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80");
    assert_string_equal(mnet_for_log("\xff\xc3(", 3, 20, pool), "\\xff\\xc3(");
    /* C1 controls, a line separator, a text turned round */
    assert_string_equal(mnet_for_log("\xc2\x9b\xe2\x80\xa8\xe2\x80\xae", 8, 20, pool),
                        "\\xc2\\x9b\\xe2\\x80\\xa8\\xe2\\x80\\xae");
    assert_string_equal(mnet_for_log("a\0b", 3, 20, pool), "a\\x00b");
}

static void a_log_text_is_cut(void **state)
{
    apr_pool_t *pool = *state;

    assert_string_equal(mnet_for_log("abcdef", 6, 3, pool), "abc...");
    assert_string_equal(mnet_for_log("abc", 3, 3, pool), "abc");
    assert_string_equal(mnet_for_log("\xc3\xa9\xc3\xa9\xc3\xa9", 6, 2, pool),
                        "\xc3\xa9\xc3\xa9...");
    assert_string_equal(mnet_for_log("abc", 3, 0, pool), "...");
}

static void utf8_is_told_from_what_is_not(void **state)
{
    static const char *good[] = {"",
                                 "abc",
                                 "\xc2\x80",
                                 "\xdf\xbf",
                                 "\xe0\xa0\x80",
                                 "\xed\x9f\xbf",
                                 "\xee\x80\x80",
                                 "\xef\xbf\xbf",
                                 "\xf0\x90\x80\x80",
                                 "\xf4\x8f\xbf\xbf"};
    static const char *bad[] = {"\x80",
                                "\xc0\x80",
                                "\xc1\xbf",
                                "\xe0\x9f\xbf",
                                "\xed\xa0\x80",
                                "\xed\xbf\xbf",
                                "\xc3",
                                "\xe6\xbc",
                                "\xf0\x9f\x98",
                                "\xf0\x8f\xbf\xbf",
                                "\xf4\x90\x80\x80",
                                "\xf5\x80\x80\x80",
                                "\xfe",
                                "\xff",
                                "a\xc3(",
                                "\xe6\xbc("};
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(mnet_is_utf8(good[i], strlen(good[i])));
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(mnet_is_utf8(bad[i], strlen(bad[i])));
    }
}

static void an_unfinished_character_is_told_from_a_wrong_one(void **state)
{
    unsigned int code = 0;

    assert_int_equal(mnet_utf8_next("\xe6\xbc\xa2", 3, &code), 3);
    assert_int_equal(code, 0x6f22);
    assert_int_equal(mnet_utf8_next("\xe6\xbc", 2, &code), -1);
    assert_int_equal(mnet_utf8_next("\xe6(", 2, &code), 0);
    assert_int_equal(mnet_utf8_next("\x80", 1, &code), 0);
}

static void texts_are_cut_between_characters(void **state)
{
    assert_int_equal(mnet_utf8_fit("", 5, 5), 0);
    assert_int_equal(mnet_utf8_fit("abc", 3, 3), 3);
    assert_int_equal(mnet_utf8_fit("abc", 2, 3), 2);
    assert_int_equal(mnet_utf8_fit("abc", 3, 2), 2);
    assert_int_equal(mnet_utf8_fit("abc", 0, 3), 0);
    assert_int_equal(mnet_utf8_fit("abc", 3, 0), 0);
    assert_int_equal(mnet_utf8_fit("a\xe6\xbc\xa2", 4, 4), 4);
    assert_int_equal(mnet_utf8_fit("a\xe6\xbc\xa2", 3, 4), 1);
    assert_int_equal(mnet_utf8_fit("a\xe6\xbc\xa2", 2, 4), 1);
    assert_int_equal(mnet_utf8_fit("\xe6\xbc\xa2\xe6\xbc\xa2", 6, 1), 3);
    assert_int_equal(mnet_utf8_fit("\xf0\x9f\x98\x80x", 4, 9), 4);
    assert_int_equal(mnet_utf8_fit("ab\xff", 9, 9), 2);
}

static void marks_of_direction_are_controls(void **state)
{
    static const unsigned int controls[] = {0, 0x1b, 0x7f, 0x9b, 0x200b, 0x202e, 0x2066, 0xfeff};
    static const unsigned int others[] = {' ', '~', 0xa0, 0xe9, 0x200a, 0x2010, 0x6f22, 0x1f600};

    for (size_t n = 0; n < sizeof(controls) / sizeof(controls[0]); n++) {
        assert_true(mnet_is_control(controls[n]));
        assert_false(mnet_is_control(others[n]));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(size_units),
        test(time_units),
        test(a_time_is_written_as_it_is_read),
        test(rates),
        test(dates),
        test(hexadecimal),
        test(secrets_are_compared),
        test(a_log_line_stays_one_line),
        test(a_log_text_is_cut),
        test(marks_of_direction_are_controls),
        test(utf8_is_told_from_what_is_not),
        test(texts_are_cut_between_characters),
        test(an_unfinished_character_is_told_from_a_wrong_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
