/* SPDX-License-Identifier: Apache-2.0 */
#include "package/markup.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "base/status.h"

#define IMS        "http://www.imsglobal.org/xsd/"
#define BLACKBOARD "http://www.blackboard.com/content-packaging"
#define ADL        "http://www.adlnet.org/xsd/adlcp_"
#define DEPTH      64 /* of elements; the reader allows no more */

typedef struct {
    mnet_opening_t *opening;
    mnet_cartridge_t *cartridge;
    int is_manifest, is_imscc, is_blackboard, is_adl;
    const char *names[DEPTH + 2];      /* of the open elements, by depth */
    const char *items[DEPTH + 2];      /* identifierref of the open items, by depth; or NULL */
    const char *base;                  /* xml:base of the resources */
    mnet_package_resource_t *resource; /* the open one */
    const char *resource_base;
    const char *organization; /* title of the first */
    mnet_markup_text_t text;
} reading_t;

/* IMS Common Cartridge: 1.0 as the seed has it; 1.1 and later: imsccv1pN/imscp_v1pN. */
static int is_imscc(const char *uri)
{
    if (strncmp(uri, IMS "imscc", sizeof(IMS "imscc") - 1)) {
        return 0;
    }
    uri += sizeof(IMS "imscc") - 1;
    if (!strncmp(uri, "v1p", 3)) {
        uri += 3 + strspn(uri + 3, "0123456789");
    }
    if (strncmp(uri, "/imscp_v1p", 10)) {
        return 0;
    }
    uri += 10;
    return *uri && !uri[strspn(uri, "0123456789")];
}

static const char *keep(reading_t *reading, const char *text)
{
    if (!text) {
        return NULL;
    }
    return mnet_names_text(text, strlen(text), reading->opening->pool);
}

static const char *parent(const reading_t *reading, int depth)
{
    return depth > 1 && reading->names[depth - 1] ? reading->names[depth - 1] : "";
}

static apr_status_t start_root(reading_t *reading, const mnet_element_t *element)
{
    reading->is_manifest = !strcmp(element->local, "manifest");
    reading->is_imscc = is_imscc(element->uri);
    reading->is_blackboard = mnet_markup_declares(element, BLACKBOARD);
    return reading->is_manifest ? APR_SUCCESS : APR_EOF;
}

static apr_status_t start_resource(reading_t *reading, const mnet_element_t *element)
{
    apr_array_header_t *resources = reading->cartridge->resources;
    const char *identifier = mnet_markup_attribute(element, "identifier");
    const char *path = mnet_markup_attribute(element, "href");
    const char *sco = mnet_markup_attribute(element, "scormtype");

    if (!sco) {
        sco = mnet_markup_attribute(element, "scormType");
    }
    if (!path) {
        path = mnet_markup_attribute(element, "file"); /* Blackboard's */
    }
    if (resources->nelts >= reading->opening->limits->files) {
        return MNET_E_LIMIT;
    }
    reading->resource = apr_array_push(resources);
    memset(reading->resource, 0, sizeof(*reading->resource));
    reading->resource->identifier = keep(reading, identifier ? identifier : "");
    reading->resource->type = keep(reading, mnet_markup_attribute(element, "type"));
    reading->resource->title = keep(reading, mnet_markup_attribute(element, "title"));
    reading->resource->kind = keep(reading, sco);
    reading->resource->path = keep(reading, path);
    reading->resource_base = keep(reading, mnet_markup_attribute(element, "base"));
    return APR_SUCCESS;
}

/* The names that are asked for later; anything else is NULL. */
static const char *known_name(const char *name)
{
    static const char *const known[] = {"general",  "title",     "item",
                                        "resource", "resources", "organization"};
    apr_size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(name, known[i])) {
            return known[i];
        }
    }
    return NULL;
}

