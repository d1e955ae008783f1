/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/site.h"

#include <string.h>
#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"
#include "trust/certificate.h"
#include "trust/texts.h"
#include "trust/wwwroot.h"

static const char *certificate_problem(const mnet_peer_facts_t *facts, const mnet_crypto_t *crypto,
                                       apr_pool_t *pool)
{
    mnet_certificate_t *certificate;
    const char *why = "";
    if (!crypto || !facts->certificate) {
        return NULL;
    }
    if (mnet_certificate_read(crypto, facts->certificate, &certificate, &why, pool) !=
        APR_SUCCESS) {
        return apr_psprintf(pool,
                            "the certificate of the peer %s cannot be used: %s; fetch it again "
                            "from the peer",
                            facts->wwwroot, why);
    }
    why = mnet_certificate_mismatch(certificate, facts->wwwroot, pool);
    return why ? apr_psprintf(pool, "the certificate of the peer %s is another site's: %s",
                              facts->wwwroot, why)
               : NULL;
}

const char *mnet_peer_problem(const mnet_site_t *site, const mnet_peer_facts_t *facts,
                              const mnet_crypto_t *crypto, apr_pool_t *pool)
{
    const char *problem = mnet_wwwroot_problem(facts->wwwroot, pool);
    if (problem) {
        return apr_psprintf(pool, "a peer's wwwroot: %s", problem);
    }
    if (!strcmp(mnet_wwwroot_bare(facts->wwwroot), mnet_wwwroot_bare(site->wwwroot))) {
        return apr_psprintf(pool,
                            "the peer %s is this site itself (%s); remove it, or give this site "
                            "another wwwroot",
                            facts->wwwroot, site->wwwroot);
    }
    const char *twin = mnet_wwwroot_twin(facts->wwwroot, pool);
    if (apr_hash_get(site->peers, twin, APR_HASH_KEY_STRING)) {
        return apr_psprintf(pool,
                            "the peers %s and %s differ only in the scheme, so that their users "
                            "would be one; keep the one the peer itself says it is",
                            facts->wwwroot, twin);
    }
    if (facts->application && !mnet_application_find(site->defined, facts->application)) {
        return apr_psprintf(pool,
                            "the peer %s: the application '%s' is not known; write moodle, mahara "
                            "or a name made by MnetDefineApplication",
                            facts->wwwroot,
                            mnet_for_log(facts->application, strlen(facts->application), 60, pool));
    }
    return certificate_problem(facts, crypto, pool);
}

const char *mnet_site_problem(const mnet_site_t *site, const mnet_crypto_t *crypto,
                              apr_pool_t *pool)
{
    const char *problem = mnet_wwwroot_problem(site->wwwroot, pool);
    if (problem) {
        return apr_psprintf(pool, "the site's own wwwroot: %s", problem);
    }
    apr_array_header_t *names = mnet_hash_names(site->peers, pool);
    apr_pool_t *scratch;
    apr_status_t rv = apr_pool_create(&scratch, pool);
    if (rv != APR_SUCCESS) {
        return "out of memory while the peers were checked";
    }
    for (int i = 0; i < names->nelts && !problem; i++) {
        const mnet_peer_facts_t *facts =
            apr_hash_get(site->peers, APR_ARRAY_IDX(names, i, const char *), APR_HASH_KEY_STRING);
        apr_pool_clear(scratch);
        problem = mnet_peer_problem(site, facts, crypto, scratch);
    }
    problem = problem ? apr_pstrdup(pool, problem) : NULL;
    apr_pool_destroy(scratch);
    return problem;
}
