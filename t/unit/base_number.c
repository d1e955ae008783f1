/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_help.h"

#include <float.h>
#include <locale.h>
#include <math.h>

#include "base/number.h"

static void whole_numbers(void **state)
{
    static const struct {
        const char *text;
        apr_int64_t number;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"+5", 5},
                {" 42\n", 42},
                {"007", 7},
                {"-9223372036854775808", APR_INT64_MIN},
                {"9223372036854775807", APR_INT64_MAX}};
    static const char *bad[] = {"",
                                " ",
                                "-",
                                "+",
                                "--1",
                                "1 2",
                                "1.0",
                                "1e3",
                                "0x1",
                                "abc",
                                "1a",
                                "9223372036854775808",
                                "-9223372036854775809"};
    apr_int64_t number;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(mnet_parse_int(good[i].text, strlen(good[i].text), &number));
        assert_int_equal(number, good[i].number);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(mnet_parse_int(bad[i], strlen(bad[i]), &number));
    }
    assert_false(mnet_parse_int("1\0", 2, &number));
}

static void fractions(void **state)
{
    static const struct {
        const char *text;
        double number;
    } good[] = {{"0", 0},      {"1.5", 1.5},   {"-1.500000", -1.5}, {".5", .5}, {"5.", 5},
                {"1e3", 1000}, {"1E-2", 0.01}, {" 2 ", 2},          {"+3", 3},  {"1e-400", 0}};
    static const char *bad[] = {"",     ".",  "-",   "1,5",   "1.5.5", "inf", "nan",
                                "0x10", "1e", "1e+", "1e400", "e5",    "1 5", "1.5x"};
    double number;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(mnet_parse_double(good[i].text, strlen(good[i].text), &number));
        assert_true(number == good[i].number);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(mnet_parse_double(bad[i], strlen(bad[i]), &number));
    }
}

static void a_double_is_written_without_an_exponent(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "0"},
                 {1, "1"},
                 {-1.5, "-1.5"},
                 {0.1, "0.1"},
                 {100, "100"},
                 {1e21, "1000000000000000000000"},
                 {1e-7, "0.0000001"},
                 {123456.789, "123456.789"},
                 {INFINITY, "INF"},
                 {-INFINITY, "-INF"},
                 {NAN, "NAN"}};
    char buf[MNET_DOUBLE_TEXT];
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(mnet_format_double(cases[i].number, buf), cases[i].text);
    }
}

static void a_double_reads_back_as_itself(void **state)
{
    static const double numbers[] = {
        DBL_MAX, -DBL_MAX, DBL_MIN, 4.9406564584124654e-324, 0.1, 1.0 / 3, 2.0 / 3e-9,
        1e15,    1e16,     1e17,    123456789012345678.0};
    char buf[MNET_DOUBLE_TEXT];
    double back;
    size_t i;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        mnet_format_double(numbers[i], buf);
        assert_null(strpbrk(buf, "eE,"));
        assert_true(mnet_parse_double(buf, strlen(buf), &back));
        assert_true(back == numbers[i]);
    }
}

/* de_DE writes 1,5.  Where that locale is missing this shows no more than the tests above. */
static void no_locale_matters(void **state)
{
    char buf[MNET_DOUBLE_TEXT];
    double number = 0;

    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
        setlocale(LC_NUMERIC, "de_DE");
    }
    assert_string_equal(mnet_format_double(1234.5, buf), "1234.5");
    assert_true(mnet_parse_double("1234.5", 6, &number));
    setlocale(LC_NUMERIC, "C");
    assert_true(number == 1234.5);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(whole_numbers),
        test(fractions),
        test(a_double_is_written_without_an_exponent),
        test(a_double_reads_back_as_itself),
        test(no_locale_matters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
