/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_BODY_H
#define MNET_HTTPD_BODY_H

/* The body of a request, piece by piece, so that one of any length costs one piece of memory. */

#include <httpd.h>

#include "base/sink.h"

/*
 * OK, or the status to answer: a code of HTTP (413 where the sink says MNET_E_LIMIT), or
 * AP_FILTER_ERROR if a filter answered already.
 */
int mnet_body_read(request_rec *r, const mnet_sink_t *to);

/* Does Content-Length say more than max (0: any)? */
int mnet_body_too_large(const request_rec *r, apr_off_t max);

#endif
