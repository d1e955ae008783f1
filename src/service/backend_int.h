/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SERVICE_BACKEND_INT_H
#define MNET_SERVICE_BACKEND_INT_H

/* What the files of the backend share. */

#include <apr_hash.h>
#include <apr_thread_mutex.h>

#include "rpc/call.h"
#include "service/backend.h"

/* A backend in a process. */
typedef struct mnet_backend_t {
    const mnet_backend_options_t *options;
    const unsigned char *secret;
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex; /* of what follows */
    apr_hash_t *asked;         /* what was asked of it: question to answer (backend_ask.c) */
} mnet_backend_t;

/* What is asked of an application: by a peer, or by ourselves. */
typedef struct mnet_backend_call_t {
    mnet_backend_t *backend;
    mnet_host_t *host;
    const char *peer;        /* the caller's wwwroot */
    const char *application; /* its application's name */
    const char *method;
    const apr_array_header_t *params;
    const char *id;     /* of the request, for the log */
    apr_int64_t number; /* of the request: JSON-RPC's id */
    int readonly;
    apr_interval_time_t timeout;
    apr_pool_t *pool;
    /* the answer */
    mnet_value_t *result; /* not NULL: it */
    int fault;            /* it is a fault of the application's, code and text */
    int code;
    const char *text;
    const char *problem; /* it is none: one sentence for the log */
    int is_busy;         /* too much at once; else the application failed */
    int is_gate;         /* the cap of our own said so */
    int is_left;         /* the URL was left alone, as one that failed too often */
} mnet_backend_call_t;

/* Asks it.  Always sets one of result, fault, problem. */
void mnet_backend_perform(mnet_backend_call_t *call);

/* --- backend_wire.c --- */

/* The request's document, in its format. */
apr_status_t mnet_backend_write(const mnet_backend_call_t *call, mnet_spool_t *to);
const char *mnet_backend_content_type(mnet_backend_format_e format);
/* The headers that say who calls: const char *.  NULL if one cannot be said in a header. */
apr_array_header_t *mnet_backend_headers(const mnet_backend_call_t *call,
                                         const mnet_backend_url_t *url);
/* Takes an answer in: notes what tells one library's text from another's. */
typedef struct mnet_backend_answer_t {
    mnet_spool_t *body;
    int beyond; /* there are bytes beyond ASCII in it */
} mnet_backend_answer_t;
apr_status_t mnet_backend_take(void *answer, const char *data, apr_size_t len);
/* Reads an answer of status 200: sets result, fault or problem. */
void mnet_backend_read(mnet_backend_call_t *call, mnet_backend_answer_t *answer);

/* --- backend_ask.c --- */

extern const mnet_method_asks_t mnet_backend_asks;

#endif
