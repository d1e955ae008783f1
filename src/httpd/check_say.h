/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_CHECK_SAY_H
#define MNET_HTTPD_CHECK_SAY_H

/* How a mistake in the configuration is told. */

#include "httpd/config.h"

/* One line about one place.  A directive that stands nowhere is blamed on its virtual host. */
void mnet_check_say(server_rec *s, int level, const mnet_where_t *where, const char *id,
                    const char *text);

#endif
