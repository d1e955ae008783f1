/* SPDX-License-Identifier: Apache-2.0 */

/* Archives that mean harm, or that are merely unusual. */

#include "package_help.h"

#define UNIX (3 << 8)

static void test_paths_that_lead_out(void **state)
{
    static const char *const names[] = {
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "..\\..\\windows",
        "\\\\server\\x",
        "C:\\x",
        "c:/x",
        "a/..",
        "..",
        "../",
        "a\\..\\b",
        "\\x",
        "sub/../../x",
    };
    place_t *place = *state;
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        zip_t zip = {0};

        zip_text(&zip, "good.txt", "good");
        zip_text(&zip, names[i], "evil");
        assert_refused(place, open_zip(place, &zip), "leads out of the package's folder");
    }
}

/* Also where the directory and the entry name it differently. */
static void test_a_path_that_only_the_entry_has(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    zip_entry_t evil = {.name = "../evil", .data = "evil", .len = 4};

    zip_add(&zip, &evil);
    memcpy(zip.directory.data + 46, "abcdefg", 7);
    assert_refused(place, open_zip(place, &zip), "leads out");
}

static void test_links_and_devices(void **state)
{
    static const unsigned int types[] = {S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};
    place_t *place = *state;
    apr_size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        zip_t zip = {0};
        zip_entry_t entry = {.name = "x",
                             .data = "/etc/passwd",
                             .len = 11,
                             .made_by = UNIX,
                             .attributes = (types[i] | 0777u) << 16};

        zip_add(&zip, &entry);
        assert_refused(place, open_zip(place, &zip), "a link or a device");
    }
}

static void test_encrypted(void **state)
{
    static const unsigned int flags[] = {1, 1 << 6, 1 << 13};
    place_t *place = *state;
    apr_size_t i;

    for (i = 0; i < 3; i++) {
        zip_t zip = {0};
        zip_entry_t entry = {.name = "x", .data = "secret", .len = 6, .flags = flags[i]};

        zip_add(&zip, &entry);
        assert_refused(place, open_zip(place, &zip), "encrypted");
    }
}

static void test_methods(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    zip_entry_t entry = {.name = "x", .data = "x", .len = 1, .method = 12};

    zip_add(&zip, &entry);
    assert_refused(place, open_zip(place, &zip), "method (12)");
}

/* Cut anywhere it is refused, and said to be cut. */
static void test_truncated(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    apr_size_t len;

    zip_text(&zip, "a.txt", "some text that is there");
    zip_text(&zip, "b.txt", "some more of it");
    zip_end(&zip, 0, 0);
    for (len = 4; len < zip.bytes.len; len++) {
        receive(place, zip.bytes.data, len);
        assert_refused(place, open_received(place), "cut short or damaged");
    }
    zip_free(&zip);
}

/* Changed anywhere it is refused or opened, never half. */
static void test_damaged(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    apr_size_t at;

    zip_text(&zip, "a.txt", "some text that is there");
    zip_text(&zip, "sub/b.txt", "some more of it");
    zip_end(&zip, 0, 0);
    for (at = 0; at < zip.bytes.len * 8; at += 7) {
        apr_status_t rv;

        zip.bytes.data[at / 8] ^= (unsigned char)(1 << at % 8);
        receive(place, zip.bytes.data, zip.bytes.len);
        zip.bytes.data[at / 8] ^= (unsigned char)(1 << at % 8);
        rv = open_received(place);
        if (rv == APR_SUCCESS) {
            assert_true(place->package->files->nelts >= 1);
            assert_int_equal(mnet_package_discard(place->source.work, place->pool), APR_SUCCESS);
        } else {
            assert_int_equal(rv, MNET_E_REFUSED);
        }
        assert_true(is_empty(place->source.work));
    }
    zip_free(&zip);
}

static void test_a_wrong_checksum(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    zip_text(&zip, "a.txt", "some text");
    zip.bytes.data[30 + 5 + 3] ^= 1;
    assert_refused(place, open_zip(place, &zip), "cut short or damaged");
}

/* --- too much --- */

