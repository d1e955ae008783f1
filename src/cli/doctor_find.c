/* SPDX-License-Identifier: Apache-2.0 */

/* A finding of `mnetctl doctor`, for people and for programs. */
#include "cli/doctor_int.h"

void doctor_find(doctor_t *doctor, doctor_e level, const char *what, const char *text,
                 const char *mend)
{
    static const char *const names[] = {"OK", "WARN", "FAIL"}, *const lower[] = {"ok", "warn",
                                                                                 "fail"};
    const cli_t *cli = doctor->cli;
    mnet_value_t *check = mnet_struct(cli->pool);

    doctor->warnings += level == DOCTOR_WARN;
    doctor->failures += level == DOCTOR_FAIL;
    mnet_set(check, "level", mnet_string(lower[level], cli->pool));
    mnet_set(check, "what", mnet_string(what, cli->pool));
    mnet_set(check, "text", mnet_string(text, cli->pool));
    mnet_set(check, "mend", cli_text_or_nil(cli, mend));
    mnet_append(doctor->checks, check);
    cli_say(cli, "%-4s  %s: %s", names[level], cli_clean(cli, what), cli_clean(cli, text));
    if (mend != NULL) {
        cli_say(cli, "      %s", cli_clean(cli, mend));
    }
}
