/* SPDX-License-Identifier: Apache-2.0 */
#include "package/package_int.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"
#include "package/zip.h"

#define HEAD       4096              /* bytes by which a kind is told */
#define WRITE_BACK (8 * 1024 * 1024) /* bytes after which the disk is set to work */

/* A file on its way to the folder. */
typedef struct {
    mnet_opening_t *opening;
    mnet_package_file_t *file;
    mnet_digest_t *sha1;
    int fd;
    apr_size_t unsynced;
    apr_size_t head_len;
    char head[HEAD];
} writing_t;

static apr_status_t write_fd(int fd, const char *data, apr_size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            data += n;
            len -= (apr_size_t)n;
        }
    }
    return APR_SUCCESS;
}

/* The limits once more, against what is really there. */
static apr_status_t count(writing_t *writing, apr_size_t len)
{
    mnet_opening_t *opening = writing->opening;
    const mnet_package_limits_t *limits = opening->limits;
    apr_off_t said = opening->source->total;

    if ((apr_off_t)len > limits->file - writing->file->size) {
        return REFUSE(opening, "a file in it has over %" APR_OFF_T_FMT " bytes", limits->file);
    }
    if ((apr_off_t)len > limits->total - opening->package->total) {
        return REFUSE(opening, "unpacked it has over %" APR_OFF_T_FMT " bytes", limits->total);
    }
    if (said >= 0 && (apr_off_t)len > said - opening->package->total) {
        return REFUSE(opening, "unpacked it has more than the %" APR_OFF_T_FMT " bytes announced",
                      said);
    }
    writing->file->size += (apr_off_t)len;
    opening->package->total += (apr_off_t)len;
    return APR_SUCCESS;
}

