/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

#define PEER_C "https://c.example"

static int end_user(const char *peer, const char *username, const char *user_agent)
{
    int ended = -1;

    assert_int_equal(mnet_sessions_end_user(world->b.host, NULL, peer, username, user_agent, &ended,
                                            world->pool),
                     0);
    return ended;
}

static void test_all_of_a_user_end(void **state)
{
    apr_time_t now = apr_time_now();
    const char *one = session_at(&world->b, world->a.wwwroot, "alice", now);
    const char *two = session_at(&world->b, world->a.wwwroot, "alice", now);
    const char *bob = session_at(&world->b, world->a.wwwroot, "bob", now);

    assert_int_equal(end_user(world->a.wwwroot, "alice", NULL), 2);
    assert_false(has_session(&world->b, one, now));
    assert_false(has_session(&world->b, two, now));
    assert_true(has_session(&world->b, bob, now));
    assert_int_equal(end_user(world->a.wwwroot, "alice", NULL), 0);
}

/* All at once, by one kill, and in a time that nobody minds. */
static void test_ten_thousand_of_a_user_end(void **state)
{
    mnet_session_t session = {.peer = world->a.wwwroot,
                              .username = "alice",
                              .attributes = profile(),
                              .user_agent = browser_hash(&world->b)};
    apr_time_t now = apr_time_now();
    const char *id = NULL;
    mnet_txn_t *txn;
    int ended;

    assert_int_equal(mnet_txn_begin(world->b.engine->store, MNET_WRITE, &txn, world->pool), 0);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(mnet_session_begin(world->b.host, txn, &session, now, &id, world->pool),
                         0);
    }
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_true(has_session(&world->b, id, now));
    now = apr_time_now();
    assert_int_equal(mnet_sessions_end_user(world->b.host, NULL, world->a.wwwroot, "alice", NULL,
                                            &ended, world->pool),
                     0);
    assert_int_equal(ended, 10000);
    assert_false(has_session(&world->b, id, now));
    assert_true(apr_time_now() - now < apr_time_from_sec(20));
}

static void test_one_browser_of_a_user_ends(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);

    assert_int_equal(end_user(world->a.wwwroot, "alice", "another"), 0);
    assert_true(has_session(&world->b, id, now));
    assert_int_equal(end_user(world->a.wwwroot, "alice", browser_hash(&world->b)), 1);
}

/* The same name at another site is another user. */
static void test_another_peers_user_stays(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);

    assert_int_equal(end_user(PEER_C, "alice", NULL), 0);
    assert_int_equal(end_user(world->a.wwwroot, "Alice", NULL), 0);
    assert_true(has_session(&world->b, id, now));
}

static void test_in_the_callers_transaction(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);
    mnet_txn_t *txn;
    int ended;

    assert_int_equal(mnet_txn_begin(world->b.engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_sessions_end_user(world->b.host, txn, world->a.wwwroot, "alice", NULL,
                                            &ended, world->pool),
                     0);
    assert_int_equal(ended, 1);
    mnet_txn_abort(txn);
    assert_true(has_session(&world->b, id, now));
}

static apr_array_header_t *list(const char *peer, const char *username, int max, apr_time_t now)
{
    apr_array_header_t *found;

    assert_int_equal(
        mnet_sessions_list(world->b.host, peer, username, max, now, &found, world->pool), 0);
    return found;
}

static void test_lists_newest_first(void **state)
{
    apr_time_t now = apr_time_now();
    apr_array_header_t *found;

    session_at(&world->b, world->a.wwwroot, "alice", now - 3 * MINUTE);
    session_at(&world->b, world->a.wwwroot, "bob", now - 1 * MINUTE);
    session_at(&world->b, PEER_C, "carol", now - 2 * MINUTE);
    session_at(&world->b, world->a.wwwroot, "alice", now - 9 * HOUR); /* past */
    found = list(NULL, NULL, 10, now);
    assert_int_equal(found->nelts, 3);
    assert_string_equal(APR_ARRAY_IDX(found, 0, mnet_session_t *)->username, "bob");
    assert_string_equal(APR_ARRAY_IDX(found, 1, mnet_session_t *)->username, "carol");
    assert_string_equal(APR_ARRAY_IDX(found, 2, mnet_session_t *)->username, "alice");
    assert_int_equal(list(NULL, NULL, 2, now)->nelts, 2);
    assert_int_equal(list(world->a.wwwroot, NULL, 10, now)->nelts, 2);
    assert_int_equal(list(world->a.wwwroot, "alice", 10, now)->nelts, 1);
    assert_int_equal(list(NULL, "carol", 10, now)->nelts, 1);
    assert_int_equal(list("https://none.example", NULL, 10, now)->nelts, 0);
}

