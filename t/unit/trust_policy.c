/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "trust/policy.h"

static mnet_peer_t *peer_of(fixture_t *f, const char *application)
{
    mnet_peer_t *peer = apr_pcalloc(f->pool, sizeof(*peer));
    peer->facts = mnet_peer_facts_create("https://p.example", f->pool);
    peer->state = apr_pcalloc(f->pool, sizeof(*peer->state));
    peer->application = mnet_application_find(NULL, application);
    return peer;
}

static mnet_peer_facts_t *facts_of(mnet_peer_t *peer)
{
    return (mnet_peer_facts_t *)peer->facts;
}

static void subscribe(fixture_t *f, mnet_peer_t *peer, const char *service, const char *pattern,
                      const char *pattern2)
{
    apr_array_header_t *list = facts_of(peer)->subscribe
                                   ? apr_array_copy(f->pool, peer->facts->subscribe)
                                   : apr_array_make(f->pool, 2, sizeof(mnet_subscription_t));
    mnet_subscription_t *one = apr_array_push(list);
    apr_array_header_t *patterns = apr_array_make(f->pool, 2, sizeof(const char *));
    one->service = service;
    if (pattern) {
        APR_ARRAY_PUSH(patterns, const char *) = pattern;
    }
    if (pattern2) {
        APR_ARRAY_PUSH(patterns, const char *) = pattern2;
    }
    one->patterns = pattern ? patterns : NULL;
    facts_of(peer)->subscribe = list;
}

static void test_publishes(void **state)
{
    fixture_t *f = *state;
    mnet_peer_t *peer = peer_of(f, "moodle");
    apr_array_header_t *publish = apr_array_make(f->pool, 2, sizeof(const char *));
    assert_false(mnet_policy_publishes(peer, "pf"));
    APR_ARRAY_PUSH(publish, const char *) = "sso_idp";
    APR_ARRAY_PUSH(publish, const char *) = "pf";
    facts_of(peer)->publish = publish;
    assert_true(mnet_policy_publishes(peer, "pf"));
    assert_true(mnet_policy_publishes(peer, "sso_idp"));
    assert_false(mnet_policy_publishes(peer, "sso_sp"));
    assert_false(mnet_policy_publishes(peer, "p"));
    assert_false(mnet_policy_publishes(peer, "PF"));
    assert_false(mnet_policy_publishes(peer, NULL));
}

static void test_subscribes(void **state)
{
    fixture_t *f = *state;
    mnet_peer_t *peer = peer_of(f, "moodle");
    assert_false(mnet_policy_subscribes(peer, "sso_sp"));
    subscribe(f, peer, "sso_sp", NULL, NULL);
    subscribe(f, peer, "own", "own/*", NULL);
    assert_true(mnet_policy_subscribes(peer, "sso_sp"));
    assert_true(mnet_policy_subscribes(peer, "own"));
    assert_false(mnet_policy_subscribes(peer, "sso_idp"));
    assert_false(mnet_policy_subscribes(peer, NULL));
}

static void test_system_may_always_be_called(void **state)
{
    fixture_t *f = *state;
    mnet_peer_t *peer = peer_of(f, "moodle");
    assert_true(mnet_policy_may_call(peer, "system/listServices", NULL));
    assert_true(mnet_policy_may_call(peer, "system.listServices", NULL));
    assert_false(mnet_policy_may_call(peer, "systematic/x", NULL));
    assert_false(mnet_policy_may_call(peer, "auth/mnet/auth.php/user_authorise", NULL));
}

static void test_may_call_known(void **state)
{
    fixture_t *f = *state;
    mnet_peer_t *peer = peer_of(f, "moodle");
    subscribe(f, peer, "sso_idp", NULL, NULL);
    assert_true(mnet_policy_may_call(peer, "auth/mnet/auth.php/user_authorise", "sso_idp"));
    assert_false(mnet_policy_may_call(peer, "auth/mnet/auth.php/kill_child", "sso_sp"));
    assert_false(mnet_policy_may_call(peer, "auth/mnet/auth.php/user_authorise", NULL));
}

