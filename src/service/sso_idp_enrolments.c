/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which courses of a peer a user of ours is enrolled: group "enrolment", site and SHA-256(peer,
 * username), the courses as one JSON text.
 */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "rpc/peer_share.h"
#include "service/jump_int.h"
#include "service/sso_idp_int.h"
#include "wire/json.h"

#define GROUP       "enrolment"
#define VERSION     1
#define COURSES_MAX 2000
#define JSON_MAX    (1024 * 1024)

/* The list, whether it came as one or keyed by the courses' numbers.  NULL: it is none. */
static mnet_value_t *courses_of(mnet_call_t *call)
{
    const mnet_value_t *given = mnet_call_param(call, 1);
    mnet_value_t *courses = mnet_array(call->pool);

    if (!given || (given->type != MNET_ARRAY && given->type != MNET_STRUCT) ||
        mnet_count(given) > COURSES_MAX) {
        return NULL;
    }
    for (int i = 0; i < mnet_count(given); i++) {
        mnet_value_t *course = mnet_item(given, i);

        if (!course || course->type != MNET_STRUCT || !mnet_get(course, "id")) {
            return NULL;
        }
        mnet_append(courses, course);
    }
    return courses;
}

static apr_status_t put(mnet_call_t *call, mnet_txn_t *txn, const char *username,
                        const mnet_value_t *courses)
{
    const char *peer = call->peer->facts->wwwroot;
    mnet_pack_t *pack = mnet_record_create(call->host, VERSION, call->pool);
    mnet_spool_t *json = mnet_spool_create(0, call->host->engine->tmp_dir, call->pool);
    mnet_sink_t to = {mnet_spool_write, json};
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    apr_status_t rv;

    mnet_name_begin(call->host, &name);
    rv = mnet_name_add_digest(call->host, &name, peer, username);
    if (!rv && !mnet_count(courses)) {
        rv = mnet_txn_del(txn, GROUP, name.bytes, name.len);
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    rv = rv ? rv : mnet_value_to_json(courses, 0, &to);
    if (rv) {
        return rv;
    }
    mnet_pack_text(pack, peer);
    mnet_pack_text(pack, username);
    mnet_pack_i64(pack, call->now);
    mnet_pack_text(pack, mnet_spool_text(json));
    data = mnet_pack_end(pack, &len);
    return len > JSON_MAX ? MNET_E_LIMIT
                          : mnet_txn_put(txn, GROUP, name.bytes, name.len, data, len);
}

/* *done: 0 if the arguments are wrong, or the user is not with the caller. */
static apr_status_t note(mnet_call_t *call, mnet_txn_t *txn, const mnet_value_t *courses, int *done)
{
    const char *username = mnet_call_text(call, 0);
    apr_array_header_t *children;
    apr_status_t rv = mnet_call_claim(call, txn);

    *done = 0;
    if (rv || !username || !courses) {
        return rv;
    }
    rv = mnet_children_named(call->host, txn, username, &children, call->pool);
    if (rv || !mnet_children_at(children, call->peer->facts->wwwroot)) {
        return rv;
    }
    rv = put(call, txn, username, courses);
    if (rv == MNET_E_LIMIT) {
        return APR_SUCCESS;
    }
    *done = !rv;
    return rv ? rv : mnet_call_share_keep(call, txn);
}

apr_status_t mnet_idp_update_enrolments(mnet_call_t *call, void *baton)
{
    const mnet_value_t *courses = courses_of(call);
    mnet_txn_t *txn;
    int done;
    apr_status_t rv = mnet_txn_begin(call->host->engine->store, MNET_WRITE, &txn, call->pool);

    if (rv) {
        return rv;
    }
    rv = note(call, txn, courses, &done);
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    if (rv) {
        return rv;
    }
    /* As Moodle: true for none, nothing for some, false for what makes no sense. */
    if (!done) {
        mnet_log(
            call->host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET0866",
            "%s: the enrolments that %s tells of %s are not kept: no session there, or no list",
            call->host->site->wwwroot, call->peer->facts->wwwroot,
            mnet_say(mnet_call_text(call, 0), call->pool));
        call->result = mnet_boolean(0, call->pool);
    } else if (!mnet_count(courses)) {
        call->result = mnet_boolean(1, call->pool);
    }
    return APR_SUCCESS;
}
