/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

#include "wire/json.h"

static mnet_reply_t *call(const char *method, const char *first, const char *second)
{
    return call_texts(&world->b, &world->a, method, first, second);
}

static const char *text_of(const mnet_value_t *value)
{
    return mnet_as_text(value, world->pool);
}

/* --- user_authorise: the types that peers insist on --- */

static void test_user_authorise_is_as_the_peers_expect(void **state)
{
    static const char *const strings[] = {
        "username", "email", "firstname", "lastname", "auth", "wwwroot", "session.gc_maxlifetime"};
    mnet_reply_t *reply;
    mnet_value_t *hosts;

    world->a.site->name = "Site A";
    reply = call(IDP("user_authorise"), token_for(&world->a, "alice", &world->b),
                 browser_hash(&world->b));
    assert_int_equal(reply->kind, MNET_CALL_OK);
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        const mnet_value_t *value = mnet_get(reply->value, strings[i]);

        assert_non_null(value);
        assert_int_equal(value->type, MNET_STRING);
    }
    assert_string_equal(text_of(mnet_get(reply->value, "session.gc_maxlifetime")), "28800");
    hosts = mnet_get(reply->value, "myhosts");
    assert_int_equal(hosts->type, MNET_ARRAY);
    assert_int_equal(mnet_count(hosts), 1);
    assert_string_equal(text_of(mnet_get(mnet_item(hosts, 0), "name")), "Site A");
    assert_string_equal(text_of(mnet_get(mnet_item(hosts, 0), "url")), world->a.wwwroot);
    assert_int_equal(mnet_get(mnet_item(hosts, 0), "count")->type, MNET_INT);
}

/* The others are reached by our jump page; the caller itself is not among them. */
static void test_myhosts_has_the_other_peers(void **state)
{
    place_t c = {0};
    mnet_reply_t *reply;
    const char *url;

    add_third(&world->a, &c, "https://c.example");
    reply = call(IDP("user_authorise"), token_for(&world->a, "alice", &world->b),
                 browser_hash(&world->b));
    assert_int_equal(mnet_count(mnet_get(reply->value, "myhosts")), 2);
    url = text_of(mnet_get(mnet_item(mnet_get(reply->value, "myhosts"), 1), "url"));
    assert_int_equal(strncmp(url, "https://a.example/auth/mnet/jump.php?hostid=", 44), 0);
}

/* --- keepalive_server --- */

static mnet_reply_t *keepalive(const char *usernames)
{
    apr_array_header_t *names = texts(usernames);
    mnet_value_t *list = mnet_array(world->pool);

    for (int i = 0; i < names->nelts; i++) {
        mnet_append(list, mnet_string(APR_ARRAY_IDX(names, i, const char *), world->pool));
    }
    return call_values(&world->b, &world->a, IDP("keepalive_server"), list, NULL);
}

static mnet_child_t *child_of(const char *user)
{
    apr_array_header_t *children;

    assert_int_equal(mnet_children_list(world->a.host, user, NULL, &children, world->pool), 0);
    assert_int_equal(children->nelts, 1);
    return APR_ARRAY_IDX(children, 0, mnet_child_t *);
}

static void test_keepalive_keeps_children(void **state)
{
    apr_time_t before;
    mnet_reply_t *reply;

    sign_on(&world->a, "alice", &world->b);
    before = child_of("alice")->kept;
    reply = keepalive("alice");
    assert_int_equal(reply->kind, MNET_CALL_OK);
    assert_int_equal(mnet_get(reply->value, "code")->type, MNET_INT);
    assert_int_equal(mnet_get(reply->value, "code")->integer, 0);
    assert_string_equal(text_of(mnet_get(reply->value, "message")), "All ok");
    assert_string_equal(text_of(mnet_get(reply->value, "last log id")), "0");
    assert_true(child_of("alice")->kept > before);
}

static void test_keepalive_names_the_missing(void **state)
{
    mnet_reply_t *reply;
    const char *message;

    sign_on(&world->a, "alice", &world->b);
    reply = keepalive("alice bob carol");
    assert_int_equal(mnet_get(reply->value, "code")->integer, 1);
    message = text_of(mnet_get(reply->value, "message"));
    assert_non_null(strstr(message, "bob\ncarol\n"));
    assert_null(strstr(message, "alice"));
    assert_int_equal(mnet_get(keepalive("")->value, "code")->integer, 0);
}

/* The session here, by which they came and went on, does not grow idle meanwhile. */
static void test_keepalive_is_a_use_of_our_session(void **state)
{
    apr_time_t past = apr_time_now() - 50 * MINUTE;
    const char *id = session_at(&world->a, world->b.wwwroot, "alice", past);
    mnet_jumping_t jumping = jump_from(&world->a, "alice", world->b.wwwroot);
    apr_array_header_t *list;

    assert_int_equal(
        mnet_sessions_list(world->a.host, NULL, NULL, 1, apr_time_now(), &list, world->pool), 0);
    jumping.session = APR_ARRAY_IDX(list, 0, mnet_session_t *)->key;
    mnet_jump(&jumping, world->pool);
    call(IDP("user_authorise"), parameter(jumping.location, "token"), browser_hash(&world->b));
    keepalive("alice");
    assert_true(has_session(&world->a, id, apr_time_now() + 50 * MINUTE));
}

