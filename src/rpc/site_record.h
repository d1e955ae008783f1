/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_SITE_RECORD_H
#define MNET_RPC_SITE_RECORD_H

/*
 * Records of a site of ours.  Their names begin with a short hash of its wwwroot, so that they lie
 * together; it decides nothing: every record begins with its wwwroot in full, and one of another
 * site is as good as none.
 */

#include "rpc/engine.h"
#include "state/record.h"
#include "state/store.h"
#include "wire/crypto.h"

/* --- names --- */

#define MNET_SITE_PREFIX 8
#define MNET_NAME_MAX    (MNET_SITE_PREFIX + 3 * MNET_SHA256)

/* The name of a record: site and digests, put together piece by piece. */
typedef struct mnet_name_t {
    unsigned char bytes[MNET_NAME_MAX];
    apr_size_t len;
} mnet_name_t;

void mnet_name_begin(const mnet_host_t *host, mnet_name_t *name);
void mnet_name_add(mnet_name_t *name, const void *data, apr_size_t len);
void mnet_name_add_time(mnet_name_t *name, apr_time_t when);
/* Adds SHA-256 of a, a NUL, and b; b NULL: of a alone. */
apr_status_t mnet_name_add_digest(const mnet_host_t *host, mnet_name_t *name, const char *a,
                                  const char *b);

/* --- bytes --- */

/* A record that is being made, with all that comes before its own fields. */
mnet_pack_t *mnet_record_create(const mnet_host_t *host, unsigned char version, apr_pool_t *pool);
/* Ends it, and puts it under that name. */
apr_status_t mnet_record_put(mnet_txn_t *txn, const char *group, const mnet_name_t *name,
                             mnet_pack_t *pack);
/* mnet_unpack_begin, up to a record's own fields.  APR_NOTFOUND: it is another site's.  After any
 * error every field reads as 0 or NULL, and mnet_unpack_end fails. */
apr_status_t mnet_record_open(mnet_unpack_t *unpack, const mnet_host_t *host, const void *data,
                              apr_size_t len, unsigned char newest, apr_pool_t *pool);

/* --- all of them --- */

/*
 * Every record of a group that belongs to this site, a batch per read transaction, which is over
 * before done is called (it may write).  see is handed the bytes; scratch is cleared after done.
 */
typedef struct mnet_walk_t {
    const char *group;
    apr_status_t (*see)(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                        apr_pool_t *scratch);
    apr_status_t (*done)(void *baton, apr_pool_t *scratch); /* NULL: nothing to do */
    void *baton;
} mnet_walk_t;
apr_status_t mnet_walk(const mnet_host_t *host, const mnet_walk_t *walk, apr_pool_t *pool);

/*
 * Upkeep: every record of a group that wants a change gets it.  It is asked twice, in a read
 * transaction and in the write transaction of its batch, before which it may have changed.
 */
typedef struct mnet_tending_t {
    const char *group;
    int (*wants)(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                 apr_pool_t *scratch);
    apr_status_t (*change)(void *baton, mnet_txn_t *txn, const mnet_name_t *name, const void *data,
                           apr_size_t len, apr_pool_t *scratch);
    void *baton;
} mnet_tending_t;
apr_status_t mnet_tend(const mnet_host_t *host, const mnet_tending_t *tending, apr_pool_t *pool);

#endif
