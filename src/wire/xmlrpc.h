/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_XMLRPC_H
#define MNET_WIRE_XMLRPC_H

/*
 * XML-RPC documents (protocol 2.2): what ext-xmlrpc, phpxmlrpc and Python's xmlrpc.client write
 * is read, and what is written all of them read.
 */

#include <apr_pools.h>

#include "base/sink.h"
#include "wire/value.h"
#include "wire/xml.h"

/* How a peer's library treats text outside ASCII (protocol 2.2.3). */
typedef enum {
    MNET_CHARSET_UTF8, /* a correct XML parser: UTF-8 */
    MNET_CHARSET_BYTES /* ext-xmlrpc: each byte of the UTF-8 as its own numeric reference */
} mnet_charset_e;

typedef enum { MNET_CALL, MNET_RESPONSE, MNET_FAULT } mnet_document_e;

typedef struct mnet_document_t {
    mnet_document_e kind;
    const char *method;         /* CALL */
    apr_array_header_t *params; /* CALL: mnet_value_t *; RESPONSE: one */
    int fault_code;             /* FAULT */
    const char *fault_text;     /* FAULT: never NULL */
} mnet_document_t;

typedef struct mnet_xmlrpc_reader_t mnet_xmlrpc_reader_t;

/*
 * The handler half of a reader, for the document in which it is embedded: root elements
 * methodCall and methodResponse.  charset says how texts are to be folded.  tmpdir as for a spool.
 * Texts over MNET_SPOOL_MEMORY go to a file.
 */
mnet_xmlrpc_reader_t *mnet_xmlrpc_reader_create(mnet_charset_e charset, const char *tmpdir,
                                                apr_pool_t *pool);
extern const mnet_xml_handler_t mnet_xmlrpc_handler; /* its baton is a mnet_xmlrpc_reader_t */
/* After mnet_xml_end: the document.  MNET_E_XML if it is none of the three. */
apr_status_t mnet_xmlrpc_reader_document(mnet_xmlrpc_reader_t *reader, mnet_document_t **document);
/* What the reader disliked ("non-numeric <int>"), "" if nothing. */
const char *mnet_xmlrpc_reader_problem(const mnet_xmlrpc_reader_t *reader);

/* One text over MNET_SPOOL_MEMORY goes there, as it is written, instead of to a file: its value is
 * an empty string then.  A second one is MNET_E_LIMIT. */
void mnet_xmlrpc_reader_pour(mnet_xmlrpc_reader_t *reader, const mnet_sink_t *text);

/*
 * A whole document as a stream.  text: as for mnet_xmlrpc_reader_pour, or NULL.  Writing always
 * answers APR_SUCCESS: what was wrong is told at the end.  NULL: no memory.
 */
typedef struct mnet_xmlrpc_stream_t mnet_xmlrpc_stream_t;
mnet_xmlrpc_stream_t *mnet_xmlrpc_stream_create(mnet_charset_e charset,
                                                const mnet_xml_limits_t *limits,
                                                const mnet_sink_t *text, const char *tmpdir,
                                                apr_pool_t *pool);
apr_status_t mnet_xmlrpc_stream_write(void *stream, const char *data, apr_size_t len);
/* *why: a sentence for the log, in pool. */
apr_status_t mnet_xmlrpc_stream_end(mnet_xmlrpc_stream_t *stream, mnet_document_t **document,
                                    const char **why);

/* A whole document from a spool.  *why: a sentence for the log, in pool. */
apr_status_t mnet_xmlrpc_read(mnet_spool_t *from, mnet_charset_e charset,
                              const mnet_xml_limits_t *limits, mnet_document_t **document,
                              const char **why, apr_pool_t *pool);

/*
 * Writing.  Only string, int (within 32 bits; larger ones go as strings), boolean, double, array
 * and struct are written; nil as an empty string, DATETIME as a string, BASE64 as a string of the
 * bytes it stands for, or of its base64 text where XML cannot carry them (protocol 2.2.2).
 * Characters XML 1.0 cannot carry are dropped; bytes that are not UTF-8 become U+FFFD.
 */
apr_status_t mnet_xmlrpc_write_call(const char *method, const apr_array_header_t *params,
                                    const mnet_sink_t *to);
apr_status_t mnet_xmlrpc_write_response(const mnet_value_t *value, mnet_charset_e charset,
                                        const mnet_sink_t *to);
/*
 * The same for an application of this site's, which may have every type of XML-RPC: BASE64 as
 * <base64>, DATETIME as <dateTime.iso8601>, nil as <nil/>, text as UTF-8.  Whole numbers beyond 32
 * bits are strings here as well: to many libraries <i8> is nothing.
 */
apr_status_t mnet_xmlrpc_write_call_typed(const char *method, const apr_array_header_t *params,
                                          const mnet_sink_t *to);
apr_status_t mnet_xmlrpc_write_response_typed(const mnet_value_t *value, const mnet_sink_t *to);
/* In the byte layout from which every Moodle client reads the code (protocol 2.5, last part). */
apr_status_t mnet_xmlrpc_write_fault(int code, const char *text, mnet_charset_e charset,
                                     const mnet_sink_t *to);

/*
 * "&#197;&#140;kami" came through as the characters U+00C5 U+008C: if every character of text is
 * at most U+00FF and those bytes are UTF-8 with something beyond ASCII in it, the folded text
 * in pool; else NULL (protocol 2.2.3).
 */
const char *mnet_fold_bytes(const char *text, apr_size_t len, apr_size_t *folded_len,
                            apr_pool_t *pool);
/* The same for a text that went to a file: *folded is another one, or NULL.  text is UTF-8. */
apr_status_t mnet_fold_spool(mnet_spool_t *text, mnet_spool_t **folded, apr_pool_t *pool);

#endif
