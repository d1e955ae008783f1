/* SPDX-License-Identifier: Apache-2.0 */
#include "package/zip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"

#define LOCAL_SIZE   30
#define ENTRY_SIZE   46
#define END_SIZE     22
#define END64_SIZE   56
#define LOCATOR_SIZE 20
/* libarchive looks for the end in as many bytes. */
#define TAIL (16 * 1024)

#define LOCAL_MAGIC   0x04034b50
#define ENTRY_MAGIC   0x02014b50
#define END_MAGIC     0x06054b50
#define END64_MAGIC   0x06064b50
#define LOCATOR_MAGIC 0x07064b50

#define FLAG_ENCRYPTED (1 | 1 << 6 | 1 << 13) /* the data, strongly, or the directory */
#define STORED         0
#define DEFLATED       8
/* Deflate cannot do better than 1032 to 1. */
#define DEFLATE_MOST 1040

/* Where the directory is. */
typedef struct {
    apr_uint64_t entries, size, at;
    apr_uint64_t end; /* where it must stop */
} directory_t;

/* Where an entry's data is. */
typedef struct {
    apr_uint64_t at, size;
} extent_t;

typedef struct {
    apr_uint64_t packed, size, at;
    unsigned int flags, method, made_by, disk, name_len, extra_len, comment_len, attributes;
} entry_t;

static unsigned int u16(const unsigned char *p)
{
    return (unsigned int)p[0] | (unsigned int)p[1] << 8;
}

static unsigned int u32(const unsigned char *p)
{
    return u16(p) | u16(p + 2) << 16;
}

static apr_uint64_t u64(const unsigned char *p)
{
    return u32(p) | (apr_uint64_t)u32(p + 4) << 32;
}

