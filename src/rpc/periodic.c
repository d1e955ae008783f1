/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/periodic.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/doubt.h"
#include "rpc/periodic_private.h"
#include "trust/replay.h"

#define PURGE_EVERY  apr_time_from_sec(60)
#define PURGE_ROUNDS 20  /* transactions a run */
#define PURGE_MAX    500 /* records a transaction */

/*
 * A time of contact is kept once it differs by this much: each write makes every process look at
 * its peers anew, so it is not done for every minute.
 */
#define FLUSH_AGE apr_time_from_sec(600)
#define FLUSH_MAX 200 /* peers a run */

#define WARN_BEFORE apr_time_from_sec(14 * 86400)
#define WARN_EVERY  apr_time_from_sec(86400)

#define PING_AFTER apr_time_from_sec(7 * 86400)
#define ASK_EVERY  apr_time_from_sec(3600)
#define DUE_MAX    64

/* The keyring logs what came of it. */
static void rotate(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    int made = 0;

    mnet_keyring_rotate(host->keyring, now, 0, &made, pool);
}

static void purge(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    mnet_engine_t *engine = host->engine;
    int left = 1, round;
    apr_status_t rv = APR_SUCCESS;

    if (!mnet_shared_once(engine->shared, "purge", "", now, PURGE_EVERY)) {
        return;
    }
    for (round = 0; left && !rv && round < PURGE_ROUNDS; round++) {
        rv = mnet_replay_purge(engine->store, now, PURGE_MAX, &left, pool);
    }
    if (rv) {
        char text[128];

        mnet_log(engine->log, MNET_LOG_WARNING, rv, "MNET0452",
                 "old replay records could not be removed (%s)",
                 mnet_strerror(rv, text, sizeof(text)));
    }
}

apr_status_t mnet_periodic_peers(mnet_host_t *host, apr_array_header_t **peers, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    if (!rv) {
        rv = mnet_peers_list(host->peers, txn, peers, pool);
        mnet_txn_abort(txn);
    }
    if (rv) {
        char text[128];

        mnet_log(host->engine->log, MNET_LOG_WARNING, rv, "MNET0453",
                 "%s: the peers cannot be read (%s)", host->site->wwwroot,
                 mnet_strerror(rv, text, sizeof(text)));
    }
    return rv;
}

static apr_status_t keep_contact(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    const mnet_contact_t *contact = baton;

    state->heard = contact->heard > state->heard ? contact->heard : state->heard;
    state->reached = contact->reached > state->reached ? contact->reached : state->reached;
    return APR_SUCCESS;
}

static int stale(apr_time_t kept, apr_time_t seen)
{
    return seen > kept && (!kept || seen - kept >= FLUSH_AGE);
}

/* 1 if it was written. */
static int flush(mnet_host_t *host, const mnet_peer_t *peer, apr_pool_t *pool)
{
    mnet_contact_t contact = {0};

    mnet_shared_contact(host->engine->shared, peer->id, &contact);
    if (!stale(peer->state->heard, contact.heard) &&
        !stale(peer->state->reached, contact.reached)) {
        return 0;
    }
    /* A failure costs an hour's knowledge of when; the next run tries again. */
    mnet_peers_change(host->peers, peer->facts->wwwroot, keep_contact, &contact, pool);
    return 1;
}

static void warn_of_expiry(mnet_host_t *host, const mnet_peer_t *peer, apr_time_t now,
                           apr_pool_t *pool)
{
    const mnet_certificate_t *certificate = peer->certificate;

    if (!certificate || certificate->not_after - now > WARN_BEFORE ||
        !mnet_shared_once(host->engine->shared, "expiry", peer->facts->wwwroot, now, WARN_EVERY)) {
        return;
    }
    if (certificate->not_after > now) {
        mnet_log(host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0454",
                 "%s: the certificate of %s expires on %s; its new one is followed when it rotates",
                 host->site->wwwroot, peer->facts->wwwroot,
                 mnet_format_date(certificate->not_after, pool));
    } else {
        mnet_log(
            host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0455",
            "%s: the certificate of %s expired on %s and the peer still uses it; if calls fail, "
            "compare by `mnetctl peers verify %s`",
            host->site->wwwroot, peer->facts->wwwroot,
            mnet_format_date(certificate->not_after, pool), peer->facts->wwwroot);
    }
}

