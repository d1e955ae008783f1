/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_LOCAL_METHODS_H
#define MNET_HTTPD_LOCAL_METHODS_H

/*
 * Methods "mod_mnet/..." that SetHandler mnet-call answers itself, for a local application, instead
 * of sending them to the peer: what is about a peer, but done by this server.  No peer can call
 * them, and none is ever asked for one.
 */

#include "rpc/client.h"

/*
 * Fills in *reply (which comes zeroed, its message ""): kind MNET_CALL_OK and a value in pool, or
 * another kind with a message, by mnet_local_refuse.  peer: the wwwroot that the application named,
 * not looked up yet; it may be no peer at all.  params: mnet_value_t *.
 */
typedef void mnet_local_fn(mnet_host_t *host, const char *peer, const apr_array_header_t *params,
                           mnet_reply_t *reply, apr_pool_t *pool);

typedef struct mnet_local_method_t {
    const char *name; /* "mod_mnet/methods" */
    mnet_local_fn *fn;
} mnet_local_method_t;

/* Up to one without a name.  To add one: declare its function here, and a row in the source. */
extern const mnet_local_method_t mnet_local_methods[];

/* Is it a name of that kind (begins with "mod_mnet/")? */
int mnet_local_is(const char *method);
/* NULL: there is none of that name. */
const mnet_local_method_t *mnet_local_find(const char *method);

/* Fills in a reply that is not OK: MNET_CALL_POLICY for a wrong parameter or a refusal,
 * MNET_CALL_FAULT with a code of its own (code is not used of the other kinds). */
void mnet_local_refuse(mnet_reply_t *reply, mnet_call_kind_e kind, int code, apr_pool_t *pool,
                       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The methods.  mod_mnet/methods (): what we may call at that peer, as far as it is known here. */
mnet_local_fn mnet_local_list_methods;
/* mod_mnet/portfolio_send ({file, user, format, wait, again, package, direct}): as `mnetctl
 * portfolio send`, of files below MnetPortfolioDir/outgoing; answers what `portfolio list` shows of
 * it. local_portfolio.c */
mnet_local_fn mnet_local_portfolio_send;

#endif
