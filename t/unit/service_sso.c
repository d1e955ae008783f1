/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

static apr_array_header_t *due(apr_time_t now)
{
    return mnet_sso_due(world->b.host, now, world->pool);
}

static void test_due_are_providers_of_users_who_are_here(void **state)
{
    apr_time_t now = apr_time_now();
    apr_array_header_t *peers;

    assert_int_equal(due(now)->nelts, 0);
    now += 10 * MINUTE;
    session_at(&world->b, world->a.wwwroot, "alice", now);
    session_at(&world->b, "https://gone.example", "bob", now);
    peers = due(now);
    assert_int_equal(peers->nelts, 1);
    assert_string_equal(APR_ARRAY_IDX(peers, 0, const char *), world->a.wwwroot);
    assert_int_equal(due(now + MINUTE)->nelts, 0);     /* told already */
    assert_int_equal(due(now + 6 * MINUTE)->nelts, 0); /* gone meanwhile */
}

static void test_due_needs_a_subscription(void **state)
{
    session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());
    serve(&world->b, world->a.wwwroot, "sso_sp", "sso_sp");
    assert_int_equal(due(apr_time_now())->nelts, 0);
}

static void test_keepalive_reaches_the_provider(void **state)
{
    apr_array_header_t *children;
    apr_time_t before;

    sign_on(&world->a, "alice", &world->b);
    before = apr_time_now();
    mnet_sso_keepalive(world->b.host, world->a.wwwroot, apr_time_now(), world->pool);
    assert_int_equal(mnet_children_list(world->a.host, "alice", NULL, &children, world->pool), 0);
    assert_true(APR_ARRAY_IDX(children, 0, mnet_child_t *)->kept >= before);
    assert_false(world_logged("MNET0875"));
    assert_false(world_logged("MNET0876"));
}

static void test_keepalive_in_batches_of_thirty(void **state)
{
    for (int i = 0; i < 61; i++) {
        session_at(&world->b, world->a.wwwroot, apr_psprintf(world->pool, "u%d", i),
                   apr_time_now());
    }
    mnet_sso_keepalive(world->b.host, world->a.wwwroot, apr_time_now(), world->pool);
    assert_int_equal(world->posts, 3);
    assert_true(world_logged("MNET0876")); /* the provider knows none of them */
}

static void test_keepalive_of_nobody_calls_nobody(void **state)
{
    mnet_sso_keepalive(world->b.host, world->a.wwwroot, apr_time_now(), world->pool);
    assert_int_equal(world->posts, 0);
}

static void test_keepalive_stops_at_a_peer_that_is_down(void **state)
{
    for (int i = 0; i < 61; i++) {
        session_at(&world->b, world->a.wwwroot, apr_psprintf(world->pool, "u%d", i),
                   apr_time_now());
    }
    world->down = APR_ECONNREFUSED;
    mnet_sso_keepalive(world->b.host, world->a.wwwroot, apr_time_now(), world->pool);
    assert_int_equal(world->posts, 1);
    assert_true(world_logged("MNET0875"));
}

static apr_status_t answer_true(mnet_call_t *call, void *baton)
{
    call->result = mnet_boolean(1, call->pool);
    return APR_SUCCESS;
}

static const mnet_parameter_t no_parameters[] = {{NULL}};
static const mnet_method_t maharas = {IDP("keepalive_server"), "sso_idp",  MNET_METHOD_READS,
                                      no_parameters,           0,          {NULL, "bool", ""},
                                      "Does nothing.",         answer_true};

static int mahara_setup(void **state)
{
    int rv = world_setup(state);

    assert_int_equal(mnet_registry_add(world->registry, NULL, &maharas), 0);
    serve(&world->a, world->b.wwwroot, "sso_idp sso_sp", "sso_idp sso_sp");
    serve(&world->b, world->a.wwwroot, "sso_idp sso_sp", "sso_idp sso_sp");
    return rv;
}

static void test_a_maharas_true_is_fine(void **state)
{
    session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());
    mnet_sso_keepalive(world->b.host, world->a.wwwroot, apr_time_now(), world->pool);
    assert_int_equal(world->posts, 1);
    assert_false(world_logged("MNET0875"));
    assert_false(world_logged("MNET0876"));
}

static void test_quick_work_is_done_once_a_minute(void **state)
{
    apr_time_t now = apr_time_now();
    apr_array_header_t *list;

    session_at(&world->b, world->a.wwwroot, "alice", now - 9 * HOUR);
    mnet_sso_quick(world->b.host, now, world->pool);
    session_at(&world->b, world->a.wwwroot, "alice", now - 9 * HOUR);
    mnet_sso_quick(world->b.host, now + 1000000, world->pool);
    /* As of long ago the second one still holds, if it is there. */
    assert_int_equal(
        mnet_sessions_list(world->b.host, NULL, NULL, 9, now - 9 * HOUR, &list, world->pool), 0);
    assert_int_equal(list->nelts, 1);
    mnet_sso_periodic(world->b.host, now + 2 * MINUTE, world->pool);
    assert_int_equal(
        mnet_sessions_list(world->b.host, NULL, NULL, 9, now - 9 * HOUR, &list, world->pool), 0);
    assert_int_equal(list->nelts, 0);
}

/* The digests of the reference: of no User-Agent at all, and of a name. */
static void test_user_agent_hash(void **state)
{
    assert_string_equal(mnet_user_agent_hash(world->a.host, NULL, world->pool),
                        "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_string_equal(mnet_user_agent_hash(world->a.host, "", world->pool),
                        "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_string_equal(mnet_user_agent_hash(world->a.host, "abc", world->pool),
                        "a9993e364706816aba3e25717850c26c9cd0d89d");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_due_are_providers_of_users_who_are_here),
        T(test_due_needs_a_subscription),
        T(test_keepalive_reaches_the_provider),
        T(test_keepalive_in_batches_of_thirty),
        T(test_keepalive_of_nobody_calls_nobody),
        T(test_keepalive_stops_at_a_peer_that_is_down),
        cmocka_unit_test_setup_teardown(test_a_maharas_true_is_fine, mahara_setup, world_teardown),
        T(test_quick_work_is_done_once_a_minute),
        T(test_user_agent_hash),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
