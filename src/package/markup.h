/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PACKAGE_MARKUP_H
#define MNET_PACKAGE_MARKUP_H

/*
 * An XML file of a package, read element by element with its namespaces (XML Names 1.0), through
 * the guarded parser of wire/xml.h: no document type, no entity, no file, no network, and bounded
 * in every way.
 */

#include "package/package_int.h"

/* Of a manifest; a longer one is not read. */
#define MNET_MARKUP_MOST (16 * 1024 * 1024)

typedef struct mnet_element_t {
    const char *uri;               /* of its namespace; "" if it is in none */
    const char *local;             /* its name without a prefix */
    int depth;                     /* the root is 1 */
    const char *const *attributes; /* name, value, ..., NULL, as written; or NULL */
} mnet_element_t;

/* Any answer but APR_SUCCESS stops the reading and comes back; APR_EOF: enough was read. */
typedef struct mnet_markup_handler_t {
    apr_status_t (*start)(void *baton, const mnet_element_t *element);
    apr_status_t (*text)(void *baton, const char *data, apr_size_t len);
    apr_status_t (*end)(void *baton, const mnet_element_t *element); /* without attributes */
} mnet_markup_handler_t;

/*
 * Reads at most *budget bytes of the file, which are taken from it.  APR_SUCCESS: to its end.
 * APR_EOF: the handler had enough.  MNET_E_XML, MNET_E_DOCTYPE, MNET_E_LIMIT: *problem says what is
 * wrong with it.  MNET_E_BUSY, or a failure of the disk: the sentence is said.
 */
apr_status_t mnet_markup_read(mnet_opening_t *opening, const mnet_package_file_t *file,
                              const mnet_markup_handler_t *handler, void *baton, apr_off_t *budget,
                              const char **problem);

/* The value of an attribute by its local name, whatever its prefix; NULL: there is none. */
const char *mnet_markup_attribute(const mnet_element_t *element, const char *local);

/* Does it declare a namespace that begins so?  Without regard to case. */
int mnet_markup_declares(const mnet_element_t *element, const char *begin);

/* Text that is gathered from pieces, white space around it gone. */
#define MNET_MARKUP_TEXT 1000
typedef struct mnet_markup_text_t {
    apr_size_t len;
    char data[MNET_MARKUP_TEXT];
} mnet_markup_text_t;

void mnet_markup_gather(mnet_markup_text_t *text, const char *data, apr_size_t len);
/* A copy, cleaned; NULL if there is nothing.  The text is empty afterwards. */
const char *mnet_markup_gathered(mnet_markup_text_t *text, apr_pool_t *pool);

#endif
