/* SPDX-License-Identifier: Apache-2.0 */

/* doctor: is there room left?  A full disk breaks everything that has to be written down first:
 * landings, calls that change something, packages. */
#include "cli/doctor_int.h"

#include <string.h>
#include <sys/statvfs.h>

#include <apr_strings.h>

#include "base/status.h"
#include "state/store.h"

#define MIB         ((apr_uint64_t)1 << 20)
#define NO_ROOM     (4 * MIB)   /* of a file system: LMDB needs a few pages for each commit */
#define LITTLE_ROOM (256 * MIB) /* ... */
#define FEW_INODES  1000
#define NEARLY_FULL 80 /* percent of the store */

static const char *bytes(const cli_t *cli, apr_uint64_t n)
{
    return cli_bytes(cli, n > APR_INT64_MAX ? APR_INT64_MAX : (apr_int64_t)n);
}

/* --- the store --- */

static apr_status_t read_room(mnet_store_t *store, apr_off_t *used, apr_off_t *usable,
                              apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(store, MNET_READ, &txn, pool);

    if (rv == APR_SUCCESS) {
        rv = mnet_txn_room(txn, used, usable);
        mnet_txn_abort(txn);
    }
    return rv;
}

static void check_store(doctor_t *doctor)
{
    cli_t *cli = doctor->cli;
    apr_off_t used, usable;
    int percent;
    const char *text;

    if (read_room(cli->engine->store, &used, &usable, cli->pool) != APR_SUCCESS || usable <= 0) {
        return; /* what is wrong with the store was found before */
    }
    percent = used >= usable ? 100 : (int)(used * 100 / usable);
    text = apr_psprintf(cli->pool, "%d %% of %s are in use", percent,
                        bytes(cli, (apr_uint64_t)usable));
    if (percent >= 100) {
        doctor_find(doctor, DOCTOR_FAIL, "room in the store", text,
                    "raise MnetStateSize and restart httpd gracefully: nothing new is kept");
    } else if (percent >= NEARLY_FULL) {
        doctor_find(doctor, DOCTOR_WARN, "room in the store", text,
                    "raise MnetStateSize and restart httpd gracefully");
    } else {
        doctor_find(doctor, DOCTOR_FINE, "room in the store", text, NULL);
    }
}

/* --- file systems --- */

static void check_disk(doctor_t *doctor, const char *what, const char *dir)
{
    cli_t *cli = doctor->cli;
    struct statvfs fs;
    apr_uint64_t room;
    const char *text;

    if (statvfs(dir, &fs) != 0) {
        return; /* whether it is there is for others to say */
    }
    /* What root alone may use is of no use to httpd's User. */
    room = (apr_uint64_t)fs.f_bavail * (fs.f_frsize ? fs.f_frsize : fs.f_bsize);
    text = apr_psprintf(cli->pool, "%s left on the file system of %s", bytes(cli, room), dir);
    if (room < NO_ROOM) {
        doctor_find(doctor, DOCTOR_FAIL, what, text, "make room: nothing new can be kept there");
    } else if (fs.f_files && fs.f_favail == 0) {
        doctor_find(doctor, DOCTOR_FAIL, what,
                    apr_pstrcat(cli->pool, "no inode left on the file system of ", dir, NULL),
                    "remove files that nobody needs: no file can be made there");
    } else if (room < LITTLE_ROOM) {
        doctor_find(doctor, DOCTOR_WARN, what, text, "make room before it is full");
    } else if (fs.f_files && fs.f_favail < FEW_INODES) {
        doctor_find(doctor, DOCTOR_WARN, what,
                    apr_psprintf(cli->pool, "%lu inodes left on the file system of %s",
                                 (unsigned long)fs.f_favail, dir),
                    "remove files that nobody needs");
    } else {
        doctor_find(doctor, DOCTOR_FINE, what, text, NULL);
    }
}

void doctor_check_room(doctor_t *doctor)
{
    const cli_t *cli = doctor->cli;

    check_disk(doctor, "room for the state", cli->state_dir);
    if (!cli->engine) {
        return;
    }
    check_store(doctor);
    for (int i = 0; i < cli->engine->hosts->nelts; i++) {
        const mnet_host_t *host = APR_ARRAY_IDX(cli->engine->hosts, i, mnet_host_t *);

        if (host->site->portfolio &&
            (!cli->wwwroot || !strcmp(cli->wwwroot, host->site->wwwroot))) {
            check_disk(doctor, "room for portfolios", host->site->portfolio->dir);
        }
    }
}
