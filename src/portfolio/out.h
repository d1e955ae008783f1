/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PORTFOLIO_OUT_H
#define MNET_PORTFOLIO_OUT_H

/*
 * Packages that leave (MNET protocol reference, 5.5, 7): what Moodle does when a user presses "save
 * to portfolio".  In this order:
 *
 *   intent    the peer is asked whether it takes something for a user, and gives a token
 *   package   the files, in a zip below MnetPortfolioDir/outgoing/.sending
 *   record    on disk, with an item of the queue (kind "ready"): from here on it is accepted
 *   ready     the peer is told, now or by the queue, as often as it takes
 *   fetch     the peer takes the package, by fetch_file (out_fetch.c) or by a GET (out_give.c)
 *
 * Delivered once.  A package is given out again until it once went out whole; then fetch_file
 * answers 8009, unless the call of ours that told the peer never got an answer: then nobody knows
 * whether the peer kept what it took, and it is told once more, and may fetch once more.  A peer
 * that only queued it never says that it kept it: should it have died with it, it may ask again
 * within an hour, but not at once.
 *
 * Records:
 *
 *   group      key                              value
 *   out        site, id                         the transfer, out_record.c
 *   out-files  site, id                         what is in the package, for the peer's manifest
 *   out-token  site, SHA-256(peer, token)       the id, while the token may be asked for
 *              site, SHA-256("*", token)        likewise, to tell a peer that has another's
 *              site, SHA-256("#", secret)       likewise, of a location
 *   out-log    site, SHA-256(peer, user), content   when it was sent, and as which id; for a year:
 *                                               out_log.c
 */

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "portfolio/queue.h"
#include "rpc/client.h"
#include "rpc/engine.h"

#define MNET_OUT_FOLDER  "outgoing" /* below MnetPortfolioDir: files of local applications */
#define MNET_OUT_SENDING ".sending" /* below that: packages of ours, on their way */

#define MNET_OUT_READY   "ready"   /* kinds of the queue: the peer is to be told */
#define MNET_OUT_OFFERED "offered" /* ... was told, and may fetch until then */

typedef enum {
    MNET_OUT_STATE_QUEUED = 1, /* the peer is to be told */
    MNET_OUT_STATE_OFFERED,    /* it was told, and will fetch when it likes */
    MNET_OUT_STATE_DELIVERED,
    MNET_OUT_STATE_DROPPED, /* by an administrator */
    MNET_OUT_STATE_EXPIRED
} mnet_out_state_e;

/* "queued", "offered", "delivered", "dropped", "expired" */
const char *mnet_out_state_name(int state);

typedef struct mnet_out_t {
    const char *id; /* its name in the queue as well: MNET_QUEUE_ID digits */
    const char *peer, *user, *title;
    const char *format;  /* on the wire: "file" or "leap2a" */
    const char *kind;    /* the Portfolio API's: "image", "video", "text", "plainhtml", ... */
    int state;           /* mnet_out_state_e */
    int wait;            /* the user waits: the peer should fetch at once */
    int direct;          /* by a location, as the first design had it */
    int count;           /* files in the package */
    apr_off_t size;      /* bytes of the package */
    apr_off_t total;     /* of the files in it */
    const char *sha1;    /* of the package, hexadecimal */
    const char *sha256;  /* of it, base64 */
    const char *content; /* SHA-1 of what is in it, however it was packed */
    const char *token;   /* the peer's, or the id of its intent; NULL: none yet */
    const char *secret;  /* of the location */
    apr_time_t created, expires;
    apr_time_t offered; /* the peer was last told; 0: not yet */
    apr_time_t begun;   /* a fetch began that is not known to have broken; 0: none */
    apr_time_t fetched; /* the package last went out whole; 0: not yet */
    apr_time_t done;    /* when it came into its last state */
    const char *query;  /* where the user may continue: as the peer answered; or NULL */
} mnet_out_t;

