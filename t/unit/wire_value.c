/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_help.h"

#include <math.h>

#include "wire/value.h"

static void a_struct_keeps_order_and_one_value_a_name(void **state)
{
    apr_pool_t *pool = *state;
    mnet_value_t *s = mnet_struct(pool);

    mnet_set(s, "a", mnet_int(1, pool));
    mnet_set(s, "b", mnet_int(2, pool));
    mnet_set(s, "a", mnet_int(3, pool));
    assert_int_equal(mnet_count(s), 2);
    assert_string_equal(mnet_item_name(s, 0), "a");
    assert_int_equal(mnet_item(s, 0)->integer, 3);
    assert_string_equal(mnet_item_name(s, 1), "b");
    assert_int_equal(mnet_get(s, "b")->integer, 2);
    assert_null(mnet_get(s, "c"));
    assert_null(mnet_get(s, ""));
    assert_null(mnet_item(s, 2));
    assert_null(mnet_item(s, -1));
    assert_null(mnet_item_name(s, 2));
}

static void an_array_is_indexed(void **state)
{
    apr_pool_t *pool = *state;
    mnet_value_t *a = mnet_array(pool);

    assert_int_equal(mnet_count(a), 0);
    mnet_append(a, mnet_string("x", pool));
    mnet_append(a, mnet_string("y", pool));
    assert_int_equal(mnet_count(a), 2);
    assert_string_equal(mnet_item(a, 1)->data, "y");
    assert_null(mnet_item(a, 2));
    assert_null(mnet_item_name(a, 0));
    assert_null(mnet_get(a, "0"));
}

static void nothing_and_what_is_no_container_say_no(void **state)
{
    mnet_value_t *scalar = mnet_int(1, *state);
    apr_int64_t integer;
    double real;

    assert_int_equal(mnet_count(NULL), 0);
    assert_int_equal(mnet_count(scalar), 0);
    assert_null(mnet_item(NULL, 0));
    assert_null(mnet_item(scalar, 0));
    assert_null(mnet_item_name(NULL, 0));
    assert_null(mnet_get(NULL, "x"));
    assert_null(mnet_get(scalar, "x"));
    assert_null(mnet_as_text(NULL, *state));
    assert_false(mnet_as_int(NULL, &integer));
    assert_false(mnet_as_double(NULL, &real));
    assert_false(mnet_as_truth(NULL));
    assert_int_equal(mnet_value_pour(NULL, NULL), APR_EINVAL);
    assert_int_equal(mnet_value_pour(scalar, NULL), APR_EINVAL);
}

static void texts(void **state)
{
    apr_pool_t *pool = *state;

    assert_string_equal(mnet_as_text(mnet_string("x", pool), pool), "x");
    assert_string_equal(mnet_as_text(mnet_string(NULL, pool), pool), "");
    assert_string_equal(mnet_as_text(mnet_nil(pool), pool), "");
    assert_string_equal(mnet_as_text(mnet_int(-5, pool), pool), "-5");
    assert_string_equal(mnet_as_text(mnet_int(APR_INT64_MIN, pool), pool), "-9223372036854775808");
    assert_string_equal(mnet_as_text(mnet_boolean(7, pool), pool), "1");
    assert_string_equal(mnet_as_text(mnet_boolean(0, pool), pool), "");
    assert_string_equal(mnet_as_text(mnet_double(1.5, pool), pool), "1.5");
    assert_string_equal(mnet_as_text(mnet_double(2, pool), pool), "2");
    assert_null(mnet_as_text(mnet_array(pool), pool));
    assert_null(mnet_as_text(mnet_struct(pool), pool));
    assert_null(mnet_as_text(mnet_string_n("a\0b", 3, pool), pool));
}

