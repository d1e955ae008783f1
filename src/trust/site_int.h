/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_SITE_INT_H
#define MNET_TRUST_SITE_INT_H

/* Within the room: the part of a site's record that services which may be off have written. */

#include "state/record.h"
#include "trust/site.h"

void mnet_site_options_pack(mnet_pack_t *pack, const mnet_site_t *site);
void mnet_site_options_unpack(mnet_unpack_t *unpack, mnet_site_t *site);

#endif
