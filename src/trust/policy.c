/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/policy.h"

#include <arpa/inet.h>
#include <string.h>
#include <apr_fnmatch.h>
#include <apr_strings.h>

int mnet_policy_publishes(const mnet_peer_t *peer, const char *service)
{
    const apr_array_header_t *publish = peer->facts->publish;
    for (int i = 0; service && publish && i < publish->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(publish, i, const char *), service)) {
            return 1;
        }
    }
    return 0;
}

int mnet_policy_subscribes(const mnet_peer_t *peer, const char *service)
{
    const apr_array_header_t *subscribe = peer->facts->subscribe;
    for (int i = 0; service && subscribe && i < subscribe->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(subscribe, i, mnet_subscription_t).service, service)) {
            return 1;
        }
    }
    return 0;
}

/* --- whether we may call a method --- */

/* Does a line "service path" say this method, of a service we subscribe to? */
static int line_allows(const mnet_peer_t *peer, const char *line, apr_size_t len,
                       const char *method)
{
    const apr_array_header_t *subscribe = peer->facts->subscribe;
    const char *space = memchr(line, ' ', len);
    apr_size_t method_len = strlen(method);
    if (!space || len - (apr_size_t)(space + 1 - line) != method_len ||
        memcmp(space + 1, method, method_len)) {
        return 0;
    }
    apr_size_t service_len = (apr_size_t)(space - line);
    for (int i = 0; subscribe && i < subscribe->nelts; i++) {
        const char *service = APR_ARRAY_IDX(subscribe, i, mnet_subscription_t).service;
        if (strlen(service) == service_len && !memcmp(service, line, service_len)) {
            return 1;
        }
    }
    return 0;
}

static int learnt_allows(const mnet_peer_t *peer, const char *method)
{
    const char *line = peer->state->methods;
    while (line && *line) {
        apr_size_t len = strcspn(line, "\n");
        if (line_allows(peer, line, len, method)) {
            return 1;
        }
        line += len;
        line += *line == '\n';
    }
    return 0;
}

static int pattern_allows(const mnet_peer_t *peer, const char *method)
{
    const apr_array_header_t *subscribe = peer->facts->subscribe;
    for (int i = 0; subscribe && i < subscribe->nelts; i++) {
        const apr_array_header_t *patterns =
            APR_ARRAY_IDX(subscribe, i, mnet_subscription_t).patterns;
        for (int j = 0; patterns && j < patterns->nelts; j++) {
            if (apr_fnmatch(APR_ARRAY_IDX(patterns, j, const char *), method, 0) == APR_SUCCESS) {
                return 1;
            }
        }
    }
    return 0;
}

int mnet_policy_may_call(const mnet_peer_t *peer, const char *method, const char *service_of_ours)
{
    if (!strncmp(method, "system/", 7) || !strncmp(method, "system.", 7)) {
        return 1;
    }
    return mnet_policy_subscribes(peer, service_of_ours) || learnt_allows(peer, method) ||
           pattern_allows(peer, method);
}

/* --- users and addresses --- */

int mnet_policy_user(const mnet_peer_t *peer, const char *username)
{
    const apr_array_header_t *access = peer->facts->access;
    for (int i = 0; access && i < access->nelts; i++) {
        const mnet_access_t *one = &APR_ARRAY_IDX(access, i, mnet_access_t);
        if (!strcmp(one->user, "*") || !strcmp(one->user, username ? username : "")) {
            return one->allow;
        }
    }
    return 1;
}

int mnet_policy_plaintext(const mnet_site_t *site, const char *address, apr_pool_t *pool)
{
    unsigned char raw[sizeof(struct in6_addr)];
    apr_sockaddr_t *sa;
    /* Only a literal address: a name would be looked up. */
    if (!site->plaintext_from || !address ||
        (inet_pton(AF_INET, address, raw) != 1 && inet_pton(AF_INET6, address, raw) != 1) ||
        apr_sockaddr_info_get(&sa, address, APR_UNSPEC, 0, 0, pool) != APR_SUCCESS) {
        return 0;
    }
    for (int i = 0; i < site->plaintext_from->nelts; i++) {
        if (apr_ipsubnet_test(APR_ARRAY_IDX(site->plaintext_from, i, apr_ipsubnet_t *), sa)) {
            return 1;
        }
    }
    return 0;
}

/* --- text outside ASCII --- */

static int begins(const char *text, const char *with)
{
    return text && !strncmp(text, with, strlen(with));
}

mnet_charset_e mnet_policy_charset_out(const mnet_peer_t *peer, const char *user_agent,
                                       const char *accept_charset)
{
    if (peer->facts->charset == MNET_PEER_CHARSET_UTF8) {
        return MNET_CHARSET_UTF8;
    }
    if (peer->facts->charset == MNET_PEER_CHARSET_BYTES) {
        return MNET_CHARSET_BYTES;
    }
    /* Only phpxmlrpc (Moodle from 4.1) sends the header; ext-xmlrpc's users do not. */
    if (accept_charset && *accept_charset) {
        return MNET_CHARSET_UTF8;
    }
    if (begins(user_agent, "Mahara") || begins(user_agent, "Moodle")) {
        return MNET_CHARSET_BYTES;
    }
    return strcmp(peer->application->name, "mahara") ? MNET_CHARSET_UTF8 : MNET_CHARSET_BYTES;
}

mnet_charset_e mnet_policy_charset_in(const mnet_peer_t *peer, const char *user_agent, int response)
{
    /* Whatever a Mahara can read, a reference a byte is all it writes.  A proxy may have dropped
     * the header. */
    if (peer->facts->charset == MNET_PEER_CHARSET_BYTES || begins(user_agent, "Mahara") ||
        (!user_agent && !strcmp(peer->application->name, "mahara"))) {
        return MNET_CHARSET_BYTES;
    }
    return response && peer->facts->charset != MNET_PEER_CHARSET_UTF8 ? MNET_CHARSET_BYTES
                                                                      : MNET_CHARSET_UTF8;
}
