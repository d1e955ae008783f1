/* SPDX-License-Identifier: Apache-2.0 */

/* The newest of something, site by site. */
#include "cli/cli.h"

static mnet_value_t *site_value(const cli_t *cli, const cli_listing_t *listing,
                                const mnet_host_t *host, const apr_array_header_t *found)
{
    mnet_value_t *site = mnet_struct(cli->pool), *values = mnet_array(cli->pool);

    for (int i = 0; i < found->nelts; i++) {
        mnet_append(values, listing->value(cli, host, APR_ARRAY_IDX(found, i, const void *)));
    }
    mnet_set(site, "wwwroot", mnet_string(host->site->wwwroot, cli->pool));
    mnet_set(site, listing->member, values);
    return site;
}

int cli_list(cli_t *cli, const cli_listing_t *listing, int usual, int most)
{
    mnet_value_t *outer = mnet_struct(cli->pool), *sites = mnet_array(cli->pool);
    apr_array_header_t *hosts, *found;
    int max, rv = cli_max(cli, usual, most, &max);

    rv = rv != CLI_OK ? rv : cli_sites(cli, &hosts);
    for (int i = 0; rv == CLI_OK && i < hosts->nelts; i++) {
        mnet_host_t *host = APR_ARRAY_IDX(hosts, i, mnet_host_t *);
        apr_status_t status = listing->find(cli, host, max, &found);

        if (status != APR_SUCCESS) {
            return cli_fail_rv(cli, status, "%s", listing->trouble);
        }
        if (cli->json) {
            mnet_append(sites, site_value(cli, listing, host, found));
            continue;
        }
        cli_say(cli, "%s%s", i > 0 ? "\n" : "", host->site->wwwroot);
        listing->text(cli, found);
        if (found->nelts == max) {
            cli_say(cli, "  the newest %d; --max N shows more", max);
        }
    }
    mnet_set(outer, "sites", sites);
    return rv == CLI_OK && cli->json ? cli_document(cli, outer) : rv;
}
