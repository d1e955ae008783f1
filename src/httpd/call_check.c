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

/* What lines of configuration say of who may come in. */
typedef enum { UNSAID, OPEN, CLOSED } access_e;

static access_e access_of(const ap_directive_t *line, int all);

/* Do the methods that <Limit> or <LimitExcept> names have POST among them? */
static int names_post(const ap_directive_t *section)
{
    const char *at = section->args ? section->args : "";
    while ((at = ap_strcasestr(at, "POST")) && apr_isalpha(at[4]))
        at += 4;
    return at != NULL;
}

/* A section in a section; one that is for some requests only is taken at its word. */
static access_e inner_access(const ap_directive_t *section)
{
    if (is_directive(section, "<Limit") && !names_post(section))
        return UNSAID;
    if (is_directive(section, "<LimitExcept") && names_post(section))
        return UNSAID;
    return access_of(section->first_child, is_directive(section, "<RequireAll"));
}

/* "Order allow,deny" keeps out whom no Allow lets in. */
static int denies(const ap_directive_t *line)
{
    int denied = 0, closed = 0, open = 0;
    for (; line; line = line->next) {
        denied |= is_directive(line, "Deny");
        closed |= is_directive(line, "Order") && !first_is(line, "deny,allow");
        open |= is_directive(line, "Allow") && ap_strcasestr(line->args, "from all");
    }
    return denied || (closed && !open);
}

/* all: each of the lines must let in, as in <RequireAll>; else one of them does. */
static access_e access_of(const ap_directive_t *first, int all)
{
    int open = 0, closed = 0;
    for (const ap_directive_t *line = first; line; line = line->next) {
        access_e said = UNSAID;
        if (is_directive(line, "Require"))
            said = first_is(line, "all") && ap_strcasestr(line->args, "granted") ? OPEN : CLOSED;
        else if (line->first_child)
            said = inner_access(line);
        open |= said == OPEN;
        closed |= said == CLOSED;
    }
    if (denies(first) || (closed && (all || !open)))
        return CLOSED;
    return open ? OPEN : UNSAID;
}

/* Of a section that SetHandler is in, and those around it. */
static access_e sections_say(const ap_directive_t *handler)
{
    access_e said = UNSAID;
    for (const ap_directive_t *section = handler->parent; section && said == UNSAID;
         section = section->parent)
        if (!is_directive(section, "<VirtualHost"))
            said = access_of(section->first_child, 0);
    return said;
}

/* The path of a <Location>: its length; 0 if it is none. */
static apr_size_t location_path(const ap_directive_t *section, const char **path)
{
    const char *args = section->args ? section->args : "";
    args += *args == '"' || *args == '\'';
    *path = args;
    return is_directive(section, "<Location") && *args == '/' ? strcspn(args, "\"'> ") : 0;
}

/* Does the path a hold for the path b as well? */
static int is_above(const char *a, apr_size_t a_len, const char *b, apr_size_t b_len)
{
    return a_len && a_len <= b_len && !strncmp(a, b, a_len) &&
           (a_len == b_len || a[a_len - 1] == '/' || b[a_len] == '/');
}

static int is_around(const ap_directive_t *section, const ap_directive_t *line)
{
    while (line && line != section)
        line = line->parent;
    return line != NULL;
}

/* Of the <Location>s that hold for the one with SetHandler in it, the last that says anything. */
static access_e locations_say(const ap_directive_t *line, const ap_directive_t *handler)
{
    const char *mine;
    apr_size_t len = location_path(handler->parent, &mine);
    access_e last = UNSAID;

    for (; line; line = line->next) {
        const char *args;
        apr_size_t args_len = location_path(line, &args);
        access_e said = UNSAID;
        if (is_above(args, args_len, mine, len))
            said = access_of(line->first_child, 0);
        else if (is_directive(line, "<VirtualHost") && is_around(line, handler))
            said = locations_say(line->first_child, handler);
        last = said == UNSAID ? last : said;
    }
    return last;
}

static void warn(server_rec *s, const ap_directive_t *line, apr_pool_t *pool)
{
    mnet_where_t where = {line->filename, line->line_num};
    const char *path;
    access_e said = line->parent && location_path(line->parent, &path)
                        ? locations_say(ap_conftree, line)
                        : sections_say(line);

    if (said == CLOSED)
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
