/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_PAGE_H
#define MNET_HTTPD_PAGE_H

/*
 * Pages for people: one small layout that needs nothing else (no script, no file), reads well on a
 * telephone and to a screen reader, and shows the id under which the log has the request.
 */

#include <httpd.h>

#include "rpc/engine.h"

/* Text as HTML, in an attribute's double quotes as well. */
const char *mnet_html(const char *text, apr_pool_t *pool);
/* A paragraph of text; "" of NULL. */
const char *mnet_html_text(const char *text, apr_pool_t *pool);
/* A link. */
const char *mnet_html_link(const char *url, const char *text, apr_pool_t *pool);

/* The ways on from a page that ends: back to the site they came from (a wwwroot and its name, or
 * NULL), and to the first page of this one. */
const char *mnet_html_ways(const mnet_host_t *host, const char *from, const char *from_name,
                           apr_pool_t *pool);

/* Sends a page; a handler's return value.  body: HTML below the title, which is text.  A status
 * from 400 on shows the request's id. */
int mnet_page_send(request_rec *r, int status, const char *title, const char *body);

/* The same from a hook before the handler: what it returns is the hook's value.  It goes before an
 * ErrorDocument: ask mnet_page_is_free first where that should count. */
int mnet_page_refuse(request_rec *r, int status, const char *title, const char *body);
/* Has the administrator no page of their own for that status here? */
int mnet_page_is_free(const request_rec *r, int status);

/* 303 to a URL, kept by no cache and not told to the next site; a handler's return value. */
int mnet_page_redirect(request_rec *r, const char *location);

/* 405, for a path that is read. */
int mnet_page_get_only(request_rec *r);

#endif
