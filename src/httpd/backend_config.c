/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/backend_config.h"

#include <http_log.h>
#include <apr_strings.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/status.h"
#include "httpd/check_say.h"
#include "service/services.h"

APLOG_USE_MODULE(mnet);

#define SECRET_NAME "mnet-backend-secret"

/* --- the directive --- */

static const mnet_backend_said_t *said(const apr_array_header_t *list, const char *pattern)
{
    for (int i = 0; list && i < list->nelts; i++) {
        const mnet_backend_said_t *each = APR_ARRAY_IDX(list, i, const mnet_backend_said_t *);
        if (!strcmp(each->options->pattern, pattern))
            return each;
    }
    return NULL;
}

const char *mnet_set_backend(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    mnet_conf_t *conf = mnet_conf_get(cmd->server);
    mnet_backend_options_t *options;
    mnet_backend_said_t *backend;
    const mnet_backend_said_t *before;
    const char *problem = mnet_backend_parse(&options, argc, argv, cmd->pool);

    if (problem)
        return problem;
    before = said(conf->backends, options->pattern);
    if (before)
        return apr_psprintf(cmd->pool,
                            "MnetBackend: '%s' is there twice, first in line %d of %s; an "
                            "application that has several URLs gets them all in one line",
                            options->pattern, before->where.line,
                            before->where.file ? before->where.file : "?");
    backend = apr_palloc(cmd->pool, sizeof(*backend));
    backend->options = options;
    backend->where = mnet_where(cmd);
    if (!conf->backends)
        conf->backends = apr_array_make(cmd->pool, 8, sizeof(const mnet_backend_said_t *));
    APR_ARRAY_PUSH(conf->backends, const mnet_backend_said_t *) = backend;
    conf->where[MNET_FIELD_backends] = backend->where;
    return NULL;
}

apr_array_header_t *mnet_backends_merge(apr_pool_t *pool, apr_array_header_t *over,
                                        apr_array_header_t *under)
{
    apr_array_header_t *list;
    if (!over || !under)
        return over ? over : under;
    list = apr_array_copy(pool, over);
    for (int i = 0; i < under->nelts; i++) {
        const mnet_backend_said_t *each = APR_ARRAY_IDX(under, i, const mnet_backend_said_t *);
        if (!said(over, each->options->pattern))
            APR_ARRAY_PUSH(list, const mnet_backend_said_t *) = each;
    }
    return list;
}

int mnet_backends_same(const apr_array_header_t *a, const apr_array_header_t *b)
{
    int count = a ? a->nelts : 0;
    if (count != (b ? b->nelts : 0))
        return 0;
    for (int i = 0; i < count; i++)
        if (!mnet_backend_same(APR_ARRAY_IDX(a, i, const mnet_backend_said_t *)->options,
                               APR_ARRAY_IDX(b, i, const mnet_backend_said_t *)->options))
            return 0;
    return 1;
}

/* --- the check --- */

static const char *taken(const mnet_backend_options_t *options, apr_status_t rv, apr_pool_t *pool)
{
    if (rv == MNET_E_EXISTS)
        return apr_psprintf(pool,
                            "MnetBackend: '%s' is answered by this server itself; choose another "
                            "path",
                            options->pattern);
    return apr_psprintf(pool, "MnetBackend: '%s' cannot be a path; choose another",
                        options->pattern);
}

static int check_site(server_rec *s, mnet_registry_t *registry, apr_pool_t *pool)
{
    const mnet_conf_t *conf = mnet_conf_get(s);
    int errors = 0;
    for (int i = 0; conf->backends && i < conf->backends->nelts; i++) {
        const mnet_backend_said_t *each =
            APR_ARRAY_IDX(conf->backends, i, const mnet_backend_said_t *);
        apr_status_t rv =
            mnet_backend_add(registry, conf->site->wwwroot, each->options, NULL, pool);
        if (rv) {
            errors++;
            mnet_check_say(s, APLOG_ERR, &each->where, "MNET1102", taken(each->options, rv, pool));
        }
    }
    return errors;
}

