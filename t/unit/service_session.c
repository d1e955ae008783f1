/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

static void test_found_by_its_id(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);
    const mnet_session_t *session;

    assert_int_equal(strlen(id), 64);
    assert_int_equal(mnet_session_find(world->b.host, id, now, &session, world->pool), 0);
    assert_string_equal(session->peer, world->a.wwwroot);
    assert_string_equal(session->username, "alice");
    assert_string_equal(session->user_agent, browser_hash(&world->b));
    assert_string_equal(mnet_attribute_find(session->attributes, "lastname"),
                        "\xc3\x85ngstr\xc3\xb6m");
    assert_null(mnet_attribute_find(session->attributes, "city"));
    assert_int_equal(session->created, now);
    assert_int_equal(session->expires, now + 8 * HOUR);
}

static apr_status_t no_id(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                          const void *data, apr_size_t len)
{
    const char *id = baton;

    assert_null(memmem(key, key_len, id, strlen(id)));
    assert_null(memmem(data, len, id, strlen(id)));
    world->calls++;
    return APR_SUCCESS;
}

static void test_the_store_does_not_know_the_id(void **state)
{
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(world->b.engine->store, MNET_READ, &txn, world->pool), 0);
    assert_int_equal(mnet_txn_each(txn, "session", NULL, 0, NULL, 0, no_id, (void *)id), 0);
    mnet_txn_abort(txn);
    assert_int_equal(world->calls, 1);
}

static void test_no_id_at_all(void **state)
{
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());
    const char *shorter = apr_pstrndup(world->pool, id, 63);
    const char *longer = apr_pstrcat(world->pool, id, "0", NULL);
    char *other = apr_pstrdup(world->pool, id), *upper = apr_pstrdup(world->pool, id);

    other[0] = other[0] == '0' ? '1' : '0';
    for (char *c = upper; *c; c++) {
        *c = *c >= 'a' ? (char)(*c - 32) : *c;
    }
    assert_true(has_session(&world->b, id, apr_time_now()));
    assert_false(has_session(&world->b, NULL, apr_time_now()));
    assert_false(has_session(&world->b, "", apr_time_now()));
    assert_false(has_session(&world->b, shorter, apr_time_now()));
    assert_false(has_session(&world->b, longer, apr_time_now()));
    assert_false(has_session(&world->b, other, apr_time_now()));
    assert_false(!strcmp(upper, id) ? 0 : has_session(&world->b, upper, apr_time_now()));
}

static void test_expires(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);

    world->b.site->session_idle = 0;
    assert_true(has_session(&world->b, id, now + 8 * HOUR - 1));
    assert_false(has_session(&world->b, id, now + 8 * HOUR));
}

static void test_idle(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);

    assert_true(has_session(&world->b, id, now + 50 * MINUTE));
    assert_true(has_session(&world->b, id, now + 100 * MINUTE));
    assert_false(has_session(&world->b, id, now + 161 * MINUTE));
}

/* The store learns it by itself where there is no shared memory to remember it. */
static void test_idle_without_shared_memory(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);

    world->b.engine->shared = NULL;
    assert_true(has_session(&world->b, id, now + 50 * MINUTE));
    assert_true(has_session(&world->b, id, now + 100 * MINUTE));
    assert_true(has_session(&world->b, id, now + 150 * MINUTE));
    assert_false(has_session(&world->b, id, now + 211 * MINUTE));
}

/* The same store, another wwwroot: the session is not its. */
static void test_of_another_site(void **state)
{
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());
    mnet_site_t *site = mnet_site_create("https://other.example", world->pool);
    mnet_host_t other = *world->b.host;
    const mnet_session_t *session;

    other.site = site;
    assert_int_equal(mnet_session_find(&other, id, apr_time_now(), &session, world->pool),
                     APR_NOTFOUND);
    assert_int_equal(mnet_session_end(&other, id, world->pool), APR_NOTFOUND);
    assert_true(has_session(&world->b, id, apr_time_now()));
}

static void test_ends(void **state)
{
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());
    const char *second = session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());
    const mnet_session_t *session;

    assert_int_equal(
        mnet_session_find(world->b.host, second, apr_time_now(), &session, world->pool), 0);
    assert_int_equal(mnet_session_end(world->b.host, id, world->pool), 0);
    assert_int_equal(mnet_session_end(world->b.host, id, world->pool), APR_NOTFOUND);
    assert_false(has_session(&world->b, id, apr_time_now()));
    assert_true(has_session(&world->b, second, apr_time_now()));
    assert_int_equal(mnet_session_end_key(world->b.host, session->key, world->pool), 0);
    assert_false(has_session(&world->b, second, apr_time_now()));
    assert_int_equal(mnet_session_end_key(world->b.host, "nonsense", world->pool), APR_NOTFOUND);
}

static void test_goes_with_its_peer(void **state)
{
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());

    disable(&world->b, world->a.wwwroot);
    assert_false(has_session(&world->b, id, apr_time_now()));
}

static void test_goes_with_the_permission(void **state)
{
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());

    deny(&world->b, &world->a, "bob");
    assert_true(has_session(&world->b, id, apr_time_now()));
    deny(&world->b, &world->a, "alice");
    assert_false(has_session(&world->b, id, apr_time_now()));
}

static void test_damaged_record(void **state)
{
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());
    mnet_name_t name;
    mnet_txn_t *txn;

    assert_int_equal(mnet_session_name(world->b.host, id, &name), 0);
    assert_int_equal(mnet_txn_begin(world->b.engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_txn_put(txn, "session", name.bytes, name.len, "\x01xyz", 4), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_false(has_session(&world->b, id, apr_time_now()));
    assert_true(world_logged("MNET0801"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
        T(test_found_by_its_id),
        T(test_the_store_does_not_know_the_id),
        T(test_no_id_at_all),
        T(test_expires),
        T(test_idle),
        T(test_idle_without_shared_memory),
        T(test_of_another_site),
        T(test_ends),
        T(test_goes_with_its_peer),
        T(test_goes_with_the_permission),
        T(test_damaged_record),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
