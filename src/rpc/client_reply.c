/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/client_private.h"
#include "rpc/clock.h"
#include "rpc/fault.h"
#include "trust/policy.h"
#include "trust/replay.h"

#define FAULT_TEXT_MAX 2000 /* bytes of a peer's fault that are shown; a certificate fits */

static apr_status_t distrust(mnet_attempt_t *attempt, const char *what)
{
    return mnet_reply_set(attempt->reply, MNET_CALL_TRUST, attempt->pool, "the answer of %s %s",
                          attempt->peer->facts->wwwroot, what);
}

/* The peer's own PHP could not encrypt: its two cipher values came empty (protocol 11, 2). */
static apr_status_t no_rc4(mnet_attempt_t *attempt)
{
    distrust(attempt,
             "is an empty envelope: its PHP lacks RC4; switch on the legacy and the default "
             "provider of OpenSSL for it");
    attempt->reply->no_rc4 = 1;
    return MNET_E_PEER;
}

/* A Moodle says no more than "mnet/nosuchfunction", and it is nearly always a tick that is missing.
 */
static void explain_permission(mnet_attempt_t *attempt, const char *text)
{
    const char *us = attempt->host->site->wwwroot, *called = attempt->call->method;
    const mnet_method_t *method = mnet_registry_find(attempt->host->engine->registry, us, called);

    mnet_reply_set(attempt->reply, MNET_CALL_FAULT, attempt->pool,
                   "%s: it has no such method, or does not publish %s to %s; that is for its "
                   "administrator (in Moodle: Manage peers, our site, Services)",
                   text,
                   method ? apr_psprintf(attempt->pool, "the service %s", method->service)
                          : "the service of it",
                   us);
}

static void set_fault(mnet_attempt_t *attempt, const mnet_document_t *document)
{
    const char *text = mnet_for_log(document->fault_text, strlen(document->fault_text),
                                    FAULT_TEXT_MAX, attempt->pool);

    mnet_reply_set(attempt->reply, MNET_CALL_FAULT, attempt->pool, "%s", text);
    if (document->fault_code == MNET_FAULT_PERMISSION ||
        document->fault_code == MNET_FAULT_NOT_PUBLISHED) {
        explain_permission(attempt, text);
    } else if (document->fault_code == MNET_FAULT_NOT_OPENED && attempt->plain) {
        mnet_reply_set(attempt->reply, MNET_CALL_FAULT, attempt->pool,
                       "%s: it does not know the key we sealed the call to, or its PHP lacks RC4 "
                       "(the legacy provider of OpenSSL)",
                       text);
        attempt->reply->no_rc4 = 1;
    }
    attempt->reply->code = document->fault_code;
}

/*
 * A document that nobody signed: a fault is reported, for the reader of a log, and never acted
 * upon; anything else is refused (protocol 12, 22).
 */
static void judge_plain(mnet_attempt_t *attempt, const mnet_document_t *document)
{
    attempt->plain = 1;
    if (document->kind == MNET_FAULT) {
        set_fault(attempt, document);
    } else {
        distrust(attempt, "is neither signed nor encrypted");
    }
}

/* What a signed 7025 offers is for mnet_rekey_offered to judge, whoever signed it. */
static int is_key_change(mnet_attempt_t *attempt, mnet_message_t *inner,
                         const mnet_document_t *document)
{
    if (document->kind != MNET_FAULT || document->fault_code != MNET_FAULT_KEY_CHANGED) {
        return 0;
    }
    attempt->fault = inner;
    attempt->offered = document->fault_text;
    set_fault(attempt, document);
    return 1;
}

/* It was signed at some time since we asked: a package may have been on its way for an hour. */
static int check_clock(mnet_attempt_t *attempt, const mnet_message_t *inner)
{
    apr_time_t now = apr_time_now();
    apr_int64_t apart = mnet_clock_apart(inner->timestamp, attempt->started, now);
    int ok = mnet_clock_ok(attempt->host->site, apart);

    /* Without shared memory it would be said each time. */
    if (ok && inner->timestamp && attempt->host->engine->shared) {
        mnet_clock_say(attempt->host, attempt->peer->facts->wwwroot, apart, now);
    }
    if (!ok) {
        distrust(attempt, apr_psprintf(attempt->pool,
                                       "bears a time %" APR_INT64_T_FMT
                                       " seconds %s ours, too far (MnetClockSkew): set the wrong "
                                       "clock by NTP",
                                       apart < 0 ? -apart : apart, apart < 0 ? "before" : "after"));
    }
    return ok;
}

