/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/private.h"

#include <http_request.h>
#include <util_filter.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "httpd/cookie.h"
#include "httpd/request.h"
#include "httpd/sso_config.h"

#define FILTER "MNET_PRIVATE"

/* --- what is said --- */

/* Is that directive in the list, without an argument or, with any, as max-age=N? */
static int has_directive(const char *list, const char *name, int with_argument)
{
    apr_size_t len = strlen(name);
    while (*list) {
        while (apr_isspace(*list) || *list == ',')
            list++;
        if (!ap_cstr_casecmpn(list, name, len)) {
            const char *after = list + len;
            while (apr_isspace(*after))
                after++;
            if (!*after || *after == ',' || (with_argument && *after == '='))
                return 1;
        }
        list += strcspn(list, ",");
    }
    return 0;
}

const char *mnet_private_control(const char *said, apr_pool_t *pool)
{
    if (!said || !*said)
        return "private";
    if (has_directive(said, "private", 0) || has_directive(said, "no-store", 0) ||
        has_directive(said, "public", 0) || has_directive(said, "s-maxage", 1))
        return said;
    return apr_pstrcat(pool, said, ", private", NULL);
}

/* The values of both tables, which go out together. */
static const char *both(const request_rec *r, const char *name)
{
    const char *one = apr_table_get(r->headers_out, name);
    const char *other = apr_table_get(r->err_headers_out, name);
    if (one)
        one = apr_table_getm(r->pool, r->headers_out, name);
    if (other)
        other = apr_table_getm(r->pool, r->err_headers_out, name);
    return one && other ? apr_pstrcat(r->pool, one, ", ", other, NULL) : one ? one : other;
}

static void say_private(request_rec *r)
{
    const char *said = both(r, "Cache-Control"), *now = mnet_private_control(said, r->pool);
    if (now == said)
        return;
    /* As one line: mod_cache looks at one table alone. */
    if (said)
        apr_table_unset(r->err_headers_out, "Cache-Control");
    apr_table_setn(r->headers_out, "Cache-Control", now);
}

static void say_varies(request_rec *r)
{
    const char *vary = both(r, "Vary");
    if (!vary || (!has_directive(vary, "Cookie", 0) && !has_directive(vary, "*", 0)))
        apr_table_mergen(r->headers_out, "Vary", "Cookie");
}

/* --- the filter --- */

/* What is known of a request, of one that it took the place of, or of what is in it. */
static int any(const request_rec *r, int *varies)
{
    int entered = 0;
    for (; r; r = r->prev) {
        const mnet_here_t *here = mnet_here_if(r);
        entered |= here && (here->entered || here->entered_inside);
        *varies |= here && here->optional;
    }
    return entered;
}

/* mod_include sends what stands before an include, and the headers with it, before it looks who the
 * included is for: where there may be a session, it is taken for the user's. */
static int may_include(const ap_filter_t *ours)
{
    request_rec *r = ours->r;
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const ap_filter_t *f = r->output_filters;
    int others = 0;
    apr_array_header_t *cookies;

    while (f && f != ours && strcmp(f->frec->name, "includes") != 0)
        f = f->next;
    if (!f || f == ours || !conf->sso)
        return 0;
    cookies = mnet_cookie_values(r, conf->sso, &others);
    return cookies && cookies->nelts > 0;
}

static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    int varies = 0, entered = any(r, &varies) || may_include(f);
    ap_filter_t *next = f->next;

    ap_remove_output_filter(f);
    mnet_here(r)->said = 1;
    if (entered)
        say_private(r);
    if (varies)
        say_varies(r);
    return ap_pass_brigade(next, bb);
}

void mnet_private_register(void)
{
    /* Among those of its kind the last: after mod_headers, which has AP_FTYPE_CONTENT_SET as well,
     * and before mod_cache, which has one more. */
    ap_register_output_filter(FILTER, filter, NULL, AP_FTYPE_CONTENT_SET);
}

/* Whoever it is for may turn out later, by a request inside of it: it is there each time. */
void mnet_private_insert(request_rec *r)
{
    if (!r->main && mnet_conf_get(r->server)->site)
        ap_add_output_filter(FILTER, NULL, r, r->connection);
}

void mnet_private_outwards(request_rec *r, int entered)
{
    int inside = 0;
    request_rec *outer;

    for (outer = r->main ? r->main : r->prev; outer;
         outer = outer->main ? outer->main : outer->prev) {
        mnet_here_t *here = mnet_here(outer);
        inside |= r->main != NULL;
        here->optional |= !entered;
        here->entered_inside |= entered;
        /* Too late to say it; mod_cache can still be kept from keeping it. */
        if (here->said && inside)
            outer->no_cache = 1;
    }
}
