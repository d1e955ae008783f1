/* SPDX-License-Identifier: Apache-2.0 */
/* What a service provider calls here about our users (MNET protocol reference, 5.2). */
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "service/jump_int.h"
#include "service/peer_title.h"
#include "service/picture.h"
#include "service/services.h"
#include "service/sso_idp_int.h"
#include "service/sso_int.h"
#include "wire/base64.h"

#define HOSTS_MAX 100 /* in myhosts */

/* --- who --- */

static void add_host(mnet_value_t *hosts, const char *name, const char *url, apr_pool_t *pool)
{
    mnet_value_t *row = mnet_struct(pool);

    mnet_set(row, "name", mnet_string(name, pool));
    mnet_set(row, "url", mnet_string(url, pool));
    mnet_set(row, "count", mnet_int(0, pool));
    mnet_append(hosts, row);
}

/* Ourselves, and the other peers by way of our jump page. */
static mnet_value_t *my_hosts(mnet_call_t *call)
{
    const mnet_site_t *site = call->host->site;
    const mnet_application_t *ours =
        APR_ARRAY_IDX(site->applications, 0, const mnet_application_t *);
    mnet_value_t *hosts = mnet_array(call->pool);
    apr_array_header_t *peers;

    add_host(hosts, site->name, site->wwwroot, call->pool);
    if (!ours->jump || mnet_jump_peers(call->host, &peers, call->pool)) {
        return hosts;
    }
    for (int i = 0; i < peers->nelts && i < HOSTS_MAX; i++) {
        const mnet_peer_t *peer = APR_ARRAY_IDX(peers, i, const mnet_peer_t *);

        if (strcmp(peer->facts->wwwroot, call->peer->facts->wwwroot)) {
            add_host(hosts, mnet_peer_title(peer, call->pool),
                     apr_psprintf(call->pool, "%s%s?hostid=%d", site->wwwroot, ours->jump,
                                  mnet_jump_hostid(peer)),
                     call->pool);
        }
    }
    return hosts;
}

static const mnet_picture_t *open_picture(mnet_call_t *call, const char *path)
{
    const char *why;
    const mnet_picture_t *picture = mnet_picture_read(path, &why, call->pool);

    if (why) {
        mnet_log(call->host->engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0877",
                 "%s: the picture %s, named by MnetUserImage, is not sent to %s: %s",
                 call->host->site->wwwroot, mnet_say(path, call->pool), call->peer->facts->wwwroot,
                 why);
    }
    return picture;
}

/*
 * What makes a Moodle and a Mahara ask for it.  A Moodle keeps what picture says as its own number
 * of the picture, part of the address under which browsers keep it: another one for another
 * picture, "0" for none.
 */
static void tell_of_picture(mnet_call_t *call, mnet_value_t *user, const char *path)
{
    const mnet_picture_t *picture = open_picture(call, path);
    mnet_digest_t *digest = mnet_sha1_create(call->host->engine->crypto, call->pool);
    unsigned char sha1[MNET_SHA1];

    const char *when;

    if (!picture) {
        mnet_set(user, "picture", mnet_string("0", call->pool));
        return;
    }
    if (!digest || mnet_digest_write(digest, (const char *)picture->bytes, picture->len) ||
        mnet_digest_end(digest, sha1)) {
        return;
    }
    when =
        apr_psprintf(call->pool, "%" APR_INT64_T_FMT, (apr_int64_t)apr_time_sec(picture->modified));
    mnet_set(user, "picture", mnet_string(when, call->pool));
    mnet_set(user, "imagehash", mnet_string(mnet_hex(sha1, sizeof(sha1), call->pool), call->pool));
    mnet_set(user, "_mnet_userpicture_timemodified", mnet_string(when, call->pool));
    mnet_set(user, "_mnet_userpicture_mimetype", mnet_string(picture->type, call->pool));
}