static void whole_numbers(void **state)
{
    apr_pool_t *pool = *state;
    static const char *bad[] = {"", "x", "1.5", "1e3", "9223372036854775808", "0x1"};
    apr_int64_t n = 0;
    size_t i;

    assert_true(mnet_as_int(mnet_int(7, pool), &n) && n == 7);
    assert_true(mnet_as_int(mnet_boolean(1, pool), &n) && n == 1);
    assert_true(mnet_as_int(mnet_double(-3, pool), &n) && n == -3);
    assert_true(mnet_as_int(mnet_string(" 42\n", pool), &n) && n == 42);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(mnet_as_int(mnet_string(bad[i], pool), &n));
    }
    assert_false(mnet_as_int(mnet_double(1.5, pool), &n));
    assert_false(mnet_as_int(mnet_double(1e19, pool), &n));
    assert_false(mnet_as_int(mnet_double(9223372036854775808.0, pool), &n));
    assert_false(mnet_as_int(mnet_double(NAN, pool), &n));
    assert_false(mnet_as_int(mnet_nil(pool), &n));
    assert_false(mnet_as_int(mnet_array(pool), &n));
}

static void fractions(void **state)
{
    apr_pool_t *pool = *state;
    double d = 0;

    assert_true(mnet_as_double(mnet_string("1.25", pool), &d) && d == 1.25);
    assert_true(mnet_as_double(mnet_int(2, pool), &d) && d == 2);
    assert_true(mnet_as_double(mnet_boolean(1, pool), &d) && d == 1);
    assert_true(mnet_as_double(mnet_double(0.5, pool), &d) && d == 0.5);
    assert_false(mnet_as_double(mnet_string("x", pool), &d));
    assert_false(mnet_as_double(mnet_struct(pool), &d));
}

static void truth_as_php_has_it(void **state)
{
    apr_pool_t *pool = *state;
    mnet_value_t *filled = mnet_array(pool);

    mnet_append(filled, mnet_nil(pool));
    assert_false(mnet_as_truth(mnet_string("", pool)));
    assert_false(mnet_as_truth(mnet_string("0", pool)));
    assert_true(mnet_as_truth(mnet_string("0.0", pool)));
    assert_true(mnet_as_truth(mnet_string("false", pool)));
    assert_true(mnet_as_truth(mnet_string("00", pool)));
    assert_false(mnet_as_truth(mnet_int(0, pool)));
    assert_true(mnet_as_truth(mnet_int(-1, pool)));
    assert_false(mnet_as_truth(mnet_double(0, pool)));
    assert_true(mnet_as_truth(mnet_double(0.1, pool)));
    assert_false(mnet_as_truth(mnet_boolean(0, pool)));
    assert_true(mnet_as_truth(mnet_boolean(1, pool)));
    assert_false(mnet_as_truth(mnet_nil(pool)));
    assert_false(mnet_as_truth(mnet_array(pool)));
    assert_false(mnet_as_truth(mnet_struct(pool)));
    assert_true(mnet_as_truth(filled));
}

static void a_text_in_a_spool(void **state)
{
    apr_pool_t *pool = *state;
    mnet_spool_t *spool = mnet_spool_create(0, NULL, pool);
    mnet_value_t *value = mnet_string_spool(spool, pool);
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};
    char *data = apr_pcalloc(pool, 100000);
    apr_int64_t n;

    assert_false(mnet_as_truth(value));
    assert_int_equal(mnet_spool_write(spool, "12", 2), APR_SUCCESS);
    assert_string_equal(mnet_as_text(value, pool), "12");
    assert_true(mnet_as_int(value, &n) && n == 12);
    assert_int_equal(mnet_spool_write(spool, data, 100000), APR_SUCCESS);
    assert_null(mnet_as_text(value, pool));
    assert_false(mnet_as_int(value, &n));
    assert_true(mnet_as_truth(value));
    assert_int_equal(mnet_value_pour(value, &to), APR_SUCCESS);
    assert_int_equal(out.len, 100002);
    free(out.data);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(a_struct_keeps_order_and_one_value_a_name),
        test(an_array_is_indexed),
        test(nothing_and_what_is_no_container_say_no),
        test(texts),
        test(whole_numbers),
        test(fractions),
        test(truth_as_php_has_it),
        test(a_text_in_a_spool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
