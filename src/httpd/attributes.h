/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_ATTRIBUTES_H
#define MNET_HTTPD_ATTRIBUTES_H

/*
 * What an application behind httpd is told of a user who came from a peer: variables (MNET_PEER,
 * MNET_USERNAME, MNET_EMAIL, ...), headers (X-Mnet-Peer, ...), REMOTE_USER.
 */

#include <httpd.h>

#include "service/session.h"

/* MnetRemoteUser filled in; a control character becomes a '_'. */
const char *mnet_remote_user(const char *format, const mnet_session_t *session, apr_pool_t *pool);

/* how: MNET_PASS_ENV, MNET_PASS_HEADERS, both or 0. */
void mnet_attributes_pass(request_rec *r, const mnet_session_t *session, int how);

/* The post_read_request hook: nothing that a client calls X-Mnet-... reaches anybody. */
int mnet_attributes_drop(request_rec *r);

#endif
