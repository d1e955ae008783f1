/* SPDX-License-Identifier: Apache-2.0 */
#include "service/system_keyswap.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"

#define PER_ADDRESS apr_time_from_sec(60) /* one registration an address */

/* What the caller says of itself. */
typedef struct newcomer_t {
    const char *wwwroot;
    const char *application;
    const mnet_certificate_t *certificate;
    apr_time_t now;
} newcomer_t;

/*
 * The third parameter is what the caller takes us for (protocol 4.3), so it says nothing of the
 * caller.  Mahara sends two parameters, Moodle three, both under Moodle's name.
 */
static const char *application_of(const mnet_call_t *call)
{
    if (call->params->nelts == 2 || (call->user_agent && strstr(call->user_agent, "Mahara"))) {
        return "mahara";
    }
    return "moodle";
}

/* Why the caller cannot become a peer, or NULL with the newcomer filled in. */
static const char *check_claim(const mnet_call_t *call, newcomer_t *newcomer)
{
    const mnet_site_t *site = call->host->site;
    const char *pem = mnet_call_text(call, 1), *why = "";
    mnet_certificate_t *certificate;

    newcomer->wwwroot = mnet_call_text(call, 0);
    if (!newcomer->wwwroot || !pem) {
        return "it gave no wwwroot or no certificate";
    }
    why = mnet_wwwroot_problem(newcomer->wwwroot, call->pool);
    if (why) {
        return why;
    }
    if (!strcmp(mnet_wwwroot_bare(newcomer->wwwroot), mnet_wwwroot_bare(site->wwwroot))) {
        return "it takes our own name";
    }
    if (mnet_certificate_read(call->host->engine->crypto, pem, &certificate, &why, call->pool)) {
        return why;
    }
    newcomer->certificate = certificate;
    newcomer->application = application_of(call);
    newcomer->now = call->now;
    return mnet_certificate_mismatch(certificate, newcomer->wwwroot, call->pool);
}

/* Why there is no room for it among the peers there are, or NULL.  *known: it is one already. */
static const char *check_room(const mnet_call_t *call, const newcomer_t *newcomer, int *known)
{
    const char *bare = mnet_wwwroot_bare(newcomer->wwwroot);
    apr_array_header_t *peers;
    mnet_txn_t *txn;
    int i, waiting = 0;
    apr_status_t rv = mnet_txn_begin(call->host->engine->store, MNET_READ, &txn, call->pool);

    if (!rv) {
        rv = mnet_peers_list(call->host->peers, txn, &peers, call->pool);
        mnet_txn_abort(txn);
    }
    if (rv) {
        return "the peers cannot be read";
    }
    for (i = 0; i < peers->nelts; i++) {
        const mnet_peer_t *peer = APR_ARRAY_IDX(peers, i, const mnet_peer_t *);

        if (!strcmp(peer->facts->wwwroot, newcomer->wwwroot)) {
            *known = 1;
            return NULL;
        }
        if (!strcmp(mnet_wwwroot_bare(peer->facts->wwwroot), bare)) {
            return "a peer of that name with another scheme is there already";
        }
        waiting += peer->state->trust == MNET_TRUST_KEYSWAP;
    }
    return waiting < MNET_KEYSWAP_PEERS
               ? NULL
               : "too many peers that came by keyswap wait for confirmation";
}

/* Only where the store has nothing of that name yet. */
static apr_status_t make_peer(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    const newcomer_t *newcomer = baton;
    mnet_peer_facts_t *facts;

    if (state->facts || state->certificate) {
        return MNET_E_EXISTS;
    }
    facts = mnet_peer_facts_create(newcomer->wwwroot, pool);
    facts->application = newcomer->application;
    facts->publish = apr_array_make(pool, 1, sizeof(const char *));
    facts->subscribe = apr_array_make(pool, 1, sizeof(mnet_subscription_t));
    facts->active = 1;
    state->facts = facts;
    state->certificate = newcomer->certificate->pem;
    state->trust = MNET_TRUST_KEYSWAP;
    state->added = newcomer->now;
    return APR_SUCCESS;
}

/* Never a reason not to answer: a caller learns nothing of whether it became a peer. */
static void register_caller(mnet_call_t *call)
{
    mnet_engine_t *engine = call->host->engine;
    const char *ours = call->host->site->wwwroot, *problem;
    newcomer_t newcomer;
    int known = 0;
    char text[128];
    apr_status_t rv;

    if (call->params->nelts < 2 ||
        !mnet_shared_once(engine->shared, "keyswap", call->address, call->now, PER_ADDRESS)) {
        return;
    }
    problem = check_claim(call, &newcomer);
    if (!problem) {
        problem = check_room(call, &newcomer, &known);
    }
    if (problem) {
        mnet_log(engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0501",
                 "%s: %s at %s asked to become a peer by keyswap and did not: %s", ours,
                 mnet_for_log(newcomer.wwwroot, newcomer.wwwroot ? strlen(newcomer.wwwroot) : 0,
                              255, call->pool),
                 call->address, mnet_for_log(problem, strlen(problem), 200, call->pool));
        return;
    }
    if (known) {
        return;
    }
    rv = mnet_peers_change(call->host->peers, newcomer.wwwroot, make_peer, &newcomer, call->pool);
    if (!rv) {
        mnet_log(
            engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET0502",
            "%s: %s became a peer by keyswap from %s, without services (MnetRegisterAllHosts); "
            "its certificate is confirmed by nobody: SHA-256 %s",
            ours, newcomer.wwwroot, call->address, newcomer.certificate->sha256);
    } else if (rv != MNET_E_EXISTS) {
        mnet_log(engine->log, MNET_LOG_ERR, rv, "MNET0503",
                 "%s: the peer %s could not be kept (%s)", ours, newcomer.wwwroot,
                 mnet_strerror(rv, text, sizeof(text)));
    }
}

apr_status_t mnet_system_keyswap(mnet_call_t *call, void *baton)
{
    const mnet_ring_t *ring;
    apr_status_t rv;

    if (call->host->site->register_all && !call->peer) {
        register_caller(call);
    }
    rv = mnet_host_look(call->host, NULL, NULL, &ring, call->pool);
    if (!rv) {
        call->result = mnet_string(ring->pems[0], call->pool);
    }
    return rv;
}
