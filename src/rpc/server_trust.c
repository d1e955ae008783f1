/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/clock.h"
#include "rpc/doubt.h"
#include "rpc/exchange.h"
#include "rpc/refetch.h"
#include "trust/policy.h"

int mnet_is_keyswap(const mnet_document_t *document)
{
    return document && document->kind == MNET_CALL && document->method &&
           (!strcmp(document->method, "system/keyswap") ||
            !strcmp(document->method, "system.keyswap"));
}

static const char *quoted(const mnet_exchange_t *exchange, const char *text)
{
    return mnet_for_log(text, text ? strlen(text) : 0, 160, exchange->pool);
}

static void count_failure(mnet_exchange_t *exchange)
{
    mnet_shared_failed(exchange->engine->shared, exchange->request.address, exchange->request.now,
                       exchange->host->site->failure_period);
}

/* --- 1. a known and active peer, with a certificate that is trusted --- */

static int find_peer(mnet_exchange_t *exchange)
{
    const char *wwwroot = exchange->message->wwwroot;
    apr_status_t rv =
        mnet_host_look(exchange->host, wwwroot, &exchange->peer, &exchange->ring, exchange->pool);

    if (rv == APR_NOTFOUND) {
        exchange->peer = NULL;
        return mnet_exchange_refuse(exchange, MNET_FAULT_UNKNOWN_PEER, MNET_LOG_WARNING, "MNET0404",
                                    "it is no active peer of this site");
    }
    if (rv) {
        exchange->peer = NULL;
        exchange->broken = rv;
        return mnet_exchange_fail(exchange, rv, "MNET0405", "the state directory cannot be read");
    }
    if (!exchange->peer->certificate) {
        exchange->peer = NULL;
        return mnet_exchange_refuse(exchange, MNET_FAULT_UNKNOWN_PEER, MNET_LOG_WARNING, "MNET0406",
                                    "no certificate of it is trusted yet: compare its fingerprint "
                                    "and run `mnetctl peers confirm %s`",
                                    quoted(exchange, wwwroot));
    }
    return 1;
}

/* --- 2. unwrap --- */

/*
 * Every failure here gives the same bytes after the same work: which key, padding or text it was
 * that did not fit is for nobody to learn (protocol 11, 5).
 */
static int open_message(mnet_exchange_t *exchange, mnet_message_t **inner,
                        unsigned char session_key[MNET_SESSION_KEY])
{
    mnet_engine_t *engine = exchange->engine;
    mnet_message_t *sealed = exchange->message;
    const char *why = "";
    apr_status_t rv;

    if (!sealed->wrapped_len && !mnet_spool_length(sealed->cipher)) {
        return mnet_exchange_refuse(exchange, MNET_FAULT_NOT_OPENED, MNET_LOG_WARNING, "MNET0407",
                                    "it is an empty envelope: the peer's PHP lacks RC4; switch on "
                                    "the legacy and the default provider of OpenSSL for it");
    }
    if (engine->private_limit > 0 &&
        !mnet_shared_enter(engine->shared, MNET_GATE_PRIVATE, engine->private_limit)) {
        return mnet_exchange_refuse(exchange, MNET_FAULT_BUSY, MNET_LOG_WARNING, "MNET0408",
                                    "%d messages are being opened already", engine->private_limit);
    }
    rv = mnet_message_open(&exchange->reading, sealed, exchange->ring->keys, exchange->ring->count,
                           &exchange->key, session_key, inner, &why, exchange->pool);
    if (engine->private_limit > 0) {
        mnet_shared_leave(engine->shared, MNET_GATE_PRIVATE);
    }
    if (!rv && (*inner)->envelope != MNET_ENCRYPTED) {
        return 1;
    }
    /* Only what a key of ours opens is written anywhere: this tells a stranger nothing. */
    if (rv && rv < APR_OS_START_USERERR) {
        exchange->broken = rv;
        return mnet_exchange_fail(exchange, rv, "MNET0461", "the opened message cannot be kept");
    }
    mnet_shared_add(engine->shared, MNET_COUNT_NOT_OPENED, 1);
    count_failure(exchange);
    return mnet_exchange_refuse(exchange, MNET_FAULT_NOT_OPENED, MNET_LOG_WARNING, "MNET0409",
                                "none of our keys opens it to a message (%s): has the peer another "
                                "certificate of ours?",
                                quoted(exchange, why));
}

/* --- 4. the signature (3., the two wwwroots, is in sealed_message) --- */

static int signed_by_peer(mnet_exchange_t *exchange, const mnet_message_t *inner)
{
    return !mnet_message_verify(exchange->engine->crypto, inner, exchange->peer->certificate->key);
}

/* 7025: our new certificate, signed with the key that the peer still believes in. */
static int key_changed(mnet_exchange_t *exchange, int is_known)
{
    mnet_exchange_refuse(exchange, MNET_FAULT_KEY_CHANGED, MNET_LOG_NOTICE, "MNET0410",
                         "it is sealed to an old key of ours%s; our new certificate is the answer",
                         is_known ? "" : ", and signed by a key that is not known");
    exchange->text = exchange->ring->pems[0];
    exchange->sign = exchange->sign ? exchange->ring->keys[exchange->key] : NULL;
    return 0;
}