/* The first of the servers that are a site. */
static int is_first(server_rec *main_server, const server_rec *s)
{
    const mnet_site_t *site = mnet_conf_get(s)->site;
    const server_rec *each = main_server;
    while (each && mnet_conf_get(each)->site != site)
        each = each->next;
    return site && each == s;
}

int mnet_backends_check(server_rec *main_server, apr_pool_t *pool)
{
    mnet_registry_t *registry = mnet_registry_create(pool);
    int errors = 0;
    if (mnet_services_register(registry))
        return 0;
    for (server_rec *s = main_server; s; s = s->next)
        if (is_first(main_server, s))
            errors += check_site(s, registry, pool);
    return errors;
}

void mnet_backends_warn(server_rec *s, apr_pool_t *pool)
{
    const mnet_conf_t *conf = mnet_conf_get(s);
    for (int i = 0; conf->backends && i < conf->backends->nelts; i++) {
        const mnet_backend_said_t *each =
            APR_ARRAY_IDX(conf->backends, i, const mnet_backend_said_t *);
        for (int j = 0; j < each->options->urls->nelts; j++) {
            const mnet_backend_url_t *url =
                &APR_ARRAY_IDX(each->options->urls, j, mnet_backend_url_t);
            if (url->is_plain)
                mnet_check_say(
                    s, APLOG_WARNING, &each->where, "MNET1101",
                    apr_psprintf(pool,
                                 "MnetBackend: %s is another machine and plain http: what peers "
                                 "send under seal goes there for everybody to read and change; use "
                                 "https, or an application on this machine",
                                 url->shown));
        }
    }
}

/* --- in a child --- */

void mnet_backends_add(mnet_registry_t *registry, server_rec *main_server, const mnet_log_t *log,
                       apr_pool_t *pool)
{
    const unsigned char *secret = mnet_conf_get(main_server)->global->backend_secret;
    for (server_rec *s = main_server; s; s = s->next) {
        const mnet_conf_t *conf = mnet_conf_get(s);
        for (int i = 0; is_first(main_server, s) && conf->backends && i < conf->backends->nelts;
             i++) {
            const mnet_backend_options_t *options =
                APR_ARRAY_IDX(conf->backends, i, const mnet_backend_said_t *)->options;
            apr_status_t rv =
                mnet_backend_add(registry, conf->site->wwwroot, options, secret, pool);
            if (rv)
                mnet_log(log, MNET_LOG_ERR, rv, "MNET1103",
                         "%s: the method %s of MnetBackend is not added: another module or a "
                         "built-in service has it",
                         conf->site->wwwroot, options->pattern);
        }
    }
}

const unsigned char *mnet_backends_secret(server_rec *main_server)
{
    apr_pool_t *pool = main_server->process->pool;
    unsigned char *secret;
    void *found = NULL;

    apr_pool_userdata_get(&found, SECRET_NAME, pool);
    if (found)
        return found;
    secret = apr_palloc(pool, MNET_BACKEND_SECRET);
    if (RAND_bytes(secret, MNET_BACKEND_SECRET) != 1)
        return NULL;
    /* With a copy of the name: ours goes when a restart unloads the module. */
    return apr_pool_userdata_set(secret, SECRET_NAME, NULL, pool) ? NULL : secret;
}

int mnet_backends_own(request_rec *r)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const apr_table_t *headers = r->headers_in;
    const char *proof = apr_table_get(headers, "X-Mnet-Proof");
    mnet_backend_told_t told;

    if (!proof || !conf->host)
        return 0;
    told = (mnet_backend_told_t){
        apr_table_get(headers, "Host"),          r->unparsed_uri,
        apr_table_get(headers, "X-Mnet-Peer"),   apr_table_get(headers, "X-Mnet-Application"),
        apr_table_get(headers, "X-Mnet-Method"),
    };
    return mnet_backend_proven(conf->host->engine->crypto, conf->global->backend_secret, proof,
                               &told, r->request_time, r->pool);
}
