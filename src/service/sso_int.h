/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_SSO_INT_H
#define MNET_SERVICE_SSO_INT_H

/*
 * What the files of sign-on share.  Their records:
 *
 *   group         key                                        value
 *   session       site, SHA-256(id)                          session_record.c
 *   session-user  site, SHA-256(peer, username), SHA-256(id) nothing
 *   account       site, SHA-256(peer, username)              account.c
 *   myhosts       site, SHA-256(peer, username)              myhosts.c
 *   enrolment     site, SHA-256(peer, username)              enrolment.c
 *   jump          site, SHA-256(token)                       jump_record.c
 *   jump-user     site, SHA-256(user), created, SHA-256(token)   nothing
 *   child         site, SHA-256(username), SHA-256(peer, browser)  child.c
 *   child-user    site, SHA-256(user), the child's two digests   nothing
 *                 site, SHA-256("\n", session's key), the same    nothing
 *   farewell      site, SHA-256(peer), SHA-256(kind, username), SHA-256(browser)  farewell.c
 *
 * They are records of a site (rpc/site_record.h).
 */

#include "base/text.h"
#include "rpc/site_record.h"
#include "service/session.h"
#include "service/sso.h"

#define MNET_USERNAME_MAX 100 /* characters: Moodle's column */

/* Attributes as fields of a record: mnet_attribute_t. */
void mnet_attributes_pack(mnet_pack_t *pack, const apr_array_header_t *attributes);
apr_array_header_t *mnet_attributes_unpack(mnet_unpack_t *unpack);

/* A time that far ahead, however far that is. */
apr_time_t mnet_ahead(apr_time_t now, apr_interval_time_t by);

/* Without control and invisible characters, but for line ends where there may be many lines; NULL:
 * over MNET_FIELD_MAX bytes, or not UTF-8.  account.c */
const char *mnet_clean_text(const char *text, int many_lines, apr_pool_t *pool);

/*
 * What is wrong with the name a peer gives a user, as a word for the log, or NULL: not UTF-8, over
 * MNET_USERNAME_MAX characters, a control or invisible character, white space at an end, a slash
 * or back-slash, "." or "..".
 */
const char *mnet_username_problem(const char *username);

/* --- sessions: session_record.c --- */

#define MNET_GROUP_SESSION      "session"
#define MNET_GROUP_SESSION_USER "session-user"

/* The name of a cookie's session.  APR_NOTFOUND: it cannot be an id. */
apr_status_t mnet_session_name(const mnet_host_t *host, const char *id, mnet_name_t *name);
/* The same of its key in hexadecimal. */
apr_status_t mnet_session_name_of_key(const mnet_host_t *host, const char *key, mnet_name_t *name);
/* The session of that name, of this site, whether it still holds or not.  used: as in the store. */
apr_status_t mnet_session_get(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                              mnet_session_t **session, apr_pool_t *pool);
/* The same of its record's bytes. */
apr_status_t mnet_session_decode(const mnet_host_t *host, const mnet_name_t *name, const void *data,
                                 apr_size_t len, mnet_session_t **session, apr_pool_t *pool);
apr_status_t mnet_session_put(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                              const mnet_session_t *session, apr_pool_t *pool);
/* Makes an id and what goes with it, and puts it. */
apr_status_t mnet_session_begin(const mnet_host_t *host, mnet_txn_t *txn, mnet_session_t *session,
                                apr_time_t now, const char **id, apr_pool_t *pool);
apr_status_t mnet_session_del(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                              const mnet_session_t *session);
/* Gets and deletes; APR_NOTFOUND: none.  session may be NULL. */
apr_status_t mnet_session_drop(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                               const mnet_session_t **session, apr_pool_t *pool);
/* mnet_sessions_end_user in a transaction, which says whose they were: const mnet_session_t *,
 * added to ended. */
apr_status_t mnet_sessions_end_in(mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                  const char *username, const char *user_agent,
                                  apr_array_header_t *ended, apr_pool_t *pool);
/* When it was last used, by the store or the shared memory. */
apr_time_t mnet_session_used(const mnet_host_t *host, const mnet_name_t *name,
                             const mnet_session_t *session);
/* Has it neither expired nor been idle for too long? */
int mnet_session_holds(const mnet_host_t *host, const mnet_session_t *session, apr_time_t used,
                       apr_time_t now);
/* Its name in shared memory. */
apr_uint64_t mnet_session_mark(const mnet_name_t *name);

/* --- sessions in use: session_kept.c --- */

#define MNET_KEPT_NAME (MNET_SITE_PREFIX + MNET_SHA256)

/*
 * A session as it was read, for whoever finds it next: shared by threads, it does not change, but
 * for stamp: that of the store as of which record is what the store has, and its user welcome.
 */
typedef struct mnet_kept_session_t {
    _Atomic apr_uint64_t stamp;
    apr_uint64_t mark; /* mnet_session_mark of its name */
    mnet_session_t session;
    const unsigned char *name; /* MNET_KEPT_NAME bytes, of an mnet_name_t */
    const void *record;
    apr_size_t len;
} mnet_kept_session_t;

/* One that most sessions have, as it is: it need not be copied.  NULL: not one of those. */
const char *mnet_usual_variable(const char *name);

/* That of a cookie (MNET_SESSION_ID_LEN bytes), valid until pool is cleared; NULL: it is not kept,
 * which says nothing. */
mnet_kept_session_t *mnet_kept_find(mnet_host_t *host, const char *id, apr_time_t now,
                                    apr_pool_t *pool);
/* Keeps what was read, if there is room. */
void mnet_kept_put(mnet_host_t *host, const char *id, const mnet_kept_session_t *read,
                   apr_time_t now, apr_pool_t *pool);
void mnet_kept_forget(mnet_host_t *host, const char *id);

/* The session in the bytes that see was handed; NULL: not of this site, or damaged. */
mnet_session_t *mnet_session_read(const mnet_host_t *host, const mnet_name_t *name,
                                  const void *data, apr_size_t len, apr_pool_t *pool);

#endif
