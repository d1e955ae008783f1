/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The package: a zip as Moodle makes them, written by libarchive past the digests into a file of
 * the folder's owner, which gets its name once it is whole and on the disk.
 */
#include <apr_strings.h>
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "base/sync.h"
#include "base/text.h"
#include "portfolio/out_int.h"
#include "wire/base64.h"

#define PIECE (64 * 1024)

typedef struct packing_t {
    mnet_out_sending_t *sending;
    mnet_out_t *out;
    mnet_store_dir_t dir;
    int fd;
    apr_off_t written;
    mnet_digest_t *sha1;
    EVP_MD_CTX *sha256;
    struct archive *zip;
    apr_status_t rv; /* of a write */
    char *piece;
    apr_pool_t *pool;
} packing_t;

/* --- bytes to the file --- */

static apr_status_t write_all(packing_t *packing, const char *data, apr_size_t len)
{
    apr_status_t rv = mnet_digest_write(packing->sha1, data, len);

    if (!rv && EVP_DigestUpdate(packing->sha256, data, len) != 1) {
        rv = MNET_E_CRYPTO;
    }
    packing->written += (apr_off_t)len;
    while (!rv && len) {
        ssize_t n = write(packing->fd, data, len);

        if (n < 0 && errno != EINTR) {
            rv = errno;
        } else if (n > 0) {
            data += n;
            len -= (apr_size_t)n;
        }
    }
    return rv;
}

static la_ssize_t on_write(struct archive *zip, void *baton, const void *data, size_t len)
{
    packing_t *packing = baton;

    packing->rv = write_all(packing, data, len);
    if (packing->rv) {
        archive_set_error(zip, packing->rv, "the package cannot be written");
        return -1;
    }
    return (la_ssize_t)len;
}

static apr_status_t open_file(packing_t *packing)
{
    const char *path =
        mnet_out_path(packing->sending->host, packing->out->id, ".new", packing->pool);
    apr_status_t rv = mnet_store_dir_borrow(&packing->dir);

    if (rv) {
        return rv;
    }
    packing->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    rv = packing->fd < 0 ? errno : APR_SUCCESS;
    mnet_store_dir_done(&packing->dir);
    return rv;
}

/* On the disk, under its name. */
static apr_status_t finish_file(packing_t *packing)
{
    const mnet_host_t *host = packing->sending->host;
    const char *from = mnet_out_path(host, packing->out->id, ".new", packing->pool);
    const char *to = mnet_out_path(host, packing->out->id, ".zip", packing->pool);
    apr_status_t rv = fsync(packing->fd) != 0 ? errno : mnet_store_dir_borrow(&packing->dir);

    if (rv) {
        return rv;
    }
    if (rename(from, to) != 0) {
        rv = errno;
    }
    if (!rv) {
        rv = mnet_sync_path(mnet_out_path(host, "", "", packing->pool), O_DIRECTORY);
    }
    mnet_store_dir_done(&packing->dir);
    return rv;
}

/* --- a zip of the files --- */

static apr_status_t zip_status(packing_t *packing, int said)
{
    if (said >= ARCHIVE_WARN) {
        return APR_SUCCESS;
    }
    return packing->rv                       ? packing->rv
           : archive_errno(packing->zip) > 0 ? archive_errno(packing->zip)
                                             : APR_EGENERAL;
}

static apr_status_t changed(packing_t *packing, const mnet_out_file_t *file)
{
    return mnet_out_refuse(packing->sending, APR_EINVAL, "usage", packing->pool,
                           "%s was changed while it was read: try again",
                           file->below ? file->below : file->path);
}

static apr_status_t put_entry(packing_t *packing, const mnet_out_file_t *file)
{
    struct archive_entry *entry = archive_entry_new();
    int said;

    if (!entry) {
        return APR_ENOMEM;
    }
    archive_entry_set_pathname_utf8(entry, file->inside);
    if (!archive_entry_pathname(entry)) { /* libarchive would look at it all the same */
        archive_entry_free(entry);
        return APR_EINVAL;
    }
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, file->size);
    archive_entry_set_mtime(entry, apr_time_sec(file->changed), 0);
    said = file->squeezed ? archive_write_zip_set_compression_store(packing->zip)
                          : archive_write_zip_set_compression_deflate(packing->zip);
    said = said < ARCHIVE_WARN ? said : archive_write_header(packing->zip, entry);
    archive_entry_free(entry);
    return zip_status(packing, said);
}

/* Read again, and held against what was read before. */
static apr_status_t put_content(packing_t *packing, const mnet_out_file_t *file, int fd)
{
    apr_pool_t *scratch;
    mnet_digest_t *sha1;
    unsigned char bytes[MNET_SHA1];
    apr_off_t left = file->size;
    ssize_t n = 0;
    apr_status_t rv = apr_pool_create(&scratch, packing->pool);

    if (rv) {
        return rv;
    }
    sha1 = mnet_sha1_create(packing->sending->host->engine->crypto, scratch);
    rv = sha1 ? APR_SUCCESS : MNET_E_CRYPTO;
    while (!rv && left && (n = read(fd, packing->piece, PIECE)) > 0 && n <= left) {
        rv = mnet_digest_write(sha1, packing->piece, (apr_size_t)n);
        if (!rv && archive_write_data(packing->zip, packing->piece, (size_t)n) != n) {
            rv = zip_status(packing, ARCHIVE_FATAL);
        }
        left -= n;
    }
    rv = rv ? rv : n < 0 ? errno : mnet_digest_end(sha1, bytes);
    if (!rv && (left || strcmp(mnet_hex(bytes, sizeof(bytes), scratch), file->sha1))) {
        rv = changed(packing, file);
    }
    apr_pool_destroy(scratch);
    return rv;
}

