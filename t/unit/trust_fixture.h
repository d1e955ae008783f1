/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRUST_FIXTURE_H
#define TRUST_FIXTURE_H

/* What the tests of src/trust share: a pool, a context, a store in a new directory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "base/status.h"
#include "state/store.h"
#include "trust/certificate.h"
#include "trust/site.h"

#define OK(call)   assert_int_equal((call), APR_SUCCESS)
#define SEC(n)     apr_time_from_sec((apr_time_t)(n))
#define NOON       SEC(1800000000)
#define KEY_BITS   1024 /* small, for speed */
#define STORE_SIZE (64 * 1024 * 1024)

typedef struct fixture_t {
    apr_pool_t *pool;
    mnet_crypto_t *crypto;
    mnet_log_t log;
    char ids[32][12]; /* of the lines logged */
    int lines;
    char dir[64];
    mnet_store_t *store;
} fixture_t;

static inline void fixture_write(void *baton, int level, apr_status_t rv, const char *id,
                                 const char *text)
{
    fixture_t *f = baton;
    if (f->lines < 32) {
        snprintf(f->ids[f->lines++], sizeof(f->ids[0]), "%s", id);
    }
}

static inline int fixture_logged(const fixture_t *f, const char *id)
{
    for (int i = 0; i < f->lines; i++) {
        if (!strcmp(f->ids[i], id)) {
            return 1;
        }
    }
    return 0;
}

static inline int fixture_setup(void **state)
{
    const char *why = NULL;
    fixture_t *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    OK(apr_initialize());
    OK(apr_pool_create(&f->pool, NULL));
    OK(mnet_crypto_create(&f->crypto, &why, f->pool));
    f->log.write = fixture_write;
    f->log.baton = f;
    f->log.level = MNET_LOG_DEBUG;
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture_t *f = *state;
    apr_pool_destroy(f->pool);
    apr_terminate();
    free(f);
    return 0;
}

static inline void fixture_open(fixture_t *f, const mnet_store_ops_t *ops)
{
    const char *why = NULL;
    OK(mnet_store_open(&f->store, ops, f->dir, STORE_SIZE, &f->log, &why, f->pool));
}

static inline int fixture_store_setup(void **state)
{
    fixture_setup(state);
    fixture_t *f = *state;
    strcpy(f->dir, "/tmp/mnet-trust-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    fixture_open(f, &mnet_store_lmdb);
    return 0;
}

static inline int fixture_store_teardown(void **state)
{
    fixture_t *f = *state;
    apr_dir_t *dir;
    apr_finfo_t file;
    mnet_store_close(f->store);
    OK(apr_dir_open(&dir, f->dir, f->pool));
    while (apr_dir_read(&file, APR_FINFO_NAME | APR_FINFO_TYPE, dir) == APR_SUCCESS) {
        if (file.filetype == APR_REG) {
            apr_file_remove(apr_pstrcat(f->pool, f->dir, "/", file.name, NULL), f->pool);
        }
    }
    apr_dir_close(dir);
    apr_dir_remove(f->dir, f->pool);
    return fixture_teardown(state);
}

/* A certificate for a wwwroot. */
static inline const char *fixture_pem(fixture_t *f, const char *wwwroot)
{
    mnet_new_key_t *made;
    OK(mnet_certificate_make(f->crypto, wwwroot, "A site", "moodle", KEY_BITS, NOON, SEC(3600),
                             &made, f->pool));
    return made->pem;
}

static inline const char *fixture_file(fixture_t *f, const char *path)
{
    apr_file_t *file;
    char buf[16384];
    apr_size_t len = 0;
    OK(apr_file_open(&file, path, APR_FOPEN_READ, 0, f->pool));
    apr_file_read_full(file, buf, sizeof(buf) - 1, &len);
    apr_file_close(file);
    return apr_pstrmemdup(f->pool, buf, len);
}

#endif
