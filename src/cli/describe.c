/* SPDX-License-Identifier: Apache-2.0 */

/* How the things of MNET are named and shown. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "base/text.h"

const char *cli_date(const cli_t *cli, apr_time_t when)
{
    return when > 0 ? mnet_format_date(when, cli->pool) : "-";
}

mnet_value_t *cli_date_value(const cli_t *cli, apr_time_t when)
{
    return when > 0 ? mnet_string(mnet_format_date(when, cli->pool), cli->pool)
                    : mnet_nil(cli->pool);
}

const char *cli_join(const cli_t *cli, const apr_array_header_t *texts)
{
    return texts == NULL || texts->nelts == 0 ? "-" : apr_array_pstrcat(cli->pool, texts, ' ');
}

const char *cli_subscription(const cli_t *cli, const mnet_subscription_t *subscription)
{
    if (subscription->patterns == NULL) {
        return subscription->service;
    }
    return apr_pstrcat(cli->pool, subscription->service, "=",
                       apr_array_pstrcat(cli->pool, subscription->patterns, ','), NULL);
}

const char *cli_bytes(const cli_t *cli, apr_int64_t n)
{
    char text[8];

    apr_strfsize((apr_off_t)n, text);
    apr_collapse_spaces(text, text);
    return apr_pstrdup(cli->pool, text);
}

apr_status_t cli_peer_share(const cli_t *cli, const mnet_peer_t *peer, mnet_share_t *share)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(cli->engine->store, MNET_READ, &txn, cli->pool);

    if (rv == APR_SUCCESS) {
        rv = mnet_share_look(txn, peer->id, apr_time_now(), share);
        mnet_txn_abort(txn);
    }
    return rv;
}

apr_array_header_t *cli_subscriptions(const cli_t *cli, const apr_array_header_t *subscribe)
{
    apr_array_header_t *texts = apr_array_make(cli->pool, 4, sizeof(const char *));
    int i;

    for (i = 0; subscribe != NULL && i < subscribe->nelts; i++) {
        APR_ARRAY_PUSH(texts, const char *) =
            cli_subscription(cli, &APR_ARRAY_IDX(subscribe, i, mnet_subscription_t));
    }
    return texts;
}

mnet_value_t *cli_texts_value(const cli_t *cli, const apr_array_header_t *texts)
{
    mnet_value_t *list = mnet_array(cli->pool);
    int i;

    for (i = 0; texts != NULL && i < texts->nelts; i++) {
        mnet_append(list, mnet_string(APR_ARRAY_IDX(texts, i, const char *), cli->pool));
    }
    return list;
}

mnet_value_t *cli_text_or_nil(const cli_t *cli, const char *text)
{
    return text != NULL ? mnet_string(text, cli->pool) : mnet_nil(cli->pool);
}

const char *cli_trust_name(mnet_trust_e trust)
{
    switch (trust) {
    case MNET_TRUST_CONFIG:
        return "configured";
    case MNET_TRUST_CONFIRMED:
        return "confirmed";
    case MNET_TRUST_ROTATED:
        return "rotated";
    case MNET_TRUST_KEYSWAP:
        return "unconfirmed";
    case MNET_TRUST_NONE:
    default:
        return "none";
    }
}

const char *cli_tls_name(int tls)
{
    return tls == MNET_TLS_INSECURE ? "insecure" : tls == MNET_TLS_CAFILE ? "cafile" : "verify";
}

const char *cli_charset_name(int charset)
{
    return charset == MNET_PEER_CHARSET_UTF8    ? "utf8"
           : charset == MNET_PEER_CHARSET_BYTES ? "bytes"
                                                : "auto";
}

void cli_certificate(const cli_t *cli, const mnet_certificate_t *certificate, const char *came)
{
    cli_table_t *table = cli_table(cli, 2);
    const char *validity = apr_pstrcat(cli->pool, cli_date(cli, certificate->not_before), " to ",
                                       cli_date(cli, certificate->not_after), NULL);

    cli_row(table, "SHA-256", certificate->sha256);
    cli_row(table, "SHA-1", certificate->sha1);
    cli_row(table, "subject", certificate->cn ? certificate->cn : "-");
    if (certificate->alt_name != NULL) {
        cli_row(table, "alt name", certificate->alt_name);
    }
    cli_row(table, "valid", validity);
    cli_row(table, "key", apr_psprintf(cli->pool, "RSA %d", certificate->bits));
    if (came != NULL) {
        cli_row(table, "came", came);
    }
    cli_table_print(cli, table, 2);
}

mnet_value_t *cli_certificate_value(const cli_t *cli, const mnet_certificate_t *certificate)
{
    mnet_value_t *value;

    if (certificate == NULL) {
        return mnet_nil(cli->pool);
    }
    value = mnet_struct(cli->pool);
    mnet_set(value, "sha256", mnet_string(certificate->sha256, cli->pool));
    mnet_set(value, "sha1", mnet_string(certificate->sha1, cli->pool));
    mnet_set(value, "subject", cli_text_or_nil(cli, certificate->cn));
    mnet_set(value, "alt_name", cli_text_or_nil(cli, certificate->alt_name));
    mnet_set(value, "not_before", cli_date_value(cli, certificate->not_before));
    mnet_set(value, "not_after", cli_date_value(cli, certificate->not_after));
    mnet_set(value, "bits", mnet_int(certificate->bits, cli->pool));
    mnet_set(value, "pem", mnet_string(certificate->pem, cli->pool));
    return value;
}

mnet_certificate_t *cli_certificate_read(const cli_t *cli, const char *pem)
{
    mnet_certificate_t *certificate = NULL;
    const char *why;

    if (pem == NULL || mnet_certificate_read(cli->engine->crypto, pem, &certificate, &why,
                                             cli->pool) != APR_SUCCESS) {
        return NULL;
    }
    return certificate;
}

int cli_read_file(const cli_t *cli, const char *path, apr_size_t max, char **text, apr_size_t *len)
{
    int standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    apr_size_t room = 64 * 1024;

    *len = 0;
    if (file == NULL) {
        return cli_fail(cli, "state", "%s cannot be read: %s", path, strerror(errno));
    }
    *text = apr_palloc(cli->pool, room + 1);
    while (*len <= max) {
        apr_size_t got = fread(*text + *len, 1, room - *len, file);

        *len += got;
        if (got == 0 || feof(file) || ferror(file)) {
            break;
        }
        if (*len == room) {
            char *more = apr_palloc(cli->pool, room * 2 + 1);

            memcpy(more, *text, *len);
            *text = more;
            room *= 2;
        }
    }
    (*text)[*len] = '\0';
    if (ferror(file) || *len > max) {
        int big = *len > max;

        if (!standard) {
            fclose(file);
        }
        return cli_fail(cli, "state", big ? "%s is too long" : "%s could not be read in full",
                        path);
    }
    if (!standard) {
        fclose(file);
    }
    return CLI_OK;
}
