/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/spool.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <openssl/crypto.h>

#include "base/status.h"

#define FIRST_ROOM 4096
#define PIECE      (32 * 1024)

/* A text of another's, behind the first `at` bytes of our own. */
typedef struct part_t {
    apr_off_t at;
    mnet_spool_t *spool;
} part_t;

struct mnet_spool_t {
    apr_pool_t *pool;
    const char *tmpdir;
    apr_off_t limit;
    apr_off_t length;          /* of all */
    apr_off_t borrowed;        /* of that, in parts */
    apr_array_header_t *parts; /* part_t; NULL: none */
    mnet_spool_pour_fn *pour;  /* of one that is made */
    void *baton;
    char *text;       /* what is in memory; NULL before the first byte and once there is a file */
    apr_size_t room;  /* of text, the NUL's not counted */
    apr_file_t *file; /* has no name any more */
    apr_status_t broken; /* a write that failed half way: nothing here is to be trusted */
};

static void drop_memory(mnet_spool_t *spool)
{
    if (spool->text) {
        OPENSSL_cleanse(spool->text, spool->room);
        spool->text = NULL;
        spool->room = 0;
    }
}

static apr_status_t spool_cleanup(void *baton)
{
    drop_memory(baton);
    return APR_SUCCESS;
}

mnet_spool_t *mnet_spool_create(apr_off_t limit, const char *tmpdir, apr_pool_t *pool)
{
    mnet_spool_t *spool = apr_pcalloc(pool, sizeof(*spool));

    spool->pool = pool;
    spool->tmpdir = tmpdir ? apr_pstrdup(pool, tmpdir) : NULL;
    spool->limit = limit;
    apr_pool_cleanup_register(pool, spool, spool_cleanup, apr_pool_cleanup_null);
    return spool;
}

mnet_spool_t *mnet_spool_made(apr_off_t length, mnet_spool_pour_fn *pour, void *baton,
                              apr_pool_t *pool)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, pool);

    spool->length = length;
    spool->pour = pour;
    spool->baton = baton;
    return spool;
}

/* The bytes that are in our own memory or file. */
static apr_off_t own_length(const mnet_spool_t *spool)
{
    return spool->length - spool->borrowed;
}

/* Room for size bytes in memory: 4 KiB, doubled as needed. */
static void grow(mnet_spool_t *spool, apr_size_t size)
{
    apr_size_t room = spool->room ? spool->room : FIRST_ROOM;
    char *text;

    while (room < size) {
        room *= 2;
    }
    if (room > MNET_SPOOL_MEMORY) {
        room = MNET_SPOOL_MEMORY;
    }
    text = apr_palloc(spool->pool, room + 1);
    if (spool->text) {
        memcpy(text, spool->text, (apr_size_t)own_length(spool));
        OPENSSL_cleanse(spool->text, spool->room);
    }
    spool->text = text;
    spool->room = room;
}

