/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/curl_problem.h"

#include <apr_strings.h>

#include "base/text.h"

const char *mnet_curl_problem(const mnet_http_t *http, CURLcode rc, const char *detail,
                              apr_pool_t *pool)
{
    const char *where = http->endpoint      ? http->endpoint
                        : http->unix_socket ? http->unix_socket
                                            : http->url;

    switch (rc) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return apr_psprintf(pool, "the name of %s is not known here (%s): mend DNS or %s", where,
                            detail,
                            http->is_local ? "the URL of MnetBackend" : "set MnetPeerEndpoint");
    case CURLE_COULDNT_CONNECT:
        return apr_psprintf(pool, "nothing answers at %s (%s): is %s", where, detail,
                            http->unix_socket
                                ? "the application up, and may httpd's User write to its socket?"
                            : http->is_local ? "the application up?"
                                             : "the server up, and may we pass the firewall?");
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_ABORTED_BY_CALLBACK: /* it stalled */
        return apr_psprintf(pool, "%s did not answer within the %s of %s (%s)", where,
                            mnet_format_time(http->timeout, pool),
                            http->is_local ? "its timeout" : "MnetTimeout", detail);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return apr_psprintf(pool,
                            "the TLS certificate of %s is not trusted (%s): %s, or mend its "
                            "certificate",
                            where, detail,
                            http->is_local ? "make its CA one of the system's"
                                           : "set MnetPeerTLS to the file of its CA");
    case CURLE_SSL_CONNECT_ERROR:
        return apr_psprintf(pool, "no TLS with %s (%s): does it speak https on that port?", where,
                            detail);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND: /* what goes out once is not sent again */
        return apr_psprintf(
            pool, "%s closed the connection without an answer (%s): look in its error log", where,
            detail);
    default:
        return apr_psprintf(pool, "the call to %s failed (%s)", where, detail);
    }
}
