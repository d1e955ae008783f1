/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/work_folder.h"

#include <apr_file_info.h>
#include <apr_strings.h>
#include <string.h>

#include "portfolio/deliver.h"
#include "portfolio/queue_int.h"

#define DEBRIS_MAX 200 /* folders looked at, for one look */

/* Sites may share a MnetPortfolioDir: "SITE-ID". */
static const char *prefix_of(const mnet_host_t *host, apr_pool_t *pool)
{
    mnet_name_t site;

    mnet_name_begin(host, &site);
    return apr_psprintf(pool, "%016" APR_UINT64_T_HEX_FMT "-",
                        (apr_uint64_t)mnet_queue_read_time(site.bytes));
}

static const char *folders(const mnet_host_t *host, apr_pool_t *pool)
{
    return apr_pstrcat(pool, host->site->portfolio->dir, "/.work", NULL);
}

/* A link in its place is nothing that we made. */
static apr_status_t make_folder(const char *path, int *old, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_status_t rv =
        apr_dir_make(path, APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_UEXECUTE, pool);

    *old = APR_STATUS_IS_EEXIST(rv);
    if (*old) {
        rv = apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_LINK, pool);
        rv = rv ? rv : info.filetype == APR_DIR ? APR_SUCCESS : APR_ENOTDIR;
    }
    return rv;
}

apr_status_t mnet_work_folder(const mnet_host_t *host, const char *id, const char **path, int *old,
                              apr_pool_t *pool)
{
    apr_status_t rv = make_folder(folders(host, pool), old, pool);

    *path = apr_pstrcat(pool, folders(host, pool), "/", prefix_of(host, pool), id, NULL);
    return rv ? rv : make_folder(*path, old, pool);
}

/* An item is on disk before its folder is made: a folder without one is of work that is over.  One
 * that cannot be read may be a later version's. */
static int is_debris(const mnet_host_t *host, const char *id, apr_pool_t *pool)
{
    return APR_STATUS_IS_NOTFOUND(mnet_queue_exists(host, id, pool));
}

void mnet_work_folders_sweep(const mnet_host_t *host, apr_pool_t *pool)
{
    const char *prefix = prefix_of(host, pool);
    const char *path = folders(host, pool);
    apr_array_header_t *debris = apr_array_make(pool, 4, sizeof(const char *));
    apr_size_t len = strlen(prefix);
    apr_finfo_t entry;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, path, pool)) {
        return; /* nothing was ever received */
    }
    while (debris->nelts < DEBRIS_MAX && !apr_dir_read(&entry, APR_FINFO_NAME, dir)) {
        if (entry.name && !strncmp(entry.name, prefix, len) &&
            is_debris(host, entry.name + len, pool)) {
            APR_ARRAY_PUSH(debris, const char *) = apr_pstrcat(pool, path, "/", entry.name, NULL);
        }
    }
    (void)apr_dir_close(dir);
    for (int i = 0; i < debris->nelts; i++) {
        const char *folder = APR_ARRAY_IDX(debris, i, const char *);
        apr_status_t rv = mnet_portfolio_forget(folder, pool);

        if (rv) {
            mnet_log(host->engine->log, MNET_LOG_WARNING, rv, "MNET1017",
                     "%s: what work left behind in %s cannot be removed", host->site->wwwroot,
                     folder);
        }
    }
}