/* More than one read transaction's worth. */
static void test_lists_many(void **state)
{
    apr_time_t now = apr_time_now();
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(world->b.engine->store, MNET_WRITE, &txn, world->pool), 0);
    for (int i = 0; i < 1200; i++) {
        mnet_session_t session = {.peer = world->a.wwwroot,
                                  .username = apr_psprintf(world->pool, "u%d", i),
                                  .user_agent = ""};
        const char *id;

        assert_int_equal(mnet_session_begin(world->b.host, txn, &session, now, &id, world->pool),
                         0);
    }
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_int_equal(list(NULL, NULL, 5000, now)->nelts, 1200);
    assert_int_equal(list(NULL, NULL, 700, now)->nelts, 700);
}

static int active(const char *peer, apr_time_t since)
{
    apr_array_header_t *usernames;

    assert_int_equal(mnet_sessions_active(world->b.host, peer, since, &usernames, world->pool), 0);
    return usernames->nelts;
}

static void test_active_are_those_used_since(void **state)
{
    apr_time_t now = apr_time_now();
    const char *old = session_at(&world->b, world->a.wwwroot, "alice", now - 20 * MINUTE);

    session_at(&world->b, world->a.wwwroot, "bob", now);
    session_at(&world->b, world->a.wwwroot, "bob", now);
    session_at(&world->b, PEER_C, "carol", now);
    assert_int_equal(active(world->a.wwwroot, now - 5 * MINUTE), 1); /* bob, once */
    assert_true(has_session(&world->b, old, now));                   /* which uses it */
    assert_int_equal(active(world->a.wwwroot, now - 5 * MINUTE), 2);
}

static apr_status_t count_one(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    ++*(int *)baton;
    return APR_SUCCESS;
}

static int records(const char *group)
{
    mnet_txn_t *txn;
    int count = 0;

    assert_int_equal(mnet_txn_begin(world->b.engine->store, MNET_READ, &txn, world->pool), 0);
    assert_int_equal(mnet_txn_each(txn, group, NULL, 0, NULL, 0, count_one, &count), 0);
    mnet_txn_abort(txn);
    return count;
}

static void test_tending_removes_what_is_past(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id;

    session_at(&world->b, world->a.wwwroot, "alice", now - 9 * HOUR);
    session_at(&world->b, world->a.wwwroot, "alice", now - 2 * HOUR); /* idle */
    id = session_at(&world->b, world->a.wwwroot, "alice", now);
    assert_int_equal(mnet_sessions_tend(world->b.host, now, world->pool), 0);
    assert_int_equal(records("session"), 1);
    assert_int_equal(records("session-user"), 1);
    assert_true(has_session(&world->b, id, now));
}

/* What is in use holds although the shared memory of its use is lost, as in a restart. */
static void test_tending_writes_back_the_last_use(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);

    assert_true(has_session(&world->b, id, now + 50 * MINUTE));
    assert_int_equal(mnet_sessions_tend(world->b.host, now + 50 * MINUTE, world->pool), 0);
    world->b.engine->shared = NULL;
    assert_true(has_session(&world->b, id, now + 100 * MINUTE));
}

static void test_tending_leaves_other_sites_alone(void **state)
{
    apr_time_t now = apr_time_now();
    mnet_site_t *site = mnet_site_create("https://other.example", world->pool);
    mnet_host_t other = *world->b.host;

    session_at(&world->b, world->a.wwwroot, "alice", now);
    other.site = site;
    assert_int_equal(mnet_sessions_tend(&other, now + 9 * HOUR, world->pool), 0);
    assert_int_equal(records("session"), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_all_of_a_user_end),
        T(test_ten_thousand_of_a_user_end),
        T(test_one_browser_of_a_user_ends),
        T(test_another_peers_user_stays),
        T(test_in_the_callers_transaction),
        T(test_lists_newest_first),
        T(test_lists_many),
        T(test_active_are_those_used_since),
        T(test_tending_removes_what_is_past),
        T(test_tending_writes_back_the_last_use),
        T(test_tending_leaves_other_sites_alone),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
