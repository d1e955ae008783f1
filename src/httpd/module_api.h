/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_MODULE_API_H
#define MNET_HTTPD_MODULE_API_H

/* The functions of mod_mnet.h, for modules that answer methods. */

/* Of register_hooks: makes mnet_api known to other modules. */
void mnet_module_api_register(void);

#endif
