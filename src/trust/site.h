/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_SITE_H
#define MNET_TRUST_SITE_H

/*
 * Who we are on one virtual host, as the configuration has it, and how a peer is configured.
 * These are plain facts without behaviour: filled by httpd's directives, written to the state
 * directory at each start, and read there by mnetctl.
 */

#include <apr_hash.h>
#include <apr_network_io.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "wire/crypto.h"
#include "wire/xmlrpc.h"

/* Where an application has its scripts, below a wwwroot (protocol 6.1). */
typedef struct mnet_application_t {
    const char *name;
    const char *xmlrpc; /* "/mnet/xmlrpc/server.php" */
    const char *land;
    const char *jump;
    const char *publickey; /* NULL: derived from the folder of xmlrpc for ours */
} mnet_application_t;

/* Built in: moodle, mahara; else from defined (MnetDefineApplication), else NULL.
 * defined: name to mnet_application_t *, may be NULL. */
const mnet_application_t *mnet_application_find(apr_hash_t *defined, const char *name);

typedef enum { MNET_TLS_VERIFY, MNET_TLS_INSECURE, MNET_TLS_CAFILE } mnet_tls_e;
typedef enum {
    MNET_PEER_CHARSET_AUTO,
    MNET_PEER_CHARSET_UTF8,
    MNET_PEER_CHARSET_BYTES
} mnet_peer_charset_e;

/* One "allow|deny" of MnetUserAccess. */
typedef struct mnet_access_t {
    int allow;
    const char *user; /* "*": everybody */
} mnet_access_t;

/* A service of a peer's that is called by patterns: MnetSubscribe NAME=PATTERN[,PATTERN] */
typedef struct mnet_subscription_t {
    const char *service;
    const apr_array_header_t *patterns; /* const char *; NULL: the methods known or learnt */
} mnet_subscription_t;

/*
 * What is said of a peer, in <MnetPeer> or in the state directory.  NULL or -1: not said there.
 * The configuration wins field by field (mnet_peer_facts_merge).
 */
typedef struct mnet_peer_facts_t {
    const char *wwwroot; /* never NULL */
    const char *application;
    const char *certificate; /* PEM; by MnetPeerCertificate, the content of the file */
    const char *endpoint;
    int tls; /* mnet_tls_e or -1 */
    const char *cafile;
    int charset;                         /* mnet_peer_charset_e or -1 */
    const apr_array_header_t *publish;   /* const char *; NULL: not said */
    const apr_array_header_t *subscribe; /* mnet_subscription_t */
    const apr_array_header_t *access;    /* mnet_access_t */
    int active;                          /* 0: a removed or disabled peer; -1: not said (active) */
} mnet_peer_facts_t;

mnet_peer_facts_t *mnet_peer_facts_create(const char *wwwroot, apr_pool_t *pool);
/* A new one: over's fields where said, else under's.  Either may be NULL, not both. */
mnet_peer_facts_t *mnet_peer_facts_merge(const mnet_peer_facts_t *over,
                                         const mnet_peer_facts_t *under, apr_pool_t *pool);

/* Where packages of a format go: MnetPortfolioRoute. */
typedef struct mnet_portfolio_route_t {
    const char *format; /* "leap2a", "imscc", ...; "*": any */
    const char *to;     /* a folder, relative to the user's, or a local URL */
    int is_url;
    int priority; /* the highest that fits wins; of equals one that names the
                   format, then the first */
} mnet_portfolio_route_t;

typedef enum { MNET_ACCEPT_IMMEDIATE, MNET_ACCEPT_QUEUE, MNET_ACCEPT_NONE } mnet_accept_e;

typedef struct mnet_portfolio_options_t {
    const char *dir;                  /* MnetPortfolioDir */
    int accept;                       /* mnet_accept_e: MnetPortfolioAccept */
    apr_off_t max_size;               /* MnetPortfolioMaxSize */
    apr_interval_time_t expire;       /* MnetPortfolioExpire */
    apr_interval_time_t interval;     /* MnetPortfolioInterval */
    const apr_array_header_t *routes; /* const mnet_portfolio_route_t *; never empty */
} mnet_portfolio_options_t;

