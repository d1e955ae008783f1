/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_BACKEND_H
#define MNET_SERVICE_BACKEND_H

/*
 * Methods that a local application answers (MnetBackend): a call that was opened, verified and
 * authorised goes to it by HTTP as plain XML-RPC or as JSON-RPC 2.0, and what it answers is the
 * answer.  The application never sees an envelope; these headers tell it who calls:
 *
 *   X-Mnet-Peer         the wwwroot of the calling site
 *   X-Mnet-Application  what it is: moodle, mahara, ...
 *   X-Mnet-Method       the method's path
 *   X-Mnet-Proof        that the three come from us, for an application in this very httpd
 *
 * A fault of the application's is the caller's, code and text.  Whatever else it answers than one
 * value or a fault, with status 200 and in time, is fault 7104 and a line in the log; too many
 * calls at once, or a status 503 or 429, 7105.
 *
 *   backend.c          a call: the cap, the URLs one after another, the breaker
 *   backend_wire.c     the request's document and headers, the answer's document
 *   backend_proof.c    that a request to an application in this very httpd is ours
 *   backend_options.c  MnetBackend's arguments
 *   backend_ask.c      what the application tells of its methods, kept for a while
 */

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "rpc/registry.h"
#include "wire/crypto.h"

typedef enum { MNET_BACKEND_XMLRPC, MNET_BACKEND_JSON } mnet_backend_format_e;

typedef struct mnet_backend_url_t {
    const char *url;
    const char *unix_socket; /* NULL: the host of the URL */
    const char *shown;       /* as it was written */
    const char *authority;   /* HOST[:PORT], as Host says it */
    const char *path;        /* with its query, "/" at least */
    int is_plain;            /* http to a host that is not this machine */
} mnet_backend_url_t;

#define MNET_BACKEND_URLS_MAX       8
#define MNET_BACKEND_SOCKET_MAX     107 /* bytes of a UNIX socket's path */
#define MNET_BACKEND_PARAMETERS_MAX 32

typedef struct mnet_backend_options_t {
    const char *pattern;            /* a path or, with a '*', a pattern (apr_fnmatch) */
    const apr_array_header_t *urls; /* mnet_backend_url_t; tried in this order */
    const char *service;
    mnet_backend_format_e format;
    apr_interval_time_t timeout;        /* of the whole answer; 0: MnetTimeout */
    int readonly;                       /* the application changes nothing: may be asked twice */
    const char *help;                   /* NULL: asked of the application */
    const mnet_parameter_t *parameters; /* NULL: asked; up to a NULL name */
    int required;
    mnet_parameter_t returns;
} mnet_backend_options_t;

/*
 * The arguments of MnetBackend: PATTERN URL [URL...] [service=NAME] [format=xmlrpc|json]
 * [timeout=T] [readonly] [signature=TYPE(TYPE NAME, ...)] [help=TEXT].  NULL if they are good, else
 * one sentence with the mend.
 */
const char *mnet_backend_parse(mnet_backend_options_t **options, int argc, char *const argv[],
                               apr_pool_t *pool);
/* The same backend in all respects? */
int mnet_backend_same(const mnet_backend_options_t *a, const mnet_backend_options_t *b);

/* Bytes of a secret of this server's, by which it knows its own requests again. */
#define MNET_BACKEND_SECRET 32

/*
 * Adds it to the methods of a site.  options, secret (NULL: nothing is proven) and pool live as
 * long as the registry; any thread may take children of pool.  MNET_E_EXISTS, MNET_E_INVALID: as
 * mnet_registry_add.
 */
apr_status_t mnet_backend_add(mnet_registry_t *registry, const char *wwwroot,
                              const mnet_backend_options_t *options, const unsigned char *secret,
                              apr_pool_t *pool);

/* What a request to an application tells it: what its proof is of. */
typedef struct mnet_backend_told_t {
    const char *authority, *path; /* where it went: HOST[:PORT], and the path with its query */
    const char *peer, *application, *method;
} mnet_backend_told_t;

/* The value of X-Mnet-Proof; NULL without memory. */
const char *mnet_backend_prove(const mnet_crypto_t *crypto, const unsigned char *secret,
                               const mnet_backend_told_t *told, apr_time_t now, apr_pool_t *pool);
/* Is it one of ours, made within the last minutes?  Any text may be NULL: then not. */
int mnet_backend_proven(const mnet_crypto_t *crypto, const unsigned char *secret, const char *proof,
                        const mnet_backend_told_t *told, apr_time_t now, apr_pool_t *pool);

#endif
