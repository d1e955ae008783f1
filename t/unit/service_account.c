/* SPDX-License-Identifier: Apache-2.0 */
#define WORLD_STATE_SIZE (4 * 1024 * 1024)
#include "sso_world.h"

#include "rpc/peer_share.h"
#include "trust/share.h"

#define NOW apr_time_from_sec(1800000000)

static mnet_account_t *account(const char *peer, const char *username)
{
    mnet_account_t *found = NULL;
    apr_status_t rv = mnet_account_find(world->b.host, peer, username, &found, world->pool);

    assert_true(rv == APR_SUCCESS || rv == APR_NOTFOUND);
    return found;
}

static void noted(const char *peer, const char *username, const apr_array_header_t *attributes,
                  apr_time_t now)
{
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(world->b.engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(
        mnet_account_note(world->b.host, txn, peer, username, attributes, now, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
}

static void test_made_at_the_first_landing(void **state)
{
    const mnet_account_t *alice;

    assert_null(account(world->a.wwwroot, "alice"));
    noted(world->a.wwwroot, "alice", profile(), 1000);
    alice = account(world->a.wwwroot, "alice");
    assert_string_equal(alice->peer, world->a.wwwroot);
    assert_string_equal(alice->username, "alice");
    assert_int_equal(alice->first, 1000);
    assert_int_equal(alice->last, 1000);
    assert_int_equal(alice->landings, 1);
    assert_int_equal(alice->attributes->nelts, 3);
}

static void test_updated_at_the_next(void **state)
{
    apr_array_header_t *changed = apr_array_make(world->pool, 1, sizeof(mnet_attribute_t));
    const mnet_account_t *alice;

    attribute(changed, "email", "new@example.org");
    noted(world->a.wwwroot, "alice", profile(), 1000);
    noted(world->a.wwwroot, "alice", changed, 2000);
    alice = account(world->a.wwwroot, "alice");
    assert_int_equal(alice->first, 1000);
    assert_int_equal(alice->last, 2000);
    assert_int_equal(alice->landings, 2);
    assert_string_equal(mnet_attribute_find(alice->attributes, "email"), "new@example.org");
}

/* One name at two peers is two people; so is one in other letters. */
static void test_by_peer_and_name(void **state)
{
    noted(world->a.wwwroot, "alice", NULL, 1000);
    assert_null(account("https://c.example", "alice"));
    assert_null(account(world->a.wwwroot, "Alice"));
    assert_null(account(world->a.wwwroot, "alic"));
}

static void test_of_another_site(void **state)
{
    mnet_host_t other = *world->b.host;
    mnet_account_t *found;

    noted(world->a.wwwroot, "alice", NULL, 1000);
    other.site = mnet_site_create("https://other.example", world->pool);
    assert_int_equal(mnet_account_find(&other, world->a.wwwroot, "alice", &found, world->pool),
                     APR_NOTFOUND);
}

static void test_usernames(void **state)
{
    static const char *const good[] = {
        "a",           "alice",    "o'neil",
        "a.b-c_d@e.f", "\xc3\xa4", "\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7"};
    static const char *const bad[] = {
        "",         " a",        "a ",           "a\nb",         "/", "a\\b", ".", "..", "\xff",
        "\xc0\xaf", "a\xcc\xff", "\xed\xa0\x80", "a\xef\xbb\xbf"};

    /* The last good one has a joiner in it, which is refused: nobody sees the difference. */
    for (size_t i = 0; i + 1 < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(mnet_username_problem(good[i]));
    }
    assert_non_null(mnet_username_problem(good[5]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_non_null(mnet_username_problem(bad[i]));
    }
    assert_non_null(mnet_username_problem(NULL));
}

/* All fields together are bounded. */
static void test_fields_are_bounded(void **state)
{
    static const char *const names[] = {"firstname", "lastname",    "email",   "city",
                                        "country",   "description", "address", "url",
                                        "phone1",    "phone2",      "idnumber"};
    mnet_value_t *user = mnet_struct(world->pool);
    apr_size_t total = 0;
    char *many = apr_pcalloc(world->pool, MNET_FIELD_MAX + 1);
    apr_array_header_t *fields;

    memset(many, 'x', MNET_FIELD_MAX);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        mnet_set(user, names[i], mnet_string(many, world->pool));
    }
    fields = mnet_account_fields(world->b.host, user, world->pool);
    for (int i = 0; i < fields->nelts; i++) {
        total += strlen(APR_ARRAY_IDX(fields, i, mnet_attribute_t).value);
    }
    assert_int_equal(total, MNET_PROFILE_MAX);
    assert_int_equal(fields->nelts, 8);
}

/* A landing of a user that nobody saw before, as land.c writes it. */
static apr_status_t lands(const char *peer, int n)
{
    apr_array_header_t *attributes = apr_array_make(world->pool, 1, sizeof(mnet_attribute_t));
    const char *id, *username;
    apr_pool_t *pool;
    mnet_txn_t *txn;
    apr_status_t rv;

    apr_pool_create(&pool, world->pool);
    APR_ARRAY_PUSH(attributes, mnet_attribute_t) = (mnet_attribute_t){
        "description", memset(apr_pcalloc(pool, MNET_FIELD_MAX), 'x', MNET_FIELD_MAX - 1)};
    username = apr_psprintf(pool, "user%d", n);
    mnet_session_t session = {.peer = peer,
                              .username = username,
                              .user_agent = "0123456789012345678901234567890123456789",
                              .attributes = attributes};
    assert_int_equal(mnet_txn_begin(world->b.host->engine->store, MNET_WRITE, &txn, pool), 0);
    rv = mnet_account_note(world->b.host, txn, peer, username, attributes, NOW, pool);
    rv = rv ? rv : mnet_session_begin(world->b.host, txn, &session, NOW, &id, pool);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    apr_pool_destroy(pool);
    return rv;
}

static void fill_the_rest(const char *peer)
{
    apr_status_t rv = APR_SUCCESS;
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(world->b.host->engine->store, MNET_WRITE, &txn, world->pool),
                     0);
    while (!rv) {
        rv = mnet_user_share_take(world->b.host, txn, peer, 1, NOW, NOW + apr_time_from_sec(3600));
    }
    assert_int_equal(rv, MNET_E_SHARE);
    assert_int_equal(mnet_txn_commit(txn), 0);
}

/* A peer can make users up; those of others land all the same. */
static void test_one_peer_does_not_fill_the_store(void **state)
{
    apr_status_t rv = APR_SUCCESS;
    mnet_reply_t *reply;
    int n = 0;

    while (!rv && n < 50000) {
        rv = lands(world->a.wwwroot, n++);
    }
    assert_int_equal(rv, MNET_E_SHARE);
    assert_true(n > 30);
    fill_the_rest(world->a.wwwroot);
    assert_int_equal(lands("https://other.example", 1), 0);
    /* Nor do those whom it sent in keep anybody from being logged out. */
    for (int i = 0; i < 200; i++) {
        reply = call_texts(&world->a, &world->b, IDP("kill_child"), "user0", "");
        assert_int_equal(reply->kind, MNET_CALL_OK);
    }
}

static apr_int64_t used_by(const char *peer)
{
    mnet_share_t share;
    apr_uint64_t id;
    mnet_txn_t *txn;

    assert_int_equal(mnet_peer_id(world->b.host->engine->crypto, peer, &id), 0);
    assert_int_equal(mnet_txn_begin(world->b.host->engine->store, MNET_READ, &txn, world->pool), 0);
    assert_int_equal(mnet_share_look(txn, id, NOW, &share), 0);
    mnet_txn_abort(txn);
    return share.used;
}

/* However long it might have been: a school whose users come and go every day is not refused for
 * sessions that nobody has. */
static void test_a_session_that_ended_counts_no_more(void **state)
{
    apr_int64_t before;
    int ended;

    world->b.site->session_lifetime = apr_time_from_sec(90 * 86400);
    assert_int_equal(lands(world->a.wwwroot, 1), 0);
    assert_int_equal(mnet_sessions_end_user(world->b.host, NULL, world->a.wwwroot, "user1", NULL,
                                            &ended, world->pool),
                     0);
    assert_int_equal(ended, 1);
    before = used_by(world->a.wwwroot);
    assert_true(before > 0); /* the account stays */
    for (int i = 0; i < 300; i++) {
        assert_int_equal(lands(world->a.wwwroot, 1), 0);
        assert_int_equal(mnet_sessions_end_user(world->b.host, NULL, world->a.wwwroot, "user1",
                                                NULL, &ended, world->pool),
                         0);
    }
    assert_int_equal(used_by(world->a.wwwroot), before);
    assert_int_equal(lands(world->a.wwwroot, 1), 0);
    assert_true(used_by(world->a.wwwroot) > before);
    /* Nor is it counted twice as gone. */
    assert_int_equal(mnet_sessions_tend(world->b.host, NOW + apr_time_from_sec(7200), world->pool),
                     0);
    assert_int_equal(used_by(world->a.wwwroot), before);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_made_at_the_first_landing),
        T(test_updated_at_the_next),
        T(test_by_peer_and_name),
        T(test_of_another_site),
        T(test_usernames),
        T(test_fields_are_bounded),
        T(test_one_peer_does_not_fill_the_store),
        T(test_a_session_that_ended_counts_no_more),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
