/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

static mnet_logout_t logged_out(place_t *at, const char *session, const char *user,
                                const char *user_agent)
{
    mnet_logout_t logout = {.host = at->host,
                            .session = session,
                            .user = user,
                            .user_agent = user_agent,
                            .id = "x",
                            .now = apr_time_now()};

    assert_int_equal(mnet_logout(&logout, world->pool), 0);
    return logout;
}

static void test_at_the_service_provider(void **state)
{
    const char *id = sign_on(&world->a, "alice", &world->b);
    mnet_logout_t logout;

    assert_int_equal(count_children(&world->a, "alice"), 1);
    logout = logged_out(&world->b, id, "alice@a.example", BROWSER);
    assert_int_equal(logout.ended, 1);
    assert_string_equal(logout.provider, world->a.wwwroot);
    assert_int_equal(logout.told->nelts, 1);
    assert_int_equal(logout.failed->nelts, 0);
    assert_false(has_session(&world->b, id, apr_time_now()));
    assert_int_equal(count_children(&world->a, "alice"), 0);
}

static void test_at_the_provider(void **state)
{
    const char *id = sign_on(&world->a, "alice", &world->b);
    mnet_logout_t logout = logged_out(&world->a, NULL, "alice", BROWSER);

    assert_int_equal(logout.ended, 0);
    assert_null(logout.provider);
    assert_int_equal(logout.told->nelts, 1);
    assert_string_equal(APR_ARRAY_IDX(logout.told, 0, const char *), world->b.wwwroot);
    assert_false(has_session(&world->b, id, apr_time_now()));
    assert_int_equal(count_children(&world->a, "alice"), 0);
}

/* What was open in another browser stays so. */
static void test_of_this_browser_alone(void **state)
{
    const char *id = sign_on(&world->a, "alice", &world->b);
    mnet_logout_t logout = logged_out(&world->a, NULL, "alice", "another");

    assert_int_equal(logout.told->nelts, 0);
    assert_true(has_session(&world->b, id, apr_time_now()));
    assert_int_equal(count_children(&world->a, "alice"), 1);
}

static void test_a_peer_that_is_down_hinders_nothing(void **state)
{
    const char *id = sign_on(&world->a, "alice", &world->b);
    mnet_logout_t logout;

    world->down = APR_TIMEUP;
    logout = logged_out(&world->b, id, "alice@a.example", BROWSER);
    assert_int_equal(logout.ended, 1);
    assert_int_equal(logout.told->nelts, 0);
    assert_int_equal(logout.failed->nelts, 1);
    assert_string_equal(APR_ARRAY_IDX(logout.failed, 0, const char *), world->a.wwwroot);
    assert_false(has_session(&world->b, id, apr_time_now()));
    assert_true(world_logged("MNET0860"));
}

static void test_without_a_session(void **state)
{
    mnet_logout_t logout = logged_out(&world->b, NULL, NULL, NULL);

    assert_int_equal(logout.ended, 0);
    assert_null(logout.provider);
    logout = logged_out(&world->b, "rubbish", "nobody", NULL);
    assert_int_equal(logout.ended, 0);
    assert_int_equal(world->posts, 0);
}

static void test_a_provider_that_takes_no_calls(void **state)
{
    const char *id = sign_on(&world->a, "alice", &world->b);
    mnet_logout_t logout;
    int posts = world->posts;

    serve(&world->b, world->a.wwwroot, "sso_sp", "sso_sp");
    logout = logged_out(&world->b, id, NULL, BROWSER);
    assert_int_equal(logout.ended, 1);
    assert_int_equal(world->posts, posts);
}

/* The hash that the provider knows is that of the landing, whatever the browser says now. */
static void test_after_an_update_of_the_browser(void **state)
{
    const char *id = sign_on(&world->a, "alice", &world->b);

    logged_out(&world->b, id, NULL, "Mozilla/5.0 Test/2");
    assert_int_equal(count_children(&world->a, "alice"), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_at_the_service_provider),
        T(test_at_the_provider),
        T(test_of_this_browser_alone),
        T(test_a_peer_that_is_down_hinders_nothing),
        T(test_without_a_session),
        T(test_a_provider_that_takes_no_calls),
        T(test_after_an_update_of_the_browser),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
