/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_CERTIFICATE_H
#define MNET_TRUST_CERTIFICATE_H

/*
 * Certificates as MNET has them (protocol 4.1, 4.2): self-signed, bound to a wwwroot by a CN of at
 * most 64 bytes and an attribute of the subject named subjectAltName.
 */

#include <apr_pools.h>
#include <apr_time.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "wire/crypto.h"

/* A new RSA key with a certificate that Moodle's and Mahara's checks pass.  key_der: PKCS#8.  All
 * in pool; the DER is cleansed with it.  Slow (up to seconds): never in a transaction. */
typedef struct mnet_new_key_t {
    const unsigned char *key_der;
    apr_size_t key_len;
    const char *pem; /* exactly as PEM_write_bio_X509 writes it */
    apr_time_t not_before, not_after;
} mnet_new_key_t;
apr_status_t mnet_certificate_make(const mnet_crypto_t *crypto, const char *wwwroot,
                                   const char *site_name, const char *application, int bits,
                                   apr_time_t now, apr_interval_time_t lifetime,
                                   mnet_new_key_t **made, apr_pool_t *pool);

typedef struct mnet_certificate_t {
    const char *pem; /* in the canonical form, whatever came in */
    EVP_PKEY *key;   /* RSA, public; freed with the pool */
    int bits;
    apr_time_t not_before, not_after;
    const char *cn;           /* "": none, or several, which names nobody */
    const char *alt_name;     /* the attribute of the subject, or NULL */
    const char *organisation; /* of the subject; "": several; or NULL */
    const char *product;      /* of the PHP peer that made it, "Moodle" or "Mahara": OU, beside a
                               * country,      which ours lack (protocol 4.1); or NULL */
    const char *sha256;       /* fingerprints: "AB:CD:...", upper case */
    const char *sha1;
} mnet_certificate_t;

/* Reads the first certificate of a PEM text (CR LF, missing newline and text around it are
 * forgiven).  *why: a sentence.  MNET_E_INVALID: none, not RSA, under 1024 or over 8192 bits. */
apr_status_t mnet_certificate_read(const mnet_crypto_t *crypto, const char *pem,
                                   mnet_certificate_t **certificate, const char **why,
                                   apr_pool_t *pool);

/* A certificate's bytes as PEM_write_bio_X509 writes them: what peers take.  NULL without memory.
 */
const char *mnet_certificate_pem(const unsigned char *der, apr_size_t len, apr_pool_t *pool);

/* Is that a file, and are there certificates in it that TLS can be verified by? */
int mnet_certificate_authorities(const char *path);

/* Does it name this wwwroot (protocol 4.2)?  NULL if so, else the sentence that says what it names.
 */
const char *mnet_certificate_mismatch(const mnet_certificate_t *certificate, const char *wwwroot,
                                      apr_pool_t *pool);

#endif
