/* SPDX-License-Identifier: Apache-2.0 */
#include "package/markup.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "base/status.h"

#define IMS "http://www.imsglobal.org/xsd/"
/* Bytes read of all resources together; of those beyond it the type alone is believed. */
#define BUDGET (64 * 1024 * 1024)

#define TOPIC      "discussion topic"
#define LINK       "web link"
#define ASSESSMENT "assessment"
#define BANK       "question bank"
#define CONTENT    "web content"
#define TOOL       "learning tool"

/* The root of a resource's XML, and what of it is wanted. */
typedef struct {
    apr_pool_t *pool;
    const char *kind;
    const char *title, *url;
    int in_title, is_qti, is_link;
    mnet_markup_text_t text;
} root_t;

/* "http://www.imsglobal.org/xsd/[.../]NAMEpN", whatever the version. */
static int is_ims(const char *uri, const char *name)
{
    const char *last = strrchr(uri, '/');

    return !strncmp(uri, IMS, sizeof(IMS) - 1) && !strncmp(last + 1, name, strlen(name));
}

static apr_status_t start_root(root_t *root, const mnet_element_t *element)
{
    if (!strcmp(element->local, "topic") && is_ims(element->uri, "imsdt_v1p")) {
        root->kind = TOPIC;
    } else if (!strcmp(element->local, "webLink") && is_ims(element->uri, "imswl_v1p")) {
        root->kind = LINK;
        root->is_link = 1;
    } else if (!strcmp(element->local, "questestinterop") &&
               (is_ims(element->uri, "ims_qtiasiv1p") || !*element->uri)) {
        root->is_qti = 1;
        root->kind = ASSESSMENT;
    } else if (!strcmp(element->local, "cartridge_basiclti_link")) {
        root->kind = TOOL;
    }
    return root->kind ? APR_SUCCESS : APR_EOF;
}

