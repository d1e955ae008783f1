/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/portfolio_config.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_file_info.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unixd.h>

#include "base/text.h"
#include "httpd/check_say.h"

#define ROUTES_MAX   100
#define PRIORITY_MAX 1000
#define TO_MAX       1024

static const char *quote(const char *text, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "'", mnet_for_log(text, strlen(text), 200, pool), "'", NULL);
}

const char *mnet_set_portfolio_accept(cmd_parms *cmd, void *dir, const char *arg)
{
    mnet_conf_t *conf = mnet_conf_get(cmd->server);
    static const char *const names[] = {"immediate", "queue", "none"};

    for (int i = 0; i < 3; i++) {
        if (!strcasecmp(arg, names[i])) {
            conf->portfolio_accept = i;
            conf->where[MNET_FIELD_portfolio_accept] = mnet_where(cmd);
            return NULL;
        }
    }
    return apr_psprintf(cmd->pool,
                        "MnetPortfolioAccept: %s is none of the answers to an intent; write "
                        "immediate, queue or none",
                        quote(arg, cmd->pool));
}

/* --- MnetPortfolioRoute --- */

/* A folder below the user's: no way out of it, and nothing hidden. */
static int folder_ok(const char *path)
{
    if (!*path || strlen(path) > TO_MAX || !mnet_is_utf8(path, strlen(path))) {
        return 0;
    }
    for (const char *at = path; *at;) {
        apr_size_t len = strcspn(at, "/");

        if (!len || at[0] == '.' || len > 200) {
            return 0;
        }
        at += len;
        if (*at == '/' && !*++at) {
            return 0;
        }
    }
    for (const char *at = path; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '\\') {
            return 0;
        }
    }
    return 1;
}

static int url_ok(const char *url, apr_pool_t *pool)
{
    apr_uri_t uri;

    if (strlen(url) > TO_MAX) {
        return 0;
    }
    for (const char *at = url; *at; at++) {
        if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f) {
            return 0;
        }
    }
    if (!strncasecmp(url, "unix:/", 6)) { /* unix:PATH|http://... */
        url = strchr(url, '|') ? strchr(url, '|') + 1 : "";
    }
    if (strncasecmp(url, "http://", 7) && strncasecmp(url, "https://", 8)) {
        return 0;
    }
    return !apr_uri_parse(pool, url, &uri) && uri.hostname && *uri.hostname && !uri.user &&
           !uri.fragment;
}

static const char *read_priority(const char *arg, int *priority, apr_pool_t *pool)
{
    char *end;
    apr_int64_t number;

    if (strncasecmp(arg, "priority=", 9)) {
        return apr_psprintf(pool,
                            "MnetPortfolioRoute: %s is not understood; after the place there may "
                            "be priority=N",
                            quote(arg, pool));
    }
    errno = 0;
    number = apr_strtoi64(arg + 9, &end, 10);
    if (errno || !arg[9] || *end || number < -PRIORITY_MAX || number > PRIORITY_MAX) {
        return apr_psprintf(pool,
                            "MnetPortfolioRoute: %s is no priority; write a whole number from %d "
                            "to %d, as in priority=10",
                            quote(arg, pool), -PRIORITY_MAX, PRIORITY_MAX);
    }
    *priority = (int)number;
    return NULL;
}

static const char *read_to(mnet_portfolio_route_t *route, const char *arg, apr_pool_t *pool)
{
    if (!strncasecmp(arg, "dir:", 4)) {
        route->to = arg + 4;
        return folder_ok(route->to)
                   ? NULL
                   : apr_psprintf(pool,
                                  "MnetPortfolioRoute: %s is no folder below that of a user; write "
                                  "a relative path without '.' or '..', as in dir:incoming",
                                  quote(arg, pool));
    }
    route->to = arg;
    route->is_url = 1;
    return url_ok(arg, pool) ? NULL
                             : apr_psprintf(pool,
                                            "MnetPortfolioRoute: %s is neither a folder nor a URL; "
                                            "write dir:FOLDER, or a URL as in "
                                            "http://127.0.0.1:8080/packages",
                                            quote(arg, pool));
}

