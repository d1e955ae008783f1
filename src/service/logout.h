/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_LOGOUT_H
#define MNET_SERVICE_LOGOUT_H

/*
 * A user logs out here (MNET protocol reference, 6.7).  Their session ends at once, on the disk;
 * then the provider they came from is told (kill_children), and the peers they jumped to
 * (kill_child), within MNET_LOGOUT_PATIENCE altogether.  A peer that is down hinders nothing.
 */

#include "service/session.h"

#define MNET_LOGOUT_PATIENCE apr_time_from_sec(10)

typedef struct mnet_logout_t {
    mnet_host_t *host;
    const char *session;    /* the id in the cookie, or NULL */
    const char *user;       /* REMOTE_USER, also of another AuthType; NULL: nobody */
    const char *user_agent; /* the browser's header; NULL: none */
    const char *id;         /* of the request */
    apr_time_t now;
    /* out */
    int ended;                      /* sessions of ours */
    const char *provider;           /* the wwwroot they came from, for the way back; or NULL */
    const apr_array_header_t *told; /* const char *: wwwroots that were told and answered */
    const apr_array_header_t
        *failed; /* const char *: those that may still have the user logged in */
} mnet_logout_t;

/* An error: the session could not be ended (the store), nobody was told. */
apr_status_t mnet_logout(mnet_logout_t *logout, apr_pool_t *pool);

#endif
