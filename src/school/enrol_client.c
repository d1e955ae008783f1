/* SPDX-License-Identifier: Apache-2.0 */
#include "school/enrol_client.h"

#include <apr_strings.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"

#define PREFIX    "enrol/mnet/enrol.php/"
#define REPLY_MAX ((apr_off_t)64 << 20)

typedef struct asking_t {
    mnet_host_t *host;
    const char *peer;
    apr_array_header_t *params;
    apr_pool_t *pool;
} asking_t;

static asking_t asking(mnet_host_t *host, const char *peer, apr_pool_t *pool)
{
    asking_t one = {host, peer, apr_array_make(pool, 2, sizeof(mnet_value_t *)), pool};

    return one;
}

static apr_status_t ask(const asking_t *one, const char *method, mnet_reply_t **reply)
{
    mnet_outgoing_t call = {.host = one->host,
                            .peer = one->peer,
                            .method = apr_pstrcat(one->pool, PREFIX, method, NULL),
                            .params = one->params,
                            .max_reply = REPLY_MAX,
                            .even_if_down = 1};

    mnet_client_call(&call, reply, one->pool);
    return (*reply)->kind == MNET_CALL_OK ? APR_SUCCESS : MNET_E_PEER;
}

static const char *text(const mnet_value_t *value, const char *name, apr_pool_t *pool)
{
    return mnet_as_text(mnet_get(value, name), pool);
}

static int is_list(const mnet_value_t *value)
{
    return value->type == MNET_ARRAY || value->type == MNET_STRUCT;
}

/* --- courses --- */

apr_status_t mnet_enrol_courses(mnet_host_t *host, const char *peer, mnet_reply_t **reply,
                                apr_array_header_t **courses, const char **why, apr_pool_t *pool)
{
    asking_t one = asking(host, peer, pool);
    apr_status_t rv = ask(&one, "available_courses", reply);
    const mnet_value_t *list = (*reply)->value;

    *courses = apr_array_make(pool, 16, sizeof(mnet_course_t));
    if (rv) {
        return rv;
    }
    if (!is_list(list)) {
        *why = "the answer is no list of courses";
        return MNET_E_INVALID;
    }
    for (int i = 0; i < mnet_count(list); i++) {
        const mnet_value_t *value = mnet_item(list, i);
        mnet_course_t *course = apr_array_push(*courses);

        /* 1.9 keys them by the course's number, which may be all that tells it. */
        course->remoteid = text(value, "remoteid", pool);
        course->remoteid = course->remoteid ? course->remoteid : text(value, "id", pool);
        course->remoteid = course->remoteid ? course->remoteid : mnet_item_name(list, i);
        course->fullname = text(value, "fullname", pool);
        course->shortname = text(value, "shortname", pool);
        course->idnumber = text(value, "idnumber", pool);
        course->category = text(value, "cat_name", pool);
        course->summary = text(value, "summary", pool);
        course->role = text(value, "defaultrolename", pool);
        course->startdate = text(value, "startdate", pool);
        course->value = value;
        if (!value || value->type != MNET_STRUCT || !course->remoteid || !*course->remoteid) {
            *why = apr_psprintf(pool, "the course at %d of the answer has no remoteid", i + 1);
            return MNET_E_INVALID;
        }
    }
    return APR_SUCCESS;
}

/* --- who is there --- */

apr_status_t mnet_enrol_who(mnet_host_t *host, const char *peer, const char *remoteid,
                            mnet_reply_t **reply, apr_array_header_t **people, const char **why,
                            apr_pool_t *pool)
{
    asking_t one = asking(host, peer, pool);
    const mnet_value_t *list;
    apr_int64_t number;
    apr_status_t rv;

    *people = apr_array_make(pool, 16, sizeof(mnet_participant_t));
    /* Moodle sends a number here. */
    APR_ARRAY_PUSH(one.params, mnet_value_t *) =
        mnet_parse_int(remoteid, strlen(remoteid), &number) && number <= APR_INT32_MAX &&
                number >= APR_INT32_MIN
            ? mnet_int(number, pool)
            : mnet_string(remoteid, pool);
    rv = ask(&one, "course_enrolments", reply);
    if (rv) {
        return rv;
    }
    list = (*reply)->value;
    if (!is_list(list)) {
        *why = apr_psprintf(pool, "%s has no course %s", peer, remoteid);
        return MNET_E_INVALID;
    }
    for (int i = 0; i < mnet_count(list); i++) {
        const mnet_value_t *value = mnet_item(list, i);
        mnet_participant_t *person = apr_array_push(*people);

        person->username = text(value, "username", pool);
        person->username = person->username ? person->username : mnet_item_name(list, i);
        person->role = text(value, "shortname", pool);
        person->how = text(value, "enrol", pool);
        person->since = text(value, "timemodified", pool);
        person->value = value;
        if (!person->username || !*person->username) {
            *why = apr_psprintf(pool, "the enrolment at %d of the answer has no username", i + 1);
            return MNET_E_INVALID;
        }
    }
    return APR_SUCCESS;
}

/* --- in and out --- */

static apr_status_t done(const asking_t *one, const char *method, mnet_reply_t **reply,
                         const char **why)
{
    apr_status_t rv = ask(one, method, reply);

    if (rv) {
        return rv;
    }
    if ((*reply)->value->type == MNET_BOOLEAN && (*reply)->value->integer) {
        return APR_SUCCESS;
    }
    *why = apr_psprintf(one->pool, "%s did not do it, and did not say why", one->peer);
    return MNET_E_INVALID;
}

apr_status_t mnet_enrol_add(mnet_host_t *host, const char *peer, const char *remoteid,
                            mnet_value_t *profile, mnet_reply_t **reply, const char **why,
                            apr_pool_t *pool)
{
    asking_t one = asking(host, peer, pool);

    APR_ARRAY_PUSH(one.params, mnet_value_t *) = profile;
    APR_ARRAY_PUSH(one.params, mnet_value_t *) = mnet_string(remoteid, pool);
    return done(&one, "enrol_user", reply, why);
}

apr_status_t mnet_enrol_remove(mnet_host_t *host, const char *peer, const char *remoteid,
                               const char *username, mnet_reply_t **reply, const char **why,
                               apr_pool_t *pool)
{
    asking_t one = asking(host, peer, pool);

    APR_ARRAY_PUSH(one.params, mnet_value_t *) = mnet_string(username, pool);
    APR_ARRAY_PUSH(one.params, mnet_value_t *) = mnet_string(remoteid, pool);
    return done(&one, "unenrol_user", reply, why);
}
