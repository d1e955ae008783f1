/* SPDX-License-Identifier: Apache-2.0 */

/* The state directory, its sites and their peers. */
#include "cli/cli.h"

#include <string.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include "base/status.h"
#include "school/school.h"
#include "portfolio/portfolio.h"
#include "service/services.h"

/* What keeps us from even trying; NULL if nothing does. */
static const char *directory_problem(const cli_t *cli)
{
    apr_finfo_t info;
    char why[200];
    apr_dir_t *dir;
    apr_status_t rv = apr_stat(&info, cli->state_dir, APR_FINFO_TYPE, cli->pool);

    if (rv == APR_SUCCESS && info.filetype != APR_DIR) {
        return apr_psprintf(cli->pool, "%s is no directory: -d takes the server's MnetStateDir",
                            cli->state_dir);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_dir_open(&dir, cli->state_dir, cli->pool);
    }
    if (APR_STATUS_IS_ENOENT(rv)) {
        return apr_psprintf(
            cli->pool,
            "there is no state directory %s: httpd makes it when it is started with "
            "`MnetEngine On` and `MnetWwwroot` in a virtual host; if MnetStateDir "
            "says another one, name it with -d",
            cli->state_dir);
    }
    if (APR_STATUS_IS_EACCES(rv)) {
        return apr_psprintf(cli->pool,
                            "the state directory %s may not be read: run mnetctl as root or as the "
                            "directory's owner",
                            cli->state_dir);
    }
    if (rv != APR_SUCCESS) {
        return apr_psprintf(cli->pool, "the state directory %s cannot be read: %s", cli->state_dir,
                            mnet_strerror(rv, why, sizeof(why)));
    }
    apr_dir_close(dir);
    if (APR_STATUS_IS_ENOENT(apr_stat(&info,
                                      apr_pstrcat(cli->pool, cli->state_dir, "/data.mdb", NULL),
                                      APR_FINFO_TYPE, cli->pool))) {
        return apr_psprintf(cli->pool,
                            "%s holds no state of mod_mnet: start httpd with `MnetEngine On` and "
                            "`MnetWwwroot` in a virtual host, or name the right directory with -d",
                            cli->state_dir);
    }
    return NULL;
}

const char *cli_open_problem(cli_t *cli)
{
    mnet_engine_options_t options = {.log = &cli->log, .state_dir = cli->state_dir};
    const char *why = directory_problem(cli);
    char text[200];
    apr_status_t rv;
    int i;

    if (cli->engine != NULL || why != NULL) {
        return cli->engine != NULL ? NULL : why;
    }
    options.registry = mnet_registry_create(cli->pool);
    rv = mnet_services_register(options.registry);
    if (rv == APR_SUCCESS) {
        rv = mnet_portfolio_register(
            options.registry, apr_pcalloc(cli->pool, sizeof(mnet_portfolio_t)), NULL, cli->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_engine_create(&cli->engine, &options, &why, cli->pool);
    }
    for (i = 0; rv == APR_SUCCESS && i < cli->engine->hosts->nelts; i++) {
        rv = mnet_school_know(options.registry,
                              APR_ARRAY_IDX(cli->engine->hosts, i, mnet_host_t *)->site, cli->pool);
    }
    if (rv != APR_SUCCESS) {
        cli->engine = NULL;
        return why != NULL && *why
                   ? why
                   : apr_psprintf(cli->pool, "%s cannot be opened: %s", cli->state_dir,
                                  mnet_strerror(rv, text, sizeof(text)));
    }
    return NULL;
}

int cli_open(cli_t *cli)
{
    const char *why = cli_open_problem(cli);

    return why == NULL ? CLI_OK : cli_fail(cli, "state", "%s", why);
}

static const char *site_names(const cli_t *cli)
{
    const apr_array_header_t *hosts = cli->engine->hosts;
    const char *list = "";
    int i;

    for (i = 0; i < hosts->nelts; i++) {
        list = apr_pstrcat(cli->pool, list, i > 0 ? ", " : "",
                           APR_ARRAY_IDX(hosts, i, mnet_host_t *)->site->wwwroot, NULL);
    }
    return list;
}

/* After -w: the host it names, or NULL for all; says so if it names none. */
static int named_site(cli_t *cli, mnet_host_t **host)
{
    int rv = cli_open(cli);

    *host = NULL;
    if (rv != CLI_OK || cli->engine == NULL) {
        return rv != CLI_OK ? rv : CLI_FAILED;
    }
    if (cli->engine->hosts->nelts == 0) {
        return cli_fail(cli, "state",
                        "%s knows no site yet: start httpd with `MnetEngine On` and `MnetWwwroot` "
                        "in a virtual host",
                        cli->state_dir);
    }
    if (cli->wwwroot == NULL) {
        return CLI_OK;
    }
    *host = mnet_engine_host(cli->engine, cli->wwwroot);
    if (*host == NULL) {
        cli_fail(cli, "usage", "-w %s is none of our sites; they are: %s", cli->wwwroot,
                 site_names(cli));
        return CLI_USAGE;
    }
    return CLI_OK;
}

int cli_site(cli_t *cli, mnet_host_t **host)
{
    int rv = named_site(cli, host);

    if (rv != CLI_OK || *host != NULL) {
        return rv;
    }
    if (cli->engine->hosts->nelts > 1) {
        cli_fail(cli, "usage", "there are several sites here; say which with -w: %s",
                 site_names(cli));
        return CLI_USAGE;
    }
    *host = APR_ARRAY_IDX(cli->engine->hosts, 0, mnet_host_t *);
    return CLI_OK;
}

int cli_sites(cli_t *cli, apr_array_header_t **hosts)
{
    mnet_host_t *host;
    int rv = named_site(cli, &host);

    if (rv != CLI_OK) {
        return rv;
    }
    if (host == NULL) {
        *hosts = cli->engine->hosts;
        return CLI_OK;
    }
    *hosts = apr_array_make(cli->pool, 1, sizeof(mnet_host_t *));
    APR_ARRAY_PUSH(*hosts, mnet_host_t *) = host;
    return CLI_OK;
}

int cli_peers(cli_t *cli, mnet_host_t *host, apr_array_header_t **list)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(cli->engine->store, MNET_READ, &txn, cli->pool);

    if (rv == APR_SUCCESS) {
        rv = mnet_peers_list(host->peers, txn, list, cli->pool);
        mnet_txn_abort(txn);
    }
    return rv == APR_SUCCESS ? CLI_OK : cli_fail_rv(cli, rv, "the peers cannot be read");
}