static void test_may_call_learnt(void **state)
{
    fixture_t *f = *state;
    mnet_peer_t *peer = peer_of(f, "moodle");
    ((mnet_peer_state_t *)peer->state)->methods = "own a/b/c\nother a/b/d\nown a/b/last";
    subscribe(f, peer, "own", NULL, NULL);
    assert_true(mnet_policy_may_call(peer, "a/b/c", NULL));
    assert_true(mnet_policy_may_call(peer, "a/b/last", NULL));
    assert_false(mnet_policy_may_call(peer, "a/b/d", NULL));
    assert_false(mnet_policy_may_call(peer, "a/b", NULL));
    assert_false(mnet_policy_may_call(peer, "a/b/cc", NULL));
    assert_false(mnet_policy_may_call(peer, "own a/b/c", NULL));
    assert_false(mnet_policy_may_call(peer, "", NULL));
}

static void test_may_call_by_pattern(void **state)
{
    fixture_t *f = *state;
    mnet_peer_t *peer = peer_of(f, "moodle");
    subscribe(f, peer, "own", "local/x/*", "mod/?/y");
    assert_true(mnet_policy_may_call(peer, "local/x/lib.php/f", NULL));
    assert_true(mnet_policy_may_call(peer, "mod/a/y", NULL));
    assert_false(mnet_policy_may_call(peer, "mod/ab/y", NULL));
    assert_false(mnet_policy_may_call(peer, "local/y/lib.php/f", NULL));
}

static void test_users(void **state)
{
    static const mnet_access_t rules[] = {{0, "guest"}, {1, "ann"}, {0, "*"}, {1, "late"}};
    fixture_t *f = *state;
    mnet_peer_t *peer = peer_of(f, "moodle");
    assert_true(mnet_policy_user(peer, "anybody"));
    apr_array_header_t *access = apr_array_make(f->pool, 4, sizeof(mnet_access_t));
    APR_ARRAY_PUSH(access, mnet_access_t) = rules[0];
    facts_of(peer)->access = access;
    assert_false(mnet_policy_user(peer, "guest"));
    assert_true(mnet_policy_user(peer, "Guest"));
    assert_true(mnet_policy_user(peer, "ann"));
    for (int i = 1; i < 4; i++) {
        APR_ARRAY_PUSH(access, mnet_access_t) = rules[i];
    }
    assert_true(mnet_policy_user(peer, "ann"));
    assert_false(mnet_policy_user(peer, "bob"));
    assert_false(mnet_policy_user(peer, "late"));
    assert_false(mnet_policy_user(peer, NULL));
}

static void test_plaintext(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create("https://gw.example.org", f->pool);
    assert_false(mnet_policy_plaintext(site, "127.0.0.1", f->pool));
    assert_null(mnet_site_allow_plaintext(site, "10.0.0.0/8", f->pool));
    assert_null(mnet_site_allow_plaintext(site, "127.0.0.1", f->pool));
    assert_null(mnet_site_allow_plaintext(site, "2001:db8::/32", f->pool));
    assert_true(mnet_policy_plaintext(site, "10.255.0.1", f->pool));
    assert_true(mnet_policy_plaintext(site, "127.0.0.1", f->pool));
    assert_true(mnet_policy_plaintext(site, "::ffff:10.1.2.3", f->pool));
    assert_true(mnet_policy_plaintext(site, "2001:db8:5::1", f->pool));
    assert_false(mnet_policy_plaintext(site, "11.0.0.1", f->pool));
    assert_false(mnet_policy_plaintext(site, "127.0.0.2", f->pool));
    assert_false(mnet_policy_plaintext(site, "2001:db9::1", f->pool));
    assert_false(mnet_policy_plaintext(site, "localhost", f->pool));
    assert_false(mnet_policy_plaintext(site, "", f->pool));
    assert_false(mnet_policy_plaintext(site, NULL, f->pool));
}

#define U MNET_CHARSET_UTF8
#define B MNET_CHARSET_BYTES

