/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/certificate.h"

#include <string.h>
#include <apr_strings.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509_vfy.h>

#include "base/status.h"
#include "base/text.h"
#include "trust/wwwroot.h"
#include "wire/base64.h"

#define PEM_MAX   (64 * 1024)
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----"

/* The DER between the first pair of marks, or NULL. */
static unsigned char *der_of(const char *pem, apr_size_t *len, const char **why, apr_pool_t *pool)
{
    if (!pem || strnlen(pem, PEM_MAX + 1) > PEM_MAX) {
        *why = pem ? "the text is too long for a certificate" : "there is no text";
        return NULL;
    }
    const char *from = strstr(pem, PEM_BEGIN);
    const char *to = from ? strstr(from, PEM_END) : NULL;
    if (!to) {
        *why = "the text has no " PEM_BEGIN " with its END";
        return NULL;
    }
    from += strlen(PEM_BEGIN);
    unsigned char *der = mnet_base64_decode_text(from, (apr_size_t)(to - from), PEM_MAX, len, pool);
    if (!der) {
        *why = "what stands between its BEGIN and END is no base64";
    }
    return der;
}

static apr_status_t free_key(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

/* An exponent of 1 would sign everything, a huge one is a way to keep us busy. */
static int exponent_is_sane(const EVP_PKEY *key)
{
    BIGNUM *e = NULL;
    int sane = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) && BN_is_odd(e) &&
               !BN_is_one(e) && BN_num_bits(e) <= 64;
    BN_free(e);
    return sane;
}

static apr_status_t take_key(mnet_certificate_t *certificate, X509 *x509, const char **why,
                             apr_pool_t *pool)
{
    EVP_PKEY *key = X509_get0_pubkey(x509);
    if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        *why = "its key is not RSA";
        return MNET_E_INVALID;
    }
    certificate->bits = EVP_PKEY_get_bits(key);
    if (certificate->bits < MNET_RSA_BITS_MIN || certificate->bits > MNET_MODULUS_MAX * 8) {
        *why = apr_psprintf(pool, "its key has %d bits; %d to %d are accepted", certificate->bits,
                            MNET_RSA_BITS_MIN, MNET_MODULUS_MAX * 8);
        return MNET_E_INVALID;
    }
    if (!exponent_is_sane(key)) {
        *why = "the public exponent of its key is unsafe";
        return MNET_E_INVALID;
    }
    if (!EVP_PKEY_up_ref(key)) {
        return MNET_E_CRYPTO;
    }
    apr_pool_cleanup_register(pool, key, free_key, apr_pool_cleanup_null);
    certificate->key = key;
    return APR_SUCCESS;
}

static apr_status_t take_time(const ASN1_TIME *from, apr_time_t *to)
{
    struct tm tm;
    apr_time_exp_t exploded = {0};
    if (!ASN1_TIME_to_tm(from, &tm)) {
        return MNET_E_INVALID;
    }
    exploded.tm_sec = tm.tm_sec;
    exploded.tm_min = tm.tm_min;
    exploded.tm_hour = tm.tm_hour;
    exploded.tm_mday = tm.tm_mday;
    exploded.tm_mon = tm.tm_mon;
    exploded.tm_year = tm.tm_year;
    return apr_time_exp_gmt_get(to, &exploded);
}

/* The one attribute of that kind as UTF-8.  NULL: none; "": several, or with a NUL in it, which
 * names nobody. */
static const char *take_name(const X509_NAME *subject, int nid, apr_pool_t *pool)
{
    int at = X509_NAME_get_index_by_NID(subject, nid, -1);
    if (at < 0) {
        return NULL;
    }
    const char *name = "";
    unsigned char *text = NULL;
    int len =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (len > 0 && !memchr(text, 0, (size_t)len) &&
        X509_NAME_get_index_by_NID(subject, nid, at) < 0) {
        name = apr_pstrmemdup(pool, (const char *)text, (apr_size_t)len);
    }
    OPENSSL_free(text);
    return name;
}

static const char *fingerprint(const mnet_crypto_t *crypto, const char *algorithm,
                               const unsigned char *der, apr_size_t len, apr_pool_t *pool)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t size = 0;
    if (!EVP_Q_digest(mnet_crypto_libctx(crypto), algorithm, NULL, der, len, digest, &size) ||
        !size) {
        return NULL;
    }
    char *text = apr_palloc(pool, size * 3);
    for (size_t i = 0; i < size; i++) {
        text[i * 3] = digits[digest[i] >> 4];
        text[i * 3 + 1] = digits[digest[i] & 15];
        text[i * 3 + 2] = ':';
    }
    text[size * 3 - 1] = '\0';
    return text;
}

