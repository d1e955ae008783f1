/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_XML_GUARD_H
#define MNET_WIRE_XML_GUARD_H

/*
 * What stands before the XML parser.  The guard sees each byte before libxml2 does and refuses
 * what would make it hold much, compute long or look elsewhere: document type declarations, tags,
 * comments, instructions, CDATA sections and references without an end, heaps of attributes, NUL
 * bytes, encodings in which a '<' is not the byte 0x3C.  It is no parser: what it lets through may
 * still be malformed, but then libxml2 says so.
 */

#include <apr_errno.h>

#include "wire/xml.h"

/* Bytes of the XML declaration, "<?xml" to "?>", that are looked at. */
#define MNET_XML_DECLARATION 512

typedef enum { MNET_XML_UTF8, MNET_XML_LATIN1, MNET_XML_ASCII } mnet_xml_encoding_e;

/*
 * An XML declaration (XML 1.0, production 23) of len bytes with its "<?xml" and "?>".  Returns
 * NULL and its encoding (UTF-8 if it has none), or what is wrong with it.
 */
const char *mnet_xml_declaration(const char *text, apr_size_t len, mnet_xml_encoding_e *encoding);

typedef struct mnet_xml_guard_t {
    int state;
    int limit;      /* bytes of one construct */
    int count;      /* bytes of the construct at hand so far */
    int attributes; /* quoted values of the tag at hand */
    int matched;    /* of "--", "[CDATA[", "-->", "?>" or "]]>" */
    int ascii;      /* no byte above 0x7F */
    const char *problem;
} mnet_xml_guard_t;

void mnet_xml_guard_init(mnet_xml_guard_t *guard, int tag_limit);

/*
 * Looks at the next bytes of the document, declaration and leading white space excluded.
 * MNET_E_XML, MNET_E_DOCTYPE or MNET_E_LIMIT, then *safe is how many bytes before the offence the
 * parser may see, and problem says what it is.
 */
apr_status_t mnet_xml_guard_check(mnet_xml_guard_t *guard, const char *data, apr_size_t len,
                                  apr_size_t *safe);

/*
 * How many bytes at the start of data are plain: ASCII that is neither a control character (but for
 * the tab and the newline) nor '<', '>', '&' or ']'.
 */
apr_size_t mnet_xml_plain(const char *data, apr_size_t len);

/* Is it between constructs? A document cannot end elsewhere. */
int mnet_xml_guard_at_rest(const mnet_xml_guard_t *guard);

#endif
