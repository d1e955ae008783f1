/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_MESSAGE_H
#define MNET_WIRE_MESSAGE_H

/*
 * A message on the wire: a document, perhaps in a signedMessage, perhaps in an encryptedMessage
 * (protocol 2.3 to 2.5).  Reading is a stream: bytes go in as they come from the network, the
 * cipher text goes to a spool, and once a key opens it the plain text runs through RC4 into a
 * second reader.  Nothing here decides whom to trust: it says what is in the message.
 */

#include <apr_pools.h>

#include "wire/crypto.h"
#include "wire/spool.h"
#include "wire/xml.h"
#include "wire/xmlrpc.h"

typedef enum { MNET_PLAIN, MNET_SIGNED, MNET_ENCRYPTED } mnet_envelope_e;

typedef struct mnet_message_t {
    mnet_envelope_e envelope;
    const char *wwwroot; /* SIGNED, ENCRYPTED: as claimed, trimmed; never NULL there */
    /* ENCRYPTED */
    mnet_spool_t *cipher; /* RC4 of a message */
    const unsigned char *wrapped;
    apr_size_t wrapped_len; /* 0 with an empty cipher: a peer whose PHP has no RC4 */
    /* SIGNED */
    mnet_spool_t *payload; /* the bytes that were signed; NULL: mnet_reading_t's sink has them */
    unsigned char sha1[MNET_SHA1];
    const unsigned char *signature;
    apr_size_t signature_len;
    apr_int64_t timestamp; /* seconds since 1970; 0 if there was none */
    /* PLAIN */
    mnet_document_t *document;
} mnet_message_t;

typedef struct mnet_message_reader_t mnet_message_reader_t;

typedef struct mnet_reading_t {
    const mnet_crypto_t *crypto;
    const mnet_xml_limits_t *limits;
    mnet_charset_e charset; /* for a PLAIN document */
    apr_off_t max;          /* bytes of any one text; 0: no bound */
    const char *tmpdir;     /* of spools; NULL for APR's */
    /* Takes the payload of a SIGNED message as it comes, before anybody can say whose it is, and
     * the message has none; NULL: it goes to a spool. */
    const mnet_sink_t *payload;
} mnet_reading_t;

mnet_message_reader_t *mnet_message_reader_create(const mnet_reading_t *how, apr_pool_t *pool);
apr_status_t mnet_message_reader_write(void *reader, const char *data, apr_size_t len);
/*
 * After the last byte.  MNET_E_XML for what is no message: an unknown root, a text missing or
 * twice (a second object, signature, wwwroot, ...), an element out of its place.
 */
apr_status_t mnet_message_reader_end(mnet_message_reader_t *reader, mnet_message_t **message);
/* A sentence for the log, "" if nothing was wrong. */
const char *mnet_message_reader_problem(const mnet_message_reader_t *reader);

/*
 * Opens an ENCRYPTED message with the first key of the ring (current first) under which it begins
 * as a message does ("<?xml", "<signedMessage", ...).  *index: that key's.  session_key: of it, 16
 * bytes. *inner: SIGNED or PLAIN. MNET_E_NOKEY if none does, after the work of the whole ring,
 * always the same (protocol 11, 5); a wrapped key whose length is no key's modulus costs as much.
 * MNET_E_XML, MNET_E_LIMIT, MNET_E_DOCTYPE, MNET_E_BASE64 if what opened is no message.
 */
apr_status_t mnet_message_open(const mnet_reading_t *how, const mnet_message_t *sealed,
                               EVP_PKEY *const *ring, int keys, int *index,
                               unsigned char session_key[MNET_SESSION_KEY], mnet_message_t **inner,
                               const char **why, apr_pool_t *pool);

/* Is a SIGNED message signed by this key? APR_SUCCESS or MNET_E_SIGNATURE. */
apr_status_t mnet_message_verify(const mnet_crypto_t *crypto, const mnet_message_t *message,
                                 EVP_PKEY *key);

/* How to wrap what we send. */
typedef struct mnet_wrapping_t {
    const mnet_crypto_t *crypto;
    EVP_PKEY *sign;      /* our private key; NULL: not signed */
    EVP_PKEY *seal;      /* the peer's public key; NULL: not encrypted */
    const char *wwwroot; /* ours */
    const char *key_uri; /* for RetrievalMethod: where our certificate is */
    apr_int64_t now;     /* seconds since 1970 */
} mnet_wrapping_t;

/*
 * Wraps a payload into a sink.  *length, if not NULL, is told before the first byte is written.
 * Every byte constraint of protocol 2.3 to 2.5 holds.  One private operation if signed, one public
 * if sealed.
 */
apr_status_t mnet_message_wrap(const mnet_wrapping_t *how, mnet_spool_t *payload, apr_off_t *length,
                               const mnet_sink_t *to, apr_pool_t *pool);

#endif
