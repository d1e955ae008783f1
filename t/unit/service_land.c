/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"
#include "trust/share.h"

/* A landing at b with a token of a's; the line of the log that it must have. */
static mnet_landing_t landed(mnet_landing_t landing)
{
    mnet_land(&landing, world->pool);
    if (landing.status == 303) {
        assert_non_null(landing.location);
        assert_non_null(landing.session);
        assert_null(landing.title);
    } else {
        assert_null(landing.location);
        assert_null(landing.session);
        assert_non_null(landing.title);
        assert_non_null(landing.advice);
        assert_null(strpbrk(landing.title, "<>&"));
        assert_null(strpbrk(landing.advice, "<>&"));
    }
    return landing;
}

static void refused(mnet_landing_t landing, int status, const char *id)
{
    assert_int_equal(landed(landing).status, status);
    if (!world_logged(id)) {
        fail_msg("no %s in:\n%s", id, world->lines);
    }
}

static const char *token(void)
{
    return token_for(&world->a, "alice", &world->b);
}

static mnet_landing_t good(void)
{
    return land_at(&world->b, token(), world->a.wwwroot);
}

/* --- in --- */

static void test_lands(void **state)
{
    mnet_landing_t landing = landed(good());
    const mnet_session_t *session;
    mnet_account_t *account;

    assert_int_equal(landing.status, 303);
    assert_string_equal(landing.location, "https://b.example/");
    assert_int_equal(
        mnet_session_find(world->b.host, landing.session, landing.now, &session, world->pool), 0);
    assert_string_equal(session->username, "alice");
    assert_string_equal(session->peer, world->a.wwwroot);
    assert_string_equal(mnet_attribute_find(session->attributes, "lastname"),
                        "\xc3\x85ngstr\xc3\xb6m");
    assert_int_equal(
        mnet_account_find(world->b.host, world->a.wwwroot, "alice", &account, world->pool), 0);
    assert_string_equal(mnet_attribute_find(account->attributes, "email"), "alice@example.org");
    assert_int_equal(account->landings, 1);
    assert_true(world_logged("MNET0828"));
}

/* A Mahara's answer is a reference a byte, a Moodle's are code points; names arrive whole. */
static void test_names_of_a_mahara_arrive_whole(void **state)
{
    const mnet_session_t *session;
    mnet_landing_t landing;

    world->user_agent = "Mahara";
    world->accept_charset = NULL;
    landing = landed(good());
    assert_int_equal(landing.status, 303);
    assert_int_equal(
        mnet_session_find(world->b.host, landing.session, landing.now, &session, world->pool), 0);
    assert_string_equal(mnet_attribute_find(session->attributes, "lastname"),
                        "\xc3\x85ngstr\xc3\xb6m");
}

static void test_goes_where_it_wants(void **state)
{
    mnet_landing_t landing = good();

    landing.wantsurl = "/course/view.php?id=3#top";
    assert_string_equal(landed(landing).location, "https://b.example/course/view.php?id=3#top");
}

static void test_remoteurl_goes_back(void **state)
{
    mnet_landing_t landing = good();

    landing.wantsurl = "/my";
    landing.remoteurl = "1";
    assert_string_equal(landed(landing).location, "https://a.example/my");
    landing = good();
    landing.wantsurl = "/my";
    landing.remoteurl = "0";
    assert_string_equal(landed(landing).location, "https://b.example/my");
}

static void test_replaces_the_session_of_the_cookie(void **state)
{
    const char *bob = sign_on(&world->a, "bob", &world->b);
    mnet_landing_t landing = good();

    landing.old_session = bob;
    landing = landed(landing);
    assert_int_equal(landing.status, 303);
    assert_false(has_session(&world->b, bob, apr_time_now()));
    assert_true(has_session(&world->b, landing.session, apr_time_now()));
}

static void test_two_browsers_two_sessions(void **state)
{
    const char *one = sign_on(&world->a, "alice", &world->b);
    const char *two = sign_on(&world->a, "alice", &world->b);

    assert_true(has_session(&world->b, one, apr_time_now()));
    assert_true(has_session(&world->b, two, apr_time_now()));
}

/* --- parameters --- */

static void test_bad_parameters(void **state)
{
    static const char *const tokens[] = {
        NULL,
        "",
        "a b",
        "a'b",
        "x\n",
        "\xc3\xa4",
        "0123456789012345678901234567890123456789012345678901234567890123x"};

    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        refused(land_at(&world->b, tokens[i], world->a.wwwroot), 400, "MNET0810");
    }
    refused(land_at(&world->b, "abc", NULL), 400, "MNET0811");
    refused(land_at(&world->b, "abc", ""), 400, "MNET0811");
    assert_int_equal(world->posts, 0);
}

