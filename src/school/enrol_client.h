/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_ENROL_CLIENT_H
#define MNET_SCHOOL_ENROL_CLIENT_H

/*
 * The service mnet_enrol at a peer (MNET protocol reference, 5.4): its courses, who of our users is
 * in them, in and out.  Moodle 1.9's shapes are understood as well: lists keyed by course or by
 * user, and a text where there is no such course.  Done is what is answered with the boolean true
 * alone, as Moodle's own client has it.
 */

#include "rpc/client.h"

typedef struct mnet_course_t {
    const char *remoteid, *fullname, *shortname, *idnumber, *category, *summary, *role;
    const char *startdate;     /* seconds, as the peer writes them */
    const mnet_value_t *value; /* all of it */
} mnet_course_t;

typedef struct mnet_participant_t {
    const char *username, *role, *how;
    const char *since; /* seconds */
    const mnet_value_t *value;
} mnet_participant_t;

/* The peer's answer in *reply.  APR_SUCCESS; MNET_E_PEER: *reply is none; MNET_E_INVALID: it makes
 * no sense, *why says so. */
apr_status_t mnet_enrol_courses(mnet_host_t *host, const char *peer, mnet_reply_t **reply,
                                apr_array_header_t **courses, const char **why, apr_pool_t *pool);
apr_status_t mnet_enrol_who(mnet_host_t *host, const char *peer, const char *remoteid,
                            mnet_reply_t **reply, apr_array_header_t **people, const char **why,
                            apr_pool_t *pool);
/* profile: a struct with at least username. */
apr_status_t mnet_enrol_add(mnet_host_t *host, const char *peer, const char *remoteid,
                            mnet_value_t *profile, mnet_reply_t **reply, const char **why,
                            apr_pool_t *pool);
apr_status_t mnet_enrol_remove(mnet_host_t *host, const char *peer, const char *remoteid,
                               const char *username, mnet_reply_t **reply, const char **why,
                               apr_pool_t *pool);

#endif
