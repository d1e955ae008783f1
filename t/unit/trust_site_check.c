/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#define OURS  "https://gw.example.org"
#define OTHER "https://moodle.example.org"

static mnet_peer_facts_t *add(mnet_site_t *site, const char *wwwroot, fixture_t *f)
{
    mnet_peer_facts_t *facts = mnet_peer_facts_create(wwwroot, f->pool);
    apr_hash_set(site->peers, facts->wwwroot, APR_HASH_KEY_STRING, facts);
    return facts;
}

static void expect(fixture_t *f, const mnet_site_t *site, const char *word)
{
    const char *problem = mnet_site_problem(site, f->crypto, f->pool);
    if (!problem || !strstr(problem, word)) {
        print_error("%s\n", problem ? problem : "(no problem)");
    }
    assert_non_null(problem);
    assert_non_null(strstr(problem, word));
}

static void test_good_site(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    add(site, "https://a.example", f);
    add(site, "https://a.example/sub", f);
    mnet_peer_facts_t *facts = add(site, OTHER, f);
    facts->application = "mahara";
    facts->certificate = fixture_pem(f, OTHER);
    assert_null(mnet_site_problem(site, f->crypto, f->pool));
}

static void test_wwwroots(void **state)
{
    fixture_t *f = *state;
    expect(f, mnet_site_create(OURS "/", f->pool), "own wwwroot");
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    add(site, "https://a.example/", f);
    expect(f, site, "ends in a slash");
}

static void test_peer_that_is_ourselves(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    add(site, OURS, f);
    expect(f, site, "itself");
    site = mnet_site_create(OURS, f->pool);
    add(site, "http://gw.example.org", f);
    expect(f, site, "itself");
}

static void test_two_that_differ_in_the_scheme(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    add(site, "https://a.example/m", f);
    add(site, "http://a.example/m", f);
    expect(f, site, "differ only in the scheme");
}

static void test_unknown_application(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    mnet_application_t sakai = {"sakai", "/x", "/l", "/j", NULL};
    add(site, OTHER, f)->application = "sakai";
    expect(f, site, "'sakai'");
    apr_hash_set(site->defined, sakai.name, APR_HASH_KEY_STRING, &sakai);
    assert_null(mnet_site_problem(site, f->crypto, f->pool));
}

static void test_certificates(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    mnet_peer_facts_t *facts = add(site, OTHER, f);
    facts->certificate = "rubbish";
    expect(f, site, "cannot be used");
    assert_null(mnet_site_problem(site, NULL, f->pool));
    facts->certificate = fixture_pem(f, "https://else.example");
    expect(f, site, "https://else.example");
}

/* As mnetctl asks, of a peer that the site does not have yet. */
static void test_peer_to_be_added(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    add(site, OTHER, f);
    mnet_peer_facts_t *twin = mnet_peer_facts_create("http://moodle.example.org", f->pool);
    mnet_peer_facts_t *fit = mnet_peer_facts_create("https://new.example", f->pool);
    assert_non_null(strstr(mnet_peer_problem(site, twin, NULL, f->pool), "scheme"));
    assert_null(mnet_peer_problem(site, fit, NULL, f->pool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_site),
        cmocka_unit_test(test_wwwroots),
        cmocka_unit_test(test_peer_that_is_ourselves),
        cmocka_unit_test(test_two_that_differ_in_the_scheme),
        cmocka_unit_test(test_unknown_application),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_peer_to_be_added),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