/*
 * A signature by another key than the one we know: the peer may have rotated.  It is asked once;
 * a message to an old key of ours is answered first, so that two sites that both rotated do not ask
 * each other in circles (protocol 4.4).
 */
static int check_signature(mnet_exchange_t *exchange, const mnet_message_t *inner)
{
    const mnet_peer_t *peer;
    const char *why = "";
    apr_status_t rv;

    if (signed_by_peer(exchange, inner)) {
        return 1;
    }
    if (exchange->key > 0) {
        count_failure(exchange); /* an old certificate of ours is everybody's to seal to */
        mnet_doubt(exchange->host, exchange->peer->facts->wwwroot, exchange->request.now);
        return key_changed(exchange, 0);
    }
    rv = mnet_refetch(exchange->host, exchange->peer, exchange->request.now, &why, exchange->pool);
    if (!rv) {
        why = "nor by the new certificate it gave";
        rv =
            mnet_host_look(exchange->host, exchange->message->wwwroot, &peer, NULL, exchange->pool);
    }
    if (!rv && peer->certificate) {
        exchange->peer = peer;
        exchange->seal = exchange->seal ? peer->certificate->key : NULL;
        if (signed_by_peer(exchange, inner)) {
            return 1;
        }
    }
    mnet_doubt(exchange->host, exchange->peer->facts->wwwroot, exchange->request.now);
    count_failure(exchange);
    return mnet_exchange_refuse(exchange, MNET_FAULT_BAD_SIGNATURE, MNET_LOG_WARNING, "MNET0411",
                                "it is not signed by the certificate known for it: %s",
                                quoted(exchange, why));
}

/* --- 5. clock --- */

static int check_clock(mnet_exchange_t *exchange, const mnet_message_t *inner)
{
    apr_time_t now = exchange->request.now;

    if (mnet_clock_ok(exchange->host->site, mnet_clock_apart(inner->timestamp, now, now))) {
        return 1;
    }
    return mnet_exchange_refuse(exchange, MNET_FAULT_CLOCK, MNET_LOG_WARNING, "MNET0412",
                                "its time is %" APR_INT64_T_FMT ", ours %" APR_INT64_T_FMT
                                " (MnetClockSkew): set one of the clocks",
                                inner->timestamp, apr_time_sec(now));
}

/* What is new and theirs tells how late it is there. */
static void learn_clock(mnet_exchange_t *exchange, const mnet_message_t *inner)
{
    apr_time_t now = exchange->request.now;

    if (inner->timestamp) {
        exchange->apart = mnet_clock_apart(inner->timestamp, now, now);
        mnet_clock_say(exchange->host, exchange->peer->facts->wwwroot, exchange->apart, now);
    }
}

/* --- 6. replay --- */

/*
 * A message signed but not sealed has no session key.  What stands in for it is of the signed bytes
 * and the time: two lawful calls that are alike differ in their time, which a thief in the middle
 * can change, so plain text is safe from replay only as far as MnetPlaintextFrom's networks are.
 */
static apr_status_t plain_session_key(const mnet_exchange_t *exchange, const mnet_message_t *inner,
                                      unsigned char session_key[MNET_SESSION_KEY])
{
    unsigned char digest[MNET_SHA256];
    apr_status_t rv = mnet_sha256(exchange->engine->crypto, inner->sha1, MNET_SHA1,
                                  &inner->timestamp, sizeof(inner->timestamp), digest);

    memcpy(session_key, digest, MNET_SESSION_KEY);
    return rv;
}

static int check_replay(mnet_exchange_t *exchange,
                        const unsigned char session_key[MNET_SESSION_KEY])
{
    mnet_engine_t *engine = exchange->engine;
    apr_time_t life = exchange->ring->not_after[exchange->key];
    apr_time_t now = exchange->request.now;
    mnet_txn_t *txn;
    int seen;
    apr_status_t rv;

    rv = mnet_replay_name(engine->crypto, exchange->host->site, exchange->peer, session_key,
                          &exchange->replay);
    if (!rv) {
        rv = mnet_txn_begin(engine->store, MNET_READ, &txn, exchange->pool);
    }
    if (rv) {
        return mnet_exchange_fail(exchange, rv, "MNET0413", "replays cannot be told");
    }
    seen = mnet_replay_claimed(txn, &exchange->replay, now);
    mnet_txn_abort(txn);
    /* Every message goes into the ring, also one that claims: whatever becomes of it, it is used.
     */
    seen = mnet_shared_seen(engine->shared, exchange->peer->id, exchange->replay.bytes) || seen;
    if (seen) {
        mnet_shared_add(engine->shared, MNET_COUNT_REPLAYS, 1);
        return mnet_exchange_refuse(exchange, MNET_FAULT_REPLAY, MNET_LOG_WARNING, "MNET0414",
                                    "it was received before");
    }
    exchange->replay_until = now + exchange->host->site->replay_window;
    if (exchange->replay_until > life && life > now) {
        exchange->replay_until = life;
    }
    return 1;
}

