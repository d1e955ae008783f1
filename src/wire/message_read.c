/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads an envelope, or the document itself where there is none.  Peers find texts by the name of
 * the element (Moodle) or by its path (Mahara); here both must agree: a text is taken at its path
 * alone, and the same name anywhere else, or a second time, is an error.
 */
#include "wire/message.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"
#include "wire/base64.h"

#define WWWROOT_MAX   255 /* bytes; what the peers' tables hold */
#define TIMESTAMP_MAX 18  /* digits: fits 64 bits */

/* The texts we take. */
typedef enum { NOTHING, CIPHER, WRAPPED, SIGNATURE, OBJECT, WWWROOT, TIMESTAMP, TEXTS } text_e;

/* Where in the document we are. */
typedef enum {
    OUTSIDE,
    IN_ENCRYPTED,
    IN_DATA,
    IN_DATA_CIPHER,
    IN_KEY,
    IN_KEY_CIPHER,
    IN_SIGNED,
    IN_SIGNATURE,
    IN_TEXT,
    IN_DOCUMENT
} place_e;

/* Which element leads from where to where.  Letter case does not matter, a prefix does. */
static const struct step_t {
    place_e from;
    const char *name;
    place_e to;
    text_e text;
} steps[] = {
    {OUTSIDE, "encryptedMessage", IN_ENCRYPTED, NOTHING},
    {IN_ENCRYPTED, "EncryptedData", IN_DATA, NOTHING},
    {IN_DATA, "CipherData", IN_DATA_CIPHER, NOTHING},
    {IN_DATA_CIPHER, "CipherValue", IN_TEXT, CIPHER},
    {IN_ENCRYPTED, "EncryptedKey", IN_KEY, NOTHING},
    {IN_KEY, "CipherData", IN_KEY_CIPHER, NOTHING},
    {IN_KEY_CIPHER, "CipherValue", IN_TEXT, WRAPPED},
    {IN_ENCRYPTED, "wwwroot", IN_TEXT, WWWROOT},
    {OUTSIDE, "signedMessage", IN_SIGNED, NOTHING},
    {IN_SIGNED, "Signature", IN_SIGNATURE, NOTHING},
    {IN_SIGNATURE, "SignatureValue", IN_TEXT, SIGNATURE},
    {IN_SIGNED, "object", IN_TEXT, OBJECT},
    {IN_SIGNED, "wwwroot", IN_TEXT, WWWROOT},
    {IN_SIGNED, "timestamp", IN_TEXT, TIMESTAMP},
};
#define STEPS     (sizeof steps / sizeof *steps)
#define DEPTH_MAX 5 /* of steps, one on the other */

struct mnet_message_reader_t {
    const mnet_reading_t *how;
    apr_pool_t *pool;
    mnet_xml_t *xml;
    mnet_xmlrpc_reader_t *xmlrpc; /* once the root said so */
    mnet_message_t *message;
    const char *problem;

    place_e path[DEPTH_MAX]; /* the last one is where we are */
    int depth;
    int ignored; /* elements open below it that say nothing to us */

    text_e text; /* the one being taken */
    unsigned char seen[TEXTS];
    mnet_base64_decoder_t decoder;
    mnet_sink_t to;
    mnet_digest_t *digest;
    unsigned char *bytes; /* WRAPPED or SIGNATURE: no message has both */
    apr_size_t bytes_len;
    char line[WWWROOT_MAX + 2]; /* WWWROOT or TIMESTAMP */
    apr_size_t line_len;
};

/* White space of XML; the process's locale has no say. */
static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static apr_status_t bad(mnet_message_reader_t *reader, apr_status_t rv, const char *problem)
{
    reader->problem = problem;
    return rv;
}

static const char *text_name(text_e text)
{
    static const char *const names[TEXTS] = {"",
                                             "CipherValue of EncryptedData",
                                             "CipherValue of EncryptedKey",
                                             "SignatureValue",
                                             "object",
                                             "wwwroot",
                                             "timestamp"};

    return names[text];
}