void mnet_periodic_quick(mnet_host_t *host, apr_time_t now, apr_pool_t *parent)
{
    apr_array_header_t *peers;
    apr_pool_t *pool;
    int i, flushed = 0;

    if (apr_pool_create(&pool, parent)) {
        return;
    }
    rotate(host, now, pool);
    purge(host, now, pool);
    if (!mnet_periodic_peers(host, &peers, pool)) {
        for (i = 0; i < peers->nelts; i++) {
            const mnet_peer_t *peer = APR_ARRAY_IDX(peers, i, const mnet_peer_t *);

            if (peer->facts->active == 0) {
                continue;
            }
            if (flushed < FLUSH_MAX) {
                flushed += flush(host, peer, pool);
            }
            warn_of_expiry(host, peer, now, pool);
        }
    }
    apr_pool_destroy(pool);
}

int mnet_periodic_unreached(mnet_host_t *host, const mnet_peer_t *peer, apr_time_t now)
{
    mnet_contact_t contact = {0};
    apr_time_t reached = peer->state->reached;

    mnet_shared_contact(host->engine->shared, peer->id, &contact);
    reached = contact.reached > reached ? contact.reached : reached;
    return now - reached >= PING_AFTER;
}

static int is_due(mnet_host_t *host, const mnet_peer_t *peer, apr_time_t now, apr_pool_t *pool)
{
    /* One that named itself to us is not called before somebody confirms it: its address may be
     * any. */
    if (peer->facts->active == 0 || peer->state->trust == MNET_TRUST_KEYSWAP) {
        return 0;
    }
    if (!peer->certificate) {
        return !peer->state->pending;
    }
    return mnet_periodic_unreached(host, peer, now) || mnet_periodic_unlearnt(host, peer, pool);
}

/* A key in doubt is asked for by itself: that the peer was called within the hour is how it came
 * about. What somebody offered, and nobody vouched for, does not keep the peer's own away. */
static int may_be_doubted(const mnet_peer_t *peer)
{
    return peer->facts->active != 0 && peer->certificate &&
           (!peer->state->pending || strcmp(peer->state->pending_why, MNET_DOUBT_WHY) != 0) &&
           peer->state->trust != MNET_TRUST_KEYSWAP;
}

static int take_turn(mnet_host_t *host, const char *what, const char *wwwroot, apr_time_t now)
{
    return mnet_shared_once(host->engine->shared, what, wwwroot, now, ASK_EVERY);
}

/* A turn for either kind: who can forge a message shall not use up that of our calls. */
static int take_turn_in_doubt(mnet_host_t *host, const char *wwwroot, apr_time_t now)
{
    int doubted = mnet_doubted(host, wwwroot, now);

    return ((doubted & MNET_DOUBT_CALL) && take_turn(host, "ask in doubt", wwwroot, now)) ||
           ((doubted & MNET_DOUBT_MESSAGE) && take_turn(host, "ask of a message", wwwroot, now));
}

apr_array_header_t *mnet_periodic_due(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    apr_array_header_t *due = apr_array_make(pool, 8, sizeof(const char *));
    apr_array_header_t *peers;
    apr_pool_t *scratch;
    int i;

    if (mnet_periodic_peers(host, &peers, pool) || apr_pool_create(&scratch, pool)) {
        return due;
    }
    for (i = 0; i < peers->nelts && due->nelts < DUE_MAX; i++) {
        const mnet_peer_t *peer = APR_ARRAY_IDX(peers, i, const mnet_peer_t *);

        apr_pool_clear(scratch);
        if ((is_due(host, peer, now, scratch) &&
             take_turn(host, "ask", peer->facts->wwwroot, now)) ||
            (may_be_doubted(peer) && take_turn_in_doubt(host, peer->facts->wwwroot, now))) {
            APR_ARRAY_PUSH(due, const char *) = apr_pstrdup(pool, peer->facts->wwwroot);
        }
    }
    apr_pool_destroy(scratch);
    return due;
}

void mnet_periodic_run(mnet_host_t *host, apr_time_t now, apr_pool_t *parent)
{
    apr_array_header_t *due;
    apr_pool_t *pool;
    int i;

    mnet_periodic_quick(host, now, parent);
    if (apr_pool_create(&pool, parent)) {
        return;
    }
    due = mnet_periodic_due(host, now, pool);
    for (i = 0; i < due->nelts; i++) {
        mnet_periodic_peer(host, APR_ARRAY_IDX(due, i, const char *), now, pool);
    }
    apr_pool_destroy(pool);
}
