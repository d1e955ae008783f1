/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_JUMP_INT_H
#define MNET_SERVICE_JUMP_INT_H

/* Jumps, tokens and child sessions from inside: jump_record.c, jump_told.c and child.c. */

#include "service/jump.h"
#include "service/sso_int.h"

#define MNET_JUMPS_MAX 10 /* tokens of one user at a time; the oldest goes */
/* Moodle sends user_authorise again after a 7025. */
#define MNET_CLAIM_AGAIN apr_time_from_sec(5)

typedef struct mnet_jump_t {
    const char *peer;
    const char *username; /* as the peer is told */
    const char *user;     /* REMOTE_USER */
    const char *user_agent;
    const char *session; /* or NULL */
    const apr_array_header_t *attributes;
    apr_time_t created, until;
    apr_time_t claimed;  /* 0: not yet */
    const char *picture; /* or NULL */
} mnet_jump_t;

apr_status_t mnet_jump_name(const mnet_host_t *host, const char *token, mnet_name_t *name);
apr_status_t mnet_jump_get(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                           mnet_jump_t **jump, apr_pool_t *pool);
apr_status_t mnet_jump_put(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                           const mnet_jump_t *jump, apr_pool_t *pool);
/* Makes room for one more of that user. */
apr_status_t mnet_jump_room(const mnet_host_t *host, mnet_txn_t *txn, const char *user,
                            apr_pool_t *pool);

/* What a peer is told of a user.  jump_told.c */
typedef struct mnet_told_t {
    apr_array_header_t *attributes; /* mnet_attribute_t */
    /* Names of attributes, "a, b", or NULL: */
    const char *lacks;    /* needed by every peer, and not there */
    const char *too_long; /* needed, and longer than what peers have room for */
    const char *left_out; /* does not fit, and nobody needs it */
    const char *cut;      /* of which only the beginning is told */
} mnet_told_t;
/* given: mnet_attribute_t, or NULL. */
void mnet_jump_told(const apr_array_header_t *given, mnet_told_t *told, apr_pool_t *pool);

apr_status_t mnet_child_put(const mnet_host_t *host, mnet_txn_t *txn, const mnet_child_t *child,
                            apr_pool_t *pool);
apr_status_t mnet_child_del(const mnet_host_t *host, mnet_txn_t *txn, const mnet_child_t *child);
/* By the name that peers know: mnet_child_t *. */
apr_status_t mnet_children_named(const mnet_host_t *host, mnet_txn_t *txn, const char *username,
                                 apr_array_header_t **children, apr_pool_t *pool);
/* By the key of the session they jumped from. */
apr_status_t mnet_children_from(const mnet_host_t *host, mnet_txn_t *txn, const char *session,
                                apr_array_header_t **children, apr_pool_t *pool);
/* By REMOTE_USER. */
apr_status_t mnet_children_of(const mnet_host_t *host, mnet_txn_t *txn, const char *user,
                              apr_array_header_t **children, apr_pool_t *pool);
/*
 * Those of that browser (user_agent: a hash), or all if there is none: a browser that was updated
 * since has another name, and to end one session too many harms less than to leave one open.
 */
apr_array_header_t *mnet_children_pick(const apr_array_header_t *children, const char *user_agent,
                                       apr_pool_t *pool);
/* Is one of them at that peer? */
int mnet_children_at(const apr_array_header_t *children, const char *peer);

#endif
