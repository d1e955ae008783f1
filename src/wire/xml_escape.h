/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_XML_ESCAPE_H
#define MNET_WIRE_XML_ESCAPE_H

/*
 * Text as character data, in the form a peer's XML-RPC library reads correctly (protocol 2.2.3),
 * through a small buffer so that the sink is written to seldom.
 */

#include "base/sink.h"
#include "wire/xmlrpc.h"

typedef struct mnet_xml_writer_t {
    const mnet_sink_t *to;
    mnet_charset_e charset;
    int all_types;   /* xmlrpc_write.c: every type of XML-RPC may be written */
    apr_status_t rv; /* the first failure; nothing is written after it */
    apr_size_t used;
    char held[4]; /* a character that began in the last piece of text */
    int held_len;
    char buffer[4096];
} mnet_xml_writer_t;

void mnet_xml_writer_init(mnet_xml_writer_t *writer, mnet_charset_e charset, const mnet_sink_t *to);

/* Markup, as it is. */
void mnet_xml_put(mnet_xml_writer_t *writer, const char *markup);

/*
 * A piece of text, escaped.  Characters XML 1.0 cannot carry are dropped, bytes that are not UTF-8
 * become U+FFFD.  A mnet_sink_fn; the baton is the writer.
 */
apr_status_t mnet_xml_escape(void *writer, const char *data, apr_size_t len);

/* The end of a text: a character cut short there becomes U+FFFD. */
void mnet_xml_escape_end(mnet_xml_writer_t *writer);

/* Passes on what is in the buffer.  Returns the first failure there was. */
apr_status_t mnet_xml_writer_flush(mnet_xml_writer_t *writer);

#endif
