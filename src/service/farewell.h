/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_FAREWELL_H
#define MNET_SERVICE_FAREWELL_H

/*
 * Who is still to be told that a user logged out.  It is noted with the end of the session, in one
 * transaction, and forgotten once the peer answered: one that is down is told later, for as long as
 * the session there may live, and whoever is killed in between forgets nobody.
 */

#include <apr_tables.h>

#include "rpc/engine.h"

typedef struct mnet_farewell_t {
    const char *peer;
    int at_provider;                   /* kill_children; else kill_child */
    const char *username, *user_agent; /* as the peer knows them */
    apr_time_t until;                  /* no session there lives longer */
    apr_time_t next;
    int tries;
} mnet_farewell_t;

/* next, tries: set here. */
apr_status_t mnet_farewell_note(const mnet_host_t *host, mnet_txn_t *txn, mnet_farewell_t *farewell,
                                apr_time_t now, apr_pool_t *pool);
/* Told; or they logged in there anew, which nobody must end.  There need be none. */
apr_status_t mnet_farewell_drop(const mnet_host_t *host, mnet_txn_t *txn,
                                const mnet_farewell_t *farewell);

/* The peers that are to be told now (const char * wwwroot), each once in a few seconds over all
 * processes: whoever is told is to call mnet_farewell_peer.  Gives up what is past. */
apr_array_header_t *mnet_farewells_due(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);
/* Tells one peer; takes as long as that does. */
void mnet_farewell_peer(mnet_host_t *host, const char *wwwroot, apr_time_t now, apr_pool_t *pool);

#endif
