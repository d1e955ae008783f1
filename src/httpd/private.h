/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_PRIVATE_H
#define MNET_HTTPD_PRIVATE_H

/*
 * What was made for the user of a session is for no shared cache (mod_cache, a proxy on the way):
 * they keep apart what came with Authorization, but not what came with a cookie.  Said by an output
 * filter, when the application, a proxy's other side and mod_headers have said what they have to.
 */

#include <httpd.h>

/* The filter; once, with the hooks. */
void mnet_private_register(void);

/* The hooks insert_filter and insert_error_filter (redirects and other early answers). */
void mnet_private_insert(request_rec *r);

/* A request inside of another (an include, the look at an index) has a session's user, or would
 * have another answer for one: what is around it is marked as well. */
void mnet_private_outwards(request_rec *r, int entered);

/*
 * The Cache-Control of an answer that was made for one user, if the application says this (NULL:
 * nothing): private, unless it is that already, or is never stored, or was declared public.
 */
const char *mnet_private_control(const char *said, apr_pool_t *pool);

#endif
