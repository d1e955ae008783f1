/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_CONFIG_H
#define MNET_HTTPD_CONFIG_H

/*
 * The configuration of a server or virtual host.  MNET_FIELDS is the one list of what there is:
 * the structure, its unset values, the merge and the place where each directive stood all come
 * from it, so that they cannot drift apart.
 */

#include <httpd.h>
#include <http_config.h>
#include <apr_hash.h>
#include <apr_tables.h>

#include "rpc/engine.h"
#include "trust/site.h"

extern module AP_MODULE_DECLARE_DATA mnet_module;

/*
 * X(KIND, member, directive).  Kinds and how a virtual host merges with the server around it:
 *   FLAG INT SIZE TIME TEXT RATE   the virtual host's if it says one
 *   LIST                           the same: the lists are not added up
 *   TABLE                          both; of two with one name the virtual host's
 *   PEERS                          both; of one peer said in both, field by field
 *   ROUTES                         as a LIST
 *   BACKENDS                       both; of two with one path the virtual host's
 */
#define MNET_FIELDS(X)                                                                             \
    X(FLAG, engine, "MnetEngine")                                                                  \
    X(TEXT, wwwroot, "MnetWwwroot")                                                                \
    X(TEXT, site_name, "MnetSiteName")                                                             \
    X(LIST, applications, "MnetApplication")                                                       \
    X(TABLE, defined, "MnetDefineApplication")                                                     \
    X(TEXT, state_dir, "MnetStateDir")                                                             \
    X(SIZE, state_size, "MnetStateSize")                                                           \
    X(SIZE, shared_memory, "MnetSharedMemory")                                                     \
    X(INT, key_bits, "MnetKeyBits")                                                                \
    X(TIME, key_lifetime, "MnetKeyLifetime")                                                       \
    X(INT, key_history, "MnetKeyHistory")                                                          \
    X(TIME, clock_skew, "MnetClockSkew")                                                           \
    X(TIME, replay_window, "MnetReplayWindow")                                                     \
    X(SIZE, max_body, "MnetMaxBody")                                                               \
    X(LIST, plaintext_from, "MnetPlaintextFrom")                                                   \
    X(FLAG, register_all, "MnetRegisterAllHosts")                                                  \
    X(TIME, timeout, "MnetTimeout")                                                                \
    X(INT, outgoing_limit, "MnetOutgoingLimit")                                                    \
    X(RATE, failure_limit, "MnetFailureLimit")                                                     \
    X(TEXT, remote_user, "MnetRemoteUser")                                                         \
    X(LIST, cookie, "MnetCookie")                                                                  \
    X(TIME, session_lifetime, "MnetSessionLifetime")                                               \
    X(TIME, session_idle, "MnetSessionIdle")                                                       \
    X(TIME, token_lifetime, "MnetTokenLifetime")                                                   \
    X(LIST, profile_fields, "MnetProfileFields")                                                   \
    X(LIST, ledger, "MnetLedger")                                                                  \
    X(BACKENDS, backends, "MnetBackend")                                                           \
    X(TEXT, portfolio_dir, "MnetPortfolioDir")                                                     \
    X(INT, portfolio_accept, "MnetPortfolioAccept")                                                \
    X(SIZE, portfolio_max_size, "MnetPortfolioMaxSize")                                            \
    X(TIME, portfolio_expire, "MnetPortfolioExpire")                                               \
    X(TIME, portfolio_interval, "MnetPortfolioInterval")                                           \
    X(ROUTES, portfolio_routes, "MnetPortfolioRoute")                                              \
    X(PEERS, peers, "<MnetPeer")

/* The fields of a peer's section are mnet_peer_facts_t's; these are their directives. */
#define MNET_PEER_DIRECTIVES(X)                                                                    \
    X("MnetPeerApplication")                                                                       \
    X("MnetPeerCertificate")                                                                       \
    X("MnetPeerEndpoint")                                                                          \
    X("MnetPeerTLS")                                                                               \
    X("MnetPeerCharset")                                                                           \
    X("MnetPublish")                                                                               \
    X("MnetSubscribe")                                                                             \
    X("MnetUserAccess")

/* Defaults that are not a site's (those are in mnet_site_create). */
#define MNET_DEFAULT_STATE_SIZE    (APR_INT64_C(1) << 30)
#define MNET_DEFAULT_SHARED_MEMORY (APR_INT64_C(4) << 20)

#define MNET_UNSET (-1)

typedef struct mnet_rate_t {
    int count; /* MNET_UNSET: not said; 0: no limit */
    apr_interval_time_t per;
} mnet_rate_t;

/* Where a directive stood: what an error across directives blames.  file NULL: nowhere. */
typedef struct mnet_where_t {
    const char *file;
    int line;
} mnet_where_t;

/* A <MnetPeer> section. */
typedef struct mnet_peer_section_t {
    mnet_peer_facts_t *facts;
    mnet_where_t where;
    mnet_where_t application_where;
    mnet_where_t certificate_where;
    const char *certificate_file;
    int order; /* of appearance, so that the later of two is blamed */
} mnet_peer_section_t;

