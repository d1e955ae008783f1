/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#define PEER "https://p.example"

static apr_array_header_t *texts(fixture_t *f, const char *a, const char *b)
{
    apr_array_header_t *array = apr_array_make(f->pool, 2, sizeof(const char *));
    if (a) {
        APR_ARRAY_PUSH(array, const char *) = a;
    }
    if (b) {
        APR_ARRAY_PUSH(array, const char *) = b;
    }
    return array;
}

static mnet_peer_facts_t *full(fixture_t *f)
{
    mnet_peer_facts_t *facts = mnet_peer_facts_create(PEER, f->pool);
    apr_array_header_t *subscribe = apr_array_make(f->pool, 2, sizeof(mnet_subscription_t));
    apr_array_header_t *access = apr_array_make(f->pool, 2, sizeof(mnet_access_t));
    *(mnet_subscription_t *)apr_array_push(subscribe) = (mnet_subscription_t){"sso_sp", NULL};
    *(mnet_subscription_t *)apr_array_push(subscribe) =
        (mnet_subscription_t){"own", texts(f, "own/*", "x/y")};
    *(mnet_access_t *)apr_array_push(access) = (mnet_access_t){0, "admin"};
    *(mnet_access_t *)apr_array_push(access) = (mnet_access_t){1, "*"};
    facts->application = "mahara";
    facts->certificate = "PEM";
    facts->endpoint = "http://127.0.0.1:8081";
    facts->tls = MNET_TLS_CAFILE;
    facts->cafile = "/etc/ca.pem";
    facts->charset = MNET_PEER_CHARSET_BYTES;
    facts->publish = texts(f, "sso_idp", "pf");
    facts->subscribe = subscribe;
    facts->access = access;
    facts->active = 0;
    return facts;
}

static void check_full(const mnet_peer_facts_t *facts)
{
    assert_string_equal(facts->wwwroot, PEER);
    assert_string_equal(facts->application, "mahara");
    assert_string_equal(facts->certificate, "PEM");
    assert_string_equal(facts->endpoint, "http://127.0.0.1:8081");
    assert_int_equal(facts->tls, MNET_TLS_CAFILE);
    assert_string_equal(facts->cafile, "/etc/ca.pem");
    assert_int_equal(facts->charset, MNET_PEER_CHARSET_BYTES);
    assert_int_equal(facts->publish->nelts, 2);
    assert_string_equal(APR_ARRAY_IDX(facts->publish, 1, const char *), "pf");
    assert_int_equal(facts->subscribe->nelts, 2);
    const mnet_subscription_t *own = &APR_ARRAY_IDX(facts->subscribe, 1, mnet_subscription_t);
    assert_null(APR_ARRAY_IDX(facts->subscribe, 0, mnet_subscription_t).patterns);
    assert_string_equal(own->service, "own");
    assert_string_equal(APR_ARRAY_IDX(own->patterns, 1, const char *), "x/y");
    assert_int_equal(facts->access->nelts, 2);
    assert_int_equal(APR_ARRAY_IDX(facts->access, 0, mnet_access_t).allow, 0);
    assert_string_equal(APR_ARRAY_IDX(facts->access, 0, mnet_access_t).user, "admin");
    assert_int_equal(APR_ARRAY_IDX(facts->access, 1, mnet_access_t).allow, 1);
    assert_int_equal(facts->active, 0);
}

static mnet_peer_facts_t *again(fixture_t *f, const mnet_peer_facts_t *facts)
{
    apr_size_t len = 0;
    mnet_peer_facts_t *read = NULL;
    const void *data = mnet_peer_facts_pack(facts, &len, f->pool);
    OK(mnet_peer_facts_unpack(data, len, &read, f->pool));
    return read;
}

static void test_record(void **state)
{
    fixture_t *f = *state;
    check_full(again(f, full(f)));
}

