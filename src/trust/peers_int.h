/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_PEERS_INT_H
#define MNET_TRUST_PEERS_INT_H

/*
 * Inside this room: what finding (peers.c), viewing (peer_view.c) and changing (peers_change.c)
 * share.  A peer's record: group "peer", named by SHA-256 of the site's wwwroot (which with the
 * peer's could be too long for a name) and the peer's wwwroot.
 */

#include "trust/peers.h"
#include "trust/wwwroot.h"

#define MNET_PEER_GROUP    "peer"
#define MNET_PEER_NAME_MAX (MNET_SHA256 + MNET_WWWROOT_MAX)

typedef struct mnet_peers_parts_t {
    const mnet_crypto_t *crypto;
    mnet_store_t *store;
    const mnet_site_t *site;
    const mnet_log_t *log;
    unsigned char prefix[MNET_SHA256];
} mnet_peers_parts_t;

const mnet_peers_parts_t *mnet_peers_parts(const mnet_peers_t *peers);

/* The record's name in buf; 0 if the wwwroot is too long to be a peer's. */
apr_size_t mnet_peer_name(const mnet_peers_parts_t *parts, unsigned char buf[MNET_PEER_NAME_MAX],
                          const char *wwwroot);
const mnet_peer_facts_t *mnet_peer_configured(const mnet_peers_parts_t *parts, const char *wwwroot);

/* Which of a peer's certificates is in force.  SAID: the one in the store's facts. */
typedef enum {
    MNET_IN_FORCE_NONE,
    MNET_IN_FORCE_STORED,
    MNET_IN_FORCE_CONFIG,
    MNET_IN_FORCE_SAID
} mnet_in_force_e;
/* configured: the peer's <MnetPeer>, NULL if it has none; config: its certificate as read, NULL if
 * it has none or it cannot be read. */
mnet_in_force_e mnet_peer_in_force(const mnet_peer_state_t *state,
                                   const mnet_peer_facts_t *configured,
                                   const mnet_certificate_t *config);

/* Both views of a peer as one.  data: its record, or NULL.  APR_NOTFOUND if it is no peer: not
 * configured, and nobody said anything of it. */
apr_status_t mnet_peer_view(const mnet_peers_parts_t *parts, const char *wwwroot, const void *data,
                            apr_size_t len, mnet_peer_t **peer, apr_pool_t *pool);

const void *mnet_peer_state_pack(const mnet_peer_state_t *state, apr_size_t *len, apr_pool_t *pool);
apr_status_t mnet_peer_state_unpack(const void *data, apr_size_t len, mnet_peer_state_t **state,
                                    apr_pool_t *pool);

#endif
