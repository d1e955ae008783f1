/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_XMLRPC_TEXT_H
#define MNET_WIRE_XMLRPC_TEXT_H

/*
 * The text of an element while an XML-RPC document is read, and what becomes of it.  One is used
 * for all the elements of a document, one after the other.
 */

#include "wire/base64.h"
#include "wire/spool.h"
#include "wire/value.h"
#include "wire/xmlrpc.h"

typedef struct mnet_text_t {
    apr_pool_t *pool;
    const char *tmpdir;
    mnet_charset_e charset;
    char *data;
    apr_size_t len;
    apr_size_t room;
    mnet_spool_t *spool;     /* instead of data, once it is over MNET_SPOOL_MEMORY */
    int beyond;              /* the part in the spool is not all ASCII */
    const mnet_sink_t *pour; /* takes a long text instead of a spool; NULL: none */
    int poured;              /* it has taken one; of the element at hand: pouring */
    int pouring;
    mnet_base64_decoder_t decoder;
    mnet_sink_t self;
} mnet_text_t;

void mnet_text_init(mnet_text_t *text, mnet_charset_e charset, const char *tmpdir,
                    apr_pool_t *pool);

/* Begins anew: empty, and base64 from its start. */
void mnet_text_begin(mnet_text_t *text);

/* A mnet_sink_fn; the baton is the text. */
apr_status_t mnet_text_append(void *text, const char *data, apr_size_t len);

/* White space, as XML has it, or nothing. */
int mnet_is_blank(const char *data, apr_size_t len);
int mnet_text_is_blank(const mnet_text_t *text);

/* Without the white space around it; not NUL-terminated.  Not for a text that went to a file. */
const char *mnet_text_trimmed(const mnet_text_t *text, apr_size_t *len);

/*
 * A copy in the pool, folded if that is how this peer writes.  Not for a text that went to a file.
 */
const char *mnet_text_take(const mnet_text_t *text, apr_size_t *len);

/*
 * The value of a scalar element of this type (MNET_NIL to MNET_DATETIME).  MNET_E_XML,
 * MNET_E_BASE64 or MNET_E_LIMIT, then *problem says why.
 */
apr_status_t mnet_text_value(mnet_text_t *text, mnet_type_e type, mnet_value_t **value,
                             const char **problem);

#endif
