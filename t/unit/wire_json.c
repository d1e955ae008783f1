/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/status.h"
#include "wire/json.h"

static apr_pool_t *pool;

static int setup(void **state)
{
    return apr_pool_create(&pool, NULL);
}

static int teardown(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

/* A sink that keeps all; at most limit bytes. */
typedef struct text_t {
    char *data;
    apr_size_t len, limit;
} text_t;

static apr_status_t keep(void *baton, const char *data, apr_size_t len)
{
    text_t *text = baton;

    if (len > text->limit - text->len) {
        return APR_ENOSPC;
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
    return APR_SUCCESS;
}

static const char *json_of(const mnet_value_t *value, int indent)
{
    text_t text = {apr_palloc(pool, 1 << 20), 0, (1 << 20) - 1};
    mnet_sink_t sink = {keep, &text};

    assert_int_equal(mnet_value_to_json(value, indent, &sink), APR_SUCCESS);
    text.data[text.len] = '\0';
    return text.data;
}

static mnet_value_t *value_of(const char *json)
{
    mnet_value_t *value;
    const char *why;

    assert_int_equal(mnet_value_from_json(json, strlen(json), &value, &why, pool), APR_SUCCESS);
    return value;
}

static void assert_same(const char *json)
{
    assert_string_equal(json_of(value_of(json), 0), json);
}

static void every_kind_returns(void **state)
{
    assert_same("null");
    assert_same("true");
    assert_same("false");
    assert_same("0");
    assert_same("-9223372036854775808");
    assert_same("9223372036854775807");
    assert_same("1.5");
    assert_same("0.1");
    assert_same("-1e300");
    assert_same("\"\"");
    assert_same("[]");
    assert_same("{}");
    assert_same("{\"b\":[1,{\"c\":null}],\"a\":\"x\",\"\":[[]]}");
}

static void a_whole_double_stays_a_double(void **state)
{
    mnet_value_t *value = value_of(json_of(mnet_double(3.0, pool), 0));

    assert_int_equal(value->type, MNET_DOUBLE);
    assert_true(value->real == 3.0);
}

static void a_double_loses_nothing(void **state)
{
    const double odd[] = {1.0 / 3, 2.0 / 3, 1e-310, 123456789.123456789, -0.0, 9007199254740993.0};
    size_t i;

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        mnet_value_t *value = value_of(json_of(mnet_double(odd[i], pool), 0));

        assert_int_equal(value->type, MNET_DOUBLE);
        assert_memory_equal(&value->real, &odd[i], sizeof(double));
    }
}

static void what_is_no_number_is_null(void **state)
{
    assert_string_equal(json_of(mnet_double(NAN, pool), 0), "null");
    assert_string_equal(json_of(mnet_double(-INFINITY, pool), 0), "null");
}

static void no_value_is_null(void **state)
{
    assert_string_equal(json_of(NULL, 0), "null");
}

static void texts_are_escaped(void **state)
{
    assert_string_equal(json_of(mnet_string("a\"b\\c/\n\r\t\x01\x1b[2J\x7f", pool), 0),
                        "\"a\\\"b\\\\c/\\n\\r\\t\\u0001\\u001b[2J\\u007f\"");
}

static void a_terminal_gets_no_c1_control(void **state)
{
    assert_string_equal(json_of(mnet_string("\xC2\x9B"
                                            "1m \xC2\xA0",
                                            pool),
                                0),
                        "\"\\u009b1m \xC2\xA0\"");
}

static void utf8_passes(void **state)
{
    assert_same("\"\xC3\xA9 \xE6\xBC\xA2 \xF0\x9F\x98\x80\"");
}

static void what_is_not_utf8_is_replaced(void **state)
{
    /* A lone byte, a cut sequence before a letter, a surrogate, a sequence cut by the end. */
    assert_string_equal(json_of(mnet_string("\xFFz\xC3z\xED\xA0\x80z\xE6\xBC", pool), 0),
                        "\"\xEF\xBF\xBDz\xEF\xBF\xBDz\xEF\xBF\xBDz\xEF\xBF\xBD\"");
}

static void a_nul_returns(void **state)
{
    mnet_value_t *value = value_of(json_of(mnet_string_n("a\0b", 3, pool), 0));

    assert_int_equal(value->len, 3);
    assert_memory_equal(value->data, "a\0b", 3);
}

static void bytes_become_base64(void **state)
{
    mnet_value_t *value = mnet_string_n("\x00\xFF\x10\x80", 4, pool);

    value->type = MNET_BASE64;
    assert_string_equal(json_of(value, 0), "\"AP8QgA==\"");
}

static void a_date_becomes_text(void **state)
{
    mnet_value_t *value = mnet_string("20260102T03:04:05", pool);

    value->type = MNET_DATETIME;
    assert_string_equal(json_of(value, 0), "\"20260102T03:04:05\"");
}

static void a_spooled_text_is_poured(void **state)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, pool);
    const char *json;
    int i;

    /* Three bytes each, so that pieces of 32 KiB cut characters in two. */
    for (i = 0; i < 100000; i++) {
        assert_int_equal(mnet_spool_write(spool, "\xE6\xBC\xA2", 3), APR_SUCCESS);
    }
    assert_null(mnet_spool_text(spool));
    json = json_of(mnet_string_spool(spool, pool), 0);
    assert_int_equal(strlen(json), 300002);
    assert_null(strstr(json, "\xEF\xBF\xBD"));
    assert_int_equal(value_of(json)->len, 300000);
}

