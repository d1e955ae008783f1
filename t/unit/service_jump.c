/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

static mnet_jumping_t jumped(mnet_jumping_t jumping)
{
    mnet_jump(&jumping, world->pool);
    if (jumping.status == 303) {
        assert_non_null(jumping.location);
        assert_null(jumping.title);
    } else {
        assert_null(jumping.location);
        assert_non_null(jumping.title);
        assert_non_null(jumping.advice);
    }
    return jumping;
}

static void refused(mnet_jumping_t jumping, int status, const char *id)
{
    assert_int_equal(jumped(jumping).status, status);
    if (!world_logged(id)) {
        fail_msg("no %s in:\n%s", id, world->lines);
    }
}

static mnet_jumping_t good(void)
{
    return jump_from(&world->a, "alice", world->b.wwwroot);
}

static void test_jumps(void **state)
{
    mnet_jumping_t jumping = jumped(good());
    const char *token = parameter(jumping.location, "token");

    assert_int_equal(jumping.status, 303);
    assert_int_equal(strncmp(jumping.location, "https://b.example/auth/mnet/land.php?", 37), 0);
    assert_int_equal(strlen(token), 40);
    assert_int_equal(strspn(token, "0123456789abcdef"), 40);
    assert_string_equal(parameter(jumping.location, "idp"), world->a.wwwroot);
    assert_string_equal(parameter(jumping.location, "wantsurl"), "/");
    assert_null(parameter(jumping.location, "remoteurl"));
    assert_null(strstr(world->lines, token));
}

static void test_tokens_differ(void **state)
{
    assert_string_not_equal(token_for(&world->a, "alice", &world->b),
                            token_for(&world->a, "alice", &world->b));
}

static void test_wantsurl_goes_along(void **state)
{
    mnet_jumping_t jumping = good();

    jumping.wantsurl = "/course/view.php?id=3&x=a b#top";
    jumping = jumped(jumping);
    assert_string_equal(parameter(jumping.location, "wantsurl"),
                        "/course/view.php?id=3&x=a%20b#top");
    assert_null(strchr(jumping.location, '#'));
    assert_null(strchr(jumping.location, ' '));
}

static void test_bad_wantsurl(void **state)
{
    mnet_jumping_t jumping = good();

    jumping.wantsurl = "//evil.example";
    refused(jumping, 400, "MNET0848");
}

/* As both products name a peer, whatever slashes they add. */
static void test_ways_to_name_the_peer(void **state)
{
    static const char *const names[] = {"https://b.example", "https://b.example/",
                                        "https://b.example//", "b.example", "b.example/"};
    mnet_jumping_t jumping;
    char id[20];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        jumping = good();
        jumping.hostwwwroot = names[i];
        assert_int_equal(jumped(jumping).status, 303);
    }
    jumping = good();
    jumping.hostwwwroot = NULL;
    jumping.wr = "https://b.example/";
    assert_int_equal(jumped(jumping).status, 303);
    apr_snprintf(id, sizeof(id), "%d", mnet_jump_hostid(world_peer(&world->a, &world->b)));
    jumping = good();
    jumping.hostwwwroot = NULL;
    jumping.hostid = id;
    assert_int_equal(jumped(jumping).status, 303);
}

static apr_status_t say_nothing(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    mnet_peer_facts_t *facts = mnet_peer_facts_merge(NULL, state->facts, pool);

    facts->application = NULL;
    state->facts = facts;
    return APR_SUCCESS;
}

/* One of which nothing is said may be a site of our kind as well. */
static void test_a_capital_letter_goes_where_no_moodle_is_known(void **state)
{
    mnet_jumping_t jumping = good();

    jumping.username = "Alice";
    refused(jumping, 403, "MNET0858");
    assert_int_equal(
        mnet_peers_change(world->a.host->peers, world->b.wwwroot, say_nothing, NULL, world->pool),
        0);
    assert_int_equal(jumped(jumping).status, 303);
    assert_true(world_logged("MNET0859"));
}

