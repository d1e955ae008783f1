/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "trust/policy.h"

#define OURS "https://gw.example.org"

static mnet_site_t *full_site(fixture_t *f)
{
    static mnet_application_t defined = {"lms", "/lms/rpc/server.php", "/lms/land", "/lms/jump",
                                         NULL};
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    apr_array_header_t *applications =
        apr_array_make(f->pool, 2, sizeof(const mnet_application_t *));
    apr_hash_set(site->defined, defined.name, APR_HASH_KEY_STRING, &defined);
    APR_ARRAY_PUSH(applications, const mnet_application_t *) = &defined;
    APR_ARRAY_PUSH(applications, const mnet_application_t *) =
        mnet_application_find(NULL, "mahara");
    site->applications = applications;
    site->name = "Th\xc3\xa9 Gateway";
    site->key_bits = 4096;
    site->key_lifetime = SEC(20);
    site->key_history = 2;
    site->clock_skew = 0;
    site->replay_window = SEC(77);
    site->max_body = 5000000000LL;
    site->register_all = 1;
    site->timeout = SEC(3);
    site->failure_limit = 0;
    site->failure_period = SEC(9);
    assert_null(mnet_site_allow_plaintext(site, "192.0.2.0/24", f->pool));
    assert_null(mnet_site_allow_plaintext(site, "2001:db8::/32", f->pool));
    for (int i = 0; i < 3; i++) {
        mnet_peer_facts_t *facts =
            mnet_peer_facts_create(apr_psprintf(f->pool, "https://p%d.example", i), f->pool);
        facts->endpoint = i == 1 ? "http://127.0.0.1:1" : NULL;
        apr_hash_set(site->peers, facts->wwwroot, APR_HASH_KEY_STRING, facts);
    }
    return site;
}

static mnet_site_t *again(fixture_t *f, const mnet_site_t *site)
{
    apr_size_t len = 0;
    mnet_site_t *read = NULL;
    const void *data = mnet_site_pack(site, &len, f->pool);
    OK(mnet_site_unpack(data, len, &read, f->pool));
    return read;
}

static void test_defaults(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    assert_string_equal(site->wwwroot, OURS);
    assert_string_equal(site->name, "gw.example.org");
    assert_int_equal(site->applications->nelts, 1);
    assert_string_equal(APR_ARRAY_IDX(site->applications, 0, mnet_application_t *)->name, "moodle");
    assert_int_equal(site->key_bits, 2048);
    assert_int_equal(site->key_lifetime, SEC(365 * 86400));
    assert_int_equal(site->key_history, 6);
    assert_int_equal(site->clock_skew, SEC(900));
    assert_int_equal(site->replay_window, SEC(30 * 86400));
    assert_int_equal(site->max_body, 10 << 20);
    assert_int_equal(site->register_all, 0);
    assert_int_equal(site->timeout, SEC(30));
    assert_int_equal(site->failure_limit, 30);
    assert_int_equal(site->failure_period, SEC(60));
    assert_null(site->plaintext_from);
    assert_int_equal(apr_hash_count(site->peers), 0);
}

static void test_record_keeps_the_numbers(void **state)
{
    fixture_t *f = *state;
    const mnet_site_t *site = full_site(f), *read = again(f, site);
    assert_string_equal(read->wwwroot, site->wwwroot);
    assert_string_equal(read->name, site->name);
    assert_int_equal(read->key_bits, site->key_bits);
    assert_int_equal(read->key_lifetime, site->key_lifetime);
    assert_int_equal(read->key_history, site->key_history);
    assert_int_equal(read->clock_skew, site->clock_skew);
    assert_int_equal(read->replay_window, site->replay_window);
    assert_int_equal(read->max_body, site->max_body);
    assert_int_equal(read->register_all, site->register_all);
    assert_int_equal(read->timeout, site->timeout);
    assert_int_equal(read->failure_limit, site->failure_limit);
    assert_int_equal(read->failure_period, site->failure_period);
}

