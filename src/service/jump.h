/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_JUMP_H
#define MNET_SERVICE_JUMP_H

/*
 * A user leaves for a peer (MNET protocol reference, 6.3): a token from the CSPRNG, bound to peer,
 * user agent and user, with what a peer may be told of them, claimed once.  A claimed token becomes
 * the record of a child session, which keepalive_server, kill_children and logout need.
 */

#include "rpc/call.h"
#include "service/session.h"

typedef struct mnet_jumping_t {
    mnet_host_t *host;
    const char *username; /* whom httpd authenticated (REMOTE_USER) */
    /* mnet_attribute_t: MnetAttribute, evaluated.  One called username is the name that the peer is
     * told instead of the one above. */
    const apr_array_header_t *attributes;
    const char *picture; /* MnetUserImage, evaluated: the file; or NULL */
    const char *session; /* an MNET session's key if they came in by one, or NULL */
    const char *from;    /* that session's provider, or NULL */
    int from_allowed;    /* the configuration lets such users jump on */
    /* as the browser sent them, decoded; NULL: absent.  One of the first three names the peer; a
     * Mahara's ins is not needed. */
    const char *hostwwwroot, *hostid, *wr;
    const char *wantsurl; /* remoteurl is ignored, as Moodle's jump page does */
    /* "wantsurlbackhere", true: wantsurl is a path of ours, to which the peer sends the user back
     * at once.  So an account there comes about (protocol 7.1.2). */
    int back;
    const char *user_agent;
    const char *id;
    apr_time_t now;
    /* out */
    int status;           /* 303, 400, 403, 404, 500 */
    const char *location; /* 303 */
    const char *title, *advice;
} mnet_jumping_t;

/* Always sets status.  Calls nobody. */
void mnet_jump(mnet_jumping_t *jumping, apr_pool_t *pool);

/* The peers that a user may jump to, whoever they are: const mnet_peer_t *, by wwwroot. */
apr_status_t mnet_jump_peers(mnet_host_t *host, apr_array_header_t **peers, apr_pool_t *pool);
/* The number that hostid= knows a peer by: the same on every site and at every time. */
int mnet_jump_hostid(const mnet_peer_t *peer);

/*
 * What user_authorise is asked: claims the token for that peer, in the call's own transaction.
 * The user's record, or a fault code (1 no such token, 2 too late, 3 another user agent).  The same
 * peer may ask once more within five seconds (Moodle does after a 7025).  MNET_E_REPLAY: the call
 * itself was seen before.
 */
typedef struct mnet_claim_t {
    const char *username;
    const apr_array_header_t *attributes;
    const char *picture; /* the file, or NULL */
    int fault;
} mnet_claim_t;
apr_status_t mnet_jump_claim(mnet_call_t *call, const char *token, const char *user_agent_hash,
                             mnet_claim_t *claim);
/* Forgets tokens that are past. */
apr_status_t mnet_jumps_tend(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

/*
 * The child sessions of a user: at which peers they claimed a token.  One per user, peer and
 * browser.
 */
typedef struct mnet_child_t {
    const char *peer;
    const char *username;     /* as the peer was told */
    const char *user;         /* REMOTE_USER here */
    const char *user_agent;   /* hash */
    const char *session;      /* the key of the MNET session they jumped from, or NULL */
    apr_time_t claimed, kept; /* last keepalive */
    const char *picture;      /* the file, or NULL */
} mnet_child_t;
/* Those of a user here; user_agent: the hash, NULL: whatever the browser.  mnet_child_t * */
apr_status_t mnet_children_list(mnet_host_t *host, const char *user, const char *user_agent,
                                apr_array_header_t **children, apr_pool_t *pool);
/* Forgets those not kept alive for MnetSessionLifetime. */
apr_status_t mnet_children_tend(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

#endif
