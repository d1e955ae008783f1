/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_PIECES_H
#define MNET_HTTPD_PIECES_H

/*
 * HTTP/2: mod_http2 takes a file whole, at once, however slow the client is, so that the answer
 * seems to be gone when it has hardly begun.  Read into memory piece by piece, it takes no more
 * than its buffers hold, and the one who sends learns of a client that goes away.
 */

#include <httpd.h>

/* The filter; once, with the hooks. */
void mnet_pieces_register(void);

/* For an answer that is a file; does nothing but over HTTP/2. */
void mnet_pieces_add(request_rec *r);

#endif
