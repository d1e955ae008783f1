/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_TRANSPORT_H
#define MNET_RPC_TRANSPORT_H

/*
 * HTTP to peers: libcurl, with connections kept per process.  A table, so that a test can stand
 * in for the network.  Every request says MNET_AGENT, and Accept-Charset: UTF-8, from which a
 * phpxmlrpc peer knows that it may answer in UTF-8 (protocol 2.2.1).
 */

#include <apr_pools.h>
#include <apr_time.h>

#include "base/log.h"
#include "base/sink.h"
#include "trust/peers.h"
#include "wire/spool.h"

#ifndef MNET_VERSION
#define MNET_VERSION "1.0"
#endif
#define MNET_AGENT "mod_mnet/" MNET_VERSION

typedef struct mnet_http_t {
    const char *url;      /* of the peer by its wwwroot */
    const char *endpoint; /* NULL, or where to connect instead (MnetPeerEndpoint);
                             Host, SNI and the TLS name stay the url's */
    mnet_tls_e tls;
    const char *cafile;
    apr_interval_time_t timeout; /* to connect, and without progress */
    mnet_spool_t *body;          /* POST; NULL: GET */
    const char *content_type;
    const mnet_sink_t *response; /* takes the body */
    apr_off_t max_response;
    /* the answer */
    long status;  /* 0: none */
    int verified; /* the channel was TLS and the certificate was verified */
    int timed_out;
    const char *content_type_in;
    const char *problem; /* one sentence, with the mend where there is one */
} mnet_http_t;

typedef struct mnet_transport_ops_t {
    apr_status_t (*create)(void **self, const mnet_log_t *log, apr_pool_t *pool);
    /* APR_SUCCESS if there was an answer, whatever its status; else APR_TIMEUP, MNET_E_LIMIT, an
     * error of the sink, or APR_EGENERAL with http->problem. */
    apr_status_t (*perform)(void *self, mnet_http_t *http, apr_pool_t *pool);
    /* The process ends: what is under way comes back within a second or so as APR_EGENERAL, and so
     * does whatever follows.  NULL: there is nothing to stop. */
    void (*stop)(void *self);
} mnet_transport_ops_t;

extern const mnet_transport_ops_t mnet_transport_curl;

typedef struct mnet_transport_t {
    const mnet_transport_ops_t *ops;
    void *self;
} mnet_transport_t;

#endif
