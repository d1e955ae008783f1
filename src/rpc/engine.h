/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_ENGINE_H
#define MNET_RPC_ENGINE_H

/*
 * What a process holds: opened once in each child of httpd (after the fork) and once in mnetctl.
 * Immutable after that, so that any thread may use it.
 */

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/log.h"
#include "rpc/registry.h"
#include "rpc/transport.h"
#include "state/shared.h"
#include "state/store.h"
#include "trust/keyring.h"
#include "trust/peers.h"
#include "trust/site.h"
#include "wire/crypto.h"

/* One identity: a site with its keys and its peers. */
typedef struct mnet_host_t {
    struct mnet_engine_t *engine;
    const mnet_site_t *site;
    mnet_keyring_t *keyring;
    mnet_peers_t *peers;
    struct mnet_kept_t *kept; /* service/session.h: sessions in use, decoded; NULL: none are kept */
} mnet_host_t;

typedef struct mnet_engine_t {
    apr_pool_t *pool;
    const mnet_log_t *log;
    mnet_crypto_t *crypto;
    mnet_store_t *store;
    mnet_shared_t *shared; /* NULL in mnetctl */
    mnet_registry_t *registry;
    mnet_transport_t *transport;
    const char *state_dir;
    const char *tmp_dir;       /* for spools: state_dir/tmp */
    int outgoing_limit;        /* MnetOutgoingLimit; 0: none (mnetctl) */
    int private_limit;         /* private operations at once; 0: none */
    apr_array_header_t *hosts; /* mnet_host_t * */
} mnet_engine_t;

typedef struct mnet_engine_options_t {
    const mnet_log_t *log;
    const char *state_dir;
    apr_off_t state_size;
    mnet_shared_t *shared;
    mnet_registry_t *registry;             /* complete */
    const mnet_transport_ops_t *transport; /* NULL: libcurl */
    const apr_array_header_t *sites;       /* const mnet_site_t *; NULL: those in the store */
    int outgoing_limit;
    int private_limit;
} mnet_engine_options_t;

/* Belongs to the pool.  *why: one sentence with the mend. */
apr_status_t mnet_engine_create(mnet_engine_t **engine, const mnet_engine_options_t *options,
                                const char **why, apr_pool_t *pool);
/* The host of that wwwroot, or NULL. */
mnet_host_t *mnet_engine_host(const mnet_engine_t *engine, const char *wwwroot);

/*
 * A peer and our ring as of now, in one read transaction that is over when this returns; both
 * valid until pool is cleared.  ring or peer may be NULL: not wanted.  APR_NOTFOUND: no such active
 * peer; APR_EINIT: no key of ours was ever made.
 */
apr_status_t mnet_host_look(mnet_host_t *host, const char *wwwroot, const mnet_peer_t **peer,
                            const mnet_ring_t **ring, apr_pool_t *pool);

#endif