static apr_status_t on_start(void *baton, const mnet_element_t *element)
{
    reading_t *reading = baton;
    int depth = element->depth;
    const char *above;

    reading->is_adl |= mnet_markup_declares(element, ADL);
    if (depth == 1) {
        return start_root(reading, element);
    }
    above = parent(reading, depth);
    reading->names[depth] = known_name(element->local);
    reading->items[depth] = NULL;
    reading->text.len = 0;
    if (!strcmp(element->local, "item")) {
        reading->items[depth] = keep(reading, mnet_markup_attribute(element, "identifierref"));
    } else if (!strcmp(element->local, "resources")) {
        reading->base = keep(reading, mnet_markup_attribute(element, "base"));
    } else if (!strcmp(element->local, "resource") && !strcmp(above, "resources")) {
        return start_resource(reading, element);
    } else if (!strcmp(element->local, "file") && reading->resource && !reading->resource->path) {
        reading->resource->path = keep(reading, mnet_markup_attribute(element, "href"));
    }
    return APR_SUCCESS;
}

static apr_status_t on_text(void *baton, const char *data, apr_size_t len)
{
    mnet_markup_gather(&((reading_t *)baton)->text, data, len);
    return APR_SUCCESS;
}

static void end_title(reading_t *reading, int depth)
{
    const char *above = parent(reading, depth);
    const char *title = mnet_markup_gathered(&reading->text, reading->opening->pool);

    if (!title) {
        return;
    }
    if (!strcmp(above, "item") && reading->items[depth - 1]) {
        apr_hash_set(reading->cartridge->titles, reading->items[depth - 1], APR_HASH_KEY_STRING,
                     title);
    } else if (!strcmp(above, "organization") && !reading->organization) {
        reading->organization = title;
    }
}

static void end_resource(reading_t *reading)
{
    mnet_package_resource_t *resource = reading->resource;

    if (resource->path) {
        resource->path =
            apr_pstrcat(reading->opening->pool, reading->base ? reading->base : "",
                        reading->resource_base ? reading->resource_base : "", resource->path, NULL);
    }
    reading->resource = NULL;
}

static apr_status_t on_end(void *baton, const mnet_element_t *element)
{
    reading_t *reading = baton;
    int depth = element->depth;
    const char *name = element->local;

    if (!strcmp(name, "title")) {
        end_title(reading, depth);
    } else if (!strcmp(name, "string") || !strcmp(name, "langstring")) {
        /* <general><title><string>; LOM in any of its namespaces */
        if (!reading->cartridge->title && !strcmp(parent(reading, depth), "title") &&
            !strcmp(parent(reading, depth - 1), "general")) {
            reading->cartridge->title =
                mnet_markup_gathered(&reading->text, reading->opening->pool);
        }
    } else if (!strcmp(name, "schema")) {
        const char *schema = mnet_markup_gathered(&reading->text, reading->opening->pool);

        reading->is_adl |= schema && !strncasecmp(schema, "ADL SCORM", 9);
    } else if (!strcmp(name, "resource") && reading->resource) {
        end_resource(reading);
    }
    reading->text.len = 0;
    return APR_SUCCESS;
}

static const mnet_markup_handler_t handler = {on_start, on_text, on_end};

apr_status_t mnet_cartridge_read(mnet_opening_t *opening, const mnet_package_file_t *file,
                                 mnet_cartridge_t *cartridge, const char **problem)
{
    reading_t *reading = apr_pcalloc(opening->pool, sizeof(*reading));
    apr_off_t budget = MNET_MARKUP_MOST;
    apr_status_t rv;

    memset(cartridge, 0, sizeof(*cartridge));
    cartridge->resources = apr_array_make(opening->pool, 16, sizeof(mnet_package_resource_t));
    cartridge->titles = apr_hash_make(opening->pool);
    reading->opening = opening;
    reading->cartridge = cartridge;
    rv = mnet_markup_read(opening, file, &handler, reading, &budget, problem);
    if (rv != APR_SUCCESS && rv != APR_EOF) {
        return rv;
    }
    /* In this order (protocol 10): a cartridge may declare Blackboard's namespace, too. */
    if (reading->is_manifest) {
        cartridge->format = reading->is_imscc        ? "imscc"
                            : reading->is_blackboard ? "blackboard"
                            : reading->is_adl        ? "scorm"
                                                     : NULL;
    }
    if (reading->is_manifest && !cartridge->format) {
        mnet_opening_note(opening, "imsmanifest.xml is of none of the formats known");
    }
    if (!cartridge->title) {
        cartridge->title = reading->organization;
    }
    return APR_SUCCESS;
}
