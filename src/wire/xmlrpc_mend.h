/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_XMLRPC_MEND_H
#define MNET_WIRE_XMLRPC_MEND_H

/*
 * Mends a mistake of PHP's xmlrpc extension (measured with 1.0.0RC3, which Mahara and Moodle up to
 * 4.0 use): of the references by which it writes each byte beyond ASCII, those of 200 to 209 lose
 * their middle digit, "&#26;" for "&#206;".  These bytes begin every Greek and most Cyrillic
 * letters and the combining accents in UTF-8, so that no user with such a name could sign on.  What
 * it writes instead names control characters that XML does not allow (U+0014 to U+001D): no
 * well-formed document has it, and none is changed.
 */

#include "base/sink.h"

#define MNET_MEND_PATTERN 5 /* "&#26;" */

typedef struct mnet_mend_t {
    const mnet_sink_t *to;
    char held[MNET_MEND_PATTERN]; /* the beginning of a reference, at the end of a piece */
    apr_size_t len;
} mnet_mend_t;

/* to must live as long as mend. */
void mnet_mend_init(mnet_mend_t *mend, const mnet_sink_t *to);
/* A mnet_sink_fn; the baton is the mnet_mend_t.  Answers what its sink answers. */
apr_status_t mnet_mend_write(void *mend, const char *data, apr_size_t len);
/* Passes on what is held. */
apr_status_t mnet_mend_end(mnet_mend_t *mend);

#endif
