/* SPDX-License-Identifier: Apache-2.0 */
/* MnetBackend's arguments. */
#include "service/backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <string.h>

static apr_pool_t *pool;

static int setup(void **state)
{
    return apr_pool_create(&pool, NULL);
}

static int teardown(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

/* Words between bars. */
static const char *parse(mnet_backend_options_t **options, const char *line)
{
    char *words[32], *last = NULL, *copy = apr_pstrdup(pool, line);
    int n = 0;

    for (char *word = apr_strtok(copy, "~", &last); word; word = apr_strtok(NULL, "~", &last)) {
        words[n++] = word;
    }
    return mnet_backend_parse(options, n, words, pool);
}

static mnet_backend_options_t *good(const char *line)
{
    mnet_backend_options_t *options;
    const char *problem = parse(&options, line);

    if (problem) {
        fail_msg("%s: %s", line, problem);
    }
    return options;
}

static const mnet_backend_url_t *url(const mnet_backend_options_t *options, int i)
{
    return &APR_ARRAY_IDX(options->urls, i, mnet_backend_url_t);
}

static void the_least_that_is_needed(void **state)
{
    mnet_backend_options_t *options =
        good("local/school/api.php/grade~http://127.0.0.1:8080/mnet.php");

    assert_string_equal(options->pattern, "local/school/api.php/grade");
    assert_string_equal(options->service, "local_school");
    assert_int_equal(options->format, MNET_BACKEND_XMLRPC);
    assert_int_equal(options->readonly, 0);
    assert_int_equal(options->timeout, 0);
    assert_null(options->help);
    assert_null(options->parameters);
    assert_int_equal(options->urls->nelts, 1);
    assert_string_equal(url(options, 0)->url, "http://127.0.0.1:8080/mnet.php");
    assert_string_equal(url(options, 0)->authority, "127.0.0.1:8080");
    assert_string_equal(url(options, 0)->path, "/mnet.php");
    assert_int_equal(url(options, 0)->is_plain, 0);
}

static void everything_that_can_be_said(void **state)
{
    mnet_backend_options_t *options =
        good("a/*~http://[::1]/x?y=1~unix:/run/app.sock|http://app~https://"
             "far.example~service=s~format=json~"
             "timeout=1500ms~readonly~help=It does.~signature=boolean ( string name , int n? )");

    assert_string_equal(options->service, "s");
    assert_int_equal(options->format, MNET_BACKEND_JSON);
    assert_int_equal(options->readonly, 1);
    assert_int_equal(options->timeout, apr_time_from_msec(1500));
    assert_string_equal(options->help, "It does.");
    assert_string_equal(options->returns.type, "boolean");
    assert_string_equal(options->parameters[0].name, "name");
    assert_string_equal(options->parameters[0].type, "string");
    assert_string_equal(options->parameters[1].name, "n");
    assert_null(options->parameters[2].name);
    assert_int_equal(options->required, 1);
    assert_int_equal(options->urls->nelts, 3);
    assert_string_equal(url(options, 0)->path, "/x?y=1");
    assert_string_equal(url(options, 1)->unix_socket, "/run/app.sock");
    assert_string_equal(url(options, 1)->url, "http://app");
    assert_string_equal(url(options, 1)->path, "/");
    assert_null(url(options, 2)->unix_socket);
}

static void a_method_without_parameters(void **state)
{
    mnet_backend_options_t *options = good("a/b/c/d~http://localhost~signature=int()");

    assert_non_null(options->parameters);
    assert_null(options->parameters[0].name);
    assert_int_equal(options->required, 0);
}

static void host_says_no_port_that_goes_without_saying(void **state)
{
    assert_string_equal(url(good("a/b/c/d~http://h:80/"), 0)->authority, "h");
    assert_string_equal(url(good("a/b/c/d~https://[::1]:443/"), 0)->authority, "[::1]");
    assert_string_equal(url(good("a/b/c/d~https://h:80/"), 0)->authority, "h:80");
    assert_string_equal(url(good("a/b/c/d~http://[::1]"), 0)->authority, "[::1]");
}

static void plain_http_to_another_machine_is_noted(void **state)
{
    assert_int_equal(url(good("a/b/c/d~http://app.example"), 0)->is_plain, 1);
    assert_int_equal(url(good("a/b/c/d~http://10.0.0.1:80/"), 0)->is_plain, 1);
    assert_int_equal(url(good("a/b/c/d~http://127.evil.example/"), 0)->is_plain, 1);
    assert_int_equal(url(good("a/b/c/d~https://app.example"), 0)->is_plain, 0);
    assert_int_equal(url(good("a/b/c/d~http://localhost:1"), 0)->is_plain, 0);
    assert_int_equal(url(good("a/b/c/d~unix:/a|http://app.example"), 0)->is_plain, 0);
}

static void mistakes_are_refused_with_the_mend(void **state)
{
    static const struct {
        const char *line, *says;
    } bad[] = {
        {"", "a path and a URL are needed"},
        {"a/b/c/d", "there is no URL"},
        {"nonsense~http://localhost", "is no path of a method"},
        {"a/b c~http://localhost", "is no path of a method"},
        {"a/b?*~http://localhost", "is no pattern"},
        {"system/x~http://localhost", "this server's own"},
        {"system.*~http://localhost", "this server's own"},
        {"*~http://localhost", "needs service=NAME"},
        {"a*/b/c~http://localhost", "needs service=NAME"},
        {"a/b/c/d~ftp://localhost", "neither a URL nor an option"},
        {"a/b/c/d~readonyl", "neither a URL nor an option"},
        {"a/b/c/d~http://", "is no URL with a host"},
        {"a/b/c/d~http://h:99999/", "is no URL with a host"},
        {"a/b/c/d~http://h:/", "is no URL with a host"},
        {"a/b/c/d~http://h x/", "a character that no URL has"},
        {"a/b/c/d~http://u:p@h/", "has a user in it"},
        {"a/b/c/d~http://h/#x", "has a '#'"},
        {"a/b/c/d~unix:/run/x", "no URL after the socket"},
        {"a/b/c/d~unix:run/x|http://h", "not an absolute path"},
        {"a/b/c/d~unix:/x|https://h", "does not go on with http"},
        {"a/b/c/d~http://h~format=xml", "format=xmlrpc or format=json"},
        {"a/b/c/d~http://h~timeout=0", "from 100ms to 10m"},
        {"a/b/c/d~http://h~timeout=1h", "from 100ms to 10m"},
        {"a/b/c/d~http://h~service=", "is no name of a service"},
        {"a/b/c/d~http://h~service=a b", "is no name of a service"},
        {"a/b/c/d~http://h~service=system", "is no name of a service"},
        {"a/b/c/d~http://h~readonly~readonly", "is there twice"},
        {"a/b/c/d~http://h~format=json~format=json", "is there twice"},
        {"a/b/c/d~http://h~signature=int", "as in \"signature="},
        {"a/b/c/d~http://h~signature=(int a)", "as in \"signature="},
        {"a/b/c/d~http://h~signature=int(int)", "as in \"signature="},
        {"a/b/c/d~http://h~signature=int(int a?, int b)", "as in \"signature="},
        {"a/b/c/d~http://h~signature=int(int a) x", "as in \"signature="},
        {"a/b/c/d~http://h~help=\xff", "not UTF-8"},
        {"a/b/c/d~http://1~http://2~http://3~http://4~http://5~http://6~http://7~http://8~http://9",
         "8 URLs are the most"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        mnet_backend_options_t *options;
        const char *problem = parse(&options, bad[i].line);

        if (!problem || !strstr(problem, bad[i].says)) {
            fail_msg("%s: %s", bad[i].line, problem ? problem : "taken");
        }
    }
}

static void a_socket_has_a_path_that_the_system_takes(void **state)
{
    char name[108];
    mnet_backend_options_t *options;
    const char *problem;

    memset(name, 's', sizeof(name));
    name[106] = '\0';
    options = good(apr_psprintf(pool, "a/b/c/d~unix:/%s|http://h", name));
    assert_int_equal(strlen(url(options, 0)->unix_socket), 107);
    name[106] = 's';
    name[107] = '\0';
    problem = parse(&options, apr_psprintf(pool, "a/b/c/d~unix:/%s|http://h", name));
    assert_non_null(problem);
    assert_non_null(strstr(problem, "has 108 bytes, and the system allows 107"));
}

static void sameness(void **state)
{
    static const char *const lines[] = {
        "a/b/c/d~http://h",
        "a/b/c/e~http://h",
        "a/b/c/d~http://i",
        "a/b/c/d~http://h~http://i",
        "a/b/c/d~http://h~readonly",
        "a/b/c/d~http://h~format=json",
        "a/b/c/d~http://h~timeout=5s",
        "a/b/c/d~http://h~service=x",
        "a/b/c/d~http://h~help=x",
        "a/b/c/d~http://h~signature=int()",
        "a/b/c/d~http://h~signature=int(int a)",
        "a/b/c/d~http://h~signature=int(int b)",
    };
    apr_size_t i, j, n = sizeof(lines) / sizeof(lines[0]);

    for (i = 0; i < n; i++) {
        for (j = 0; j < n; j++) {
            assert_int_equal(mnet_backend_same(good(lines[i]), good(lines[j])), i == j);
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(the_least_that_is_needed),
                                       T(everything_that_can_be_said),
                                       T(a_method_without_parameters),
                                       T(host_says_no_port_that_goes_without_saying),
                                       T(plain_http_to_another_machine_is_noted),
                                       T(mistakes_are_refused_with_the_mend),
                                       T(a_socket_has_a_path_that_the_system_takes),
                                       T(sameness)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