/* A file of mode 0600 that only we know: its name is gone at once, it is closed with the pool. */
static apr_status_t open_file(mnet_spool_t *spool)
{
    const char *dir = spool->tmpdir, *name;
    char *template;
    apr_status_t rv;

    if (!dir) {
        rv = apr_temp_dir_get(&dir, spool->pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    template = apr_pstrcat(spool->pool, dir, "/mnet-XXXXXX", NULL);
    rv = apr_file_mktemp(&spool->file, template,
                         APR_FOPEN_CREATE | APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_EXCL |
                             APR_FOPEN_BINARY,
                         spool->pool);
    if (rv != APR_SUCCESS) {
        spool->file = NULL;
        return rv;
    }
    rv = apr_file_name_get(&name, spool->file);
    if (rv == APR_SUCCESS) {
        rv = apr_file_remove(name, spool->pool);
    }
    return rv;
}

static apr_status_t move_to_file(mnet_spool_t *spool)
{
    apr_status_t rv = open_file(spool);

    if (rv == APR_SUCCESS && own_length(spool)) {
        rv = apr_file_write_full(spool->file, spool->text, (apr_size_t)own_length(spool), NULL);
    }
    drop_memory(spool);
    return rv;
}

/* Its place in the file is given with each piece: neither side seeks. */
static apr_status_t append_to_file(mnet_spool_t *spool, const char *data, apr_size_t len)
{
    apr_off_t at = own_length(spool);
    apr_os_file_t fd;
    apr_status_t rv = apr_os_file_get(&fd, spool->file);

    while (len && rv == APR_SUCCESS) {
        ssize_t n = pwrite(fd, data, len, at);

        if (n > 0) {
            data += n;
            len -= (apr_size_t)n;
            at += n;
        } else if (n == 0 || errno != EINTR) {
            rv = n == 0 ? APR_ENOSPC : APR_FROM_OS_ERROR(errno);
        }
    }
    return rv;
}

apr_status_t mnet_spool_write(void *baton, const char *data, apr_size_t len)
{
    mnet_spool_t *spool = baton;
    apr_off_t most = spool->limit ? spool->limit : APR_INT64_MAX;

    if (spool->broken != APR_SUCCESS) {
        return spool->broken;
    }
    if (spool->pour) {
        return APR_EINVAL;
    }
    if (!len) {
        return APR_SUCCESS;
    }
    if (spool->length > most || len > (apr_uint64_t)(most - spool->length)) {
        return MNET_E_LIMIT;
    }
    if (!spool->file && len > MNET_SPOOL_MEMORY - (apr_size_t)own_length(spool)) {
        spool->broken = move_to_file(spool);
    }
    if (spool->broken == APR_SUCCESS && spool->file) {
        spool->broken = append_to_file(spool, data, len);
    } else if (spool->broken == APR_SUCCESS) {
        apr_size_t size = (apr_size_t)own_length(spool) + len;

        if (size > spool->room) {
            grow(spool, size);
        }
        if (!spool->text) {
            return APR_ENOMEM;
        }
        memcpy(spool->text + own_length(spool), data, len);
        spool->text[size] = '\0';
    }
    if (spool->broken == APR_SUCCESS) {
        spool->length += (apr_off_t)len;
    }
    return spool->broken;
}

apr_status_t mnet_spool_append(mnet_spool_t *spool, mnet_spool_t *part)
{
    apr_off_t most = spool->limit ? spool->limit : APR_INT64_MAX;
    part_t *place;

    if (spool->pour) {
        return APR_EINVAL;
    }
    if (spool->length > most || part->length > most - spool->length) {
        return MNET_E_LIMIT;
    }
    if (!spool->parts) {
        spool->parts = apr_array_make(spool->pool, 1, sizeof(part_t));
    }
    place = apr_array_push(spool->parts);
    place->at = own_length(spool);
    place->spool = part;
    spool->length += part->length;
    spool->borrowed += part->length;
    return APR_SUCCESS;
}

apr_off_t mnet_spool_length(const mnet_spool_t *spool)
{
    return spool->length;
}

const char *mnet_spool_tmpdir(const mnet_spool_t *spool)
{
    return spool->tmpdir;
}

const char *mnet_spool_text(const mnet_spool_t *spool)
{
    if (spool->file || spool->parts || spool->pour || spool->broken != APR_SUCCESS) {
        return NULL;
    }
    return spool->text ? spool->text : "";
}

static apr_status_t pour_memory(const mnet_spool_t *spool, apr_off_t from, apr_off_t until,
                                const mnet_sink_t *to)
{
    apr_size_t at, end = (apr_size_t)until;
    apr_status_t rv = APR_SUCCESS;

    for (at = (apr_size_t)from; at < end && rv == APR_SUCCESS; at += PIECE) {
        rv = mnet_sink_write(to, spool->text + at, end - at < PIECE ? end - at : PIECE);
    }
    return rv;
}

static apr_status_t pour_file(const mnet_spool_t *spool, apr_off_t from, apr_off_t until,
                              const mnet_sink_t *to)
{
    char piece[PIECE];
    apr_off_t at = from;
    apr_os_file_t fd;
    apr_status_t rv = apr_os_file_get(&fd, spool->file);

    while (at < until && rv == APR_SUCCESS) {
        apr_off_t left = until - at;
        ssize_t n = pread(fd, piece, left < PIECE ? (size_t)left : PIECE, at);

        if (n > 0) {
            rv = mnet_sink_write(to, piece, (apr_size_t)n);
            at += n;
        } else if (n == 0 || errno != EINTR) {
            rv = n == 0 ? APR_EOF : APR_FROM_OS_ERROR(errno);
        }
    }
    OPENSSL_cleanse(piece, sizeof(piece));
    return rv;
}

static apr_status_t pour_own(const mnet_spool_t *spool, apr_off_t from, apr_off_t until,
                             const mnet_sink_t *to)
{
    return spool->file ? pour_file(spool, from, until, to) : pour_memory(spool, from, until, to);
}

apr_status_t mnet_spool_pour(mnet_spool_t *spool, const mnet_sink_t *to)
{
    apr_status_t rv = APR_SUCCESS;
    apr_off_t at = 0;

    if (spool->broken != APR_SUCCESS) {
        return spool->broken;
    }
    if (spool->pour) {
        return spool->pour(spool->baton, to);
    }
    for (int i = 0; spool->parts && i < spool->parts->nelts && rv == APR_SUCCESS; i++) {
        const part_t *part = &APR_ARRAY_IDX(spool->parts, i, part_t);

        rv = pour_own(spool, at, part->at, to);
        rv = rv ? rv : mnet_spool_pour(part->spool, to);
        at = part->at;
    }
    return rv ? rv : pour_own(spool, at, own_length(spool), to);
}

apr_file_t *mnet_spool_file(const mnet_spool_t *spool)
{
    return spool->parts ? NULL : spool->file;
}
