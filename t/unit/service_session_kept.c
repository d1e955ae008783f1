/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that a process keeps decoded are what the store has, whoever changes it. */
#include "sso_world.h"

static const mnet_session_t *find(const char *id, apr_time_t now)
{
    const mnet_session_t *session = NULL;

    assert_int_equal(mnet_session_find(world->b.host, id, now, &session, world->pool), 0);
    assert_non_null(session);
    return session;
}

/* A session that was found often enough to be kept. */
static const char *kept(const char *username, apr_time_t now)
{
    const char *id = session_at(&world->b, world->a.wwwroot, username, now);

    assert_int_equal(mnet_sessions_keep(world->b.host, world->pool), 0);
    for (int i = 0; i < 3; i++) {
        find(id, now);
    }
    assert_non_null(mnet_kept_find(world->b.host, id, now, world->pool));
    return id;
}

static void test_all_of_it_is_kept(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);
    const mnet_session_t *first = find(id, now), *later;

    assert_int_equal(mnet_sessions_keep(world->b.host, world->pool), 0);
    for (int i = 0; i < 3; i++) {
        later = find(id, now);
    }
    assert_ptr_equal(later->attributes, find(id, now)->attributes);
    assert_string_equal(later->peer, first->peer);
    assert_string_equal(later->username, first->username);
    assert_string_equal(later->user_agent, first->user_agent);
    assert_string_equal(later->key, first->key);
    assert_int_equal(later->created, first->created);
    assert_int_equal(later->expires, first->expires);
    assert_int_equal(later->attributes->nelts, first->attributes->nelts);
    for (int i = 0; i < first->attributes->nelts; i++) {
        const mnet_attribute_t *one = &APR_ARRAY_IDX(first->attributes, i, mnet_attribute_t);

        assert_string_equal(mnet_attribute_find(later->attributes, one->name), one->value);
    }
    assert_string_equal(
        mnet_attribute_find(mnet_session_variables(later, world->pool), "MNET_USERNAME"), "alice");
}

/* As others come. */
static void test_what_nobody_uses_goes(void **state)
{
    apr_time_t now = apr_time_now(), later = now + 16 * MINUTE;
    const char *id = kept("alice", now), *other = kept("bob", later);
    int left = 0;

    for (int i = 0; i < 65536 / 8; i++) {
        mnet_kept_session_t *one = mnet_kept_find(world->b.host, other, later, world->pool);

        mnet_kept_put(world->b.host, other, one, later, world->pool);
    }
    left = mnet_kept_find(world->b.host, id, later, world->pool) != NULL;
    assert_int_equal(left, 0);
    assert_true(has_session(&world->b, id, later));
}

/* Whichever of its digits differs. */
static void test_another_id_finds_nothing(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = kept("alice", now);

    for (int i = 0; i < 64; i++) {
        char *other = apr_pstrdup(world->pool, id);

        other[i] = other[i] == 'a' ? 'b' : 'a';
        assert_false(has_session(&world->b, other, now));
    }
    assert_true(has_session(&world->b, id, now));
}

static void test_an_ended_one_is_gone_at_once(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = kept("alice", now), *other = kept("bob", now);

    assert_int_equal(mnet_session_end_key(world->b.host, find(id, now)->key, world->pool), 0);
    assert_false(has_session(&world->b, id, now));
    assert_null(mnet_kept_find(world->b.host, id, now, world->pool));
    assert_true(has_session(&world->b, other, now));
}

static void test_goes_with_its_peer(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = kept("alice", now);

    disable(&world->b, world->a.wwwroot);
    assert_false(has_session(&world->b, id, now));
}

static void test_goes_when_its_user_is_refused(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = kept("alice", now);

    deny(&world->b, &world->a, "alice");
    assert_false(has_session(&world->b, id, now));
}

static void test_expires_and_idles(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = kept("alice", now), *idle = kept("bob", now);

    assert_true(has_session(&world->b, id, now + 50 * MINUTE));
    assert_false(has_session(&world->b, idle, now + 61 * MINUTE));
    world->b.site->session_idle = 0;
    assert_true(has_session(&world->b, id, now + 8 * HOUR - 1));
    assert_false(has_session(&world->b, id, now + 8 * HOUR));
}

