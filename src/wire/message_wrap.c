/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing envelopes, in the very layout of the PHP peers: with the same payload, key and time the
 * signedMessage is theirs to the byte.  What the layout has to keep (protocol 2.3 to 2.5): the XML
 * declaration in front of <signedMessage>, which stands within the first 100 bytes and has no
 * attributes; no prefix on an element that is looked for; the data's CipherValue before the key's;
 * every base64 on one line.
 */
#include "wire/message.h"

#include <string.h>

#include <apr_strings.h>
#include <openssl/crypto.h>

#include "base/status.h"
#include "base/text.h"
#include "wire/base64.h"

/*
 * The PHP peers' own declaration.  A Mahara's libxml2 2.9 reads no text over 10,000,000 bytes of a
 * document whose encoding it has to convert: a long one is declared as what ASCII is as well.
 */
#define DECLARATION      "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n"
#define LONG_DECLARATION "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
#define LONG             ((apr_off_t)4 << 20) /* bytes of payload; twice base64 makes 16/9 of it */

/* What stands before and behind the base64 of the content. */
typedef struct envelope_t {
    const char *before;
    const char *behind;
} envelope_t;

/* Gathers what comes into pieces worth a call. */
#define PIECE 8192
typedef struct gather_t {
    const mnet_sink_t *to;
    apr_size_t len;
    char data[PIECE];
} gather_t;

static apr_status_t gather_flush(gather_t *gather)
{
    apr_size_t len = gather->len;

    gather->len = 0;
    return mnet_sink_write(gather->to, gather->data, len);
}

static apr_status_t gather_write(void *baton, const char *data, apr_size_t len)
{
    gather_t *gather = baton;
    apr_status_t rv = APR_SUCCESS;

    while (len && rv == APR_SUCCESS) {
        apr_size_t n = len < PIECE - gather->len ? len : PIECE - gather->len;

        memcpy(gather->data + gather->len, data, n);
        gather->len += n;
        data += n;
        len -= n;
        if (gather->len == PIECE)
            rv = gather_flush(gather);
    }
    return rv;
}

static apr_status_t write_text(const mnet_sink_t *to, const char *text)
{
    return mnet_sink_write(to, text, strlen(text));
}

/* --- texts of ours in the envelope --- */

/* Printable ASCII only: the declaration says iso-8859-1, and no reader need agree with another. */
static int is_plain(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~')
            return 0;
    }
    return 1;
}

static const char *escape(const char *text, apr_pool_t *pool)
{
    char *out, *to;

    if (!strpbrk(text, "&<>\""))
        return text;
    to = out = apr_palloc(pool, 6 * strlen(text) + 1);
    for (; *text; text++) {
        switch (*text) {
        case '&':
            to = apr_cpystrn(to, "&amp;", 6);
            break;
        case '<':
            to = apr_cpystrn(to, "&lt;", 5);
            break;
        case '>':
            to = apr_cpystrn(to, "&gt;", 5);
            break;
        case '"':
            to = apr_cpystrn(to, "&quot;", 7);
            break;
        default:
            *to++ = *text;
        }
    }
    *to = '\0';
    return out;
}

/* --- the two envelopes --- */

static const char *declaration(const mnet_spool_t *payload)
{
    return mnet_spool_length(payload) < LONG ? DECLARATION : LONG_DECLARATION;
}

