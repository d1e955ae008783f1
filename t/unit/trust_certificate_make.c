/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* 81 bytes; the 64th is the second e of "eleven". */
#define LONG  "https://learning.example.org/departments/of/mathematics/room/eleven/and/then/some"
#define SHORT "https://moodle.example.org"

static mnet_new_key_t *makes(fixture_t *f, const char *wwwroot, const char *name,
                             const char *application)
{
    mnet_new_key_t *made = NULL;
    OK(mnet_certificate_make(f->crypto, wwwroot, name, application, KEY_BITS, NOON, SEC(7200),
                             &made, f->pool));
    return made;
}

static X509 *parsed(fixture_t *f, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(x509);
    return x509;
}

static mnet_certificate_t *reads(fixture_t *f, const char *pem)
{
    mnet_certificate_t *certificate = NULL;
    const char *why = NULL;
    OK(mnet_certificate_read(f->crypto, pem, &certificate, &why, f->pool));
    return certificate;
}

static const char *subject(fixture_t *f, X509 *x509)
{
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    X509_NAME_print_ex(bio, X509_get_subject_name(x509), 0, XN_FLAG_SEP_CPLUS_SPC);
    long len = BIO_get_mem_data(bio, &data);
    const char *text = apr_pstrmemdup(f->pool, data, (apr_size_t)len);
    BIO_free(bio);
    return text;
}

/* The shape of MNET protocol reference, 4.1. */
static void test_shape(void **state)
{
    fixture_t *f = *state;
    X509 *x509 = parsed(f, makes(f, SHORT, "The Site", "moodle")->pem);
    assert_int_equal(X509_get_version(x509), X509_VERSION_3);
    assert_int_equal(ASN1_INTEGER_get(X509_get0_serialNumber(x509)), 0);
    assert_int_equal(X509_get_signature_nid(x509), NID_sha256WithRSAEncryption);
    assert_int_equal(X509_verify(x509, X509_get0_pubkey(x509)), 1);
    assert_string_equal(subject(f, x509),
                        "O=The Site, OU=Moodle, CN=" SHORT ", subjectAltName=" SHORT);
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)), 0);
    X509_free(x509);
}

static void test_extensions(void **state)
{
    fixture_t *f = *state;
    X509 *x509 = parsed(f, makes(f, SHORT, "The Site", "moodle")->pem);
    const ASN1_OCTET_STRING *subject_id = X509_get0_subject_key_id(x509);
    const ASN1_OCTET_STRING *authority_id = X509_get0_authority_key_id(x509);
    assert_int_equal(X509_get_ext_count(x509), 3);
    assert_non_null(subject_id);
    assert_non_null(authority_id);
    assert_int_equal(ASN1_OCTET_STRING_cmp(subject_id, authority_id), 0);
    int at = X509_get_ext_by_NID(x509, NID_basic_constraints, -1);
    assert_true(at >= 0);
    assert_true(X509_EXTENSION_get_critical(X509_get_ext(x509, at)));
    assert_true(X509_get_extension_flags(x509) & EXFLAG_CA);
    assert_int_equal(X509_get_ext_by_NID(x509, NID_subject_alt_name, -1), -1);
    X509_free(x509);
}

static void test_names_are_utf8_strings(void **state)
{
    fixture_t *f = *state;
    X509 *x509 = parsed(f, makes(f, SHORT, "The Site", "moodle")->pem);
    const X509_NAME *name = X509_get_subject_name(x509);
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
        assert_int_equal(ASN1_STRING_type(text), V_ASN1_UTF8STRING);
    }
    X509_free(x509);
}

static void test_cn_is_cut_at_64_bytes(void **state)
{
    fixture_t *f = *state;
    mnet_certificate_t *certificate = reads(f, makes(f, LONG, "x", "moodle")->pem);
    assert_int_equal(strlen(certificate->cn), 64);
    assert_memory_equal(certificate->cn, LONG, 64);
    assert_string_equal(certificate->alt_name, LONG);
    assert_null(mnet_certificate_mismatch(certificate, LONG, f->pool));
    /* The same first 64 bytes are not enough where the whole is told. */
    assert_non_null(mnet_certificate_mismatch(certificate, LONG "/more", f->pool));
}