static void test_record_keeps_applications(void **state)
{
    fixture_t *f = *state;
    const mnet_site_t *read = again(f, full_site(f));
    assert_int_equal(read->applications->nelts, 2);
    const mnet_application_t *first =
        APR_ARRAY_IDX(read->applications, 0, const mnet_application_t *);
    assert_string_equal(first->name, "lms");
    assert_string_equal(first->xmlrpc, "/lms/rpc/server.php");
    assert_string_equal(first->land, "/lms/land");
    assert_string_equal(first->jump, "/lms/jump");
    assert_null(first->publickey);
    assert_ptr_equal(APR_ARRAY_IDX(read->applications, 1, const mnet_application_t *),
                     mnet_application_find(NULL, "mahara"));
}

static void test_record_keeps_plaintext_from(void **state)
{
    fixture_t *f = *state;
    const mnet_site_t *read = again(f, full_site(f));
    assert_int_equal(read->plaintext_text->nelts, 2);
    assert_true(mnet_policy_plaintext(read, "192.0.2.9", f->pool));
    assert_true(mnet_policy_plaintext(read, "2001:db8:1::2", f->pool));
    assert_false(mnet_policy_plaintext(read, "198.51.100.1", f->pool));
    assert_null(again(f, mnet_site_create(OURS, f->pool))->plaintext_from);
}

static void test_record_keeps_peers(void **state)
{
    fixture_t *f = *state;
    const mnet_site_t *read = again(f, full_site(f));
    assert_int_equal(apr_hash_count(read->peers), 3);
    const mnet_peer_facts_t *one =
        apr_hash_get(read->peers, "https://p1.example", APR_HASH_KEY_STRING);
    assert_non_null(one);
    assert_string_equal(one->endpoint, "http://127.0.0.1:1");
    assert_int_equal(one->tls, -1);
}

/* The same site has the same bytes, however its hashes happen to lie. */
static void test_record_is_stable(void **state)
{
    fixture_t *f = *state;
    apr_size_t a_len = 0, b_len = 0;
    const void *a = mnet_site_pack(full_site(f), &a_len, f->pool);
    const void *b = mnet_site_pack(again(f, full_site(f)), &b_len, f->pool);
    assert_int_equal(a_len, b_len);
    assert_memory_equal(a, b, a_len);
}

static void test_record_cut_anywhere(void **state)
{
    fixture_t *f = *state;
    apr_size_t len = 0;
    mnet_site_t *read = NULL;
    const unsigned char *data = mnet_site_pack(full_site(f), &len, f->pool);
    for (apr_size_t cut = 0; cut < len; cut++) {
        assert_int_not_equal(
            mnet_site_unpack(apr_pmemdup(f->pool, data, cut + 1), cut, &read, f->pool),
            APR_SUCCESS);
    }
}

static void test_record_of_the_future(void **state)
{
    fixture_t *f = *state;
    apr_size_t len = 0;
    mnet_site_t *read = NULL;
    unsigned char *data = (unsigned char *)mnet_site_pack(full_site(f), &len, f->pool);
    data[0] = 99;
    assert_int_equal(mnet_site_unpack(data, len, &read, f->pool), MNET_E_VERSION);
}