static apr_status_t make_signed(envelope_t *envelope, const mnet_wrapping_t *how,
                                mnet_spool_t *payload, apr_pool_t *pool)
{
    mnet_digest_t *digest = mnet_sha1_create(how->crypto, pool);
    mnet_sink_t to = {mnet_digest_write, digest};
    unsigned char sha1[MNET_SHA1], signature[MNET_MODULUS_MAX];
    apr_size_t len;
    apr_status_t rv;

    if (!digest)
        return MNET_E_CRYPTO;
    rv = mnet_spool_pour(payload, &to);
    if (rv == APR_SUCCESS)
        rv = mnet_digest_end(digest, sha1);
    if (rv == APR_SUCCESS)
        rv = mnet_rsa_sign(how->crypto, how->sign, sha1, signature, &len);
    if (rv != APR_SUCCESS)
        return rv;
    envelope->before =
        apr_pstrcat(pool, declaration(payload),
                    "    <signedMessage>\n"
                    "        <Signature Id=\"MoodleSignature\""
                    " xmlns=\"http://www.w3.org/2000/09/xmldsig#\">\n"
                    "            <SignedInfo>\n"
                    "                <CanonicalizationMethod"
                    " Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"/>\n"
                    "                <SignatureMethod"
                    " Algorithm=\"http://www.w3.org/2000/09/xmldsig#rsa-sha1\"/>\n"
                    "                <Reference URI=\"#XMLRPC-MSG\">\n"
                    "                    <DigestMethod"
                    " Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha1\"/>\n"
                    "                    <DigestValue>",
                    mnet_hex(sha1, sizeof sha1, pool),
                    "</DigestValue>\n"
                    "                </Reference>\n"
                    "            </SignedInfo>\n"
                    "            <SignatureValue>",
                    mnet_base64_encode_text(signature, len, pool),
                    "</SignatureValue>\n"
                    "            <KeyInfo>\n"
                    "                <RetrievalMethod URI=\"",
                    escape(how->key_uri, pool),
                    "\"/>\n"
                    "            </KeyInfo>\n"
                    "        </Signature>\n"
                    "        <object ID=\"XMLRPC-MSG\">",
                    NULL);
    envelope->behind = apr_psprintf(pool,
                                    "</object>\n"
                                    "        <wwwroot>%s</wwwroot>\n"
                                    "        <timestamp>%" APR_INT64_T_FMT "</timestamp>\n"
                                    "    </signedMessage>",
                                    escape(how->wwwroot, pool), how->now);
    return APR_SUCCESS;
}

static apr_status_t make_sealed(envelope_t *envelope, const mnet_wrapping_t *how,
                                const mnet_spool_t *payload,
                                const unsigned char session_key[MNET_SESSION_KEY], apr_pool_t *pool)
{
    unsigned char wrapped[MNET_MODULUS_MAX];
    apr_size_t len;
    apr_status_t rv = mnet_rsa_wrap(how->crypto, how->seal, session_key, wrapped, &len);

    if (rv != APR_SUCCESS)
        return rv;
    envelope->before = apr_pstrcat(
        pool, declaration(payload),
        "    <encryptedMessage>\n"
        "        <EncryptedData Id=\"ED\" xmlns=\"http://www.w3.org/2001/04/xmlenc#\">\n"
        "            <EncryptionMethod"
        " Algorithm=\"http://www.w3.org/2001/04/xmlenc#arcfour\"/>\n"
        "            <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\n"
        "                <ds:RetrievalMethod URI=\"#EK\""
        " Type=\"http://www.w3.org/2001/04/xmlenc#EncryptedKey\"/>\n"
        "                <ds:KeyName>XMLENC</ds:KeyName>\n"
        "            </ds:KeyInfo>\n"
        "            <CipherData>\n"
        "                <CipherValue>",
        NULL);
    envelope->behind = apr_pstrcat(
        pool,
        "</CipherValue>\n"
        "            </CipherData>\n"
        "        </EncryptedData>\n"
        "        <EncryptedKey Id=\"EK\" xmlns=\"http://www.w3.org/2001/04/xmlenc#\">\n"
        "            <EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-1_5\"/>\n"
        "            <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\n"
        "                <ds:KeyName>SSLKEY</ds:KeyName>\n"
        "            </ds:KeyInfo>\n"
        "            <CipherData>\n"
        "                <CipherValue>",
        mnet_base64_encode_text(wrapped, len, pool),
        "</CipherValue>\n"
        "            </CipherData>\n"
        "            <ReferenceList>\n"
        "                <DataReference URI=\"#ED\"/>\n"
        "            </ReferenceList>\n"
        "            <CarriedKeyName>XMLENC</CarriedKeyName>\n"
        "        </EncryptedKey>\n"
        "        <wwwroot>",
        escape(how->wwwroot, pool),
        "</wwwroot>\n"
        "    </encryptedMessage>",
        NULL);
    return APR_SUCCESS;
}

/* --- putting together --- */

static apr_off_t wrapped_length(const envelope_t *envelope, apr_off_t content)
{
    return (apr_off_t)strlen(envelope->before) + mnet_base64_length(content) +
           (apr_off_t)strlen(envelope->behind);
}

