/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "trust/peers_int.h"

static mnet_peer_state_t *full(fixture_t *f)
{
    mnet_peer_state_t *state = apr_pcalloc(f->pool, sizeof(*state));
    state->facts = mnet_peer_facts_create("https://p.example", f->pool);
    state->trust = MNET_TRUST_ROTATED;
    state->certificate = "CERT";
    state->config_sha256 = "AB:CD";
    state->previous = "PREVIOUS";
    state->pending = "PENDING";
    state->pending_why = "why";
    state->added = 1;
    state->rekeyed = 2;
    state->heard = 3;
    state->reached = 4;
    state->methods = "pf a/b\n";
    return state;
}

static void test_record(void **state)
{
    fixture_t *f = *state;
    apr_size_t len = 0;
    mnet_peer_state_t *read = NULL;
    const void *data = mnet_peer_state_pack(full(f), &len, f->pool);
    OK(mnet_peer_state_unpack(data, len, &read, f->pool));
    assert_string_equal(read->facts->wwwroot, "https://p.example");
    assert_int_equal(read->trust, MNET_TRUST_ROTATED);
    assert_string_equal(read->certificate, "CERT");
    assert_string_equal(read->config_sha256, "AB:CD");
    assert_string_equal(read->previous, "PREVIOUS");
    assert_string_equal(read->pending, "PENDING");
    assert_string_equal(read->pending_why, "why");
    assert_int_equal(read->added, 1);
    assert_int_equal(read->rekeyed, 2);
    assert_int_equal(read->heard, 3);
    assert_int_equal(read->reached, 4);
    assert_string_equal(read->methods, "pf a/b\n");
}

static void test_record_of_nothing(void **state)
{
    fixture_t *f = *state;
    apr_size_t len = 0;
    mnet_peer_state_t nothing = {0}, *read = NULL;
    const void *data = mnet_peer_state_pack(&nothing, &len, f->pool);
    OK(mnet_peer_state_unpack(data, len, &read, f->pool));
    assert_null(read->facts);
    assert_null(read->certificate);
    assert_null(read->methods);
    assert_int_equal(read->trust, MNET_TRUST_NONE);
}

static void test_cut_anywhere(void **state)
{
    fixture_t *f = *state;
    apr_size_t len = 0;
    mnet_peer_state_t *read = NULL;
    const unsigned char *data = mnet_peer_state_pack(full(f), &len, f->pool);
    for (apr_size_t cut = 0; cut < len; cut++) {
        assert_int_not_equal(
            mnet_peer_state_unpack(apr_pmemdup(f->pool, data, cut + 1), cut, &read, f->pool),
            APR_SUCCESS);
    }
    assert_null(read);
}

static void test_trust_out_of_range(void **state)
{
    fixture_t *f = *state;
    apr_size_t len = 0;
    mnet_peer_state_t *read = NULL, *wrong = full(f);
    wrong->trust = (mnet_trust_e)77;
    const void *data = mnet_peer_state_pack(wrong, &len, f->pool);
    assert_int_equal(mnet_peer_state_unpack(data, len, &read, f->pool), APR_EINCOMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_record_of_nothing),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_trust_out_of_range),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