/* MnetLedger On. */
typedef struct mnet_ledger_options_t {
    const char *prefix;  /* of its methods: "mod/schooltool/rpclib.php" */
    const char *service; /* "schooltool" */
} mnet_ledger_options_t;

typedef struct mnet_site_t {
    const char *wwwroot;
    const char *name; /* MnetSiteName */
    const apr_array_header_t
        *applications;   /* const mnet_application_t *; the first is what we say */
    apr_hash_t *defined; /* name to mnet_application_t * */
    int key_bits;
    apr_interval_time_t key_lifetime;
    int key_history;
    apr_interval_time_t clock_skew; /* 0: any */
    apr_interval_time_t replay_window;
    apr_off_t max_body;
    const apr_array_header_t *plaintext_from; /* apr_ipsubnet_t *; may be NULL */
    const apr_array_header_t *plaintext_text; /* const char *: the same as written */
    int register_all;
    apr_interval_time_t timeout;
    int failure_limit; /* 0: none */
    apr_interval_time_t failure_period;
    apr_interval_time_t session_lifetime; /* MnetSessionLifetime */
    apr_interval_time_t session_idle;     /* MnetSessionIdle; 0: any */
    apr_interval_time_t token_lifetime;   /* MnetTokenLifetime */
    /* const char *: what is taken of a user who lands, besides the username, by the names that
     * user_authorise gives; NULL: all that are known well (service/account.h) */
    const apr_array_header_t *profile_fields;
    const mnet_portfolio_options_t *portfolio; /* NULL: off */
    const mnet_ledger_options_t *ledger;       /* NULL: off */
    apr_hash_t *peers;                         /* wwwroot to mnet_peer_facts_t *: <MnetPeer> */
} mnet_site_t;

/* A site with every default of interface.md. */
mnet_site_t *mnet_site_create(const char *wwwroot, apr_pool_t *pool);

/* With the defaults of interface.md. */
mnet_portfolio_options_t *mnet_portfolio_options_create(const char *dir, apr_pool_t *pool);

/*
 * What is wrong with a wwwroot (ours or a peer's), as a sentence that names the mend, or NULL:
 * scheme http or https, a host, no user, query, fragment, trailing slash, white space or control
 * character, at most 255 bytes, and no slash as its 64th byte (protocol 4.2).
 */
const char *mnet_wwwroot_problem(const char *wwwroot, apr_pool_t *pool);

/*
 * What is wrong with a peer, as the configuration or mnetctl has it, or with a whole site: its own
 * wwwroot and every <MnetPeer>; as a sentence that names the mend, or NULL.  Wwwroots, a peer that
 * is ourselves, two that differ only in the scheme, unknown applications, certificates that cannot
 * be read or name another wwwroot.  crypto: NULL: certificates are not looked at.
 */
const char *mnet_peer_problem(const mnet_site_t *site, const mnet_peer_facts_t *facts,
                              const mnet_crypto_t *crypto, apr_pool_t *pool);
const char *mnet_site_problem(const mnet_site_t *site, const mnet_crypto_t *crypto,
                              apr_pool_t *pool);

/* Adds one address or CIDR to plaintext_from and plaintext_text; a sentence if it is none.
 * Allocates in pool, which must live as long as the site. */
const char *mnet_site_allow_plaintext(mnet_site_t *site, const char *cidr, apr_pool_t *pool);

/* The wwwroot without its scheme: what two peers must not share. */
const char *mnet_wwwroot_bare(const char *wwwroot);

/* wwwroot and path below it, as a URL: RetrievalMethod's and publickey.php's. */
const char *mnet_site_key_uri(const mnet_site_t *site, apr_pool_t *pool);

/* The record of a site in the state directory (group "site", key: its wwwroot). */
const void *mnet_site_pack(const mnet_site_t *site, apr_size_t *len, apr_pool_t *pool);
apr_status_t mnet_site_unpack(const void *data, apr_size_t len, mnet_site_t **site,
                              apr_pool_t *pool);
/* The facts of a peer as bytes, used by the site's record and by the peer's own. */
const void *mnet_peer_facts_pack(const mnet_peer_facts_t *facts, apr_size_t *len, apr_pool_t *pool);
apr_status_t mnet_peer_facts_unpack(const void *data, apr_size_t len, mnet_peer_facts_t **facts,
                                    apr_pool_t *pool);

#endif
