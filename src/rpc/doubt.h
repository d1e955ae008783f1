/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_DOUBT_H
#define MNET_RPC_DOUBT_H

/*
 * Peers whose key is in doubt: their answers to us do not open, or are not signed as they were.  A
 * Moodle whose administrator deletes its key, or puts a backup back, has a new one and tells
 * nobody. Whoever notices it only notes it; periodic.h asks for the certificate.  In shared memory.
 */

#include "rpc/engine.h"
#include "rpc/reply.h"

/* Why a certificate waits that was asked for because of a doubt. */
#define MNET_DOUBT_WHY "calls fail, and the one we trust is another"

/* Notes that a message of a peer's was signed by a key that is not known.  A forger can bring that
 * about, and with it one call of the peer an hour. */
void mnet_doubt(mnet_host_t *host, const char *wwwroot, apr_time_t now);
/* Notes what such a reply means; nothing for another. */
void mnet_doubt_by(mnet_host_t *host, const char *wwwroot, const mnet_reply_t *reply,
                   apr_time_t now);

#define MNET_DOUBT_MESSAGE 1 /* by mnet_doubt */
#define MNET_DOUBT_CALL    2 /* by mnet_doubt_by */
/* What was noted within the hour; 0: nothing. */
int mnet_doubted(mnet_host_t *host, const char *wwwroot, apr_time_t now);

#endif
