/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/curl_problem.h"

#include <apr_strings.h>
#include <openssl/x509_vfy.h>

#include "base/text.h"

/* What helps against a TLS certificate that was refused; verdict is OpenSSL's. */
static const char *tls_mend(const mnet_http_t *http, CURLcode rc, long verdict)
{
    if (rc == CURLE_SSL_CACERT_BADFILE) {
        return http->is_local ? "mend the files of the system's CAs"
                              : "the file of MnetPeerTLS must hold the certificates of its CA, and "
                                "httpd's User must be able to read it";
    }
    switch (verdict) {
    case X509_V_OK: /* libcurl's own look at the name, which comes before OpenSSL is asked */
    case X509_V_ERR_UNSPECIFIED:
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "have one made there that is for the host name of the URL";
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "have it, or the one of its CA, renewed there";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "are both clocks right?";
    default:
        return http->is_local ? "make its CA one of the system's, or mend its certificate"
                              : "set MnetPeerTLS to the file of its CA, or mend its certificate";
    }
}

const char *mnet_curl_problem(const mnet_http_t *http, CURLcode rc, long verdict,
                              const char *detail, apr_pool_t *pool)
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
        return apr_psprintf(pool, "the TLS certificate of %s is not trusted (%s): %s", where,
                            detail, tls_mend(http, rc, verdict));
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