static apr_status_t take_piece(writing_t *writing, const char *data, apr_size_t len)
{
    apr_size_t head = HEAD - writing->head_len;
    apr_status_t rv = mnet_opening_stop(writing->opening);

    if (rv == APR_SUCCESS) {
        rv = count(writing, len);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    head = len < head ? len : head;
    memcpy(writing->head + writing->head_len, data, head);
    writing->head_len += head;
    rv = mnet_digest_write(writing->sha1, data, len);
    if (rv != APR_SUCCESS) {
        return mnet_opening_fail(writing->opening, rv, "SHA-1 does not work");
    }
    rv = write_fd(writing->fd, data, len);
    if (rv != APR_SUCCESS) {
        return mnet_opening_disk(writing->opening, rv);
    }
    writing->unsynced += len;
    if (writing->unsynced >= WRITE_BACK) {
        /* Begun now, so that the fsync at the end is short. */
        (void)sync_file_range(writing->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        writing->unsynced = 0;
    }
    return APR_SUCCESS;
}

typedef apr_status_t read_fn(mnet_opening_t *opening, void *from, char *piece, apr_size_t *len);

static apr_status_t copy_pieces(writing_t *writing, read_fn *read_piece, void *from,
                                apr_pool_t *scratch)
{
    char *piece = apr_palloc(scratch, MNET_PACKAGE_PIECE);
    unsigned char sha1[MNET_SHA1];
    apr_status_t rv;
    apr_size_t len;

    do {
        len = MNET_PACKAGE_PIECE;
        rv = read_piece(writing->opening, from, piece, &len);
        if (rv == APR_SUCCESS && len) {
            rv = take_piece(writing, piece, len);
        }
    } while (rv == APR_SUCCESS && len);
    if (rv == APR_SUCCESS) {
        rv = mnet_digest_end(writing->sha1, sha1);
        writing->file->sha1 = mnet_hex(sha1, sizeof(sha1), writing->opening->pool);
    }
    return rv;
}

/*
 * A place for it.  What we take for two names may be one to a file system that does not tell cases,
 * or ways to write an accent, apart: then the next number is taken.
 */
static apr_status_t open_file(writing_t *writing, const char *path)
{
    mnet_opening_t *opening = writing->opening;
    apr_status_t rv;

    do {
        rv = mnet_names_claim(opening, path, &writing->file->path);
        if (rv == APR_SUCCESS) {
            rv = mnet_folder_create(opening, writing->file->path, &writing->fd);
        }
    } while (rv == EEXIST);
    return rv;
}

/* One file of the package, from wherever it comes. */
static apr_status_t take_file(mnet_opening_t *opening, const char *path, const char *original,
                              read_fn *read_piece, void *from, apr_pool_t *scratch)
{
    writing_t *writing = apr_pcalloc(scratch, sizeof(*writing));
    mnet_package_file_t file = {0};
    apr_status_t rv;

    file.original = mnet_names_text(original, strlen(original), opening->pool);
    writing->opening = opening;
    writing->file = &file;
    writing->sha1 = mnet_sha1_create(opening->source->crypto, scratch);
    if (!writing->sha1) {
        return mnet_opening_fail(opening, MNET_E_CRYPTO, "SHA-1 does not work");
    }
    rv = open_file(writing, path);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = copy_pieces(writing, read_piece, from, scratch);
    if (close(writing->fd) && rv == APR_SUCCESS) {
        rv = mnet_opening_disk(opening, errno);
    }
    if (rv == APR_SUCCESS) {
        mnet_kind_of(&file, writing->head, writing->head_len);
        APR_ARRAY_PUSH(opening->package->files, mnet_package_file_t) = file;
    }
    return rv;
}

/* --- a single file --- */

static apr_status_t read_plain(mnet_opening_t *opening, void *from, char *piece, apr_size_t *len)
{
    int *fd = from;
    ssize_t n;

    do {
        n = read(*fd, piece, *len);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return mnet_opening_fail(opening, errno, "the file received cannot be read");
    }
    *len = (apr_size_t)n;
    return APR_SUCCESS;
}

static apr_status_t take_single(mnet_opening_t *opening, int fd)
{
    const char *name = opening->source->name ? opening->source->name : "file";
    const char *path = mnet_package_name(name, strlen(name), opening->limits->name, opening->pool);

    opening->is_single = 1;
    if (lseek(fd, 0, SEEK_SET) < 0) {
        return mnet_opening_fail(opening, errno, "the file received cannot be read");
    }
    return take_file(opening, path, name, read_plain, &fd, opening->pool);
}

/* --- an archive --- */

/* What libarchive could not do: our machine's fault, or the archive's. */
static apr_status_t archive_failed(mnet_opening_t *opening, struct archive *archive)
{
    int number = archive_errno(archive);
    const char *text = archive_error_string(archive);

    if (number == ENOMEM || number == EIO || number == EACCES || number == EMFILE) {
        return mnet_opening_fail(opening, number, "the file received cannot be read");
    }
    text = text ? text : "it cannot be read";
    return REFUSE(opening, "the archive is cut short or damaged: %s",
                  mnet_for_log(text, strlen(text), 120, opening->pool));
}

static apr_status_t read_archive(mnet_opening_t *opening, void *from, char *piece, apr_size_t *len)
{
    la_ssize_t n = archive_read_data(from, piece, *len);

    if (n < 0) {
        return archive_failed(opening, from);
    }
    *len = (apr_size_t)n;
    return APR_SUCCESS;
}

/* Something but a file or a folder. */
static apr_status_t check_type(mnet_opening_t *opening, struct archive_entry *entry)
{
    mode_t type = archive_entry_filetype(entry);

    if (archive_entry_symlink(entry) || archive_entry_hardlink(entry) ||
        (type && type != AE_IFREG && type != AE_IFDIR)) {
        return REFUSE(opening, "the archive has a link or a device in it");
    }
    if (archive_entry_is_encrypted(entry)) {
        return REFUSE(opening, "the archive is encrypted");
    }
    return APR_SUCCESS;
}

static apr_status_t take_entry(mnet_opening_t *opening, struct archive *archive,
                               struct archive_entry *entry, apr_pool_t *scratch)
{
    const char *original = archive_entry_pathname(entry), *path;
    apr_int64_t size;
    apr_status_t rv;
    int before;

    if (!original) {
        original = archive_entry_pathname_utf8(entry);
    }
    if (!original) {
        return REFUSE(opening, "a file in it has no name");
    }
    rv = check_type(opening, entry);
    if (rv == APR_SUCCESS && archive_entry_filetype(entry) == AE_IFDIR &&
        (!strcmp(original, "./") || !strcmp(original, "."))) {
        return APR_SUCCESS; /* the package's folder itself */
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_names_path(opening, original, &path, scratch);
    }
    if (rv != APR_SUCCESS || archive_entry_filetype(entry) == AE_IFDIR) {
        return rv; /* a folder is made when something is in it */
    }
    before = opening->package->files->nelts;
    rv = take_file(opening, path, original, read_archive, archive, scratch);
    size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : -1;
    if (rv == APR_SUCCESS && size >= 0 &&
        size != APR_ARRAY_IDX(opening->package->files, before, mnet_package_file_t).size) {
        rv = REFUSE(opening, "%s has not the size it is said to have",
                    mnet_opening_quote(opening, original));
    }
    return rv;
}

static apr_status_t take_entries(mnet_opening_t *opening, struct archive *archive,
                                 apr_pool_t *scratch)
{
    struct archive_entry *entry;
    apr_status_t rv = APR_SUCCESS;
    int n;

    for (n = 0; rv == APR_SUCCESS; n++) {
        int got = archive_read_next_header(archive, &entry);

        if (got == ARCHIVE_EOF) {
            break;
        }
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN) {
            return archive_failed(opening, archive);
        }
        if (n >= opening->limits->files) {
            return REFUSE(opening, "the archive has over %d entries", opening->limits->files);
        }
        rv = mnet_opening_stop(opening);
        if (rv == APR_SUCCESS) {
            rv = take_entry(opening, archive, entry, scratch);
        }
        apr_pool_clear(scratch);
    }
    if (rv == APR_SUCCESS && !opening->package->files->nelts) {
        rv = REFUSE(opening, "the archive has no file in it");
    }
    return rv;
}

static apr_status_t take_archive(mnet_opening_t *opening, int fd)
{
    struct archive *archive = archive_read_new();
    apr_pool_t *scratch = NULL;
    apr_status_t rv = archive ? apr_pool_create(&scratch, opening->pool) : APR_ENOMEM;

    if (rv != APR_SUCCESS) {
        mnet_opening_fail(opening, rv, "no memory");
    } else if (lseek(fd, 0, SEEK_SET) < 0 ||
               archive_read_support_format_zip_seekable(archive) != ARCHIVE_OK ||
               archive_read_open_fd(archive, fd, MNET_PACKAGE_PIECE) != ARCHIVE_OK) {
        rv = archive_failed(opening, archive);
    } else {
        rv = take_entries(opening, archive, scratch);
    }
    if (archive) {
        archive_read_free(archive);
    }
    if (scratch) {
        apr_pool_destroy(scratch);
    }
    return rv;
}

/* --- either --- */

static apr_status_t unpack_fd(mnet_opening_t *opening, int fd)
{
    const mnet_package_source_t *source = opening->source;
    mnet_zip_kind_e kind;
    apr_status_t rv = mnet_zip_kind(fd, &kind);

    if (rv != APR_SUCCESS) {
        return mnet_opening_fail(opening, rv, "the file received cannot be read");
    }
    if (kind == MNET_ZIP_EMPTY) {
        return REFUSE(opening, "the archive is empty");
    }
    if (kind == MNET_ZIP_NONE && source->manifest) {
        return REFUSE(opening, "it is not a zip archive");
    }
    if (kind == MNET_ZIP_NONE || (kind == MNET_ZIP_DOCUMENT && !source->manifest)) {
        return take_single(opening, fd);
    }
    rv = mnet_zip_inspect(opening, fd);
    return rv == APR_SUCCESS ? take_archive(opening, fd) : rv;
}

apr_status_t mnet_unpack(mnet_opening_t *opening)
{
    int fd = open(opening->source->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat info;
    apr_status_t rv;

    if (fd < 0) {
        return mnet_opening_fail(opening, errno, "the file received cannot be opened");
    }
    if (fstat(fd, &info)) {
        rv = mnet_opening_fail(opening, errno, "the file received cannot be read");
    } else if (!S_ISREG(info.st_mode)) {
        rv = mnet_opening_fail(opening, MNET_E_INVALID, "what was received is not a file");
    } else if (!info.st_size) {
        rv = REFUSE(opening, "it is empty");
    } else {
        opening->archive_size = info.st_size;
        rv = unpack_fd(opening, fd);
    }
    close(fd);
    return rv;
}