/* Nothing said stays nothing said, and is not an empty list. */
static void test_record_of_nothing(void **state)
{
    fixture_t *f = *state;
    mnet_peer_facts_t *facts = mnet_peer_facts_create(PEER, f->pool);
    mnet_peer_facts_t *read = again(f, facts);
    assert_null(read->application);
    assert_null(read->publish);
    assert_null(read->subscribe);
    assert_null(read->access);
    assert_int_equal(read->tls, -1);
    assert_int_equal(read->charset, -1);
    assert_int_equal(read->active, -1);
    facts->publish = texts(f, NULL, NULL);
    read = again(f, facts);
    assert_non_null(read->publish);
    assert_int_equal(read->publish->nelts, 0);
}

static void test_record_cut_anywhere(void **state)
{
    fixture_t *f = *state;
    apr_size_t len = 0;
    mnet_peer_facts_t *read = NULL;
    const unsigned char *data = mnet_peer_facts_pack(full(f), &len, f->pool);
    for (apr_size_t cut = 0; cut < len; cut++) {
        assert_int_not_equal(
            mnet_peer_facts_unpack(apr_pmemdup(f->pool, data, cut + 1), cut, &read, f->pool),
            APR_SUCCESS);
    }
    assert_null(read);
}

/* Any byte of a record may have turned: never a crash, never a value out of its range. */
static void test_record_with_a_turned_byte(void **state)
{
    fixture_t *f = *state;
    apr_size_t len = 0;
    const void *data = mnet_peer_facts_pack(full(f), &len, f->pool);
    for (apr_size_t at = 0; at < len; at++) {
        mnet_peer_facts_t *read = NULL;
        unsigned char *turned = apr_pmemdup(f->pool, data, len);
        turned[at] ^= 0xff;
        if (mnet_peer_facts_unpack(turned, len, &read, f->pool) == APR_SUCCESS) {
            assert_non_null(read->wwwroot);
            assert_in_range(read->tls + 1, 0, MNET_TLS_CAFILE + 1);
            assert_in_range(read->charset + 1, 0, MNET_PEER_CHARSET_BYTES + 1);
        }
    }
}

static void test_merge_with_nothing(void **state)
{
    fixture_t *f = *state;
    mnet_peer_facts_t *nothing = mnet_peer_facts_create(PEER, f->pool);
    check_full(mnet_peer_facts_merge(full(f), NULL, f->pool));
    check_full(mnet_peer_facts_merge(NULL, full(f), f->pool));
    check_full(mnet_peer_facts_merge(full(f), nothing, f->pool));
    check_full(mnet_peer_facts_merge(nothing, full(f), f->pool));
}

static void test_merge_field_by_field(void **state)
{
    fixture_t *f = *state;
    mnet_peer_facts_t *over = mnet_peer_facts_create(PEER, f->pool);
    over->application = "moodle";
    over->publish = texts(f, NULL, NULL);
    over->active = 1;
    mnet_peer_facts_t *merged = mnet_peer_facts_merge(over, full(f), f->pool);
    assert_string_equal(merged->application, "moodle");
    assert_int_equal(merged->publish->nelts, 0);
    assert_int_equal(merged->active, 1);
    assert_string_equal(merged->endpoint, "http://127.0.0.1:8081");
    assert_int_equal(merged->access->nelts, 2);
}

/* verify over another's CA file is verify with the system's. */
static void test_merge_of_tls(void **state)
{
    fixture_t *f = *state;
    mnet_peer_facts_t *over = mnet_peer_facts_create(PEER, f->pool);
    over->tls = MNET_TLS_VERIFY;
    mnet_peer_facts_t *merged = mnet_peer_facts_merge(over, full(f), f->pool);
    assert_int_equal(merged->tls, MNET_TLS_VERIFY);
    assert_null(merged->cafile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_record_of_nothing),
        cmocka_unit_test(test_record_cut_anywhere),
        cmocka_unit_test(test_record_with_a_turned_byte),
        cmocka_unit_test(test_merge_with_nothing),
        cmocka_unit_test(test_merge_field_by_field),
        cmocka_unit_test(test_merge_of_tls),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