static apr_status_t bad_text(mnet_message_reader_t *reader, apr_status_t rv, text_e text,
                             const char *what)
{
    return bad(reader, rv, apr_pstrcat(reader->pool, text_name(text), ": ", what, NULL));
}

/* --- where the texts go --- */

static apr_status_t take_bytes(void *baton, const char *data, apr_size_t len)
{
    mnet_message_reader_t *reader = baton;

    if (len > MNET_MODULUS_MAX - reader->bytes_len)
        return bad_text(reader, MNET_E_LIMIT, reader->text, "longer than any key");
    memcpy(reader->bytes + reader->bytes_len, data, len);
    reader->bytes_len += len;
    return APR_SUCCESS;
}

static apr_status_t take_object(void *baton, const char *data, apr_size_t len)
{
    mnet_message_reader_t *reader = baton;
    apr_status_t rv = mnet_digest_write(reader->digest, data, len);

    if (rv != APR_SUCCESS)
        return rv;
    return reader->how->payload ? mnet_sink_write(reader->how->payload, data, len)
                                : mnet_spool_write(reader->message->payload, data, len);
}

/* White space in front is dropped; behind it, when the line ends. */
static apr_status_t take_line(mnet_message_reader_t *reader, const char *data, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        int blank = is_blank(data[i]);

        if (blank && (!reader->line_len || reader->line_len > WWWROOT_MAX))
            continue;
        if (reader->line_len > WWWROOT_MAX)
            return bad_text(reader, MNET_E_LIMIT, reader->text, "too long");
        reader->line[reader->line_len++] = data[i];
    }
    return APR_SUCCESS;
}

static apr_status_t begin_text(mnet_message_reader_t *reader, text_e text)
{
    const mnet_reading_t *how = reader->how;
    mnet_message_t *message = reader->message;

    if (reader->seen[text])
        return bad_text(reader, MNET_E_XML, text, "there twice");
    reader->seen[text] = 1;
    reader->text = text;
    reader->to.baton = reader;
    switch (text) {
    case CIPHER:
        message->cipher = mnet_spool_create(how->max, how->tmpdir, reader->pool);
        reader->to.write = mnet_spool_write;
        reader->to.baton = message->cipher;
        break;
    case WRAPPED:
    case SIGNATURE:
        reader->bytes = apr_palloc(reader->pool, MNET_MODULUS_MAX);
        reader->to.write = take_bytes;
        break;
    case OBJECT:
        if (!how->payload)
            message->payload = mnet_spool_create(how->max, how->tmpdir, reader->pool);
        reader->digest = mnet_sha1_create(how->crypto, reader->pool);
        if (!reader->digest)
            return bad(reader, MNET_E_CRYPTO, "no SHA-1");
        reader->to.write = take_object;
        break;
    default:
        reader->line_len = 0;
        return APR_SUCCESS;
    }
    mnet_base64_decoder_init(&reader->decoder, &reader->to);
    return APR_SUCCESS;
}

static apr_status_t end_wwwroot(mnet_message_reader_t *reader)
{
    apr_size_t i;

    if (!reader->line_len)
        return bad_text(reader, MNET_E_XML, WWWROOT, "empty");
    if (reader->line_len > WWWROOT_MAX)
        return bad_text(reader, MNET_E_LIMIT, WWWROOT, "too long");
    for (i = 0; i < reader->line_len; i++) {
        if (is_control(reader->line[i]))
            return bad_text(reader, MNET_E_XML, WWWROOT, "a control character in it");
    }
    reader->message->wwwroot = apr_pstrmemdup(reader->pool, reader->line, reader->line_len);
    return APR_SUCCESS;
}

