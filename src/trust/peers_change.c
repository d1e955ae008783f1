/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <apr_strings.h>

#include "base/status.h"
#include "trust/peers_int.h"

/* The state as it is, or a fresh one; had: the record's bytes, which live until the first put. */
static apr_status_t read_state(const mnet_peers_parts_t *parts, mnet_txn_t *txn,
                               const char *wwwroot, mnet_peer_state_t **state, const void **had,
                               apr_size_t *had_len, apr_pool_t *pool)
{
    unsigned char name[MNET_PEER_NAME_MAX];
    apr_size_t name_len = mnet_peer_name(parts, name, wwwroot);
    apr_status_t rv = mnet_txn_get(txn, MNET_PEER_GROUP, name, name_len, had, had_len);
    if (rv == APR_NOTFOUND) {
        *had = NULL;
        *state = apr_pcalloc(pool, sizeof(**state));
        (*state)->added = apr_time_now();
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_peer_state_unpack(*had, *had_len, state, pool);
    }
    if (rv != APR_SUCCESS) {
        mnet_log(parts->log, MNET_LOG_ERR, rv, "MNET0313",
                 "the record of the peer %s cannot be read, so it is not changed", wwwroot);
    }
    return rv;
}

/* Is there another peer by the same name under the other scheme? */
static apr_status_t has_twin(const mnet_peers_parts_t *parts, mnet_txn_t *txn, const char *wwwroot,
                             apr_pool_t *pool)
{
    unsigned char name[MNET_PEER_NAME_MAX];
    mnet_peer_state_t *state = NULL;
    const void *data;
    apr_size_t len;
    const char *twin = mnet_wwwroot_twin(wwwroot, pool);
    apr_size_t name_len = mnet_peer_name(parts, name, twin);
    if (mnet_peer_configured(parts, twin)) {
        return MNET_E_EXISTS;
    }
    apr_status_t rv =
        name_len ? mnet_txn_get(txn, MNET_PEER_GROUP, name, name_len, &data, &len) : APR_NOTFOUND;
    if (rv == APR_SUCCESS) {
        rv = mnet_peer_state_unpack(data, len, &state, pool);
    }
    if (rv == APR_SUCCESS && state->facts) {
        return MNET_E_EXISTS;
    }
    return rv == APR_NOTFOUND ? APR_SUCCESS : rv;
}

static apr_status_t write_state(const mnet_peers_parts_t *parts, mnet_txn_t *txn,
                                const char *wwwroot, const void *data, apr_size_t len)
{
    unsigned char name[MNET_PEER_NAME_MAX];
    apr_status_t rv =
        mnet_txn_put(txn, MNET_PEER_GROUP, name, mnet_peer_name(parts, name, wwwroot), data, len);
    return rv == APR_SUCCESS ? mnet_txn_touch(txn) : rv;
}

