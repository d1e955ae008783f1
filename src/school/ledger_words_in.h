/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_LEDGER_WORDS_IN_H
#define MNET_SCHOOL_LEDGER_WORDS_IN_H

/*
 * What a peer says, as it stands in the struct of a call: each function takes one such struct and
 * does what it says in the ledger's transaction.  MNET_E_REFUSED: the ledger says which field.
 */

#include "school/ledger.h"
#include "wire/value.h"

/* A struct and where it stands, for the names of fields: "grades[3]." or "". */
typedef struct mnet_said_t {
    mnet_ledger_t *ledger;
    const mnet_value_t *data;
    const char *where;
    int lenient;  /* of a profile: a field that does not fit is left out */
    int stranger; /* whoever says it has no say in who is who: an idnumber is left out */
} mnet_said_t;

/* --- ledger_fields.c: the members; PHP's null and, unless required, "" are as if not there --- */

apr_status_t mnet_said_text(const mnet_said_t *said, const char *name, int required, int characters,
                            const char **text);
apr_status_t mnet_said_int(const mnet_said_t *said, const char *name, int required,
                           apr_int64_t least, apr_int64_t most, apr_int64_t otherwise, int *number);
apr_status_t mnet_said_number(const mnet_said_t *said, const char *name, int required, double least,
                              double most, double *number);
apr_status_t mnet_said_truth(const mnet_said_t *said, const char *name, int *truth);
apr_status_t mnet_said_refuse(const mnet_said_t *said, int fault, const char *name, const char *fmt,
                              ...) __attribute__((format(printf, 4, 5)));
apr_status_t mnet_said_struct(const mnet_said_t *said, const char *name);
/* Everything else of a user, without what looks like a password: mnet_attribute_t. */
apr_status_t mnet_said_profile(const mnet_said_t *said, const apr_array_header_t **fields);

/* --- ledger_say.c --- */

typedef apr_status_t mnet_say_fn(const mnet_said_t *said);
mnet_say_fn mnet_say_user, mnet_say_section, mnet_say_enrolment, mnet_say_withdrawal,
    mnet_say_assessment, mnet_say_grade;
/* A user by a profile, as mnet_enrol and sign-on have it. */
apr_status_t mnet_say_profile(const mnet_said_t *said, int allowed, mnet_person_t **person);
/* Users, sections, enrolments, assessments and grades, in this order. */
apr_status_t mnet_say_everything(mnet_ledger_t *ledger, const mnet_value_t *all);

#endif
