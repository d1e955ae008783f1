/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"
#include "trust/peers_int.h"

const mnet_peer_facts_t *mnet_peer_configured(const mnet_peers_parts_t *parts, const char *wwwroot)
{
    return apr_hash_get(parts->site->peers, wwwroot, APR_HASH_KEY_STRING);
}

mnet_in_force_e mnet_peer_in_force(const mnet_peer_state_t *state,
                                   const mnet_peer_facts_t *configured,
                                   const mnet_certificate_t *config)
{
    int has_config = configured && configured->certificate;
    /* It supersedes the file's as long as the file is the one that it superseded. */
    int superseded =
        config && state->config_sha256 && !strcmp(config->sha256, state->config_sha256);
    /* What a stranger left on first contact is not what an administrator means who names the peer
     * later: that one's certificate is fetched and waits to be confirmed. */
    int claimed = configured && state->trust == MNET_TRUST_KEYSWAP;
    if (state->certificate && !claimed && (!has_config || superseded)) {
        return MNET_IN_FORCE_STORED;
    }
    if (has_config) {
        return config ? MNET_IN_FORCE_CONFIG : MNET_IN_FORCE_NONE;
    }
    return state->facts && state->facts->certificate ? MNET_IN_FORCE_SAID : MNET_IN_FORCE_NONE;
}

static mnet_certificate_t *read_certificate(const mnet_peers_parts_t *parts, const char *wwwroot,
                                            const char *pem, apr_pool_t *pool)
{
    mnet_certificate_t *certificate = NULL;
    const char *why = NULL;
    apr_status_t rv =
        pem ? mnet_certificate_read(parts->crypto, pem, &certificate, &why, pool) : APR_SUCCESS;
    if (rv != APR_SUCCESS) {
        mnet_log(parts->log, MNET_LOG_ERR, rv, "MNET0311",
                 "the certificate of the peer %s cannot be read: %s", wwwroot, why);
        return NULL;
    }
    return certificate;
}

/* Puts the certificate in force, and how it came to be that, into the view. */
static void take_certificate(const mnet_peers_parts_t *parts, const mnet_peer_facts_t *configured,
                             mnet_peer_t *peer, mnet_peer_facts_t *facts, mnet_peer_state_t *state,
                             apr_pool_t *pool)
{
    mnet_certificate_t *config =
        read_certificate(parts, facts->wwwroot, configured ? configured->certificate : NULL, pool);
    switch (mnet_peer_in_force(state, configured, config)) {
    case MNET_IN_FORCE_STORED:
        peer->certificate = read_certificate(parts, facts->wwwroot, state->certificate, pool);
        break;
    case MNET_IN_FORCE_CONFIG:
        peer->certificate = config;
        state->trust = MNET_TRUST_CONFIG;
        break;
    case MNET_IN_FORCE_SAID:
        peer->certificate =
            read_certificate(parts, facts->wwwroot, state->facts->certificate, pool);
        state->trust = MNET_TRUST_CONFIRMED;
        break;
    case MNET_IN_FORCE_NONE:
        break;
    }
    state->trust = peer->certificate ? state->trust : MNET_TRUST_NONE;
    facts->certificate = peer->certificate ? peer->certificate->pem : NULL;
}

static const mnet_application_t *take_application(const mnet_peers_parts_t *parts,
                                                  const mnet_peer_facts_t *facts)
{
    const char *name = facts->application ? facts->application : "moodle";
    const mnet_application_t *application = mnet_application_find(parts->site->defined, name);
    if (!application) {
        mnet_log(parts->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0312",
                 "the peer %s is of an application that is no longer defined; taken for a moodle",
                 facts->wwwroot);
        application = mnet_application_find(NULL, "moodle");
    }
    return application;
}

/* A record of the store that the configuration rules out: it would be a second peer, or ourselves,
 * under another scheme. */
static int is_ruled_out(const mnet_peers_parts_t *parts, const char *wwwroot, apr_pool_t *pool)
{
    return mnet_peer_configured(parts, mnet_wwwroot_twin(wwwroot, pool)) ||
           !strcmp(mnet_wwwroot_bare(wwwroot), mnet_wwwroot_bare(parts->site->wwwroot));
}

apr_status_t mnet_peer_id(const mnet_crypto_t *crypto, const char *wwwroot, apr_uint64_t *id)
{
    unsigned char digest[MNET_SHA256];
    apr_status_t rv = mnet_sha256(crypto, wwwroot, strlen(wwwroot), NULL, 0, digest);
    *id = 0;
    for (int i = 0; rv == APR_SUCCESS && i < 8; i++) {
        *id = *id << 8 | digest[i];
    }
    return rv;
}

apr_status_t mnet_peer_view(const mnet_peers_parts_t *parts, const char *wwwroot, const void *data,
                            apr_size_t len, mnet_peer_t **peer, apr_pool_t *pool)
{
    const mnet_peer_facts_t *configured = mnet_peer_configured(parts, wwwroot);
    mnet_peer_state_t *state = NULL;
    apr_status_t rv = APR_SUCCESS;
    if (data) {
        rv = mnet_peer_state_unpack(data, len, &state, pool);
    } else {
        state = apr_pcalloc(pool, sizeof(*state));
    }
    if (rv != APR_SUCCESS) {
        mnet_log(parts->log, MNET_LOG_ERR, rv, "MNET0310",
                 "the record of the peer %s cannot be read", wwwroot);
        return rv;
    }
    if (!configured && (!state->facts || is_ruled_out(parts, wwwroot, pool))) {
        return APR_NOTFOUND;
    }
    mnet_peer_t *view = apr_pcalloc(pool, sizeof(*view));
    mnet_peer_facts_t *facts = mnet_peer_facts_merge(configured, state->facts, pool);
    rv = mnet_peer_id(parts->crypto, wwwroot, &view->id);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    facts->wwwroot = apr_pstrdup(pool, wwwroot);
    take_certificate(parts, configured, view, facts, state, pool);
    view->facts = facts;
    view->state = state;
    view->configured = configured != NULL;
    view->application = take_application(parts, facts);
    *peer = view;
    return APR_SUCCESS;
}
