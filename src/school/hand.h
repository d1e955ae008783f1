/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_HAND_H
#define MNET_SCHOOL_HAND_H

/*
 * What people enter, as a row of a spreadsheet has it: a struct of texts by the names of columns,
 * which are those of an export (ledger_walk.h).  "" is as if the column were not there.
 * MNET_E_REFUSED: the ledger says which column and why.
 */

#include "school/ledger.h"
#include "wire/value.h"

typedef apr_status_t mnet_hand_fn(mnet_ledger_t *ledger, const mnet_value_t *row);

/* idnumber, username, peer, firstname, lastname, email, may_log_in */
mnet_hand_fn mnet_hand_person;
/* section, name, terms, teacher */
mnet_hand_fn mnet_hand_section;
/* user, section, role, status, code, note; withdraw: it must be there */
mnet_hand_fn mnet_hand_enrolment;
/* section, assessment, name, points_possible, chapter, honors_required, nonhonors_required,
 * extra_credit */
mnet_hand_fn mnet_hand_assessment;
/* section, assessment or assessment_name, user, points, attempt, excepted; take_back: what was
 * entered is to count no more */
mnet_hand_fn mnet_hand_grade;

#endif