static const char *fault_text(int fault)
{
    switch (fault) {
    case 2:
        return "The token has expired: the user took too long on the way.";
    case 3:
        return "The token was given to another browser.";
    default:
        return "There is no such token, or it was used before.";
    }
}

apr_status_t mnet_idp_user_authorise(mnet_call_t *call, void *baton)
{
    const mnet_site_t *site = call->host->site;
    apr_pool_t *pool = call->pool;
    mnet_value_t *user;
    mnet_claim_t claim;
    apr_status_t rv =
        mnet_jump_claim(call, mnet_call_text(call, 0), mnet_call_text(call, 1), &claim);

    if (rv) {
        return rv;
    }
    if (claim.fault) {
        return mnet_call_fault(call, claim.fault, "%s", fault_text(claim.fault));
    }
    user = mnet_struct(pool);
    mnet_set(user, "username", mnet_string(claim.username, pool));
    for (int i = 0; i < claim.attributes->nelts; i++) {
        const mnet_attribute_t *one = &APR_ARRAY_IDX(claim.attributes, i, mnet_attribute_t);

        mnet_set(user, one->name, mnet_string(one->value, pool));
    }
    mnet_set(user, "auth", mnet_string("mnet", pool));
    mnet_set(user, "wwwroot", mnet_string(site->wwwroot, pool));
    mnet_set(user, "session.gc_maxlifetime",
             mnet_string(apr_psprintf(pool, "%" APR_INT64_T_FMT,
                                      (apr_int64_t)apr_time_sec(site->session_lifetime)),
                         pool));
    if (claim.picture) {
        tell_of_picture(call, user, claim.picture);
    }
    mnet_set(user, "myhosts", my_hosts(call));
    call->result = user;
    return APR_SUCCESS;
}

/* Of a user who is with the caller; NULL: of nobody. */
static const char *picture_of(mnet_call_t *call, apr_status_t *rv)
{
    const char *username = mnet_call_text(call, 0), *path = NULL;
    apr_array_header_t *children;
    mnet_txn_t *txn;

    *rv = username ? mnet_txn_begin(call->host->engine->store, MNET_READ, &txn, call->pool)
                   : APR_SUCCESS;
    if (*rv || !username) {
        return NULL;
    }
    *rv = mnet_children_named(call->host, txn, username, &children, call->pool);
    mnet_txn_abort(txn);
    for (int i = 0; !*rv && i < children->nelts; i++) {
        const mnet_child_t *child = APR_ARRAY_IDX(children, i, const mnet_child_t *);

        if (child->picture && !strcmp(child->peer, call->peer->facts->wwwroot)) {
            path = child->picture;
        }
    }
    return path;
}

/* An array, not "" and not false where there is none: a Mahara on PHP 8 dies of anything else. */
apr_status_t mnet_idp_fetch_user_image(mnet_call_t *call, void *baton)
{
    const mnet_picture_t *picture = NULL;
    apr_status_t rv;
    const char *path = picture_of(call, &rv);

    if (path) {
        picture = open_picture(call, path);
    }
    if (rv || !picture) {
        call->result = mnet_array(call->pool);
        return rv;
    }
    call->result = mnet_struct(call->pool);
    mnet_set(
        call->result, "f1",
        mnet_string(mnet_base64_encode_text(picture->bytes, picture->len, call->pool), call->pool));
    mnet_set(call->result, "f1_mimetype", mnet_string(picture->type, call->pool));
    return APR_SUCCESS;
}

/* --- what there is not --- */

apr_status_t mnet_idp_fetch_theme_info(mnet_call_t *call, void *baton)
{
    call->result = mnet_struct(call->pool);
    mnet_set(call->result, "themename", mnet_string("mod_mnet", call->pool));
    mnet_set(call->result, "logourl", mnet_string("", call->pool));
    return APR_SUCCESS;
}

