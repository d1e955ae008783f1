/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

#include "service/jump_int.h"

/* a is the provider, b has the sessions. */
static int kill_child(place_t *from, const char *username, const char *user_agent)
{
    mnet_reply_t *reply = call_texts(from, &world->b, IDP("kill_child"), username, user_agent);

    assert_int_equal(reply->kind, MNET_CALL_OK);
    assert_int_equal(reply->value->type, MNET_BOOLEAN);
    return mnet_as_truth(reply->value);
}

static void test_kill_child_ends_the_session(void **state)
{
    const char *id = sign_on(&world->a, "alice", &world->b);

    assert_true(kill_child(&world->a, "alice", browser_hash(&world->a)));
    assert_false(has_session(&world->b, id, apr_time_now()));
    assert_false(kill_child(&world->a, "alice", browser_hash(&world->a)));
    assert_true(world_logged("MNET0863"));
}

static const char *with_browser(const char *user_agent)
{
    mnet_session_t session = {
        .peer = world->a.wwwroot, .username = "alice", .user_agent = user_agent};
    const char *id;

    assert_int_equal(mnet_session_create(world->b.host, &session, apr_time_now(), &id, world->pool),
                     0);
    return id;
}

static void test_kill_child_of_one_browser(void **state)
{
    const char *one = with_browser("one"), *two = with_browser("two");

    assert_true(kill_child(&world->a, "alice", "one"));
    assert_false(has_session(&world->b, one, apr_time_now()));
    assert_true(has_session(&world->b, two, apr_time_now()));
}

/* Rather one too many than one left open. */
static void test_kill_child_of_an_unknown_browser_ends_all(void **state)
{
    const char *one = with_browser("one"), *two = with_browser("two");

    assert_true(kill_child(&world->a, "alice", "three"));
    assert_false(has_session(&world->b, one, apr_time_now()));
    assert_false(has_session(&world->b, two, apr_time_now()));
}

static void test_kill_child_of_another_peers_user(void **state)
{
    const char *id = session_at(&world->b, "https://c.example", "alice", apr_time_now());
    place_t c = {.wwwroot = "https://c.example"};

    world_join(&world->b, &c, "moodle", 0);
    assert_false(kill_child(&world->a, "alice", browser_hash(&world->a)));
    assert_false(kill_child(&world->a, "alice", ""));
    assert_true(has_session(&world->b, id, apr_time_now()));
}

/* A child of the session behind that id, at a peer that cannot be reached. */
static void goes_on(const char *id, const char *user_agent)
{
    const mnet_session_t *session;
    mnet_child_t child = {.peer = "https://c.example",
                          .username = "alice@a",
                          .user = "alice@a",
                          .user_agent = user_agent,
                          .claimed = apr_time_now(),
                          .kept = apr_time_now()};
    mnet_txn_t *txn;

    assert_int_equal(mnet_session_find(world->b.host, id, apr_time_now(), &session, world->pool),
                     0);
    child.session = session->key;
    assert_int_equal(mnet_txn_begin(world->b.host->engine->store, MNET_WRITE, &txn, world->pool),
                     0);
    assert_int_equal(mnet_child_put(world->b.host, txn, &child, world->pool), 0);
    assert_int_equal(mnet_child_put(world->b.host, txn, &child, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
}

static void test_kill_child_ends_where_they_went_from_here(void **state)
{
    const char *one = with_browser("one"), *two = with_browser("two");

    goes_on(one, "one");
    goes_on(two, "two");
    assert_int_equal(count_children(&world->b, "alice@a"), 2);
    assert_true(kill_child(&world->a, "alice", "one"));
    assert_int_equal(count_children(&world->b, "alice@a"), 1);
    assert_true(world_logged("MNET0860")); /* they were to be told, at least */
    assert_true(has_session(&world->b, two, apr_time_now()));
    assert_true(kill_child(&world->a, "alice", "two"));
    assert_int_equal(count_children(&world->b, "alice@a"), 0);
}

/* The same user goes to the same peer once more, from another session: the last one counts. */
static void test_a_child_belongs_to_one_session(void **state)
{
    const char *one = with_browser("one"), *two = with_browser("two");

    goes_on(one, "same");
    goes_on(two, "same");
    assert_int_equal(count_children(&world->b, "alice@a"), 1);
    assert_true(kill_child(&world->a, "alice", "one"));
    assert_int_equal(count_children(&world->b, "alice@a"), 1);
    assert_true(kill_child(&world->a, "alice", "two"));
    assert_int_equal(count_children(&world->b, "alice@a"), 0);
}

static void test_a_replayed_kill(void **state)
{
    const char *id;
    answer_t answer;
    mnet_spool_t *body;

    sign_on(&world->a, "alice", &world->b);
    assert_true(kill_child(&world->a, "alice", browser_hash(&world->a)));
    body = world->last_body;
    id = sign_on(&world->a, "alice", &world->b);
    answer = world_give(body, &world->b, &world->a);
    assert_int_equal(answer.document->fault_code, MNET_FAULT_REPLAY);
    assert_true(has_session(&world->b, id, apr_time_now()));
}

static void test_not_published(void **state)
{
    const char *id = sign_on(&world->a, "alice", &world->b);

    serve(&world->b, world->a.wwwroot, "sso_idp", "sso_idp");
    assert_int_equal(call_texts(&world->a, &world->b, IDP("kill_child"), "alice", "")->code,
                     MNET_FAULT_PERMISSION);
    assert_true(has_session(&world->b, id, apr_time_now()));
}

static void test_keepalive_client_is_true(void **state)
{
    mnet_reply_t *reply = call_texts(&world->a, &world->b, IDP("keepalive_client"), NULL, NULL);

    assert_int_equal(reply->value->type, MNET_BOOLEAN);
    assert_true(mnet_as_truth(reply->value));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_kill_child_ends_the_session),
        T(test_kill_child_of_one_browser),
        T(test_kill_child_of_an_unknown_browser_ends_all),
        T(test_kill_child_of_another_peers_user),
        T(test_kill_child_ends_where_they_went_from_here),
        T(test_a_child_belongs_to_one_session),
        T(test_a_replayed_kill),
        T(test_not_published),
        T(test_keepalive_client_is_true),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
