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

/* One more folder below path; synced, so that a rename into it is worth something. */
static apr_status_t make_folder(mnet_deliver_t *deliver, const char *parent, const char *path)
{
    char text[100];
    apr_status_t rv = APR_SUCCESS;

    if (mkdir(path, FOLDER_MODE)) {
        rv = errno == EEXIST ? APR_SUCCESS : errno;
    } else {
        rv = mnet_deliver_sync_folder(parent);
    }
    if (rv == APR_SUCCESS) {
        return rv;
    }
    return mnet_deliver_fail(deliver, rv, "a folder for it cannot be made on this server (%s)",
                             mnet_strerror(rv, text, sizeof(text)));
}

/* MnetPortfolioDir/USER/ROUTE, made if it is missing; *relative: without the first part. */
static apr_status_t make_parent(mnet_deliver_t *deliver, const char **parent, const char **relative)
{
    const mnet_package_source_t *source = &deliver->source;
    const char *at = deliver->delivered->route->to;
    const char *path = deliver->delivery->options->dir;
    const char *name = mnet_portfolio_user_folder(source->user, source->peer, deliver->pool);
    const char *next = apr_pstrcat(deliver->pool, path, "/", name, NULL);
    apr_status_t rv = make_folder(deliver, path, next);

    *parent = NULL;
    *relative = name;
    while (rv == APR_SUCCESS && *at) {
        apr_size_t len = strcspn(at, "/");

        name = apr_pstrmemdup(deliver->pool, at, len);
        if (!strcmp(name, "..")) {
            return mnet_deliver_fail(deliver, MNET_E_INVALID,
                                     "its MnetPortfolioRoute leads out of the user's folder");
        }
        if (len && strcmp(name, ".")) {
            path = next;
            next = apr_pstrcat(deliver->pool, path, "/", name, NULL);
            *relative = apr_pstrcat(deliver->pool, *relative, "/", name, NULL);
            rv = make_folder(deliver, path, next);
        }
        at += len;
        at += *at == '/';
    }
    *parent = next;
    return rv;
}

static const char *title_of(const mnet_deliver_t *deliver)
{
    const mnet_package_t *package = deliver->delivered->package;

    return package->title && *package->title ? package->title : package->format;
}

/* Never over something that is there. */
static int rename_new(const char *from, const char *to)
{
    struct stat info;

    if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE)) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return errno;
    }
    /* A file system that cannot do this: nobody else makes folders of this name. */
    if (!lstat(to, &info)) {
        return EEXIST;
    }
    return rename(from, to) ? errno : 0;
}

static apr_status_t move_there(mnet_deliver_t *deliver, const char *parent, const char *to)
{
    char text[100];
    int number = rename_new(deliver->delivered->package->folder, to);
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
    if (rv == APR_SUCCESS) {
        rv = mnet_deliver_sync_folder(parent);
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_deliver_sync_folder(deliver->source.work);
    }
    if (rv == APR_SUCCESS) {
        return rv;
    }
    return mnet_deliver_fail(deliver, rv, "it cannot be put into its folder on this server (%s)",
                             mnet_strerror(rv, text, sizeof(text)));
}

apr_status_t mnet_deliver_to_folder(mnet_deliver_t *deliver)
{
    const mnet_package_source_t *source = &deliver->source;
    const char *title = title_of(deliver), *parent = NULL, *relative = NULL, *name, *id;
    mnet_deliver_mark_t mark = {0};
    apr_status_t rv = make_parent(deliver, &parent, &relative);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    id = digest(source->crypto, source->id, ID_DIGITS, deliver->pool);
    if (!id) {
        return mnet_deliver_fail(deliver, MNET_E_CRYPTO, "SHA-256 does not work");
    }
    name = apr_psprintf(deliver->pool, "%s-%s",
                        mnet_package_name(title, strlen(title), TITLE_MOST, deliver->pool), id);
    deliver->delivered->to = apr_pstrcat(deliver->pool, relative, "/", name, NULL);
    mark.to = deliver->delivered->to;
    rv = mnet_deliver_mark(source->work, &mark, deliver->pool);
    if (rv != APR_SUCCESS) {
        return mnet_deliver_fail(deliver, rv, "there is no room or no right for it on this server");
    }
    return move_there(deliver, parent, apr_pstrcat(deliver->pool, parent, "/", name, NULL));
}