/* All of len bytes, or APR_EOF. */
static apr_status_t read_at(int fd, apr_uint64_t at, unsigned char *to, apr_size_t len)
{
    while (len) {
        ssize_t n = pread(fd, to, len, (off_t)at);

        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (!n) {
            return APR_EOF;
        }
        if (n > 0) {
            to += n;
            at += (apr_uint64_t)n;
            len -= (apr_size_t)n;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t damaged(mnet_opening_t *opening, const char *what)
{
    return REFUSE(opening, "the archive is cut short or damaged: %s", what);
}

static apr_status_t unread(mnet_opening_t *opening, apr_status_t rv)
{
    return rv == APR_EOF ? damaged(opening, "it ends within its directory")
                         : mnet_opening_fail(opening, rv, "the file received cannot be read");
}

/* --- what kind of zip --- */

static int begins(const unsigned char *name, apr_size_t len, const char *text)
{
    return len >= strlen(text) && !memcmp(name, text, strlen(text));
}

apr_status_t mnet_zip_kind(int fd, mnet_zip_kind_e *kind)
{
    unsigned char head[LOCAL_SIZE + 24];
    apr_status_t rv = read_at(fd, 0, head, 4);
    apr_size_t len;

    *kind = MNET_ZIP_NONE;
    if (rv != APR_SUCCESS) {
        return rv == APR_EOF ? APR_SUCCESS : rv;
    }
    if (u32(head) == END_MAGIC) {
        *kind = MNET_ZIP_EMPTY;
    }
    if (u32(head) != LOCAL_MAGIC) {
        return APR_SUCCESS;
    }
    *kind = MNET_ZIP_ARCHIVE;
    rv = read_at(fd, 0, head, sizeof(head));
    if (rv != APR_SUCCESS) {
        return rv == APR_EOF ? APR_SUCCESS : rv;
    }
    len = u16(head + 26);
    len = len < sizeof(head) - LOCAL_SIZE ? len : sizeof(head) - LOCAL_SIZE;
    if (begins(head + LOCAL_SIZE, len, "[Content_Types].xml") ||
        (len == 8 && begins(head + LOCAL_SIZE, len, "mimetype")) ||
        begins(head + LOCAL_SIZE, len, "META-INF/")) {
        *kind = MNET_ZIP_DOCUMENT;
    }
    return APR_SUCCESS;
}

/* --- its end --- */

/* The record of zip64 in front of the end, if there is a locator there (4.3.14, 4.3.15). */
static apr_status_t find_end64(mnet_opening_t *opening, int fd, apr_uint64_t end_at,
                               directory_t *directory)
{
    unsigned char locator[LOCATOR_SIZE], end[END64_SIZE];
    apr_uint64_t at, size;
    apr_status_t rv;

    if (end_at < LOCATOR_SIZE) {
        return APR_SUCCESS;
    }
    rv = read_at(fd, end_at - LOCATOR_SIZE, locator, sizeof(locator));
    if (rv != APR_SUCCESS) {
        return unread(opening, rv);
    }
    if (u32(locator) != LOCATOR_MAGIC) {
        return APR_SUCCESS;
    }
    at = u64(locator + 8);
    if (u32(locator + 4) != 0 || u32(locator + 16) > 1 || at > end_at - LOCATOR_SIZE ||
        end_at - LOCATOR_SIZE - at < END64_SIZE) {
        return damaged(opening, "the end of its zip64 directory is not where it should be");
    }
    rv = read_at(fd, at, end, sizeof(end));
    if (rv != APR_SUCCESS) {
        return unread(opening, rv);
    }
    size = u64(end + 4);
    if (u32(end) != END64_MAGIC || size != end_at - LOCATOR_SIZE - at - 12 || u32(end + 16) ||
        u32(end + 20) || u64(end + 24) != u64(end + 32)) {
        return damaged(opening, "the end of its zip64 directory is not as it should be");
    }
    directory->entries = u64(end + 32);
    directory->size = u64(end + 40);
    directory->at = u64(end + 48);
    directory->end = at;
    return APR_SUCCESS;
}

/* What the end says is either what zip64's end says, or leaves it to that. */
static int agrees(apr_uint64_t here, apr_uint64_t most, apr_uint64_t there)
{
    return here == most || here == there;
}

static apr_status_t read_end(mnet_opening_t *opening, int fd, apr_uint64_t at,
                             const unsigned char *end, directory_t *directory)
{
    apr_status_t rv;

    if (u16(end + 4) || u16(end + 6) || u16(end + 8) != u16(end + 10)) {
        return REFUSE(opening, "the archive is one of several volumes");
    }
    directory->entries = u16(end + 10);
    directory->size = u32(end + 12);
    directory->at = u32(end + 16);
    directory->end = at;
    rv = find_end64(opening, fd, at, directory);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!agrees(u16(end + 10), 0xffff, directory->entries) ||
        !agrees(u32(end + 12), 0xffffffff, directory->size) ||
        !agrees(u32(end + 16), 0xffffffff, directory->at) || directory->at > directory->end ||
        directory->size != directory->end - directory->at) {
        return damaged(opening, "its directory is not where its end says");
    }
    return APR_SUCCESS;
}

static apr_status_t find_end(mnet_opening_t *opening, int fd, directory_t *directory)
{
    apr_uint64_t size = (apr_uint64_t)opening->archive_size;
    apr_size_t len = size < TAIL ? (apr_size_t)size : TAIL, i;
    unsigned char tail[TAIL];
    apr_status_t rv = read_at(fd, size - len, tail, len);

    if (rv != APR_SUCCESS) {
        return unread(opening, rv);
    }
    for (i = len < END_SIZE ? 0 : len - END_SIZE + 1; i-- > 0;) {
        if (u32(tail + i) == END_MAGIC) {
            if (len - i - END_SIZE != u16(tail + i + 20)) {
                return damaged(opening, "something follows its end");
            }
            return read_end(opening, fd, size - len + i, tail + i, directory);
        }
    }
    return damaged(opening, "there is no directory at its end");
}

/* --- its entries --- */

/* Sizes and offset that do not fit into 32 bits, in this order (4.5.3).  0 if one is missing. */
static int read_extra64(entry_t *entry, const unsigned char *extra, apr_size_t len)
{
    apr_uint64_t *wanted[3];
    int n = 0, i;

    if (entry->size == 0xffffffff) {
        wanted[n++] = &entry->size;
    }
    if (entry->packed == 0xffffffff) {
        wanted[n++] = &entry->packed;
    }
    if (entry->at == 0xffffffff) {
        wanted[n++] = &entry->at;
    }
    while (n && len >= 4) {
        apr_size_t size = u16(extra + 2);

        if (size > len - 4) {
            return 0;
        }
        if (u16(extra) == 1) {
            for (i = 0; i < n; i++) {
                if (size < 8 * ((apr_size_t)i + 1)) {
                    return 0;
                }
                *wanted[i] = u64(extra + 4 + 8 * i);
            }
            return 1;
        }
        extra += 4 + size;
        len -= 4 + size;
    }
    return n == 0;
}

/* By the mode that Unix and macOS write (4.4.2, 4.4.15). */
static int is_special(const entry_t *entry)
{
    unsigned int system = entry->made_by >> 8, type = entry->attributes >> 16 & S_IFMT;

    return (system == 3 || system == 19) && type && type != S_IFREG && type != S_IFDIR;
}

static apr_status_t check_entry(mnet_opening_t *opening, const entry_t *entry)
{
    const mnet_package_limits_t *limits = opening->limits;

    if (entry->flags & FLAG_ENCRYPTED) {
        return REFUSE(opening, "the archive is encrypted");
    }
    if (entry->method != STORED && entry->method != DEFLATED) {
        return REFUSE(opening,
                      "the archive is packed by a method (%u) that is not taken; deflate is",
                      entry->method);
    }
    if (is_special(entry)) {
        return REFUSE(opening, "the archive has a link or a device in it");
    }
    if (entry->disk) {
        return REFUSE(opening, "the archive is one of several volumes");
    }
    if (entry->size > (apr_uint64_t)limits->file) {
        return REFUSE(opening,
                      "a file in it has %" APR_UINT64_T_FMT " bytes, the most is %" APR_OFF_T_FMT,
                      entry->size, limits->file);
    }
    if ((entry->method == STORED && entry->packed != entry->size) ||
        entry->size / DEFLATE_MOST > entry->packed) {
        return REFUSE(opening, "a file in the archive cannot have the size it is said to have");
    }
    return APR_SUCCESS;
}

static apr_status_t check_total(mnet_opening_t *opening, apr_uint64_t total)
{
    const mnet_package_limits_t *limits = opening->limits;

    if (total > (apr_uint64_t)limits->total) {
        return REFUSE(opening, "unpacked it has over %" APR_OFF_T_FMT " bytes", limits->total);
    }
    if (opening->source->total >= 0 && total > (apr_uint64_t)opening->source->total) {
        return REFUSE(opening, "unpacked it has more than the %" APR_OFF_T_FMT " bytes announced",
                      opening->source->total);
    }
    if (total > MNET_PACKAGE_RATIO_FLOOR &&
        total / (apr_uint64_t)limits->ratio > (apr_uint64_t)opening->archive_size) {
        return REFUSE(opening, "unpacked it is over %d times as large as packed", limits->ratio);
    }
    return APR_SUCCESS;
}

static int by_place(const void *a, const void *b)
{
    const extent_t *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

/* No two entries share a byte, and none reaches into the directory. */
static apr_status_t check_overlap(mnet_opening_t *opening, extent_t *extents, apr_size_t n,
                                  const directory_t *directory)
{
    apr_size_t i;

    qsort(extents, n, sizeof(*extents), by_place);
    for (i = 0; i < n; i++) {
        apr_uint64_t next = i + 1 < n ? extents[i + 1].at : directory->at;

        if (extents[i].at > next || next - extents[i].at < LOCAL_SIZE ||
            next - extents[i].at - LOCAL_SIZE < extents[i].size) {
            return REFUSE(opening, "files in the archive overlap");
        }
    }
    return APR_SUCCESS;
}

static apr_status_t read_entry(mnet_opening_t *opening, int fd, apr_uint64_t at,
                               const directory_t *directory, entry_t *entry, unsigned char *extra)
{
    unsigned char head[ENTRY_SIZE];
    apr_status_t rv;

    if (directory->end - at < ENTRY_SIZE) {
        return damaged(opening, "its directory ends early");
    }
    rv = read_at(fd, at, head, sizeof(head));
    if (rv != APR_SUCCESS) {
        return unread(opening, rv);
    }
    entry->made_by = u16(head + 4);
    entry->flags = u16(head + 8);
    entry->method = u16(head + 10);
    entry->packed = u32(head + 20);
    entry->size = u32(head + 24);
    entry->name_len = u16(head + 28);
    entry->extra_len = u16(head + 30);
    entry->comment_len = u16(head + 32);
    entry->disk = u16(head + 34);
    entry->attributes = u32(head + 38);
    entry->at = u32(head + 42);
    if (u32(head) != ENTRY_MAGIC || directory->end - at - ENTRY_SIZE <
                                        entry->name_len + entry->extra_len + entry->comment_len) {
        return damaged(opening, "its directory ends early");
    }
    rv = read_at(fd, at + ENTRY_SIZE + entry->name_len, extra, entry->extra_len);
    if (rv != APR_SUCCESS) {
        return unread(opening, rv);
    }
    return read_extra64(entry, extra, entry->extra_len) ? APR_SUCCESS
                                                        : damaged(opening, "a size is missing");
}

static apr_status_t read_entries(mnet_opening_t *opening, int fd, const directory_t *directory,
                                 apr_pool_t *pool)
{
    extent_t *extents = apr_palloc(pool, (apr_size_t)directory->entries * sizeof(*extents));
    unsigned char *extra = apr_palloc(pool, 0xffff);
    apr_uint64_t at = directory->at, total = 0, n;
    apr_status_t rv = APR_SUCCESS;

    for (n = 0; n < directory->entries && rv == APR_SUCCESS; n++) {
        entry_t entry = {0};

        rv = read_entry(opening, fd, at, directory, &entry, extra);
        if (rv == APR_SUCCESS) {
            rv = check_entry(opening, &entry);
        }
        if (rv == APR_SUCCESS) {
            total += entry.size; /* no overflow: neither limit is over 2^63 */
            rv = check_total(opening, total);
            extents[n].at = entry.at;
            extents[n].size = entry.packed;
            at += ENTRY_SIZE + entry.name_len + entry.extra_len + entry.comment_len;
        }
    }
    if (rv == APR_SUCCESS && at != directory->end) {
        rv = damaged(opening, "its directory has more in it than its end says");
    }
    return rv == APR_SUCCESS ? check_overlap(opening, extents, (apr_size_t)n, directory) : rv;
}

apr_status_t mnet_zip_inspect(mnet_opening_t *opening, int fd)
{
    directory_t directory = {0};
    apr_pool_t *scratch;
    apr_status_t rv = find_end(opening, fd, &directory);

    if (rv == APR_SUCCESS && directory.entries > (apr_uint64_t)opening->limits->files) {
        rv = REFUSE(opening, "the archive has %" APR_UINT64_T_FMT " entries, the most is %d",
                    directory.entries, opening->limits->files);
    }
    if (rv == APR_SUCCESS && !directory.entries) {
        rv = REFUSE(opening, "the archive is empty");
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_pool_create(&scratch, opening->pool);
    if (rv != APR_SUCCESS) {
        return mnet_opening_fail(opening, rv, "no memory");
    }
    rv = read_entries(opening, fd, &directory, scratch);
    apr_pool_destroy(scratch);
    return rv;
}
