/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"

#define A "https://a.example"
#define B "https://b.example"

static apr_pool_t *pool;
static mnet_registry_t *registry;

static apr_status_t handler(struct mnet_call_t *call, void *baton)
{
    return APR_SUCCESS;
}

static const mnet_method_t *method(const char *path, const char *service)
{
    mnet_method_t *made = apr_pcalloc(pool, sizeof(*made));

    made->path = path;
    made->service = service;
    made->handler = handler;
    return made;
}

static int setup(void **state)
{
    apr_pool_create(&pool, NULL);
    registry = mnet_registry_create(pool);
    return 0;
}

static int teardown(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

static void names_are_moodles(void **state)
{
    static const char *const good[] = {"auth/mnet/auth.php/user_authorise",
                                       "system/listServices",
                                       "system.listServices",
                                       "repository/mahara/repository.class.php/get_file",
                                       "a/bc",
                                       "mod/x/rpclib.php/a-b"};
    static const char *const bad[] = {"",          "a",          "/a/b",   "a/",          "a/b",
                                      "a/b.",      "a b/c/d",    "a/b\nc", "auth/b/<c>d", "system.",
                                      "auth.mnet", "system.a/b", "a_b/cd", "a/b*c"};
    char longest[400];
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!mnet_method_name_ok(good[i])) {
            fail_msg("refused: %s", good[i]);
        }
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (mnet_method_name_ok(bad[i])) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_int_equal(mnet_method_name_ok(NULL), 0);
    memset(longest, 'a', sizeof(longest));
    longest[1] = '/';
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(mnet_method_name_ok(longest), 0);
}

static void finds_what_was_added(void **state)
{
    const mnet_method_t *one = method("x/y/z.php/one", "x");

    assert_int_equal(mnet_registry_add(registry, NULL, one), APR_SUCCESS);
    assert_ptr_equal(mnet_registry_find(registry, A, "x/y/z.php/one"), one);
    assert_ptr_equal(mnet_registry_find(registry, NULL, "x/y/z.php/one"), one);
    assert_null(mnet_registry_find(registry, A, "x/y/z.php/ONE"));
    assert_null(mnet_registry_find(registry, A, "no name"));
}

static void a_sites_method_is_its_own(void **state)
{
    const mnet_method_t *one = method("x/y/z.php/one", "x");
    const mnet_method_t *two = method("x/y/z.php/one", "y");

    assert_int_equal(mnet_registry_add(registry, A, one), APR_SUCCESS);
    assert_null(mnet_registry_find(registry, B, "x/y/z.php/one"));
    assert_int_equal(mnet_registry_add(registry, B, two), APR_SUCCESS);
    assert_ptr_equal(mnet_registry_find(registry, A, "x/y/z.php/one"), one);
    assert_ptr_equal(mnet_registry_find(registry, B, "x/y/z.php/one"), two);
}

static void a_path_is_taken_once(void **state)
{
    const mnet_method_t *one = method("x/y/z.php/one", "x");

    assert_int_equal(mnet_registry_add(registry, NULL, one), APR_SUCCESS);
    assert_int_equal(mnet_registry_add(registry, NULL, one), MNET_E_EXISTS);
    assert_int_equal(mnet_registry_add(registry, A, one), MNET_E_EXISTS);
    assert_int_equal(mnet_registry_add(registry, A, method("x/y/z.php/two", "x")), APR_SUCCESS);
    assert_int_equal(mnet_registry_add(registry, NULL, method("x/y/z.php/two", "x")),
                     MNET_E_EXISTS);
    assert_int_equal(mnet_registry_add(registry, NULL, method("x/*", "x")), APR_SUCCESS);
    assert_int_equal(mnet_registry_add(registry, A, method("x/*", "x")), MNET_E_EXISTS);
}

static void wrong_names_are_not_added(void **state)
{
    assert_int_equal(mnet_registry_add(registry, NULL, method("one", "x")), MNET_E_INVALID);
    assert_int_equal(mnet_registry_add(registry, NULL, method("x/ *", "x")), MNET_E_INVALID);
    assert_int_equal(mnet_registry_add(registry, NULL, method("system.one", "x")), MNET_E_INVALID);
    assert_int_equal(mnet_registry_add(registry, NULL, method("x/y/one", NULL)), MNET_E_INVALID);
}

static void exact_before_pattern_before_later_pattern(void **state)
{
    const mnet_method_t *wide = method("mod/*", "wide"), *narrow = method("mod/forum/*", "narrow"),
                        *exact = method("mod/forum/rpclib.php/post", "exact");

    assert_int_equal(mnet_registry_add(registry, A, wide), APR_SUCCESS);
    assert_int_equal(mnet_registry_add(registry, NULL, narrow), APR_SUCCESS);
    assert_int_equal(mnet_registry_add(registry, NULL, exact), APR_SUCCESS);
    assert_ptr_equal(mnet_registry_find(registry, A, "mod/forum/rpclib.php/post"), exact);
    assert_ptr_equal(mnet_registry_find(registry, A, "mod/forum/rpclib.php/read"), wide);
    assert_ptr_equal(mnet_registry_find(registry, B, "mod/forum/rpclib.php/read"), narrow);
    assert_null(mnet_registry_find(registry, B, "mod/quiz/rpclib.php/read"));
}

static void no_pattern_reaches_system(void **state)
{
    const mnet_method_t *keyswap = method("system/keyswap", "system");

    assert_int_equal(mnet_registry_add(registry, NULL, method("*", "all")), APR_SUCCESS);
    assert_int_equal(mnet_registry_add(registry, NULL, keyswap), APR_SUCCESS);
    assert_ptr_equal(mnet_registry_find(registry, A, "system/keyswap"), keyswap);
    assert_ptr_equal(mnet_registry_find(registry, A, "system.keyswap"), keyswap);
    assert_null(mnet_registry_find(registry, A, "system/other"));
    assert_null(mnet_registry_find(registry, A, "system.other"));
}

static void lists_by_path_and_services_by_name(void **state)
{
    apr_array_header_t *list, *services;

    mnet_registry_add(registry, NULL, method("system/listMethods", "system"));
    mnet_registry_add(registry, A, method("z/y/one", "zed"));
    mnet_registry_add(registry, NULL, method("b/y/one", "bee"));
    mnet_registry_add(registry, NULL, method("a/y/one", "zed"));
    list = mnet_registry_list(registry, A, pool);
    assert_int_equal(list->nelts, 4);
    assert_string_equal(APR_ARRAY_IDX(list, 0, const mnet_method_t *)->path, "a/y/one");
    assert_string_equal(APR_ARRAY_IDX(list, 3, const mnet_method_t *)->path, "z/y/one");
    assert_int_equal(mnet_registry_list(registry, B, pool)->nelts, 3);
    services = mnet_registry_services(registry, A, pool);
    assert_int_equal(services->nelts, 2);
    assert_string_equal(APR_ARRAY_IDX(services, 0, const char *), "bee");
    assert_string_equal(APR_ARRAY_IDX(services, 1, const char *), "zed");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(names_are_moodles),         T(finds_what_was_added),
        T(a_sites_method_is_its_own), T(a_path_is_taken_once),
        T(wrong_names_are_not_added), T(exact_before_pattern_before_later_pattern),
        T(no_pattern_reaches_system), T(lists_by_path_and_services_by_name)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
