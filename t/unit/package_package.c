/* SPDX-License-Identifier: Apache-2.0 */
#include "package_help.h"

#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

static void test_a_file_and_its_report(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    const char *report;

    zip_text(&zip, "essay.txt", "An essay.\n");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_string_equal(place->package->format, "text");
    assert_int_equal(place->package->files->nelts, 1);
    assert_string_equal(file_at(place, 0)->path, "essay.txt");
    assert_string_equal(file_at(place, 0)->sha1, sha1_of("An essay.\n", place->pool));
    assert_int_equal(file_at(place, 0)->size, 10);
    assert_string_equal(unpacked(place, "essay.txt"), "An essay.\n");
    report = content_of(place->package->report, place->pool);
    assert_non_null(report);
    assert_non_null(strstr(report, "\"format\": \"text\""));
    assert_non_null(strstr(report, "\"peer\": \"https://moodle.example\""));
    assert_non_null(strstr(report, sha1_of("An essay.\n", place->pool)));
    assert_non_null(strstr(report, "\"received\": \"2025-11-24T16:00:00Z\""));
    assert_int_equal(mnet_package_discard(place->source.work, place->pool), APR_SUCCESS);
    assert_true(is_empty(place->source.work));
}

static void test_folders_and_modes(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    zip_entry_t setuid = {
        .name = "sub/run", .data = "x", .len = 1, .made_by = 3 << 8, .attributes = 0104777u << 16};
    zip_entry_t folder = {
        .name = "empty/", .data = "", .made_by = 3 << 8, .attributes = 040755u << 16};
    struct stat info;

    zip_text(&zip, "./", "");
    zip_add(&zip, &folder);
    zip_text(&zip, "sub/deep/a.txt", "a");
    zip_add(&zip, &setuid);
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_string_equal(unpacked(place, "sub/deep/a.txt"), "a");
    assert_int_equal(
        stat(apr_pstrcat(place->pool, place->package->folder, "/sub/run", NULL), &info), 0);
    assert_int_equal(info.st_mode & 07111, 0);
    assert_string_equal(place->package->format, "file");
}

static void test_what_an_earlier_attempt_left(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    const char *left = apr_pstrcat(place->pool, place->source.work, "/package", NULL);

    assert_int_equal(mkdir(left, 0700), 0);
    assert_int_equal(symlink("/etc", apr_pstrcat(place->pool, left, "/link", NULL)), 0);
    zip_text(&zip, "a.txt", "a");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_null(unpacked(place, "link/passwd"));
    assert_int_equal(access("/etc/passwd", R_OK), 0);
}

static void test_a_single_file_that_is_no_archive(void **state)
{
    place_t *place = *state;

    receive(place, "\x89PNG\r\n\x1a\n....", 12);
    place->source.name = "../\xe7\x94\xbb\xe5\x83\x8f.png";
    assert_int_equal(open_received(place), APR_SUCCESS);
    assert_string_equal(place->package->format, "image");
    assert_false(place->package->is_archive);
    assert_string_equal(file_at(place, 0)->path, "_._\xe7\x94\xbb\xe5\x83\x8f.png");
    assert_string_equal(file_at(place, 0)->type, "image/png");
}

static void test_a_document_is_one_file_though_it_is_a_zip(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    zip_text(&zip, "[Content_Types].xml", "<Types/>");
    zip_text(&zip, "word/document.xml", "<x/>");
    place->source.name = "essay.docx";
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_int_equal(place->package->files->nelts, 1);
    assert_string_equal(place->package->format, "file");
    assert_non_null(strstr(file_at(place, 0)->type, "wordprocessingml"));
}

static void test_nothing_and_no_zip(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    receive(place, "", 0);
    assert_refused(place, open_received(place), "empty");
    assert_refused(place, open_zip(place, &zip), "empty");
    expect_file(place, "a.txt", "a");
    receive(place, "a", 1);
    assert_refused(place, open_received(place), "not a zip archive");
}

static int stop_now(void *baton)
{
    return --*(int *)baton < 0;
}

static void test_it_leaves_off_when_told(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    int pieces = 3;

    zip_text(&zip, "a.txt", "a");
    zip_text(&zip, "b.txt", "b");
    zip_text(&zip, "c.txt", "c");
    place->source.stop = stop_now;
    place->source.stop_baton = &pieces;
    assert_int_equal(open_zip(place, &zip), MNET_E_BUSY);
    assert_true(is_empty(place->source.work));
}

static void test_a_folder_without_permission(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    apr_status_t rv;

    zip_text(&zip, "a.txt", "a");
    place->source.work = "/proc/self/fdinfo";
    rv = open_zip(place, &zip);
    assert_int_not_equal(rv, APR_SUCCESS);
    assert_int_not_equal(rv, MNET_E_REFUSED);
    assert_non_null(strstr(place->why, "cannot be written on this server"));
}

/* As a full disk, with any file system: no file may be larger than 4 KiB. */
static void test_a_disk_that_takes_no_more(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    char *big = apr_pcalloc(place->pool, 200001);
    struct rlimit before, small;
    apr_status_t rv;

    memset(big, 'x', 200000);
    zip_text(&zip, "a.txt", "a");
    zip_text(&zip, "big.txt", big);
    zip_end(&zip, 0, 0);
    receive(place, zip.bytes.data, zip.bytes.len);
    zip_free(&zip);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rv = open_received(place);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rv, EFBIG);
    assert_non_null(strstr(place->why, "on this server"));
    assert_true(is_empty(place->source.work));
}

/* Threads have locales of their own, and the process keeps its own. */
static void *open_often(void *baton)
{
    const place_t *place = baton;
    mnet_package_t *package;
    apr_pool_t *pool;
    const char *why;
    int i, good = 0;

    apr_pool_create(&pool, NULL);
    for (i = 0; i < 20; i++) {
        if (mnet_package_open(&package, &place->source, &why, pool) == APR_SUCCESS) {
            good += !strcmp(APR_ARRAY_IDX(package->files, 0, mnet_package_file_t).path,
                            "\xe6\x97\xa5.txt");
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return good == 20 ? baton : NULL;
}

static void test_threads(void **state)
{
    place_t *place = *state, places[4];
    pthread_t threads[4];
    zip_t zip = {0};
    void *good;
    int i;

    zip_text(&zip, "\xe6\x97\xa5.txt", "x");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    for (i = 0; i < 4; i++) {
        places[i] = *place;
        places[i].source.work = apr_psprintf(place->pool, "%s/w%d", place->dir, i);
        assert_int_equal(mkdir(places[i].source.work, 0700), 0);
        assert_int_equal(pthread_create(&threads[i], NULL, open_often, &places[i]), 0);
    }
    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_non_null(good);
    }
    assert_string_equal(setlocale(LC_CTYPE, NULL), "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        placed(test_a_file_and_its_report),
        placed(test_folders_and_modes),
        placed(test_what_an_earlier_attempt_left),
        placed(test_a_single_file_that_is_no_archive),
        placed(test_a_document_is_one_file_though_it_is_a_zip),
        placed(test_nothing_and_no_zip),
        placed(test_it_leaves_off_when_told),
        placed(test_a_folder_without_permission),
        placed(test_a_disk_that_takes_no_more),
        placed(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