static apr_status_t put_file(packing_t *packing, const mnet_out_file_t *file)
{
    int fd;
    apr_status_t rv = mnet_out_open(packing->sending, file, &fd);

    if (rv) {
        return changed(packing, file);
    }
    rv = put_entry(packing, file);
    rv = rv ? rv : put_content(packing, file, fd);
    (void)close(fd);
    return rv;
}

static apr_status_t write_zip(packing_t *packing, const apr_array_header_t *files)
{
    apr_status_t rv;
    int said;

    packing->zip = archive_write_new();
    if (!packing->zip) {
        return APR_ENOMEM;
    }
    said = archive_write_set_format_zip(packing->zip);
    said =
        said ? said : archive_write_set_format_option(packing->zip, "zip", "hdrcharset", "UTF-8");
    said = said ? said : archive_write_set_bytes_per_block(packing->zip, PIECE);
    said = said ? said : archive_write_set_bytes_in_last_block(packing->zip, 1);
    said = said ? said : archive_write_open(packing->zip, packing, NULL, on_write, NULL);
    rv = zip_status(packing, said);
    for (int i = 0; !rv && i < files->nelts; i++) {
        rv = put_file(packing, &APR_ARRAY_IDX(files, i, mnet_out_file_t));
    }
    if (!rv) {
        rv = zip_status(packing, archive_write_close(packing->zip));
    } else {
        (void)archive_write_fail(packing->zip);
    }
    (void)archive_write_free(packing->zip);
    return rv;
}

/* --- a zip that is the package already --- */

static apr_status_t copy_zip(packing_t *packing, const mnet_out_file_t *file)
{
    ssize_t n;
    int fd;
    apr_status_t rv = mnet_out_open(packing->sending, file, &fd);

    if (rv) {
        return changed(packing, file);
    }
    while (!rv && (n = read(fd, packing->piece, PIECE)) != 0) {
        rv = n < 0 ? errno : write_all(packing, packing->piece, (apr_size_t)n);
    }
    (void)close(fd);
    return rv;
}

/* --- together --- */

static apr_status_t write_package(packing_t *packing, const apr_array_header_t *files)
{
    mnet_out_t *out = packing->out;
    unsigned char sha1[MNET_SHA1], sha256[MNET_SHA256];
    apr_status_t rv = open_file(packing);

    if (!rv && packing->sending->package_file) {
        rv = copy_zip(packing, packing->sending->package_file);
    } else if (!rv) {
        rv = write_zip(packing, files);
    }
    rv = rv ? rv : mnet_digest_end(packing->sha1, sha1);
    if (!rv && EVP_DigestFinal_ex(packing->sha256, sha256, NULL) != 1) {
        rv = MNET_E_CRYPTO;
    }
    rv = rv ? rv : finish_file(packing);
    if (!rv) {
        out->size = packing->written;
        out->sha1 = mnet_hex(sha1, sizeof(sha1), packing->pool);
        out->sha256 = mnet_base64_encode_text(sha256, sizeof(sha256), packing->pool);
    }
    mnet_out_unlock(packing->fd);
    return rv;
}

static apr_status_t prepare(packing_t *packing)
{
    OSSL_LIB_CTX *context = mnet_crypto_libctx(packing->sending->host->engine->crypto);
    EVP_MD *md = EVP_MD_fetch(context, "SHA256", NULL);
    int good;

    packing->sha1 = mnet_sha1_create(packing->sending->host->engine->crypto, packing->pool);
    packing->sha256 = EVP_MD_CTX_new();
    good = md && packing->sha1 && packing->sha256 &&
           EVP_DigestInit_ex2(packing->sha256, md, NULL) == 1;
    EVP_MD_free(md);
    return good ? APR_SUCCESS : MNET_E_CRYPTO;
}

apr_status_t mnet_out_pack(mnet_out_sending_t *sending, const apr_array_header_t *files,
                           mnet_out_t *out, apr_pool_t *pool)
{
    packing_t packing = {.sending = sending, .out = out, .fd = -1, .pool = pool};
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = (locale_t)0;
    char text[200];
    apr_status_t rv = mnet_out_folder(sending->host, &packing.dir, &sending->why, pool);

    if (rv) {
        sending->kind = "state";
    }
    if (utf8 != (locale_t)0) {
        before = uselocale(utf8);
    }
    packing.piece = apr_palloc(pool, PIECE);
    rv = rv ? rv : prepare(&packing);
    rv = rv ? rv : write_package(&packing, files);
    EVP_MD_CTX_free(packing.sha256);
    if (utf8 != (locale_t)0) {
        (void)uselocale(before);
        freelocale(utf8);
    }
    if (rv) {
        mnet_out_remove_files(sending->host, out->id, pool);
    }
    if (rv && !sending->why) {
        rv = mnet_out_refuse(sending, rv, "state", pool, "the package cannot be made below %s: %s",
                             sending->host->site->portfolio->dir,
                             mnet_strerror(rv, text, sizeof(text)));
    }
    return rv;
}
