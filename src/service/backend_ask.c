/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_fnmatch.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "service/backend_int.h"

/* How long an answer is good; and how long the lack of one is. */
#define KEEP         apr_time_from_sec(300)
#define KEEP_NOTHING apr_time_from_sec(30)
/* What is kept of one application, and what is asked for at most. */
#define KEEP_MAX  512
#define PATHS_MAX 1000
#define TEXT_MAX  8192
/* A peer waits for it: it is not given the time of a call. */
#define PATIENCE apr_time_from_sec(5)

/* An answer that is kept, in a pool of its own. */
typedef struct kept_t {
    apr_pool_t *pool;
    const char *question;
    apr_time_t until;
    const char *text; /* one line for each path or type; NULL: it does not say */
} kept_t;

/* --- asking --- */

static mnet_value_t *ask(mnet_host_t *host, mnet_backend_t *backend, const char *method,
                         const char *path, apr_pool_t *pool)
{
    apr_array_header_t *params = apr_array_make(pool, 1, sizeof(mnet_value_t *));
    apr_interval_time_t timeout =
        backend->options->timeout ? backend->options->timeout : host->site->timeout;
    mnet_backend_call_t call = {
        .backend = backend,
        .host = host,
        .peer = host->site->wwwroot,
        .application = "mod_mnet",
        .method = method,
        .params = params,
        .id = "-",
        .readonly = 1,
        .timeout = timeout < PATIENCE ? timeout : PATIENCE,
        .pool = pool,
    };

    if (path) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(path, pool);
    }
    mnet_backend_perform(&call);
    if (call.problem) {
        mnet_log(host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET1109",
                 "%s: the application behind %s does not tell %s: %s", host->site->wwwroot,
                 backend->options->pattern, method,
                 mnet_for_log(call.problem, strlen(call.problem), 300, pool));
    }
    return call.result;
}

/* What was asked before, if it is still good; 0: ask. */
static int look_up(mnet_backend_t *backend, const char *question, const char **text,
                   apr_pool_t *pool)
{
    const kept_t *kept;
    int found;

    apr_thread_mutex_lock(backend->mutex);
    kept = apr_hash_get(backend->asked, question, APR_HASH_KEY_STRING);
    found = kept && kept->until > apr_time_now();
    *text = found && kept->text ? apr_pstrdup(pool, kept->text) : NULL;
    apr_thread_mutex_unlock(backend->mutex);
    return found;
}

static void forget(mnet_backend_t *backend, kept_t *kept)
{
    apr_hash_set(backend->asked, kept->question, APR_HASH_KEY_STRING, NULL);
    apr_pool_destroy(kept->pool);
}

/* Peers can ask for the help of any path that the pattern has: the first one found makes room. */
static void make_room(mnet_backend_t *backend, const char *question)
{
    kept_t *kept = apr_hash_get(backend->asked, question, APR_HASH_KEY_STRING);
    apr_hash_index_t *first;

    if (!kept && apr_hash_count(backend->asked) >= KEEP_MAX) {
        first = apr_hash_first(NULL, backend->asked);
        kept = first ? apr_hash_this_val(first) : NULL;
    }
    if (kept) {
        forget(backend, kept);
    }
}

static void keep(mnet_backend_t *backend, const char *question, const char *text)
{
    apr_pool_t *pool;
    kept_t *kept;

    apr_thread_mutex_lock(backend->mutex);
    make_room(backend, question);
    if (!apr_pool_create(&pool, backend->pool)) {
        kept = apr_pcalloc(pool, sizeof(*kept));
        kept->pool = pool;
        kept->question = apr_pstrdup(pool, question);
        kept->text = text ? apr_pstrdup(pool, text) : NULL;
        kept->until = apr_time_now() + (text ? KEEP : KEEP_NOTHING);
        apr_hash_set(backend->asked, kept->question, APR_HASH_KEY_STRING, kept);
    }
    apr_thread_mutex_unlock(backend->mutex);
}

/* --- what its answers say --- */

static const char *help_of(const mnet_value_t *answer, apr_pool_t *pool)
{
    const char *text = answer && answer->type == MNET_STRING ? mnet_as_text(answer, pool) : NULL;

    return text && *text && strlen(text) <= TEXT_MAX ? text : NULL;
}

/* A name of a type or parameter, fit for a line. */
static const char *word_of(const mnet_value_t *value, apr_pool_t *pool)
{
    const char *text = value && value->type == MNET_STRING ? mnet_as_text(value, pool) : NULL;
    const char *c;

    if (!text || !*text || strlen(text) > 255) {
        return NULL;
    }
    for (c = text; *c; c++) {
        if (apr_iscntrl(*c)) {
            return NULL;
        }
    }
    return text;
}

/* A line "type", "type\tname" or "type\tname\tdescription". */
static const char *line_of(const mnet_value_t *type, apr_pool_t *pool)
{
    const char *name, *what, *description;

    if (type && type->type == MNET_STRING) {
        return word_of(type, pool);
    }
    what = word_of(mnet_get(type, "type"), pool);
    name = word_of(mnet_get(type, "name"), pool);
    description = word_of(mnet_get(type, "description"), pool);
    return what ? apr_pstrcat(pool, what, "\t", name ? name : "", "\t",
                              description ? description : "", NULL)
                : NULL;
}

