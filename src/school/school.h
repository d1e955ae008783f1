/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_SCHOOL_H
#define MNET_SCHOOL_SCHOOL_H

/* What the school ledger adds to a site: its methods, those of mnet_enrol, and who may land. */

#include "rpc/registry.h"
#include "school/ledger.h"
#include "service/land.h"

/*
 * Adds the methods of a site with MnetLedger On; none for another.  What answers a path already
 * (a backend, another module) keeps it.  Comes after everything else that adds methods.
 */
apr_status_t mnet_school_register(mnet_registry_t *registry, const mnet_site_t *site,
                                  apr_pool_t *pool);
/* For a client alone (mnetctl): that these are methods of the services mnet_enrol and the
 * ledger's, so that a subscription to those is enough. */
apr_status_t mnet_school_know(mnet_registry_t *registry, const mnet_site_t *site, apr_pool_t *pool);

/* The path of a method of the ledger at a peer: our own prefix and its name. */
const char *mnet_ledger_path(const mnet_host_t *host, const char *name, apr_pool_t *pool);

/* --- enrol_server.c --- */

apr_status_t mnet_enrol_register(mnet_registry_t *registry, const mnet_site_t *site,
                                 apr_pool_t *pool);

/* --- ledger_land.c --- */

/*
 * A mnet_landing_t.admit: may somebody whom the ledger knows come in?  MNET_E_REFUSED for who was
 * imported and whom no administrator has allowed, under a name that was somebody's, or under
 * another name with their idnumber (of a peer that may write in the ledger).  Nobody else is
 * refused.
 */
apr_status_t mnet_ledger_admit(mnet_host_t *host, const mnet_peer_t *peer, const char *username,
                               const apr_array_header_t *fields, apr_pool_t *pool);
/*
 * After somebody landed: an unknown one is entered, and their enrolments are fetched from their
 * site, if it can be asked (list_user_enrolments; a subscription to the ledger's service).  Takes
 * as long as that site does; trouble is logged, and tried again.  newcomer: of
 * mnet_ledger_newcomer.
 */
void mnet_ledger_welcome(mnet_host_t *host, const char *newcomer, apr_time_t now, apr_pool_t *pool);
const char *mnet_ledger_newcomer(const char *peer, const char *username, apr_pool_t *pool);
/* Those whose enrolments could not be had yet and are due again (const char *: newcomers).  Asked
 * for now and then; each is named by one process only. */
apr_array_header_t *mnet_ledger_newcomers(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

#endif
