/* SPDX-License-Identifier: Apache-2.0 */
/* A transfer as others see it: as a value, and as pages for its user. */
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "portfolio/out_int.h"

/* --- pages for the user --- */

static const char *escape(const char *text, apr_pool_t *pool)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = apr_palloc(pool, 3 * strlen(text) + 1), *at = out;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            strchr("-._~/", c)) {
            *at++ = (char)c;
        } else {
            *at++ = '%';
            *at++ = digits[c >> 4];
            *at++ = digits[c & 0xF];
        }
    }
    *at = '\0';
    return out;
}

static const char *jump(const mnet_host_t *host, const char *peer, const char *wantsurl, int back,
                        apr_pool_t *pool)
{
    const mnet_site_t *site = host->site;
    const mnet_application_t *ours =
        APR_ARRAY_IDX(site->applications, 0, const mnet_application_t *);

    if (!ours->jump) {
        return NULL;
    }
    return apr_pstrcat(pool, site->wwwroot, ours->jump, "?hostwwwroot=", escape(peer, pool),
                       "&wantsurl=", escape(wantsurl, pool), back ? "&wantsurlbackhere=1" : "",
                       NULL);
}

const char *mnet_out_jump_url(const mnet_host_t *host, const char *peer, apr_pool_t *pool)
{
    return jump(host, peer, "/", 1, pool);
}

const char *mnet_out_continue_url(const mnet_host_t *host, const mnet_out_t *out, apr_pool_t *pool)
{
    const char *below = !strcmp(out->format, "leap2a") ? "/" : "/artefact/file/";

    if (out->state != MNET_OUT_STATE_DELIVERED) {
        return NULL;
    }
    if (out->query && *out->query == '?') {
        below = apr_pstrcat(pool, below, out->query, NULL);
    }
    return jump(host, out->peer, below, 0, pool);
}

/* --- as a value --- */

static mnet_value_t *text_or_nil(const char *text, apr_pool_t *pool)
{
    return text ? mnet_string(text, pool) : mnet_nil(pool);
}

static mnet_value_t *date_or_nil(apr_time_t when, apr_pool_t *pool)
{
    return text_or_nil(when ? mnet_format_date(when, pool) : NULL, pool);
}

mnet_value_t *mnet_out_value(const mnet_host_t *host, const mnet_out_t *out, apr_pool_t *pool)
{
    mnet_value_t *value = mnet_struct(pool);

    mnet_set(value, "id", mnet_string(out->id, pool));
    mnet_set(value, "state", mnet_string(mnet_out_state_name(out->state), pool));
    mnet_set(value, "peer", mnet_string(out->peer, pool));
    mnet_set(value, "user", mnet_string(out->user, pool));
    mnet_set(value, "title", mnet_string(out->title, pool));
    mnet_set(value, "format", mnet_string(out->format, pool));
    mnet_set(value, "kind", mnet_string(out->kind, pool));
    mnet_set(value, "way", mnet_string(out->direct ? "location" : "fetch_file", pool));
    mnet_set(value, "files", mnet_int(out->count, pool));
    mnet_set(value, "size", mnet_int(out->size, pool));
    mnet_set(value, "totalsize", mnet_int(out->total, pool));
    mnet_set(value, "sha1", mnet_string(out->sha1, pool));
    mnet_set(value, "content", mnet_string(out->content, pool));
    mnet_set(value, "created", date_or_nil(out->created, pool));
    mnet_set(value, "expires", date_or_nil(out->expires, pool));
    mnet_set(value, "fetched", date_or_nil(out->fetched, pool));
    mnet_set(value, "done", date_or_nil(out->done, pool));
    mnet_set(value, "jump", text_or_nil(mnet_out_jump_url(host, out->peer, pool), pool));
    mnet_set(value, "continue", text_or_nil(mnet_out_continue_url(host, out, pool), pool));
    return value;
}
