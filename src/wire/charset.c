/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/xmlrpc.h"

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
