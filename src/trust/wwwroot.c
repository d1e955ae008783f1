/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/wwwroot.h"

#include <string.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "base/text.h"
#include "trust/site.h"

static const char *quoted(const char *wwwroot, apr_pool_t *pool)
{
    return mnet_for_log(wwwroot, strlen(wwwroot), MNET_WWWROOT_MAX, pool);
}

const char *mnet_wwwroot_bare(const char *wwwroot)
{
    const char *colon = strstr(wwwroot, "://");
    return colon ? colon + 3 : wwwroot;
}

const char *mnet_wwwroot_twin(const char *wwwroot, apr_pool_t *pool)
{
    int secure = !strncmp(wwwroot, "https://", 8);
    return apr_pstrcat(pool, secure ? "http://" : "https://", mnet_wwwroot_bare(wwwroot), NULL);
}

const char *mnet_wwwroot_cn(const char *wwwroot, apr_pool_t *pool)
{
    apr_size_t len = strnlen(wwwroot, MNET_CN_MAX);
    if (len && wwwroot[len - 1] == '/') {
        len--;
    }
    return apr_pstrmemdup(pool, wwwroot, len);
}

/* The first character that cannot stand in a wwwroot, and what to write in its stead. */
static const char *bad_character(const char *wwwroot, apr_pool_t *pool)
{
    for (const char *p = wwwroot; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c >= 0x80) {
            return apr_psprintf(pool,
                                "'%s' has a character outside ASCII; write a host name in its "
                                "xn-- form and a path percent-encoded",
                                quoted(wwwroot, pool));
        }
        if (c <= ' ' || c == 0x7f) {
            return apr_psprintf(pool,
                                "'%s' has white space or a control character in it; write it "
                                "without",
                                quoted(wwwroot, pool));
        }
        if (strchr("\"'<>\\^`{|}", c)) {
            return apr_psprintf(pool, "'%s' has a %c in it; write it percent-encoded",
                                quoted(wwwroot, pool), c);
        }
        if (c == '?' || c == '#') {
            return apr_psprintf(pool, "'%s' has a %s; write it without: %.*s",
                                quoted(wwwroot, pool), c == '?' ? "query" : "fragment",
                                (int)(p - wwwroot), wwwroot);
        }
    }
    return NULL;
}

static const char *bad_port(const apr_uri_t *uri, const char *wwwroot, apr_pool_t *pool)
{
    if (!uri->port_str) {
        return NULL;
    }
    if (!*uri->port_str) {
        return apr_psprintf(pool, "'%s' has a colon without a port; write it without", wwwroot);
    }
    apr_int64_t port = 0;
    for (const char *p = uri->port_str; *p && port <= 65535; p++) {
        port = apr_isdigit(*p) ? port * 10 + (*p - '0') : 65536;
    }
    return port >= 1 && port <= 65535
               ? NULL
               : apr_psprintf(pool, "'%s': the port must be a number from 1 to 65535", wwwroot);
}

/* What is wrong with the parts of one that has no bad character. */
static const char *bad_part(const char *wwwroot, apr_pool_t *pool)
{
    apr_uri_t uri;
    if (strncmp(wwwroot, "http://", 7) && strncmp(wwwroot, "https://", 8)) {
        return apr_psprintf(pool,
                            "'%s' does not begin with http:// or https:// (in small letters); "
                            "write it as in https://moodle.example.org",
                            wwwroot);
    }
    if (apr_uri_parse(pool, wwwroot, &uri) != APR_SUCCESS || !uri.hostname || !*uri.hostname) {
        return apr_psprintf(pool,
                            "'%s' has no host, or one that cannot be read; write it as in "
                            "https://moodle.example.org",
                            wwwroot);
    }
    if (strchr(wwwroot, '@')) {
        return apr_psprintf(pool, "'%s' has an @; write it without a user name and password",
                            wwwroot);
    }
    if (uri.path && strstr(uri.path, "//")) {
        return apr_psprintf(pool, "'%s' has two slashes in a row in its path; write one", wwwroot);
    }
    return bad_port(&uri, wwwroot, pool);
}

const char *mnet_wwwroot_problem(const char *wwwroot, apr_pool_t *pool)
{
    apr_size_t len = wwwroot ? strlen(wwwroot) : 0;
    if (!len) {
        return "the wwwroot is empty; write a URL as in https://moodle.example.org";
    }
    if (len > MNET_WWWROOT_MAX) {
        return apr_psprintf(pool, "'%s' is longer than %d bytes; MNET has no room for it",
                            quoted(wwwroot, pool), MNET_WWWROOT_MAX);
    }
    const char *problem = bad_character(wwwroot, pool);
    if (!problem && wwwroot[len - 1] == '/') {
        apr_size_t keep = len;
        while (keep && wwwroot[keep - 1] == '/') {
            keep--;
        }
        problem = apr_psprintf(pool, "'%s' ends in a slash; write %.*s without it", wwwroot,
                               (int)keep, wwwroot);
    }
    if (!problem) {
        problem = bad_part(wwwroot, pool);
    }
    if (!problem && len > MNET_CN_MAX && wwwroot[MNET_CN_MAX - 1] == '/') {
        problem = apr_psprintf(pool,
                               "'%s' has a slash as its 64th byte, so that no certificate of its "
                               "can pass a peer's check; make its path a byte longer or shorter",
                               wwwroot);
    }
    return problem;
}
