/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_BASE_STATUS_H
#define MNET_BASE_STATUS_H

/*
 * What a function of libmnet can answer besides APR's own codes.  All are apr_status_t in APR's
 * range for applications, so that a caller checks one kind of value and apr_strerror() never
 * mistakes one for an errno.
 */

#include <apr_errno.h>

#define MNET_E_BASE (APR_OS_START_USERERR + 700)

#define MNET_E_XML       (MNET_E_BASE + 1)  /* not well formed, or not the document expected */
#define MNET_E_DOCTYPE   (MNET_E_BASE + 2)  /* a document type declaration: always refused */
#define MNET_E_LIMIT     (MNET_E_BASE + 3)  /* longer, deeper or more than allowed */
#define MNET_E_BASE64    (MNET_E_BASE + 4)  /* not base64 */
#define MNET_E_CRYPTO    (MNET_E_BASE + 5)  /* OpenSSL refused; nothing more is told outside */
#define MNET_E_NOKEY     (MNET_E_BASE + 6)  /* no key of the ring opens the message */
#define MNET_E_SIGNATURE (MNET_E_BASE + 7)  /* the signature is not by this certificate */
#define MNET_E_REPLAY    (MNET_E_BASE + 8)  /* the session key was seen before */
#define MNET_E_VERSION   (MNET_E_BASE + 9)  /* a record of a version this build does not know */
#define MNET_E_FULL      (MNET_E_BASE + 10) /* the store is full (MnetStateSize) */
#define MNET_E_EXISTS    (MNET_E_BASE + 11) /* there already */
#define MNET_E_REFUSED   (MNET_E_BASE + 12) /* policy says no */
#define MNET_E_BUSY      (MNET_E_BASE + 13) /* too much at once; try again */
#define MNET_E_FAULT     (MNET_E_BASE + 14) /* the peer answered with a fault */
#define MNET_E_PEER      (MNET_E_BASE + 15) /* the peer answered something that is no answer */
#define MNET_E_INVALID   (MNET_E_BASE + 16) /* an argument is wrong; the sentence says which */
#define MNET_E_SHARE     (MNET_E_BASE + 17) /* a peer has its share of the store */

/* A short English name of any status, ours or APR's, in buf.  Returns buf. */
const char *mnet_strerror(apr_status_t rv, char *buf, apr_size_t size);

#endif
