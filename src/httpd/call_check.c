/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may post to mnet-call is for httpd's access control to say, and to that a module has no
 * window: so the lines of the configuration are looked at as they stand.
 */
#include "httpd/call_check.h"

#include <http_config.h>
#include <http_log.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "httpd/check_say.h"

APLOG_USE_MODULE(mnet);

static int is_directive(const ap_directive_t *line, const char *name)
{
    return !ap_cstr_casecmp(line->directive, name);
}

/* The first word of its arguments. */
static int first_is(const ap_directive_t *line, const char *word)
{
    const char *args = line->args ? line->args : "";
    apr_size_t len = strlen(word);
    args += *args == '"' || *args == '\'';
    return !ap_cstr_casecmpn(args, word, len) &&
           (!args[len] || apr_isspace(args[len]) || strchr("\"'", args[len]));
}

/* "Require all granted" keeps nobody out. */
static int restricts(const ap_directive_t *line)
{
    if (is_directive(line, "Require")) {
        const char *args = line->args ? line->args : "";
        return !(first_is(line, "all") && ap_strcasestr(args, "granted"));
    }
    return is_directive(line, "Deny") || is_directive(line, "AuthType");
}

/* Does a section, or one inside it, keep anybody out? */
static int section_restricts(const ap_directive_t *line)
{
    for (; line; line = line->next)
        if (restricts(line) || (line->first_child && section_restricts(line->first_child)))
            return 1;
    return 0;
}

static int is_guarded(const ap_directive_t *handler)
{
    for (const ap_directive_t *section = handler->parent; section; section = section->parent)
        if (!is_directive(section, "<VirtualHost") && section->first_child &&
            section_restricts(section->first_child))
            return 1;
    return 0;
}

/* A <Location> of a path above, which holds for this one as well. */
static int location_above(const ap_directive_t *line, const char *path)
{
    for (; line; line = line->next) {
        const char *args = line->args ? line->args : "";
        apr_size_t len = strcspn(args, "\"'> ");
        args += *args == '"' || *args == '\'';
        len = strcspn(args, "\"'> ");
        if (is_directive(line, "<Location") && *args == '/' && !strncmp(args, path, len) &&
            section_restricts(line->first_child))
            return 1;
        if (is_directive(line, "<VirtualHost") && location_above(line->first_child, path))
            return 1;
    }
    return 0;
}

static void warn(server_rec *s, const ap_directive_t *line, apr_pool_t *pool)
{
    mnet_where_t where = {line->filename, line->line_num};
    const ap_directive_t *section = line->parent;
    const char *args = section && section->args ? section->args : "";

    args += *args == '"' || *args == '\'';
    if (is_guarded(line) || (section && is_directive(section, "<Location") && *args == '/' &&
                             location_above(ap_conftree, args)))
        return;
    mnet_check_say(
        s, APLOG_WARNING, &where, "MNET1108",
        "SetHandler mnet-call is open to everybody who can reach it: whoever posts there "
        "calls the peers in this site's name; add a Require for your own applications, "
        "as in Require ip 127.0.0.1 or Require local");
}

static void walk(server_rec *s, const ap_directive_t *line, apr_pool_t *pool)
{
    for (; line; line = line->next) {
        if (is_directive(line, "SetHandler") && first_is(line, "mnet-call"))
            warn(s, line, pool);
        if (line->first_child)
            walk(s, line->first_child, pool);
    }
}

void mnet_call_warn(server_rec *main_server, apr_pool_t *pool)
{
    walk(main_server, ap_conftree, pool);
}