static void test_no_such_peer(void **state)
{
    static const char *const ids[] = {"0", "-1", "7", "99999999999999999999", "1x", "x"};
    mnet_jumping_t jumping = good();

    jumping.hostwwwroot = NULL;
    refused(jumping, 400, "MNET0843");
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        world->lines[0] = '\0';
        jumping.hostid = ids[i];
        refused(jumping, 404, "MNET0844");
    }
    jumping.hostid = NULL;
    jumping.hostwwwroot = "https://evil.example";
    refused(jumping, 404, "MNET0844");
    jumping.hostwwwroot = "http://b.example"; /* the other scheme is another site */
    assert_int_equal(jumped(jumping).status, 404);
    jumping.hostwwwroot = "///";
    assert_int_equal(jumped(jumping).status, 404);
    jumping.hostwwwroot = world->b.wwwroot;
    disable(&world->a, world->b.wwwroot);
    assert_int_equal(jumped(jumping).status, 404);
}

static void test_permission(void **state)
{
    serve(&world->a, world->b.wwwroot, "sso_sp", "sso_idp sso_sp");
    refused(good(), 403, "MNET0846");
    world->lines[0] = '\0';
    serve(&world->a, world->b.wwwroot, "sso_idp sso_sp", "sso_idp");
    refused(good(), 403, "MNET0846");
}

static void test_no_certificate(void **state)
{
    place_t c = {.wwwroot = "https://c.example"};
    mnet_jumping_t jumping = good();

    world_join(&world->a, &c, "moodle", 0);
    serve(&world->a, c.wwwroot, "sso_idp", "sso_sp");
    jumping.hostwwwroot = c.wwwroot;
    refused(jumping, 403, "MNET0847");
}

static void test_nobody(void **state)
{
    mnet_jumping_t jumping = good();

    jumping.username = NULL;
    refused(jumping, 403, "MNET0840");
    jumping.username = "";
    refused(jumping, 403, "MNET0840");
}

static void test_a_user_of_another_peer(void **state)
{
    mnet_jumping_t jumping = good();

    jumping.from = "https://c.example";
    refused(jumping, 403, "MNET0841");
    jumping.from_allowed = 1;
    assert_int_equal(jumped(jumping).status, 303);
}

static void test_missing_attributes_are_named(void **state)
{
    static const char *const needed[] = {"firstname", "lastname", "email"};

    for (int left_out = 0; left_out < 3; left_out++) {
        mnet_jumping_t jumping = good();
        apr_array_header_t *list = apr_array_make(world->pool, 3, sizeof(mnet_attribute_t));

        for (int i = 0; i < 3; i++) {
            attribute(list, needed[i], i == left_out ? "  " : "x");
        }
        world->lines[0] = '\0';
        jumping.attributes = list;
        jumping = jumped(jumping);
        assert_int_equal(jumping.status, 403);
        assert_true(world_logged("MNET0849"));
        assert_non_null(strstr(jumping.advice,
                               apr_psprintf(world->pool, "MnetAttribute %s \"", needed[left_out])));
        assert_null(strstr(jumping.advice, apr_psprintf(world->pool, "MnetAttribute %s \"",
                                                        needed[(left_out + 1) % 3])));
    }
}

static void test_no_attributes_at_all(void **state)
{
    mnet_jumping_t jumping = good();

    jumping.attributes = NULL;
    jumping = jumped(jumping);
    assert_int_equal(jumping.status, 403);
    assert_non_null(strstr(jumping.advice, "firstname, lastname, email"));
}

static void test_another_name_for_peers(void **state)
{
    mnet_jumping_t jumping = good();
    apr_array_header_t *list = profile();
    const mnet_session_t *session;
    mnet_landing_t landing;

    attribute(list, "username", "al");
    jumping.attributes = list;
    landing = land_at(&world->b, parameter(jumped(jumping).location, "token"), world->a.wwwroot);
    mnet_land(&landing, world->pool);
    assert_int_equal(
        mnet_session_find(world->b.host, landing.session, landing.now, &session, world->pool), 0);
    assert_string_equal(session->username, "al");
    assert_int_equal(count_children(&world->a, "alice"), 1);
    assert_int_equal(count_children(&world->a, "al"), 0);
}

static void test_a_name_no_peer_takes(void **state)
{
    mnet_jumping_t jumping = good();

    jumping.username = "alice@c.example/moodle";
    refused(jumping, 403, "MNET0842");
}