static apr_status_t end_timestamp(mnet_message_reader_t *reader)
{
    apr_int64_t seconds = 0;
    apr_size_t i;

    if (reader->line_len > TIMESTAMP_MAX)
        return bad_text(reader, MNET_E_LIMIT, TIMESTAMP, "too long");
    for (i = 0; i < reader->line_len; i++) {
        if (reader->line[i] < '0' || reader->line[i] > '9')
            return bad_text(reader, MNET_E_XML, TIMESTAMP, "no number of seconds");
        seconds = 10 * seconds + (reader->line[i] - '0');
    }
    reader->message->timestamp = seconds;
    return APR_SUCCESS;
}

static apr_status_t end_text(mnet_message_reader_t *reader)
{
    text_e text = reader->text;
    mnet_message_t *message = reader->message;
    apr_status_t rv;

    if (text == WWWROOT || text == TIMESTAMP) {
        while (reader->line_len && is_blank(reader->line[reader->line_len - 1]))
            reader->line_len--;
        rv = text == WWWROOT ? end_wwwroot(reader) : end_timestamp(reader);
    } else {
        rv = mnet_base64_decode_end(&reader->decoder);
        if (rv == MNET_E_BASE64)
            bad_text(reader, rv, text, "base64 cut short");
    }
    if (rv == APR_SUCCESS && text == OBJECT)
        rv = mnet_digest_end(reader->digest, message->sha1);
    if (text == WRAPPED) {
        message->wrapped = reader->bytes;
        message->wrapped_len = reader->bytes_len;
    } else if (text == SIGNATURE) {
        message->signature = reader->bytes;
        message->signature_len = reader->bytes_len;
    }
    reader->text = NOTHING;
    return rv;
}

/* --- the handler --- */

static const struct step_t *find_step(const mnet_message_reader_t *reader, const char *name)
{
    place_e from = reader->depth ? reader->path[reader->depth - 1] : OUTSIDE;
    apr_size_t i;

    for (i = 0; i < STEPS; i++) {
        if (steps[i].from == from && apr_cstr_casecmp(steps[i].name, name) == 0)
            return &steps[i];
    }
    return NULL;
}

/* Is it the name of a text, so that a peer that goes by names alone would take it? */
static int names_a_text(const char *name)
{
    apr_size_t i;

    for (i = 0; i < STEPS; i++) {
        if (steps[i].text != NOTHING && apr_cstr_casecmp(steps[i].name, name) == 0)
            return 1;
    }
    return 0;
}

static apr_status_t start_root(mnet_message_reader_t *reader, const char *name,
                               const char *const *attributes)
{
    const mnet_reading_t *how = reader->how;
    const struct step_t *step = find_step(reader, name);

    if (step) {
        reader->message->envelope = step->to == IN_SIGNED ? MNET_SIGNED : MNET_ENCRYPTED;
        reader->path[reader->depth++] = step->to;
        return APR_SUCCESS;
    }
    if (strcmp(name, "methodCall") != 0 && strcmp(name, "methodResponse") != 0)
        return bad(reader, MNET_E_XML,
                   apr_pstrcat(reader->pool, "the root element is ",
                               mnet_for_log(name, strlen(name), 40, reader->pool), NULL));
    reader->message->envelope = MNET_PLAIN;
    reader->path[reader->depth++] = IN_DOCUMENT;
    reader->xmlrpc = mnet_xmlrpc_reader_create(how->charset, how->tmpdir, reader->pool);
    return mnet_xmlrpc_handler.start(reader->xmlrpc, name, attributes);
}

static apr_status_t on_start(void *baton, const char *name, const char *const *attributes)
{
    mnet_message_reader_t *reader = baton;
    const struct step_t *step;

    if (reader->xmlrpc)
        return mnet_xmlrpc_handler.start(reader->xmlrpc, name, attributes);
    if (!reader->depth)
        return start_root(reader, name, attributes);
    if (reader->text != NOTHING)
        return bad_text(reader, MNET_E_XML, reader->text, "an element in it");
    step = reader->ignored ? NULL : find_step(reader, name);
    if (!step && names_a_text(name))
        return bad(reader, MNET_E_XML,
                   apr_pstrcat(reader->pool, mnet_for_log(name, strlen(name), 40, reader->pool),
                               ": not in its place", NULL));
    if (!step) {
        reader->ignored++;
        return APR_SUCCESS;
    }
    reader->path[reader->depth++] = step->to;
    return step->text == NOTHING ? APR_SUCCESS : begin_text(reader, step->text);
}

