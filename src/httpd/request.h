/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_REQUEST_H
#define MNET_HTTPD_REQUEST_H

/* What is known of one request: found out once, kept with it, shared with the requests inside it
 * (subrequests, internal redirects). */

#include "httpd/routes.h"
#include "httpd/sso_config.h"
#include "service/session.h"

typedef struct mnet_here_t {
    const mnet_route_t *route; /* NULL: none of our paths */
    int looked;                /* for a session */
    apr_status_t failed;       /* the store could not be asked */
    const mnet_session_t *session;
    const char *session_id; /* of the cookie */
    int entered;            /* r->user is this session's */
    int entered_inside;     /* a request inside of this one is a session's user's */
    int optional;           /* who has no session is shown something else */
    int said;               /* the headers are out: see private.h */
    int passed;             /* the application is told of it */
    int how;                /* by MNET_PASS_x, as it is where the user was let in */
    int checking;           /* authorization is under way */
    struct {
        const char *header;            /* Cookie, as it was looked at; NULL: it was not */
        const apr_array_header_t *ids; /* const char *; NULL: none */
        int others;                    /* that are no ids */
    } cookie;
} mnet_here_t;

/* That of a request; made if there is none yet. */
mnet_here_t *mnet_here(request_rec *r);
/* The same, or NULL. */
mnet_here_t *mnet_here_if(const request_rec *r);

/*
 * The session of the request's cookie, or NULL: looks once.  The server's Engine must be On and its
 * host made.  here->failed says whether there would be one, had the store answered.
 */
const mnet_session_t *mnet_here_session(request_rec *r);

/* Before it, so that it has not to wait for the memory: as soon as there is a request, whether a
 * session will be looked for or not; and a little later, if one will be.  See session.h. */
void mnet_here_expect(request_rec *r);
void mnet_here_fetch(request_rec *r);

/* The id under which the log has this request: mod_unique_id's, else the one of %L. */
const char *mnet_request_id(request_rec *r);

/*
 * The query, decoded as PHP does: of two with one name the first counts, "+" is a space, a "%" that
 * begins no escape is itself.  NULL if it is longer than any of ours can be or has a NUL in it.
 */
apr_table_t *mnet_request_query(request_rec *r);

/* Where this request was going, as a path below the wwwroot with its query: for wantsurl.  NULL: it
 * is not below it. */
const char *mnet_request_path(request_rec *r);

/* Percent-encoded for a query: all but letters, digits and "-._~/". */
const char *mnet_query_escape(const char *text, apr_pool_t *pool);

/* The handler that SetHandler names for this request, before any handler is chosen; or NULL. */
const char *mnet_request_set_handler(request_rec *r, const ap_conf_vector_t *per_dir_config);

/* What <Location> sections say of another path of this server, for this client. */
ap_conf_vector_t *mnet_request_location(request_rec *r, const char *path);

/* The media types that a client accepts: is this one named there, with any weight but 0? */
int mnet_request_accepts(const request_rec *r, const char *type);

/* Did a page of this site, or the user's own hand, send the browser here?  1; 0: another site did;
 * -1: the browser does not say. */
int mnet_request_same_site(request_rec *r, const char *wwwroot);

#endif
