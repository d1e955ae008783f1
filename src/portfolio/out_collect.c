/* SPDX-License-Identifier: Apache-2.0 */
/* What a user wants to send, file by file, each with its digest. */
#include <apr_strings.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "base/text.h"
#include "package/package.h"
#include "portfolio/out_int.h"

#define FILES_MAX 10000 /* in one package */
#define DEPTH_MAX 32    /* folders within folders */
#define NAME_MAX_ 200   /* bytes of a name in the package */
#define PIECE     (64 * 1024)

typedef struct collecting_t {
    mnet_out_sending_t *sending;
    apr_array_header_t *files; /* mnet_out_file_t */
    const char *root;          /* the path at hand */
    apr_pool_t *pool;
} collecting_t;

apr_status_t mnet_out_refuse(mnet_out_sending_t *sending, apr_status_t rv, const char *kind,
                             apr_pool_t *pool, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    sending->why = apr_pvsprintf(pool, fmt, ap);
    va_end(ap);
    sending->kind = kind;
    return rv;
}

static apr_status_t cannot_read(mnet_out_sending_t *sending, apr_status_t rv, const char *path,
                                apr_pool_t *pool)
{
    char text[200];

    return mnet_out_refuse(sending, rv, "usage", pool, "%s cannot be read: %s",
                           mnet_for_log(path, strlen(path), 300, pool),
                           mnet_strerror(rv, text, sizeof(text)));
}

/* --- opening --- */

static apr_status_t open_at(int dir, const char *name, int flags, int *fd)
{
    *fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);
    return *fd < 0 ? errno : APR_SUCCESS;
}

/* A path below a folder, name by name, following no link; none of them may begin with a dot if
 * confined. */
static apr_status_t open_below(int dir, const char *path, int confined, int *fd)
{
    int at = dir;
    apr_status_t rv = APR_SUCCESS;

    *fd = -1;
    while (!rv) {
        apr_size_t len = strcspn(path, "/");
        char name[256];
        int next;

        if (!len || len >= sizeof(name) || (confined && path[0] == '.') ||
            (len == 2 && path[0] == '.' && path[1] == '.')) {
            rv = APR_EACCES;
            break;
        }
        memcpy(name, path, len);
        name[len] = '\0';
        path += len;
        rv = open_at(at, name, O_NOFOLLOW | (*path ? O_DIRECTORY : 0), &next);
        if (at != dir) {
            (void)close(at);
        }
        at = rv ? dir : next;
        if (!*path) {
            break;
        }
        path++;
    }
    if (!rv) {
        *fd = at;
    } else if (at != dir) {
        (void)close(at);
    }
    return rv;
}

/* What the user named: a file or a folder. */
static apr_status_t open_root(const mnet_out_sending_t *sending, const char *path, int *fd,
                              apr_pool_t *pool)
{
    int dir;
    apr_status_t rv;

    if (!sending->confined) {
        return open_at(AT_FDCWD, path, 0, fd);
    }
    rv = open_at(AT_FDCWD,
                 apr_pstrcat(pool, sending->host->site->portfolio->dir, "/" MNET_OUT_FOLDER, NULL),
                 O_DIRECTORY, &dir);
    if (!rv) {
        rv = open_below(dir, path, 1, fd);
        (void)close(dir);
    }
    return rv;
}

static apr_status_t open_path(const mnet_out_sending_t *sending, const mnet_out_file_t *file,
                              int *fd, apr_pool_t *pool)
{
    int root;
    apr_status_t rv = open_root(sending, file->path, &root, pool);

    if (rv || !file->below) {
        *fd = rv ? -1 : root;
        return rv;
    }
    rv = open_below(root, file->below, 0, fd);
    (void)close(root);
    return rv;
}

