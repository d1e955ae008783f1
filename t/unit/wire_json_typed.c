/* SPDX-License-Identifier: Apache-2.0 */
/* Values as JSON that comes back as it was. */
#include "wire/json_typed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <string.h>

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

static mnet_value_t *typed(mnet_type_e type, const char *data, apr_size_t len)
{
    mnet_value_t *value = mnet_string_n(data, len, pool);

    value->type = type;
    return value;
}

static const char *json_of(mnet_value_t *value)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, pool);
    mnet_sink_t to = {mnet_spool_write, spool};

    assert_int_equal(mnet_value_to_json(mnet_json_mark(value, pool), 0, &to), APR_SUCCESS);
    return mnet_spool_text(spool);
}

static mnet_value_t *read_back(const char *text, const char **why)
{
    mnet_value_t *value;

    assert_int_equal(mnet_value_from_json(text, strlen(text), &value, why, pool), APR_SUCCESS);
    return mnet_json_unmark(value, why, pool);
}

static mnet_value_t *there_and_back(mnet_value_t *value, const char *json)
{
    const char *why = "";
    mnet_value_t *back;

    assert_string_equal(json_of(value), json);
    back = read_back(json, &why);
    assert_non_null(back);
    assert_string_equal(json_of(back), json);
    return back;
}

static void bytes_are_marked(void **state)
{
    mnet_value_t *back =
        there_and_back(typed(MNET_BASE64, "\x00\xff\n", 3), "{\"$base64\":\"AP8K\"}");

    assert_int_equal(back->type, MNET_BASE64);
    assert_int_equal(back->len, 3);
    assert_memory_equal(back->data, "\x00\xff\n", 3);
    back = there_and_back(typed(MNET_BASE64, "", 0), "{\"$base64\":\"\"}");
    assert_int_equal(back->type, MNET_BASE64);
}

static void dates_are_marked(void **state)
{
    mnet_value_t *back = there_and_back(typed(MNET_DATETIME, "20260102T03:04:05", 17),
                                        "{\"$dateTime\":\"20260102T03:04:05\"}");

    assert_int_equal(back->type, MNET_DATETIME);
    assert_string_equal(back->data, "20260102T03:04:05");
}

static void what_javascript_cannot_count_is_a_string(void **state)
{
    assert_string_equal(json_of(mnet_int(9007199254740991, pool)), "9007199254740991");
    assert_string_equal(json_of(mnet_int(-9007199254740991, pool)), "-9007199254740991");
    assert_string_equal(json_of(mnet_int(9007199254740992, pool)), "\"9007199254740992\"");
    assert_string_equal(json_of(mnet_int(INT64_MIN, pool)), "\"-9223372036854775808\"");
}

static void a_struct_that_looks_marked_is_one(void **state)
{
    static const char *const names[] = {"$base64", "$dateTime", "$struct", "$", "$x"};
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        mnet_value_t *structure = mnet_struct(pool), *back;

        mnet_set(structure, names[i], mnet_string("AAAA", pool));
        back = there_and_back(structure,
                              apr_psprintf(pool, "{\"$struct\":{\"%s\":\"AAAA\"}}", names[i]));
        assert_int_equal(back->type, MNET_STRUCT);
        assert_string_equal(mnet_item_name(back, 0), names[i]);
        assert_int_equal(mnet_item(back, 0)->type, MNET_STRING);
        /* Two members are never taken for a mark. */
        mnet_set(structure, "more", mnet_int(1, pool));
        assert_int_equal(
            there_and_back(structure, apr_psprintf(pool, "{\"%s\":\"AAAA\",\"more\":1}", names[i]))
                ->type,
            MNET_STRUCT);
    }
}

static void a_mark_within_a_mark_comes_back(void **state)
{
    mnet_value_t *inner = mnet_struct(pool), *outer = mnet_struct(pool), *list = mnet_array(pool);

    mnet_set(inner, "$struct", typed(MNET_BASE64, "x", 1));
    mnet_set(outer, "$struct", inner);
    mnet_append(list, outer);
    mnet_append(list, mnet_nil(pool));
    there_and_back(
        list,
        "[{\"$struct\":{\"$struct\":{\"$struct\":{\"$struct\":{\"$base64\":\"eA==\"}}}}},null]");
}

static void what_needs_no_mark_is_shared(void **state)
{
    mnet_value_t *list = mnet_array(pool);

    mnet_append(list, mnet_string("a", pool));
    mnet_append(list, mnet_struct(pool));
    assert_ptr_equal(mnet_json_mark(list, pool), list);
    there_and_back(list, "[\"a\",{}]");
}

static void a_mark_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {"{\"$base64\":\"?\"}", "{\"$base64\":1}",
                                      "[{\"$dateTime\":null}]", "{\"a\":{\"$base64\":[]}}",
                                      "{\"$base64\":\"A\"}"};
    const char *why;
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        why = "";
        assert_null(read_back(bad[i], &why));
        assert_true(*why);
    }
    /* Another name with a "$" is nobody's. */
    assert_int_equal(read_back("{\"$other\":1}", &why)->type, MNET_STRUCT);
    assert_int_equal(read_back("{\"$struct\":1}", &why)->type, MNET_STRUCT);
}

static void long_bytes_go_to_a_file(void **state)
{
    char *digits = apr_palloc(pool, 200001);
    const char *why = "";
    mnet_value_t *value;

    memset(digits, 'A', 200000);
    digits[200000] = '\0';
    value = read_back(apr_pstrcat(pool, "{\"$base64\":\"", digits, "\"}", NULL), &why);
    assert_int_equal(value->type, MNET_BASE64);
    assert_non_null(value->spool);
    assert_int_equal(mnet_spool_length(value->spool), 150000);
}

static void values_are_counted_before_they_are_made(void **state)
{
    apr_size_t len = 2 * (apr_size_t)MNET_JSON_VALUES + 2, i;
    char *text = apr_palloc(pool, len + 1);
    const char *why = "";

    memset(text, '[', 1);
    for (i = 1; i < len - 2; i += 2) {
        text[i] = '1';
        text[i + 1] = ',';
    }
    text[i++] = '1';
    text[i++] = ']';
    assert_null(mnet_json_read(text, i, &why, pool));
    assert_string_equal(why, "more values than anybody needs");
    /* Commas in a string are none. */
    memset(text, ',', len);
    text[0] = text[len - 1] = '"';
    assert_non_null(mnet_json_read(text, len, &why, pool));
    assert_non_null(mnet_json_read("[\"\\\\\",\"\\\"[\"]", 12, &why, pool));
    assert_null(mnet_json_read("[", 1, &why, pool));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(bytes_are_marked),
                                       T(dates_are_marked),
                                       T(what_javascript_cannot_count_is_a_string),
                                       T(a_struct_that_looks_marked_is_one),
                                       T(a_mark_within_a_mark_comes_back),
                                       T(what_needs_no_mark_is_shared),
                                       T(a_mark_that_is_none_is_refused),
                                       T(long_bytes_go_to_a_file),
                                       T(values_are_counted_before_they_are_made)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
