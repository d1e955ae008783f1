/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/page.h"

#include <http_core.h>
#include <http_protocol.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "httpd/request.h"

#define POLICY                                                                                     \
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "         \
    "frame-ancestors 'self'"

/* Contrasts are 7:1 and better, in both colour schemes. */
static const char head[] =
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"robots\" content=\"noindex\">\n"
    "<style>\n"
    ":root{color-scheme:light dark}\n"
    "body{margin:0;font:1.125rem/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff}\n"
    "main{max-width:38rem;margin:0 auto;padding:1.5rem 1rem 3rem}\n"
    "h1{font-size:1.6rem;line-height:1.25}\n"
    "h2{font-size:1.25rem}\n"
    "a{color:#003f8a}\n"
    "ul{padding:0;list-style:none}\n"
    "li a{display:block;margin:.5rem 0;padding:.75rem 1rem;border:1px solid #5a5a5a;"
    "border-radius:.4rem;overflow-wrap:anywhere}\n"
    "small{color:#454545;font-size:1rem}\n"
    "button{font:inherit;padding:.75rem 1.5rem;border:0;border-radius:.4rem;color:#fff;"
    "background:#003f8a}\n"
    "a:focus,button:focus{outline:3px solid #b35c00;outline-offset:2px}\n"
    "code{overflow-wrap:anywhere}\n"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}a{color:#9cc7ff}"
    "small{color:#c4c4c4}button{color:#000;background:#9cc7ff}}\n"
    "</style>\n";

const char *mnet_html(const char *text, apr_pool_t *pool)
{
    return ap_escape_html2(pool, text, 0);
}

const char *mnet_html_text(const char *text, apr_pool_t *pool)
{
    return text ? apr_pstrcat(pool, "<p>", mnet_html(text, pool), "</p>\n", NULL) : "";
}

const char *mnet_html_link(const char *url, const char *text, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "<a href=\"", mnet_html(url, pool), "\">", mnet_html(text, pool),
                       "</a>", NULL);
}

const char *mnet_html_ways(const mnet_host_t *host, const char *from, const char *from_name,
                           apr_pool_t *pool)
{
    const char *home = apr_pstrcat(pool, host->site->wwwroot, "/", NULL), *back = "";
    if (from)
        back = apr_pstrcat(pool, "<li>",
                           mnet_html_link(apr_pstrcat(pool, from, "/", NULL),
                                          apr_pstrcat(pool, "Back to ", from_name, NULL), pool),
                           "</li>\n", NULL);
    return apr_pstrcat(
        pool, "<ul>\n", back, "<li>",
        mnet_html_link(home, apr_pstrcat(pool, "To the first page of ", host->site->name, NULL),
                       pool),
        "</li>\n</ul>\n", NULL);
}

static void keep_private(apr_table_t *headers)
{
    apr_table_setn(headers, "Cache-Control", "no-store");
    apr_table_setn(headers, "Referrer-Policy", "no-referrer");
    apr_table_setn(headers, "X-Content-Type-Options", "nosniff");
}

static const char *make(request_rec *r, int status, const char *title, const char *body)
{
    const char *text = mnet_html(title, r->pool), *page;

    page = apr_pstrcat(r->pool,
                       "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<title>",
                       text, "</title>\n", head, "</head>\n<body>\n<main>\n<h1>", text, "</h1>\n",
                       body, NULL);
    if (status >= HTTP_BAD_REQUEST)
        page = apr_pstrcat(r->pool, page,
                           "<p><small>If you ask somebody for help, tell them this code: <code>",
                           mnet_html(mnet_request_id(r), r->pool), "</code></small></p>\n", NULL);
    return apr_pstrcat(r->pool, page, "</main>\n</body>\n</html>\n", NULL);
}

int mnet_page_send(request_rec *r, int status, const char *title, const char *body)
{
    const char *page = make(r, status, title, body);

    r->status = status;
    r->status_line = NULL;
    ap_set_content_type(r, "text/html; charset=utf-8");
    keep_private(r->headers_out);
    apr_table_setn(r->headers_out, "Content-Security-Policy", POLICY);
    ap_set_content_length(r, (apr_off_t)strlen(page));
    ap_rputs(page, r);
    return OK;
}

/* httpd calls its pages of errors ISO-8859-1, whatever they are. */
static const char *ascii(const char *html, apr_pool_t *pool)
{
    apr_size_t left = strlen(html);
    char *out = apr_palloc(pool, 10 * left + 1), *at = out;
    unsigned int code;
    while (left) {
        int n = mnet_utf8_next(html, left, &code);
        if (n == 1)
            *at++ = *html;
        else if (n > 1)
            at += apr_snprintf(at, 12, "&#%u;", code);
        n = n < 1 ? 1 : n;
        html += n;
        left -= (apr_size_t)n;
    }
    *at = '\0';
    return out;
}

int mnet_page_is_free(const request_rec *r, int status)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    int index = ap_index_of_response(status);
    return !core->response_code_exprs ||
           !apr_hash_get(core->response_code_exprs, &index, sizeof(index));
}

int mnet_page_refuse(request_rec *r, int status, const char *title, const char *body)
{
    keep_private(r->err_headers_out);
    apr_table_setn(r->err_headers_out, "Content-Security-Policy", POLICY);
    ap_custom_response(r, status, ascii(make(r, status, title, body), r->pool));
    return status;
}

int mnet_page_redirect(request_rec *r, const char *location)
{
    keep_private(r->err_headers_out);
    apr_table_setn(r->headers_out, "Location", location);
    return HTTP_SEE_OTHER;
}

int mnet_page_get_only(request_rec *r)
{
    apr_table_setn(r->headers_out, "Allow", "GET, HEAD");
    return mnet_page_send(
        r, HTTP_METHOD_NOT_ALLOWED, "This address is only for links",
        apr_pstrcat(r->pool, "<p>Go back and follow the link again.</p>\n",
                    mnet_html_ways(mnet_conf_get(r->server)->host, NULL, NULL, r->pool), NULL));
}