/* APR_NOTFOUND: there is none.  In a transaction of its own. */
apr_status_t mnet_out_look(const mnet_host_t *host, const char *id, mnet_out_t **out,
                           apr_pool_t *pool);
/* Those of the site, newest first, at most max: mnet_out_t *.  peer, user: NULL: any. */
apr_status_t mnet_out_list(const mnet_host_t *host, const char *peer, const char *user, int max,
                           apr_array_header_t **list, apr_pool_t *pool);

/* --- sending --- */

typedef struct mnet_out_sending_t {
    mnet_host_t *host;
    const char *peer, *user;
    const apr_array_header_t *paths; /* const char *: files and folders */
    const char *format; /* "leap2a", "file", a format of the Portfolio API, a MIME type; NULL: by
                           the content */
    int package;        /* the one path is the package already, a zip */
    int wait;
    int direct; /* by a location; else by fetch_file unless the peer has but the other */
    int again;  /* although it was sent before */
    /* Only below MnetPortfolioDir/outgoing, by paths relative to it: for local applications. */
    int confined;
    apr_time_t now;
    /* out */
    mnet_out_t *out;       /* accepted: it is on disk */
    mnet_out_t *earlier;   /* MNET_E_EXISTS: the same content, sent there before */
    mnet_reply_t *reply;   /* of the intent, if it failed; else NULL */
    const char *kind;      /* not accepted: "peer", "policy", "state", "usage", "transport", ... */
    const char *why;       /* one sentence with the mend */
    const char *postponed; /* accepted without the intent: why the peer could not be asked */
    /* its own */
    apr_pool_t *files_pool;
    const struct mnet_out_file_t *package_file;
} mnet_out_sending_t;

/*
 * Everything up to "accepted", which is on disk when this answers APR_SUCCESS.  Calls the peer.
 * The queue tells it that the package is ready, within a second or two where httpd runs.
 * MNET_E_EXISTS: sent before and not again; MNET_E_FAULT, MNET_E_REFUSED, MNET_E_INVALID, ...: why
 * says what.  Nothing is left on disk then.
 */
apr_status_t mnet_out_send(mnet_out_sending_t *sending, apr_pool_t *pool);

/* The page of ours that takes a user to the peer and straight back, so that their account there
 * exists; and the one that takes them to what arrived (of one that is not delivered: NULL). */
const char *mnet_out_jump_url(const mnet_host_t *host, const char *peer, apr_pool_t *pool);
const char *mnet_out_continue_url(const mnet_host_t *host, const mnet_out_t *out, apr_pool_t *pool);

/* For JSON. */
mnet_value_t *mnet_out_value(const mnet_host_t *host, const mnet_out_t *out, apr_pool_t *pool);

/* --- giving out --- */

/* portfolio/mahara/lib.php/fetch_file.  wwwroot: our site; NULL: every one. */
apr_status_t mnet_out_register(mnet_registry_t *registry, const char *wwwroot);

/* A package asked for by its location. */
typedef struct mnet_out_give_t {
    mnet_host_t *host;
    const char *id, *secret; /* as they came; NULL: absent */
    apr_time_t now;
    /* out */
    mnet_out_t *out;
    const char *path; /* of the package */
} mnet_out_give_t;

/* APR_NOTFOUND, whatever is wrong with the question; the file may yet be missing. */
apr_status_t mnet_out_give(mnet_out_give_t *give, apr_pool_t *pool);
/* A first byte is about to go out; and its last one went. */
apr_status_t mnet_out_giving(mnet_host_t *host, const char *id, apr_time_t now, apr_pool_t *pool);
apr_status_t mnet_out_given(mnet_host_t *host, const char *id, apr_time_t now, apr_pool_t *pool);

/* --- upkeep --- */

/* Removes the files of what is over, and records that are past.  Once a minute is enough. */
apr_status_t mnet_out_tend(mnet_host_t *host, apr_time_t now, apr_pool_t *pool);

extern const mnet_queue_kind_t mnet_out_ready_kind, mnet_out_offered_kind;

#endif
