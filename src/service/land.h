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
    const char *user_agent;  /* the browser's header; NULL: none */
    const char *old_session; /* the id in its cookie, or NULL: replaced on success */
    const char *address;
    const char *id; /* of the request */
    apr_time_t now;
    /*
     * May they come in, as far as the site and MnetUserAccess go?  Asked before anything is made.
     * MNET_E_REFUSED: no; NULL: nobody else is asked.  fields: mnet_attribute_t, of the profile.
     */
    apr_status_t (*admit)(mnet_host_t *host, const mnet_peer_t *peer, const char *username,
                          const apr_array_header_t *fields, apr_pool_t *pool);
    /* out */
    const char *peer, *username; /* 303: who landed */
    int status;                  /* 303, 400, 403, 404, 500, 502, 503, 504 */
    const char *location;        /* 303 */
    const char *session;         /* 303: the id for the cookie */
    const char *title, *advice;  /* else: what happened and what to do next, for a student */
    const char *home;      /* else: the provider's wwwroot if it is a peer, for the way back */
    const char *home_name; /* what it calls itself */
} mnet_landing_t;

/*
 * Always sets status.  Calls the provider: takes as long as that does.  The token is not spent on
 * a request that is wrong in itself (400, 404).  No picture is fetched: nothing here shows one.
 */
void mnet_land(mnet_landing_t *landing, apr_pool_t *pool);

/*
 * A path to go to, of wantsurl, to be appended to wwwroot (ours, or the provider's): begins with
 * one slash that no slash, back-slash or space follows; no control character, no dot segment and no
 * back-slash in it, once decoded up to three times; what a URL may not hold is percent-encoded.
 * NULL and "" give "/"; a URL under wwwroot gives its path; a path without its slash gets one.
 * Anything else gives NULL.
 */
const char *mnet_wants_path(const char *wantsurl, const char *wwwroot, apr_pool_t *pool);

#endif
