/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_LEDGER_PULL_INT_H
#define MNET_SCHOOL_LEDGER_PULL_INT_H

/* What the files of the synchronisation share. */

#include <apr_hash.h>

#include "school/ledger_pull.h"

/* --- ledger_pull_enter.c: entering what the peer answered --- */

void mnet_pull_note(mnet_pull_t *pull, const char *text);
/* A transaction in which the peer speaks; and its end, which counts what was done or notes why
 * nothing was.  Answers rv, or why it could not be written. */
apr_status_t mnet_pull_into(mnet_pull_t *pull, mnet_ledger_t *ledger, apr_pool_t *pool);
apr_status_t mnet_pull_end(mnet_pull_t *pull, mnet_ledger_t *ledger, const char *what,
                           apr_status_t rv);

/* What was heard in one answer: by the other's id (a section's, a person's) and the role. */
void mnet_pull_hear(apr_hash_t *heard, apr_int64_t id, int role);
int mnet_pull_heard(apr_hash_t *heard, apr_int64_t id, int role);

/* --- ledger_pull_courses.c --- */

apr_status_t mnet_pull_courses(mnet_pull_t *pull);

#endif