static void test_children_not_kept_are_forgotten(void **state)
{
    apr_time_t now = apr_time_now();

    sign_on(&world->a, "alice", &world->b);
    assert_int_equal(mnet_children_tend(world->a.host, now + 7 * HOUR, world->pool), 0);
    assert_int_equal(count_children(&world->a, "alice"), 1);
    assert_int_equal(mnet_children_tend(world->a.host, now + 9 * HOUR, world->pool), 0);
    assert_int_equal(count_children(&world->a, "alice"), 0);
}

/* --- kill_children --- */

static void test_kill_children_of_the_caller_alone(void **state)
{
    mnet_reply_t *reply;

    sign_on(&world->a, "alice", &world->b);
    reply = call(IDP("kill_children"), "alice", browser_hash(&world->b));
    assert_int_equal(reply->kind, MNET_CALL_OK);
    assert_int_equal(reply->value->type, MNET_STRING);
    assert_string_equal(text_of(reply->value), "");
    assert_int_equal(count_children(&world->a, "alice"), 0);
    assert_true(world_logged("MNET0864"));
}

/* The session at c goes as well: c is called, though nothing that is sent reaches it. */
static void test_kill_children_tells_the_others(void **state)
{
    mnet_child_t child = {"https://c.example",     "alice", "alice",
                          browser_hash(&world->a), NULL,    apr_time_now(),
                          apr_time_now()};
    place_t c = {0};
    mnet_reply_t *reply;
    mnet_txn_t *txn;

    add_third(&world->a, &c, "https://c.example");
    sign_on(&world->a, "alice", &world->b);
    assert_int_equal(mnet_txn_begin(world->a.engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_child_put(world->a.host, txn, &child, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_int_equal(count_children(&world->a, "alice"), 2);
    reply = call(IDP("kill_children"), "alice", browser_hash(&world->b));
    assert_non_null(strstr(text_of(reply->value), "https://c.example"));
    assert_null(strstr(text_of(reply->value), world->b.wwwroot));
    assert_true(world_logged("MNET0860"));
    assert_int_equal(count_children(&world->a, "alice"), 0);
}

static void test_kill_children_ends_our_session(void **state)
{
    const char *id = session_at(&world->a, world->b.wwwroot, "alice", apr_time_now());
    mnet_jumping_t jumping = jump_from(&world->a, "alice", world->b.wwwroot);
    apr_array_header_t *list;

    assert_int_equal(
        mnet_sessions_list(world->a.host, NULL, NULL, 1, apr_time_now(), &list, world->pool), 0);
    jumping.session = APR_ARRAY_IDX(list, 0, mnet_session_t *)->key;
    mnet_jump(&jumping, world->pool);
    call(IDP("user_authorise"), parameter(jumping.location, "token"), browser_hash(&world->b));
    assert_true(has_session(&world->a, id, apr_time_now()));
    call(IDP("kill_children"), "alice", browser_hash(&world->b));
    assert_false(has_session(&world->a, id, apr_time_now()));
}

static void test_kill_children_of_users_who_are_not_there(void **state)
{
    mnet_child_t child = {"https://c.example", "bob",         "bob", browser_hash(&world->a), NULL,
                          apr_time_now(),      apr_time_now()};
    mnet_reply_t *reply;
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(world->a.engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_child_put(world->a.host, txn, &child, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    reply = call(IDP("kill_children"), "bob", browser_hash(&world->b));
    assert_int_equal(reply->kind, MNET_CALL_OK);
    assert_true(*text_of(reply->value) != '\0');
    assert_true(world_logged("MNET0865"));
    assert_int_equal(count_children(&world->a, "bob"), 1);
}

/* Those of that browser; without any, all of the user's. */
static void test_kill_children_by_browser(void **state)
{
    mnet_child_t child = {world->b.wwwroot, "alice",       "alice", "phone", NULL,
                          apr_time_now(),   apr_time_now()};
    mnet_txn_t *txn;

    sign_on(&world->a, "alice", &world->b);
    assert_int_equal(mnet_txn_begin(world->a.engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_child_put(world->a.host, txn, &child, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    call(IDP("kill_children"), "alice", browser_hash(&world->b));
    assert_string_equal(child_of("alice")->user_agent, "phone");
    call(IDP("kill_children"), "alice", "updated");
    assert_int_equal(count_children(&world->a, "alice"), 0);
}

/* --- the rest --- */

static void test_fetch_user_image_is_an_empty_array(void **state)
{
    mnet_reply_t *reply = call(IDP("fetch_user_image"), "alice", NULL);

    assert_int_equal(reply->value->type, MNET_ARRAY);
    assert_int_equal(mnet_count(reply->value), 0);
}

static void test_fetch_theme_info(void **state)
{
    mnet_reply_t *reply = call(IDP("fetch_theme_info"), NULL, NULL);

    assert_string_equal(text_of(mnet_get(reply->value, "themename")), "mod_mnet");
    assert_string_equal(text_of(mnet_get(reply->value, "logourl")), "");
}

static void test_refresh_log(void **state)
{
    mnet_reply_t *reply =
        call_values(&world->b, &world->a, IDP("refresh_log"), mnet_array(world->pool), NULL);

    assert_int_equal(mnet_get(reply->value, "code")->type, MNET_INT);
    assert_int_equal(mnet_get(reply->value, "code")->integer, 0);
    assert_string_equal(text_of(mnet_get(reply->value, "message")), "All ok");
}

static void test_not_published(void **state)
{
    serve(&world->a, world->b.wwwroot, "sso_sp", "sso_sp");
    assert_int_equal(call(IDP("fetch_theme_info"), NULL, NULL)->code, MNET_FAULT_PERMISSION);
}

/* --- update_enrolments --- */

static mnet_value_t *course(const char *id)
{
    mnet_value_t *value = mnet_struct(world->pool);

    mnet_set(value, "id", mnet_string(id, world->pool));
    mnet_set(value, "fullname", mnet_string("Physics", world->pool));
    return value;
}

static mnet_reply_t *enrol(const char *username, mnet_value_t *courses)
{
    return call_values(&world->b, &world->a, IDP("update_enrolments"),
                       mnet_string(username, world->pool), courses);
}

static int enrolments(void)
{
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    mnet_txn_t *txn;
    apr_status_t rv;

    mnet_name_begin(world->a.host, &name);
    assert_int_equal(mnet_name_add_digest(world->a.host, &name, world->b.wwwroot, "alice"), 0);
    assert_int_equal(mnet_txn_begin(world->a.engine->store, MNET_READ, &txn, world->pool), 0);
    rv = mnet_txn_get(txn, "enrolment", name.bytes, name.len, &data, &len);
    rv = rv ? rv : memmem(data, len, "Physics", 7) ? APR_SUCCESS : APR_EGENERAL;
    mnet_txn_abort(txn);
    return rv == APR_SUCCESS;
}

static void test_enrolments_are_kept_and_cleared(void **state)
{
    mnet_value_t *courses = mnet_array(world->pool), *keyed = mnet_struct(world->pool);
    mnet_reply_t *reply;

    sign_on(&world->a, "alice", &world->b);
    mnet_append(courses, course("12"));
    reply = enrol("alice", courses);
    assert_int_equal(reply->kind, MNET_CALL_OK);
    assert_string_equal(text_of(reply->value), "");
    assert_true(enrolments());
    reply = enrol("alice", mnet_array(world->pool));
    assert_int_equal(reply->value->type, MNET_BOOLEAN);
    assert_true(mnet_as_truth(reply->value));
    assert_false(enrolments());
    mnet_set(keyed, "15", course("15")); /* as PHP sends it */
    assert_string_equal(text_of(enrol("alice", keyed)->value), "");
    assert_true(enrolments());
}

static void test_enrolments_that_make_no_sense(void **state)
{
    mnet_value_t *courses = mnet_array(world->pool);
    mnet_reply_t *reply;

    mnet_append(courses, course("12"));
    reply = enrol("alice", courses); /* who has no session at b */
    assert_int_equal(reply->value->type, MNET_BOOLEAN);
    assert_false(mnet_as_truth(reply->value));
    sign_on(&world->a, "alice", &world->b);
    assert_false(mnet_as_truth(enrol("alice", mnet_string("x", world->pool))->value));
    courses = mnet_array(world->pool);
    mnet_append(courses, mnet_string("12", world->pool));
    assert_false(mnet_as_truth(enrol("alice", courses)->value));
    assert_false(enrolments());
    assert_true(world_logged("MNET0866"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_user_authorise_is_as_the_peers_expect),
        T(test_myhosts_has_the_other_peers),
        T(test_keepalive_keeps_children),
        T(test_keepalive_names_the_missing),
        T(test_keepalive_is_a_use_of_our_session),
        T(test_children_not_kept_are_forgotten),
        T(test_kill_children_of_the_caller_alone),
        T(test_kill_children_tells_the_others),
        T(test_kill_children_ends_our_session),
        T(test_kill_children_of_users_who_are_not_there),
        T(test_kill_children_by_browser),
        T(test_fetch_user_image_is_an_empty_array),
        T(test_fetch_theme_info),
        T(test_refresh_log),
        T(test_not_published),
        T(test_enrolments_are_kept_and_cleared),
        T(test_enrolments_that_make_no_sense),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