#define MNET_TYPE_FLAG     int
#define MNET_TYPE_INT      int
#define MNET_TYPE_SIZE     apr_off_t
#define MNET_TYPE_TIME     apr_interval_time_t
#define MNET_TYPE_TEXT     const char *
#define MNET_TYPE_RATE     mnet_rate_t
#define MNET_TYPE_LIST     apr_array_header_t * /* const char * */
#define MNET_TYPE_TABLE    apr_hash_t *         /* name to mnet_application_t * */
#define MNET_TYPE_ROUTES   apr_array_header_t * /* const mnet_portfolio_route_t * */
#define MNET_TYPE_PEERS    apr_hash_t *         /* wwwroot to mnet_peer_section_t * */
#define MNET_TYPE_BACKENDS apr_array_header_t * /* const struct mnet_backend_said_t * */

#define MNET_FIELD_ENUM(kind, member, directive) MNET_FIELD_##member,
typedef enum { MNET_FIELDS(MNET_FIELD_ENUM) MNET_FIELD_COUNT } mnet_field_e;

struct mnet_global_t;
struct mnet_route_t;
struct mnet_sso_t;

#define MNET_FIELD_DECLARE(kind, member, directive) MNET_TYPE_##kind member;
typedef struct mnet_conf_t {
    MNET_FIELDS(MNET_FIELD_DECLARE)
    mnet_where_t where[MNET_FIELD_COUNT];
    mnet_peer_section_t *section; /* the <MnetPeer> being read, else NULL */
    struct mnet_global_t *global; /* one for all servers of this configuration */
    /* filled by check.c, where the Engine is On */
    mnet_site_t *site;  /* shared by the virtual hosts of one wwwroot */
    apr_hash_t *routes; /* path to struct mnet_route_t * */
    const struct mnet_sso_t *sso;
    /* every MnetLogin of this server, in whatever section: const struct mnet_login_t * */
    apr_array_header_t *logins;
    /* filled in each child */
    mnet_host_t *host; /* NULL: the engine could not be made */
} mnet_conf_t;

/* What all servers of a configuration have in common. */
typedef struct mnet_global_t {
    apr_array_header_t *sites;   /* mnet_site_t *, one for each wwwroot; empty: do nothing at all */
    ap_conf_vector_t *unlimited; /* lifts LimitRequestBody on our paths: MnetMaxBody counts there */
    apr_global_mutex_t *mutex;
    mnet_shared_t *shared;
    const unsigned char *backend_secret; /* backend_config.c; NULL: there is none */
    struct mnet_process_t *process;      /* of a child; NULL in the parent */
    volatile apr_uint32_t watchdog;      /* watchdog.c: what its thread in this child is at */
} mnet_global_t;

mnet_conf_t *mnet_conf_get(const server_rec *s);

void *mnet_conf_create(apr_pool_t *pool, server_rec *s);
void *mnet_conf_merge(apr_pool_t *pool, void *base, void *add);

/* The name of a field's directive, as the administrator writes it. */
const char *mnet_field_name(mnet_field_e field);

/* The server-wide ones, with their defaults; any server's configuration will do. */
const char *mnet_conf_state_dir(const mnet_conf_t *conf, apr_pool_t *pool);
apr_off_t mnet_conf_state_size(const mnet_conf_t *conf);
apr_size_t mnet_conf_shared_memory(const mnet_conf_t *conf);

extern const command_rec mnet_directives[];

/* site.c: the site that a merged configuration describes; its wwwroot must be set.  NULL and *why
 * if an application of ours is unknown. */
mnet_site_t *mnet_conf_site(const mnet_conf_t *conf, const server_rec *s, const char **why,
                            apr_pool_t *pool);
/* The first field in which two configurations differ, MNET_FIELD_COUNT if there is none. */
mnet_field_e mnet_conf_difference(const mnet_conf_t *a, const mnet_conf_t *b, apr_pool_t *pool);

/* peer_section.c: the container and the directives inside it. */
const char *mnet_peer_section(cmd_parms *cmd, void *dir, const char *args);
const char *mnet_peer_application(cmd_parms *cmd, void *dir, const char *arg);
const char *mnet_peer_certificate(cmd_parms *cmd, void *dir, const char *arg);
const char *mnet_peer_endpoint(cmd_parms *cmd, void *dir, const char *arg);
const char *mnet_peer_tls(cmd_parms *cmd, void *dir, const char *arg);
const char *mnet_peer_charset(cmd_parms *cmd, void *dir, const char *arg);
const char *mnet_peer_publish(cmd_parms *cmd, void *dir, const char *arg);
const char *mnet_peer_subscribe(cmd_parms *cmd, void *dir, const char *arg);
const char *mnet_peer_access(cmd_parms *cmd, void *dir, int argc, char *const argv[]);

/* directives.c, for peer_section.c as well. */
mnet_where_t mnet_where(const cmd_parms *cmd);
/* Is it a name of a service or an application: letters, digits, '_', '-', '.', at most 64? */
int mnet_name_ok(const char *name);

#endif