/*
 * Lines, the first of which is what the method returns.  As XML-RPC's introspection has it: an
 * array of signatures, each an array of types, of which the first counts; or as Moodle: a struct of
 * parameters and return.
 */
static const char *signature_of(const mnet_value_t *answer, apr_pool_t *pool)
{
    const mnet_value_t *first = mnet_item(answer, 0), *list = first;
    const char *line, *lines = NULL;
    int i = 0;

    if (answer && answer->type == MNET_STRUCT) {
        list = mnet_get(answer, "parameters");
        lines = line_of(mnet_get(answer, "return"), pool);
        if (!lines) {
            return NULL;
        }
    } else if (!answer || answer->type != MNET_ARRAY || mnet_count(first) < 1) {
        return NULL;
    } else {
        lines = line_of(mnet_item(first, i++), pool);
    }
    for (; lines && i < mnet_count(list) && i <= MNET_BACKEND_PARAMETERS_MAX; i++) {
        line = line_of(mnet_item(list, i), pool);
        lines = line ? apr_pstrcat(pool, lines, "\n", line, NULL) : NULL;
    }
    return lines;
}

/* The paths of a list, or of a Mahara's struct, that the pattern has. */
static const char *paths_of(const mnet_value_t *answer, const char *pattern, apr_pool_t *pool)
{
    apr_array_header_t *paths = apr_array_make(pool, 16, sizeof(const char *));
    int i;

    for (i = 0; i < mnet_count(answer) && paths->nelts < PATHS_MAX; i++) {
        const char *path = answer->type == MNET_STRUCT ? mnet_item_name(answer, i)
                                                       : word_of(mnet_item(answer, i), pool);

        if (path && mnet_method_name_ok(path) && !apr_fnmatch(pattern, path, 0)) {
            APR_ARRAY_PUSH(paths, const char *) = path;
        }
    }
    return answer ? apr_array_pstrcat(pool, paths, '\n') : NULL;
}

/* --- what the registry asks --- */

static const char *asked(mnet_host_t *host, mnet_backend_t *backend, const char *method,
                         const char *path, apr_pool_t *pool)
{
    const char *question = apr_pstrcat(pool, method, " ", path, NULL), *text;
    mnet_value_t *answer;

    if (look_up(backend, question, &text, pool)) {
        return text;
    }
    answer = ask(host, backend, method, path, pool);
    text = !path ? paths_of(answer, backend->options->pattern, pool)
           : !strcmp(method, "system.methodHelp") ? help_of(answer, pool)
                                                  : signature_of(answer, pool);
    keep(backend, question, text);
    return text;
}

static mnet_parameter_t parse_line(char *line)
{
    mnet_parameter_t parameter = {"", line, ""};
    char *name = strchr(line, '\t'), *description;

    if (name) {
        *name++ = '\0';
        parameter.name = name;
        description = strchr(name, '\t');
        if (description) {
            *description++ = '\0';
            parameter.description = description;
        }
    }
    return parameter;
}

static void describe_types(mnet_description_t *description, const char *lines, apr_pool_t *pool)
{
    mnet_parameter_t *parameters =
        apr_pcalloc(pool, sizeof(*parameters) * (MNET_BACKEND_PARAMETERS_MAX + 2));
    char *copy = apr_pstrdup(pool, lines), *last = NULL;
    char *line = apr_strtok(copy, "\n", &last);
    int n = 0;

    if (!line) {
        return;
    }
    description->returns = parse_line(line);
    while (n < MNET_BACKEND_PARAMETERS_MAX && (line = apr_strtok(NULL, "\n", &last))) {
        parameters[n] = parse_line(line);
        if (!*parameters[n].name) {
            parameters[n].name = apr_psprintf(pool, "p%d", n + 1);
        }
        n++;
    }
    description->parameters = parameters;
}

static void describe(mnet_host_t *host, const mnet_method_t *method, const char *path,
                     mnet_description_t *description, apr_pool_t *pool)
{
    mnet_backend_t *backend = method->baton;
    const char *text;

    if (!backend->options->help) {
        text = asked(host, backend, "system.methodHelp", path, pool);
        description->help = text ? text : description->help;
    }
    if (!backend->options->parameters) {
        text = asked(host, backend, "system.methodSignature", path, pool);
        if (text) {
            describe_types(description, text, pool);
        }
    }
}

static void list(mnet_host_t *host, const mnet_method_t *method, apr_array_header_t *paths,
                 apr_pool_t *pool)
{
    const char *text = asked(host, method->baton, "system.listMethods", NULL, pool);
    char *copy = apr_pstrdup(pool, text ? text : ""), *last = NULL, *path;

    for (path = apr_strtok(copy, "\n", &last); path; path = apr_strtok(NULL, "\n", &last)) {
        APR_ARRAY_PUSH(paths, const char *) = path;
    }
}

const mnet_method_asks_t mnet_backend_asks = {describe, list};
