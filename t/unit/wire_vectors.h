/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_T_WIRE_VECTORS_H
#define MNET_T_WIRE_VECTORS_H

/*
 * What the tests of the wire share: keys, files, and the captured messages of t/vectors
 * (messages.tsv).  Run from the top of the repository, or with MNET_VECTORS naming the directory.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/status.h"
#include "wire/crypto.h"

#define UNUSED_FN __attribute__((unused)) static

typedef struct fixture_t {
    apr_pool_t *pool;
    mnet_crypto_t *crypto;
} fixture_t;

UNUSED_FN int fixture_setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    const char *why = NULL;

    apr_initialize();
    apr_pool_create(&fixture->pool, NULL);
    if (mnet_crypto_create(&fixture->crypto, &why, fixture->pool) != APR_SUCCESS) {
        print_error("%s\n", why);
        return -1;
    }
    *state = fixture;
    return 0;
}

UNUSED_FN int fixture_teardown(void **state)
{
    fixture_t *fixture = *state;

    apr_pool_destroy(fixture->pool);
    free(fixture);
    apr_terminate();
    return 0;
}

/* NUL-terminated. */
UNUSED_FN char *read_file(const char *path, apr_size_t *len, apr_pool_t *pool)
{
    apr_file_t *file;
    apr_finfo_t info;
    char *data;

    if (apr_file_open(&file, path, APR_READ | APR_BINARY, 0, pool) != APR_SUCCESS)
        fail_msg("cannot open %s", path);
    assert_int_equal(apr_file_info_get(&info, APR_FINFO_SIZE, file), APR_SUCCESS);
    data = apr_palloc(pool, (apr_size_t)info.size + 1);
    if (info.size)
        assert_int_equal(apr_file_read_full(file, data, (apr_size_t)info.size, NULL), APR_SUCCESS);
    data[info.size] = '\0';
    apr_file_close(file);
    *len = (apr_size_t)info.size;
    return data;
}

UNUSED_FN const char *vector_path(const char *name, apr_pool_t *pool)
{
    const char *root = getenv("MNET_VECTORS");

    return apr_pstrcat(pool, root ? root : "t/vectors", "/", name, NULL);
}

UNUSED_FN char *read_vector(const char *name, apr_size_t *len, apr_pool_t *pool)
{
    return read_file(vector_path(name, pool), len, pool);
}

static apr_status_t key_free(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

UNUSED_FN EVP_PKEY *keep_key(EVP_PKEY *key, apr_pool_t *pool)
{
    assert_non_null(key);
    apr_pool_cleanup_register(pool, key, key_free, apr_pool_cleanup_null);
    return key;
}

UNUSED_FN EVP_PKEY *make_key(const fixture_t *fixture, size_t bits)
{
    return keep_key(EVP_PKEY_Q_keygen(mnet_crypto_libctx(fixture->crypto), NULL, "RSA", bits),
                    fixture->pool);
}

/* A private key of t/vectors: PKCS#8, DER. */
UNUSED_FN EVP_PKEY *vector_key(const fixture_t *fixture, const char *name)
{
    apr_size_t len;
    const unsigned char *der = (const unsigned char *)read_vector(name, &len, fixture->pool);

    return keep_key(
        d2i_AutoPrivateKey_ex(NULL, &der, (long)len, mnet_crypto_libctx(fixture->crypto), NULL),
        fixture->pool);
}

/* The public key of a certificate of t/vectors: PEM. */
UNUSED_FN EVP_PKEY *vector_cert_key(const fixture_t *fixture, const char *name)
{
    apr_size_t len;
    const char *pem = read_vector(name, &len, fixture->pool);
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    X509 *cert = X509_new_ex(mnet_crypto_libctx(fixture->crypto), NULL);
    EVP_PKEY *key;

    assert_non_null(PEM_read_bio_X509(bio, &cert, NULL, NULL));
    key = X509_get_pubkey(cert);
    X509_free(cert);
    BIO_free(bio);
    return keep_key(key, fixture->pool);
}

/* One line of messages.tsv; NULL where it has "-". */
typedef struct vector_t {
    const char *wire, *sender, *receiver, *role;
    int is_encrypted, is_signed;
    const char *outer_wwwroot, *wwwroot, *timestamp, *session_key, *decrypt_key, *signature_cert;
    int signature_valid;
    const char *signed_file, *plain_file;
} vector_t;

#define VECTOR_COLUMNS 15

UNUSED_FN vector_t *parse_vector(char *line, apr_pool_t *pool)
{
    const char *cells[VECTOR_COLUMNS];
    vector_t *vector = apr_pcalloc(pool, sizeof *vector);
    int i;

    for (i = 0; i < VECTOR_COLUMNS; i++) {
        char *cell = strsep(&line, "\t");

        assert_non_null(cell);
        cells[i] = strcmp(cell, "-") ? cell : NULL;
    }
    assert_null(line);
    vector->wire = cells[0];
    vector->sender = cells[1];
    vector->receiver = cells[2];
    vector->role = cells[3];
    vector->is_encrypted = strcmp(cells[4], "yes") == 0;
    vector->is_signed = strcmp(cells[5], "yes") == 0;
    vector->outer_wwwroot = cells[6];
    vector->wwwroot = cells[7];
    vector->timestamp = cells[8];
    vector->session_key = cells[9];
    vector->decrypt_key = cells[10];
    vector->signature_cert = cells[11];
    vector->signature_valid = cells[12] && strcmp(cells[12], "yes") == 0;
    vector->signed_file = cells[13];
    vector->plain_file = cells[14];
    return vector;
}

/* Every captured message: vector_t *. */
UNUSED_FN apr_array_header_t *read_vectors(apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 200, sizeof(vector_t *));
    apr_size_t len;
    char *text = read_vector("messages.tsv", &len, pool);
    char *line = strsep(&text, "\n"); /* the heading */

    while ((line = strsep(&text, "\n")) && *line)
        APR_ARRAY_PUSH(all, vector_t *) = parse_vector(line, pool);
    assert_true(all->nelts > 150);
    return all;
}

