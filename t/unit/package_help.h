/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_T_PACKAGE_HELP_H
#define MNET_T_PACKAGE_HELP_H

/*
 * Zip archives byte by byte, so that every one of them may lie, and a package to be opened in a
 * folder of its own.
 */

#include "wire_help.h"

#include <errno.h>
#include <fcntl.h>
#include <ctype.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <openssl/evp.h>

#include "base/text.h"
#include "package/package.h"

#define ZIP_MOST 70000

/* --- bytes --- */

typedef struct bytes_t {
    unsigned char *data;
    apr_size_t len, room;
} bytes_t;

HELP void put(bytes_t *b, const void *data, apr_size_t len)
{
    if (b->len + len > b->room) {
        b->room = (b->len + len) * 2 + 64;
        b->data = realloc(b->data, b->room);
        assert_non_null(b->data);
    }
    if (len) {
        memcpy(b->data + b->len, data, len);
    }
    b->len += len;
}

HELP void put_n(bytes_t *b, apr_uint64_t n, int size)
{
    for (; size; size--, n >>= 8) {
        unsigned char c = (unsigned char)n;

        put(b, &c, 1);
    }
}

HELP apr_uint32_t crc32_of(const void *data, apr_size_t len)
{
    const unsigned char *c = data;
    apr_uint32_t crc = 0xffffffff;
    int i;

    while (len--) {
        crc ^= *c++;
        for (i = 0; i < 8; i++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
    }
    return ~crc;
}

/* --- an archive --- */

typedef struct zip_t {
    bytes_t bytes, directory;
    apr_uint64_t entries;
} zip_t;

/* What an entry says of itself; 0: as it is. */
typedef struct zip_entry_t {
    const char *name;
    apr_size_t name_len;
    const char *data;
    apr_size_t len;
    unsigned int flags, method, made_by, attributes;
    apr_uint64_t says_size; /* instead of len, in both headers */
    apr_uint64_t at;        /* instead of its place, plus 1 */
    int no_local;           /* only in the directory */
    int descriptor;         /* sizes and CRC after the data */
    int zip64;              /* sizes in the extra field */
    const char *packed;     /* instead of data, with method */
    apr_size_t packed_len;
} zip_entry_t;

HELP void zip_extra64(bytes_t *b, const zip_entry_t *e, apr_uint64_t size, apr_uint64_t packed)
{
    if (e->zip64) {
        put_n(b, 1, 2);
        put_n(b, 16, 2);
        put_n(b, size, 8);
        put_n(b, packed, 8);
    }
}

HELP void zip_add(zip_t *zip, const zip_entry_t *e)
{
    apr_size_t name_len = e->name_len ? e->name_len : strlen(e->name);
    apr_uint64_t size = e->says_size ? e->says_size : e->len;
    apr_uint64_t packed = e->packed ? e->packed_len : e->len;
    apr_uint64_t at = e->at ? e->at - 1 : zip->bytes.len;
    unsigned int flags = e->flags | (e->descriptor ? 8 : 0);
    apr_uint32_t crc = crc32_of(e->data, e->len);

    if (!e->no_local) {
        put_n(&zip->bytes, 0x04034b50, 4);
        put_n(&zip->bytes, e->zip64 ? 45 : 20, 2);
        put_n(&zip->bytes, flags, 2);
        put_n(&zip->bytes, e->method, 2);
        put_n(&zip->bytes, 0x21 << 16, 4);
        put_n(&zip->bytes, e->descriptor ? 0 : crc, 4);
        put_n(&zip->bytes, e->zip64 ? 0xffffffff : e->descriptor ? 0 : packed, 4);
        put_n(&zip->bytes, e->zip64 ? 0xffffffff : e->descriptor ? 0 : size, 4);
        put_n(&zip->bytes, name_len, 2);
        put_n(&zip->bytes, e->zip64 ? 20 : 0, 2);
        put(&zip->bytes, e->name, name_len);
        zip_extra64(&zip->bytes, e, size, packed);
        put(&zip->bytes, e->packed ? e->packed : e->data, packed);
        if (e->descriptor) {
            put_n(&zip->bytes, 0x08074b50, 4);
            put_n(&zip->bytes, crc, 4);
            put_n(&zip->bytes, packed, 4);
            put_n(&zip->bytes, size, 4);
        }
    }
    put_n(&zip->directory, 0x02014b50, 4);
    put_n(&zip->directory, e->made_by, 2);
    put_n(&zip->directory, e->zip64 ? 45 : 20, 2);
    put_n(&zip->directory, flags, 2);
    put_n(&zip->directory, e->method, 2);
    put_n(&zip->directory, 0x21 << 16, 4);
    put_n(&zip->directory, crc, 4);
    put_n(&zip->directory, e->zip64 ? 0xffffffff : packed, 4);
    put_n(&zip->directory, e->zip64 ? 0xffffffff : size, 4);
    put_n(&zip->directory, name_len, 2);
    put_n(&zip->directory, e->zip64 ? 20 : 0, 2);
    put_n(&zip->directory, 0, 6);
    put_n(&zip->directory, e->attributes, 4);
    put_n(&zip->directory, at, 4);
    put(&zip->directory, e->name, name_len);
    zip_extra64(&zip->directory, e, size, packed);
    zip->entries++;
}

HELP void zip_text(zip_t *zip, const char *name, const char *text)
{
    zip_entry_t entry = {.name = name, .data = text, .len = strlen(text), .flags = 1 << 11};

    zip_add(zip, &entry);
}

HELP void zip_end64(zip_t *zip, apr_uint64_t at)
{
    apr_uint64_t end = zip->bytes.len;

    put_n(&zip->bytes, 0x06064b50, 4);
    put_n(&zip->bytes, 44, 8);
    put_n(&zip->bytes, 45, 2);
    put_n(&zip->bytes, 45, 2);
    put_n(&zip->bytes, 0, 8);
    put_n(&zip->bytes, zip->entries, 8);
    put_n(&zip->bytes, zip->entries, 8);
    put_n(&zip->bytes, zip->directory.len, 8);
    put_n(&zip->bytes, at, 8);
    put_n(&zip->bytes, 0x07064b50, 4);
    put_n(&zip->bytes, 0, 4);
    put_n(&zip->bytes, end, 8);
    put_n(&zip->bytes, 1, 4);
}

/* entries: what the end says, 0: as it is.  is_64: with the end of zip64, and nothing in the old.
 */
HELP void zip_end(zip_t *zip, apr_uint64_t entries, int is_64)
{
    apr_uint64_t at = zip->bytes.len, n = entries ? entries : zip->entries;

    put(&zip->bytes, zip->directory.data, zip->directory.len);
    if (is_64) {
        zip_end64(zip, at);
    }
    put_n(&zip->bytes, 0x06054b50, 4);
    put_n(&zip->bytes, 0, 4);
    put_n(&zip->bytes, is_64 ? 0xffff : n, 2);
    put_n(&zip->bytes, is_64 ? 0xffff : n, 2);
    put_n(&zip->bytes, is_64 ? 0xffffffff : zip->directory.len, 4);
    put_n(&zip->bytes, is_64 ? 0xffffffff : at, 4);
    put_n(&zip->bytes, 0, 2);
}

HELP void zip_free(zip_t *zip)
{
    free(zip->bytes.data);
    free(zip->directory.data);
}

/* --- a folder and what is opened in it --- */

typedef struct place_t {
    apr_pool_t *pool;
    char dir[64];
    mnet_crypto_t *crypto;
    mnet_package_source_t source;
    mnet_package_t *package;
    const char *why;
} place_t;

HELP int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    return remove(path);
}

