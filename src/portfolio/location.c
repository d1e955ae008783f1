/* SPDX-License-Identifier: Apache-2.0 */
/* Where a package may be got from: nowhere but at its sender's. */
#include "portfolio/location.h"

#include <apr_strings.h>
#include <apr_uri.h>
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

/* --- the URL --- */

/* One segment of a path, "%2e" read as ".": is it "." or ".."? */
static int is_dots(const char *segment, apr_size_t len)
{
    int dots = 0;

    while (len) {
        apr_size_t n = *segment == '.' ? 1 : 0;

        if (!n && len >= 3 && !strncasecmp(segment, "%2e", 3)) {
            n = 3;
        }
        if (!n || ++dots > 2) {
            return 0;
        }
        segment += n;
        len -= n;
    }
    return dots > 0;
}

static const char *path_problem(const char *path)
{
    const char *end = path + strcspn(path, "?");

    for (const char *at = path; at < end;) {
        apr_size_t len = strcspn(at + 1, "/?");

        if (is_dots(at + 1, len)) {
            return "the location has a step up in it";
        }
        at += 1 + len;
    }
    for (const char *at = path; at < end; at++) {
        if (!strncasecmp(at, "%2f", 3) || !strncasecmp(at, "%5c", 3) || !strncmp(at, "%00", 3)) {
            return "the location has an encoded slash in it";
        }
    }
    return NULL;
}

const char *mnet_location_problem(const char *wwwroot, const char *location, apr_pool_t *pool)
{
    apr_size_t len = strlen(wwwroot);

    if (!*location || strlen(location) > MNET_LOCATION_MAX) {
        return "the location is missing or too long";
    }
    for (const char *at = location; *at; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || strchr("\\#\"<>", *at)) {
            return "the location has a character in it that no URL has";
        }
    }
    if (strncmp(location, wwwroot, len) || location[len] != '/') {
        return apr_psprintf(pool, "the location is not below %s", wwwroot);
    }
    return path_problem(location + len);
}

/* --- the address --- */

typedef struct block_t {
    unsigned char bytes[16];
    int bits;
} block_t;

static int in_block(const unsigned char *address, const block_t *block)
{
    int whole = block->bits / 8, rest = block->bits % 8;

    if (memcmp(address, block->bytes, (size_t)whole)) {
        return 0;
    }
    return !rest || !((address[whole] ^ block->bytes[whole]) & (0xff00 >> rest & 0xff));
}

/* RFC 6890 and its registry: what is not an address of somebody in the Internet. */
static int is_special4(const unsigned char *address)
{
    static const block_t blocks[] = {{{0}, 8},
                                     {{10}, 8},
                                     {{100, 64}, 10},
                                     {{127}, 8},
                                     {{169, 254}, 16},
                                     {{172, 16}, 12},
                                     {{192, 0, 0}, 24},
                                     {{192, 0, 2}, 24},
                                     {{192, 88, 99}, 24},
                                     {{192, 168}, 16},
                                     {{198, 18}, 15},
                                     {{198, 51, 100}, 24},
                                     {{203, 0, 113}, 24},
                                     {{224}, 3}};

    for (apr_size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        if (in_block(address, &blocks[i])) {
            return 1;
        }
    }
    return 0;
}

/* Only 2000::/3 is given out; in it, what leads to an IPv4 address is as that is. */
static int is_special6(const unsigned char *address)
{
    static const block_t global = {{0x20}, 3}, documentation = {{0x20, 0x01, 0x0d, 0xb8}, 32},
                         teredo = {{0x20, 0x01}, 23}, six_to_four = {{0x20, 0x02}, 16},
                         mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96},
                         translated = {{0, 0x64, 0xff, 0x9b}, 96};

    if (in_block(address, &mapped) || in_block(address, &translated)) {
        return is_special4(address + 12);
    }
    if (in_block(address, &six_to_four)) {
        return is_special4(address + 2);
    }
    return !in_block(address, &global) || in_block(address, &documentation) ||
           in_block(address, &teredo);
}

int mnet_address_is_special(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        return is_special4(
            (const unsigned char *)&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        return is_special6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    }
    return 1;
}

static int is_loopback(const struct sockaddr *address)
{
    const unsigned char *bytes;

    if (address->sa_family == AF_INET) {
        bytes =
            (const unsigned char *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
        return bytes[0] == 127 || bytes[0] == 0;
    }
    bytes = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
    /* ::, ::1, and ::ffff:127.x */
    for (int i = 0; i < 10; i++) {
        if (bytes[i]) {
            return 0;
        }
    }
    return bytes[10] != 0xff || bytes[12] == 127 || bytes[12] == 0;
}

static int is_text_of(const struct sockaddr *address, const char *text)
{
    unsigned char bytes[16];

    if (!text) {
        return 0;
    }
    if (address->sa_family == AF_INET) {
        return inet_pton(AF_INET, text, bytes) == 1 &&
               !memcmp(bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    }
    return address->sa_family == AF_INET6 && inet_pton(AF_INET6, text, bytes) == 1 &&
           !memcmp(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
}

/* The host of a wwwroot without the brackets of IPv6. */
static const char *host_of(const char *wwwroot, apr_pool_t *pool)
{
    apr_uri_t uri;
    apr_size_t len;

    if (apr_uri_parse(pool, wwwroot, &uri) || !uri.hostname) {
        return "";
    }
    len = strlen(uri.hostname);
    if (uri.hostname[0] == '[' && uri.hostname[len - 1] == ']') {
        return apr_pstrmemdup(pool, uri.hostname + 1, len - 2);
    }
    return uri.hostname;
}

int mnet_location_may_connect(const mnet_peer_facts_t *facts, const char *caller,
                              const struct sockaddr *address, apr_pool_t *pool)
{
    const char *host;

    if (facts->endpoint || !mnet_address_is_special(address)) {
        return 1;
    }
    host = host_of(facts->wwwroot, pool);
    if (is_text_of(address, host)) {
        return 1;
    }
    if (is_loopback(address)) {
        return !strcasecmp(host, "localhost");
    }
    return is_text_of(address, caller);
}
