/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "trust/key_record.h"

#define OURS "https://gw.example.org"

static const mnet_key_record_t one = {
    NOON, NOON - 5, NOON + 7, "PEM", (const unsigned char *)"s\0cret", 6};

static void test_record(void **state)
{
    fixture_t *f = *state;
    mnet_key_record_t read;
    apr_size_t len = 0;
    const void *data = mnet_key_pack(&one, &len, f->pool);
    OK(mnet_key_unpack(data, len, 1, &read, f->pool));
    assert_int_equal(read.created, NOON);
    assert_int_equal(read.not_before, NOON - 5);
    assert_int_equal(read.not_after, NOON + 7);
    assert_string_equal(read.pem, "PEM");
    assert_int_equal(read.key_len, 6);
    assert_memory_equal(read.key_der, "s\0cret", 6);
}

static void test_without_the_secret(void **state)
{
    fixture_t *f = *state;
    mnet_key_record_t read;
    apr_size_t len = 0;
    const void *data = mnet_key_pack(&one, &len, f->pool);
    OK(mnet_key_unpack(data, len, 0, &read, f->pool));
    assert_null(read.key_der);
    assert_int_equal(read.key_len, 0);
    assert_string_equal(read.pem, "PEM");
}

static void test_cut_anywhere(void **state)
{
    fixture_t *f = *state;
    mnet_key_record_t read;
    apr_size_t len = 0;
    const unsigned char *data = mnet_key_pack(&one, &len, f->pool);
    for (apr_size_t cut = 0; cut < len; cut++) {
        assert_int_not_equal(
            mnet_key_unpack(apr_pmemdup(f->pool, data, cut + 1), cut, 1, &read, f->pool),
            APR_SUCCESS);
    }
}

static void test_of_the_future(void **state)
{
    fixture_t *f = *state;
    mnet_key_record_t read;
    apr_size_t len = 0;
    unsigned char *data = mnet_key_pack(&one, &len, f->pool);
    data[0] = 2;
    assert_int_equal(mnet_key_unpack(data, len, 1, &read, f->pool), MNET_E_VERSION);
}

/* Names sort as their numbers do, and give them back. */
static void test_names(void **state)
{
    static const apr_uint64_t seqs[] = {1, 2, 255, 256, 65535, 1ULL << 32, APR_UINT64_MAX};
    unsigned char name[MNET_KEY_NAME_MAX], last[MNET_KEY_NAME_MAX] = {0};
    apr_size_t prefix = mnet_key_name(name, OURS, NULL);
    assert_int_equal(prefix, strlen(OURS) + 1);
    for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++) {
        apr_size_t len = mnet_key_name(name, OURS, &seqs[i]);
        assert_int_equal(len, prefix + 8);
        assert_true(mnet_key_seq(name, len, prefix) == seqs[i]);
        assert_true(memcmp(name, last, len) > 0);
        memcpy(last, name, len);
    }
    assert_true(mnet_key_seq(name, prefix + 7, prefix) == 0);
}

static void test_wwwroot_too_long(void **state)
{
    unsigned char name[MNET_KEY_NAME_MAX];
    char wwwroot[300];
    apr_uint64_t seq = 1;
    memset(wwwroot, 'a', sizeof(wwwroot));
    wwwroot[255] = '\0';
    assert_int_equal(mnet_key_name(name, wwwroot, &seq), MNET_KEY_NAME_MAX);
    wwwroot[255] = 'a';
    wwwroot[256] = '\0';
    assert_int_equal(mnet_key_name(name, wwwroot, &seq), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),       cmocka_unit_test(test_without_the_secret),
        cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_of_the_future),
        cmocka_unit_test(test_names),        cmocka_unit_test(test_wwwroot_too_long),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
