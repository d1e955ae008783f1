/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

#include <stdio.h>

#include "service/myhosts.h"
#include "service/picture.h"

static mnet_value_t *said(const char *const (*rows)[2], int count)
{
    mnet_value_t *user = mnet_struct(world->pool), *hosts = mnet_array(world->pool);

    for (int i = 0; i < count; i++) {
        mnet_value_t *row = mnet_struct(world->pool);

        mnet_set(row, "name", mnet_string(rows[i][0], world->pool));
        mnet_set(row, "url", mnet_string(rows[i][1], world->pool));
        mnet_append(hosts, row);
    }
    mnet_set(user, "myhosts", hosts);
    return user;
}

static void test_only_links_to_the_home(void **state)
{
    static const char *const rows[][2] = {
        {"Home", "https://home.example"},
        {"Home", "https://home.example/"},
        {" A\x01 site ", "https://home.example/auth/mnet/jump.php?hostid=7"},
        {"Query", "https://home.example?x=1"},
        {"Evil", "https://evil.example/"},
        {"Evil", "https://home.example.evil.example/"},
        {"Evil", "https://home.example@evil.example/"},
        {"Evil", "javascript:alert(1)"},
        {"Evil", "/auth/mnet/jump.php"},
        {"Evil", "https://home.example//evil.example"},
        {"Evil", "https://home.example/a\r\nX: y"},
        {"", "https://home.example/x"},
        {"\xff", "https://home.example/x"},
    };
    apr_array_header_t *hosts =
        mnet_myhosts_read("https://home.example", said(rows, 13), world->pool);

    assert_int_equal(hosts->nelts, 2);
    assert_string_equal(APR_ARRAY_IDX(hosts, 0, mnet_myhost_t).name, "A site");
    assert_string_equal(APR_ARRAY_IDX(hosts, 0, mnet_myhost_t).url,
                        "https://home.example/auth/mnet/jump.php?hostid=7");
    assert_string_equal(APR_ARRAY_IDX(hosts, 1, mnet_myhost_t).url, "https://home.example/?x=1");
}

static void test_what_is_no_list(void **state)
{
    mnet_value_t *user = mnet_struct(world->pool), *hosts = mnet_array(world->pool);

    assert_int_equal(mnet_myhosts_read("https://h.example", user, world->pool)->nelts, 0);
    mnet_set(user, "myhosts", mnet_string("https://h.example/x", world->pool));
    assert_int_equal(mnet_myhosts_read("https://h.example", user, world->pool)->nelts, 0);
    mnet_append(hosts, mnet_int(7, world->pool));
    mnet_append(hosts, mnet_struct(world->pool));
    mnet_set(user, "myhosts", hosts);
    assert_int_equal(mnet_myhosts_read("https://h.example", user, world->pool)->nelts, 0);
}

static void keep(const apr_array_header_t *hosts)
{
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(world->b.engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(
        mnet_myhosts_note(world->b.host, txn, world->a.wwwroot, "alice", hosts, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
}

static int count_of(const char *username)
{
    apr_array_header_t *hosts;

    assert_int_equal(
        mnet_myhosts_find(world->b.host, world->a.wwwroot, username, &hosts, world->pool), 0);
    return hosts->nelts;
}

static void test_kept_for_the_user(void **state)
{
    apr_array_header_t *hosts = apr_array_make(world->pool, 2, sizeof(mnet_myhost_t));

    keep(hosts);
    assert_int_equal(count_of("alice"), 0);
    APR_ARRAY_PUSH(hosts, mnet_myhost_t) = (mnet_myhost_t){"One", "https://a.example/1"};
    APR_ARRAY_PUSH(hosts, mnet_myhost_t) = (mnet_myhost_t){"Two", "https://a.example/2"};
    keep(hosts);
    keep(hosts);
    assert_int_equal(count_of("alice"), 2);
    assert_int_equal(count_of("bob"), 0);
    hosts->nelts = 0;
    keep(hosts);
    assert_int_equal(count_of("alice"), 0);
}

static void test_paths_of_pictures(void **state)
{
    static const char *const bad[] = {"",        "a",    "a/b",  "/..",  "/../etc/x", "/a/..",
                                      "/a/../b", "/./a", "/a/.", "/a\n", "/a\x7f"};
    static const char *const good[] = {"/a", "/a/b.png", "/a/..b", "/a/b..", "/a/...", "/\xc3\xa9"};

    for (apr_size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(mnet_picture_path_ok(bad[i]));
    }
    for (apr_size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(mnet_picture_path_ok(good[i]));
    }
}

static const char *type_of(const char *bytes, apr_size_t len)
{
    const char *path = apr_pstrcat(world->pool, world->a.engine->state_dir, "/picture", NULL), *why;
    const mnet_picture_t *picture;
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    picture = mnet_picture_read(path, &why, world->pool);
    assert_true(!picture == (why != NULL));
    return picture ? picture->type : "none";
}

static void test_types_of_pictures(void **state)
{
    const char *why;

    assert_string_equal(type_of("\x89PNG\r\n\x1a\nxxxx", 12), "image/png");
    assert_string_equal(type_of("\xff\xd8\xff\xe0xxxx", 8), "image/jpeg");
    assert_string_equal(type_of("GIF89axxxx", 10), "image/gif");
    assert_string_equal(type_of("RIFF1234WEBPxxxx", 16), "image/webp");
    assert_string_equal(type_of("<svg/>", 6), "none");
    assert_string_equal(type_of("<html><img>", 11), "none");
    assert_string_equal(type_of("GIF89a", 6), "none");
    assert_string_equal(type_of("", 0), "none");
    assert_null(mnet_picture_read("/nonexistent/x.png", &why, world->pool));
    assert_null(why); /* which is nothing to complain of */
    assert_null(mnet_picture_read("/", &why, world->pool));
    assert_non_null(why);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_only_links_to_the_home), T(test_what_is_no_list),   T(test_kept_for_the_user),
        T(test_paths_of_pictures),      T(test_types_of_pictures),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
