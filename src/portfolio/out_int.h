/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_OUT_INT_H
#define MNET_PORTFOLIO_OUT_INT_H

/*
 * Sending from inside:
 *
 *   out_record.c   the records
 *   out_send.c     from a user's wish to "accepted"
 *   out_collect.c  which files, and what is in them
 *   out_zip.c      a zip that is the package already
 *   out_plan.c     what becomes of them in a package
 *   out_kind.c     formats by the kind of a file
 *   out_pack.c     the zip
 *   out_folder.c   where packages lie, whose they are, and who is at them
 *   out_state.c    how far a transfer is
 *   out_call.c     the calls to the peer: intent and ready
 *   out_ready.c    the queue's work, and what the peer's answer means
 *   out_fetch.c    fetch_file
 *   out_give.c     the GET
 *   out_tend.c     upkeep
 *   out_value.c    a transfer as others see it
 */

#include "portfolio/out.h"
#include "state/store_dir.h"

/* One file of a package. */
typedef struct mnet_out_file_t {
    const char *path;  /* as the user named it, or its folder; NULL in what comes from the store */
    const char *below; /* within that folder; NULL: path is the file */
    apr_time_t changed;
    const char *inside; /* its name in the zip */
    const char *name;   /* its name for the peer */
    const char *sha1;   /* hexadecimal */
    apr_off_t size;
    int squeezed; /* of a kind that does not get smaller */
} mnet_out_file_t;

/* --- records: within a transaction of the caller's --- */

apr_status_t mnet_out_get(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                          mnet_out_t **out, apr_pool_t *pool);
apr_status_t mnet_out_put(const mnet_host_t *host, mnet_txn_t *txn, const mnet_out_t *out,
                          apr_pool_t *pool);
/* The bytes of a record.  NULL: damaged, or of another site. */
mnet_out_t *mnet_out_read(const mnet_host_t *host, const void *data, apr_size_t len,
                          apr_pool_t *pool);
/* mnet_out_file_t */
apr_status_t mnet_out_files_put(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                const apr_array_header_t *files, apr_pool_t *pool);
apr_status_t mnet_out_files_get(const mnet_host_t *host, mnet_txn_t *txn, const char *id,
                                apr_array_header_t **files, apr_pool_t *pool);
/* The transfer of a token.  whose: the peer's wwwroot, "*" or "#".  APR_NOTFOUND. */
apr_status_t mnet_out_find(const mnet_host_t *host, mnet_txn_t *txn, const char *whose,
                           const char *token, mnet_out_t **out, apr_pool_t *pool);
/* Another token of the peer's; the one before is forgotten. */
apr_status_t mnet_out_set_token(const mnet_host_t *host, mnet_txn_t *txn, mnet_out_t *out,
                                const char *token, apr_pool_t *pool);
/* Everything but its line in the log. */
apr_status_t mnet_out_del(const mnet_host_t *host, mnet_txn_t *txn, const mnet_out_t *out);
/* The last time this content went there and has arrived or may yet.  APR_NOTFOUND. */
apr_status_t mnet_out_earlier(const mnet_host_t *host, const char *peer, const char *user,
                              const char *content, mnet_out_t **earlier, apr_pool_t *pool);
apr_status_t mnet_out_log(const mnet_host_t *host, mnet_txn_t *txn, const mnet_out_t *out,
                          apr_pool_t *pool);