apr_status_t mnet_out_open(const mnet_out_sending_t *sending, const mnet_out_file_t *file, int *fd)
{
    apr_pool_t *pool;
    struct stat st;
    apr_status_t rv = apr_pool_create(&pool, sending->files_pool);

    if (rv) {
        return rv;
    }
    rv = open_path(sending, file, fd, pool);
    apr_pool_destroy(pool);
    if (!rv && (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        (void)close(*fd);
        *fd = -1;
        rv = APR_EINVAL;
    }
    return rv;
}

/* --- finding --- */

static apr_status_t add(collecting_t *collecting, const char *below, const struct stat *st)
{
    mnet_out_sending_t *sending = collecting->sending;
    apr_pool_t *pool = collecting->pool;
    const char *shown = below ? below : collecting->root, *slash;
    mnet_out_file_t *file;

    if (collecting->files->nelts >= FILES_MAX) {
        return mnet_out_refuse(sending, MNET_E_LIMIT, "usage", pool,
                               "there are more than %d files; send them in several packages",
                               FILES_MAX);
    }
    slash = strrchr(shown, '/');
    file = apr_array_push(collecting->files);
    memset(file, 0, sizeof(*file));
    file->path = collecting->root;
    file->below = below;
    file->changed = apr_time_from_sec(st->st_mtime);
    file->size = st->st_size;
    file->name = mnet_package_name(slash ? slash + 1 : shown, strlen(slash ? slash + 1 : shown),
                                   NAME_MAX_, pool);
    file->inside = below ? below : file->name;
    file->squeezed = mnet_out_is_squeezed(file->name);
    return APR_SUCCESS;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a folder, sorted: the same folder makes the same package. */
static apr_status_t names_in(int fd, apr_array_header_t **names, apr_pool_t *pool)
{
    int copy = dup(fd);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    *names = apr_array_make(pool, 16, sizeof(const char *));
    if (!dir) {
        apr_status_t rv = errno;

        if (copy >= 0) {
            (void)close(copy);
        }
        return rv;
    }
    rewinddir(dir);
    while ((*names)->nelts <= FILES_MAX && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            APR_ARRAY_PUSH(*names, const char *) = apr_pstrdup(pool, entry->d_name);
        }
    }
    (void)closedir(dir);
    if ((*names)->nelts > 1) {
        qsort((*names)->elts, (size_t)(*names)->nelts, sizeof(const char *), by_name);
    }
    return APR_SUCCESS;
}

static apr_status_t walk(collecting_t *collecting, int fd, const char *below, int depth);

/* One name of a folder: hidden files, links and devices are left out. */
static apr_status_t visit(collecting_t *collecting, int dir, const char *name, const char *below,
                          int depth)
{
    struct stat st;
    int fd;
    apr_status_t rv = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ? errno : APR_SUCCESS;

    /* Even to open a device may do something. */
    if (!rv && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        return APR_SUCCESS;
    }
    rv = rv ? rv : open_at(dir, name, O_NOFOLLOW, &fd);
    if (rv == ELOOP || rv == ENXIO) {
        return APR_SUCCESS;
    }
    if (rv) {
        return cannot_read(collecting->sending, rv, below, collecting->pool);
    }
    rv = fstat(fd, &st) != 0 ? errno : APR_SUCCESS;
    if (!rv && S_ISREG(st.st_mode)) {
        rv = add(collecting, below, &st);
    } else if (!rv && S_ISDIR(st.st_mode)) {
        rv = walk(collecting, fd, below, depth + 1);
    }
    (void)close(fd);
    return rv;
}

static apr_status_t walk(collecting_t *collecting, int fd, const char *below, int depth)
{
    apr_array_header_t *names;
    apr_status_t rv = names_in(fd, &names, collecting->pool);

    if (depth > DEPTH_MAX) {
        return mnet_out_refuse(collecting->sending, MNET_E_LIMIT, "usage", collecting->pool,
                               "%s has folders within more than %d folders", collecting->root,
                               DEPTH_MAX);
    }
    for (int i = 0; !rv && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        rv = visit(collecting, fd, name,
                   below ? apr_pstrcat(collecting->pool, below, "/", name, NULL) : name, depth);
    }
    return rv;
}

static apr_status_t collect_root(collecting_t *collecting, const char *path)
{
    mnet_out_sending_t *sending = collecting->sending;
    apr_size_t len = strlen(path);
    struct stat st;
    int fd;
    apr_status_t rv;

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    collecting->root = apr_pstrmemdup(collecting->pool, path, len);
    rv = open_root(sending, collecting->root, &fd, collecting->pool);
    if (rv && sending->confined) {
        return mnet_out_refuse(sending, rv, "usage", collecting->pool,
                               "%s is no file below MnetPortfolioDir/" MNET_OUT_FOLDER
                               " that httpd may read: give its path relative to that",
                               mnet_for_log(path, strlen(path), 300, collecting->pool));
    }
    if (rv) {
        return cannot_read(sending, rv, path, collecting->pool);
    }
    rv = fstat(fd, &st) != 0 ? errno : APR_SUCCESS;
    if (!rv && S_ISREG(st.st_mode)) {
        rv = add(collecting, NULL, &st);
    } else if (!rv && S_ISDIR(st.st_mode)) {
        rv = walk(collecting, fd, NULL, 1);
    } else {
        rv = mnet_out_refuse(sending, APR_EINVAL, "usage", collecting->pool,
                             "%s is neither a file nor a folder", path);
    }
    (void)close(fd);
    return rv;
}

/* --- digests --- */

static apr_status_t digest(collecting_t *collecting, mnet_out_file_t *file, char *piece)
{
    apr_pool_t *scratch;
    mnet_digest_t *sha1;
    unsigned char bytes[MNET_SHA1];
    apr_off_t size = 0;
    ssize_t n = 0;
    int fd = -1;
    apr_status_t rv = apr_pool_create(&scratch, collecting->pool);

    if (rv) {
        return rv;
    }
    sha1 = mnet_sha1_create(collecting->sending->host->engine->crypto, scratch);
    rv = sha1 ? mnet_out_open(collecting->sending, file, &fd) : MNET_E_CRYPTO;
    while (!rv && (n = read(fd, piece, PIECE)) > 0) {
        rv = mnet_digest_write(sha1, piece, (apr_size_t)n);
        size += n;
    }
    rv = rv ? rv : n < 0 ? errno : mnet_digest_end(sha1, bytes);
    if (fd >= 0) {
        (void)close(fd);
    }
    apr_pool_destroy(scratch);
    if (rv) {
        return cannot_read(collecting->sending, rv, file->below ? file->below : file->path,
                           collecting->pool);
    }
    file->size = size;
    file->sha1 = mnet_hex(bytes, sizeof(bytes), collecting->pool);
    return APR_SUCCESS;
}

apr_status_t mnet_out_collect(mnet_out_sending_t *sending, apr_array_header_t **files,
                              apr_pool_t *pool)
{
    collecting_t collecting = {sending, apr_array_make(pool, 16, sizeof(mnet_out_file_t)), NULL,
                               pool};
    char *piece = apr_palloc(pool, PIECE);
    apr_status_t rv = APR_SUCCESS;

    sending->files_pool = pool;
    *files = collecting.files;
    for (int i = 0; !rv && i < sending->paths->nelts; i++) {
        rv = collect_root(&collecting, APR_ARRAY_IDX(sending->paths, i, const char *));
    }
    if (!rv && !collecting.files->nelts) {
        rv = mnet_out_refuse(sending, APR_EINVAL, "usage", pool, "there is no file to send");
    }
    for (int i = 0; !rv && i < collecting.files->nelts; i++) {
        rv = digest(&collecting, &APR_ARRAY_IDX(collecting.files, i, mnet_out_file_t), piece);
    }
    return rv;
}
