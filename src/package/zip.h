/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PACKAGE_ZIP_H
#define MNET_PACKAGE_ZIP_H

/*
 * The directory of a zip archive (PKWARE's APPNOTE 4.3), looked at before anything is unpacked:
 * how many entries there are, how large they say they are, whether they overlap (a bomb made of
 * one block that many entries share), whether they are encrypted, links or devices.  So what would
 * be refused is refused before a byte is written, in time that depends on the limits alone, and
 * libarchive, which reads the same directory afterwards, never holds more than they allow.
 *
 * Strict where readers disagree: the directory must be where its end says, whole, with nothing
 * before it that is no entry's and nothing after it, and on one disk.
 */

#include "package/package_int.h"

typedef enum {
    MNET_ZIP_NONE,     /* does not begin as a zip archive does */
    MNET_ZIP_EMPTY,    /* one without entries */
    MNET_ZIP_ARCHIVE,  /* one with entries, whole or not */
    MNET_ZIP_DOCUMENT, /* a zip archive that is a document: OOXML, OpenDocument, EPUB, Java */
} mnet_zip_kind_e;

/* What begins so.  fd's position is not used. */
apr_status_t mnet_zip_kind(int fd, mnet_zip_kind_e *kind);

/* MNET_E_REFUSED, and the sentence is said; or the disk's failure. */
apr_status_t mnet_zip_inspect(mnet_opening_t *opening, int fd);

#endif
