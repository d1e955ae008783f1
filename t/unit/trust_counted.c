/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "trust/counted.h"

static apr_status_t gone(void *data)
{
    ++*(int *)data;
    return APR_SUCCESS;
}

static mnet_counted_t *watched(int *ended)
{
    mnet_counted_t *counted;
    OK(mnet_counted_create(&counted));
    apr_pool_cleanup_register(counted->pool, ended, gone, apr_pool_cleanup_null);
    return counted;
}

static void test_dropped_by_its_maker(void **state)
{
    int ended = 0;
    mnet_counted_drop(watched(&ended));
    assert_int_equal(ended, 1);
    mnet_counted_drop(NULL);
}

static void test_lives_until_the_last_pool(void **state)
{
    fixture_t *f = *state;
    apr_pool_t *a, *b;
    int ended = 0;
    OK(apr_pool_create(&a, f->pool));
    OK(apr_pool_create(&b, f->pool));
    mnet_counted_t *counted = watched(&ended);
    mnet_counted_lend(counted, a);
    mnet_counted_lend(counted, a);
    mnet_counted_lend(counted, b);
    mnet_counted_drop(counted);
    apr_pool_clear(a);
    assert_int_equal(ended, 0);
    apr_pool_destroy(b);
    assert_int_equal(ended, 1);
}

static void test_maker_holds_it(void **state)
{
    fixture_t *f = *state;
    apr_pool_t *a;
    int ended = 0;
    OK(apr_pool_create(&a, f->pool));
    mnet_counted_t *counted = watched(&ended);
    mnet_counted_lend(counted, a);
    apr_pool_destroy(a);
    assert_int_equal(ended, 0);
    mnet_counted_drop(counted);
    assert_int_equal(ended, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropped_by_its_maker),
        cmocka_unit_test(test_lives_until_the_last_pool),
        cmocka_unit_test(test_maker_holds_it),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
