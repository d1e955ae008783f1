/* SPDX-License-Identifier: Apache-2.0 */
#include "package_help.h"

#define MISMATCH "Files received did not exactly match what was in the manifest"

/* --- filesmanifest (protocol 7.2) --- */

static void test_what_was_announced(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    zip_text(&zip, "files/x1", "one");
    zip_text(&zip, "site_files/b.txt", "two");
    expect_file(place, "\xe4\xb8\x80.txt", "one");
    expect_file(place, "b.txt", "two");
    place->source.total = 6;
    place->source.format = "file";
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_string_equal(place->package->format, "manifest");
    assert_string_equal(unpacked(place, "files/\xe4\xb8\x80.txt"), "one");
    assert_null(unpacked(place, "files/x1"));
    assert_string_equal(unpacked(place, "site_files/b.txt"), "two");
    assert_string_equal(file_at(place, 0)->original, "files/x1");
}

static void test_extra_missing_and_changed(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    expect_file(place, "a.txt", "one");
    expect_file(place, "b.txt", "two");
    zip_text(&zip, "a.txt", "one");
    assert_refused(place, open_zip(place, &zip), MISMATCH ": 1 of its 2 files are there");
    zip_text(&zip, "a.txt", "one");
    zip_text(&zip, "b.txt", "twO");
    assert_refused(place, open_zip(place, &zip), MISMATCH ": b.txt is not in it");
    zip_text(&zip, "a.txt", "one");
    zip_text(&zip, "b.txt", "two");
    zip_text(&zip, "c.txt", "three");
    assert_refused(place, open_zip(place, &zip), MISMATCH);
}

/* A Moodle's manifest has each content once, the last name wins (protocol 7.1). */
static void test_two_files_of_one_content(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    zip_text(&zip, "a.txt", "same");
    zip_text(&zip, "b.txt", "same");
    expect_file(place, "b.txt", "same");
    place->source.total = 8;
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_string_equal(unpacked(place, "a.txt"), "same");
    assert_string_equal(unpacked(place, "b.txt"), "same");
}

static void test_sizes_that_lie(void **state)
{
    static const apr_off_t totals[] = {0, 2, 4, 1000000};
    place_t *place = *state;
    mnet_package_expected_t *entry;
    zip_t zip = {0};
    int i;

    expect_file(place, "a.txt", "one");
    for (i = 0; i < 4; i++) {
        place->source.total = totals[i];
        zip_text(&zip, "a.txt", "one");
        assert_refused(place, open_zip(place, &zip), "announced");
    }
    place->source.total = 3;
    entry = &APR_ARRAY_IDX(place->source.manifest, 0, mnet_package_expected_t);
    entry->size = 5;
    zip_text(&zip, "a.txt", "one");
    assert_refused(place, open_zip(place, &zip), "has 3 bytes, not 5");
    entry->size = -1;
    entry->sha1 = apr_pstrdup(place->pool, entry->sha1);
    ((char *)entry->sha1)[0] = (char)toupper(entry->sha1[0]);
    zip_text(&zip, "a.txt", "one");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
}

static void test_names_in_the_manifest(void **state)
{
    place_t *place = *state;
    mnet_package_expected_t *entry;
    zip_t zip = {0};

    expect_file(place, "dir/.profile", "one");
    zip_text(&zip, "x", "one");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_string_equal(file_at(place, 0)->path, "_profile");

    entry = &APR_ARRAY_IDX(place->source.manifest, 0, mnet_package_expected_t);
    entry->filename = "../../etc/passwd";
    zip_text(&zip, "x", "one");
    assert_refused(place, open_zip(place, &zip), "leads out");
    entry->filename = NULL;
    zip_text(&zip, "x", "one");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_string_equal(file_at(place, 0)->path, "x");
    entry->sha1 = "no digest";
    zip_text(&zip, "x", "one");
    assert_refused(place, open_zip(place, &zip), "without a SHA-1");
}

/* Two that change places. */
static void test_names_that_cross(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    zip_text(&zip, "a.txt", "one");
    zip_text(&zip, "b.txt", "two");
    expect_file(place, "b.txt", "one");
    expect_file(place, "a.txt", "two");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_int_equal(place->package->files->nelts, 2);
    assert_string_equal(unpacked(place, file_at(place, 0)->path), "one");
    assert_string_equal(unpacked(place, file_at(place, 1)->path), "two");
}

/* --- manifest.txt (protocol 7.3) --- */

static const char *line(place_t *place, const char *format, const char *name, const char *content)
{
    return apr_pstrcat(place->pool, md5_hex(content, place->pool), ":", format, ":", name, "\r\n",
                       NULL);
}

static apr_status_t open_two(place_t *place, const char *manifest)
{
    zip_t zip = {0};

    zip_text(&zip, "manifest.txt", manifest);
    zip_text(&zip, "a.txt", "one");
    zip_text(&zip, "b:c.txt", "two");
    return open_zip(place, &zip);
}

static void test_a_manifest_of_lines(void **state)
{
    place_t *place = *state;
    const char *a = line(place, "FILE", "a.txt", "one"), *b = line(place, "FILE", "b:c.txt", "two");
    apr_pool_t *p = place->pool;

    assert_int_equal(open_two(place, apr_pstrcat(p, a, "\n", b, NULL)), APR_SUCCESS);
    assert_string_equal(place->package->format, "manifest");
    assert_string_equal(unpacked(place, "b_c.txt"), "two");
    assert_refused(place, open_two(place, a), MISMATCH ": 1 files are not in it");
    assert_refused(place, open_two(place, apr_pstrcat(p, a, b, line(place, "FILE", "d", ""), NULL)),
                   MISMATCH ": d is missing");
    assert_refused(place,
                   open_two(place, apr_pstrcat(p, a, line(place, "FILE", "b:c.txt", "2"), NULL)),
                   MISMATCH ": b:c.txt has another MD5");
    assert_refused(place, open_two(place, apr_pstrcat(p, a, b, "what?\n", NULL)),
                   "line 3 of manifest.txt is not md5:format:filename");
    assert_refused(place, open_two(place, apr_pstrcat(p, a, line(place, "FILE", "../x", ""), NULL)),
                   "leads out");
}

static void test_a_file_that_is_called_manifest(void **state)
{
    place_t *place = *state;

    assert_int_equal(open_two(place, "My manifest: all power to the students.\n"), APR_SUCCESS);
    assert_string_equal(place->package->format, "file");
    assert_int_equal(place->package->files->nelts, 3);
}

static void test_a_leap_names_its_files_itself(void **state)
{
    place_t *place = *state;
    static const char leap[] = "<feed xmlns='http://www.w3.org/2005/Atom' "
                               "xmlns:leap2='http://terms.leapspecs.org/'/>";
    zip_t zip = {0};

    zip_text(&zip, "manifest.txt", line(place, "leap", "leap.xml", leap));
    zip_text(&zip, "leap.xml", leap);
    zip_text(&zip, "files/a.txt", "a");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_string_equal(place->package->format, "leap2a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        placed(test_what_was_announced),
        placed(test_extra_missing_and_changed),
        placed(test_two_files_of_one_content),
        placed(test_sizes_that_lie),
        placed(test_names_in_the_manifest),
        placed(test_names_that_cross),
        placed(test_a_manifest_of_lines),
        placed(test_a_file_that_is_called_manifest),
        placed(test_a_leap_names_its_files_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
