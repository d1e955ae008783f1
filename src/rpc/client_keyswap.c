/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/client_keyswap.h"

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/client_post.h"

/* The bare document: who we are, our certificate, and what we take the peer for (protocol 4.3). */
static apr_status_t write_question(mnet_host_t *host, const mnet_ring_t *ring,
                                   const char *application, mnet_spool_t *body, apr_pool_t *pool)
{
    apr_array_header_t *params = apr_array_make(pool, 3, sizeof(mnet_value_t *));
    mnet_sink_t to = {mnet_spool_write, body};

    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(host->site->wwwroot, pool);
    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(ring->pems[0], pool);
    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(application, pool);
    return mnet_xmlrpc_write_call("system/keyswap", params, &to);
}

/*
 * The document in an answer, whatever envelopes it came in: a signature by a key that nobody knows
 * yet proves nothing, so none is checked.
 */
static apr_status_t strip(mnet_host_t *host, const mnet_ring_t *ring, mnet_message_t *message,
                          mnet_document_t **document, apr_pool_t *pool)
{
    mnet_reading_t reading = mnet_client_reading(host, 0, MNET_CHARSET_UTF8);
    unsigned char session_key[MNET_SESSION_KEY];
    const char *why;
    int index;
    apr_status_t rv;

    if (message->envelope == MNET_ENCRYPTED) {
        rv = mnet_message_open(&reading, message, ring->keys, ring->count, &index, session_key,
                               &message, &why, pool);
        OPENSSL_cleanse(session_key, sizeof(session_key));
        if (rv) {
            return rv;
        }
    }
    if (message->envelope == MNET_SIGNED) {
        return mnet_xmlrpc_read(message->payload, MNET_CHARSET_UTF8, &mnet_xml_limits_stranger,
                                document, &why, pool);
    }
    *document = message->document;
    return message->envelope == MNET_PLAIN ? APR_SUCCESS : MNET_E_XML;
}

static void read_answer(mnet_host_t *host, const char *wwwroot, const mnet_document_t *document,
                        mnet_keyswap_t *keyswap, mnet_reply_t *reply, apr_pool_t *pool)
{
    mnet_certificate_t *certificate;
    const char *text, *why = "";

    if (document->kind == MNET_FAULT) {
        mnet_reply_set(reply, MNET_CALL_FAULT, pool, "%s",
                       mnet_for_log(document->fault_text, strlen(document->fault_text), 400, pool));
        reply->code = document->fault_code;
        return;
    }
    text = document->kind == MNET_RESPONSE && document->params->nelts
               ? mnet_as_text(APR_ARRAY_IDX(document->params, 0, mnet_value_t *), pool)
               : NULL;
    if (!text || mnet_certificate_read(host->engine->crypto, text, &certificate, &why, pool)) {
        mnet_reply_set(reply, MNET_CALL_TRUST, pool, "%s answered keyswap with no certificate %s",
                       wwwroot, why);
        return;
    }
    keyswap->pem = certificate->pem;
    reply->kind = MNET_CALL_OK;
    reply->value = mnet_string(certificate->pem, pool);
}

void mnet_client_keyswap(mnet_host_t *host, const mnet_peer_facts_t *facts, mnet_keyswap_t *keyswap,
                         mnet_reply_t **answer, apr_pool_t *pool)
{
    const char *name = facts->application ? facts->application : "moodle";
    mnet_post_t post = {.host = host,
                        .facts = facts,
                        .application = mnet_application_find(host->site->defined, name),
                        .charset = MNET_CHARSET_UTF8};
    mnet_reply_t *reply = *answer = apr_pcalloc(pool, sizeof(*reply));
    mnet_message_t *message = NULL;
    mnet_document_t *document = NULL;
    const mnet_ring_t *ring;
    char text[128];
    apr_status_t rv;

    memset(keyswap, 0, sizeof(*keyswap));
    reply->message = "";
    if (!post.application) {
        mnet_reply_set(reply, MNET_CALL_POLICY, pool,
                       "the application \"%s\" is not known: use MnetDefineApplication", name);
        return;
    }
    rv = mnet_host_look(host, NULL, NULL, &ring, pool);
    post.body = mnet_spool_create(0, host->engine->tmp_dir, pool);
    if (!rv) {
        rv = write_question(host, ring, name, post.body, pool);
    }
    if (rv) {
        mnet_reply_set(reply, MNET_CALL_POLICY, pool, "%s has no key yet (%s): start httpd once",
                       host->site->wwwroot, mnet_strerror(rv, text, sizeof(text)));
        return;
    }
    if (mnet_client_post(&post, &message, reply, pool)) {
        return;
    }
    rv = strip(host, ring, message, &document, pool);
    if (rv) {
        mnet_reply_set(reply, MNET_CALL_TRUST, pool, "%s answered keyswap with no document (%s)",
                       facts->wwwroot, mnet_strerror(rv, text, sizeof(text)));
        return;
    }
    keyswap->verified = post.verified;
    read_answer(host, facts->wwwroot, document, keyswap, reply, pool);
}
