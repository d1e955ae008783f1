/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_SESSION_H
#define MNET_SERVICE_SESSION_H

/*
 * Sessions of users who landed here (MNET protocol reference, 6.5, 6.7): in the store before the
 * browser is told, named there by the SHA-256 of the id in the cookie, so that a reader of the
 * store cannot ride one.  A user may hold several: an index from user to the set of sessions lets a
 * kill find them all.  When one was last used lives in shared memory and is written to the store at
 * most once a minute.
 */

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "rpc/engine.h"

/* Of randomness; twice as many hexadecimal digits in the cookie. */
#define MNET_SESSION_ID_BYTES 32
#define MNET_SESSION_ID_LEN   (2 * MNET_SESSION_ID_BYTES)

#define MNET_ATTRIBUTES_MAX 64 /* of a user, here and in what an application is told */

typedef struct mnet_attribute_t {
    const char *name;  /* "firstname", "email", ... as the provider names it */
    const char *value; /* UTF-8 */
} mnet_attribute_t;

typedef struct mnet_session_t {
    const char *peer;                     /* the provider's wwwroot */
    const char *username;                 /* its name for the user */
    const apr_array_header_t *attributes; /* mnet_attribute_t */
    const char *user_agent;               /* SHA-1 of the browser's User-Agent, hexadecimal */
    apr_time_t created;
    apr_time_t expires; /* MnetSessionLifetime after created */
    apr_time_t used;
    int fresh;       /* made within a minute, and as far as is known not used before */
    const char *key; /* its name in the store, hexadecimal, for mnetctl sessions kill */
    const apr_array_header_t *variables; /* see mnet_session_variables; NULL: not made yet */
    const char *who; /* username@peer, the peer without its scheme; NULL: not made yet */
} mnet_session_t;

/* The value of an attribute (mnet_attribute_t) by its name, or NULL. */
const char *mnet_attribute_find(const apr_array_header_t *attributes, const char *name);

/* What an application is told by variables: MNET_FIRSTNAME, ..., MNET_USERNAME, MNET_PEER, each
 * once: mnet_attribute_t.  session_told.c */
const apr_array_header_t *mnet_session_variables(const mnet_session_t *session, apr_pool_t *pool);
/* username@peer, as REMOTE_USER is unless MnetRemoteUser says otherwise; a control character is an
 * underscore there. */
const char *mnet_session_who(const mnet_session_t *session, apr_pool_t *pool);

/* Makes a session; *id is for the cookie.  created, expires, used are set here. */
apr_status_t mnet_session_create(mnet_host_t *host, mnet_session_t *session, apr_time_t now,
                                 const char **id, apr_pool_t *pool);
/* The session of a cookie.  APR_NOTFOUND: none, expired, idle for too long, of another site, no id
 * at all, or of a provider or user whom this site no longer lets in (peer gone, MnetUserAccess).
 * Notes that it was used.  A few microseconds, however many sessions live; less for one that was
 * found lately, if they are kept. */
apr_status_t mnet_session_find(mnet_host_t *host, const char *id, apr_time_t now,
                               const mnet_session_t **session, apr_pool_t *pool);
/* Keeps sessions in use decoded in this process from now on, until pool goes.  One that was changed
 * or ended by anybody is read anew by the next find: the store's stamp says so.  session_kept.c */
apr_status_t mnet_sessions_keep(mnet_host_t *host, apr_pool_t *pool);
/*
 * For who knows that a find is to come and has other work first: begins to bring what is kept of
 * the session near the processor.  Of a hundred thousand sessions each is as far away as memory is,
 * and to wait for it took longer than all the rest of a find.  Two steps, with work between them,
 * since the second reads what the first one brings; neither says whether there is a session.  id
 * has MNET_SESSION_ID_LEN bytes, whatever they are.
 */
void mnet_session_expect(const mnet_host_t *host, const char *id);
void mnet_session_fetch(const mnet_host_t *host, const char *id);
/* APR_NOTFOUND: there was none.  Of this site alone, both. */
apr_status_t mnet_session_end(mnet_host_t *host, const char *id, apr_pool_t *pool);
apr_status_t mnet_session_end_key(mnet_host_t *host, const char *key, apr_pool_t *pool);

/* Ends those of a user from a peer; user_agent: the hash, NULL: whatever the browser.  *ended: how
 * many.  In a transaction of the caller's (a method that CLAIMS) or, txn NULL, in its own. */
apr_status_t mnet_sessions_end_user(mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                                    const char *username, const char *user_agent, int *ended,
                                    apr_pool_t *pool);
/* Those that hold now: all, or those of a peer or a user: mnet_session_t *, newest first, at most
 * max. */
apr_status_t mnet_sessions_list(mnet_host_t *host, const char *peer, const char *username, int max,
                                apr_time_t now, apr_array_header_t **list, apr_pool_t *pool);
/* The users of a peer who were here since then, each once: const char *. */
apr_status_t mnet_sessions_active(mnet_host_t *host, const char *peer, apr_time_t since,
                                  apr_array_header_t **usernames, apr_pool_t *pool);
/* Removes what is past, in short transactions; writes back when sessions were used. */
apr_status_t mnet_sessions_tend(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

#endif