/* Forgets what was sent a year ago.  Reads the whole log. */
apr_status_t mnet_out_log_prune(const mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

/* --- files --- */

/* Where packages lie; made if missing.  dir: its owner, for mnet_store_dir_borrow. */
apr_status_t mnet_out_folder(const mnet_host_t *host, mnet_store_dir_t *dir, const char **why,
                             apr_pool_t *pool);
const char *mnet_out_path(const mnet_host_t *host, const char *id, const char *ending,
                          apr_pool_t *pool);
/* Removes what lies there of a transfer. */
void mnet_out_remove_files(const mnet_host_t *host, const char *id, apr_pool_t *pool);
/* A lock that dies with its process: a file of the transfer's.  MNET_E_BUSY: somebody has it. */
apr_status_t mnet_out_lock(const mnet_host_t *host, const char *id, const char *ending, int *fd,
                           apr_pool_t *pool);
void mnet_out_unlock(int fd);
/* Is our own call of ready under way, in whichever process? */
int mnet_out_telling(const mnet_host_t *host, const mnet_out_t *out, apr_pool_t *pool);
/* A package is fetched by one at a time: the lock is its file's own.  0: somebody has it, even
 * after a while. */
int mnet_out_lock_package(int fd);
/* Waits, a little, for a fetch that is just ending: then the record says whether it had it all. */
void mnet_out_fetch_settle(const mnet_host_t *host, const mnet_out_t *out, apr_pool_t *pool);

/* sending->paths as files with their digests: mnet_out_file_t.  Else kind and why are set. */
apr_status_t mnet_out_collect(mnet_out_sending_t *sending, apr_array_header_t **files,
                              apr_pool_t *pool);
/* If the one file is a zip with a LEAP2A portfolio in it, or sending->package says so: its files as
 * files, and sending->package_file. */
apr_status_t mnet_out_look_inside(mnet_out_sending_t *sending, apr_array_header_t **files,
                                  apr_pool_t *pool);
/* Opens it for reading: a plain file, without following a link within a folder. */
apr_status_t mnet_out_open(const mnet_out_sending_t *sending, const mnet_out_file_t *file, int *fd);
/* The format of the Portfolio API for a file's name or a MIME type; NULL: none is known. */
const char *mnet_out_kind_of(const char *name);
/* Is it the name of such a format? */
int mnet_out_kind_ok(const char *kind);
/* The kinds of file that compression makes no smaller. */
int mnet_out_is_squeezed(const char *name);
/*
 * What becomes of them: format and kind, names that fit the format, one of each content, title,
 * total, count and the digest of it all go into out.
 */
apr_status_t mnet_out_plan(mnet_out_sending_t *sending, apr_array_header_t *files, mnet_out_t *out,
                           apr_pool_t *pool);
/* The package of out->id: writes and syncs it, and fills in size, sha1, sha256. */
apr_status_t mnet_out_pack(mnet_out_sending_t *sending, const apr_array_header_t *files,
                           mnet_out_t *out, apr_pool_t *pool);
/* Sets kind and why; returns rv. */
apr_status_t mnet_out_refuse(mnet_out_sending_t *sending, apr_status_t rv, const char *kind,
                             apr_pool_t *pool, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* --- calls --- */

typedef enum {
    MNET_OUT_SAID_IMMEDIATE, /* the user may wait */
    MNET_OUT_SAID_QUEUE,
    MNET_OUT_SAID_NONE,
    MNET_OUT_SAID_NOTHING /* the call failed: see reply */
} mnet_out_said_e;

mnet_out_said_e mnet_out_intent(mnet_host_t *host, const char *peer, const char *user, int direct,
                                int even_if_down, const char **token, mnet_reply_t **reply,
                                apr_pool_t *pool);
void mnet_out_call_ready(mnet_host_t *host, const mnet_out_t *out, const apr_array_header_t *files,
                         int even_if_down, mnet_reply_t **reply, apr_pool_t *pool);
/* Does the peer offer but the first design's way?  Asks it. */
int mnet_out_only_direct(mnet_host_t *host, const char *peer, apr_pool_t *pool);
const char *mnet_out_location(const mnet_host_t *host, const mnet_out_t *out, apr_pool_t *pool);

/* --- how far --- */

/* It has it: in a transaction of the caller's, which also takes the item from the queue. */
apr_status_t mnet_out_deliver(const mnet_host_t *host, mnet_txn_t *txn, mnet_out_t *out,
                              apr_time_t now, apr_pool_t *pool);
/* It went out whole: in a transaction of the caller's. */
apr_status_t mnet_out_went(const mnet_host_t *host, mnet_txn_t *txn, mnet_out_t *out,
                           apr_time_t now, apr_pool_t *pool);
/* How much of it went out so far, for mnetctl queue show; at most once a second is enough. */
void mnet_out_note(const mnet_host_t *host, const char *id, apr_off_t done, apr_off_t total,
                   apr_time_t now, apr_pool_t *pool);
/* Was it fetched by a peer that had only queued it, and so never said that it kept it? */
int mnet_out_is_unconfirmed(const mnet_out_t *out);
#define MNET_OUT_UNCONFIRMED apr_time_from_sec(3600) /* for so long it can be had again */

#endif
