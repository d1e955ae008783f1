/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/deliver_int.h"

#include <stdarg.h>

#include <apr_strings.h>

apr_status_t mnet_deliver_fail(mnet_deliver_t *deliver, apr_status_t rv, const char *fmt, ...)
{
    va_list args;

    if (!deliver->delivered->why) {
        va_start(args, fmt);
        deliver->delivered->why = apr_pvsprintf(deliver->pool, fmt, args);
        va_end(args);
    }
    return rv;
}
