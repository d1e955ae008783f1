/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/certificate.h"

#include <string.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/status.h"
#include "base/text.h"
#include "trust/wwwroot.h"

#define UB_NAME      64                        /* characters of O and OU: RFC 5280, appendix A.1 */
#define BACKDATED    apr_time_from_sec(5 * 60) /* for peers whose clock is behind */
#define LIFETIME_MAX apr_time_from_sec((apr_time_t)100 * 365 * 24 * 60 * 60)

/* At most max characters of a text, which X.509 wants in UTF-8. */
static const char *cut_name(const char *text, int max, apr_pool_t *pool)
{
    apr_size_t len = strlen(text);
    char *cut = apr_pstrmemdup(pool, text, len);
    int utf8 = mnet_is_utf8(text, len);
    for (char *p = cut; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < ' ' || c == 0x7f || (c >= 0x80 && !utf8)) {
            *p = '?';
        }
        if (((unsigned char)*p & 0xc0) != 0x80 && max-- == 0) {
            *p = '\0';
            break;
        }
    }
    return cut;
}

static const char *capitalised(const char *application, apr_pool_t *pool)
{
    char *name = apr_pstrdup(pool, application);
    *name = (char)apr_toupper(*name);
    return name;
}

/* Set as UTF8String outright: neither a mask another part of the process chose, nor OpenSSL's
 * table of lengths (which has none for subjectAltName) has a say. */
static int add_name(X509_NAME *subject, int nid, const char *text)
{
    return !*text ||
           X509_NAME_add_entry_by_NID(subject, nid, V_ASN1_UTF8STRING, (const unsigned char *)text,
                                      (int)strlen(text), -1, 0);
}

/* MNET protocol reference, 4.1.  The place (C, ST, L) is left out: peers do not ask for it. */
static int add_subject(X509 *x509, const char *wwwroot, const char *site_name,
                       const char *application, apr_pool_t *pool)
{
    X509_NAME *subject = X509_get_subject_name(x509);
    return add_name(subject, NID_organizationName, cut_name(site_name, UB_NAME, pool)) &&
           add_name(subject, NID_organizationalUnitName,
                    cut_name(capitalised(application, pool), UB_NAME, pool)) &&
           add_name(subject, NID_commonName, mnet_wwwroot_cn(wwwroot, pool)) &&
           add_name(subject, NID_subject_alt_name, wwwroot) && X509_set_issuer_name(x509, subject);
}

static int add_extension(X509 *x509, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int ok = extension && X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

static int set_times(X509 *x509, const mnet_new_key_t *made)
{
    return ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)apr_time_sec(made->not_before)) &&
           ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)apr_time_sec(made->not_after));
}

static int fill(X509 *x509, EVP_PKEY *key, const mnet_new_key_t *made)
{
    return X509_set_version(x509, X509_VERSION_3) &&
           ASN1_INTEGER_set(X509_get_serialNumber(x509), 0) && set_times(x509, made) &&
           X509_set_pubkey(x509, key) && add_extension(x509, NID_subject_key_identifier, "hash") &&
           add_extension(x509, NID_authority_key_identifier, "keyid:always") &&
           add_extension(x509, NID_basic_constraints, "critical,CA:TRUE");
}

static const char *pem_of(X509 *x509, apr_pool_t *pool)
{
    unsigned char *der = NULL;
    int len = i2d_X509(x509, &der);
    const char *pem = len > 0 ? mnet_certificate_pem(der, (apr_size_t)len, pool) : NULL;
    OPENSSL_free(der);
    return pem;
}

static apr_status_t cleanse(void *data)
{
    mnet_new_key_t *made = data;
    OPENSSL_cleanse((void *)made->key_der, made->key_len);
    return APR_SUCCESS;
}

static int take_der(mnet_new_key_t *made, EVP_PKEY *key, apr_pool_t *pool)
{
    unsigned char *der = NULL;
    size_t len = 0;
    OSSL_ENCODER_CTX *encoder =
        OSSL_ENCODER_CTX_new_for_pkey(key, EVP_PKEY_KEYPAIR, "DER", "PrivateKeyInfo", NULL);
    if (encoder && OSSL_ENCODER_to_data(encoder, &der, &len)) {
        made->key_der = apr_pmemdup(pool, der, len);
        made->key_len = len;
        apr_pool_cleanup_register(pool, made, cleanse, apr_pool_cleanup_null);
    }
    OPENSSL_clear_free(der, len);
    OSSL_ENCODER_CTX_free(encoder);
    return made->key_der != NULL;
}

apr_status_t mnet_certificate_make(const mnet_crypto_t *crypto, const char *wwwroot,
                                   const char *site_name, const char *application, int bits,
                                   apr_time_t now, apr_interval_time_t lifetime,
                                   mnet_new_key_t **made, apr_pool_t *pool)
{
    if (bits < MNET_RSA_BITS_MIN || bits > MNET_MODULUS_MAX * 8 || lifetime <= 0 ||
        lifetime > LIFETIME_MAX || now < 0 || now > APR_INT64_MAX - LIFETIME_MAX ||
        strnlen(wwwroot, MNET_WWWROOT_MAX + 1) > MNET_WWWROOT_MAX) {
        return MNET_E_INVALID;
    }
    OSSL_LIB_CTX *libctx = mnet_crypto_libctx(crypto);
    mnet_new_key_t *fresh = apr_pcalloc(pool, sizeof(*fresh));
    /* Whole seconds, as in the certificate. */
    fresh->not_before = now > BACKDATED ? apr_time_from_sec(apr_time_sec(now - BACKDATED)) : 0;
    fresh->not_after = apr_time_from_sec(apr_time_sec(now + lifetime));
    ERR_set_mark();
    EVP_PKEY *key = EVP_PKEY_Q_keygen(libctx, NULL, "RSA", (size_t)bits);
    X509 *x509 = X509_new_ex(libctx, NULL);
    if (key && x509 && add_subject(x509, wwwroot, site_name, application, pool) &&
        fill(x509, key, fresh) && X509_sign(x509, key, EVP_sha256()) &&
        take_der(fresh, key, pool)) {
        fresh->pem = pem_of(x509, pool);
    }
    X509_free(x509);
    EVP_PKEY_free(key);
    ERR_pop_to_mark();
    if (!fresh->pem) {
        return MNET_E_CRYPTO;
    }
    *made = fresh;
    return APR_SUCCESS;
}
