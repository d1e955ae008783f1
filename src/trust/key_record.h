/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_KEY_RECORD_H
#define MNET_TRUST_KEY_RECORD_H

/*
 * One key in the store: group "key", named by the site's wwwroot, a NUL and a number that grows by
 * one with every rotation (64 bits, big-endian), so that the last record is the current key.
 */

#include <apr_pools.h>
#include <apr_time.h>

#include "trust/wwwroot.h"

#define MNET_KEY_GROUP    "key"
#define MNET_KEY_NAME_MAX (MNET_WWWROOT_MAX + 1 + 8)

typedef struct mnet_key_record_t {
    apr_time_t created, not_before, not_after;
    const char *pem;
    const unsigned char *key_der; /* PKCS#8: the secret; cleanse it */
    apr_size_t key_len;
} mnet_key_record_t;

/* The name in buf; returns its length, or that of the prefix of all the site's keys if seq is
 * NULL; 0 if the wwwroot is too long. */
apr_size_t mnet_key_name(unsigned char buf[MNET_KEY_NAME_MAX], const char *wwwroot,
                         const apr_uint64_t *seq);
/* The number in a name that has the prefix; 0 if there is none. */
apr_uint64_t mnet_key_seq(const void *name, apr_size_t len, apr_size_t prefix_len);

/* The bytes hold the secret: cleanse them. */
void *mnet_key_pack(const mnet_key_record_t *record, apr_size_t *len, apr_pool_t *pool);
/* secret: 0: without the key itself, which then is never copied. */
apr_status_t mnet_key_unpack(const void *data, apr_size_t len, int secret,
                             mnet_key_record_t *record, apr_pool_t *pool);

#endif
