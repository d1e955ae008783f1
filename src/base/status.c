/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <apr_strings.h>

static const char *own_name(apr_status_t rv)
{
    switch (rv) {
    case MNET_E_XML:
        return "not the XML expected";
    case MNET_E_DOCTYPE:
        return "document type declaration refused";
    case MNET_E_LIMIT:
        return "over a limit";
    case MNET_E_BASE64:
        return "not base64";
    case MNET_E_CRYPTO:
        return "cryptographic operation failed";
    case MNET_E_NOKEY:
        return "no key opens the message";
    case MNET_E_SIGNATURE:
        return "wrong signature";
    case MNET_E_REPLAY:
        return "seen before";
    case MNET_E_VERSION:
        return "record of an unknown version";
    case MNET_E_FULL:
        return "store full";
    case MNET_E_EXISTS:
        return "exists already";
    case MNET_E_REFUSED:
        return "refused by policy";
    case MNET_E_BUSY:
        return "too busy";
    case MNET_E_FAULT:
        return "the peer answered with a fault";
    case MNET_E_PEER:
        return "the peer's answer is no answer";
    case MNET_E_INVALID:
        return "invalid argument";
    case MNET_E_SHARE:
        return "a peer has its share of the store";
    default:
        return NULL;
    }
}

const char *mnet_strerror(apr_status_t rv, char *buf, apr_size_t size)
{
    const char *name = own_name(rv);

    if (!size) {
        return buf;
    }
    if (name) {
        apr_cpystrn(buf, name, size);
    } else if (rv == APR_SUCCESS) {
        apr_cpystrn(buf, "success", size);
    } else {
        apr_strerror(rv, buf, size);
    }
    return buf;
}
