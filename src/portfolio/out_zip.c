/* SPDX-License-Identifier: Apache-2.0 */
/* A zip that is the package already: what is in it, for the manifest. */
#include <apr_strings.h>
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "base/text.h"
#include "package/package.h"
#include "portfolio/out_int.h"

#define PIECE      (64 * 1024)
#define FILES_MAX  10000
#define NAME_BYTES 200

typedef struct looking_t {
    mnet_out_sending_t *sending;
    apr_array_header_t *files;
    struct archive *zip;
    char *piece;
    apr_off_t total;
    int has_leap;
    apr_pool_t *pool;
} looking_t;

static int is_zip(const mnet_out_sending_t *sending, const mnet_out_file_t *file)
{
    unsigned char magic[4] = {0};
    ssize_t n;
    int fd;

    if (mnet_out_open(sending, file, &fd)) {
        return 0;
    }
    n = read(fd, magic, sizeof(magic));
    (void)close(fd);
    return n == 4 && (!memcmp(magic, "PK\3\4", 4) || !memcmp(magic, "PK\5\6", 4));
}

static apr_status_t digest_entry(looking_t *looking, mnet_out_file_t *file)
{
    apr_pool_t *scratch;
    mnet_digest_t *sha1;
    unsigned char bytes[MNET_SHA1];
    la_ssize_t n = 0;
    apr_status_t rv = apr_pool_create(&scratch, looking->pool);

    if (rv) {
        return rv;
    }
    sha1 = mnet_sha1_create(looking->sending->host->engine->crypto, scratch);
    rv = sha1 ? APR_SUCCESS : MNET_E_CRYPTO;
    file->size = 0;
    while (!rv && (n = archive_read_data(looking->zip, looking->piece, PIECE)) > 0) {
        rv = mnet_digest_write(sha1, looking->piece, (apr_size_t)n);
        file->size += n;
    }
    rv = rv ? rv : n < 0 ? APR_EGENERAL : mnet_digest_end(sha1, bytes);
    apr_pool_destroy(scratch);
    if (!rv) {
        file->sha1 = mnet_hex(bytes, sizeof(bytes), looking->pool);
    }
    return rv;
}

static apr_status_t add_entry(looking_t *looking, struct archive_entry *entry)
{
    const char *path = archive_entry_pathname_utf8(entry), *slash;
    mnet_out_file_t *file;

    if (archive_entry_filetype(entry) != AE_IFREG || !path || !*path) {
        return APR_SUCCESS;
    }
    if (looking->files->nelts >= FILES_MAX) {
        return MNET_E_LIMIT;
    }
    slash = strrchr(path, '/');
    slash = slash ? slash + 1 : path;
    file = apr_array_push(looking->files);
    memset(file, 0, sizeof(*file));
    file->inside = apr_pstrdup(looking->pool, path);
    file->name = mnet_package_name(slash, strlen(slash), NAME_BYTES, looking->pool);
    file->path = APR_ARRAY_IDX(looking->sending->paths, 0, const char *);
    looking->has_leap |=
        !strcmp(path, "leap2a.xml") || !strcmp(path, "leap2.xml") || !strcmp(path, "leap.xml");
    return digest_entry(looking, file);
}

static apr_status_t look(looking_t *looking, int fd)
{
    struct archive_entry *entry;
    int said;
    apr_status_t rv = APR_SUCCESS;

    looking->zip = archive_read_new();
    if (!looking->zip) {
        return APR_ENOMEM;
    }
    said = archive_read_support_format_zip(looking->zip);
    said = said ? said : archive_read_open_fd(looking->zip, fd, PIECE);
    while (!rv && said >= ARCHIVE_WARN &&
           (said = archive_read_next_header(looking->zip, &entry)) >= ARCHIVE_WARN &&
           said != ARCHIVE_EOF) {
        rv = add_entry(looking, entry);
    }
    rv = rv ? rv : said < ARCHIVE_WARN ? APR_EGENERAL : APR_SUCCESS;
    (void)archive_read_free(looking->zip);
    return rv;
}

static apr_status_t look_in_locale(looking_t *looking, int fd)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before;
    apr_status_t rv;

    if (utf8 == (locale_t)0) {
        return look(looking, fd);
    }
    before = uselocale(utf8);
    rv = look(looking, fd);
    (void)uselocale(before);
    freelocale(utf8);
    return rv;
}

apr_status_t mnet_out_look_inside(mnet_out_sending_t *sending, apr_array_header_t **files,
                                  apr_pool_t *pool)
{
    const mnet_out_file_t *file = &APR_ARRAY_IDX(*files, 0, mnet_out_file_t);
    looking_t looking = {sending, apr_array_make(pool, 16, sizeof(mnet_out_file_t)),
                         NULL,    apr_palloc(pool, PIECE),
                         0,       0,
                         pool};
    int fd, one = (*files)->nelts == 1 && !file->below;
    apr_status_t rv;

    if (!one || !is_zip(sending, file)) {
        return sending->package
                   ? mnet_out_refuse(sending, MNET_E_INVALID, "usage", pool,
                                     "%s is no zip, so that it cannot be the package", file->path)
                   : APR_SUCCESS;
    }
    rv = mnet_out_open(sending, file, &fd);
    if (rv) {
        return rv;
    }
    rv = look_in_locale(&looking, fd);
    (void)close(fd);
    if (rv && sending->package) {
        return mnet_out_refuse(sending, rv, "usage", pool, "%s is a damaged zip", file->path);
    }
    if (rv || !looking.files->nelts || !(sending->package || looking.has_leap)) {
        return APR_SUCCESS; /* a file like any other */
    }
    sending->package_file = file;
    *files = looking.files;
    return APR_SUCCESS;
}
