/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/xmlrpc_mend.h"

#include <string.h>

void mnet_mend_init(mnet_mend_t *mend, const mnet_sink_t *to)
{
    mend->to = to;
    mend->len = 0;
}

/* Are these bytes, at most MNET_MEND_PATTERN, the pattern or its beginning? */
static int begins(const char *data, apr_size_t len)
{
    static const char pattern[] = "&#2?;";
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (pattern[i] == '?' ? data[i] < '0' || data[i] > '9' : data[i] != pattern[i]) {
            return 0;
        }
    }
    return 1;
}

static apr_status_t pass_on(const mnet_mend_t *mend, const char *data, apr_size_t len)
{
    return mnet_sink_write(mend->to, data, len);
}

/* "&#2", the digit that was lost, and the rest. */
static apr_status_t send_mended(const mnet_mend_t *mend, char digit)
{
    char mended[MNET_MEND_PATTERN + 1] = "&#20?;";

    mended[4] = digit;
    return pass_on(mend, mended, sizeof(mended));
}

/* Decides about what is held, with the help of the next bytes; *used of them belong to it. */
static apr_status_t go_on(mnet_mend_t *mend, const char *data, apr_size_t len, apr_size_t *used)
{
    char whole[MNET_MEND_PATTERN];
    apr_size_t more = MNET_MEND_PATTERN - mend->len, had = mend->len;

    *used = 0;
    if (!had) {
        return APR_SUCCESS;
    }
    more = more < len ? more : len;
    memcpy(whole, mend->held, had);
    memcpy(whole + had, data, more);
    if (!begins(whole, had + more)) {
        mend->len = 0;
        return pass_on(mend, whole, had);
    }
    *used = more;
    if (had + more == MNET_MEND_PATTERN) {
        mend->len = 0;
        return send_mended(mend, whole[3]);
    }
    memcpy(mend->held, whole, had + more);
    mend->len = had + more;
    return APR_SUCCESS;
}

apr_status_t mnet_mend_write(void *baton, const char *data, apr_size_t len)
{
    mnet_mend_t *mend = baton;
    const char *start, *at, *end = data + len;
    apr_size_t used;
    apr_status_t rv = go_on(mend, data, len, &used);

    start = at = data + used;
    while (rv == APR_SUCCESS && (at = memchr(at, '&', (apr_size_t)(end - at)))) {
        apr_size_t left = (apr_size_t)(end - at);

        if (!begins(at, left < MNET_MEND_PATTERN ? left : MNET_MEND_PATTERN)) {
            at++;
            continue;
        }
        rv = pass_on(mend, start, (apr_size_t)(at - start));
        if (left < MNET_MEND_PATTERN) {
            memcpy(mend->held, at, left);
            mend->len = left;
            return rv;
        }
        if (rv == APR_SUCCESS) {
            rv = send_mended(mend, at[3]);
        }
        start = at += MNET_MEND_PATTERN;
    }
    return rv != APR_SUCCESS ? rv : pass_on(mend, start, (apr_size_t)(end - start));
}

apr_status_t mnet_mend_end(mnet_mend_t *mend)
{
    apr_size_t len = mend->len;

    mend->len = 0;
    return pass_on(mend, mend->held, len);
}
