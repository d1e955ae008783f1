/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_ARRIVAL_H
#define MNET_HTTPD_ARRIVAL_H

/*
 * A browser that keeps no cookies would be sent round between us and its provider for ever.  A
 * landing is noted by address, browser and the path it leads to, until the session is used there.
 * Whoever asks for that path meanwhile without a session is sent to log in once more, with a mark
 * in wantsurl; whoever comes back with the mark and still without a session is shown a page. Nobody
 * else ever sees the mark, and it is taken off again: a browser that was held for another one's (a
 * class behind one address) is led on to where it was going.
 */

#include <httpd.h>

#include "rpc/engine.h"

/* A browser is sent to a path of this site, with a session. */
void mnet_arrival_note(request_rec *r, mnet_host_t *host, const char *location);
/* It came, and has one. */
void mnet_arrival_done(request_rec *r, mnet_host_t *host, const char *path);
/* Did one of its kind not come within the last minute? */
int mnet_arrival_is_due(request_rec *r, mnet_host_t *host, const char *path);

/* Is there the mark? */
int mnet_arrival_is_marked(const char *path);
const char *mnet_arrival_mark(const char *path, apr_pool_t *pool);
const char *mnet_arrival_unmark(const char *path, apr_pool_t *pool);

#endif
