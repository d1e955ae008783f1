/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_COOKIE_H
#define MNET_HTTPD_COOKIE_H

/*
 * The session's cookie (RFC 6265).  It is made at a landing and removed at a logout, and there is
 * no other: an attempt to sign on leaves none.
 */

#include "httpd/sso_config.h"

/* A browser may send several of one name, for different paths: no more than this many are tried. */
#define MNET_COOKIES_MAX 8

/* Makes the name and the attributes of MnetCookie's words (NULL: the defaults) for a wwwroot. NULL,
 * or a sentence. */
const char *mnet_cookie_build(mnet_sso_t *sso, const apr_array_header_t *words, const char *wwwroot,
                              apr_pool_t *pool);

/* Is it allowed, but a mistake more often than not?  A sentence, or NULL. */
const char *mnet_cookie_warning(const apr_array_header_t *words, apr_pool_t *pool);

/* The values of the session's cookies that may be ids: const char *, in the order sent; no longer
 * there when the header is changed in place.  *others: how many cookies of that name could not be.
 */
apr_array_header_t *mnet_cookie_values(const request_rec *r, const mnet_sso_t *sso, int *others);
/* In haste, for each request: where the first of them may begin, MNET_SESSION_ID_LEN bytes that
 * were not looked at; or NULL. */
const char *mnet_cookie_peek(const request_rec *r, const mnet_sso_t *sso);

/* With whatever is answered: on a redirect and on an error as well. */
void mnet_cookie_set(request_rec *r, const mnet_sso_t *sso, const char *id);
void mnet_cookie_clear(request_rec *r, const mnet_sso_t *sso);

#endif