/* What happens between begin and commit.  *changed: 0 if the record would be the same again. */
static apr_status_t change_in(const mnet_peers_parts_t *parts, mnet_txn_t *txn, const char *wwwroot,
                              mnet_peer_change_fn *change, void *baton, int *changed,
                              apr_pool_t *pool)
{
    mnet_peer_state_t *state;
    const void *had = NULL;
    apr_size_t had_len = 0, len = 0;
    apr_status_t rv = read_state(parts, txn, wwwroot, &state, &had, &had_len, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    int was_said = state->facts != NULL;
    rv = change(baton, state, pool);
    if (rv == APR_SUCCESS && state->facts && strcmp(state->facts->wwwroot, wwwroot)) {
        rv = MNET_E_INVALID;
    }
    if (rv == APR_SUCCESS && state->facts && !was_said) {
        rv = has_twin(parts, txn, wwwroot, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    const void *data = mnet_peer_state_pack(state, &len, pool);
    *changed = !had || had_len != len || memcmp(had, data, len) != 0;
    return *changed ? write_state(parts, txn, wwwroot, data, len) : APR_SUCCESS;
}

apr_status_t mnet_peers_change(mnet_peers_t *peers, const char *wwwroot,
                               mnet_peer_change_fn *change, void *baton, apr_pool_t *pool)
{
    const mnet_peers_parts_t *parts = mnet_peers_parts(peers);
    mnet_txn_t *txn;
    int changed = 0;
    if (mnet_wwwroot_problem(wwwroot, pool) ||
        !strcmp(mnet_wwwroot_bare(wwwroot), mnet_wwwroot_bare(parts->site->wwwroot))) {
        return MNET_E_INVALID;
    }
    apr_status_t rv = mnet_txn_begin(parts->store, MNET_WRITE, &txn, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = change_in(parts, txn, wwwroot, change, baton, &changed, pool);
    if (rv == APR_SUCCESS && changed) {
        return mnet_txn_commit(txn);
    }
    mnet_txn_abort(txn);
    return rv;
}

apr_status_t mnet_peers_remove(mnet_peers_t *peers, const char *wwwroot, apr_pool_t *pool)
{
    const mnet_peers_parts_t *parts = mnet_peers_parts(peers);
    unsigned char name[MNET_PEER_NAME_MAX];
    apr_size_t name_len = mnet_peer_name(parts, name, wwwroot);
    mnet_txn_t *txn;
    if (!name_len) {
        return APR_NOTFOUND;
    }
    apr_status_t rv = mnet_txn_begin(parts->store, MNET_WRITE, &txn, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = mnet_txn_del(txn, MNET_PEER_GROUP, name, name_len);
    if (rv == APR_SUCCESS) {
        rv = mnet_txn_touch(txn);
    }
    if (rv == APR_SUCCESS) {
        return mnet_txn_commit(txn);
    }
    mnet_txn_abort(txn);
    return rv;
}

/* --- certificates --- */

/* One that came in, beside what the configuration has. */
typedef struct incoming_t {
    const mnet_peers_parts_t *parts;
    const char *wwwroot;
    const mnet_peer_facts_t *configured;
    mnet_certificate_t *config; /* MnetPeerCertificate, or NULL */
    mnet_certificate_t *incoming;
    mnet_trust_e trust;
    apr_time_t now;
    const char *why;
} incoming_t;

static apr_status_t incoming_read(incoming_t *in, const mnet_peers_parts_t *parts,
                                  const char *wwwroot, const char *pem, apr_pool_t *pool)
{
    const char *unread;
    in->parts = parts;
    in->wwwroot = wwwroot;
    in->configured = mnet_peer_configured(parts, wwwroot);
    apr_status_t rv = mnet_certificate_read(parts->crypto, pem, &in->incoming, &in->why, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    in->why = mnet_certificate_mismatch(in->incoming, wwwroot, pool);
    if (in->why) {
        return MNET_E_INVALID;
    }
    if (in->configured && in->configured->certificate &&
        mnet_certificate_read(parts->crypto, in->configured->certificate, &in->config, &unread,
                              pool) != APR_SUCCESS) {
        in->config = NULL;
    }
    return APR_SUCCESS;
}

/* The PEM that is in force before this one, in its canonical form, or NULL. */
static const char *in_force(const incoming_t *in, const mnet_peer_state_t *state,
                            mnet_in_force_e *which, apr_pool_t *pool)
{
    mnet_certificate_t *said;
    const char *why;
    *which = mnet_peer_in_force(state, in->configured, in->config);
    switch (*which) {
    case MNET_IN_FORCE_STORED:
        return state->certificate;
    case MNET_IN_FORCE_CONFIG:
        return in->config ? in->config->pem : NULL;
    case MNET_IN_FORCE_SAID:
        return state->facts && mnet_certificate_read(in->parts->crypto, state->facts->certificate,
                                                     &said, &why, pool) == APR_SUCCESS
                   ? said->pem
                   : NULL;
    default:
        return NULL;
    }
}

static int strength(mnet_trust_e trust)
{
    return trust == MNET_TRUST_CONFIRMED ? 3
           : trust == MNET_TRUST_ROTATED ? 2
           : trust == MNET_TRUST_KEYSWAP ? 1
                                         : 0;
}

/* What a key that nobody confirmed signed for is as unconfirmed as that key: else a stranger of
 * MnetRegisterAllHosts would only have to rotate. */
static mnet_trust_e trust_of(const incoming_t *in, const mnet_peer_state_t *state,
                             mnet_in_force_e which)
{
    return which == MNET_IN_FORCE_STORED && state->trust == MNET_TRUST_KEYSWAP &&
                   in->trust == MNET_TRUST_ROTATED
               ? MNET_TRUST_KEYSWAP
               : in->trust;
}

static apr_status_t change_accept(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    incoming_t *in = baton;
    mnet_in_force_e which;
    mnet_trust_e trust;
    if (!in->configured && !state->facts) {
        in->why = "there is no such peer";
        return APR_NOTFOUND;
    }
    const char *before = in_force(in, state, &which, pool);
    const char *pem = in->incoming->pem;
    trust = trust_of(in, state, which);
    /* An administrator who says which one it is has decided about any other that waited. */
    if (state->pending && (in->trust == MNET_TRUST_CONFIRMED || !strcmp(state->pending, pem))) {
        state->pending = state->pending_why = NULL;
    }
    if (before && !strcmp(before, pem)) {
        /* Seen again: nothing new but, perhaps, that somebody vouches for it now. */
        if (which == MNET_IN_FORCE_STORED && strength(trust) > strength(state->trust)) {
            state->trust = trust;
        }
        return APR_SUCCESS;
    }
    state->previous = before;
    state->certificate = pem;
    state->trust = trust;
    state->rekeyed = in->now;
    state->config_sha256 = in->config ? in->config->sha256 : NULL;
    return APR_SUCCESS;
}

apr_status_t mnet_peers_accept(mnet_peers_t *peers, const char *wwwroot, const char *pem,
                               mnet_trust_e trust, apr_time_t now, const char **why,
                               apr_pool_t *pool)
{
    incoming_t in = {.trust = trust, .now = now};
    apr_status_t rv = incoming_read(&in, mnet_peers_parts(peers), wwwroot, pem, pool);
    if (rv == APR_SUCCESS && !strength(trust)) {
        in.why = "a certificate is accepted because it was confirmed, rotated or swapped";
        rv = MNET_E_INVALID;
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_peers_change(peers, wwwroot, change_accept, &in, pool);
    }
    *why = rv == APR_SUCCESS ? NULL : in.why ? in.why : "it could not be written";
    return rv;
}

static apr_status_t change_offer(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    incoming_t *in = baton;
    mnet_in_force_e which;
    if (!in->configured && !state->facts) {
        return APR_NOTFOUND;
    }
    const char *before = in_force(in, state, &which, pool);
    if (before && !strcmp(before, in->incoming->pem)) {
        return APR_SUCCESS;
    }
    if (!state->pending || strcmp(state->pending, in->incoming->pem)) {
        state->pending = in->incoming->pem;
        state->pending_why = in->why;
    }
    return APR_SUCCESS;
}

apr_status_t mnet_peers_offer(mnet_peers_t *peers, const char *wwwroot, const char *pem,
                              const char *why_pending, apr_pool_t *pool)
{
    incoming_t in = {0};
    apr_status_t rv = incoming_read(&in, mnet_peers_parts(peers), wwwroot, pem, pool);
    in.why = why_pending;
    return rv == APR_SUCCESS ? mnet_peers_change(peers, wwwroot, change_offer, &in, pool) : rv;
}
