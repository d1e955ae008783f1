/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_TRANSPORT_H
#define MNET_RPC_TRANSPORT_H

/*
 * HTTP to peers and to local applications: libcurl, with connections kept per process.  A table, so
 * that a test can stand in for the network.  Every request says MNET_AGENT, and Accept-Charset:
 * UTF-8, from which a phpxmlrpc peer knows that it may answer in UTF-8 (protocol 2.2.1).  No
 * redirect is followed, no proxy of the environment used, nothing of ~/.netrc sent.
 */

#include <apr_pools.h>
#include <apr_time.h>

#include "base/log.h"
#include "base/sink.h"
#include "trust/peers.h"
#include "wire/spool.h"

struct sockaddr;

#ifndef MNET_VERSION
#define MNET_VERSION "1.0"
#endif
#define MNET_AGENT "mod_mnet/" MNET_VERSION

/* Told now and then how much of an answer came, of how much (0: not known).  Not 0: leave off. */
typedef int mnet_progress_fn(void *baton, apr_off_t done, apr_off_t total);

typedef struct mnet_http_t {
    const char *url;         /* of the peer by its wwwroot */
    const char *endpoint;    /* NULL, or where to connect instead (MnetPeerEndpoint);
                                Host, SNI and the TLS name stay the url's */
    const char *unix_socket; /* NULL, or the path of the UNIX socket to connect to */
    int is_local;            /* an application of this site's (MnetBackend), not a peer: how problem
                                calls things */
    mnet_tls_e tls;
    const char *cafile;
    apr_interval_time_t timeout; /* to connect, and without progress */
    apr_interval_time_t connect; /* to connect, if it is less; 0: timeout */
    apr_interval_time_t think;   /* more than timeout until the answer begins; 0: none */
    apr_interval_time_t total;   /* of the whole; 0: some timeouts, and more for a long answer */
    mnet_spool_t *body;          /* POST; NULL: GET */
    const char *content_type;
    const apr_array_header_t *headers; /* more lines "Name: value", const char *; may be NULL */
    int once; /* a kept connection that dies before it answers is the end: what was sent is not sent
                 again */
    const mnet_sink_t *response; /* takes the body */
    apr_off_t max_response;
    mnet_progress_fn *progress; /* or NULL */
    void *progress_baton;
    /* May that address be connected to?  NULL: any.  If there is one, no kept connection is used.
     */
    int (*may_connect)(void *baton, const struct sockaddr *address);
    void *may_connect_baton;
    /* Told each line of the answer's head, the first being the status line, before the body. */
    void (*head_line)(void *baton, const char *line, apr_size_t len);
    void *head_line_baton;
    /* the answer */
    long status;  /* 0: none */
    int sent;     /* something of the request went out: 0: nobody can have acted on it */
    int verified; /* the channel was TLS and the certificate was verified */
    int timed_out;
    const char *content_type_in;
    const char *redirect; /* where it would have sent us, without the query, fit for a log */
    const char *problem;  /* one sentence, with the mend where there is one */
} mnet_http_t;

typedef struct mnet_transport_ops_t {
    apr_status_t (*create)(void **self, const mnet_log_t *log, apr_pool_t *pool);
    /* APR_SUCCESS if there was an answer, whatever its status; else APR_TIMEUP, MNET_E_LIMIT, an
     * error of the sink, APR_EINTR if progress said so, MNET_E_REFUSED if may_connect did, or
     * APR_EGENERAL with http->problem. */
    apr_status_t (*perform)(void *self, mnet_http_t *http, apr_pool_t *pool);
    /* The process ends: what is under way comes back within a second or so as APR_EGENERAL, and so
     * does whatever follows.  Fit for a signal's handler.  NULL: there is nothing to stop. */
    void (*stop)(void *self);
} mnet_transport_ops_t;

extern const mnet_transport_ops_t mnet_transport_curl;

typedef struct mnet_transport_t {
    const mnet_transport_ops_t *ops;
    void *self;
} mnet_transport_t;

#endif
