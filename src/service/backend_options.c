/* SPDX-License-Identifier: Apache-2.0 */
/* MnetBackend's arguments: every mistake is answered with a sentence that says the mend. */
#include "service/backend.h"

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <string.h>

#include "base/text.h"

#define EXAMPLE     "MnetBackend local/school/api.php/* http://127.0.0.1:8080/mnet.php service=school"
#define URL_MAX_LEN 2000
#define TIMEOUT_MIN apr_time_from_msec(100)
#define TIMEOUT_MAX apr_time_from_sec(600)

static const char *quote(const char *text, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "'", mnet_for_log(text, strlen(text), 200, pool), "'", NULL);
}

static int is_name(const char *name)
{
    apr_size_t len = strlen(name);

    return len && len <= 64 &&
           len == strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
}

/* --- the path --- */

static const char *read_pattern(mnet_backend_options_t *options, const char *pattern,
                                apr_pool_t *pool)
{
    int wild = strchr(pattern, '*') != NULL;

    options->pattern = pattern;
    if (!strncmp(pattern, "system/", 7) || !strncmp(pattern, "system.", 7)) {
        return apr_psprintf(pool,
                            "MnetBackend: %s: the methods of system are this server's own; choose "
                            "another path, as in " EXAMPLE,
                            quote(pattern, pool));
    }
    if (!wild && !mnet_method_name_ok(pattern)) {
        return apr_psprintf(pool,
                            "MnetBackend: %s is no path of a method; write one, as in "
                            "local/school/api.php/grade, or a pattern with *, as in " EXAMPLE,
                            quote(pattern, pool));
    }
    if (wild &&
        (strlen(pattern) > 255 ||
         strlen(pattern) != strspn(pattern, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_-./*"))) {
        return apr_psprintf(pool,
                            "MnetBackend: %s is no pattern; write letters, digits, '_', '-', '.', "
                            "'/' and '*', as in " EXAMPLE,
                            quote(pattern, pool));
    }
    return NULL;
}

/* As Moodle names plugins: the path's first two parts, "local_school". */
static const char *default_service(mnet_backend_options_t *options, apr_pool_t *pool)
{
    const char *pattern = options->pattern;
    apr_size_t first = strcspn(pattern, "/"), second;

    if (pattern[first]) {
        second = strcspn(pattern + first + 1, "/");
        options->service =
            apr_psprintf(pool, "%.*s_%.*s", (int)first, pattern, (int)second, pattern + first + 1);
        if (pattern[first + 1 + second] && is_name(options->service)) {
            return NULL;
        }
    }
    return apr_psprintf(pool,
                        "MnetBackend %s needs service=NAME, since its path does not name a plugin; "
                        "MnetPublish names that service for the peers that may call it",
                        quote(pattern, pool));
}

/* --- URLs --- */

static const char *url_problem(const char *arg, const char *what, apr_pool_t *pool)
{
    return apr_psprintf(pool,
                        "MnetBackend: %s %s; write as in http://127.0.0.1:8080/mnet.php, "
                        "https://app.example.org/mnet or unix:/run/app.sock|http://app/mnet",
                        quote(arg, pool), what);
}

static const char *read_socket(mnet_backend_url_t *url, const char *arg, apr_pool_t *pool)
{
    const char *bar = strchr(arg, '|');
    apr_size_t len;

    if (!bar) {
        return url_problem(arg, "has no URL after the socket's path", pool);
    }
    len = (apr_size_t)(bar - arg) - 5;
    if (!len || arg[5] != '/') {
        return url_problem(arg, "is not an absolute path of a socket", pool);
    }
    if (len > MNET_BACKEND_SOCKET_MAX) {
        return apr_psprintf(pool,
                            "MnetBackend: the socket's path in %s has %" APR_SIZE_T_FMT
                            " bytes, and the system allows %d; move the socket to a shorter path, "
                            "as in unix:/run/app.sock|http://app/mnet",
                            quote(arg, pool), len, MNET_BACKEND_SOCKET_MAX);
    }
    url->unix_socket = apr_pstrmemdup(pool, arg + 5, len);
    url->url = bar + 1;
    if (strncmp(url->url, "http://", 7) != 0) {
        return url_problem(arg, "does not go on with http:// after the '|'", pool);
    }
    return NULL;
}

static int is_loopback(const char *host)
{
    return !apr_cstr_casecmp(host, "localhost") || !strcmp(host, "::1") ||
           (!strncmp(host, "127.", 4) && strlen(host) == strspn(host, "0123456789."));
}

/* apr_uri_parse cuts a number that is too large. */
static int is_port(const char *text)
{
    apr_int64_t port = apr_atoi64(text);

    return strlen(text) <= 5 && strlen(text) == strspn(text, "0123456789") && port > 0 &&
           port <= 65535;
}

/* As a client says it in Host: without a port that goes without saying. */
static const char *authority_of(const apr_uri_t *uri, apr_pool_t *pool)
{
    const char *colon = uri->port_str && uri->hostinfo ? strrchr(uri->hostinfo, ':') : NULL;

    if (colon && uri->port == apr_uri_port_of_scheme(uri->scheme)) {
        return apr_pstrmemdup(pool, uri->hostinfo, (apr_size_t)(colon - uri->hostinfo));
    }
    return uri->hostinfo;
}

static const char *read_url(mnet_backend_options_t *options, const char *arg, apr_pool_t *pool)
{
    mnet_backend_url_t *url = apr_array_push((apr_array_header_t *)options->urls);
    const char *problem = NULL, *c;
    apr_uri_t uri;

    memset(url, 0, sizeof(*url));
    url->shown = url->url = arg;
    for (c = arg; *c && *c > ' ' && *c != 0x7f && !strchr("\"<>\\^`{}", *c); c++) {
    }
    if (*c || c - arg > URL_MAX_LEN) {
        return url_problem(arg, "has a character that no URL has, or is too long", pool);
    }
    if (!strncmp(arg, "unix:", 5)) {
        problem = read_socket(url, arg, pool);
    } else if (strncmp(arg, "http://", 7) != 0 && strncmp(arg, "https://", 8) != 0) {
        problem = url_problem(arg, "is neither a URL nor an option that is known", pool);
    }
    if (problem) {
        return problem;
    }
    if (apr_uri_parse(pool, url->url, &uri) || !uri.hostname || !*uri.hostname ||
        (uri.port_str && !is_port(uri.port_str))) {
        return url_problem(arg, "is no URL with a host and a port that can be", pool);
    }
    if (uri.user || uri.password || strchr(uri.hostinfo ? uri.hostinfo : "", '@')) {
        return url_problem(arg, "has a user in it, which is not sent", pool);
    }
    if (uri.fragment) {
        return url_problem(arg, "has a '#', which is not sent", pool);
    }
    url->path = apr_pstrcat(pool, uri.path && *uri.path ? uri.path : "/", uri.query ? "?" : "",
                            uri.query ? uri.query : "", NULL);
    url->authority = authority_of(&uri, pool);
    url->is_plain = !url->unix_socket && !strcmp(uri.scheme, "http") && !is_loopback(uri.hostname);
    return NULL;
}

/* --- the signature --- */

static int is_type(const char *word, apr_size_t len)
{
    return len && len <= 40 &&
           len <= strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
}

static const char *signature_problem(const char *arg, apr_pool_t *pool)
{
    return apr_psprintf(pool,
                        "MnetBackend: signature=%s is not understood; write what is returned and "
                        "what is given, one that may be left out with a '?', as in "
                        "\"signature=boolean(string username, int course, string role?)\"",
                        quote(arg, pool));
}

/* "TYPE NAME" or "TYPE NAME?" */
static int read_parameter(mnet_parameter_t *parameter, char *text, int *optional)
{
    char *name, *end;

    while (apr_isspace(*text)) {
        text++;
    }
    name = text + strcspn(text, " \t");
    if (!*name) {
        return 0;
    }
    *name++ = '\0';
    while (apr_isspace(*name)) {
        name++;
    }
    end = name + strlen(name);
    while (end > name && apr_isspace(end[-1])) {
        *--end = '\0';
    }
    *optional = end > name && end[-1] == '?';
    if (*optional) {
        end[-1] = '\0';
    }
    parameter->type = text;
    parameter->name = name;
    parameter->description = "";
    return is_type(text, strlen(text)) && is_name(name);
}

static const char *read_signature(mnet_backend_options_t *options, const char *arg,
                                  apr_pool_t *pool)
{
    mnet_parameter_t *parameters =
        apr_pcalloc(pool, sizeof(*parameters) * (MNET_BACKEND_PARAMETERS_MAX + 1));
    char *copy = apr_pstrdup(pool, arg), *open = strchr(copy, '('), *close = strrchr(copy, ')');
    char *last = NULL, *each;
    int n = 0, optional, some_optional = 0;

    if (!open || !close || close < open || close[1] || open == copy) {
        return signature_problem(arg, pool);
    }
    *open++ = *close = '\0';
    while (*copy && apr_isspace(copy[strlen(copy) - 1])) {
        copy[strlen(copy) - 1] = '\0';
    }
    if (!is_type(copy, strlen(copy))) {
        return signature_problem(arg, pool);
    }
    options->returns = (mnet_parameter_t){NULL, copy, ""};
    options->parameters = parameters;
    if (strspn(open, " \t") == strlen(open)) {
        return NULL;
    }
    for (each = apr_strtok(open, ",", &last); each; each = apr_strtok(NULL, ",", &last)) {
        if (n == MNET_BACKEND_PARAMETERS_MAX || !read_parameter(&parameters[n], each, &optional) ||
            (some_optional && !optional)) {
            return signature_problem(arg, pool);
        }
        some_optional = optional;
        n++;
        options->required += !optional;
    }
    return NULL;
}

/* --- options --- */

static const char *set_service(mnet_backend_options_t *options, const char *value, apr_pool_t *pool)
{
    if (!is_name(value) || !strcmp(value, "system")) {
        return apr_psprintf(pool,
                            "MnetBackend: service=%s is no name of a service; write letters, "
                            "digits, '_', '-' and '.', as in service=school",
                            quote(value, pool));
    }
    options->service = value;
    return NULL;
}

static const char *set_format(mnet_backend_options_t *options, const char *value, apr_pool_t *pool)
{
    if (strcmp(value, "xmlrpc") != 0 && strcmp(value, "json") != 0) {
        return apr_psprintf(pool,
                            "MnetBackend: format=%s is not known; write format=xmlrpc or "
                            "format=json",
                            quote(value, pool));
    }
    options->format = *value == 'j' ? MNET_BACKEND_JSON : MNET_BACKEND_XMLRPC;
    return NULL;
}

static const char *set_timeout(mnet_backend_options_t *options, const char *value, apr_pool_t *pool)
{
    if (mnet_parse_time(value, &options->timeout) || options->timeout < TIMEOUT_MIN ||
        options->timeout > TIMEOUT_MAX) {
        return apr_psprintf(pool,
                            "MnetBackend: timeout=%s is no time from 100ms to 10m; write as in "
                            "timeout=20s (a Moodle waits for 59 seconds)",
                            quote(value, pool));
    }
    return NULL;
}

static const char *set_help(mnet_backend_options_t *options, const char *value, apr_pool_t *pool)
{
    if (strlen(value) > 8192 || !mnet_is_utf8(value, strlen(value))) {
        return "MnetBackend: help= is too long or not UTF-8; write some sentences, and save the "
               "file as UTF-8";
    }
    options->help = value;
    return NULL;
}

static const char *set_signature(mnet_backend_options_t *options, const char *value,
                                 apr_pool_t *pool)
{
    return read_signature(options, value, pool);
}

static const struct option_t {
    const char *name; /* with its '=' */
    const char *(*set)(mnet_backend_options_t *options, const char *value, apr_pool_t *pool);
} known[] = {{"service=", set_service},
             {"format=", set_format},
             {"timeout=", set_timeout},
             {"help=", set_help},
             {"signature=", set_signature}};
#define KNOWN (sizeof(known) / sizeof(known[0]))

/* The number of the option that it is; KNOWN: readonly; -1: none, so a URL. */
static int option_of(const char *arg)
{
    apr_size_t i;

    for (i = 0; i < KNOWN; i++) {
        if (!strncmp(arg, known[i].name, strlen(known[i].name))) {
            return (int)i;
        }
    }
    return strcmp(arg, "readonly") ? -1 : (int)KNOWN;
}

static const char *read_argument(mnet_backend_options_t *options, const char *arg,
                                 unsigned int *seen, apr_pool_t *pool)
{
    int option = option_of(arg);

    if (option < 0) {
        if (options->urls->nelts == MNET_BACKEND_URLS_MAX) {
            return apr_psprintf(pool, "MnetBackend: %d URLs are the most; leave %s out",
                                MNET_BACKEND_URLS_MAX, quote(arg, pool));
        }
        return read_url(options, arg, pool);
    }
    if (*seen & 1u << option) {
        return apr_psprintf(pool, "MnetBackend: %s is there twice; write it once",
                            option < (int)KNOWN ? known[option].name : "readonly");
    }
    *seen |= 1u << option;
    if (option == (int)KNOWN) {
        options->readonly = 1;
        return NULL;
    }
    return known[option].set(options, arg + strlen(known[option].name), pool);
}

const char *mnet_backend_parse(mnet_backend_options_t **parsed, int argc, char *const argv[],
                               apr_pool_t *pool)
{
    mnet_backend_options_t *options = apr_pcalloc(pool, sizeof(*options));
    const char *problem;
    unsigned int seen = 0;
    int i;

    *parsed = options;
    options->urls = apr_array_make(pool, 2, sizeof(mnet_backend_url_t));
    options->returns = (mnet_parameter_t){NULL, "mixed", ""};
    if (argc < 1) {
        return "MnetBackend: a path and a URL are needed, as in " EXAMPLE;
    }
    problem = read_pattern(options, argv[0], pool);
    for (i = 1; i < argc && !problem; i++) {
        problem = read_argument(options, argv[i], &seen, pool);
    }
    if (problem) {
        return problem;
    }
    if (!options->urls->nelts) {
        return apr_psprintf(pool, "MnetBackend %s: there is no URL; write one, as in " EXAMPLE,
                            quote(argv[0], pool));
    }
    return options->service ? NULL : default_service(options, pool);
}

/* --- are two the same? --- */

static int same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static int same_parameters(const mnet_parameter_t *a, const mnet_parameter_t *b)
{
    if (!a || !b) {
        return a == b;
    }
    while (a->name && b->name && !strcmp(a->name, b->name) && !strcmp(a->type, b->type)) {
        a++;
        b++;
    }
    return !a->name && !b->name;
}

int mnet_backend_same(const mnet_backend_options_t *a, const mnet_backend_options_t *b)
{
    int i;

    if (strcmp(a->pattern, b->pattern) != 0 || strcmp(a->service, b->service) != 0 ||
        a->format != b->format || a->timeout != b->timeout || a->readonly != b->readonly ||
        a->required != b->required || !same_text(a->help, b->help) ||
        strcmp(a->returns.type, b->returns.type) != 0 ||
        !same_parameters(a->parameters, b->parameters) || a->urls->nelts != b->urls->nelts) {
        return 0;
    }
    for (i = 0; i < a->urls->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(a->urls, i, mnet_backend_url_t).shown,
                   APR_ARRAY_IDX(b->urls, i, mnet_backend_url_t).shown) != 0) {
            return 0;
        }
    }
    return 1;
}
