/* SPDX-License-Identifier: Apache-2.0 */
#include "state_help.h"

#include "state/record.h"

static const void *packed(apr_pool_t *pool, apr_size_t *len)
{
    mnet_pack_t *pack = mnet_pack_create(1, pool);

    mnet_pack_u8(pack, 200);
    mnet_pack_i64(pack, -2);
    mnet_pack_text(pack, "caf\xc3\xa9");
    mnet_pack_text(pack, NULL);
    mnet_pack_text(pack, "");
    mnet_pack_bytes(pack, "a\0b", 3);
    return mnet_pack_end(pack, len);
}

static void every_field_comes_back(void **state)
{
    help_t *help = *state;
    mnet_unpack_t unpack;
    apr_size_t len;
    const void *data = packed(help->pool, &len);
    const unsigned char *bytes;

    assert_int_equal(mnet_unpack_begin(&unpack, data, len, 1, help->pool), APR_SUCCESS);
    assert_int_equal(unpack.version, 1);
    assert_int_equal(mnet_unpack_u8(&unpack), 200);
    assert_int_equal(mnet_unpack_i64(&unpack), -2);
    assert_string_equal(mnet_unpack_text(&unpack), "caf\xc3\xa9");
    assert_null(mnet_unpack_text(&unpack));
    assert_string_equal(mnet_unpack_text(&unpack), "");
    bytes = mnet_unpack_bytes(&unpack, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "a\0b", 3);
    assert_int_equal(mnet_unpack_end(&unpack), APR_SUCCESS);
    assert_ptr_equal(unpack.at, unpack.end);
}

static void the_bytes_are_as_documented(void **state)
{
    help_t *help = *state;
    static const unsigned char want[] = {
        1,    200,  0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0, 0, 0, 5, 'c', 'a', 'f',
        0xC3, 0xA9, 0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0,    0,    0, 0, 0, 3, 'a', 0,   'b'};
    apr_size_t len;
    const void *data = packed(help->pool, &len);

    assert_int_equal(len, sizeof(want));
    assert_memory_equal(data, want, sizeof(want));
}

static void numbers_keep_their_extremes(void **state)
{
    static const apr_int64_t numbers[] = {0, 1, -1, APR_INT64_MAX, APR_INT64_MIN, 1 << 30};
    help_t *help = *state;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        mnet_pack_t *pack = mnet_pack_create(1, help->pool);
        mnet_unpack_t unpack;
        apr_size_t len;
        const void *data;

        mnet_pack_i64(pack, numbers[i]);
        data = mnet_pack_end(pack, &len);
        assert_int_equal(mnet_unpack_begin(&unpack, data, len, 1, help->pool), APR_SUCCESS);
        assert_true(mnet_unpack_i64(&unpack) == numbers[i]);
    }
}

static void a_record_cut_anywhere_is_told(void **state)
{
    help_t *help = *state;
    apr_size_t len, n;
    const void *data = packed(help->pool, &len);

    for (apr_size_t cut = 0; cut < len; cut++) {
        mnet_unpack_t unpack;
        unsigned char *exact = malloc(cut ? cut : 1); /* a sanitizer sees a read beyond it */

        memcpy(exact, data, cut);
        (void)mnet_unpack_begin(&unpack, exact, cut, 1, help->pool);
        (void)mnet_unpack_u8(&unpack);
        (void)mnet_unpack_i64(&unpack);
        (void)mnet_unpack_text(&unpack);
        (void)mnet_unpack_text(&unpack);
        (void)mnet_unpack_text(&unpack);
        (void)mnet_unpack_bytes(&unpack, &n);
        assert_int_equal(mnet_unpack_end(&unpack), APR_EINCOMPLETE);
        free(exact);
    }
}

static void what_follows_a_bad_field_is_nothing(void **state)
{
    static const unsigned char record[] = {1, 0, 0, 0, 9, 'x', 7, 7, 7};
    help_t *help = *state;
    mnet_unpack_t unpack;

    assert_int_equal(mnet_unpack_begin(&unpack, record, sizeof(record), 1, help->pool),
                     APR_SUCCESS);
    assert_null(mnet_unpack_text(&unpack));
    assert_int_equal(mnet_unpack_u8(&unpack), 0);
    assert_int_equal(mnet_unpack_end(&unpack), APR_EINCOMPLETE);
}