static void test_a_bad_wantsurl_spends_no_token(void **state)
{
    mnet_landing_t landing = good();

    landing.wantsurl = "//evil.example";
    refused(landing, 400, "MNET0816");
    assert_int_equal(world->posts, 0);
    landing.wantsurl = "/fine";
    assert_int_equal(landed(landing).status, 303);
}

/* --- the provider --- */

static void test_unknown_provider(void **state)
{
    refused(land_at(&world->b, token(), "https://evil.example"), 404, "MNET0812");
    refused(land_at(&world->b, token(), "https://a.example/"), 404, "MNET0812");
    refused(land_at(&world->b, token(), "https://A.example"), 404, "MNET0812");
    disable(&world->b, world->a.wwwroot);
    refused(land_at(&world->b, token(), world->a.wwwroot), 404, "MNET0812");
}

static void test_not_subscribed(void **state)
{
    serve(&world->b, world->a.wwwroot, "sso_sp", "sso_sp");
    refused(good(), 403, "MNET0814");
}

static void test_not_published(void **state)
{
    serve(&world->b, world->a.wwwroot, "sso_idp", "sso_idp");
    refused(good(), 403, "MNET0814");
    assert_int_equal(world->posts, 0);
}

static void test_provider_without_certificate(void **state)
{
    place_t c = {.wwwroot = "https://c.example"};

    world_join(&world->b, &c, "moodle", 0);
    serve(&world->b, c.wwwroot, "sso_sp", "sso_idp");
    refused(land_at(&world->b, "abc", c.wwwroot), 403, "MNET0815");
}

static void test_refused_token(void **state)
{
    refused(land_at(&world->b, "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33", world->a.wwwroot), 403,
            "MNET0818");
}

static void test_another_browser(void **state)
{
    mnet_landing_t landing = good();

    landing.user_agent = "another";
    refused(landing, 403, "MNET0818");
}

static void test_no_user_agent(void **state)
{
    mnet_jumping_t jumping = jump_from(&world->a, "alice", world->b.wwwroot);
    mnet_landing_t landing;

    jumping.user_agent = NULL;
    mnet_jump(&jumping, world->pool);
    landing = land_at(&world->b, parameter(jumping.location, "token"), world->a.wwwroot);
    landing.user_agent = NULL;
    assert_int_equal(landed(landing).status, 303);
}

