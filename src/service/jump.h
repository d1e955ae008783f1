/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_JUMP_H
#define MNET_SERVICE_JUMP_H

/*
 * A user leaves for a peer (MNET protocol reference, 6.3): a token from the CSPRNG, bound to peer,
 * user agent and user, with what a peer may be told of them, claimed once.  A claimed token becomes
 * the record of a child session, which keepalive_server, kill_children and logout need.
 */

#include "service/session.h"

typedef struct mnet_jumping_t {
    mnet_host_t *host;
    const char *username;                 /* whom httpd authenticated */
    const apr_array_header_t *attributes; /* mnet_attribute_t: MnetAttribute, evaluated */
    const char *session;                  /* an MNET session's key if they came in by one, or NULL */
    const char *from;                     /* that session's provider, or NULL */
    int from_allowed;                     /* the configuration lets such users jump on */
    /* as the browser sent them; NULL: absent.  One of the first three names the peer. */
    const char *hostwwwroot, *hostid, *wr;
    const char *wantsurl, *remoteurl;
    const char *user_agent;
    const char *id;
    apr_time_t now;
    /* out */
    int status;
    const char *location;
    const char *title, *advice;
} mnet_jumping_t;

void mnet_jump(mnet_jumping_t *jumping, apr_pool_t *pool);

/* What user_authorise is asked: claims the token for that peer.  The user's record, or a fault code
 * (1 no such token, 2 too late, 3 another user agent). */
typedef struct mnet_claim_t {
    const char *username;
    const apr_array_header_t *attributes;
    int fault;
} mnet_claim_t;
apr_status_t mnet_jump_claim(mnet_host_t *host, const mnet_peer_t *peer, const char *token,
                             const char *user_agent_hash, apr_time_t now, mnet_claim_t *claim,
                             apr_pool_t *pool);

/* The child sessions of a user: at which peers they claimed a token. */
typedef struct mnet_child_t {
    const char *peer;
    const char *username;
    const char *user_agent; /* hash */
    apr_time_t claimed, kept; /* last keepalive */
} mnet_child_t;
apr_status_t mnet_children_list(mnet_host_t *host, const char *username, const char *user_agent,
                                apr_array_header_t **children, apr_pool_t *pool);
/* keepalive_server: marks those the peer holds; *missing: names it does not. */
apr_status_t mnet_children_keep(mnet_host_t *host, const char *peer,
                                const apr_array_header_t *usernames, apr_time_t now,
                                apr_array_header_t **missing, apr_pool_t *pool);
apr_status_t mnet_children_end(mnet_host_t *host, const char *username, const char *user_agent,
                               apr_pool_t *pool);

#endif
