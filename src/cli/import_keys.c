/* SPDX-License-Identifier: Apache-2.0 */

/* The keys of a site that moves here: its current key becomes ours. */
#include "cli/transfer.h"

#include <string.h>

#include <apr_strings.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/status.h"
#include "trust/key_record.h"

#define KEYS_MAX 1001 /* the longest MnetKeyHistory and the current one */

/* A private key in PEM as PKCS#8 DER, if it is the certificate's.  NULL if not. */
static unsigned char *read_private(const cli_t *cli, const char *pem,
                                   const mnet_certificate_t *certificate, apr_size_t *len)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = NULL;
    PKCS8_PRIV_KEY_INFO *info = NULL;
    unsigned char *der = NULL, *copy = NULL;
    int n = -1;

    ERR_set_mark();
    if (bio != NULL) {
        key = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, (void *)"",
                                         mnet_crypto_libctx(cli->engine->crypto), NULL);
    }
    if (key != NULL && EVP_PKEY_eq(key, certificate->key) == 1) {
        info = EVP_PKEY2PKCS8(key);
    }
    if (info != NULL) {
        n = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    }
    if (n > 0) {
        copy = apr_pmemdup(cli->pool, der, (apr_size_t)n);
        *len = (apr_size_t)n;
        OPENSSL_clear_free(der, (apr_size_t)n);
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_pop_to_mark();
    return copy;
}

static int read_key(const cli_t *cli, const mnet_host_t *host, const mnet_value_t *value,
                    mnet_key_record_t *record)
{
    const char *pem = mnet_as_text(mnet_get(value, "certificate"), cli->pool);
    const char *secret = mnet_as_text(mnet_get(value, "private_key"), cli->pool);
    mnet_certificate_t *certificate = cli_certificate_read(cli, pem);
    const char *why;

    if (certificate == NULL || secret == NULL) {
        return cli_fail(cli, "state", "a key of %s cannot be read; nothing was imported",
                        host->site->wwwroot);
    }
    why = mnet_certificate_mismatch(certificate, host->site->wwwroot, cli->pool);
    if (why != NULL) {
        return cli_fail(cli, "trust", "%s; nothing was imported", why);
    }
    record->key_der = read_private(cli, secret, certificate, &record->key_len);
    if (record->key_der == NULL) {
        return cli_fail(cli, "trust",
                        "a private key does not belong to its certificate; nothing was imported");
    }
    record->pem = certificate->pem;
    record->not_before = certificate->not_before;
    record->not_after = certificate->not_after;
    record->created = certificate->not_before;
    return CLI_OK;
}

typedef struct newest_t {
    apr_size_t prefix_len;
    apr_uint64_t seq;
} newest_t;

/* A mnet_each_fn: in the order of the numbers. */
static apr_status_t see(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                        const void *data, apr_size_t len)
{
    newest_t *newest = baton;

    newest->seq = mnet_key_seq(key, key_len, newest->prefix_len);
    return APR_SUCCESS;
}

/* All of them on top of what is there, the file's current one last, so that it is in force. */
static apr_status_t put_keys(const cli_t *cli, mnet_txn_t *txn, const char *wwwroot,
                             const mnet_key_record_t *records, int count)
{
    unsigned char name[MNET_KEY_NAME_MAX];
    newest_t newest = {mnet_key_name(name, wwwroot, NULL), 0};
    apr_status_t rv =
        mnet_txn_each(txn, MNET_KEY_GROUP, name, newest.prefix_len, NULL, 0, see, &newest);
    int i;

    for (i = count - 1; rv == APR_SUCCESS && i >= 0; i--) {
        apr_size_t len;
        void *packed = mnet_key_pack(&records[i], &len, cli->pool);

        newest.seq++;
        rv = mnet_txn_put(txn, MNET_KEY_GROUP, name, mnet_key_name(name, wwwroot, &newest.seq),
                          packed, len);
        OPENSSL_cleanse(packed, len);
    }
    return rv == APR_SUCCESS ? mnet_txn_touch(txn) : rv;
}

static int ring_has(const mnet_ring_t *ring, const char *pem)
{
    int i;

    for (i = 0; ring != NULL && i < ring->count; i++) {
        if (strcmp(ring->pems[i], pem) == 0) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t write_keys(const cli_t *cli, const mnet_host_t *host,
                               const mnet_key_record_t *records, int count)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(cli->engine->store, MNET_WRITE, &txn, cli->pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = put_keys(cli, txn, host->site->wwwroot, records, count);
    if (rv == APR_SUCCESS) {
        return mnet_txn_commit(txn);
    }
    mnet_txn_abort(txn);
    return rv;
}

/* Those that we do not have yet; none if the file's current key is ours. */
static int read_keys(cli_t *cli, mnet_host_t *host, const mnet_value_t *keys,
                     mnet_key_record_t *records, int *count)
{
    mnet_key_record_t record = {0};
    const mnet_ring_t *ring;
    int i, rv = cli_ring(cli, host, &ring);

    *count = 0;
    for (i = 0; rv == CLI_OK && i < mnet_count(keys); i++) {
        rv = read_key(cli, host, mnet_item(keys, i), &record);
        if (rv != CLI_OK || record.pem == NULL) {
            break;
        }
        if (i == 0 && ring != NULL && strcmp(ring->pems[0], record.pem) == 0) {
            return CLI_OK;
        }
        if (i == 0 || !ring_has(ring, record.pem)) {
            records[(*count)++] = record;
        }
    }
    return rv;
}

int cli_import_keys(cli_t *cli, mnet_host_t *host, const mnet_value_t *keys, int write, int *count)
{
    mnet_key_record_t *records;
    apr_status_t status = APR_SUCCESS;
    int i, rv;

    *count = 0;
    if (mnet_count(keys) > KEYS_MAX) {
        return cli_fail(cli, "state", "the file has too many keys; nothing was imported");
    }
    records = apr_pcalloc(cli->pool, sizeof(*records) * ((apr_size_t)mnet_count(keys) + 1));
    rv = read_keys(cli, host, keys, records, count);
    if (rv == CLI_OK && write && *count > 0) {
        status = write_keys(cli, host, records, *count);
    }
    for (i = 0; i < *count; i++) {
        OPENSSL_cleanse((void *)records[i].key_der, records[i].key_len);
    }
    return status == APR_SUCCESS ? rv : cli_fail_rv(cli, status, "no key was imported");
}
