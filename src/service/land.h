/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_LAND_H
#define MNET_SERVICE_LAND_H

/*
 * A user arrives with a token (MNET protocol reference, 6.5): the provider is asked who it is,
 * policy is asked whether they may come in, an account record and a session are made.  Nothing of
 * HTTP but the words in and out.
 */

#include "service/session.h"

typedef struct mnet_landing_t {
    mnet_host_t *host;
    /* as the browser sent them, decoded; NULL: absent */
    const char *token;
    const char *idp;
    const char *wantsurl;
    const char *remoteurl;
    const char *user_agent; /* the browser's header; NULL: none */
    const char *old_session; /* the id in its cookie, or NULL: replaced on success */
    const char *address;
    const char *id; /* of the request */
    apr_time_t now;
    /* out */
    int status;              /* 303, 400, 403, 404, 502, 504 */
    const char *location;    /* 303 */
    const char *session;     /* 303: the id for the cookie */
    const char *title, *advice; /* else: what happened and what to do next, for a student */
} mnet_landing_t;

/* Always sets status.  Calls the provider: takes as long as that does. */
void mnet_land(mnet_landing_t *landing, apr_pool_t *pool);

/*
 * A path to go to, of wantsurl: one slash that no slash or back-slash follows, no control
 * character, nothing that a browser or a server could take for another host, once decoded or
 * twice.  NULL and "" give "/"; anything wrong gives NULL.
 */
const char *mnet_wants_path(const char *wantsurl, const char *wwwroot, apr_pool_t *pool);

#endif
