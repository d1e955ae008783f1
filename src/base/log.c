/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_LINE 2048

void mnet_log(const mnet_log_t *log, int level, apr_status_t rv, const char *id, const char *fmt,
              ...)
{
    char line[MAX_LINE];
    va_list args;
    char *c;

    if (!log || !log->write || level > log->level) {
        return;
    }
    va_start(args, fmt);
    if (vsnprintf(line, sizeof(line), fmt, args) < 0) {
        line[0] = '\0';
    }
    va_end(args);

    /* One call is one line, whatever slipped into an argument. */
    for (c = line; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = ' ';
        }
    }
    log->write(log->baton, level, rv, id, line);
}
