/* SPDX-License-Identifier: Apache-2.0 */
#include "state/record.h"
#include "trust/peers_int.h"
#include "trust/texts.h"

#define STATE_VERSION 1

const void *mnet_peer_state_pack(const mnet_peer_state_t *state, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(STATE_VERSION, pool);
    mnet_pack_u8(pack, state->facts != NULL);
    if (state->facts) {
        apr_size_t facts_len = 0;
        const void *facts = mnet_peer_facts_pack(state->facts, &facts_len, pool);
        mnet_pack_bytes(pack, facts, facts_len);
    }
    mnet_pack_i64(pack, state->trust);
    mnet_pack_text(pack, state->certificate);
    mnet_pack_text(pack, state->config_sha256);
    mnet_pack_text(pack, state->previous);
    mnet_pack_text(pack, state->pending);
    mnet_pack_text(pack, state->pending_why);
    mnet_pack_i64(pack, state->added);
    mnet_pack_i64(pack, state->rekeyed);
    mnet_pack_i64(pack, state->heard);
    mnet_pack_i64(pack, state->reached);
    mnet_pack_text(pack, state->methods);
    return mnet_pack_end(pack, len);
}

static apr_status_t unpack_facts(mnet_unpack_t *unpack, mnet_peer_state_t *state)
{
    mnet_peer_facts_t *facts = NULL;
    apr_size_t len = 0;
    if (!mnet_unpack_u8(unpack)) {
        return APR_SUCCESS;
    }
    const unsigned char *data = mnet_unpack_bytes(unpack, &len);
    if (!data || unpack->bad) {
        unpack->bad = 1;
        return APR_SUCCESS;
    }
    apr_status_t rv = mnet_peer_facts_unpack(data, len, &facts, unpack->pool);
    state->facts = facts;
    return rv;
}

apr_status_t mnet_peer_state_unpack(const void *data, apr_size_t len, mnet_peer_state_t **state,
                                    apr_pool_t *pool)
{
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_unpack_begin(&unpack, data, len, STATE_VERSION, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    mnet_peer_state_t *read = apr_pcalloc(pool, sizeof(*read));
    rv = unpack_facts(&unpack, read);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    read->trust = (mnet_trust_e)mnet_number_unpack(&unpack, MNET_TRUST_NONE, MNET_TRUST_KEYSWAP);
    read->certificate = mnet_unpack_text(&unpack);
    read->config_sha256 = mnet_unpack_text(&unpack);
    read->previous = mnet_unpack_text(&unpack);
    read->pending = mnet_unpack_text(&unpack);
    read->pending_why = mnet_unpack_text(&unpack);
    read->added = mnet_unpack_i64(&unpack);
    read->rekeyed = mnet_unpack_i64(&unpack);
    read->heard = mnet_unpack_i64(&unpack);
    read->reached = mnet_unpack_i64(&unpack);
    read->methods = mnet_unpack_text(&unpack);
    rv = mnet_unpack_end(&unpack);
    if (rv == APR_SUCCESS) {
        *state = read;
    }
    return rv;
}
