/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/deliver_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_sha1.h>
#include <apr_strings.h>

#include "base/status.h"
#include "base/sync.h"
#include "base/text.h"

#define TITLE_MOST  120 /* bytes of the title in a folder's name */
#define NAME_MOST   240
#define ID_DIGITS   12
#define FOLDER_MODE 0750

/* The start of the digest of a text, in hexadecimal. */
static const char *digest(const mnet_crypto_t *crypto, const char *text, apr_size_t digits,
                          apr_pool_t *pool)
{
    unsigned char out[MNET_SHA256] = {0};

    if (mnet_sha256(crypto, text, strlen(text), NULL, 0, out) != APR_SUCCESS) {
        return NULL;
    }
    return apr_pstrndup(pool, mnet_hex(out, sizeof(out), pool), digits);
}

/* --- a user's folder --- */

/* As in a URL, so that two texts never become one: what may not stand in a name as %XX. */
static const char *escaped(const char *text, apr_pool_t *pool)
{
    apr_size_t len = strlen(text), i, used = 0;
    char *out = apr_palloc(pool, len * 3 + 1);
    int utf8 = mnet_is_utf8(text, len);

    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c <= 0x20 || c == 0x7f || strchr("%/\\", c) || (c == '.' && !i) ||
            (c >= 0x80 && !utf8)) {
            used += (apr_size_t)apr_snprintf(out + used, 4, "%%%02X", c);
        } else {
            out[used++] = (char)c;
        }
    }
    out[used] = '\0';
    return out;
}

const char *mnet_portfolio_user_folder(const char *user, const char *peer, apr_pool_t *pool)
{
    const char *whole = apr_pstrcat(pool, user, "@", mnet_wwwroot_bare(peer), NULL);
    const char *name = escaped(whole, pool);
    apr_size_t len = strlen(name);

    if (len > NAME_MOST) {
        /* The end of a text this long says less than its digest. */
        unsigned char out[APR_SHA1_DIGESTSIZE];
        apr_sha1_ctx_t sha1;

        apr_sha1_init(&sha1);
        apr_sha1_update(&sha1, whole, (unsigned int)strlen(whole));
        apr_sha1_final(out, &sha1);
        len = NAME_MOST - 42;
        while (len && ((unsigned char)name[len] & 0xc0) == 0x80) {
            len--;
        }
        name = apr_psprintf(pool, "%.*s-%s", (int)len, name, mnet_hex(out, sizeof(out), pool));
    }
    return name;
}

/* --- the package's folder --- */

/* Where a package goes: held open, so that nobody puts something else in its place meanwhile. */
typedef struct place_t {
    int fd;
    const char *path, *relative; /* relative: to MnetPortfolioDir */
} place_t;

/*
 * On to the folder of that name, made if it is missing and then synced, so that a rename into it is
 * worth something.  No link is followed: a folder that is shared with others may hold one that
 * leads out of MnetPortfolioDir.
 */
