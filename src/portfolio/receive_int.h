/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_RECEIVE_INT_H
#define MNET_PORTFOLIO_RECEIVE_INT_H

/* What the files of receive.h share: handlers, and what they are made of. */

#include "portfolio/arrival.h"
#include "rpc/call.h"

#define MNET_RECEIVE_TOKEN   8009 /* unknown, or another's */
#define MNET_RECEIVE_EXPIRED 8010
#define MNET_RECEIVE_USER    8011
#define MNET_RECEIVE_DATA    8013 /* what "ready" says is no good */
#define MNET_RECEIVE_PACKAGE 8014 /* the package is */

/* --- receive_user.c --- */

/* A user of the caller's who has landed here, and may be here.  NULL: the fault is set. */
const char *mnet_receive_user(mnet_call_t *call, const char *username);

/* --- receive_import.c: what "ready" says, as an arrival.  0: the fault is set --- */

int mnet_receive_send_content(mnet_call_t *call, mnet_arrival_t *arrival);
int mnet_receive_content(mnet_call_t *call, mnet_arrival_t *arrival);

/* --- receive_intent.c, receive_ready.c: handlers; the baton of a "ready" is a mnet_portfolio_t ---
 */

apr_status_t mnet_receive_send_content_intent(mnet_call_t *call, void *baton);
apr_status_t mnet_receive_content_intent(mnet_call_t *call, void *baton);
apr_status_t mnet_receive_send_content_ready(mnet_call_t *call, void *baton);
apr_status_t mnet_receive_content_ready(mnet_call_t *call, void *baton);

#endif
