/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CURL_PROBLEM_H
#define MNET_RPC_CURL_PROBLEM_H

#include <curl/curl.h>

#include "rpc/transport.h"

/* One sentence about what went wrong, with the mend.  detail: libcurl's own words; verdict:
 * OpenSSL's on the certificate. */
const char *mnet_curl_problem(const mnet_http_t *http, CURLcode rc, long verdict,
                              const char *detail, apr_pool_t *pool);

#endif
