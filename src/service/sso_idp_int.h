/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_SSO_IDP_INT_H
#define MNET_SERVICE_SSO_IDP_INT_H

/* The methods of sso_idp, by what they are about. */

#include "rpc/call.h"

/* sso_idp.c: who a token stands for, and what there is to know of a user */
mnet_handler_fn mnet_idp_user_authorise;
mnet_handler_fn mnet_idp_fetch_user_image;
mnet_handler_fn mnet_idp_fetch_theme_info;
mnet_handler_fn mnet_idp_refresh_log;
/* sso_idp_children.c: the sessions that our users have at the caller's */
mnet_handler_fn mnet_idp_keepalive_server;
mnet_handler_fn mnet_idp_kill_children;
/* sso_idp_enrolments.c */
mnet_handler_fn mnet_idp_update_enrolments;

#endif