const char *mnet_set_portfolio_route(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    mnet_conf_t *conf = mnet_conf_get(cmd->server);
    mnet_portfolio_route_t *route = apr_pcalloc(cmd->pool, sizeof(*route));
    const char *problem = NULL;

    if (argc < 2 || argc > 3) {
        return "MnetPortfolioRoute takes a format and where its packages go, as in "
               "MnetPortfolioRoute leap2a dir:portfolios priority=10";
    }
    if (strcmp(argv[0], "*") && !mnet_name_ok(argv[0])) {
        return apr_psprintf(cmd->pool,
                            "MnetPortfolioRoute: %s is no name of a format; write leap2a, imscc, "
                            "scorm, manifest, file, ... or * for any",
                            quote(argv[0], cmd->pool));
    }
    route->format = argv[0];
    problem = read_to(route, argv[1], cmd->pool);
    if (!problem && argc == 3) {
        problem = read_priority(argv[2], &route->priority, cmd->pool);
    }
    if (!conf->portfolio_routes) {
        conf->portfolio_routes =
            apr_array_make(cmd->pool, 4, sizeof(const mnet_portfolio_route_t *));
    }
    if (!problem && conf->portfolio_routes->nelts >= ROUTES_MAX) {
        return apr_psprintf(cmd->pool, "MnetPortfolioRoute: no more than %d are allowed",
                            ROUTES_MAX);
    }
    APR_ARRAY_PUSH(conf->portfolio_routes, const mnet_portfolio_route_t *) = route;
    conf->where[MNET_FIELD_portfolio_routes] = mnet_where(cmd);
    return problem;
}

int mnet_portfolio_routes_same(const apr_array_header_t *a, const apr_array_header_t *b)
{
    int count = a ? a->nelts : 0;

    if (count != (b ? b->nelts : 0)) {
        return 0;
    }
    for (int i = 0; i < count; i++) {
        const mnet_portfolio_route_t *one = APR_ARRAY_IDX(a, i, const mnet_portfolio_route_t *);
        const mnet_portfolio_route_t *other = APR_ARRAY_IDX(b, i, const mnet_portfolio_route_t *);

        if (strcmp(one->format, other->format) || strcmp(one->to, other->to) ||
            one->is_url != other->is_url || one->priority != other->priority) {
            return 0;
        }
    }
    return 1;
}

/* --- all of them --- */

static const char *dir_of(const mnet_conf_t *conf, apr_pool_t *pool)
{
    const char *dir = ap_server_root_relative(pool, conf->portfolio_dir);
    apr_size_t len = dir ? strlen(dir) : 0;

    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    return dir ? apr_pstrmemdup(pool, dir, len) : NULL;
}

const mnet_portfolio_options_t *mnet_conf_portfolio(const mnet_conf_t *conf, apr_pool_t *pool)
{
    const char *dir = conf->portfolio_dir ? dir_of(conf, pool) : NULL;
    mnet_portfolio_options_t *options;

    if (!dir) {
        return NULL;
    }
    options = mnet_portfolio_options_create(dir, pool);
    if (conf->portfolio_accept != MNET_UNSET) {
        options->accept = conf->portfolio_accept;
    }
    if (conf->portfolio_max_size != MNET_UNSET) {
        options->max_size = conf->portfolio_max_size;
    }
    if (conf->portfolio_expire != MNET_UNSET) {
        options->expire = conf->portfolio_expire;
    }
    if (conf->portfolio_interval != MNET_UNSET) {
        options->interval = conf->portfolio_interval;
    }
    if (conf->portfolio_routes) {
        options->routes = conf->portfolio_routes;
    }
    return options;
}

/* --- the folder --- */

/* Does path lie in the directory dir, or is it that? */
static int lies_in(const char *path, const char *dir)
{
    apr_size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    return !strncmp(path, dir, len) && (path[len] == '/' || !path[len] || len == 1);
}

