/* SPDX-License-Identifier: Apache-2.0 */
#include "service/peer_title.h"

#include <apr_strings.h>
#include <apr_uri.h>
#include <string.h>

#include "base/text.h"
#include "service/account.h"
#include "service/sso_int.h"

const char *mnet_title_clean(const char *text, apr_pool_t *pool)
{
    const char *clean = text ? mnet_clean_text(text, 0, pool) : NULL, *at;
    unsigned int code;
    apr_size_t len;

    if (!clean) {
        return "";
    }
    clean += strspn(clean, " ");
    at = clean;
    for (int i = 0; *at && i < MNET_PEER_TITLE_MAX; i++) {
        at += mnet_utf8_next(at, strlen(at), &code);
    }
    len = (apr_size_t)(at - clean);
    while (len && clean[len - 1] == ' ') {
        len--;
    }
    return apr_pstrmemdup(pool, clean, len);
}

static const char *host_of(const char *wwwroot, apr_pool_t *pool)
{
    apr_uri_t uri;

    if (apr_uri_parse(pool, wwwroot, &uri) || !uri.hostname) {
        return mnet_wwwroot_bare(wwwroot);
    }
    return apr_pstrcat(pool, uri.hostname, uri.path, NULL);
}

const char *mnet_peer_title(const mnet_peer_t *peer, apr_pool_t *pool)
{
    const char *name = "";

    if (peer->certificate) {
        name = mnet_title_clean(peer->certificate->organisation, pool);
    }
    return *name ? name : host_of(peer->facts->wwwroot, pool);
}

const char *mnet_peer_title_of(mnet_host_t *host, const char *wwwroot, apr_pool_t *pool)
{
    const mnet_peer_t *peer;

    return mnet_host_look(host, wwwroot, &peer, NULL, pool) ? host_of(wwwroot, pool)
                                                            : mnet_peer_title(peer, pool);
}
