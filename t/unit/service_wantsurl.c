/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

#include <stdio.h>

#define ROOT "https://gw.example"

/* "\xNN" in place; any other back-slash is one. */
static void unescape(char *text)
{
    char *to = text;

    for (; *text; text++) {
        unsigned int code;

        if (text[0] == '\\' && text[1] == 'x' && sscanf(text + 2, "%2x", &code) == 1) {
            *to++ = (char)code;
            text += 3;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

/* Whatever comes of it stays below the wwwroot, in the eyes of browsers as of servers. */
static void is_safe(const char *path, const char *line)
{
    if (path[0] != '/' || path[1] == '/' || path[1] == '\\') {
        fail_msg("\"%s\" gives %s", line, path);
    }
    for (const char *at = path; *at; at++) {
        if (*at <= 0x20 || *at >= 0x7F || strchr("\\<>\"", *at)) {
            fail_msg("\"%s\" gives %s", line, path);
        }
    }
}

static void test_redirects(void **state)
{
    const char *dir = getenv("MNET_DATA");
    FILE *in = fopen(apr_pstrcat(world->pool, dir ? dir : "t/data", "/redirects.txt", NULL), "r");
    char line[1000];
    int count = 0;

    assert_non_null(in);
    while (fgets(line, sizeof(line), in)) {
        char *sent = strchr(line, '\t');
        const char *shown, *path;

        line[strcspn(line, "\n")] = '\0';
        if (!sent) {
            assert_int_equal(line[0], '#');
            continue;
        }
        *sent++ = '\0';
        shown = apr_pstrdup(world->pool, sent);
        /* A zero byte ends the text before it comes to us, as it does in httpd. */
        if (strstr(sent, "\\x00")) {
            continue;
        }
        unescape(sent);
        path = mnet_wants_path(sent, ROOT, world->pool);
        if (path) {
            is_safe(path, shown);
        }
        if (!strcmp(line, "refuse") ? path != NULL : !path || strcmp(path, line)) {
            fail_msg("\"%s\" gives %s, not %s", shown, path ? path : "refuse", line);
        }
        count++;
    }
    fclose(in);
    assert_in_range(count, 200, 1000);
}

static void test_nothing_is_the_front_page(void **state)
{
    assert_string_equal(mnet_wants_path(NULL, ROOT, world->pool), "/");
    assert_string_equal(mnet_wants_path("", ROOT, world->pool), "/");
}

static void test_too_long(void **state)
{
    char *many = apr_pcalloc(world->pool, 4098);

    memset(many, 'x', 4097);
    many[0] = '/';
    assert_null(mnet_wants_path(many, ROOT, world->pool));
    many[4096] = '\0';
    assert_non_null(mnet_wants_path(many, ROOT, world->pool));
}

/* A wwwroot with a path: nothing leaves that path. */
static void test_wwwroot_with_a_path(void **state)
{
    static const char root[] = "https://gw.example/moodle";
    static const char *const refused[] = {"https://gw.example/other",
                                          "https://gw.example/",
                                          "https://gw.example/moodle2/x",
                                          "https://gw.example/moodle/../other",
                                          "https://gw.example/moodle/%2e%2e/other",
                                          "https://gw.example/moodle//evil.example",
                                          "https://gw.example/moodle\\..\\other"};

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_null(mnet_wants_path(refused[i], root, world->pool));
    }
    assert_string_equal(mnet_wants_path("https://gw.example/moodle/x?y#z", root, world->pool),
                        "/x?y#z");
    assert_string_equal(mnet_wants_path("https://gw.example/moodle", root, world->pool), "/");
}

/* Every short text over the characters that matter, raw and encoded, stays where it belongs. */
static void test_every_short_text(void **state)
{
    static const char *const parts[] = {"/",   "\\", ".",   "%2f", "%5c",    "%2e", "@",
                                        ":",   "a",  "%25", "2f",  "\t",     "?",   "#",
                                        "%09", "//", "..",  ";",   "https:", ROOT};
    const size_t n = sizeof(parts) / sizeof(parts[0]);
    apr_pool_t *pool;
    char text[100];

    apr_pool_create(&pool, world->pool);
    for (size_t i = 0; i < n * n * n * n; i++) {
        const char *path;

        apr_snprintf(text, sizeof(text), "%s%s%s%s", parts[i % n], parts[i / n % n],
                     parts[i / n / n % n], parts[i / n / n / n]);
        path = mnet_wants_path(text, ROOT, pool);
        if (path) {
            is_safe(path, text);
        }
        apr_pool_clear(pool);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_redirects),           T(test_nothing_is_the_front_page), T(test_too_long),
        T(test_wwwroot_with_a_path), T(test_every_short_text),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
