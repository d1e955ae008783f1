/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CURL_GUARD_H
#define MNET_RPC_CURL_GUARD_H

/* What every transfer by libcurl is held to, whoever makes it. */

#include <apr_time.h>
#include <curl/curl.h>

/* HTTP alone, as MNET_AGENT; no redirect followed, no proxy of the environment used, no signal. */
CURLcode mnet_curl_guard(CURL *easy);

/* When something last moved on a transfer. */
typedef struct mnet_curl_stall_t {
    curl_off_t moved; /* bytes either way */
    apr_time_t at;
} mnet_curl_stall_t;

void mnet_curl_stall_begin(mnet_curl_stall_t *stall);
/* For CURLOPT_XFERINFOFUNCTION: has it been without a byte for longer than patience?  (libcurl's
 * own low speed limit looks at an average that begins seconds late.) */
int mnet_curl_stalled(mnet_curl_stall_t *stall, curl_off_t moved, apr_interval_time_t patience);

#endif
