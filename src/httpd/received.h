/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_RECEIVED_H
#define MNET_HTTPD_RECEIVED_H

/*
 * Whether a client has the whole of an answer, as far as TCP can tell.  That our writes succeeded
 * says little: what was written may lie in a buffer of either side.  So the connection is to end
 * with this answer, and how it ends is looked at: a client that read all of it closes in good
 * order, one that was killed or gave up with something unread resets it.
 */

#include <httpd.h>

/* Before the answer's head is sent. */
void mnet_received_prepare(request_rec *r);
/* After its last byte was passed on.  1: it has it; 0: it has not, or nobody knows.  Waits for the
 * client's end of the connection, some seconds at most.  The connection is of no use after. */
int mnet_received(request_rec *r);

#endif