/* What the configuration says is never more than attributes. */
static void test_reserved_attributes_do_not_go(void **state)
{
    mnet_jumping_t jumping = good();
    apr_array_header_t *list = profile();
    mnet_reply_t *reply;

    attribute(list, "auth", "manual");
    attribute(list, "wwwroot", "https://evil.example");
    attribute(list, "bad name", "x");
    attribute(list, "city", "\xff");
    attribute(list, "country", "GB");
    jumping.attributes = list;
    reply = call_texts(&world->b, &world->a, IDP("user_authorise"),
                       parameter(jumped(jumping).location, "token"), browser_hash(&world->b));
    assert_int_equal(reply->kind, MNET_CALL_OK);
    assert_string_equal(mnet_as_text(mnet_get(reply->value, "auth"), world->pool), "mnet");
    assert_string_equal(mnet_as_text(mnet_get(reply->value, "wwwroot"), world->pool),
                        world->a.wwwroot);
    assert_string_equal(mnet_as_text(mnet_get(reply->value, "country"), world->pool), "GB");
    assert_null(mnet_get(reply->value, "bad name"));
    assert_null(mnet_get(reply->value, "city"));
}

static const char *repeated(const char *text, int times)
{
    const char *all = "";

    while (times--) {
        all = apr_pstrcat(world->pool, all, text, NULL);
    }
    return all;
}

/* What the peer is told of a user who jumps with these attributes. */
static const mnet_value_t *told_of(const apr_array_header_t *attributes)
{
    mnet_jumping_t jumping = good();
    mnet_reply_t *reply;

    jumping.attributes = attributes;
    jumping = jumped(jumping);
    assert_int_equal(jumping.status, 303);
    reply = call_texts(&world->b, &world->a, IDP("user_authorise"),
                       parameter(jumping.location, "token"), browser_hash(&world->b));
    assert_int_equal(reply->kind, MNET_CALL_OK);
    return reply->value;
}

static const char *text_of(const mnet_value_t *value, const char *name)
{
    return mnet_as_text(mnet_get(value, name), world->pool);
}

/* A Moodle would refuse the whole user for one value too long, in characters, for its column. */
static void test_what_does_not_fit_stays_here(void **state)
{
    static const struct {
        const char *name;
        const char *fits, *not ; /* a character and its times */
        int times;
    } one[] = {{"city", "\xe6\xbc\xa2", "x", 120},
               {"lang", "x", "x", 30},
               {"timezone", "x", "x", 100},
               {"phone1", "1", "1", 20},
               {"phone2", "1", "1", 20},
               {"idnumber", "1", "1", 255},
               {"institution", "\xc3\xa9", "x", 255},
               {"department", "x", "x", 255},
               {"address", "\xf0\x9f\x98\x80", "x", 255}};

    for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++) {
        apr_array_header_t *list = profile();
        const char *fits = repeated(one[i].fits, one[i].times);

        attribute(list, one[i].name, fits);
        world->lines[0] = '\0';
        assert_string_equal(text_of(told_of(list), one[i].name), fits);
        assert_false(world_logged("MNET0878"));
        list = profile();
        attribute(list, one[i].name, repeated(one[i].not, one[i].times + 1));
        assert_null(mnet_get(told_of(list), one[i].name));
        assert_non_null(
            strstr(world->lines, apr_pstrcat(world->pool, "left out: ", one[i].name, ";", NULL)));
    }
}

static void test_a_country_is_two_letters(void **state)
{
    static const char *const wrong[] = {"Switzerland", "C", "4x", "\xc3\xa9", "CHE"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        apr_array_header_t *list = profile();

        attribute(list, "country", wrong[i]);
        attribute(list, "description", repeated("long ", 1000));
        world->lines[0] = '\0';
        assert_null(mnet_get(told_of(list), "country"));
        assert_non_null(strstr(world->lines, "left out: country; cut: nothing"));
    }
}

/* Better a user with the beginning of a name than none. */
static void test_long_names_are_cut(void **state)
{
    apr_array_header_t *list = apr_array_make(world->pool, 4, sizeof(mnet_attribute_t));
    const mnet_value_t *user;

    attribute(list, "firstname", repeated("\xe6\xbc\xa2", 101));
    attribute(list, "lastname", repeated("\xc3\xa9", 100));
    attribute(list, "email", "alice@example.org");
    attribute(list, "alternatename", repeated("a", 300));
    user = told_of(list);
    assert_string_equal(text_of(user, "firstname"), repeated("\xe6\xbc\xa2", 100));
    assert_string_equal(text_of(user, "lastname"), repeated("\xc3\xa9", 100));
    assert_string_equal(text_of(user, "alternatename"), repeated("a", 255));
    assert_non_null(strstr(world->lines, "left out: nothing; cut: firstname, alternatename"));
}

