/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_PEER_TITLE_H
#define MNET_SERVICE_PEER_TITLE_H

/*
 * What a site is called on pages: the organisation in its certificate, which Moodle, Mahara and we
 * make of the site's name; without one the host of its wwwroot, and its path.  A name decides
 * nothing: two peers may have the same.
 */

#include "rpc/engine.h"

#define MNET_PEER_TITLE_MAX 80 /* characters: Moodle's column */

const char *mnet_peer_title(const mnet_peer_t *peer, apr_pool_t *pool);
/* The same of a wwwroot, whether it is a peer (any more) or not. */
const char *mnet_peer_title_of(mnet_host_t *host, const char *wwwroot, apr_pool_t *pool);
/* "" or text without control and invisible characters, cut to that many characters. */
const char *mnet_title_clean(const char *text, apr_pool_t *pool);

#endif
