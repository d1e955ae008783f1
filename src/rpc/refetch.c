/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/refetch.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "rpc/client.h"

#define REFETCH_EVERY apr_time_from_sec(60)
/* After one that found a new key. */
#define REFETCH_GAP    apr_time_from_sec(5)
#define WAIT_FOR_OTHER apr_time_from_msec(3000) /* for a refetch that another request does */
#define WAIT_STEP      apr_time_from_msec(50)
#define ASK            "refetch"
#define ASKED          "refetch answered"

/* Is another certificate in force than the one the caller knew? */
static int changed(mnet_host_t *host, const mnet_peer_t *peer, apr_pool_t *pool)
{
    const mnet_peer_t *now;

    return !mnet_host_look(host, peer->facts->wwwroot, &now, NULL, pool) && now->certificate &&
           strcmp(now->certificate->sha256, peer->certificate->sha256);
}

/*
 * Calls that arrive together after a rotation: one asks, the others wait for what it finds.  They
 * share the gate for those who wait for a peer, and leave half of it free, so that forged messages
 * cannot fill it.
 */
static int wait_for_other(mnet_host_t *host, const mnet_peer_t *peer, apr_time_t now,
                          apr_pool_t *parent)
{
    const char *wwwroot = peer->facts->wwwroot;
    mnet_engine_t *engine = host->engine;
    apr_time_t until = apr_time_now() + WAIT_FOR_OTHER;
    apr_pool_t *pool;
    int found = changed(host, peer, parent);

    if (found || engine->outgoing_limit < 2 ||
        !mnet_shared_enter(engine->shared, MNET_GATE_OUTGOING, engine->outgoing_limit / 2)) {
        return found;
    }
    apr_pool_create(&pool, parent);
    while (!found && apr_time_now() < until &&
           mnet_shared_due(engine->shared, ASKED, wwwroot, now, REFETCH_EVERY)) {
        apr_sleep(WAIT_STEP);
        found = changed(host, peer, pool);
        apr_pool_clear(pool);
    }
    found = found || changed(host, peer, pool); /* what it found was written before it was said */
    apr_pool_destroy(pool);
    mnet_shared_leave(engine->shared, MNET_GATE_OUTGOING);
    return found;
}

apr_status_t mnet_refetch(mnet_host_t *host, const mnet_peer_t *peer, apr_time_t now,
                          const char **why, apr_pool_t *pool)
{
    mnet_reply_t *reply;
    mnet_outgoing_t call = {
        .host = host,
        .peer = peer->facts->wwwroot,
        .method = "system/listServices",
        .params = apr_array_make(pool, 1, sizeof(mnet_value_t *)),
        .even_if_down = 1, /* it has just spoken to us */
    };

    if (changed(host, peer, pool)) {
        return APR_SUCCESS; /* another found it meanwhile */
    }
    if (peer->state->trust == MNET_TRUST_KEYSWAP) {
        *why = "nobody has confirmed this peer: it is not asked for another key";
        return MNET_E_REFUSED;
    }
    if (!mnet_shared_once(host->engine->shared, ASK, call.peer, now, REFETCH_EVERY)) {
        *why = "its key was asked for within the last minute";
        return wait_for_other(host, peer, now, pool) ? APR_SUCCESS : MNET_E_REFUSED;
    }
    mnet_client_call(&call, &reply, pool);
    if (changed(host, peer, pool)) {
        /* No forger brings this about: the next rotation may be asked for soon. */
        mnet_shared_forget(host->engine->shared, ASK, call.peer);
        mnet_shared_once(host->engine->shared, ASK, call.peer, apr_time_now(), REFETCH_GAP);
        return APR_SUCCESS;
    }
    /* Said for as long as nobody asks again: there is nothing more to wait for. */
    mnet_shared_once(host->engine->shared, ASKED, call.peer, now, REFETCH_EVERY);
    *why =
        reply->kind == MNET_CALL_OK
            ? "the site itself still answers with the key we know: the message is not from it"
            : apr_psprintf(pool, "asked for its key, it gave none we trust (%s)", reply->message);
    return MNET_E_REFUSED;
}