static void test_many_entries_are_refused_at_once(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    apr_time_t start;
    char name[16];
    int i;

    for (i = 0; i < 65000; i++) {
        snprintf(name, sizeof(name), "%05d", i);
        zip_text(&zip, name, "");
    }
    zip_end(&zip, 0, 0);
    receive(place, zip.bytes.data, zip.bytes.len);
    zip_free(&zip);
    start = apr_time_now();
    assert_refused(place, open_received(place), "65000 entries, the most is 10000");
    assert_true(apr_time_now() - start < apr_time_from_sec(1));
}

static void test_more_entries_than_the_end_says(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    char name[16];
    int i;

    for (i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "%05d", i);
        zip_text(&zip, name, "");
    }
    zip_end(&zip, 5, 0);
    receive(place, zip.bytes.data, zip.bytes.len);
    assert_refused(place, open_received(place), "more in it than its end says");
    zip_free(&zip);
}

/* All that is allowed, in a time that nobody minds. */
static void test_as_many_entries_as_are_allowed(void **state)
{
    place_t *place = *state;
    mnet_package_limits_t limits = mnet_package_limits_default;
    zip_t zip = {0};
    char name[32];
    int i;

    limits.files = 2000;
    place->source.limits = &limits;
    for (i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "%02d/%05d.txt", i % 50, i);
        zip_text(&zip, name, name);
    }
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_int_equal(place->package->files->nelts, 2000);
    assert_string_equal(unpacked(place, "49/01999.txt"), "49/01999.txt");
}

/* With libarchive, as a bomb is made: zeros, deflated a thousand to one. */
static void write_bomb(const char *path, apr_off_t size)
{
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    char *zeros = calloc(1, 1 << 20);

    assert_int_equal(archive_write_set_format_zip(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
    archive_entry_set_pathname(entry, "bomb");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, size);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    for (; size > 0; size -= 1 << 20) {
        assert_int_equal(archive_write_data(archive, zeros, 1 << 20), 1 << 20);
    }
    archive_entry_free(entry);
    archive_write_close(archive);
    archive_write_free(archive);
    free(zeros);
}

static void test_a_bomb(void **state)
{
    place_t *place = *state;
    mnet_package_limits_t limits = mnet_package_limits_default;

    write_bomb(place->source.path, 64 << 20);
    assert_refused(place, open_received(place), "200 times as large as packed");
    limits.total = 1 << 20;
    place->source.limits = &limits;
    assert_refused(place, open_received(place), "over 1048576 bytes");
    limits = mnet_package_limits_default;
    limits.file = 1 << 20;
    assert_refused(place, open_received(place), "the most is 1048576");
    limits = mnet_package_limits_default;
    place->source.total = 1000;
    assert_refused(place, open_received(place), "more than the 1000 bytes announced");
}

/* It says 10 bytes in every place, and is 64 MiB. */
static void test_a_bomb_that_lies(void **state)
{
    place_t *place = *state;
    unsigned char *data;
    apr_size_t len = 0, room = 1 << 20, i;
    FILE *in;

    write_bomb(place->source.path, 64 << 20);
    data = malloc(room);
    in = fopen(place->source.path, "rb");
    len = fread(data, 1, room, in);
    fclose(in);
    for (i = 0; i + 46 < len; i++) {
        if (!memcmp(data + i, "PK\x01\x02", 4)) {
            memcpy(data + i + 24, "\x0a\0\0\0", 4);
        } else if (!memcmp(data + i, "PK\x03\x04", 4)) {
            memcpy(data + i + 22, "\x0a\0\0\0", 4);
        }
    }
    receive(place, data, len);
    free(data);
    assert_int_equal(open_received(place), MNET_E_REFUSED);
    assert_true(is_empty(place->source.work));
}

/* Many entries, one block of data (Fifield's bomb, at its simplest). */
static void test_entries_that_share_their_data(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    zip_entry_t first = {.name = "a", .data = "some data", .len = 9};
    zip_entry_t again = {.name = "a", .data = "some data", .len = 9, .no_local = 1, .at = 1};
    zip_entry_t nested = {.name = "b", .data = "x", .len = 1};

    zip_add(&zip, &first);
    zip_add(&zip, &again);
    assert_refused(place, open_zip(place, &zip), "overlap");

    /* The first one's data is the second entry, whole. */
    zip_add(&zip, &nested);
    nested.at = 1;
    nested.no_local = 1;
    first.no_local = 1;
    first.at = 1;
    first.data = (const char *)zip.bytes.data;
    first.len = zip.bytes.len;
    zip_add(&zip, &first);
    assert_refused(place, open_zip(place, &zip), "overlap");
}

static void test_sizes_that_cannot_be(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    zip_entry_t stored = {.name = "a", .data = "abc", .len = 3, .says_size = 4};
    zip_entry_t deflated = {.name = "a",
                            .data = "",
                            .len = 0,
                            .method = 8,
                            .packed = "\x03\0",
                            .packed_len = 2,
                            .says_size = 100000};

    zip_add(&zip, &stored);
    assert_refused(place, open_zip(place, &zip), "cannot have the size");
    zip_add(&zip, &deflated);
    assert_refused(place, open_zip(place, &zip), "cannot have the size");
    deflated.says_size = 5;
    zip_add(&zip, &deflated);
    assert_refused(place, open_zip(place, &zip), "damaged");
}

static void test_deep_and_long(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    char name[2001];
    int i;

    for (i = 0; i < 100; i++) {
        memcpy(name + i * 2, "d/", 2);
    }
    memcpy(name + 200, "f", 2);
    zip_text(&zip, name, "x");
    assert_refused(place, open_zip(place, &zip), "over 32 deep");

    memset(name, 'n', 2000);
    memcpy(name + 1995, ".jpeg", 6);
    zip_text(&zip, name, "x");
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_int_equal(strlen(file_at(place, 0)->path), 200);
    assert_string_equal(file_at(place, 0)->path + 195, ".jpeg");
}

/* --- unusual, but sound --- */

static void test_zip64_and_descriptors(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};
    zip_entry_t large = {.name = "a.txt", .data = "zip64", .len = 5, .zip64 = 1};
    zip_entry_t streamed = {.name = "b.txt", .data = "", .len = 10, .method = 8, .descriptor = 1};
    /* "streamed\n\n", deflated */
    static const char packed[] = "\x2b\x2e\x29\x4a\x4d\xcc\x4d\x4d\xe1\xe2\x02\x00";

    streamed.data = "streamed\n\n";
    streamed.packed = packed;
    streamed.packed_len = sizeof(packed) - 1;
    zip_add(&zip, &large);
    zip_add(&zip, &streamed);
    zip_end(&zip, 0, 1);
    receive(place, zip.bytes.data, zip.bytes.len);
    zip_free(&zip);
    assert_int_equal(open_received(place), APR_SUCCESS);
    assert_string_equal(unpacked(place, "a.txt"), "zip64");
    assert_string_equal(unpacked(place, "b.txt"), "streamed\n\n");
}