static void test_charset_out(void **state)
{
    static const struct {
        const char *application;
        int said;
        const char *agent, *accept;
        mnet_charset_e expected;
    } table[] = {
        {"moodle", -1, "Moodle", NULL, B}, /* up to 4.0 */
        {"moodle", -1, "Moodle", "UTF-8,ISO-8859-1,US-ASCII", U},
        {"moodle", -1, "MoodleBot/1.0", "UTF-8", U},
        {"moodle", -1, "Python-xmlrpc/3.11", NULL, U},
        {"moodle", -1, NULL, NULL, U},
        {"mahara", -1, "Mahara", NULL, B},
        {"mahara", -1, "Moodle", NULL, B}, /* its keyswap */
        {"mahara", -1, NULL, NULL, B},
        {"mahara", -1, "curl/8", NULL, B},
        {"moodle", -1, "Mahara", NULL, B}, /* registered as the wrong kind */
        {"moodle", -1, "Moodle", "", B},
        {"mahara", MNET_PEER_CHARSET_AUTO, "Mahara", NULL, B},
        {"mahara", MNET_PEER_CHARSET_UTF8, "Mahara", NULL, U},
        {"moodle", MNET_PEER_CHARSET_BYTES, "Moodle", "UTF-8", B},
    };
    fixture_t *f = *state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        mnet_peer_t *peer = peer_of(f, table[i].application);
        facts_of(peer)->charset = table[i].said;
        mnet_charset_e is = mnet_policy_charset_out(peer, table[i].agent, table[i].accept);
        if (is != table[i].expected) {
            print_error("row %d\n", (int)i);
        }
        assert_int_equal(is, table[i].expected);
    }
}

static void test_charset_in(void **state)
{
    static const struct {
        const char *application;
        int said;
        const char *agent;
        int response;
        mnet_charset_e expected;
    } table[] = {
        {"moodle", -1, "Moodle", 0, U},
        {"moodle", -1, NULL, 0, U},
        {"moodle", -1, "Mahara", 0, B},
        {"mahara", -1, "Mahara", 0, B},
        {"mahara", -1, "Moodle", 0, U},
        {"mahara", -1, NULL, 0, B},
        {"moodle", -1, NULL, 1, B},
        {"mahara", -1, NULL, 1, B},
        {"moodle", MNET_PEER_CHARSET_AUTO, NULL, 1, B},
        {"moodle", MNET_PEER_CHARSET_UTF8, NULL, 1, U},
        {"moodle", MNET_PEER_CHARSET_UTF8, "Moodle", 0, U},
        /* of 2023: it reads UTF-8, and writes what it always wrote */
        {"mahara", MNET_PEER_CHARSET_UTF8, "Mahara", 0, B},
        {"mahara", MNET_PEER_CHARSET_UTF8, NULL, 0, B},
        {"mahara", MNET_PEER_CHARSET_UTF8, NULL, 1, B},
        {"moodle", MNET_PEER_CHARSET_UTF8, "Mahara", 0, B}, /* registered as the wrong kind */
        {"mahara", MNET_PEER_CHARSET_UTF8, "Other/1", 0, U},
        {"moodle", MNET_PEER_CHARSET_BYTES, "Moodle", 0, B},
    };
    fixture_t *f = *state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        mnet_peer_t *peer = peer_of(f, table[i].application);
        facts_of(peer)->charset = table[i].said;
        mnet_charset_e is = mnet_policy_charset_in(peer, table[i].agent, table[i].response);
        if (is != table[i].expected) {
            print_error("row %d\n", (int)i);
        }
        assert_int_equal(is, table[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publishes),
        cmocka_unit_test(test_subscribes),
        cmocka_unit_test(test_system_may_always_be_called),
        cmocka_unit_test(test_may_call_known),
        cmocka_unit_test(test_may_call_learnt),
        cmocka_unit_test(test_may_call_by_pattern),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_plaintext),
        cmocka_unit_test(test_charset_out),
        cmocka_unit_test(test_charset_in),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