const char *mnet_certificate_pem(const unsigned char *der, apr_size_t len, apr_pool_t *pool)
{
    const char *pem = NULL;
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && PEM_write_bio(bio, PEM_STRING_X509, "", der, (long)len) > 0) {
        long size = BIO_get_mem_data(bio, &data);
        pem = size > 0 ? apr_pstrmemdup(pool, data, (apr_size_t)size) : NULL;
    }
    BIO_free(bio);
    return pem;
}

/* Everything but the key. */
static apr_status_t take_facts(const mnet_crypto_t *crypto, mnet_certificate_t *certificate,
                               X509 *x509, const unsigned char *der, apr_size_t len,
                               const char **why, apr_pool_t *pool)
{
    const X509_NAME *subject = X509_get_subject_name(x509);
    if (take_time(X509_get0_notBefore(x509), &certificate->not_before) != APR_SUCCESS ||
        take_time(X509_get0_notAfter(x509), &certificate->not_after) != APR_SUCCESS) {
        *why = "its dates cannot be read";
        return MNET_E_INVALID;
    }
    certificate->cn = take_name(subject, NID_commonName, pool);
    certificate->cn = certificate->cn ? certificate->cn : "";
    certificate->alt_name = take_name(subject, NID_subject_alt_name, pool);
    certificate->organisation = take_name(subject, NID_organizationName, pool);
    certificate->product = take_name(subject, NID_countryName, pool)
                               ? take_name(subject, NID_organizationalUnitName, pool)
                               : NULL;
    certificate->sha256 = fingerprint(crypto, "SHA256", der, len, pool);
    certificate->sha1 = fingerprint(crypto, "SHA1", der, len, pool);
    certificate->pem = mnet_certificate_pem(der, len, pool);
    return certificate->sha256 && certificate->sha1 && certificate->pem ? APR_SUCCESS
                                                                        : MNET_E_CRYPTO;
}

apr_status_t mnet_certificate_read(const mnet_crypto_t *crypto, const char *pem,
                                   mnet_certificate_t **certificate, const char **why,
                                   apr_pool_t *pool)
{
    apr_size_t len = 0;
    *why = "OpenSSL refused it";
    unsigned char *der = der_of(pem, &len, why, pool);
    if (!der || !len) {
        return MNET_E_INVALID;
    }
    /* Made in our context, so that its key lives there too. */
    X509 *x509 = X509_new_ex(mnet_crypto_libctx(crypto), NULL);
    if (!x509) {
        return MNET_E_CRYPTO;
    }
    ERR_set_mark();
    apr_status_t rv = MNET_E_INVALID;
    const unsigned char *at = der;
    mnet_certificate_t *read = apr_pcalloc(pool, sizeof(*read));
    if (!d2i_X509(&x509, &at, (long)len) || at != der + len) {
        *why = "what stands between its BEGIN and END is no certificate";
    } else {
        rv = take_key(read, x509, why, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = take_facts(crypto, read, x509, der, len, why, pool);
    }
    X509_free(x509);
    ERR_pop_to_mark();
    if (rv == APR_SUCCESS) {
        *why = NULL;
        *certificate = read;
    }
    return rv;
}

const char *mnet_certificate_mismatch(const mnet_certificate_t *certificate, const char *wwwroot,
                                      apr_pool_t *pool)
{
    const char *named = certificate->cn;
    int whole = !strcmp(certificate->cn, wwwroot); /* Mahara before 17.04, Moodle before 2.6 */
    int cut = !strcmp(certificate->cn, mnet_wwwroot_cn(wwwroot, pool));
    if (certificate->alt_name && strcmp(certificate->alt_name, wwwroot)) {
        named = certificate->alt_name;
    } else if (whole || cut) {
        return NULL;
    }
    return apr_psprintf(pool, "it names %s, not %s",
                        *named ? mnet_for_log(named, strlen(named), MNET_WWWROOT_MAX, pool)
                               : "nobody",
                        mnet_for_log(wwwroot, strlen(wwwroot), MNET_WWWROOT_MAX, pool));
}

int mnet_certificate_authorities(const char *path)
{
    X509_STORE *store = X509_STORE_new();
    int ok;

    ERR_set_mark();
    ok = store && X509_STORE_load_file(store, path) == 1;
    ERR_pop_to_mark();
    X509_STORE_free(store);
    return ok;
}
