/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "trust/texts.h"

static apr_array_header_t *again(fixture_t *f, const apr_array_header_t *texts, int *bad)
{
    apr_size_t len = 0;
    mnet_unpack_t unpack;
    mnet_pack_t *pack = mnet_pack_create(1, f->pool);
    mnet_texts_pack(pack, texts);
    const void *data = mnet_pack_end(pack, &len);
    OK(mnet_unpack_begin(&unpack, data, len, 1, f->pool));
    apr_array_header_t *read = mnet_texts_unpack(&unpack);
    *bad = unpack.bad;
    return read;
}

static void test_lists(void **state)
{
    fixture_t *f = *state;
    int bad = 1;
    apr_array_header_t *texts = apr_array_make(f->pool, 1, sizeof(const char *));
    assert_null(again(f, NULL, &bad));
    assert_false(bad);
    assert_int_equal(again(f, texts, &bad)->nelts, 0);
    APR_ARRAY_PUSH(texts, const char *) = "b";
    APR_ARRAY_PUSH(texts, const char *) = "";
    const apr_array_header_t *read = again(f, texts, &bad);
    assert_false(bad);
    assert_int_equal(read->nelts, 2);
    assert_string_equal(APR_ARRAY_IDX(read, 0, const char *), "b");
    assert_string_equal(APR_ARRAY_IDX(read, 1, const char *), "");
}

static void test_null_in_a_list(void **state)
{
    fixture_t *f = *state;
    int bad = 0;
    apr_array_header_t *texts = apr_array_make(f->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(texts, const char *) = NULL;
    again(f, texts, &bad);
    assert_true(bad);
}

static int number_is_bad(fixture_t *f, apr_int64_t value, apr_int64_t low, apr_int64_t high)
{
    apr_size_t len = 0;
    mnet_unpack_t unpack;
    mnet_pack_t *pack = mnet_pack_create(1, f->pool);
    mnet_pack_i64(pack, value);
    const void *data = mnet_pack_end(pack, &len);
    OK(mnet_unpack_begin(&unpack, data, len, 1, f->pool));
    apr_int64_t read = mnet_number_unpack(&unpack, low, high);
    assert_int_equal(read, unpack.bad ? low : value);
    return unpack.bad;
}

static void test_numbers(void **state)
{
    fixture_t *f = *state;
    assert_false(number_is_bad(f, -1, -1, 2));
    assert_false(number_is_bad(f, 2, -1, 2));
    assert_true(number_is_bad(f, 3, -1, 2));
    assert_true(number_is_bad(f, -2, -1, 2));
    assert_true(number_is_bad(f, APR_INT64_MIN, 0, APR_INT64_MAX));
}

/* A count no record can have is refused before anything is made for it. */
static void test_count_out_of_range(void **state)
{
    fixture_t *f = *state;
    assert_true(number_is_bad(f, MNET_LIST_MAX + 1, -1, MNET_LIST_MAX));
    assert_true(number_is_bad(f, APR_INT64_MAX, -1, MNET_LIST_MAX));
}

static void test_names_of_a_hash(void **state)
{
    fixture_t *f = *state;
    apr_hash_t *hash = apr_hash_make(f->pool);
    apr_hash_set(hash, "b", APR_HASH_KEY_STRING, "");
    apr_hash_set(hash, "c", APR_HASH_KEY_STRING, "");
    apr_hash_set(hash, "a", APR_HASH_KEY_STRING, "");
    const apr_array_header_t *names = mnet_hash_names(hash, f->pool);
    assert_int_equal(names->nelts, 3);
    assert_string_equal(APR_ARRAY_IDX(names, 0, const char *), "a");
    assert_string_equal(APR_ARRAY_IDX(names, 2, const char *), "c");
    assert_int_equal(mnet_hash_names(NULL, f->pool)->nelts, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),           cmocka_unit_test(test_null_in_a_list),
        cmocka_unit_test(test_numbers),         cmocka_unit_test(test_count_out_of_range),
        cmocka_unit_test(test_names_of_a_hash),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
