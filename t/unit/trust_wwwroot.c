/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "trust/wwwroot.h"

static void test_fit_ones(void **state)
{
    static const char *const fit[] = {
        "http://moodle.test:8081",     "https://moodle.example.org",
        "https://uni.example/moodle2", "https://[2001:db8::1]:8443/m",
        "http://127.0.0.1:8081",       "https://xn--bcher-kva.example/a%20b/~x",
        "https://Moodle.Example.ORG",
    };
    fixture_t *f = *state;
    for (size_t i = 0; i < sizeof(fit) / sizeof(fit[0]); i++) {
        const char *problem = mnet_wwwroot_problem(fit[i], f->pool);
        if (problem) {
            print_error("%s\n", problem);
        }
        assert_null(problem);
    }
}

/* Each sentence names the mistake. */
static void test_mistakes(void **state)
{
    static const struct {
        const char *wwwroot, *word;
    } wrong[] = {
        {"", "empty"},
        {"moodle.example.org", "http://"},
        {"ftp://moodle.example.org", "http://"},
        {"HTTPS://moodle.example.org", "small letters"},
        {"https://", "slash"},
        {"https:///path", "host"},
        {"https://:80", "host"},
        {"https://a.example/", "write https://a.example without"},
        {"https://a.example/m//", "write https://a.example/m without"},
        {"https://user@a.example", "@"},
        {"https://user:pw@a.example", "@"},
        {"https://a.example/x@y", "@"},
        {"https://a.example?x=1", "query"},
        {"https://a.example/m#top", "fragment"},
        {"https://a.example/a b", "white space"},
        {"https://a.example/a\tb", "white space"},
        {"https://a.example/a\nb", "white space"},
        {"https://b\xc3\xbc"
         "cher.example",
         "xn--"},
        {"https://a.example/<script>", "percent-encoded"},
        {"https://a.example/\"", "percent-encoded"},
        {"https://a.example\\b", "percent-encoded"},
        {"https://a.example//b", "two slashes"},
        {"https://a.example:", "port"},
        {"https://a.example:0", "port"},
        {"https://a.example:65536", "port"},
        {"https://a.example:99999999999999999999", ""},
        {"https://a.example:80x", ""},
    };
    fixture_t *f = *state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *problem = mnet_wwwroot_problem(wrong[i].wwwroot, f->pool);
        if (!problem || !strstr(problem, wrong[i].word)) {
            print_error("'%s': %s\n", wrong[i].wwwroot, problem ? problem : "(no problem)");
        }
        assert_non_null(problem);
        assert_non_null(strstr(problem, wrong[i].word));
    }
}

static const char *of_length(fixture_t *f, size_t len, char last)
{
    char *wwwroot = apr_palloc(f->pool, len + 1);
    memset(wwwroot, 'a', len);
    memcpy(wwwroot, "https://", 8);
    wwwroot[len - 1] = last;
    wwwroot[len] = '\0';
    return wwwroot;
}

static void test_length(void **state)
{
    fixture_t *f = *state;
    assert_null(mnet_wwwroot_problem(of_length(f, 255, 'a'), f->pool));
    assert_non_null(strstr(mnet_wwwroot_problem(of_length(f, 256, 'a'), f->pool), "255"));
}

static void test_slash_as_64th_byte(void **state)
{
    fixture_t *f = *state;
    const char *at64 = apr_pstrcat(f->pool, of_length(f, 64, '/'), "m", NULL);
    const char *at63 = apr_pstrcat(f->pool, of_length(f, 63, '/'), "mm", NULL);
    const char *at65 = apr_pstrcat(f->pool, of_length(f, 65, '/'), "m", NULL);
    assert_non_null(strstr(mnet_wwwroot_problem(at64, f->pool), "64th"));
    assert_null(mnet_wwwroot_problem(at63, f->pool));
    assert_null(mnet_wwwroot_problem(at65, f->pool));
}

static void test_cn(void **state)
{
    fixture_t *f = *state;
    assert_string_equal(mnet_wwwroot_cn("https://a.example", f->pool), "https://a.example");
    assert_string_equal(mnet_wwwroot_cn(of_length(f, 70, 'a'), f->pool), of_length(f, 64, 'a'));
    assert_int_equal(strlen(mnet_wwwroot_cn(of_length(f, 64, '/'), f->pool)), 63);
}

static void test_bare_and_twin(void **state)
{
    fixture_t *f = *state;
    assert_string_equal(mnet_wwwroot_bare("https://a.example:8443/m"), "a.example:8443/m");
    assert_string_equal(mnet_wwwroot_bare("a.example"), "a.example");
    assert_string_equal(mnet_wwwroot_twin("https://a.example/m", f->pool), "http://a.example/m");
    assert_string_equal(mnet_wwwroot_twin("http://a.example/m", f->pool), "https://a.example/m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit_ones), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_length),   cmocka_unit_test(test_slash_as_64th_byte),
        cmocka_unit_test(test_cn),       cmocka_unit_test(test_bare_and_twin),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
