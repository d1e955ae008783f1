/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_MYHOSTS_H
#define MNET_SERVICE_MYHOSTS_H

/*
 * The sites of a user's home: what user_authorise gives as myhosts (MNET protocol reference, 5.2),
 * kept at the landing, for the page of sites.  Only links to the home itself are taken, which lead
 * on from there (its jump page): a provider cannot have us link elsewhere.
 */

#include <apr_tables.h>

#include "rpc/engine.h"
#include "wire/value.h"

#define MNET_MYHOSTS_MAX 100

typedef struct mnet_myhost_t {
    const char *name;
    const char *url;
} mnet_myhost_t;

/* Those of an answer: mnet_myhost_t, cleaned; the home itself is left out. */
apr_array_header_t *mnet_myhosts_read(const char *peer, const mnet_value_t *user, apr_pool_t *pool);
/* In the landing's transaction; writes only what is new. */
apr_status_t mnet_myhosts_note(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                               const char *username, const apr_array_header_t *myhosts,
                               apr_pool_t *pool);
/* Those of a user; none: an empty list. */
apr_status_t mnet_myhosts_find(mnet_host_t *host, const char *peer, const char *username,
                               apr_array_header_t **myhosts, apr_pool_t *pool);

#endif
