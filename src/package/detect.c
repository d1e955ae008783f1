/* SPDX-License-Identifier: Apache-2.0 */
#include "package/markup.h"

#include <string.h>
#include <strings.h>

#include "base/status.h"

#define ATOM "http://www.w3.org/2005/Atom"

/* LEAP2A's namespaces from 2009 to now, as Moodle, Mahara and PebblePad have written them. */
static const char *const leap_namespaces[] = {
    "http://terms.leapspecs.org/",
    "http://wiki.leapspecs.org/2A",
    "http://www.leapspecs.org/",
    "http://wiki.cetis.ac.uk/2009-03/LEAP2A",
};

/* Where Mahara looks for it (protocol 7.2). */
static const char *const leap_names[] = {"leap2a.xml", "leap2.xml", "leap.xml"};

typedef struct {
    apr_pool_t *pool;
    int is_leap;
    int in_title;
    mnet_markup_text_t text;
    const char *title;
} feed_t;

static apr_status_t feed_start(void *baton, const mnet_element_t *element)
{
    feed_t *feed = baton;
    apr_size_t i;

    if (element->depth == 1) {
        if (strcmp(element->uri, ATOM) || strcmp(element->local, "feed")) {
            return APR_EOF;
        }
        for (i = 0; i < sizeof(leap_namespaces) / sizeof(leap_namespaces[0]); i++) {
            feed->is_leap |= mnet_markup_declares(element, leap_namespaces[i]);
        }
        return feed->is_leap ? APR_SUCCESS : APR_EOF;
    }
    if (element->depth == 2 && !strcmp(element->local, "entry")) {
        return APR_EOF; /* what follows is not ours to read */
    }
    feed->in_title = element->depth == 2 && !strcmp(element->local, "title");
    return APR_SUCCESS;
}

static apr_status_t feed_text(void *baton, const char *data, apr_size_t len)
{
    feed_t *feed = baton;

    if (feed->in_title) {
        mnet_markup_gather(&feed->text, data, len);
    }
    return APR_SUCCESS;
}

static apr_status_t feed_end(void *baton, const mnet_element_t *element)
{
    feed_t *feed = baton;

    if (!feed->in_title) {
        return APR_SUCCESS;
    }
    feed->title = mnet_markup_gathered(&feed->text, feed->pool);
    return APR_EOF;
}

static const mnet_markup_handler_t feed_handler = {feed_start, feed_text, feed_end};

/* What a file that has the name of a manifest, but is none, is noted as. */
static apr_status_t unreadable(mnet_opening_t *opening, const mnet_package_file_t *file,
                               apr_status_t rv, const char *problem)
{
    if (rv != MNET_E_XML && rv != MNET_E_DOCTYPE && rv != MNET_E_LIMIT) {
        return rv;
    }
    mnet_opening_note(opening, "%s is not read: %s", file->path, problem);
    return APR_SUCCESS;
}

static apr_status_t detect_leap(mnet_opening_t *opening, const char **format)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = 0; i < sizeof(leap_names) / sizeof(leap_names[0]) && !*format && !rv; i++) {
        const mnet_package_file_t *file = mnet_opening_find(opening, leap_names[i]);
        apr_off_t budget = MNET_MARKUP_MOST;
        feed_t feed = {.pool = opening->pool};
        const char *problem;

        if (!file) {
            continue;
        }
        rv = mnet_markup_read(opening, file, &feed_handler, &feed, &budget, &problem);
        if (rv == APR_EOF || rv == APR_SUCCESS) {
            rv = APR_SUCCESS;
            if (feed.is_leap) {
                *format = "leap2a";
                opening->package->title = feed.title;
            }
        }
        rv = unreadable(opening, file, rv, problem);
    }
    return rv;
}

apr_status_t mnet_detect(mnet_opening_t *opening, const char **format)
{
    const mnet_package_file_t *file;
    mnet_cartridge_t cartridge;
    const char *problem;
    apr_status_t rv;

    *format = NULL;
    rv = detect_leap(opening, format);
    if (rv != APR_SUCCESS || *format) {
        return rv;
    }
    file = mnet_opening_find(opening, "imsmanifest.xml");
    if (!file) {
        return APR_SUCCESS;
    }
    rv = mnet_cartridge_read(opening, file, &cartridge, &problem);
    if (rv != APR_SUCCESS) {
        return unreadable(opening, file, rv, problem);
    }
    *format = cartridge.format;
    if (!*format) {
        return APR_SUCCESS;
    }
    opening->package->title = cartridge.title;
    return mnet_resources_map(opening, &cartridge);
}