static void a_length_beyond_everything_is_told(void **state)
{
    static const unsigned char record[] = {1, 0xFF, 0xFF, 0xFF, 0xFE, 'x'};
    help_t *help = *state;
    mnet_unpack_t unpack;
    apr_size_t len = 99;

    assert_int_equal(mnet_unpack_begin(&unpack, record, sizeof(record), 1, help->pool),
                     APR_SUCCESS);
    assert_null(mnet_unpack_bytes(&unpack, &len));
    assert_int_equal(len, 0);
    assert_int_equal(mnet_unpack_end(&unpack), APR_EINCOMPLETE);
}

static void a_text_with_a_nul_is_told(void **state)
{
    static const unsigned char record[] = {1, 0, 0, 0, 3, 'a', 0, 'b'};
    help_t *help = *state;
    mnet_unpack_t unpack;

    assert_int_equal(mnet_unpack_begin(&unpack, record, sizeof(record), 1, help->pool),
                     APR_SUCCESS);
    assert_null(mnet_unpack_text(&unpack));
    assert_int_equal(mnet_unpack_end(&unpack), APR_EINCOMPLETE);
}

static void only_known_versions_are_read(void **state)
{
    static const unsigned char versions[] = {0, 1, 2, 3, 255};
    help_t *help = *state;
    mnet_unpack_t unpack;

    for (size_t i = 0; i < sizeof(versions); i++) {
        apr_status_t rv = mnet_unpack_begin(&unpack, &versions[i], 1, 2, help->pool);

        assert_int_equal(rv, i == 1 || i == 2 ? APR_SUCCESS : MNET_E_VERSION);
    }
    assert_int_equal(mnet_unpack_begin(&unpack, NULL, 0, 2, help->pool), APR_EINCOMPLETE);
}

static void a_later_versions_fields_are_left_alone(void **state)
{
    static const unsigned char record[] = {2, 7, 'm', 'o', 'r', 'e'};
    help_t *help = *state;
    mnet_unpack_t unpack;

    assert_int_equal(mnet_unpack_begin(&unpack, record, sizeof(record), 2, help->pool),
                     APR_SUCCESS);
    assert_int_equal(mnet_unpack_u8(&unpack), 7);
    assert_int_equal(mnet_unpack_end(&unpack), APR_SUCCESS);
}

static void a_long_record_grows(void **state)
{
    help_t *help = *state;
    mnet_pack_t *pack = mnet_pack_create(1, help->pool);
    mnet_unpack_t unpack;
    apr_size_t len, n;
    const void *data;

    for (int i = 0; i < 1000; i++) {
        mnet_pack_text(pack, "a line of some length that makes the record grow");
        mnet_pack_u8(pack, (unsigned char)(i & 0xFF));
    }
    data = mnet_pack_end(pack, &len);
    assert_int_equal(mnet_unpack_begin(&unpack, data, len, 1, help->pool), APR_SUCCESS);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(mnet_unpack_bytes(&unpack, &n)[0], 'a');
        assert_int_equal(mnet_unpack_u8(&unpack), i & 0xFF);
    }
    assert_int_equal(mnet_unpack_end(&unpack), APR_SUCCESS);
}

static void a_record_beyond_all_bounds_has_no_length(void **state)
{
    help_t *help = *state;
    mnet_pack_t *pack = mnet_pack_create(1, help->pool);
    apr_size_t len;

    mnet_pack_bytes(pack, "x", APR_SIZE_MAX - 4); /* never read: it is refused by its length */
    (void)mnet_pack_end(pack, &len);
    assert_true(len == APR_SIZE_MAX);
}

#define T(f) cmocka_unit_test_setup_teardown(f, help_setup, help_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_field_comes_back),
        T(the_bytes_are_as_documented),
        T(numbers_keep_their_extremes),
        T(a_record_cut_anywhere_is_told),
        T(what_follows_a_bad_field_is_nothing),
        T(a_length_beyond_everything_is_told),
        T(a_text_with_a_nul_is_told),
        T(only_known_versions_are_read),
        T(a_later_versions_fields_are_left_alone),
        T(a_long_record_grows),
        T(a_record_beyond_all_bounds_has_no_length),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