static void test_record_keeps_sign_on(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = full_site(f);
    const mnet_site_t *read = again(f, site);
    assert_int_equal(read->session_lifetime, SEC(8 * 3600));
    assert_int_equal(read->session_idle, SEC(3600));
    assert_int_equal(read->token_lifetime, SEC(30));
    assert_null(read->profile_fields);
    apr_array_header_t *fields = apr_array_make(f->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(fields, const char *) = "email";
    site->session_lifetime = SEC(5);
    site->session_idle = 0;
    site->token_lifetime = SEC(7);
    site->profile_fields = fields;
    read = again(f, site);
    assert_int_equal(read->session_lifetime, SEC(5));
    assert_int_equal(read->session_idle, 0);
    assert_int_equal(read->token_lifetime, SEC(7));
    assert_int_equal(read->profile_fields->nelts, 1);
    assert_string_equal(APR_ARRAY_IDX(read->profile_fields, 0, const char *), "email");
}

static void test_portfolio_and_ledger_stay(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = full_site(f);
    const mnet_site_t *read = again(f, site);
    assert_null(read->portfolio);
    assert_null(read->ledger);
    mnet_portfolio_options_t *options = mnet_portfolio_options_create("/srv/portfolio", f->pool);
    mnet_portfolio_route_t leap = {"leap2a", "http://127.0.0.1/take", 1, -3};
    apr_array_header_t *routes = apr_array_copy(f->pool, options->routes);
    mnet_ledger_options_t ledger = {"mod/school/rpclib.php", "school"};
    APR_ARRAY_PUSH(routes, const mnet_portfolio_route_t *) = &leap;
    options->routes = routes;
    options->accept = MNET_ACCEPT_QUEUE;
    options->max_size = (apr_off_t)5 << 32;
    site->portfolio = options;
    site->ledger = &ledger;
    read = again(f, site);
    assert_string_equal(read->portfolio->dir, "/srv/portfolio");
    assert_int_equal(read->portfolio->accept, MNET_ACCEPT_QUEUE);
    assert_int_equal(read->portfolio->max_size, (apr_off_t)5 << 32);
    assert_int_equal(read->portfolio->expire, SEC(7 * 86400));
    assert_int_equal(read->portfolio->interval, SEC(300));
    assert_int_equal(read->portfolio->routes->nelts, 2);
    const mnet_portfolio_route_t *last =
        APR_ARRAY_IDX(read->portfolio->routes, 1, const mnet_portfolio_route_t *);
    assert_string_equal(last->format, "leap2a");
    assert_string_equal(last->to, "http://127.0.0.1/take");
    assert_int_equal(last->is_url, 1);
    assert_int_equal(last->priority, -3);
    assert_string_equal(read->ledger->prefix, "mod/school/rpclib.php");
    assert_string_equal(read->ledger->service, "school");
}

/* One written before there was sign-on ends with the peers. */
static void test_record_of_version_one(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = full_site(f), *read = NULL;
    apr_size_t len = 0;
    unsigned char *data = (unsigned char *)mnet_site_pack(site, &len, f->pool);
    /* three times, that no fields are named, no portfolio, no ledger */
    apr_size_t tail = 3 * 8 + 8 + 4 + 2 * 4;
    data[0] = 1;
    OK(mnet_site_unpack(apr_pmemdup(f->pool, data, len - tail), len - tail, &read, f->pool));
    assert_int_equal(apr_hash_count(read->peers), 3);
    assert_int_equal(read->session_lifetime, SEC(8 * 3600));
    assert_int_equal(read->session_idle, SEC(3600));
    assert_int_equal(read->token_lifetime, SEC(30));
    assert_null(read->profile_fields);
}

static void test_key_uri(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    assert_string_equal(mnet_site_key_uri(site, f->pool), OURS "/mnet/publickey.php");
    assert_string_equal(mnet_site_key_uri(full_site(f), f->pool), OURS "/lms/rpc/publickey.php");
    apr_array_header_t *mahara = apr_array_make(f->pool, 1, sizeof(const mnet_application_t *));
    APR_ARRAY_PUSH(mahara, const mnet_application_t *) = mnet_application_find(NULL, "mahara");
    site->applications = mahara;
    assert_string_equal(mnet_site_key_uri(site, f->pool), OURS "/api/xmlrpc/publickey.php");
}

static void test_plaintext_mistakes(void **state)
{
    static const char *const wrong[] = {"",           "moodle.example.org", "192.0.2.0/33",
                                        "192.0.2.0/", "192.0.2.300",        "x:y",
                                        "all",        "192.0.2.1/x"};
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_non_null(mnet_site_allow_plaintext(site, wrong[i], f->pool));
    }
    assert_null(site->plaintext_from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_record_keeps_the_numbers),
        cmocka_unit_test(test_record_keeps_applications),
        cmocka_unit_test(test_record_keeps_plaintext_from),
        cmocka_unit_test(test_record_keeps_peers),
        cmocka_unit_test(test_record_is_stable),
        cmocka_unit_test(test_record_cut_anywhere),
        cmocka_unit_test(test_record_of_the_future),
        cmocka_unit_test(test_record_keeps_sign_on),
        cmocka_unit_test(test_portfolio_and_ledger_stay),
        cmocka_unit_test(test_record_of_version_one),
        cmocka_unit_test(test_key_uri),
        cmocka_unit_test(test_plaintext_mistakes),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