HELP int place_setup(void **state)
{
    apr_pool_t *pool;
    place_t *place;
    const char *why;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    place = apr_pcalloc(pool, sizeof(*place));
    place->pool = pool;
    snprintf(place->dir, sizeof(place->dir), "/tmp/mnet-package-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    assert_int_equal(mnet_crypto_create(&place->crypto, &why, pool), APR_SUCCESS);
    place->source.path = apr_pstrcat(pool, place->dir, "/received", NULL);
    place->source.work = apr_pstrcat(pool, place->dir, "/work", NULL);
    place->source.total = -1;
    place->source.crypto = place->crypto;
    place->source.id = "0123456789abcdef";
    place->source.peer = "https://moodle.example";
    place->source.user = "alice";
    place->source.now = apr_time_from_sec(1764000000);
    assert_int_equal(mkdir(place->source.work, 0700), 0);
    *state = place;
    return 0;
}

HELP int place_teardown(void **state)
{
    place_t *place = *state;
    apr_pool_t *pool = place->pool;

    nftw(place->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}

#define placed(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

HELP void receive(place_t *place, const void *data, apr_size_t len)
{
    FILE *out = fopen(place->source.path, "wb");

    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

HELP apr_status_t open_received(place_t *place)
{
    apr_status_t rv = mnet_package_open(&place->package, &place->source, &place->why, place->pool);

    if (rv != APR_SUCCESS) {
        place->why = place->why ? place->why : "no reason given";
    }
    return rv;
}

HELP apr_status_t open_zip(place_t *place, zip_t *zip)
{
    zip_end(zip, 0, 0);
    receive(place, zip->bytes.data, zip->bytes.len);
    zip_free(zip);
    memset(zip, 0, sizeof(*zip));
    return open_received(place);
}

HELP const mnet_package_file_t *file_at(const place_t *place, int i)
{
    assert_true(i < place->package->files->nelts);
    return &APR_ARRAY_IDX(place->package->files, i, mnet_package_file_t);
}

HELP const mnet_package_file_t *file_named(const place_t *place, const char *path)
{
    int i;

    for (i = 0; i < place->package->files->nelts; i++) {
        if (!strcmp(file_at(place, i)->path, path)) {
            return file_at(place, i);
        }
    }
    return NULL;
}

HELP const char *content_of(const char *path, apr_pool_t *pool)
{
    FILE *in = fopen(path, "rb");
    char *text = apr_pcalloc(pool, 1 << 20);

    if (!in) {
        return NULL;
    }
    text[fread(text, 1, (1 << 20) - 1, in)] = '\0';
    fclose(in);
    return text;
}

HELP const char *unpacked(const place_t *place, const char *path)
{
    return content_of(apr_pstrcat(place->pool, place->package->folder, "/", path, NULL),
                      place->pool);
}

/* Of an empty folder: it stays, with nothing in it. */
HELP int is_empty(const char *dir)
{
    return !rmdir(dir) && !mkdir(dir, 0700);
}

/* Refused for good, with these words, and nothing is left. */
HELP void assert_refused(place_t *place, apr_status_t rv, const char *words)
{
    if (rv != MNET_E_REFUSED || !strstr(place->why, words)) {
        fail_msg("status %d: %s", rv, place->why ? place->why : "it was taken");
    }
    assert_null(place->package);
    assert_true(is_empty(place->source.work));
}

HELP const char *sha1_of(const char *text, apr_pool_t *pool)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned int len;

    EVP_Digest(text, strlen(text), out, &len, EVP_sha1(), NULL);
    return mnet_hex(out, len, pool);
}

HELP const char *md5_hex(const char *text, apr_pool_t *pool)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned int len;

    EVP_Digest(text, strlen(text), out, &len, EVP_md5(), NULL);
    return mnet_hex(out, len, pool);
}

HELP void expect_file(place_t *place, const char *filename, const char *content)
{
    mnet_package_expected_t expected = {filename, sha1_of(content, place->pool),
                                        (apr_off_t)strlen(content)};
    apr_array_header_t *manifest = (apr_array_header_t *)place->source.manifest;

    if (!manifest) {
        manifest = apr_array_make(place->pool, 4, sizeof(expected));
        place->source.manifest = manifest;
    }
    APR_ARRAY_PUSH(manifest, mnet_package_expected_t) = expected;
}

#endif