/* Base64 between two marks of a text, by OpenSSL's decoder: independent of ours. */
UNUSED_FN unsigned char *base64_between(const char *text, const char *from, const char *to,
                                        apr_size_t *len, apr_pool_t *pool)
{
    const char *start = strstr(text, from);
    const char *end = start ? strstr(start + strlen(from), to) : NULL;
    unsigned char *out;
    int size;

    *len = 0;
    if (!end || end < start) {
        fail_msg("no %s", from);
        return NULL;
    }
    start += strlen(from);
    out = apr_palloc(pool, (apr_size_t)(end - start) + 4);
    size = EVP_DecodeBlock(out, (const unsigned char *)start, (int)(end - start));
    assert_true(size >= 0);
    while (end > start && end[-1] == '=') {
        end--;
        size--;
    }
    *len = (apr_size_t)size;
    return out;
}

UNUSED_FN const char *hex_of(const unsigned char *data, apr_size_t len, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, 2 * len + 1);
    apr_size_t i;

    for (i = 0; i < len; i++)
        apr_snprintf(out + 2 * i, 3, "%02x", data[i]);
    out[2 * len] = '\0';
    return out;
}

/* A sink that keeps everything. */
typedef struct keep_t {
    mnet_sink_t sink;
    apr_pool_t *pool;
    char *data;
    apr_size_t len, room;
    apr_size_t smallest; /* of the pieces before the last */
    apr_size_t last;
    int pieces;
} keep_t;

UNUSED_FN apr_status_t keep_write(void *baton, const char *data, apr_size_t len)
{
    keep_t *keep = baton;

    if (keep->len + len + 1 > keep->room) {
        char *more;

        keep->room = 2 * (keep->len + len + 1);
        more = apr_palloc(keep->pool, keep->room);
        if (keep->len)
            memcpy(more, keep->data, keep->len);
        keep->data = more;
    }
    memcpy(keep->data + keep->len, data, len);
    keep->len += len;
    keep->data[keep->len] = '\0';
    if (keep->pieces && (!keep->smallest || keep->last < keep->smallest))
        keep->smallest = keep->last;
    keep->last = len;
    keep->pieces++;
    return APR_SUCCESS;
}

UNUSED_FN keep_t *keep_create(apr_pool_t *pool)
{
    keep_t *keep = apr_pcalloc(pool, sizeof *keep);

    keep->pool = pool;
    keep->sink.write = keep_write;
    keep->sink.baton = keep;
    return keep;
}

#endif