static void judge_signed(mnet_attempt_t *attempt, mnet_message_t *inner)
{
    const mnet_peer_t *peer = attempt->peer;
    mnet_charset_e charset = mnet_policy_charset_in(peer, NULL, 1);
    mnet_document_t *document = NULL;
    const char *why = "";
    int signed_by_peer;
    apr_status_t rv;

    if (strcmp(inner->wwwroot, peer->facts->wwwroot)) {
        distrust(attempt, "is signed in the name of another site");
        return;
    }
    signed_by_peer =
        !mnet_message_verify(attempt->host->engine->crypto, inner, peer->certificate->key);
    rv = attempt->stream
             ? mnet_xmlrpc_stream_end(attempt->stream, &document, &why)
             : mnet_xmlrpc_read(inner->payload, charset,
                                signed_by_peer ? &mnet_xml_limits_peer : &mnet_xml_limits_stranger,
                                &document, &why, attempt->pool);
    if (!rv && is_key_change(attempt, inner, document)) {
        return;
    }
    if (!signed_by_peer) {
        distrust(attempt,
                 "is not signed by the certificate known for it here: if it made a new key "
                 "without telling, see `mnetctl peers verify`");
    } else if (!check_clock(attempt, inner)) {
        return;
    } else if (rv || document->kind == MNET_CALL) {
        distrust(attempt, apr_psprintf(attempt->pool, "is no XML-RPC response (%s)",
                                       mnet_for_log(why, strlen(why), 120, attempt->pool)));
    } else if (document->kind == MNET_FAULT) {
        set_fault(attempt, document);
    } else {
        attempt->reply->kind = MNET_CALL_OK;
        attempt->reply->value = document->params->nelts
                                    ? APR_ARRAY_IDX(document->params, 0, mnet_value_t *)
                                    : mnet_string("", attempt->pool);
        attempt->reply->message = "";
    }
}

/* Nothing binds an answer to its question; an answer that was given before is at least told. */
static int answered_before(mnet_attempt_t *attempt,
                           const unsigned char session_key[MNET_SESSION_KEY])
{
    mnet_engine_t *engine = attempt->host->engine;
    mnet_replay_name_t name;

    return !mnet_replay_name(engine->crypto, attempt->host->site, attempt->peer, session_key,
                             &name) &&
           mnet_shared_seen(engine->shared, attempt->peer->id, name.bytes);
}

/*
 * A package of a gigabyte is read once: as it is opened, its text goes where it is wanted, and only
 * then is it known whose it is.  Until then it is a stranger's.
 */
static apr_status_t read_along(mnet_attempt_t *attempt, mnet_charset_e charset,
                               mnet_reading_t *reading, mnet_sink_t *payload)
{
    attempt->stream = NULL;
    if (!attempt->call->text) {
        return APR_SUCCESS;
    }
    attempt->stream =
        mnet_xmlrpc_stream_create(charset, &mnet_xml_limits_stranger, attempt->call->text,
                                  attempt->host->engine->tmp_dir, attempt->pool);
    *payload = (mnet_sink_t){mnet_xmlrpc_stream_write, attempt->stream};
    reading->payload = payload;
    return attempt->stream ? APR_SUCCESS : APR_ENOMEM;
}

static void judge_sealed(mnet_attempt_t *attempt)
{
    mnet_message_t *sealed = attempt->message, *inner = NULL;
    mnet_charset_e charset = mnet_policy_charset_in(attempt->peer, NULL, 1);
    mnet_reading_t reading = mnet_client_reading(attempt->host, 0, charset);
    unsigned char session_key[MNET_SESSION_KEY];
    mnet_sink_t payload;
    const char *why = "";
    int index, repeated;
    apr_status_t rv;

    if (strcmp(sealed->wwwroot, attempt->peer->facts->wwwroot)) {
        distrust(attempt, apr_psprintf(attempt->pool, "calls itself %s: its wwwroot is another one",
                                       mnet_for_log(sealed->wwwroot, strlen(sealed->wwwroot), 255,
                                                    attempt->pool)));
        return;
    }
    if (!sealed->wrapped_len && !mnet_spool_length(sealed->cipher)) {
        no_rc4(attempt);
        return;
    }
    if (read_along(attempt, charset, &reading, &payload)) {
        distrust(attempt, "cannot be read for want of memory");
        return;
    }
    rv = mnet_message_open(&reading, sealed, attempt->ring->keys, attempt->ring->count, &index,
                           session_key, &inner, &why, attempt->pool);
    repeated = !rv && answered_before(attempt, session_key);
    OPENSSL_cleanse(session_key, sizeof(session_key));
    if (rv == MNET_E_NOKEY) {
        distrust(attempt, "is sealed to a key that is not ours: it has an old certificate of ours");
    } else if (rv) {
        distrust(attempt,
                 apr_psprintf(attempt->pool, "does not open to a message (%s)",
                              mnet_for_log(why, why ? strlen(why) : 0, 120, attempt->pool)));
    } else if (repeated) {
        distrust(attempt, "was received before: somebody repeats old answers");
    } else if (inner->envelope == MNET_PLAIN) {
        judge_plain(attempt, inner->document);
    } else if (inner->envelope == MNET_SIGNED) {
        judge_signed(attempt, inner);
    } else {
        distrust(attempt, "is an envelope in an envelope");
    }
}

void mnet_client_judge(mnet_attempt_t *attempt)
{
    attempt->fault = NULL;
    attempt->offered = NULL;
    attempt->plain = 0;
    switch (attempt->message->envelope) {
    case MNET_PLAIN:
        judge_plain(attempt, attempt->message->document);
        break;
    case MNET_SIGNED:
        distrust(attempt, "is signed but not encrypted");
        break;
    case MNET_ENCRYPTED:
        judge_sealed(attempt);
        break;
    }
}
