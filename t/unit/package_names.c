/* SPDX-License-Identifier: Apache-2.0 */
#include "package_help.h"

static const char *name_of(const char *name, int max, apr_pool_t *pool)
{
    return mnet_package_name(name, strlen(name), max, pool);
}

static void test_names(void **state)
{
    apr_pool_t *p = *state;

    assert_string_equal(name_of("essay.pdf", 200, p), "essay.pdf");
    assert_string_equal(name_of("a/b\\c", 200, p), "a_b_c");
    assert_string_equal(name_of(".htaccess", 200, p), "_htaccess");
    assert_string_equal(name_of("...", 200, p), "_");
    assert_string_equal(name_of("..", 200, p), "_");
    assert_string_equal(name_of("  a .. ", 200, p), "a");
    assert_string_equal(name_of("", 200, p), "unnamed");
    assert_string_equal(name_of("a\r\nb\x1b[2J", 200, p), "ab[2J");
    assert_string_equal(mnet_package_name("a\0b", 3, 200, p), "ab");
    /* U+202E turns what follows: "cod.exe" would look like an image. */
    assert_string_equal(name_of("x\xe2\x80\xae"
                                "gpj.exe",
                                200, p),
                        "xgpj.exe");
    /* CP437: "Grüße" */
    assert_string_equal(name_of("Gr\x81\xe1"
                                "e",
                                200, p),
                        "Gr\xc3\xbc\xc3\x9f"
                        "e");
    assert_string_equal(name_of("\xe6\x97\xa5\xe6\x9c\xac.txt", 200, p),
                        "\xe6\x97\xa5\xe6\x9c\xac.txt");
}

/* Cut between characters, the ending kept. */
static void test_long_names(void **state)
{
    apr_pool_t *p = *state;
    const char *name = "";
    int i;

    for (i = 0; i < 100; i++) {
        name = apr_pstrcat(p, name, "\xe6\x97\xa5", NULL);
    }
    name = name_of(apr_pstrcat(p, name, ".jpeg", NULL), 100, p);
    assert_int_equal(strlen(name), 98);
    assert_true(mnet_is_utf8(name, strlen(name)));
    assert_string_equal(name + 93, ".jpeg");
    assert_int_equal(
        strlen(name_of(apr_pstrcat(p, "x.", apr_psprintf(p, "%0500d", 1), NULL), 0, p)), 32);
}

/* Whatever the locale of the process, which in httpd is C. */
static void test_any_script(void **state)
{
    static const char *const names[] = {
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e/\xe5\xa0\xb1\xe5\x91\x8a.txt", /* Japanese */
        "\xd0\xa0\xd1\x83\xd1\x81.txt",                                      /* Russian */
        "\xd8\xb9\xd8\xb1\xd8\xa8\xd9\x8a.txt",                              /* Arabic */
        "\xf0\x9f\x98\x80.txt",                                              /* an emoji */
    };
    place_t *place = *state;
    zip_t zip = {0};
    apr_size_t i;

    for (i = 0; i < 8; i++) {
        zip_entry_t entry = {.name = names[i % 4], .data = "x", .len = 1};

        if (i < 4) {
            entry.flags = 1 << 11; /* said to be UTF-8, or not, as many do */
        } else {
            entry.name = apr_pstrcat(place->pool, "plain/", names[i % 4], NULL);
        }
        zip_add(&zip, &entry);
    }
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    for (i = 0; i < 4; i++) {
        assert_non_null(file_named(place, names[i]));
        assert_non_null(unpacked(place, names[i]));
        assert_non_null(file_named(place, apr_pstrcat(place->pool, "plain/", names[i], NULL)));
    }
    assert_non_null(strstr(content_of(place->package->report, place->pool), names[0]));
}

static void test_names_of_old_windows(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    zip_entry_t entry = {.name = "Fu\xe1"
                                 "ball\\\x9a"
                                 "ben.txt",
                         .data = "x",
                         .len = 1};

    zip_add(&zip, &entry);
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_non_null(file_named(place, "Fu\xc3\x9f"
                                      "ball/\xc3\x9c"
                                      "ben.txt"));
}

/* Nothing is overwritten, on any file system. */
static void test_names_that_are_alike(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    zip_text(&zip, "a.txt", "1");
    zip_text(&zip, "a.txt", "2");
    zip_text(&zip, "A.TXT", "3");
    zip_text(&zip, "./a.txt", "4");
    zip_text(&zip, "\xc3\xa9.txt", "5");
    zip_text(&zip, "\xc3\x89.txt", "6");
    zip_text(&zip, MNET_PACKAGE_REPORT, "7");
    zip_text(&zip, "e\xcc\x81x.txt", "8");
    zip_text(&zip, "\xc3\xa9x.txt", "9");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_int_equal(place->package->files->nelts, 9);
    assert_string_equal(unpacked(place, "a.txt"), "1");
    assert_string_equal(unpacked(place, "a (2).txt"), "2");
    assert_string_equal(unpacked(place, "A (3).TXT"), "3");
    assert_string_equal(unpacked(place, "a (4).txt"), "4");
    assert_string_equal(unpacked(place, "\xc3\xa9.txt"), "5");
    assert_string_equal(unpacked(place, "\xc3\x89 (2).txt"), "6");
    assert_string_equal(unpacked(place, "mnet-report (2).json"), "7");
    /* composed and decomposed */
    assert_string_not_equal(file_at(place, 7)->path, file_at(place, 8)->path);
    assert_true(place->package->problems->nelts >= 5);
}

static void test_a_file_that_is_a_folder(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    zip_text(&zip, "a", "file");
    zip_text(&zip, "A/b", "in it");
    assert_refused(place, open_zip(place, &zip), "in a folder that is a file");
    zip_text(&zip, "a/b", "in it");
    zip_text(&zip, "a", "file");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_string_equal(unpacked(place, "a (2)"), "file");
}

static void test_very_many_of_one_name(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    int i;

    for (i = 0; i < 200; i++) {
        zip_text(&zip, "a.txt", "a");
    }
    assert_refused(place, open_zip(place, &zip), "files of one name");
}

static void test_a_nul_in_a_name(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    zip_entry_t entry = {.name = "a.php\0.txt", .name_len = 10, .data = "x", .len = 1};

    zip_add(&zip, &entry);
    if (open_zip(place, &zip) == APR_SUCCESS) {
        assert_string_equal(file_at(place, 0)->path, "a.php");
    } else {
        assert_true(is_empty(place->source.work));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_names),
        test(test_long_names),
        placed(test_any_script),
        placed(test_names_of_old_windows),
        placed(test_names_that_are_alike),
        placed(test_a_file_that_is_a_folder),
        placed(test_very_many_of_one_name),
        placed(test_a_nul_in_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