static apr_status_t on_start(void *baton, const mnet_element_t *element)
{
    root_t *root = baton;

    if (element->depth == 1) {
        return start_root(root, element);
    }
    if (root->is_qti) {
        const char *title = mnet_markup_attribute(element, "title");

        /* <assessment>, or a bare <objectbank>, or items without either */
        root->kind = strcmp(element->local, "assessment") ? BANK : ASSESSMENT;
        root->title = title ? mnet_names_text(title, strlen(title), root->pool) : NULL;
        return APR_EOF;
    }
    if (element->depth == 2) {
        root->in_title = !strcmp(element->local, "title");
        root->text.len = 0;
        if (root->is_link && !strcmp(element->local, "url")) {
            const char *url = mnet_markup_attribute(element, "href");

            root->url = url ? mnet_names_text(url, strlen(url), root->pool) : NULL;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t on_text(void *baton, const char *data, apr_size_t len)
{
    root_t *root = baton;

    if (root->in_title) {
        mnet_markup_gather(&root->text, data, len);
    }
    return APR_SUCCESS;
}

static apr_status_t on_end(void *baton, const mnet_element_t *element)
{
    root_t *root = baton;

    if (element->depth == 2 && root->in_title) {
        root->title = mnet_markup_gathered(&root->text, root->pool);
        root->in_title = 0;
    }
    return root->title && (!root->is_link || root->url) ? APR_EOF : APR_SUCCESS;
}

static const mnet_markup_handler_t handler = {on_start, on_text, on_end};

/* --- its file --- */

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A relative URL as a name: no query, no fragment, %20 as a space. */
static const char *decoded(const char *href, apr_pool_t *pool)
{
    apr_size_t len = strcspn(href, "?#"), i, used = 0;
    char *out = apr_palloc(pool, len + 1);

    for (i = 0; i < len; i++) {
        int high = href[i] == '%' && len - i > 2 ? hex_value(href[i + 1]) : -1;
        int low = high >= 0 ? hex_value(href[i + 2]) : -1;

        if (low >= 0 && high * 16 + low) {
            out[used++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[used++] = href[i];
        }
    }
    out[used] = '\0';
    return out;
}

/* The file that a manifest means; NULL: none of the package. */
static const mnet_package_file_t *find_file(mnet_opening_t *opening, const char *href)
{
    const char *why = opening->why, *path;
    const mnet_package_file_t *file = NULL;

    if (mnet_names_path(opening, href, &path, opening->pool) == APR_SUCCESS) {
        file = mnet_opening_find(opening, path);
    }
    if (!file && mnet_names_path(opening, decoded(href, opening->pool), &path, opening->pool) ==
                     APR_SUCCESS) {
        file = mnet_opening_find(opening, path);
    }
    opening->why = why; /* a bad name in a manifest is no reason to refuse */
    return file;
}

/* --- what it is --- */

static const char *kind_by_type(const char *type)
{
    static const struct {
        const char *part, *kind;
    } types[] = {
        {"imsdt_", TOPIC},          {"imswl_", LINK},
        {"question-bank", BANK},    {"x-bb-qti-pool", BANK},
        {"assessment", ASSESSMENT}, {"x-bb-discussionboard", TOPIC},
        {"basiclti", TOOL},         {"x-bb-externallink", LINK},
        {"webcontent", CONTENT},    {"x-bb-document", CONTENT},
    };
    apr_size_t i;

    for (i = 0; type && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcasestr(type, types[i].part)) {
            return types[i].kind;
        }
    }
    return "other";
}

/* The Moodle module that takes it (protocol 10). */
static const char *moodle_of(const char *kind, const mnet_package_file_t *file)
{
    static const char *const modules[][2] = {
        {TOPIC, "forum"}, {ASSESSMENT, "quiz"}, {LINK, "url"}, {BANK, "question"}, {TOOL, "lti"},
    };
    apr_size_t i;

    if (!strcmp(kind, CONTENT)) {
        return file && strcmp(file->format, "html") ? "resource" : "page";
    }
    for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        if (!strcmp(kind, modules[i][0])) {
            return modules[i][1];
        }
    }
    return NULL;
}

/* Is its file one whose root says what it is? */
static int is_markup(const mnet_package_file_t *file)
{
    return file && (!strcmp(file->type, "application/xml") || !strcmp(file->type, "text/plain"));
}

static apr_status_t map_scorm(mnet_package_resource_t *resource, const char *scorm)
{
    int is_sco = scorm && !strcasecmp(scorm, "sco");

    resource->kind = is_sco ? "sco" : "asset";
    resource->moodle = is_sco ? "scorm" : NULL;
    return APR_SUCCESS;
}

static apr_status_t map_resource(mnet_opening_t *opening, const mnet_cartridge_t *cartridge,
                                 mnet_package_resource_t *resource, apr_off_t *budget)
{
    const mnet_package_file_t *file = resource->path ? find_file(opening, resource->path) : NULL;
    const char *problem,
        *title = apr_hash_get(cartridge->titles, resource->identifier, APR_HASH_KEY_STRING);
    root_t root = {.pool = opening->pool};
    apr_status_t rv = APR_SUCCESS;

    resource->path = file ? file->path : NULL;
    resource->title = title ? title : resource->title;
    if (!strcmp(cartridge->format, "scorm")) {
        return map_scorm(resource, resource->kind);
    }
    if (is_markup(file) && *budget > 0) {
        rv = mnet_markup_read(opening, file, &handler, &root, budget, &problem);
    }
    if (rv == MNET_E_XML || rv == MNET_E_DOCTYPE || rv == MNET_E_LIMIT) {
        root.kind = NULL; /* its type is all that is known */
    } else if (rv != APR_SUCCESS && rv != APR_EOF) {
        return rv;
    }
    resource->kind = root.kind ? root.kind : kind_by_type(resource->type);
    resource->moodle = moodle_of(resource->kind, file);
    resource->title = root.title ? root.title : resource->title;
    resource->url = root.url;
    return APR_SUCCESS;
}

apr_status_t mnet_resources_map(mnet_opening_t *opening, const mnet_cartridge_t *cartridge)
{
    apr_off_t budget = BUDGET;
    apr_status_t rv = APR_SUCCESS;
    int i;

    opening->package->resources = cartridge->resources;
    for (i = 0; i < cartridge->resources->nelts && rv == APR_SUCCESS; i++) {
        rv =
            map_resource(opening, cartridge,
                         &APR_ARRAY_IDX(cartridge->resources, i, mnet_package_resource_t), &budget);
    }
    return rv;
}
