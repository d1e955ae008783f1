/* SPDX-License-Identifier: Apache-2.0 */
#include "package/markup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"
#include "wire/xml.h"

#define PREFIXES_MOST 64 /* declared at once */

static const mnet_xml_limits_t limits = {64, 300000, 64 * 1024};

typedef struct {
    const char *prefix, *uri;
    int depth; /* of the element that declares it */
} prefix_t;

typedef struct {
    const mnet_markup_handler_t *handler;
    void *baton;
    apr_pool_t *pool;
    apr_hash_t *uris; /* each once */
    int depth;
    int n;
    prefix_t prefixes[PREFIXES_MOST];
} markup_t;

static const char *intern(markup_t *markup, const char *text)
{
    const char *kept = apr_hash_get(markup->uris, text, APR_HASH_KEY_STRING);

    if (!kept) {
        kept = apr_pstrdup(markup->pool, text);
        apr_hash_set(markup->uris, kept, APR_HASH_KEY_STRING, kept);
    }
    return kept;
}

static int is_declaration(const char *name, const char **prefix)
{
    if (strncmp(name, "xmlns", 5) || (name[5] && name[5] != ':')) {
        return 0;
    }
    *prefix = name[5] ? name + 6 : "";
    return 1;
}

static apr_status_t declare(markup_t *markup, const char *const *attributes)
{
    const char *prefix;

    for (; attributes && attributes[0]; attributes += 2) {
        if (!is_declaration(attributes[0], &prefix)) {
            continue;
        }
        if (markup->n == PREFIXES_MOST) {
            return MNET_E_LIMIT;
        }
        markup->prefixes[markup->n].prefix = intern(markup, prefix);
        markup->prefixes[markup->n].uri = intern(markup, attributes[1] ? attributes[1] : "");
        markup->prefixes[markup->n++].depth = markup->depth;
    }
    return APR_SUCCESS;
}

static void resolve(const markup_t *markup, const char *name, mnet_element_t *element)
{
    const char *colon = strchr(name, ':');
    apr_size_t len = colon ? (apr_size_t)(colon - name) : 0;
    int i;

    element->uri = "";
    element->local = colon ? colon + 1 : name;
    element->depth = markup->depth;
    for (i = markup->n; i-- > 0;) {
        const char *prefix = markup->prefixes[i].prefix;

        if (strlen(prefix) == len && !memcmp(prefix, name, len)) {
            element->uri = markup->prefixes[i].uri;
            return;
        }
    }
}

static apr_status_t on_start(void *baton, const char *name, const char *const *attributes)
{
    markup_t *markup = baton;
    mnet_element_t element = {0};
    apr_status_t rv;

    markup->depth++;
    rv = declare(markup, attributes);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    resolve(markup, name, &element);
    element.attributes = attributes;
    return markup->handler->start(markup->baton, &element);
}

static apr_status_t on_text(void *baton, const char *data, apr_size_t len)
{
    markup_t *markup = baton;

    return markup->handler->text ? markup->handler->text(markup->baton, data, len) : APR_SUCCESS;
}

static apr_status_t on_end(void *baton, const char *name)
{
    markup_t *markup = baton;
    mnet_element_t element = {0};
    apr_status_t rv = APR_SUCCESS;

    resolve(markup, name, &element);
    if (markup->handler->end) {
        rv = markup->handler->end(markup->baton, &element);
    }
    while (markup->n && markup->prefixes[markup->n - 1].depth == markup->depth) {
        markup->n--;
    }
    markup->depth--;
    return rv;
}

static const mnet_xml_handler_t xml_handler = {on_start, on_text, on_end};

static apr_status_t feed(mnet_opening_t *opening, mnet_xml_t *xml, int fd, apr_off_t *budget)
{
    char piece[8192];
    apr_status_t rv;

    for (;;) {
        ssize_t n = read(fd, piece, sizeof(piece));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return mnet_opening_disk(opening, errno);
        }
        if (!n) {
            return mnet_xml_end(xml);
        }
        rv = mnet_opening_stop(opening);
        if (rv == APR_SUCCESS) {
            *budget -= n;
            rv = *budget < 0 ? MNET_E_LIMIT : mnet_xml_write(xml, piece, (apr_size_t)n);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
}

apr_status_t mnet_markup_read(mnet_opening_t *opening, const mnet_package_file_t *file,
                              const mnet_markup_handler_t *handler, void *baton, apr_off_t *budget,
                              const char **problem)
{
    apr_pool_t *scratch;
    apr_status_t rv = apr_pool_create(&scratch, opening->pool);
    markup_t *markup;
    mnet_xml_t *xml;
    int fd;

    *problem = "";
    if (rv != APR_SUCCESS) {
        return mnet_opening_fail(opening, rv, "no memory");
    }
    markup = apr_pcalloc(scratch, sizeof(*markup));
    markup->handler = handler;
    markup->baton = baton;
    markup->pool = scratch;
    markup->uris = apr_hash_make(scratch);
    xml = mnet_xml_create(&xml_handler, markup, &limits, scratch);
    fd = open(mnet_folder_path(opening, file->path, scratch), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (!xml) {
        rv = mnet_opening_fail(opening, APR_ENOMEM, "no memory");
    } else if (fd < 0) {
        rv = mnet_opening_disk(opening, errno);
    } else {
        rv = feed(opening, xml, fd, budget);
        *problem = apr_pstrdup(opening->pool,
                               *mnet_xml_problem(xml) ? mnet_xml_problem(xml) : "it is too long");
    }
    if (fd >= 0) {
        close(fd);
    }
    apr_pool_destroy(scratch);
    return rv;
}

const char *mnet_markup_attribute(const mnet_element_t *element, const char *local)
{
    const char *const *at, *prefix, *found = NULL;

    for (at = element->attributes; at && at[0]; at += 2) {
        const char *colon = strchr(at[0], ':');

        if (!colon && !strcmp(at[0], local)) {
            return at[1];
        }
        if (colon && !found && !is_declaration(at[0], &prefix) && !strcmp(colon + 1, local)) {
            found = at[1];
        }
    }
    return found;
}

int mnet_markup_declares(const mnet_element_t *element, const char *begin)
{
    const char *const *at, *prefix;

    for (at = element->attributes; at && at[0]; at += 2) {
        if (is_declaration(at[0], &prefix) && at[1] && !strncasecmp(at[1], begin, strlen(begin))) {
            return 1;
        }
    }
    return 0;
}

void mnet_markup_gather(mnet_markup_text_t *text, const char *data, apr_size_t len)
{
    apr_size_t room = sizeof(text->data) - text->len;

    len = len < room ? len : room;
    memcpy(text->data + text->len, data, len);
    text->len += len;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *mnet_markup_gathered(mnet_markup_text_t *text, apr_pool_t *pool)
{
    apr_size_t from = 0, len = text->len;

    text->len = 0;
    while (from < len && is_blank(text->data[from])) {
        from++;
    }
    while (len > from && is_blank(text->data[len - 1])) {
        len--;
    }
    /* It may have been cut within a character. */
    while (len > from && !mnet_is_utf8(text->data + from, len - from)) {
        len--;
    }
    return len > from ? mnet_names_text(text->data + from, len - from, pool) : NULL;
}
