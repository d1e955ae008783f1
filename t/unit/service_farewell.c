/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

#include "service/farewell.h"

static void logged_out(place_t *at, const char *session, const char *user)
{
    mnet_logout_t logout = {.host = at->host,
                            .session = session,
                            .user = user,
                            .user_agent = BROWSER,
                            .id = "x",
                            .now = apr_time_now()};

    assert_int_equal(mnet_logout(&logout, world->pool), 0);
}

static int due(place_t *at, apr_time_t now)
{
    return mnet_farewells_due(at->host, now, world->pool)->nelts;
}

/* Gone without the other side knowing: alice of a, who was at b, logged out there. */
static const char *left_in_silence(void)
{
    const char *id = sign_on(&world->a, "alice", &world->b);

    world->down = APR_ECONNREFUSED;
    logged_out(&world->b, id, "alice@a.example");
    assert_int_equal(count_children(&world->a, "alice"), 1);
    return id;
}

static void test_told_later(void **state)
{
    apr_time_t now = apr_time_now();

    left_in_silence();
    assert_int_equal(due(&world->b, now), 0); /* it was told a moment ago */
    world->down = 0;
    now += apr_time_from_sec(20);
    assert_int_equal(due(&world->b, now), 1);
    mnet_farewell_peer(world->b.host, world->a.wwwroot, now, world->pool);
    assert_int_equal(count_children(&world->a, "alice"), 0);
    assert_int_equal(due(&world->b, now + apr_time_from_sec(60)), 0);
}

static void test_children_told_later(void **state)
{
    const char *id = sign_on(&world->a, "alice", &world->b);
    apr_time_t now = apr_time_now() + apr_time_from_sec(20);

    world->down = APR_TIMEUP;
    logged_out(&world->a, NULL, "alice");
    assert_true(has_session(&world->b, id, apr_time_now()));
    world->down = 0;
    mnet_farewell_peer(world->a.host, world->b.wwwroot, now, world->pool);
    assert_false(has_session(&world->b, id, apr_time_now()));
}

static void test_tried_less_and_less(void **state)
{
    apr_time_t now = apr_time_now() + apr_time_from_sec(20);
    int posts;

    left_in_silence();
    posts = world->posts;
    mnet_farewell_peer(world->b.host, world->a.wwwroot, now, world->pool);
    assert_int_equal(world->posts, posts + 1);
    mnet_farewell_peer(world->b.host, world->a.wwwroot, apr_time_now() + apr_time_from_sec(5),
                       world->pool);
    assert_int_equal(world->posts, posts + 1);
    mnet_farewell_peer(world->b.host, world->a.wwwroot, apr_time_now() + apr_time_from_sec(11),
                       world->pool);
    assert_int_equal(world->posts, posts + 2);
    mnet_farewell_peer(world->b.host, world->a.wwwroot, apr_time_now() + apr_time_from_sec(11),
                       world->pool);
    assert_int_equal(world->posts, posts + 2); /* twenty seconds by now */
}

static void test_given_up_with_the_session(void **state)
{
    apr_time_t now = mnet_ahead(apr_time_now(), world->b.host->site->session_lifetime) + 1000000;

    left_in_silence();
    assert_int_equal(due(&world->b, now), 0);
    assert_true(world_logged("MNET0868"));
    assert_int_equal(due(&world->b, apr_time_now() + apr_time_from_sec(60)), 0);
}

static void test_who_came_back_stays(void **state)
{
    apr_time_t now = apr_time_now() + apr_time_from_sec(20);
    const char *id;

    left_in_silence();
    world->down = 0;
    id = sign_on(&world->a, "alice", &world->b);
    mnet_farewell_peer(world->b.host, world->a.wwwroot, now, world->pool);
    assert_int_equal(count_children(&world->a, "alice"), 1);
    assert_true(has_session(&world->b, id, apr_time_now()));
}

static void test_who_went_again_stays(void **state)
{
    apr_time_t now = apr_time_now() + apr_time_from_sec(20);
    const char *id;

    sign_on(&world->a, "alice", &world->b);
    world->down = APR_TIMEUP;
    logged_out(&world->a, NULL, "alice");
    world->down = 0;
    id = sign_on(&world->a, "alice", &world->b);
    mnet_farewell_peer(world->a.host, world->b.wwwroot, now, world->pool);
    assert_true(has_session(&world->b, id, apr_time_now()));
}

static void test_nothing_is_left_of_those_told(void **state)
{
    const char *id = sign_on(&world->a, "alice", &world->b);

    logged_out(&world->b, id, "alice@a.example");
    assert_int_equal(due(&world->b, apr_time_now() + apr_time_from_sec(3600)), 0);
    assert_int_equal(due(&world->a, apr_time_now() + apr_time_from_sec(3600)), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_told_later),
        T(test_children_told_later),
        T(test_tried_less_and_less),
        T(test_given_up_with_the_session),
        T(test_who_came_back_stays),
        T(test_who_went_again_stays),
        T(test_nothing_is_left_of_those_told),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
