/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/local_methods.h"

#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

#include "trust/policy.h"

#define PREFIX "mod_mnet/"

const mnet_local_method_t mnet_local_methods[] = {
    {PREFIX "methods", mnet_local_list_methods},
    {PREFIX "portfolio_send", mnet_local_portfolio_send},
    {NULL, NULL},
};

int mnet_local_is(const char *method)
{
    return !strncmp(method, PREFIX, sizeof(PREFIX) - 1);
}

const mnet_local_method_t *mnet_local_find(const char *method)
{
    for (const mnet_local_method_t *each = mnet_local_methods; each->name; each++)
        if (!strcmp(each->name, method))
            return each;
    return NULL;
}

void mnet_local_refuse(mnet_reply_t *reply, mnet_call_kind_e kind, int code, apr_pool_t *pool,
                       const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    reply->message = apr_pvsprintf(pool, fmt, ap);
    va_end(ap);
    reply->kind = kind;
    reply->code = kind == MNET_CALL_FAULT ? code : 0;
    reply->value = NULL;
}

/* Those learnt from it, a line "service path" each. */
static void add_learnt(mnet_value_t *list, const mnet_peer_t *peer, apr_pool_t *pool)
{
    const char *line = peer->state->methods;
    while (line && *line) {
        apr_size_t len = strcspn(line, "\n");
        const char *space = memchr(line, ' ', len);
        const char *path =
            space ? apr_pstrmemdup(pool, space + 1, len - (apr_size_t)(space + 1 - line)) : NULL;
        if (path && mnet_policy_may_call(peer, path, NULL))
            mnet_append(list, mnet_string(path, pool));
        line += len;
        line += *line == '\n';
    }
}

void mnet_local_list_methods(mnet_host_t *host, const char *wwwroot,
                             const apr_array_header_t *params, mnet_reply_t *reply,
                             apr_pool_t *pool)
{
    const mnet_peer_t *peer = NULL;
    apr_status_t rv = mnet_host_look(host, wwwroot, &peer, NULL, pool);
    if (rv == APR_NOTFOUND) {
        mnet_local_refuse(reply, MNET_CALL_POLICY, 0, pool, "%s is no active peer of %s", wwwroot,
                          host->site->wwwroot);
    } else if (rv) {
        mnet_local_refuse(reply, MNET_CALL_POLICY, 0, pool, "the state directory cannot be read");
    } else {
        reply->kind = MNET_CALL_OK;
        reply->value = mnet_array(pool);
        add_learnt(reply->value, peer, pool);
    }
}
