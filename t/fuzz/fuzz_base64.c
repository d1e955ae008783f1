/* SPDX-License-Identifier: Apache-2.0 */

/* Input: a byte that says how large the pieces are, then a text. */

#include "fuzz_help.h"

#include "wire/base64.h"
#include "wire/spool.h"

static apr_status_t decode(const char *text, apr_size_t len, apr_size_t step, mnet_spool_t *spool)
{
    mnet_sink_t to = {mnet_spool_write, spool};
    mnet_base64_decoder_t decoder;
    mnet_sink_t in = {mnet_base64_decode, &decoder};
    apr_status_t rv;

    mnet_base64_decoder_init(&decoder, &to);
    rv = write_pieces(&in, text, len, step);
    return rv == APR_SUCCESS ? mnet_base64_decode_end(&decoder) : rv;
}

static int same(const mnet_spool_t *a, const mnet_spool_t *b)
{
    return mnet_spool_length(a) == mnet_spool_length(b) &&
           !memcmp(mnet_spool_text(a), mnet_spool_text(b), (size_t)mnet_spool_length(a));
}

static void fuzz(const char *data, apr_size_t len, apr_pool_t *pool)
{
    mnet_spool_t *whole = mnet_spool_create(0, NULL, pool);
    mnet_spool_t *pieces = mnet_spool_create(0, NULL, pool);
    mnet_spool_t *again = mnet_spool_create(0, NULL, pool);
    const char *text = data + 1, *encoded;
    apr_size_t at_once_len = 0;
    unsigned char *at_once;
    apr_status_t rv;

    len--;
    rv = decode(text, len, len + 1, whole);
    MUST(rv == APR_SUCCESS || rv == MNET_E_BASE64);
    MUST(decode(text, len, 1 + (unsigned char)data[0] % 16, pieces) == rv);
    at_once = mnet_base64_decode_text(text, len, len, &at_once_len, pool);
    MUST((at_once != NULL) == (rv == APR_SUCCESS));
    if (rv == APR_SUCCESS && mnet_spool_text(whole)) {
        MUST(same(whole, pieces));
        MUST((apr_off_t)at_once_len == mnet_spool_length(whole));
        MUST(!memcmp(at_once, mnet_spool_text(whole), at_once_len));
        encoded = mnet_base64_encode_text(at_once, at_once_len, pool);
        MUST((apr_off_t)strlen(encoded) == mnet_base64_length((apr_off_t)at_once_len));
        MUST(decode(encoded, strlen(encoded), 5, again) == APR_SUCCESS);
        MUST(same(whole, again));
    }
}
