/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_XML_H
#define MNET_WIRE_XML_H

/*
 * Reading XML from strangers: libxml2's push parser (SAX1, names as written, no namespaces), with
 * a guard in front that bounds what the parser would have to hold before it tells anybody: the
 * length of one tag, comment, instruction or CDATA section, the number of elements and the depth.
 * No document type declaration, no entity but the five of XML, no file and no network, no encoding
 * but UTF-8, ISO-8859-1 and US-ASCII (the guard reads bytes).  Leading white space and a UTF-8 mark
 * are skipped (protocol, appendix E).
 */

#include <apr_pools.h>

#include "base/sink.h"

typedef struct mnet_xml_t mnet_xml_t;

/*
 * Whom the reader tells.  Any answer but APR_SUCCESS stops it and comes back from mnet_xml_write.
 * Texts are UTF-8, valid during the call; text() comes in pieces of any size, never more than
 * about 64 KiB.  attributes: name, value, ..., NULL; or NULL.
 */
typedef struct mnet_xml_handler_t {
    apr_status_t (*start)(void *baton, const char *name, const char *const *attributes);
    apr_status_t (*text)(void *baton, const char *data, apr_size_t len);
    apr_status_t (*end)(void *baton, const char *name);
} mnet_xml_handler_t;

typedef struct mnet_xml_limits_t {
    int depth;    /* of elements; the root is 1 */
    int elements; /* in the whole document */
    int tag;      /* bytes of one tag, comment, instruction or CDATA section */
} mnet_xml_limits_t;

/* Before trust: an envelope, or a bare keyswap. */
extern const mnet_xml_limits_t mnet_xml_limits_stranger; /* 32, 256, 4 KiB */
/* After trust: a document by a known peer. */
extern const mnet_xml_limits_t mnet_xml_limits_peer; /* 64, 1,000,000, 16 KiB */

/* The parser is freed with the pool.  NULL if libxml2 has no memory. */
mnet_xml_t *mnet_xml_create(const mnet_xml_handler_t *handler, void *baton,
                            const mnet_xml_limits_t *limits, apr_pool_t *pool);

/*
 * A mnet_sink_fn; the baton is the mnet_xml_t.  MNET_E_XML, MNET_E_DOCTYPE, MNET_E_LIMIT, or what
 * the handler answered; after an error every further call answers the same.
 */
apr_status_t mnet_xml_write(void *xml, const char *data, apr_size_t len);

/* The end of the document.  MNET_E_XML if it is not complete (or empty). */
apr_status_t mnet_xml_end(mnet_xml_t *xml);

/* What was wrong and in which line, for the log; "" if nothing was. */
const char *mnet_xml_problem(const mnet_xml_t *xml);

#endif
