/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_ACCOUNT_H
#define MNET_SERVICE_ACCOUNT_H

/*
 * What is known here of a user of a peer, from their last landing on.  Whether they may have an
 * account at all (MnetUserAccess) is asked before.
 *
 * Well-known fields, taken unless the site says which (mnet_site_t.profile_fields): firstname,
 * lastname, email, firstnamephonetic, lastnamephonetic, middlename, alternatename, city, country,
 * lang, timezone, description, idnumber, institution, department, phone1, phone2, address, url.
 */

#include "service/session.h"
#include "wire/value.h"

#define MNET_FIELD_MAX   (8 * 1024)  /* bytes of one field; a longer one is left out */
#define MNET_PROFILE_MAX (64 * 1024) /* bytes of all of them */

typedef struct mnet_account_t {
    const char *peer, *username;
    const apr_array_header_t *attributes; /* mnet_attribute_t */
    apr_time_t first, last;               /* landings */
    apr_int64_t landings;
} mnet_account_t;

/*
 * The fields to be taken of what user_authorise answered: mnet_attribute_t.  Numbers and truths as
 * PHP would print them; control characters are dropped (but not the newlines of a description), and
 * so is what is no UTF-8, empty or too long.
 */
apr_array_header_t *mnet_account_fields(const mnet_host_t *host, const mnet_value_t *user,
                                        apr_pool_t *pool);
/* Makes or updates the account, in the caller's transaction. */
apr_status_t mnet_account_note(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                               const char *username, const apr_array_header_t *attributes,
                               apr_time_t now, apr_pool_t *pool);
/* APR_NOTFOUND: never landed here.  In the caller's transaction, or in its own. */
apr_status_t mnet_account_in(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                             const char *username, mnet_account_t **account, apr_pool_t *pool);
apr_status_t mnet_account_find(const mnet_host_t *host, const char *peer, const char *username,
                               mnet_account_t **account, apr_pool_t *pool);

#endif
