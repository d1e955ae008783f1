/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_FAULT_H
#define MNET_RPC_FAULT_H

/* The faults we answer: Moodle's codes where one exists (protocol 3.1), else ours (7101 to 7105).
 */

typedef enum {
    MNET_FAULT_INVALID = 7000,     /* not XML, a DOCTYPE, an unknown root */
    MNET_FAULT_NO_SIGNATURE = 711, /* encrypted, not signed */
    MNET_FAULT_BAD_SIGNATURE = 710,
    MNET_FAULT_METHOD_NAME = 713,
    MNET_FAULT_PERMISSION = 7012,   /* unknown, or its service is not published to the caller */
    MNET_FAULT_NOT_PUBLISHED = 707, /* a Moodle's, for 7012 */
    MNET_FAULT_NO_SYSTEM_METHOD = 7018,
    MNET_FAULT_UNKNOWN_PEER = 7020,
    MNET_FAULT_PLAINTEXT = 7021,
    MNET_FAULT_NOT_OPENED = 7023,  /* always the same bytes */
    MNET_FAULT_KEY_CHANGED = 7025, /* its text is our certificate */
    MNET_FAULT_CLOCK = 7101,
    MNET_FAULT_REPLAY = 7102,
    MNET_FAULT_WWWROOT = 7103,
    MNET_FAULT_BACKEND = 7104,
    MNET_FAULT_BUSY = 7105,
    /* Never sent to a peer: what SetHandler mnet-call says to an application that speaks XML-RPC.
     */
    MNET_FAULT_CALL_REQUEST = 7110,
    MNET_FAULT_CALL_POLICY = 7111,
    MNET_FAULT_CALL_TRUST = 7112,
    MNET_FAULT_CALL_TRANSPORT = 7113,
    MNET_FAULT_CALL_TIMEOUT = 7114
} mnet_fault_e;

/* The English text that goes with a code; never NULL. */
const char *mnet_fault_text(int code);

#endif
