/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_SSO_CONFIG_H
#define MNET_HTTPD_SSO_CONFIG_H

/*
 * Sign-on as the configuration has it.  MNET_DIR_FIELDS is the one list of what a directory or
 * location can say: the structure, its unset values and the merge come from it.  What a server says
 * (MnetCookie, MnetRemoteUser, ...) is in MNET_FIELDS; mnet_sso_prepare makes of it, once, what
 * each request needs.
 */

#include <ap_expr.h>

#include "httpd/config.h"

/*
 * X(KIND, member, directive).  A section merges with what surrounds it:
 *   FLAG INT TEXT EXPR   the inner one's if it says one
 *   NAMED                both; of two with one name the inner one's
 */
#define MNET_DIR_FIELDS(X)                                                                         \
    X(INT, pass_attributes, "MnetPassAttributes")                                                  \
    X(FLAG, identity_provider, "MnetIdentityProvider")                                             \
    X(FLAG, jump_onward, "MnetJumpOnward")                                                         \
    X(FLAG, optional, "MnetAuthOptional")                                                          \
    X(FLAG, no_auth, "AuthType")                                                                   \
    X(NAMED, attributes, "MnetAttribute")                                                          \
    X(LOGIN, login, "MnetLogin")                                                                   \
    X(EXPR, user_image, "MnetUserImage")

#define MNET_REMOTE_USER "%{username}@%{peer}" /* the default of MnetRemoteUser */

#define MNET_PASS_ENV     1
#define MNET_PASS_HEADERS 2

/* MnetAttribute: what a peer is told, by an expression. */
typedef struct mnet_expression_t {
    const char *name;
    const ap_expr_info_t *expr;
} mnet_expression_t;

/* MnetLogin: where a user without a session goes. */
typedef struct mnet_login_t {
    const char *peer; /* a wwwroot */
    const char *ins;  /* digits: a Mahara's number for us; NULL: not said */
    mnet_where_t where;
} mnet_login_t;

#define MNET_TYPE_NAMED apr_array_header_t * /* mnet_expression_t */
#define MNET_TYPE_LOGIN const mnet_login_t *
#define MNET_TYPE_EXPR  const ap_expr_info_t *

typedef struct mnet_dir_t {
#define MNET_DIR_DECLARE(kind, member, directive) MNET_TYPE_##kind member;
    MNET_DIR_FIELDS(MNET_DIR_DECLARE)
} mnet_dir_t;

/* The module record's two for directories. */
void *mnet_dir_create(apr_pool_t *pool, char *path);
void *mnet_dir_merge(apr_pool_t *pool, void *base, void *add);
/* What holds for a request. */
const mnet_dir_t *mnet_dir_get(const request_rec *r);

/* What a request needs of a server's directives for sign-on; shared by the hosts of one wwwroot. */
typedef struct mnet_sso_t {
    const char *cookie;            /* its name */
    const char *cookie_attributes; /* "; Path=/; HttpOnly..." */
    const char *remote_user;       /* the format */
    const char *root_path;         /* the wwwroot's own path, decoded; "" if it has none */
} mnet_sso_t;

/* Fills conf->sso of a merged configuration with a wwwroot.  NULL, or a sentence about the
 * directive *field. */
const char *mnet_sso_prepare(mnet_conf_t *conf, mnet_field_e *field, apr_pool_t *pool);

/* Can a MnetRemoteUser make users of two peers, or two users of one, the same? */
int mnet_remote_user_mixes(const char *format);

/* Directives of directories, for the table in directives.c. */
const char *mnet_note_auth_type(cmd_parms *cmd, void *dir, const char *type);
const char *mnet_set_pass_attributes(cmd_parms *cmd, void *dir, const char *arg);
const char *mnet_set_dir_flag(cmd_parms *cmd, void *dir, int on);
const char *mnet_set_attribute(cmd_parms *cmd, void *dir, const char *name, const char *expr);
const char *mnet_set_user_image(cmd_parms *cmd, void *dir, const char *expr);
const char *mnet_set_login(cmd_parms *cmd, void *dir, const char *wwwroot, const char *ins);
/* Directives of servers. */
const char *mnet_set_remote_user(cmd_parms *cmd, void *dir, const char *format);
const char *mnet_set_cookie(cmd_parms *cmd, void *dir, int argc, char *const argv[]);
const char *mnet_set_profile_field(cmd_parms *cmd, void *dir, const char *name);

/* What is wrong with a MnetCookie's name or attribute by itself, as a sentence; or NULL. */
const char *mnet_cookie_name_problem(const char *name, apr_pool_t *pool);
const char *mnet_cookie_attribute_problem(const char *attribute, apr_pool_t *pool);

#endif
