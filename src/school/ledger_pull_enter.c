/* SPDX-License-Identifier: Apache-2.0 */
/* Entering what a peer answered. */
#include "school/ledger_pull_int.h"

#include <apr_strings.h>

#include "base/status.h"
#include "school/ledger_int.h"

void mnet_pull_note(mnet_pull_t *pull, const char *text)
{
    if (pull->notes->nelts < MNET_LEDGER_TOLD) {
        APR_ARRAY_PUSH(pull->notes, const char *) = apr_pstrdup(pull->pool, text);
    }
}

apr_status_t mnet_pull_into(mnet_pull_t *pull, mnet_ledger_t *ledger, apr_pool_t *pool)
{
    apr_status_t rv =
        mnet_ledger_begin(ledger, pull->host, MNET_WRITE, pull->peer, pull->now, pool);

    ledger->keep = pull->pool;
    ledger->told = pull->told;
    ledger->told_before = pull->told->nelts;
    return rv;
}

apr_status_t mnet_pull_end(mnet_pull_t *pull, mnet_ledger_t *ledger, const char *what,
                           apr_status_t rv)
{
    rv = rv ? rv : mnet_ledger_commit(ledger);
    mnet_ledger_abort(ledger);
    if (!rv) {
        pull->added += ledger->added;
        pull->changed += ledger->changed;
        pull->same += ledger->same;
    } else if (rv == MNET_E_REFUSED) {
        mnet_pull_note(pull,
                       apr_psprintf(pull->pool, "%s: %s: %s", what, ledger->field, ledger->why));
    }
    if (rv) {
        pull->told->nelts = ledger->told_before;
    }
    return rv;
}

static const char *heard_key(apr_hash_t *heard, apr_int64_t id, int role)
{
    return apr_psprintf(apr_hash_pool_get(heard), "%" APR_INT64_T_FMT " %d", id, role);
}

void mnet_pull_hear(apr_hash_t *heard, apr_int64_t id, int role)
{
    apr_hash_set(heard, heard_key(heard, id, role), APR_HASH_KEY_STRING, heard);
}

int mnet_pull_heard(apr_hash_t *heard, apr_int64_t id, int role)
{
    return apr_hash_get(heard, heard_key(heard, id, role), APR_HASH_KEY_STRING) != NULL;
}