static apr_status_t step_into(mnet_deliver_t *deliver, place_t *place, const char *name)
{
    const char *path = apr_pstrcat(deliver->pool, place->path, "/", name, NULL);
    char text[100];
    int next = -1;
    apr_status_t rv = APR_SUCCESS;

    if (mkdirat(place->fd, name, FOLDER_MODE)) {
        rv = errno == EEXIST ? APR_SUCCESS : errno;
    } else if (fsync(place->fd)) {
        rv = errno;
    }
    if (rv == APR_SUCCESS) {
        next = openat(place->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        rv = next < 0 ? errno : APR_SUCCESS;
    }
    if (rv == ELOOP || rv == ENOTDIR) {
        return mnet_deliver_fail(deliver, rv,
                                 "a folder for it cannot be made on this server: %s is a link or a "
                                 "file",
                                 mnet_for_log(path, strlen(path), 300, deliver->pool));
    }
    if (rv != APR_SUCCESS) {
        return mnet_deliver_fail(deliver, rv, "a folder for it cannot be made on this server (%s)",
                                 mnet_strerror(rv, text, sizeof(text)));
    }
    close(place->fd);
    *place = (place_t){
        next, path,
        *place->relative ? apr_pstrcat(deliver->pool, place->relative, "/", name, NULL) : name};
    return APR_SUCCESS;
}

/* MnetPortfolioDir/USER/ROUTE, made if it is missing.  place->fd is to be closed in any case. */
static apr_status_t open_place(mnet_deliver_t *deliver, place_t *place)
{
    const mnet_package_source_t *source = &deliver->source;
    const char *at = deliver->delivered->route->to, *dir = deliver->delivery->options->dir;
    char text[100];
    apr_status_t rv;

    *place = (place_t){open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir, ""};
    if (place->fd < 0) {
        rv = errno;
        return mnet_deliver_fail(deliver, rv, "MnetPortfolioDir cannot be used (%s)",
                                 mnet_strerror(rv, text, sizeof(text)));
    }
    rv = step_into(deliver, place,
                   mnet_portfolio_user_folder(source->user, source->peer, deliver->pool));
    while (rv == APR_SUCCESS && *at) {
        apr_size_t len = strcspn(at, "/");
        const char *name = apr_pstrmemdup(deliver->pool, at, len);

        if (!strcmp(name, "..")) {
            return mnet_deliver_fail(deliver, MNET_E_INVALID,
                                     "its MnetPortfolioRoute leads out of the user's folder");
        }
        if (len && strcmp(name, ".")) {
            rv = step_into(deliver, place, name);
        }
        at += len;
        at += *at == '/';
    }
    return rv;
}

static const char *title_of(const mnet_deliver_t *deliver)
{
    const mnet_package_t *package = deliver->delivered->package;

    return package->title && *package->title ? package->title : package->format;
}

/* Never over something that is there. */
static int rename_new(const char *from, int dir, const char *name)
{
    struct stat info;

    if (!renameat2(AT_FDCWD, from, dir, name, RENAME_NOREPLACE)) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return errno;
    }
    /* A file system that cannot do this: nobody else makes folders of this name. */
    if (!fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW)) {
        return EEXIST;
    }
    return renameat(AT_FDCWD, from, dir, name) ? errno : 0;
}

static apr_status_t move_there(mnet_deliver_t *deliver, const place_t *place, const char *name)
{
    char text[100];
    int number = rename_new(deliver->delivered->package->folder, place->fd, name);
    apr_status_t rv = number;

    if (number == EEXIST || number == ENOTEMPTY) {
        /* The name bears this transfer's id: it was here before, and its mark was lost. */
        deliver->delivered->again = 1;
        return mnet_package_discard(deliver->source.work, deliver->pool);
    }
    if (rv == EXDEV) {
        return mnet_deliver_fail(deliver, rv,
                                 "its folder is on another file system than MnetPortfolioDir");
    }
    if (rv == APR_SUCCESS && fsync(place->fd)) {
        rv = errno;
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_sync_path(deliver->source.work, O_DIRECTORY);
    }
    if (rv == APR_SUCCESS) {
        return rv;
    }
    return mnet_deliver_fail(deliver, rv, "it cannot be put into its folder on this server (%s)",
                             mnet_strerror(rv, text, sizeof(text)));
}

static apr_status_t put_there(mnet_deliver_t *deliver, const place_t *place)
{
    const mnet_package_source_t *source = &deliver->source;
    const char *title = title_of(deliver), *name;
    const char *id = digest(source->crypto, source->id, ID_DIGITS, deliver->pool);
    mnet_deliver_mark_t mark = {0};
    apr_status_t rv;

    if (!id) {
        return mnet_deliver_fail(deliver, MNET_E_CRYPTO, "SHA-256 does not work");
    }
    name = apr_psprintf(deliver->pool, "%s-%s",
                        mnet_package_name(title, strlen(title), TITLE_MOST, deliver->pool), id);
    deliver->delivered->to = apr_pstrcat(deliver->pool, place->relative, "/", name, NULL);
    mark.to = deliver->delivered->to;
    rv = mnet_deliver_mark(source->work, &mark, deliver->pool);
    if (rv != APR_SUCCESS) {
        return mnet_deliver_fail(deliver, rv, "there is no room or no right for it on this server");
    }
    return move_there(deliver, place, name);
}

apr_status_t mnet_deliver_to_folder(mnet_deliver_t *deliver)
{
    place_t place;
    apr_status_t rv = open_place(deliver, &place);

    rv = rv != APR_SUCCESS ? rv : put_there(deliver, &place);
    if (place.fd >= 0) {
        close(place.fd);
    }
    return rv;
}
