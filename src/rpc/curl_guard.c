/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/curl_guard.h"

#include "rpc/transport.h"

CURLcode mnet_curl_guard(CURL *easy)
{
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);

    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_PROXY, "");
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    return rc ? rc : curl_easy_setopt(easy, CURLOPT_USERAGENT, MNET_AGENT);
}

void mnet_curl_stall_begin(mnet_curl_stall_t *stall)
{
    stall->moved = 0;
    stall->at = apr_time_now();
}

int mnet_curl_stalled(mnet_curl_stall_t *stall, curl_off_t moved, apr_interval_time_t patience)
{
    apr_time_t now = apr_time_now();

    if (moved != stall->moved || now < stall->at) {
        stall->moved = moved;
        stall->at = now;
    }
    return now - stall->at > patience;
}
