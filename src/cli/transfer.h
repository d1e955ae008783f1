/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_CLI_TRANSFER_H
#define MNET_CLI_TRANSFER_H

/*
 * The document of export and import:
 *   {"format": "mnetctl export", "version": 1, "made": DATE, "sites": [
 *     {"wwwroot": URL, "peers": [{"wwwroot": URL, "application": NAME, "endpoint": URL,
 *        "tls": "verify|insecure|CAFILE", "charset": "auto|utf8|bytes", "publish": [NAME],
 *        "subscribe": ["NAME" or "NAME=PATTERN,PATTERN"], "access": [{"allow": B, "user": NAME}],
 *        "active": B, "trust": WORD, "certificate": PEM, "previous": PEM, "pending": PEM,
 *        "pending_why": TEXT, "methods": TEXT}],
 *      "keys": [{"certificate": PEM, "private_key": PEM}]}]}
 * null is "not said".  The first key is the current one.
 */

#include "cli/cli.h"

#define TRANSFER_FORMAT  "mnetctl export"
#define TRANSFER_VERSION 1

int cli_import(cli_t *cli);
/* import_keys.c: the keys of a site of the file, checked and, with write, put in force; *count: how
 * many were not ours already. */
int cli_import_keys(cli_t *cli, mnet_host_t *host, const mnet_value_t *keys, int write, int *count);

#endif
