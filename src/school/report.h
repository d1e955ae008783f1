/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_REPORT_H
#define MNET_SCHOOL_REPORT_H

/*
 * One student's progress report: every section with its status and history, every assessment with
 * the grade that counts and what else was said of it, as of now or as of an earlier time.
 */

#include "school/ledger.h"
#include "wire/value.h"

/*
 * {student: {id, name, idnumber, logins}, as_of, site, sections: [{id, name, term, role, teachers,
 * status, since, code, note, source, history, assessments: [{id, name, points, extra_credit, grade,
 * others}], earned, possible, percent}]}, by term and name.  when: what is known by then.
 */
apr_status_t mnet_report_make(mnet_ledger_t *ledger, const mnet_person_t *person, apr_time_t when,
                              mnet_value_t **report);

#endif