/* What one request was lent stays whole, though the next one finds the session changed. */
static void test_what_was_lent_stays(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = kept("alice", now);
    const mnet_session_t *lent = find(id, now);

    assert_int_equal(mnet_session_end(world->b.host, id, world->pool), 0);
    assert_false(has_session(&world->b, id, now));
    assert_string_equal(lent->username, "alice");
    assert_string_equal(mnet_attribute_find(lent->attributes, "lastname"),
                        "\xc3\x85ngstr\xc3\xb6m");
}

/* What two lists of a session have in common is kept once, and each finds it. */
static void test_odd_attributes_are_kept_whole(void **state)
{
    static const mnet_attribute_t fields[] = {
        {"username", "mallory"}, {"email", ""}, {"x", "1"}, {"X", "2"}, {"firstname", "\xc3\x85"}};
    apr_array_header_t *attributes = apr_array_make(world->pool, 5, sizeof(mnet_attribute_t));
    mnet_session_t session = {.peer = world->a.wwwroot, .username = "alice", .user_agent = ""};
    apr_time_t now = apr_time_now();
    const mnet_session_t *later = NULL;
    const apr_array_header_t *told;
    const char *id;

    for (int i = 0; i < 5; i++) {
        APR_ARRAY_PUSH(attributes, mnet_attribute_t) = fields[i];
    }
    session.attributes = attributes;
    assert_int_equal(mnet_session_create(world->b.host, &session, now, &id, world->pool), 0);
    assert_int_equal(mnet_sessions_keep(world->b.host, world->pool), 0);
    for (int i = 0; i < 3; i++) {
        later = find(id, now);
    }
    assert_string_equal(later->username, "alice");
    assert_string_equal(later->peer, world->a.wwwroot);
    assert_string_equal(later->user_agent, "");
    assert_int_equal(later->attributes->nelts, 5);
    for (int i = 0; i < 5; i++) {
        const mnet_attribute_t *one = &APR_ARRAY_IDX(later->attributes, i, mnet_attribute_t);

        assert_string_equal(one->name, fields[i].name);
        assert_string_equal(one->value, fields[i].value);
    }
    told = mnet_session_variables(later, world->pool);
    assert_string_equal(mnet_attribute_find(told, "MNET_USERNAME"), "alice");
    assert_string_equal(mnet_attribute_find(told, "MNET_X"), "2");
    assert_string_equal(mnet_attribute_find(told, "MNET_EMAIL"), "");
    assert_string_equal(
        mnet_session_who(later, world->pool),
        apr_pstrcat(world->pool, "alice@", mnet_wwwroot_bare(world->a.wwwroot), NULL));
}

#define CROWD 20000

/* Of as many as no small table would have room for none is pushed out, and none is another. */
static void test_a_crowd_is_kept(void **state)
{
    apr_time_t now = apr_time_now();
    const char *first = kept("alice", now);
    const mnet_kept_session_t *like = mnet_kept_find(world->b.host, first, now, world->pool);
    const char **ids = apr_palloc(world->pool, CROWD * sizeof(*ids));
    apr_pool_t *scratch;
    int missing = 0;

    apr_pool_create(&scratch, world->pool);
    for (int i = 0; i < CROWD; i++) {
        mnet_kept_session_t one = {.stamp = like->stamp,
                                   .mark = like->mark,
                                   .session = like->session,
                                   .name = like->name,
                                   .record = like->record,
                                   .len = like->len};

        one.session.created = now + i;
        assert_int_equal(mnet_random_hex(&ids[i], MNET_SESSION_ID_BYTES, world->pool), 0);
        mnet_kept_put(world->b.host, ids[i], &one, now, scratch);
        apr_pool_clear(scratch);
    }
    for (int i = 0; i < CROWD; i++) {
        const mnet_kept_session_t *one;

        mnet_session_expect(world->b.host, ids[i]);
        mnet_session_fetch(world->b.host, ids[i]);
        one = mnet_kept_find(world->b.host, ids[i], now, scratch);
        missing += !one;
        assert_true(!one || one->session.created == now + i);
        apr_pool_clear(scratch);
    }
    /* Chance puts nine in a set of eight less than once in a thousand runs. */
    assert_in_range(missing, 0, 1);
    assert_true(has_session(&world->b, first, now));
}

