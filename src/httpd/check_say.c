/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/check_say.h"

#include <http_log.h>

APLOG_USE_MODULE(mnet);

void mnet_check_say(server_rec *s, int level, const mnet_where_t *where, const char *id,
                    const char *text)
{
    const char *file = where && where->file ? where->file : s->defn_name;
    int line = where && where->file ? where->line : (int)s->defn_line_number;
    if (file)
        ap_log_error(APLOG_MARK, APLOG_STARTUP | level, 0, s, "%s: %s, line %d: %s", id, file, line,
                     text);
    else
        ap_log_error(APLOG_MARK, APLOG_STARTUP | level, 0, s, "%s: %s", id, text);
}
