/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "portfolio/location.h"

static int setup(void **state)
{
    apr_initialize();
    return apr_pool_create((apr_pool_t **)state, NULL);
}

static int teardown(void **state)
{
    apr_pool_destroy(*state);
    return 0;
}

static void test_only_below_the_wwwroot(void **state)
{
    static const char *const good[] = {"https://a.example/x", "https://a.example/m/file?id=1&b=%20",
                                       "https://a.example/..x/y..", "https://a.example/a//b"};
    static const char *const bad[] = {"https://a.example",
                                      "http://a.example/x",
                                      "https://a.example:443/x",
                                      "https://A.example/x",
                                      "https://a.example.evil/x",
                                      "https://a.example@evil/x",
                                      "https://a.example/../x",
                                      "https://a.example/x/..",
                                      "https://a.example/%2e%2E/x",
                                      "https://a.example/.%2e",
                                      "https://a.example/a%2fb",
                                      "https://a.example/a%5cb",
                                      "https://a.example/%00",
                                      "https://a.example/a b",
                                      "https://a.example/a\\b",
                                      "https://a.example/#x",
                                      "https://a.example/\xc3\xa9",
                                      "ftp://a.example/x",
                                      "//a.example/x",
                                      "/x",
                                      ""};

    for (apr_size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(mnet_location_problem("https://a.example", good[i], *state));
    }
    for (apr_size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_non_null(mnet_location_problem("https://a.example", bad[i], *state));
    }
    assert_non_null(mnet_location_problem("https://a.example/m", "https://a.example/mx/y", *state));
    assert_null(mnet_location_problem("https://a.example/m", "https://a.example/m/y", *state));
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage storage;
    struct sockaddr_in *four = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&storage;

    memset(&storage, 0, sizeof(storage));
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
        six->sin6_family = AF_INET6;
    }
    return storage;
}

static int may(const char *wwwroot, const char *endpoint, const char *caller, const char *to,
               apr_pool_t *pool)
{
    mnet_peer_facts_t *facts = mnet_peer_facts_create(wwwroot, pool);
    struct sockaddr_storage storage = address(to);

    facts->endpoint = endpoint;
    return mnet_location_may_connect(facts, caller, (struct sockaddr *)&storage, pool);
}

static void test_special_addresses(void **state)
{
    static const char *const special[] = {"0.0.0.0",
                                          "10.1.2.3",
                                          "100.64.0.1",
                                          "127.0.0.1",
                                          "169.254.169.254",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.168.1.1",
                                          "198.18.0.1",
                                          "224.0.0.1",
                                          "240.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "fe80::1",
                                          "fc00::1",
                                          "ff02::1",
                                          "::ffff:10.0.0.1",
                                          "64:ff9b::a00:1",
                                          "2002:a00:1::",
                                          "2001:db8::1",
                                          "::127.0.0.1"};
    static const char *const common[] = {"8.8.8.8",       "100.63.0.1", "172.32.0.1",
                                         "192.167.1.1",   "2a00::1",    "::ffff:8.8.8.8",
                                         "2002:808:808::"};

    for (apr_size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        struct sockaddr_storage storage = address(special[i]);

        assert_int_equal(mnet_address_is_special((struct sockaddr *)&storage), 1);
        assert_int_equal(may("https://a.example", NULL, NULL, special[i], *state), 0);
        assert_int_equal(may("https://a.example", "http://127.0.0.1:1", NULL, special[i], *state),
                         1);
    }
    for (apr_size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        assert_int_equal(may("https://a.example", NULL, NULL, common[i], *state), 1);
    }
}

static void test_where_the_peer_lives(void **state)
{
    assert_int_equal(may("http://127.0.0.1:81", NULL, NULL, "127.0.0.1", *state), 1);
    assert_int_equal(may("http://127.0.0.1:81", NULL, NULL, "127.0.0.2", *state), 0);
    assert_int_equal(may("http://[::1]:81", NULL, NULL, "::1", *state), 1);
    assert_int_equal(may("http://localhost", NULL, NULL, "127.0.0.1", *state), 1);
    assert_int_equal(may("http://localhost", NULL, NULL, "10.0.0.1", *state), 0);
    assert_int_equal(may("https://a.lan", NULL, "10.0.0.1", "10.0.0.1", *state), 1);
    assert_int_equal(may("https://a.lan", NULL, "10.0.0.1", "10.0.0.2", *state), 0);
    /* A proxy in front of us would make every peer seem to live here. */
    assert_int_equal(may("https://a.lan", NULL, "127.0.0.1", "127.0.0.1", *state), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_below_the_wwwroot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_special_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_the_peer_lives, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
