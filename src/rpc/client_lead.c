/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/client_lead.h"

#include <apr_lib.h>
#include <string.h>

#define PROLOG     "<?xml "
#define PROLOG_LEN (sizeof(PROLOG) - 1)

/* Is it a message from its first byte on, as far as it came?  A byte order mark and white space
 * are the reader's to pass over. */
static int begins_well(const char *data, apr_size_t len)
{
    static const char *const begins[] = {PROLOG, "<encryptedMessage", "<signedMessage",
                                         "<methodResponse"};
    apr_size_t i, at = 0, left;

    if (len >= 3 && !memcmp(data, "\xef\xbb\xbf", 3)) {
        at = 3;
    }
    while (at < len && apr_isspace(data[at])) {
        at++;
    }
    left = len - at;
    for (i = 0; left && i < sizeof(begins) / sizeof(begins[0]); i++) {
        apr_size_t most = strlen(begins[i]);

        if (left >= most && !memcmp(data + at, begins[i], most)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t begin(mnet_lead_t *lead, apr_size_t skip)
{
    lead->begun = 1;
    lead->skipped = skip;
    return mnet_sink_write(lead->to, lead->text + skip, lead->len - skip);
}

apr_status_t mnet_lead_write(mnet_lead_t *lead, const char *data, apr_size_t len)
{
    const char *at;
    apr_size_t n;
    apr_status_t rv;

    if (lead->begun || (!lead->len && begins_well(data, len))) {
        lead->begun = 1;
        return mnet_sink_write(lead->to, data, len);
    }
    if (!lead->text) {
        lead->text = apr_palloc(lead->pool, MNET_LEAD_MAX);
    }
    n = len < MNET_LEAD_MAX - lead->len ? len : MNET_LEAD_MAX - lead->len;
    memcpy(lead->text + lead->len, data, n);
    lead->len += n;
    at = begins_well(lead->text, lead->len) ? lead->text
                                            : memmem(lead->text, lead->len, PROLOG, PROLOG_LEN);
    if (!at && lead->len < MNET_LEAD_MAX) {
        return APR_SUCCESS;
    }
    rv = begin(lead, at ? (apr_size_t)(at - lead->text) : 0);
    return rv ? rv : mnet_sink_write(lead->to, data + n, len - n);
}

apr_status_t mnet_lead_end(mnet_lead_t *lead)
{
    return lead->begun || !lead->text ? APR_SUCCESS : begin(lead, 0);
}