/* Whatever becomes of a session, or was never one. */
static void test_to_fetch_ahead_changes_nothing(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);
    const char *other = apr_pstrdup(world->pool, id);

    mnet_session_expect(world->b.host, id); /* none is kept yet */
    mnet_session_fetch(world->b.host, id);
    id = kept("bob", now);
    mnet_session_expect(world->b.host, id);
    mnet_session_fetch(world->b.host, id);
    assert_string_equal(find(id, now)->username, "bob");
    mnet_session_fetch(world->b.host, other);
    assert_null(mnet_kept_find(world->b.host, other, now, world->pool));
    assert_int_equal(mnet_session_end(world->b.host, id, world->pool), 0);
    mnet_session_fetch(world->b.host, id);
    assert_false(has_session(&world->b, id, now));
    mnet_session_fetch(world->b.host, id);
    assert_false(has_session(&world->b, id, now));
}

/* Shared memory that is too small for all sessions forgets some; this process knows them yet. */
static void test_fresh_but_once(void **state)
{
    mnet_shared_t *shared = world->b.engine->shared;
    apr_time_t now = apr_time_now();
    const char *id = session_at(&world->b, world->a.wwwroot, "alice", now);

    assert_int_equal(mnet_sessions_keep(world->b.host, world->pool), 0);
    world->b.engine->shared = NULL;
    assert_true(find(id, now)->fresh);
    assert_false(find(id, now)->fresh);
    world->b.engine->shared = shared;
}

static void test_the_stamp_is_another_after_each_commit(void **state)
{
    mnet_store_t *store = world->b.engine->store;
    apr_uint64_t before = mnet_store_stamp(store);
    mnet_txn_t *txn;

    assert_true(before > 0);
    assert_int_equal(mnet_txn_begin(store, MNET_READ, &txn, world->pool), 0);
    assert_int_equal(mnet_txn_stamp(txn), before);
    mnet_txn_abort(txn);
    session_at(&world->b, world->a.wwwroot, "alice", apr_time_now());
    assert_true(mnet_store_stamp(store) > before);
}

/* Two that look alike to an application are told once, and none stands for the user's name. */
static void test_variables(void **state)
{
    apr_array_header_t *attributes = apr_array_make(world->pool, 4, sizeof(mnet_attribute_t));
    mnet_session_t session = {.peer = "https://a.example", .username = "alice"};
    const apr_array_header_t *told;

    APR_ARRAY_PUSH(attributes, mnet_attribute_t) = (mnet_attribute_t){"first-name", "A"};
    APR_ARRAY_PUSH(attributes, mnet_attribute_t) = (mnet_attribute_t){"first name", "B"};
    APR_ARRAY_PUSH(attributes, mnet_attribute_t) = (mnet_attribute_t){"UserName", "mallory"};
    APR_ARRAY_PUSH(attributes, mnet_attribute_t) = (mnet_attribute_t){"x\xc3\xa9"
                                                                      "9",
                                                                      "C"};
    session.attributes = attributes;
    told = mnet_session_variables(&session, world->pool);
    assert_int_equal(told->nelts, 4);
    assert_string_equal(mnet_attribute_find(told, "MNET_FIRST_NAME"), "B");
    assert_string_equal(mnet_attribute_find(told, "MNET_USERNAME"), "alice");
    assert_string_equal(mnet_attribute_find(told, "MNET_PEER"), "https://a.example");
    assert_string_equal(mnet_attribute_find(told, "MNET_X__9"), "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
        T(test_all_of_it_is_kept),
        T(test_what_nobody_uses_goes),
        T(test_another_id_finds_nothing),
        T(test_an_ended_one_is_gone_at_once),
        T(test_goes_with_its_peer),
        T(test_goes_when_its_user_is_refused),
        T(test_expires_and_idles),
        T(test_what_was_lent_stays),
        T(test_odd_attributes_are_kept_whole),
        T(test_fresh_but_once),
        T(test_a_crowd_is_kept),
        T(test_to_fetch_ahead_changes_nothing),
        T(test_the_stamp_is_another_after_each_commit),
        T(test_variables),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