static void test_an_archive_in_an_archive_stays_one(void **state)
{
    place_t *place = *state;
    zip_t inner = {0}, zip = {0};
    zip_entry_t entry = {.name = "inner.zip"};

    zip_text(&inner, "../../evil", "evil");
    zip_end(&inner, 0, 0);
    entry.data = (const char *)inner.bytes.data;
    entry.len = inner.bytes.len;
    zip_add(&zip, &entry);
    assert_int_equal(open_zip(place, &zip), APR_SUCCESS);
    assert_int_equal(place->package->files->nelts, 1);
    assert_string_equal(file_at(place, 0)->type, "application/zip");
    zip_free(&inner);
}

static void test_something_around_it(void **state)
{
    place_t *place = *state;
    zip_t zip = {0};

    zip_text(&zip, "a.txt", "a");
    zip_end(&zip, 0, 0);
    put(&zip.bytes, "tail", 4);
    receive(place, zip.bytes.data, zip.bytes.len);
    assert_refused(place, open_received(place), "something follows its end");
    zip_free(&zip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        placed(test_paths_that_lead_out),
        placed(test_a_path_that_only_the_entry_has),
        placed(test_links_and_devices),
        placed(test_encrypted),
        placed(test_methods),
        placed(test_truncated),
        placed(test_damaged),
        placed(test_a_wrong_checksum),
        placed(test_many_entries_are_refused_at_once),
        placed(test_more_entries_than_the_end_says),
        placed(test_as_many_entries_as_are_allowed),
        placed(test_a_bomb),
        placed(test_a_bomb_that_lies),
        placed(test_entries_that_share_their_data),
        placed(test_sizes_that_cannot_be),
        placed(test_deep_and_long),
        placed(test_zip64_and_descriptors),
        placed(test_an_archive_in_an_archive_stays_one),
        placed(test_something_around_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