/* --- the document that all this was about --- */

static int read_document(mnet_exchange_t *exchange, const mnet_message_t *inner)
{
    mnet_charset_e charset =
        mnet_policy_charset_in(exchange->peer, exchange->request.user_agent, 0);
    const char *why = "";
    apr_status_t rv = mnet_xmlrpc_read(inner->payload, charset, &mnet_xml_limits_peer,
                                       &exchange->document, &why, exchange->pool);

    if (!rv && exchange->document->kind == MNET_CALL) {
        return 1;
    }
    exchange->document = NULL;
    return mnet_exchange_refuse(exchange, MNET_FAULT_INVALID, MNET_LOG_WARNING, "MNET0415",
                                "what it signed is no XML-RPC call (%s)", quoted(exchange, why));
}

static int believe(mnet_exchange_t *exchange, const mnet_message_t *inner,
                   const unsigned char session_key[MNET_SESSION_KEY])
{
    mnet_shared_heard(exchange->engine->shared, exchange->peer->id, exchange->request.now);
    if (!check_clock(exchange, inner) || !check_replay(exchange, session_key)) {
        return 0;
    }
    learn_clock(exchange, inner);
    if (exchange->sealed && exchange->key > 0) {
        return key_changed(exchange, 1);
    }
    return read_document(exchange, inner);
}

/* --- the three envelopes --- */

static int sealed_message(mnet_exchange_t *exchange, unsigned char session_key[MNET_SESSION_KEY])
{
    mnet_message_t *inner = NULL;

    if (!find_peer(exchange) || !open_message(exchange, &inner, session_key) || !inner) {
        return 0;
    }
    exchange->sealed = 1;
    exchange->seal = exchange->peer->certificate->key;
    if (inner->envelope == MNET_PLAIN) {
        if (mnet_is_keyswap(inner->document)) {
            exchange->document = inner->document;
            return 1;
        }
        count_failure(exchange);
        return mnet_exchange_refuse(exchange, MNET_FAULT_NO_SIGNATURE, MNET_LOG_WARNING, "MNET0416",
                                    "it is encrypted but not signed");
    }
    exchange->sign = exchange->ring->keys[0];
    if (strcmp(inner->wwwroot, exchange->message->wwwroot)) {
        count_failure(exchange);
        return mnet_exchange_refuse(exchange, MNET_FAULT_WWWROOT, MNET_LOG_WARNING, "MNET0417",
                                    "it is signed in the name of %s",
                                    quoted(exchange, inner->wwwroot));
    }
    return check_signature(exchange, inner) && believe(exchange, inner, session_key);
}

/* Signed and readable by everybody: only from where the administrator allows it. */
static int signed_message(mnet_exchange_t *exchange, unsigned char session_key[MNET_SESSION_KEY])
{
    mnet_message_t *message = exchange->message;
    const char *why = "";
    apr_status_t rv;

    if (!mnet_policy_plaintext(exchange->host->site, exchange->request.address, exchange->pool)) {
        if (!mnet_xmlrpc_read(message->payload, MNET_CHARSET_UTF8, &mnet_xml_limits_stranger,
                              &exchange->document, &why, exchange->pool) &&
            mnet_is_keyswap(exchange->document)) {
            return 1; /* as if it had come bare */
        }
        exchange->document = NULL;
        return mnet_exchange_refuse(exchange, MNET_FAULT_PLAINTEXT, MNET_LOG_WARNING, "MNET0418",
                                    "it is not encrypted, and MnetPlaintextFrom does not name its "
                                    "address");
    }
    if (!find_peer(exchange) || !check_signature(exchange, message)) {
        return 0;
    }
    exchange->sign = exchange->ring->keys[0];
    rv = plain_session_key(exchange, message, session_key);
    if (rv) {
        return mnet_exchange_fail(exchange, rv, "MNET0419", "replays cannot be told");
    }
    return believe(exchange, message, session_key);
}

static int bare_document(mnet_exchange_t *exchange)
{
    mnet_document_t *document = exchange->message->document;

    if (document->kind != MNET_CALL) {
        return mnet_exchange_refuse(exchange, MNET_FAULT_INVALID, MNET_LOG_WARNING, "MNET0420",
                                    "it is a response, not a call");
    }
    exchange->document = document;
    if (mnet_is_keyswap(document)) {
        return 1;
    }
    return mnet_exchange_refuse(exchange, MNET_FAULT_PLAINTEXT, MNET_LOG_WARNING, "MNET0421",
                                "it is neither signed nor encrypted");
}

int mnet_exchange_trust(mnet_exchange_t *exchange)
{
    unsigned char session_key[MNET_SESSION_KEY];
    int trusted = 0;

    switch (exchange->message->envelope) {
    case MNET_PLAIN:
        trusted = bare_document(exchange);
        break;
    case MNET_SIGNED:
        trusted = signed_message(exchange, session_key);
        break;
    case MNET_ENCRYPTED:
        trusted = sealed_message(exchange, session_key);
        break;
    }
    OPENSSL_cleanse(session_key, sizeof(session_key));
    return trusted;
}