/* No such peer: say what there is that comes near, else how to see or make one. */
static int no_peer(cli_t *cli, mnet_host_t *host, const char *wwwroot)
{
    const char *problem = mnet_wwwroot_problem(wwwroot, cli->pool), *near = NULL;
    apr_array_header_t *list = NULL;
    int i;

    if (cli_peers(cli, host, &list) != CLI_OK || list == NULL) {
        return CLI_FAILED;
    }
    for (i = 0; i < list->nelts && near == NULL; i++) {
        const char *known = APR_ARRAY_IDX(list, i, const mnet_peer_t *)->facts->wwwroot;
        const char *bare = mnet_wwwroot_bare(known);

        if (strncasecmp(wwwroot, known, strlen(known)) == 0 ||
            strncasecmp(mnet_wwwroot_bare(wwwroot), bare, strlen(bare)) == 0) {
            near = known;
        }
    }
    if (near != NULL) {
        return cli_fail(cli, "policy", "there is no peer %s, but there is %s", wwwroot, near);
    }
    return cli_fail(cli, "policy",
                    "there is no peer %s%s%s; `mnetctl peers list` shows those there "
                    "are, `mnetctl peers add` makes one",
                    wwwroot, problem ? ": " : "", problem ? problem : "");
}

int cli_peer(cli_t *cli, mnet_host_t *host, int index, const mnet_peer_t **peer)
{
    const char *wwwroot = cli_arg(cli, index);
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(cli->engine->store, MNET_READ, &txn, cli->pool);

    if (rv == APR_SUCCESS) {
        rv = mnet_peers_find(host->peers, txn, wwwroot, peer, cli->pool);
        mnet_txn_abort(txn);
    }
    if (rv == APR_NOTFOUND) {
        return no_peer(cli, host, wwwroot);
    }
    return rv == APR_SUCCESS ? CLI_OK : cli_fail_rv(cli, rv, "the peer cannot be read");
}

int cli_ring(cli_t *cli, mnet_host_t *host, const mnet_ring_t **ring)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(cli->engine->store, MNET_READ, &txn, cli->pool);

    *ring = NULL;
    if (rv == APR_SUCCESS) {
        rv = mnet_keyring_get(host->keyring, txn, ring, cli->pool);
        mnet_txn_abort(txn);
    }
    if (rv == APR_NOTFOUND) {
        *ring = NULL;
        return CLI_OK;
    }
    return rv == APR_SUCCESS
               ? CLI_OK
               : cli_fail_rv(cli, rv, "the keys of %s cannot be read", host->site->wwwroot);
}