static void test_the_token_lands_once(void **state)
{
    mnet_landing_t landing = good();

    landing = landed(landing);
    assert_int_equal(landing.status, 303);
    /* Beyond the five seconds in which the same peer may repeat itself. */
    world->lines[0] = '\0';
    mnet_jump_t *jump;
    mnet_name_t name;
    mnet_txn_t *txn;

    assert_int_equal(mnet_jump_name(world->a.host, landing.token, &name), 0);
    assert_int_equal(mnet_txn_begin(world->a.engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_jump_get(world->a.host, txn, &name, &jump, world->pool), 0);
    jump->claimed -= 6 * 1000000;
    assert_int_equal(mnet_jump_put(world->a.host, txn, &name, jump, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    landing.title = landing.advice = NULL;
    refused(landing, 403, "MNET0856");
}

static void test_permission_withdrawn_there(void **state)
{
    mnet_landing_t landing = good();

    serve(&world->a, world->b.wwwroot, "sso_sp", "sso_sp");
    refused(landing, 403, "MNET0830");
    assert_non_null(strstr(world->lines, "does not publish the service sso_idp to "));
}

static void test_provider_down(void **state)
{
    mnet_landing_t landing = good();

    world->down = APR_ECONNREFUSED;
    refused(landing, 502, "MNET0821");
}

static void test_provider_hangs(void **state)
{
    mnet_landing_t landing = good();

    world->down = APR_TIMEUP;
    refused(landing, 504, "MNET0820");
}

/* From the third failure on it is not even asked: then nothing timed out. */
static void test_provider_that_hung_is_left_alone(void **state)
{
    mnet_landing_t landing = good();

    world->down = APR_TIMEUP;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(landed(landing).status, i < 3 ? 504 : 502);
    }
}

static void test_provider_answers_with_a_status(void **state)
{
    mnet_landing_t landing = good();

    world->status = 500;
    refused(landing, 502, "MNET0821");
}

static void test_provider_answers_with_rubbish(void **state)
{
    mnet_landing_t landing = good();

    world->answer = "<html><body>Error</body></html>";
    refused(landing, 502, "MNET0821");
}

static void test_provider_lost_our_key(void **state)
{
    mnet_landing_t landing = good();

    world->answer = "<?xml version=\"1.0\"?><methodResponse><fault><value><struct><member>"
                    "<name>faultCode</name><value><int>7023</int></value></member><member>"
                    "<name>faultString</name><value><string>no</string></value></member></struct>"
                    "</value></fault></methodResponse>";
    refused(landing, 502, "MNET0817");
}

static void test_too_much_at_once(void **state)
{
    mnet_landing_t landing = good();

    for (int i = 0; i < 4; i++) {
        assert_true(mnet_shared_enter(world->b.shared, MNET_GATE_OUTGOING, 4));
    }
    refused(landing, 503, "MNET0819");
}

static void test_share_of_the_provider(void **state)
{
    apr_uint64_t id;
    mnet_share_t share;
    mnet_txn_t *txn;

    assert_int_equal(mnet_peer_id(world->b.engine->crypto, world->a.wwwroot, &id), 0);
    assert_int_equal(mnet_txn_begin(world->b.host->engine->store, MNET_WRITE, &txn, world->pool),
                     0);
    assert_int_equal(mnet_share_look(txn, id, apr_time_now(), &share), 0);
    assert_int_equal(mnet_share_keep(txn, id, MNET_SHARE_USERS, share.most * 9 / 8, apr_time_now()),
                     0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    refused(good(), 503, "MNET0831");
}

static void test_denied_user(void **state)
{
    mnet_account_t *account;

    deny(&world->b, &world->a, "alice");
    refused(good(), 403, "MNET0826");
    assert_int_equal(
        mnet_account_find(world->b.host, world->a.wwwroot, "alice", &account, world->pool),
        APR_NOTFOUND);
    sign_on(&world->a, "bob", &world->b);
}

/* --- a provider that lies --- */

static mnet_value_t *lie;

static apr_status_t tell_lie(mnet_call_t *call, void *baton)
{
    call->result = lie;
    return APR_SUCCESS;
}

static const mnet_parameter_t lie_parameters[] = {{NULL}};
static const mnet_method_t liar = {IDP("user_authorise"), "sso_idp", MNET_METHOD_READS,
                                   lie_parameters,        0,         {NULL, "array", ""},
                                   "Says what it likes.", tell_lie};

static int liar_setup(void **state)
{
    int rv = world_setup(state);

    assert_int_equal(mnet_registry_add(world->registry, NULL, &liar), 0);
    serve(&world->a, world->b.wwwroot, "sso_idp sso_sp", "sso_idp sso_sp");
    serve(&world->b, world->a.wwwroot, "sso_idp sso_sp", "sso_idp sso_sp");
    lie = mnet_struct(world->pool);
    mnet_set(lie, "username", mnet_string("alice", world->pool));
    return rv;
}

static void told(const char *name, const char *value)
{
    mnet_set(lie, name, mnet_string(value, world->pool));
}

static mnet_landing_t believing(void)
{
    const char *any;

    assert_int_equal(mnet_random_hex(&any, 20, world->pool), 0);
    return land_at(&world->b, any, world->a.wwwroot);
}

/* The provider answers the same peer a second time, and PHP's answer it as often as one likes. */
static void test_the_token_lands_once_here(void **state)
{
    mnet_landing_t landing = believing();

    told("username", "alice");
    assert_int_equal(landed(landing).status, 303);
    world->lines[0] = '\0';
    landing.title = landing.advice = NULL;
    refused(landing, 403, "MNET0829");
}

static void test_username_lies(void **state)
{
    char *many = apr_pcalloc(world->pool, 10241);
    const char *const names[] = {"",
                                 " alice",
                                 "alice ",
                                 "a\nb",
                                 "a\tb",
                                 "a\x7f"
                                 "b",
                                 "a\xc2\x85"
                                 "b",
                                 "a\xe2\x80\xae"
                                 "b",
                                 "../etc",
                                 "a/b",
                                 "a\\b",
                                 "..",
                                 "a\xe2\x80\x8b"
                                 "b",
                                 "a\xc2\xa0"
                                 "b",
                                 many};

    memset(many, 'x', 10240);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        world->lines[0] = '\0';
        told("username", names[i]);
        refused(believing(), 502, "MNET0823");
    }
    many[101] = '\0';
    refused(believing(), 502, "MNET0823");
    many[100] = '\0';
    told("username", many);
    assert_int_equal(landed(believing()).status, 303);
}

static void test_username_in_any_script(void **state)
{
    static const char *const names[] = {"\xc3\x85ngstr\xc3\xb6m",
                                        "\xe5\xb1\xb1\xe7\x94\xb0",
                                        "alice@mail.example",
                                        "o'neil",
                                        "a b",
                                        "a@b@c"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        told("username", names[i]);
        assert_int_equal(landed(believing()).status, 303);
    }
}

static void test_username_of_another_site(void **state)
{
    place_t c = {.wwwroot = "https://c.example/moodle"};

    told("username", "bob@c.example/moodle");
    refused(believing(), 502, "MNET0823"); /* for its slash */
    told("username", "bob@b.example");
    refused(believing(), 502, "MNET0824"); /* our own */
    c.wwwroot = "https://c.example";
    world_join(&world->b, &c, "moodle", 0);
    world->lines[0] = '\0';
    told("username", "bob@C.example");
    refused(believing(), 502, "MNET0824");
    told("username", "bob@a.example"); /* its own */
    assert_int_equal(landed(believing()).status, 303);
    told("username", "bob@mail.c.example");
    assert_int_equal(landed(believing()).status, 303);
}

static void test_wwwroot_of_another_site(void **state)
{
    told("wwwroot", "https://c.example");
    refused(believing(), 502, "MNET0825");
    told("wwwroot", "https://a.example.evil.example");
    refused(believing(), 502, "MNET0825");
    told("wwwroot", world->a.wwwroot);
    assert_int_equal(landed(believing()).status, 303);
}

static void test_no_user_at_all(void **state)
{
    mnet_value_t *const answers[] = {mnet_boolean(0, world->pool), mnet_string("", world->pool),
                                     mnet_array(world->pool), mnet_struct(world->pool),
                                     mnet_int(7, world->pool)};

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        world->lines[0] = '\0';
        lie = answers[i];
        refused(believing(), 502, "MNET0822");
    }
    lie = mnet_struct(world->pool);
    mnet_set(lie, "username", mnet_array(world->pool));
    refused(believing(), 502, "MNET0822");
}

/* What of it is taken, and how. */
static void test_fields(void **state)
{
    const mnet_session_t *session;
    mnet_landing_t landing;
    char *many = apr_pcalloc(world->pool, 9000);

    memset(many, 'x', 8999);
    told("firstname", "Al\x01ice\r\nX-Evil: 1");
    told("lastname", many);
    told("description", "two\nlines");
    told("lang", "de_utf8");
    told("password", "secret");
    told("auth", "manual");
    told("email", "");
    mnet_set(lie, "timezone", mnet_int(99, world->pool));
    mnet_set(lie, "city", mnet_array(world->pool));
    landing = landed(believing());
    assert_int_equal(landing.status, 303);
    assert_int_equal(
        mnet_session_find(world->b.host, landing.session, landing.now, &session, world->pool), 0);
    assert_string_equal(mnet_attribute_find(session->attributes, "firstname"), "AliceX-Evil: 1");
    assert_string_equal(mnet_attribute_find(session->attributes, "description"), "two\nlines");
    assert_string_equal(mnet_attribute_find(session->attributes, "lang"), "de");
    assert_string_equal(mnet_attribute_find(session->attributes, "timezone"), "99");
    assert_null(mnet_attribute_find(session->attributes, "lastname"));
    assert_null(mnet_attribute_find(session->attributes, "password"));
    assert_null(mnet_attribute_find(session->attributes, "auth"));
    assert_null(mnet_attribute_find(session->attributes, "email"));
    assert_null(mnet_attribute_find(session->attributes, "city"));
}

static void test_chosen_fields(void **state)
{
    const mnet_session_t *session;
    mnet_landing_t landing;

    world->b.site->profile_fields = texts("email faculty");
    told("firstname", "Alice");
    told("email", "alice@example.org");
    told("faculty", "Letters");
    landing = landed(believing());
    assert_int_equal(
        mnet_session_find(world->b.host, landing.session, landing.now, &session, world->pool), 0);
    assert_int_equal(session->attributes->nelts, 2);
    assert_string_equal(mnet_attribute_find(session->attributes, "faculty"), "Letters");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
#define L(name) cmocka_unit_test_setup_teardown(name, liar_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_lands),
        T(test_names_of_a_mahara_arrive_whole),
        T(test_goes_where_it_wants),
        T(test_remoteurl_goes_back),
        T(test_replaces_the_session_of_the_cookie),
        T(test_two_browsers_two_sessions),
        T(test_bad_parameters),
        T(test_a_bad_wantsurl_spends_no_token),
        T(test_unknown_provider),
        T(test_not_subscribed),
        T(test_not_published),
        T(test_provider_without_certificate),
        T(test_refused_token),
        T(test_another_browser),
        T(test_no_user_agent),
        T(test_the_token_lands_once),

        T(test_permission_withdrawn_there),
        T(test_provider_down),
        T(test_provider_hangs),
        T(test_provider_that_hung_is_left_alone),
        T(test_provider_answers_with_a_status),
        T(test_provider_answers_with_rubbish),
        T(test_provider_lost_our_key),
        T(test_too_much_at_once),
        T(test_share_of_the_provider),
        T(test_denied_user),
        L(test_the_token_lands_once_here),
        L(test_username_lies),
        L(test_username_in_any_script),
        L(test_username_of_another_site),
        L(test_wwwroot_of_another_site),
        L(test_no_user_at_all),
        L(test_fields),
        L(test_chosen_fields),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