static void test_a_long_address_is_refused_here(void **state)
{
    mnet_jumping_t jumping = good();
    apr_array_header_t *list = profile();

    APR_ARRAY_IDX(list, 2, mnet_attribute_t).value =
        apr_pstrcat(world->pool, repeated("a", 88), "@example.org", NULL);
    assert_non_null(told_of(list));
    APR_ARRAY_IDX(list, 2, mnet_attribute_t).value =
        apr_pstrcat(world->pool, repeated("a", 89), "@example.org", NULL);
    jumping.attributes = list;
    jumping = jumped(jumping);
    assert_int_equal(jumping.status, 403);
    assert_true(world_logged("MNET0879"));
    assert_false(world_logged("MNET0849"));
    assert_non_null(strstr(jumping.advice, "MnetAttribute email \""));
}

/* The oldest tokens of a user go, and nobody else's. */
static void test_tokens_do_not_pile_up(void **state)
{
    const char *bobs = token_for(&world->a, "bob", &world->b);
    const char *first = token_for(&world->a, "alice", &world->b), *last = NULL;
    mnet_landing_t landing;

    for (int i = 0; i < MNET_JUMPS_MAX; i++) {
        last = token_for(&world->a, "alice", &world->b);
    }
    landing = land_at(&world->b, first, world->a.wwwroot);
    mnet_land(&landing, world->pool);
    assert_int_equal(landing.status, 403);
    landing = land_at(&world->b, last, world->a.wwwroot);
    mnet_land(&landing, world->pool);
    assert_int_equal(landing.status, 303);
    landing = land_at(&world->b, bobs, world->a.wwwroot);
    mnet_land(&landing, world->pool);
    assert_int_equal(landing.status, 303);
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

    assert_int_equal(mnet_txn_begin(world->a.engine->store, MNET_READ, &txn, world->pool), 0);
    assert_int_equal(mnet_txn_each(txn, group, NULL, 0, NULL, 0, count_one, &count), 0);
    mnet_txn_abort(txn);
    return count;
}

static void test_old_tokens_are_swept_away(void **state)
{
    apr_time_t now = apr_time_now();

    token_for(&world->a, "alice", &world->b);
    assert_int_equal(mnet_jumps_tend(world->a.host, now + 30 * 1000000, world->pool), 0);
    assert_int_equal(records("jump"), 1);
    assert_int_equal(mnet_jumps_tend(world->a.host, now + 40 * 1000000, world->pool), 0);
    assert_int_equal(records("jump"), 0);
    assert_int_equal(records("jump-user"), 0);
}

static void test_peers_to_jump_to(void **state)
{
    place_t c = {.wwwroot = "https://c.example"};
    apr_array_header_t *peers;

    world_join(&world->a, &c, "moodle", 0);
    serve(&world->a, c.wwwroot, "sso_idp", "sso_sp"); /* without a certificate */
    assert_int_equal(mnet_jump_peers(world->a.host, &peers, world->pool), 0);
    assert_int_equal(peers->nelts, 1);
    assert_string_equal(APR_ARRAY_IDX(peers, 0, const mnet_peer_t *)->facts->wwwroot,
                        world->b.wwwroot);
    serve(&world->a, world->b.wwwroot, "sso_idp", "sso_idp");
    assert_int_equal(mnet_jump_peers(world->a.host, &peers, world->pool), 0);
    assert_int_equal(peers->nelts, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_jumps),
        T(test_tokens_differ),
        T(test_wantsurl_goes_along),
        T(test_bad_wantsurl),
        T(test_ways_to_name_the_peer),
        T(test_a_capital_letter_goes_where_no_moodle_is_known),
        T(test_no_such_peer),
        T(test_permission),
        T(test_no_certificate),
        T(test_nobody),
        T(test_a_user_of_another_peer),
        T(test_missing_attributes_are_named),
        T(test_no_attributes_at_all),
        T(test_another_name_for_peers),
        T(test_a_name_no_peer_takes),
        T(test_reserved_attributes_do_not_go),
        T(test_what_does_not_fit_stays_here),
        T(test_a_country_is_two_letters),
        T(test_long_names_are_cut),
        T(test_a_long_address_is_refused_here),
        T(test_tokens_do_not_pile_up),
        T(test_old_tokens_are_swept_away),
        T(test_peers_to_jump_to),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
