/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_AUTH_H
#define MNET_HTTPD_AUTH_H

/*
 * AuthType Mnet: a session made by a landing says who the user is.  Without one a page's request is
 * sent to log in, and comes back to where it was going; any other request gets 401.
 */

#include <httpd.h>

#include "rpc/engine.h"
#include "trust/peers.h"

/* The hooks, by their order. */
int mnet_auth_expect(request_rec *r);   /* post_read_request */
int mnet_auth_fetch(request_rec *r);    /* translate_name */
int mnet_auth_optional(request_rec *r); /* access_checker: MnetAuthOptional */
int mnet_auth_open(request_rec *r);     /* access_checker_ex, after mod_authz_core's: our paths */
int mnet_auth_user(request_rec *r);     /* check_user_id */
int mnet_auth_check(request_rec *r);    /* auth_checker, before mod_authz_core's */
int mnet_auth_fixup(request_rec *r);    /* fixups */
int mnet_auth_note(request_rec *r, const char *auth_type); /* note_auth_failure */

/* authz.c: Require mnet-peer, mnet-attribute, mnet-username. */
void mnet_authz_register(apr_pool_t *pool);

/* login.c: the link by which a user logs in at a peer and comes back; ins: see MnetLogin, or NULL.
 */
const char *mnet_login_link(const mnet_host_t *host, const mnet_peer_t *peer, const char *ins,
                            const char *wantsurl, apr_pool_t *pool);
/* Where a request without a session is sent, to come back to that path. */
const char *mnet_login_location(request_rec *r, mnet_host_t *host, const char *path);

#endif
