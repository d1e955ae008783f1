/* SPDX-License-Identifier: Apache-2.0 */
#include "package/package_int.h"

#include <string.h>
#include <wctype.h>

#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"

#define NAME_MOST 240 /* bytes; file systems take 255 */
#define ENDING    16  /* bytes of an ending that is kept when a name is cut */
#define NUMBERS   100

/* CP437, 0x80 to 0xff: what a name in a zip is when nothing else is said (APPNOTE D.1). */
static const unsigned short cp437[128] = {
    0xc7,   0xfc,   0xe9,   0xe2,   0xe4,   0xe0,   0xe5,   0xe7,   0xea,   0xeb,   0xe8,   0xef,
    0xee,   0xec,   0xc4,   0xc5,   0xc9,   0xe6,   0xc6,   0xf4,   0xf6,   0xf2,   0xfb,   0xf9,
    0xff,   0xd6,   0xdc,   0xa2,   0xa3,   0xa5,   0x20a7, 0x192,  0xe1,   0xed,   0xf3,   0xfa,
    0xf1,   0xd1,   0xaa,   0xba,   0xbf,   0x2310, 0xac,   0xbd,   0xbc,   0xa1,   0xab,   0xbb,
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557,
    0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
    0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559,
    0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
    0x3b1,  0xdf,   0x393,  0x3c0,  0x3a3,  0x3c3,  0xb5,   0x3c4,  0x3a6,  0x398,  0x3a9,  0x3b4,
    0x221e, 0x3c6,  0x3b5,  0x2229, 0x2261, 0xb1,   0x2265, 0x2264, 0x2320, 0x2321, 0xf7,   0x2248,
    0xb0,   0x2219, 0xb7,   0x221a, 0x207f, 0xb2,   0x25a0, 0xa0};

