/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_CLI_DOCTOR_INT_H
#define MNET_CLI_DOCTOR_INT_H

/* Between the files of `mnetctl doctor`. */

#include "cli/cli.h"

typedef enum { DOCTOR_FINE, DOCTOR_WARN, DOCTOR_FAIL } doctor_e;

typedef struct doctor_t {
    cli_t *cli;
    mnet_value_t *checks;
    int warnings, failures;
} doctor_t;

/* doctor_find.c: one finding; mend is NULL where there is nothing to do. */
void doctor_find(doctor_t *doctor, doctor_e level, const char *what, const char *text,
                 const char *mend);

/* doctor_room.c: how full the store is, and the file systems under it and under packages.  After
 * the state was opened, or could not be. */
void doctor_check_room(doctor_t *doctor);

#endif