/* A problem of one server's folder, or NULL. */
static const char *folder_problem(const mnet_conf_t *conf, server_rec *main_server,
                                  apr_pool_t *pool)
{
    const char *dir = dir_of(conf, pool), *state = mnet_conf_state_dir(conf, pool);
    apr_finfo_t info;

    if (!dir) {
        return "MnetPortfolioDir is no path; write an absolute one, as in "
               "/var/lib/apache2/portfolio";
    }
    if (!apr_stat(&info, dir, APR_FINFO_TYPE, pool) && info.filetype != APR_DIR) {
        return apr_psprintf(pool, "MnetPortfolioDir: %s is there and is no directory; name another",
                            dir);
    }
    if (state && (lies_in(dir, state) || lies_in(state, dir))) {
        return apr_psprintf(pool,
                            "MnetPortfolioDir %s and MnetStateDir %s lie in one another, and what "
                            "peers send must not come near our keys; name another",
                            dir, state);
    }
    for (server_rec *s = main_server; s; s = s->next) {
        const core_server_config *core = ap_get_core_module_config(s->module_config);

        if (core->ap_document_root && lies_in(dir, core->ap_document_root)) {
            return apr_psprintf(pool,
                                "MnetPortfolioDir %s lies below the DocumentRoot %s, so that "
                                "anybody could download what users sent; name a directory outside "
                                "of it",
                                dir, core->ap_document_root);
        }
    }
    return NULL;
}

int mnet_portfolio_check(server_rec *main_server, apr_pool_t *pool)
{
    int errors = 0;

    for (server_rec *s = main_server; s; s = s->next) {
        const mnet_conf_t *conf = mnet_conf_get(s);
        const char *problem;

        if (conf->engine != 1 || !conf->portfolio_dir ||
            (s != main_server && conf == mnet_conf_get(main_server))) {
            continue;
        }
        problem = folder_problem(conf, main_server, pool);
        if (problem) {
            mnet_check_say(s, APLOG_ERR, &conf->where[MNET_FIELD_portfolio_dir], "MNET1019",
                           problem);
            errors++;
        }
    }
    return errors;
}

static const char *because(const char *dir, const char *what, int error, apr_pool_t *pool)
{
    char reason[120];

    return apr_psprintf(pool,
                        "MnetPortfolioDir: %s %s (%s); make it by hand, mode 0700, owned by User",
                        dir, what, apr_strerror(APR_FROM_OS_ERROR(error), reason, sizeof(reason)));
}

static const char *prepare(const char *dir, apr_pool_t *pool)
{
    uid_t user = geteuid() ? geteuid() : ap_unixd_config.user_id;
    struct stat info;

    if (!mkdir(dir, 0700)) {
        if (chmod(dir, 0700)) {
            return because(dir, "cannot be given mode 0700", errno, pool);
        }
        if (!geteuid() && lchown(dir, ap_unixd_config.user_id, ap_unixd_config.group_id)) {
            return because(dir, "cannot be given to User", errno, pool);
        }
    } else if (errno != EEXIST) {
        return because(dir, "cannot be made", errno, pool);
    }
    if (stat(dir, &info)) {
        return because(dir, "cannot be looked at", errno, pool);
    }
    if (!S_ISDIR(info.st_mode)) {
        return apr_psprintf(pool, "MnetPortfolioDir: %s is no directory; name another", dir);
    }
    if (info.st_uid != user || (info.st_mode & 0700) != 0700) {
        return apr_psprintf(pool,
                            "MnetPortfolioDir: %s belongs to user %ld with mode %04o, but User is "
                            "%ld, who must write there; run: chown %ld %s && chmod u+rwx %s",
                            dir, (long)info.st_uid, (unsigned)(info.st_mode & 07777), (long)user,
                            (long)user, dir, dir);
    }
    if (info.st_mode & 0002) {
        return apr_psprintf(pool, "MnetPortfolioDir: anybody may write in %s; run: chmod o-w %s",
                            dir, dir);
    }
    return NULL;
}

const char *mnet_portfolio_prepare(const mnet_global_t *global, apr_pool_t *pool)
{
    for (int i = 0; i < global->sites->nelts; i++) {
        const mnet_site_t *site = APR_ARRAY_IDX(global->sites, i, const mnet_site_t *);
        const char *problem = site->portfolio ? prepare(site->portfolio->dir, pool) : NULL;

        if (problem) {
            return problem;
        }
    }
    return NULL;
}