static apr_status_t on_text(void *baton, const char *data, apr_size_t len)
{
    mnet_message_reader_t *reader = baton;
    apr_status_t rv;

    if (reader->xmlrpc)
        return mnet_xmlrpc_handler.text(reader->xmlrpc, data, len);
    if (reader->text == NOTHING)
        return APR_SUCCESS;
    if (reader->text == WWWROOT || reader->text == TIMESTAMP)
        return take_line(reader, data, len);
    rv = mnet_base64_decode(&reader->decoder, data, len);
    if (rv == MNET_E_BASE64)
        bad_text(reader, rv, reader->text, "no base64");
    else if (rv == MNET_E_LIMIT && !*reader->problem)
        bad_text(reader, rv, reader->text, "too long");
    return rv;
}

static apr_status_t on_end(void *baton, const char *name)
{
    mnet_message_reader_t *reader = baton;

    if (reader->xmlrpc)
        return mnet_xmlrpc_handler.end(reader->xmlrpc, name);
    if (reader->ignored) {
        reader->ignored--;
        return APR_SUCCESS;
    }
    reader->depth--;
    return reader->text == NOTHING ? APR_SUCCESS : end_text(reader);
}

static const mnet_xml_handler_t handler = {on_start, on_text, on_end};

/* --- the reader --- */

mnet_message_reader_t *mnet_message_reader_create(const mnet_reading_t *how, apr_pool_t *pool)
{
    mnet_message_reader_t *reader = apr_pcalloc(pool, sizeof *reader);

    reader->how = apr_pmemdup(pool, how, sizeof *how);
    reader->pool = pool;
    reader->message = apr_pcalloc(pool, sizeof *reader->message);
    reader->problem = "";
    reader->xml = mnet_xml_create(&handler, reader, how->limits, pool);
    return reader;
}

apr_status_t mnet_message_reader_write(void *reader, const char *data, apr_size_t len)
{
    mnet_message_reader_t *self = reader;

    return self->xml ? mnet_xml_write(self->xml, data, len) : APR_ENOMEM;
}

static apr_status_t check_complete(mnet_message_reader_t *reader)
{
    static const text_e needed[][3] = {[MNET_SIGNED] = {SIGNATURE, OBJECT, WWWROOT},
                                       [MNET_ENCRYPTED] = {CIPHER, WRAPPED, WWWROOT}};
    const text_e *texts = needed[reader->message->envelope];
    int i;

    for (i = 0; i < 3; i++) {
        if (!reader->seen[texts[i]])
            return bad_text(reader, MNET_E_XML, texts[i], "missing");
    }
    return APR_SUCCESS;
}

apr_status_t mnet_message_reader_end(mnet_message_reader_t *reader, mnet_message_t **message)
{
    apr_status_t rv;

    *message = NULL;
    if (!reader->xml)
        return APR_ENOMEM;
    rv = mnet_xml_end(reader->xml);
    if (rv != APR_SUCCESS)
        return rv;
    if (reader->xmlrpc)
        rv = mnet_xmlrpc_reader_document(reader->xmlrpc, &reader->message->document);
    else
        rv = check_complete(reader);
    if (rv == APR_SUCCESS)
        *message = reader->message;
    return rv;
}

const char *mnet_message_reader_problem(const mnet_message_reader_t *reader)
{
    const char *problem = reader->problem;

    if (!*problem && reader->xmlrpc)
        problem = mnet_xmlrpc_reader_problem(reader->xmlrpc);
    if (!*problem && reader->xml)
        problem = mnet_xml_problem(reader->xml);
    return problem;
}
