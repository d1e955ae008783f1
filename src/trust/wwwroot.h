/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_WWWROOT_H
#define MNET_TRUST_WWWROOT_H

/* Inside this room: what can be made of a wwwroot.  What others need is in trust/site.h. */

#include <apr_pools.h>

#define MNET_WWWROOT_MAX 255 /* bytes: Moodle's column */
#define MNET_CN_MAX      64  /* bytes of a wwwroot that go into a CN */

/* The same with the other scheme. */
const char *mnet_wwwroot_twin(const char *wwwroot, apr_pool_t *pool);
/* The CN of its certificate (protocol 4.1). */
const char *mnet_wwwroot_cn(const char *wwwroot, apr_pool_t *pool);

#endif
