/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rekey.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/client_keyswap.h"

/* The certificate in force as of now: another thread may have followed the same rotation. */
static int in_force(mnet_host_t *host, const char *wwwroot, const mnet_certificate_t *certificate,
                    apr_pool_t *pool)
{
    const mnet_peer_t *now;

    return !mnet_host_look(host, wwwroot, &now, NULL, pool) && now->certificate &&
           !strcmp(now->certificate->sha256, certificate->sha256);
}

static apr_status_t adopt(mnet_host_t *host, const char *wwwroot,
                          const mnet_certificate_t *certificate, const char *proof,
                          const char **why, apr_pool_t *pool)
{
    mnet_engine_t *engine = host->engine;
    char text[128];
    apr_status_t rv = mnet_peers_accept(host->peers, wwwroot, certificate->pem, MNET_TRUST_ROTATED,
                                        apr_time_now(), why, pool);

    if (rv == MNET_E_INVALID) {
        return MNET_E_REFUSED;
    }
    if (rv) {
        *why = "its new certificate could not be kept; see the error log";
        mnet_log(engine->log, MNET_LOG_ERR, rv, "MNET0440",
                 "%s: the new certificate of %s could not be kept (%s)", host->site->wwwroot,
                 wwwroot, mnet_strerror(rv, text, sizeof(text)));
        return MNET_E_REFUSED;
    }
    mnet_shared_add(engine->shared, MNET_COUNT_REKEYS, 1);
    mnet_log(engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET0441",
             "%s: %s has a new key, accepted because %s (SHA-256 %s)", host->site->wwwroot, wwwroot,
             proof, certificate->sha256);
    return APR_SUCCESS;
}

/* Keeps it for an administrator, who is told once per certificate. */
static apr_status_t offer(mnet_host_t *host, const mnet_peer_t *peer,
                          const mnet_certificate_t *certificate, const char *reason,
                          const char **why, apr_pool_t *pool)
{
    const char *wwwroot = peer->facts->wwwroot;
    const mnet_log_t *log = host->engine->log;
    char text[128];
    apr_status_t rv = APR_SUCCESS;

    if (!peer->state->pending || strcmp(peer->state->pending, certificate->pem)) {
        rv = mnet_peers_offer(host->peers, wwwroot, certificate->pem, reason, pool);
    }
    *why = apr_psprintf(pool, "%s: compare its fingerprint and run `mnetctl peers confirm %s`",
                        reason, wwwroot);
    if (rv) {
        mnet_log(log, MNET_LOG_ERR, rv, "MNET0442",
                 "%s: the certificate offered by %s could not be kept (%s)", host->site->wwwroot,
                 wwwroot, mnet_strerror(rv, text, sizeof(text)));
    } else {
        mnet_log(log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0443",
                 "%s: %s offers a new key that is not trusted yet: %s; SHA-256 %s; run `mnetctl "
                 "peers confirm %s` once the fingerprint is confirmed",
                 host->site->wwwroot, wwwroot, reason, certificate->sha256, wwwroot);
    }
    return MNET_E_REFUSED;
}

/* Rule 2: the offered key signs for itself, and the site itself gives it out over a channel that
 * only that site can be at the end of. */
static apr_status_t ask_the_site(mnet_host_t *host, const mnet_peer_t *peer,
                                 const mnet_certificate_t *certificate, const char **why,
                                 apr_pool_t *pool)
{
    mnet_certificate_t *given;
    mnet_keyswap_t keyswap;
    mnet_reply_t *reply;

    mnet_client_keyswap(host, peer->facts, &keyswap, &reply, pool);
    if (!keyswap.pem) {
        return offer(
            host, peer, certificate,
            apr_psprintf(pool, "the site did not confirm it by keyswap (%s)", reply->message), why,
            pool);
    }
    if (!keyswap.verified) {
        return offer(host, peer, certificate,
                     "the connection to the site is not verified TLS, which could confirm it", why,
                     pool);
    }
    if (mnet_certificate_read(host->engine->crypto, keyswap.pem, &given, why, pool) ||
        strcmp(given->sha256, certificate->sha256)) {
        return offer(host, peer, certificate, "the site gives out another one by keyswap", why,
                     pool);
    }
    return adopt(host, peer->facts->wwwroot, certificate,
                 "it signed for itself and the site gave it out over verified TLS", why, pool);
}

apr_status_t mnet_rekey_offered(mnet_host_t *host, const mnet_peer_t *peer,
                                const mnet_message_t *fault, const char *offered, const char **why,
                                apr_pool_t *pool)
{
    const mnet_crypto_t *crypto = host->engine->crypto;
    const char *wwwroot = peer->facts->wwwroot, *mismatch;
    mnet_certificate_t *certificate;

    *why = "";
    if (!peer->certificate || mnet_certificate_read(crypto, offered, &certificate, why, pool)) {
        *why = apr_psprintf(pool,
                            "it gave no certificate (\"%s\"): it may know none of its own keys; "
                            "exchange certificates by hand",
                            mnet_for_log(offered, strlen(offered), 100, pool));
        return MNET_E_REFUSED;
    }
    mismatch = mnet_certificate_mismatch(certificate, wwwroot, pool);
    if (mismatch) {
        *why = apr_psprintf(pool, "the certificate it offers is not its own: %s", mismatch);
        return MNET_E_REFUSED;
    }
    if (!strcmp(certificate->sha256, peer->certificate->sha256)) {
        *why = "it offers the certificate that we have: its key history may be damaged";
        return MNET_E_REFUSED;
    }
    if (in_force(host, wwwroot, certificate, pool)) {
        return APR_SUCCESS;
    }
    if (!mnet_message_verify(crypto, fault, peer->certificate->key)) {
        return adopt(host, wwwroot, certificate, "its old key signed for the new one", why, pool);
    }
    if (!mnet_message_verify(crypto, fault, certificate->key)) {
        return ask_the_site(host, peer, certificate, why, pool);
    }
    *why = "the message is signed neither by its old key nor by the new one";
    return MNET_E_REFUSED;
}