/* Rows of a Moodle up to 2.7, which newer ones throw away as well. */
apr_status_t mnet_idp_refresh_log(mnet_call_t *call, void *baton)
{
    call->result = mnet_struct(call->pool);
    mnet_set(call->result, "code", mnet_int(0, call->pool));
    mnet_set(call->result, "message", mnet_string("All ok", call->pool));
    return APR_SUCCESS;
}

/* --- the table --- */

static const mnet_parameter_t authorise_parameters[] = {
    {"token", "string", "that the user's browser brought"},
    {"useragent", "string", "SHA-1 of the browser's User-Agent, hexadecimal"},
    {NULL}};
static const mnet_parameter_t username_parameters[] = {
    {"username", "string", "a user of this site"}, {NULL}};
static const mnet_parameter_t keepalive_parameters[] = {
    {"usernames", "array", "users of this site who are active at the caller's"}, {NULL}};
static const mnet_parameter_t kill_parameters[] = {
    {"username", "string", "a user of this site"},
    {"useragent", "string", "SHA-1 of the browser's User-Agent, hexadecimal"},
    {NULL}};
static const mnet_parameter_t log_parameters[] = {
    {"rows", "array", "lines of the caller's activity log"}, {NULL}};
static const mnet_parameter_t enrolment_parameters[] = {
    {"username", "string", "a user of this site"},
    {"courses", "array", "the caller's courses that they are enrolled in; empty: none"},
    {NULL}};
static const mnet_parameter_t no_parameters[] = {{NULL}};

static const mnet_method_t methods[] = {
    {"auth/mnet/auth.php/user_authorise",
     "sso_idp",
     MNET_METHOD_CLAIMS,
     authorise_parameters,
     2,
     {NULL, "array", "the user's profile, and myhosts"},
     "Redeems the token of a user who arrived at the caller's site, once.",
     mnet_idp_user_authorise},
    {"auth/mnet/auth.php/keepalive_server",
     "sso_idp",
     MNET_METHOD_CLAIMS,
     keepalive_parameters,
     1,
     {NULL, "array", "code, message and last log id"},
     "Notes that users of this site are still active at the caller's.",
     mnet_idp_keepalive_server},
    {"auth/mnet/auth.php/kill_children",
     "sso_idp",
     MNET_METHOD_CLAIMS,
     kill_parameters,
     2,
     {NULL, "string", "what was done"},
     "Ends the sessions of a user who logged out at the caller's site, here and at other peers.",
     mnet_idp_kill_children},
    {"auth/mnet/auth.php/refresh_log",
     "sso_idp",
     MNET_METHOD_READS,
     log_parameters,
     1,
     {NULL, "array", "code and message"},
     "Takes lines of the caller's activity log, which are not kept.",
     mnet_idp_refresh_log},
    {"auth/mnet/auth.php/fetch_user_image",
     "sso_idp",
     MNET_METHOD_READS,
     username_parameters,
     1,
     {NULL, "array", "f1 and f1_mimetype; empty: there is no picture"},
     "Gives the picture of a user who is at the caller's site, in base64.",
     mnet_idp_fetch_user_image},
    {"auth/mnet/auth.php/fetch_theme_info",
     "sso_idp",
     MNET_METHOD_READS,
     no_parameters,
     0,
     {NULL, "array", "themename and logourl"},
     "Tells how this site looks.",
     mnet_idp_fetch_theme_info},
    {"auth/mnet/auth.php/update_enrolments",
     "sso_idp",
     MNET_METHOD_CLAIMS,
     enrolment_parameters,
     2,
     {NULL, "bool", "true if there are none"},
     "Notes in which courses of the caller a user of this site is enrolled.",
     mnet_idp_update_enrolments},
};

apr_status_t mnet_service_sso_idp(mnet_registry_t *registry)
{
    apr_status_t rv = APR_SUCCESS;

    for (apr_size_t i = 0; !rv && i < sizeof(methods) / sizeof(methods[0]); i++) {
        rv = mnet_registry_add(registry, NULL, &methods[i]);
    }
    return rv;
}
