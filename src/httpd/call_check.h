/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_CALL_CHECK_H
#define MNET_HTTPD_CALL_CHECK_H

#include <httpd.h>

/* At start: a section with SetHandler mnet-call that anybody may reach is warned about. */
void mnet_call_warn(server_rec *main_server, apr_pool_t *pool);

#endif
