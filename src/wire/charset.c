/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/xmlrpc.h"

#include <string.h>

#include "base/status.h"
#include "base/text.h"

const char *mnet_fold_bytes(const char *text, apr_size_t len, apr_size_t *folded_len,
                            apr_pool_t *pool)
{
    apr_size_t i, n = 0;
    unsigned int code;
    char *folded;

    for (i = 0; i < len && !(text[i] & 0x80); i++) {
    }
    if (i == len) {
        return NULL; /* most texts are ASCII: not a byte is copied for them */
    }
    folded = apr_palloc(pool, len + 1);
    for (i = 0; i < len;) {
        int used = mnet_utf8_next(text + i, len - i, &code);

        if (used <= 0 || code > 0xff) {
            return NULL;
        }
        folded[n++] = (char)code;
        i += (apr_size_t)used;
    }
    if (!mnet_is_utf8(folded, n)) {
        return NULL;
    }
    folded[n] = '\0';
    *folded_len = n;
    return folded;
}

/* A long text on its way from one spool to another. */
typedef struct fold_t {
    mnet_spool_t *to;
    unsigned char lead; /* of a character of two bytes, or 0 */
    int beyond;         /* there was something beyond ASCII */
    apr_size_t len;
    char bytes[4096]; /* folded, not looked at yet */
} fold_t;

/* Passes on what is UTF-8 so far; a sequence that is not complete waits for its rest. */
static apr_status_t flush(fold_t *fold, int end)
{
    apr_size_t done = 0;
    unsigned int code;
    apr_status_t rv;

    while (done < fold->len) {
        int used = mnet_utf8_next(fold->bytes + done, fold->len - done, &code);

        if (used < 0 && !end) {
            break;
        }
        if (used <= 0) {
            return MNET_E_XML;
        }
        done += (apr_size_t)used;
    }
    rv = mnet_spool_write(fold->to, fold->bytes, done);
    fold->len -= done;
    memmove(fold->bytes, fold->bytes + done, fold->len);
    return rv;
}

/* A mnet_sink_fn.  MNET_E_XML: the text is not of that kind. */
static apr_status_t fold_piece(void *baton, const char *data, apr_size_t len)
{
    fold_t *fold = baton;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];

        if (fold->lead) {
            c = (unsigned char)((fold->lead & 3) << 6 | (c & 0x3f));
            fold->lead = 0;
        } else if (c == 0xc2 || c == 0xc3) { /* begins U+0080 to U+00FF */
            fold->lead = c;
            fold->beyond = 1;
            continue;
        } else if (c & 0x80) {
            return MNET_E_XML;
        }
        fold->bytes[fold->len++] = (char)c;
        if (fold->len == sizeof(fold->bytes)) {
            apr_status_t rv = flush(fold, 0);

            if (rv) {
                return rv;
            }
        }
    }
    return APR_SUCCESS;
}

apr_status_t mnet_fold_spool(mnet_spool_t *text, mnet_spool_t **folded, apr_pool_t *pool)
{
    fold_t *fold = apr_pcalloc(pool, sizeof(*fold));
    mnet_sink_t sink = {fold_piece, fold};
    apr_status_t rv;

    *folded = NULL;
    fold->to = mnet_spool_create(0, mnet_spool_tmpdir(text), pool);
    rv = mnet_spool_pour(text, &sink);
    if (!rv) {
        rv = flush(fold, 1);
    }
    if (rv == MNET_E_XML || (!rv && !fold->beyond)) {
        return APR_SUCCESS;
    }
    *folded = rv ? NULL : fold->to;
    return rv;
}
