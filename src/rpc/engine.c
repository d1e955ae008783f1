/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/engine.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

/* Where spools go.  Made by root (mnetctl), it must belong to whom the state belongs. */
static apr_status_t make_tmp(mnet_engine_t *engine, const char **why)
{
    apr_pool_t *pool = engine->pool;
    apr_finfo_t owner;
    char text[128];
    apr_status_t rv;

    engine->tmp_dir = apr_pstrcat(pool, engine->state_dir, "/tmp", NULL);
    rv = apr_dir_make(engine->tmp_dir, APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_UEXECUTE,
                      pool);
    if (APR_STATUS_IS_EEXIST(rv)) {
        return APR_SUCCESS;
    }
    if (!rv && geteuid() == 0 && !apr_stat(&owner, engine->state_dir, APR_FINFO_OWNER, pool)) {
        /* lchown: who owns the directory above could have put a link in its place. */
        if (lchown(engine->tmp_dir, owner.user, owner.group)) {
            rv = apr_get_os_error();
        }
    }
    if (rv) {
        *why =
            apr_psprintf(pool,
                         "the directory %s cannot be made (%s): is %s a directory that "
                         "belongs to httpd's User?",
                         engine->tmp_dir, mnet_strerror(rv, text, sizeof(text)), engine->state_dir);
    }
    return rv;
}

static void add_host(mnet_engine_t *engine, const mnet_site_t *site)
{
    mnet_host_t *host = apr_pcalloc(engine->pool, sizeof(*host));

    host->engine = engine;
    host->site = site;
    host->keyring =
        mnet_keyring_create(engine->crypto, engine->store, site, engine->log, engine->pool);
    host->peers = mnet_peers_create(engine->crypto, engine->store, site, engine->log, engine->pool);
    APR_ARRAY_PUSH(engine->hosts, mnet_host_t *) = host;
}

static apr_status_t add_stored(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                               const void *data, apr_size_t len)
{
    mnet_engine_t *engine = baton;
    mnet_site_t *site;
    apr_status_t rv = mnet_site_unpack(data, len, &site, engine->pool);

    if (!rv) {
        add_host(engine, site);
    }
    return rv;
}

static apr_status_t add_hosts(mnet_engine_t *engine, const apr_array_header_t *sites,
                              const char **why)
{
    mnet_txn_t *txn;
    apr_status_t rv;
    char text[128];
    int i;

    if (sites) {
        for (i = 0; i < sites->nelts; i++) {
            add_host(engine, APR_ARRAY_IDX(sites, i, const mnet_site_t *));
        }
        return APR_SUCCESS;
    }
    rv = mnet_txn_begin(engine->store, MNET_READ, &txn, engine->pool);
    if (!rv) {
        rv = mnet_txn_each(txn, "site", NULL, 0, NULL, 0, add_stored, engine);
        mnet_txn_abort(txn);
    }
    if (rv) {
        *why = apr_psprintf(engine->pool,
                            "the sites in %s cannot be read (%s): start httpd, which "
                            "writes them anew",
                            engine->state_dir, mnet_strerror(rv, text, sizeof(text)));
    }
    return rv;
}

apr_status_t mnet_engine_create(mnet_engine_t **created, const mnet_engine_options_t *options,
                                const char **why, apr_pool_t *pool)
{
    const mnet_transport_ops_t *ops =
        options->transport ? options->transport : &mnet_transport_curl;
    mnet_engine_t *engine = apr_pcalloc(pool, sizeof(*engine));
    apr_status_t rv;

    *why = "";
    engine->pool = pool;
    engine->log = options->log;
    engine->shared = options->shared;
    engine->registry = options->registry;
    engine->state_dir = apr_pstrdup(pool, options->state_dir);
    engine->outgoing_limit = options->outgoing_limit;
    engine->private_limit = options->private_limit;
    engine->hosts = apr_array_make(pool, 4, sizeof(mnet_host_t *));

    rv = mnet_crypto_create(&engine->crypto, why, pool);
    if (!rv) {
        rv = mnet_store_open(&engine->store, &mnet_store_lmdb, engine->state_dir,
                             options->state_size, engine->log, why, pool);
    }
    if (!rv) {
        rv = make_tmp(engine, why);
    }
    if (!rv) {
        engine->transport = apr_palloc(pool, sizeof(*engine->transport));
        engine->transport->ops = ops;
        rv = ops->create(&engine->transport->self, engine->log, pool);
        if (rv) {
            *why = "libcurl could not be started";
        }
    }
    if (!rv) {
        rv = add_hosts(engine, options->sites, why);
    }
    *created = engine;
    return rv;
}

mnet_host_t *mnet_engine_host(const mnet_engine_t *engine, const char *wwwroot)
{
    int i;

    for (i = 0; wwwroot && i < engine->hosts->nelts; i++) {
        mnet_host_t *host = APR_ARRAY_IDX(engine->hosts, i, mnet_host_t *);

        if (!strcmp(host->site->wwwroot, wwwroot)) {
            return host;
        }
    }
    return NULL;
}

apr_status_t mnet_host_look(mnet_host_t *host, const char *wwwroot, const mnet_peer_t **peer,
                            const mnet_ring_t **ring, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    if (rv) {
        return rv;
    }
    if (peer) {
        rv = mnet_peers_find(host->peers, txn, wwwroot, peer, pool);
    }
    if (!rv && ring) {
        rv = mnet_keyring_get(host->keyring, txn, ring, pool);
        if (rv == APR_NOTFOUND) {
            rv = APR_EINIT;
        }
    }
    mnet_txn_abort(txn);
    return rv;
}