/* At most 4 bytes.  Returns how many. */
static apr_size_t put_utf8(char *out, unsigned int code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Controls, and marks that turn or hide what is written: nobody sees them in a name. */
static int is_hidden(unsigned int code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
           code == 0xfeff || code == 0xad;
}

const char *mnet_names_text(const char *text, apr_size_t len, apr_pool_t *pool)
{
    int utf8 = mnet_is_utf8(text, len);
    char *out = apr_palloc(pool, len * 3 + 1);
    apr_size_t used = 0;

    while (len) {
        unsigned int code = 0;
        int n = 1;

        if (utf8) {
            n = mnet_utf8_next(text, len, &code);
        } else {
            code = (unsigned char)*text;
            code = code < 0x80 ? code : cp437[code - 0x80];
        }
        if (!is_hidden(code)) {
            used += put_utf8(out + used, code);
        }
        text += n;
        len -= (apr_size_t)n;
    }
    out[used] = '\0';
    return out;
}

/* The longest beginning of at most max bytes that does not cut a character. */
static apr_size_t whole_characters(const char *text, apr_size_t len, apr_size_t max)
{
    if (len <= max) {
        return len;
    }
    while (max && ((unsigned char)text[max] & 0xc0) == 0x80) {
        max--;
    }
    return max;
}

/* ".jpeg" of a name, or its end; a long one is none. */
static const char *ending_of(const char *name, apr_size_t len)
{
    const char *dot = strrchr(name, '.');

    return dot && dot > name && len - (apr_size_t)(dot - name) <= ENDING ? dot : name + len;
}

/* name, cut so that with more between it and its ending it has at most max bytes. */
static const char *with_number(const char *name, const char *more, apr_size_t max, apr_pool_t *pool)
{
    apr_size_t len = strlen(name);
    const char *ending = ending_of(name, len);
    apr_size_t stem = (apr_size_t)(ending - name), rest = strlen(ending) + strlen(more);

    stem = whole_characters(name, stem, max > rest ? max - rest : 1);
    return apr_psprintf(pool, "%.*s%s%s", (int)stem, name, more, ending);
}

static int is_in(char c, const char *set)
{
    return c && strchr(set, c);
}

const char *mnet_package_name(const char *name, apr_size_t len, int max, apr_pool_t *pool)
{
    char *text = apr_pstrdup(pool, mnet_names_text(name, len, pool)), *c;

    max = max < 32 ? 32 : max > NAME_MOST ? NAME_MOST : max;
    for (c = text; *c; c++) {
        if (is_in(*c, "/\\")) {
            *c = '_';
        }
    }
    while (*text == ' ') {
        text++;
    }
    if (*text == '.') {
        *text = '_';
    }
    len = strlen(text);
    while (len && is_in(text[len - 1], ". ")) {
        text[--len] = '\0';
    }
    if (!len) {
        return "unnamed";
    }
    return len > (apr_size_t)max ? with_number(text, "", (apr_size_t)max, pool) : text;
}

/* --- paths --- */

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static apr_status_t refuse_path(mnet_opening_t *opening, const char *original)
{
    return REFUSE(opening, "%s leads out of the package's folder",
                  mnet_opening_quote(opening, original));
}

apr_status_t mnet_names_path(mnet_opening_t *opening, const char *original, const char **path,
                             apr_pool_t *pool)
{
    char *text = apr_pstrdup(pool, mnet_names_text(original, strlen(original), pool));
    const char *at = text, *safe = "";
    int depth = 0;

    *path = NULL;
    if (is_letter(text[0]) && text[1] == ':') {
        text[1] = is_in(text[2], "/\\") ? ':' : '_';
    }
    if (is_in(text[0], "/\\") || (is_letter(text[0]) && text[1] == ':')) {
        return refuse_path(opening, original);
    }
    while (*at) {
        apr_size_t len = strcspn(at, "/\\");

        if (len == 2 && !memcmp(at, "..", 2)) {
            return refuse_path(opening, original);
        }
        if (len && !(len == 1 && *at == '.')) {
            if (++depth > opening->limits->depth) {
                return REFUSE(opening, "folders are nested over %d deep in it",
                              opening->limits->depth);
            }
            safe = apr_pstrcat(pool, safe, *safe ? "/" : "",
                               mnet_package_name(at, len, opening->limits->name, pool), NULL);
        }
        at += len;
        at += *at != '\0';
    }
    if (!*safe) {
        return REFUSE(opening, "a file in it has no name");
    }
    if (strlen(safe) > APR_PATH_MAX / 2) {
        return REFUSE(opening, "a name in it is longer than %d bytes", APR_PATH_MAX / 2);
    }
    *path = safe;
    return APR_SUCCESS;
}

/* --- no two alike --- */

/* As a file system sees it that does not tell upper case from lower case. */
static const char *folded(const char *path, apr_size_t len, apr_pool_t *pool)
{
    apr_size_t used = 0;
    char *out = apr_palloc(pool, len * 2 + 1);
    unsigned int code;

    while (len) {
        int n = mnet_utf8_next(path, len, &code);

        if (n <= 0) {
            break;
        }
        /* Beyond ASCII, in the locale of the opening, which is UTF-8. */
        code = (unsigned int)towlower((wint_t)code);
        used += put_utf8(out + used, code);
        path += n;
        len -= (apr_size_t)n;
    }
    out[used] = '\0';
    return out;
}

static const char is_file[] = "file", is_folder[] = "folder";

void mnet_names_release(mnet_opening_t *opening, const char *path)
{
    apr_hash_set(opening->names, folded(path, strlen(path), opening->pool), APR_HASH_KEY_STRING,
                 NULL);
}

static int take(mnet_opening_t *opening, const char *path, apr_pool_t *pool)
{
    const char *key = folded(path, strlen(path), pool);

    if (apr_hash_get(opening->names, key, APR_HASH_KEY_STRING)) {
        return 0;
    }
    apr_hash_set(opening->names, apr_pstrdup(opening->pool, key), APR_HASH_KEY_STRING, is_file);
    return 1;
}

/* The folders above it: none of them may be a file. */
static apr_status_t take_folders(mnet_opening_t *opening, const char *path, apr_pool_t *pool)
{
    const char *slash;

    for (slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        const char *key = folded(path, (apr_size_t)(slash - path), pool);
        const char *is = apr_hash_get(opening->names, key, APR_HASH_KEY_STRING);

        if (is == is_file) {
            return REFUSE(opening, "%s is in a folder that is a file",
                          mnet_opening_quote(opening, path));
        }
        if (!is) {
            apr_hash_set(opening->names, apr_pstrdup(opening->pool, key), APR_HASH_KEY_STRING,
                         is_folder);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t take_number(mnet_opening_t *opening, const char *path, const char **claimed,
                                apr_pool_t *pool)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int i;

    for (i = 2; i < NUMBERS; i++) {
        const char *numbered = with_number(name, apr_psprintf(pool, " (%d)", i), NAME_MOST, pool);

        numbered = apr_psprintf(pool, "%.*s%s", (int)(name - path), path, numbered);
        if (take(opening, numbered, pool)) {
            *claimed = apr_pstrdup(opening->pool, numbered);
            mnet_opening_note(opening, "a second %s is kept as %s", path, *claimed);
            return APR_SUCCESS;
        }
    }
    return REFUSE(opening, "it has over %d files of one name", NUMBERS);
}

apr_status_t mnet_names_claim(mnet_opening_t *opening, const char *path, const char **claimed)
{
    apr_pool_t *scratch;
    apr_status_t rv = apr_pool_create(&scratch, opening->pool);

    if (rv != APR_SUCCESS) {
        return mnet_opening_fail(opening, rv, "no memory");
    }
    rv = take_folders(opening, path, scratch);
    if (rv == APR_SUCCESS) {
        if (take(opening, path, scratch)) {
            *claimed = apr_pstrdup(opening->pool, path);
        } else {
            rv = take_number(opening, path, claimed, scratch);
        }
    }
    apr_pool_destroy(scratch);
    return rv;
}