static void indented_for_people(void **state)
{
    assert_string_equal(json_of(value_of("{\"a\":[1,2],\"b\":{},\"c\":[]}"), 2),
                        "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}");
}

static void refused(const char *json, apr_size_t len, apr_status_t expected)
{
    mnet_value_t *value;
    const char *why;

    assert_int_equal(mnet_value_from_json(json, len, &value, &why, pool), expected);
    assert_null(value);
    assert_non_null(why);
    assert_true(*why != '\0');
}

static void what_is_no_json_is_refused(void **state)
{
    const char *bad[] = {"",
                         " ",
                         "{",
                         "[1,]",
                         "nul",
                         "'a'",
                         "1 2",
                         "{\"a\":1,\"a\":2}",
                         "\"\xFF\"",
                         "9223372036854775808",
                         "1e999",
                         "{a:1}",
                         "\"\\ud800\"",
                         "[1]x"};
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refused(bad[i], strlen(bad[i]), MNET_E_INVALID);
    }
    refused("1\0", 2, MNET_E_INVALID);
}

static char *nested(int depth)
{
    char *json = apr_palloc(pool, (apr_size_t)depth * 2 + 1);

    memset(json, '[', (size_t)depth);
    memset(json + depth, ']', (size_t)depth);
    json[depth * 2] = '\0';
    return json;
}

static void depth_is_bounded(void **state)
{
    text_t text = {apr_palloc(pool, 4096), 0, 4096};
    mnet_sink_t sink = {keep, &text};
    mnet_value_t *outer, *value;

    assert_same(nested(MNET_JSON_DEPTH));
    refused(nested(MNET_JSON_DEPTH + 1), (MNET_JSON_DEPTH + 1) * 2, MNET_E_LIMIT);
    refused(nested(100000), 200000, MNET_E_INVALID); /* the parser's own bound */

    value = value_of(nested(MNET_JSON_DEPTH));
    outer = mnet_array(pool);
    mnet_append(outer, value);
    assert_int_equal(mnet_value_to_json(outer, 0, &sink), MNET_E_LIMIT);
}

static void a_failing_sink_is_told(void **state)
{
    text_t text = {apr_palloc(pool, 4096), 0, 10};
    mnet_sink_t sink = {keep, &text};

    assert_int_equal(mnet_value_to_json(mnet_string("longer than ten", pool), 0, &sink),
                     APR_ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_returns),
        cmocka_unit_test(a_whole_double_stays_a_double),
        cmocka_unit_test(a_double_loses_nothing),
        cmocka_unit_test(what_is_no_number_is_null),
        cmocka_unit_test(no_value_is_null),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(a_terminal_gets_no_c1_control),
        cmocka_unit_test(utf8_passes),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(a_nul_returns),
        cmocka_unit_test(bytes_become_base64),
        cmocka_unit_test(a_date_becomes_text),
        cmocka_unit_test(a_spooled_text_is_poured),
        cmocka_unit_test(indented_for_people),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_failing_sink_is_told),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, setup, teardown);
}