static void test_longest_wwwroot(void **state)
{
    fixture_t *f = *state;
    char wwwroot[257];
    memset(wwwroot, 'a', sizeof(wwwroot));
    memcpy(wwwroot, "https://", 8);
    wwwroot[255] = '\0';
    mnet_certificate_t *certificate = reads(f, makes(f, wwwroot, "x", "moodle")->pem);
    assert_string_equal(certificate->alt_name, wwwroot);
    assert_null(mnet_certificate_mismatch(certificate, wwwroot, f->pool));
    mnet_new_key_t *made = NULL;
    wwwroot[255] = 'a';
    wwwroot[256] = '\0';
    assert_int_equal(mnet_certificate_make(f->crypto, wwwroot, "x", "moodle", KEY_BITS, NOON,
                                           SEC(60), &made, f->pool),
                     MNET_E_INVALID);
}

static void test_organisation_is_cut_between_characters(void **state)
{
    fixture_t *f = *state;
    char name[2 * 80 + 1] = "";
    for (int i = 0; i < 80; i++) {
        strcat(name, "\xc3\xa9");
    }
    X509 *x509 = parsed(f, makes(f, SHORT, name, "mahara")->pem);
    const ASN1_STRING *text =
        X509_NAME_ENTRY_get_data(X509_NAME_get_entry(X509_get_subject_name(x509), 0));
    assert_int_equal(ASN1_STRING_length(text), 128);
    assert_memory_equal(ASN1_STRING_get0_data(text), name, 128);
    X509_free(x509);
}

static void test_names_that_are_not_utf8(void **state)
{
    fixture_t *f = *state;
    X509 *x509 = parsed(f, makes(f, SHORT, "caf\xe9\nbar", "mahara")->pem);
    assert_string_equal(subject(f, x509),
                        "O=caf??bar, OU=Mahara, CN=" SHORT ", subjectAltName=" SHORT);
    X509_free(x509);
}

static void test_times(void **state)
{
    fixture_t *f = *state;
    mnet_new_key_t *made = makes(f, SHORT, "x", "moodle");
    mnet_certificate_t *certificate = reads(f, made->pem);
    assert_int_equal(made->not_before, NOON - SEC(300));
    assert_int_equal(made->not_after, NOON + SEC(7200));
    assert_int_equal(certificate->not_before, made->not_before);
    assert_int_equal(certificate->not_after, made->not_after);
}

/* The key that comes back belongs to the certificate and is PKCS#8. */
static void test_key(void **state)
{
    fixture_t *f = *state;
    mnet_new_key_t *made = makes(f, SHORT, "x", "moodle");
    const unsigned char *at = made->key_der;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)made->key_len);
    assert_non_null(info);
    EVP_PKEY *key = EVP_PKCS82PKEY_ex(info, mnet_crypto_libctx(f->crypto), NULL);
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_eq(key, reads(f, made->pem)->key), 1);
    assert_int_equal(EVP_PKEY_get_bits(key), KEY_BITS);
    EVP_PKEY_free(key);
    PKCS8_PRIV_KEY_INFO_free(info);
}

static void test_pem_as_peers_clean_it(void **state)
{
    fixture_t *f = *state;
    const char *pem = makes(f, SHORT, "x", "moodle")->pem;
    X509 *x509 = parsed(f, pem);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    assert_true(PEM_write_bio_X509(bio, x509));
    long len = BIO_get_mem_data(bio, &data);
    assert_int_equal(len, strlen(pem));
    assert_memory_equal(data, pem, (size_t)len);
    BIO_free(bio);
    X509_free(x509);
}

static void test_arguments(void **state)
{
    fixture_t *f = *state;
    mnet_new_key_t *made = NULL;
    assert_int_equal(
        mnet_certificate_make(f->crypto, SHORT, "x", "moodle", 512, NOON, SEC(60), &made, f->pool),
        MNET_E_INVALID);
    assert_int_equal(mnet_certificate_make(f->crypto, SHORT, "x", "moodle", 16384, NOON, SEC(60),
                                           &made, f->pool),
                     MNET_E_INVALID);
    assert_int_equal(
        mnet_certificate_make(f->crypto, SHORT, "x", "moodle", KEY_BITS, NOON, 0, &made, f->pool),
        MNET_E_INVALID);
    assert_null(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shape, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_extensions, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_names_are_utf8_strings, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cn_is_cut_at_64_bytes, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_longest_wwwroot, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_organisation_is_cut_between_characters, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_names_that_are_not_utf8, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_times, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_key, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_pem_as_peers_clean_it, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_arguments, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
