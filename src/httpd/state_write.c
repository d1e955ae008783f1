/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/startup.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "httpd/log.h"
#include "state/record.h"
#include "state/store.h"
#include "trust/certificate.h"
#include "trust/keyring.h"

#define SERVER_VERSION 1

/* What this work needs; everything is gone with the pool. */
typedef struct writing_t {
    apr_pool_t *pool;
    const mnet_log_t *log;
    mnet_crypto_t *crypto;
    mnet_store_t *store;
    const apr_array_header_t *sites;
} writing_t;

static const char *fingerprint(const writing_t *w, mnet_keyring_t *keyring)
{
    const char *sha256 = "?", *why;
    const mnet_ring_t *ring;
    mnet_certificate_t *certificate;
    mnet_txn_t *txn;
    if (mnet_txn_begin(w->store, MNET_READ, &txn, w->pool))
        return sha256;
    if (!mnet_keyring_get(keyring, txn, &ring, w->pool) &&
        !mnet_certificate_read(w->crypto, ring->pems[0], &certificate, &why, w->pool))
        sha256 = certificate->sha256;
    mnet_txn_abort(txn);
    return sha256;
}

static const char *make_key(const writing_t *w, const mnet_site_t *site)
{
    mnet_keyring_t *keyring = mnet_keyring_create(w->crypto, w->store, site, w->log, w->pool);
    char reason[120];
    int made = 0;
    apr_status_t rv = mnet_keyring_rotate(keyring, apr_time_now(), 0, &made, w->pool);
    if (rv)
        return apr_psprintf(w->pool, "no key could be made for %s (%s)", site->wwwroot,
                            mnet_strerror(rv, reason, sizeof(reason)));
    if (made)
        mnet_log(w->log, MNET_LOG_NOTICE, 0, "MNET0630",
                 "made a %d-bit key for %s; the SHA-256 fingerprint of its certificate is %s",
                 site->key_bits, site->wwwroot, fingerprint(w, keyring));
    return NULL;
}

/* A mnet_each_fn: a site that is no longer configured goes.  Its keys stay. */
static apr_status_t remove_old(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                               const void *data, apr_size_t len)
{
    const writing_t *w = baton;
    for (int i = 0; i < w->sites->nelts; i++) {
        const char *wwwroot = APR_ARRAY_IDX(w->sites, i, const mnet_site_t *)->wwwroot;
        if (strlen(wwwroot) == key_len && !memcmp(wwwroot, key, key_len))
            return APR_SUCCESS;
    }
    return mnet_txn_del(txn, "site", key, key_len);
}

/* The server-wide settings, for whoever opens the store without our configuration: group "server",
 * key "settings"; version 1: the state's size, the time of this start. */
static apr_status_t put_settings(const writing_t *w, mnet_txn_t *txn, apr_off_t state_size)
{
    mnet_pack_t *pack = mnet_pack_create(SERVER_VERSION, w->pool);
    const void *data;
    apr_size_t len;
    mnet_pack_i64(pack, state_size);
    mnet_pack_i64(pack, apr_time_now());
    data = mnet_pack_end(pack, &len);
    return mnet_txn_put(txn, "server", "settings", strlen("settings"), data, len);
}

static apr_status_t put_sites(const writing_t *w, apr_off_t state_size)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(w->store, MNET_WRITE, &txn, w->pool);
    if (rv)
        return rv;
    rv = mnet_txn_each(txn, "site", NULL, 0, NULL, 0, remove_old, (void *)w);
    for (int i = 0; !rv && i < w->sites->nelts; i++) {
        const mnet_site_t *site = APR_ARRAY_IDX(w->sites, i, const mnet_site_t *);
        apr_size_t len;
        const void *data = mnet_site_pack(site, &len, w->pool);
        rv = mnet_txn_put(txn, "site", site->wwwroot, strlen(site->wwwroot), data, len);
    }
    if (!rv)
        rv = put_settings(w, txn, state_size);
    if (!rv)
        rv = mnet_txn_touch(txn);
    if (rv) {
        mnet_txn_abort(txn);
        return rv;
    }
    return mnet_txn_commit(txn);
}

const char *mnet_state_write(server_rec *s, const char *dir, apr_pool_t *pool)
{
    const mnet_conf_t *conf = mnet_conf_get(s);
    writing_t w = {pool, &mnet_httpd_log_create(s, 0, pool)->log, NULL, NULL, conf->global->sites};
    const char *why = "";
    char reason[120];
    apr_status_t rv;

    if (mnet_crypto_create(&w.crypto, &why, pool))
        return why;
    if (mnet_store_open(&w.store, &mnet_store_lmdb, dir, mnet_conf_state_size(conf), w.log, &why,
                        pool))
        return why;
    why = NULL;
    for (int i = 0; !why && i < w.sites->nelts; i++)
        why = make_key(&w, APR_ARRAY_IDX(w.sites, i, const mnet_site_t *));
    rv = why ? APR_SUCCESS : put_sites(&w, mnet_conf_state_size(conf));
    mnet_store_close(w.store);
    if (rv)
        why = apr_psprintf(pool, "the sites cannot be written to %s (%s)%s", dir,
                           mnet_strerror(rv, reason, sizeof(reason)),
                           rv == MNET_E_FULL ? "; raise MnetStateSize" : "");
    return why;
}