/* The payload, in its signedMessage if there is one. */
static apr_status_t write_content(const envelope_t *signature, mnet_spool_t *payload,
                                  const mnet_sink_t *to)
{
    mnet_base64_encoder_t encoder;
    mnet_sink_t encoded = {mnet_base64_encode, &encoder};
    apr_status_t rv;

    if (!signature->before)
        return mnet_spool_pour(payload, to);
    mnet_base64_encoder_init(&encoder, to);
    rv = write_text(to, signature->before);
    if (rv == APR_SUCCESS)
        rv = mnet_spool_pour(payload, &encoded);
    if (rv == APR_SUCCESS)
        rv = mnet_base64_encode_end(&encoder);
    if (rv == APR_SUCCESS)
        rv = write_text(to, signature->behind);
    return rv;
}

/* The content through RC4 and base64, within the encryptedMessage. */
static apr_status_t write_sealed(const envelope_t *seal, const envelope_t *signature,
                                 const mnet_wrapping_t *how,
                                 const unsigned char session_key[MNET_SESSION_KEY],
                                 mnet_spool_t *payload, const mnet_sink_t *to, apr_pool_t *pool)
{
    mnet_base64_encoder_t encoder;
    mnet_sink_t encoded = {mnet_base64_encode, &encoder};
    mnet_sink_t ciphered = {mnet_rc4_write, NULL};
    mnet_rc4_t *rc4;
    apr_status_t rv;

    mnet_base64_encoder_init(&encoder, to);
    rv = mnet_rc4_create(&rc4, how->crypto, session_key, MNET_SESSION_KEY, &encoded, pool);
    if (rv != APR_SUCCESS)
        return rv;
    ciphered.baton = rc4;
    rv = write_text(to, seal->before);
    if (rv == APR_SUCCESS)
        rv = write_content(signature, payload, &ciphered);
    if (rv == APR_SUCCESS)
        rv = mnet_base64_encode_end(&encoder);
    if (rv == APR_SUCCESS)
        rv = write_text(to, seal->behind);
    return rv;
}

static apr_status_t check(const mnet_wrapping_t *how, const mnet_spool_t *payload)
{
    /* Twice base64 and two envelopes must fit the length. */
    if (mnet_spool_length(payload) > APR_INT64_MAX / 4)
        return MNET_E_LIMIT;
    if ((how->sign || how->seal) && (!how->wwwroot || !*how->wwwroot || !is_plain(how->wwwroot)))
        return MNET_E_INVALID;
    if (how->sign && (!how->key_uri || !is_plain(how->key_uri) || how->now < 0))
        return MNET_E_INVALID;
    return APR_SUCCESS;
}

apr_status_t mnet_message_wrap(const mnet_wrapping_t *how, mnet_spool_t *payload, apr_off_t *length,
                               const mnet_sink_t *to, apr_pool_t *pool)
{
    envelope_t signature = {NULL, NULL}, seal = {NULL, NULL};
    unsigned char session_key[MNET_SESSION_KEY];
    gather_t *gather = apr_palloc(pool, sizeof *gather);
    mnet_sink_t gathered = {gather_write, gather};
    apr_off_t total = mnet_spool_length(payload);
    apr_status_t rv = check(how, payload);

    gather->to = to;
    gather->len = 0;
    if (rv == APR_SUCCESS && how->sign) {
        rv = make_signed(&signature, how, payload, pool);
        if (rv == APR_SUCCESS)
            total = wrapped_length(&signature, total);
    }
    if (rv == APR_SUCCESS && how->seal) {
        rv = mnet_random(how->crypto, session_key, sizeof session_key);
        if (rv == APR_SUCCESS)
            rv = make_sealed(&seal, how, payload, session_key, pool);
        if (rv == APR_SUCCESS)
            total = wrapped_length(&seal, total);
    }
    if (rv == APR_SUCCESS && length)
        *length = total;
    if (rv == APR_SUCCESS && how->seal)
        rv = write_sealed(&seal, &signature, how, session_key, payload, &gathered, pool);
    else if (rv == APR_SUCCESS)
        rv = write_content(&signature, payload, &gathered);
    if (rv == APR_SUCCESS)
        rv = gather_flush(gather);
    OPENSSL_cleanse(session_key, sizeof session_key);
    return rv;
}
