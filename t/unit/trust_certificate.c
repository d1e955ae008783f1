/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define MOODLE "http://moodle.test:8081"
#define MAHARA "http://mahara.test:8082"

static mnet_certificate_t *reads(fixture_t *f, const char *pem)
{
    mnet_certificate_t *certificate = NULL;
    const char *why = NULL;
    apr_status_t rv = mnet_certificate_read(f->crypto, pem, &certificate, &why, f->pool);
    if (rv != APR_SUCCESS) {
        print_error("refused: %s\n", why);
    }
    OK(rv);
    return certificate;
}

static const char *refused(fixture_t *f, const char *pem)
{
    mnet_certificate_t *certificate = NULL;
    const char *why = NULL;
    assert_int_equal(mnet_certificate_read(f->crypto, pem, &certificate, &why, f->pool),
                     MNET_E_INVALID);
    assert_non_null(why);
    assert_null(certificate);
    return why;
}

/* Every certificate that real peers made is read, names its site and stays the same bytes. */
static void test_real_ones(void **state)
{
    fixture_t *f = *state;
    apr_dir_t *dir;
    apr_finfo_t file;
    int seen = 0;
    OK(apr_dir_open(&dir, "t/vectors/keys", f->pool));
    while (apr_dir_read(&file, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        if (!strstr(file.name, ".crt")) {
            continue;
        }
        const char *pem = fixture_file(f, apr_pstrcat(f->pool, "t/vectors/keys/", file.name, NULL));
        int moodle = !strncmp(file.name, "moodle", 6);
        mnet_certificate_t *certificate = reads(f, pem);
        assert_string_equal(certificate->cn, moodle ? MOODLE : MAHARA);
        assert_null(mnet_certificate_mismatch(certificate, moodle ? MOODLE : MAHARA, f->pool));
        assert_non_null(mnet_certificate_mismatch(certificate, moodle ? MAHARA : MOODLE, f->pool));
        assert_string_equal(certificate->pem, pem);
        assert_int_equal(certificate->bits, 2048);
        if (moodle) {
            assert_string_equal(certificate->alt_name, MOODLE);
        } else {
            assert_null(certificate->alt_name);
        }
        seen++;
    }
    apr_dir_close(dir);
    assert_int_equal(seen, 6);
}

/* openssl x509 -noout -fingerprint -sha256 and -sha1, -dates, of that file. */
static void test_facts_of_one(void **state)
{
    fixture_t *f = *state;
    mnet_certificate_t *certificate =
        reads(f, fixture_file(f, "t/vectors/keys/moodle-2895f363.crt"));
    assert_string_equal(certificate->sha256, "28:95:F3:63:CB:6F:A5:00:2C:00:01:AD:CB:B0:2B:B3:42:"
                                             "7D:56:75:B1:EE:2E:87:47:C3:F4:53:83:47:5F:36");
    assert_string_equal(certificate->sha1,
                        "14:B3:BB:9F:37:49:D9:7A:B6:A8:C0:A9:82:C3:5D:DF:3E:06:77:63");
    assert_int_equal(certificate->not_before, SEC(1795326543));
    assert_int_equal(certificate->not_after, SEC(1826862543));
}

static void test_forgiven_forms(void **state)
{
    fixture_t *f = *state;
    const char *pem = fixture_pem(f, MOODLE);
    apr_size_t len = strlen(pem);
    char *crlf = apr_palloc(f->pool, len * 2 + 1), *to = crlf;
    for (const char *p = pem; *p; p++) {
        if (*p == '\n') {
            *to++ = '\r';
        }
        *to++ = *p;
    }
    *to = '\0';
    assert_string_equal(reads(f, crlf)->pem, pem);
    assert_string_equal(reads(f, apr_pstrmemdup(f->pool, pem, len - 1))->pem, pem);
    assert_string_equal(reads(f, apr_pstrcat(f->pool, "Bag\n\n ", pem, "after", NULL))->pem, pem);
    const char *second = fixture_pem(f, MAHARA);
    assert_string_equal(reads(f, apr_pstrcat(f->pool, pem, second, NULL))->pem, pem);
}

static void test_refused_texts(void **state)
{
    fixture_t *f = *state;
    const char *pem = fixture_pem(f, MOODLE);
    refused(f, "");
    refused(f, NULL);
    refused(f, "hello");
    refused(f, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
    refused(f, "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
    refused(f, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    refused(f, apr_pstrmemdup(f->pool, pem, strlen(pem) / 2));
    char *huge = apr_palloc(f->pool, 70000);
    memset(huge, 'A', 69999);
    huge[69999] = '\0';
    refused(f, huge);
}

/* Cut anywhere inside, a certificate is refused and nothing worse. */
static void test_cut_short(void **state)
{
    fixture_t *f = *state;
    const char *pem = fixture_pem(f, MOODLE);
    const char *end = strstr(pem, "-----END");
    for (const char *p = strchr(pem, '\n') + 1; p < end - 4; p += 7) {
        refused(f, apr_psprintf(f->pool, "%.*s\n%s", (int)(p - pem), pem, end));
    }
}

static const char *certificate_with(fixture_t *f, EVP_PKEY *key, const char *cn,
                                    const char *second_cn)
{
    char *data;
    X509 *x509 = X509_new_ex(mnet_crypto_libctx(f->crypto), NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    X509_NAME *name = X509_get_subject_name(x509);
    assert_true(X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
                                           (const unsigned char *)cn, -1, -1, 0));
    assert_true(!second_cn ||
                X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
                                           (const unsigned char *)second_cn, -1, -1, 0));
    assert_true(X509_set_version(x509, X509_VERSION_3) && X509_set_issuer_name(x509, name) &&
                X509_gmtime_adj(X509_getm_notBefore(x509), 0) &&
                X509_gmtime_adj(X509_getm_notAfter(x509), 60) && X509_set_pubkey(x509, key) &&
                X509_sign(x509, key, EVP_sha256()) && PEM_write_bio_X509(bio, x509));
    long len = BIO_get_mem_data(bio, &data);
    const char *pem = apr_pstrmemdup(f->pool, data, (apr_size_t)len);
    BIO_free(bio);
    X509_free(x509);
    EVP_PKEY_free(key);
    return pem;
}

static void test_keys_that_are_refused(void **state)
{
    fixture_t *f = *state;
    OSSL_LIB_CTX *libctx = mnet_crypto_libctx(f->crypto);
    EVP_PKEY *ec = EVP_PKEY_Q_keygen(libctx, NULL, "EC", "P-256");
    EVP_PKEY *small = EVP_PKEY_Q_keygen(libctx, NULL, "RSA", (size_t)768);
    assert_non_null(strstr(refused(f, certificate_with(f, ec, MOODLE, NULL)), "RSA"));
    assert_non_null(strstr(refused(f, certificate_with(f, small, MOODLE, NULL)), "768"));
}

/* Two names are a way to be taken for either. */
static void test_two_names_name_nobody(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(mnet_crypto_libctx(f->crypto), NULL, "RSA", (size_t)1024);
    mnet_certificate_t *certificate = reads(f, certificate_with(f, key, MOODLE, MAHARA));
    assert_string_equal(certificate->cn, "");
    assert_non_null(mnet_certificate_mismatch(certificate, MOODLE, f->pool));
    assert_non_null(mnet_certificate_mismatch(certificate, MAHARA, f->pool));
}

static void test_mismatch_says_both(void **state)
{
    fixture_t *f = *state;
    mnet_certificate_t *certificate = reads(f, fixture_pem(f, MOODLE));
    const char *why = mnet_certificate_mismatch(certificate, MAHARA, f->pool);
    assert_string_equal(why, "it names " MOODLE ", not " MAHARA);
    assert_non_null(mnet_certificate_mismatch(certificate, MOODLE "/", f->pool));
    assert_non_null(mnet_certificate_mismatch(certificate, "https://moodle.test:8081", f->pool));
}

/* What is read is of our own context, so that its key can seal there. */
static void test_key_can_seal(void **state)
{
    fixture_t *f = *state;
    unsigned char session_key[MNET_SESSION_KEY] = {1}, wrapped[MNET_MODULUS_MAX];
    apr_size_t len = 0;
    mnet_certificate_t *certificate = reads(f, fixture_pem(f, MOODLE));
    OK(mnet_rsa_wrap(f->crypto, certificate->key, session_key, wrapped, &len));
    assert_int_equal(len, KEY_BITS / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_real_ones, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_facts_of_one, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_forgiven_forms, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_refused_texts, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cut_short, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_keys_that_are_refused, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_two_names_name_nobody, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_mismatch_says_both, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_key_can_seal, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
