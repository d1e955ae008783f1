/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PACKAGE_PACKAGE_INT_H
#define MNET_PACKAGE_PACKAGE_INT_H

/*
 * What the files of this room share: a package being opened, and its files as they are known so
 * far.
 */

#include <apr_hash.h>

#include "package/package.h"

#define MNET_PACKAGE_PIECE (64 * 1024)

/* A package being opened. */
typedef struct mnet_opening_t {
    apr_pool_t *pool;
    const mnet_package_source_t *source;
    const mnet_package_limits_t *limits;
    mnet_package_t *package;
    apr_off_t archive_size; /* bytes of the file received */
    apr_hash_t *names;      /* what is in the folder: a path folded for comparison to "" */
    apr_hash_t *folders;    /* those made in it: the path to "" */
    apr_hash_t *by_path;    /* mnet_package_file_t; NULL before it is needed */
    int is_single;          /* the file received is itself the only file */
    const char *why;        /* the first thing that was wrong */
} mnet_opening_t;

/* Says what is wrong, once; returns the status. */
apr_status_t mnet_opening_fail(mnet_opening_t *opening, apr_status_t rv, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define REFUSE(opening, ...) mnet_opening_fail(opening, MNET_E_REFUSED, __VA_ARGS__)
/* What was mended or is strange, for the report. */
void mnet_opening_note(mnet_opening_t *opening, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A name from outside, for a sentence. */
const char *mnet_opening_quote(const mnet_opening_t *opening, const char *name);
/* MNET_E_BUSY if it is to be left off. */
apr_status_t mnet_opening_stop(mnet_opening_t *opening);
/* A local failure that is about our disk. */
apr_status_t mnet_opening_disk(mnet_opening_t *opening, apr_status_t rv);

/* The file of that path in the folder, or NULL.  Once all are there, and before they are renamed.
 */
const mnet_package_file_t *mnet_opening_find(mnet_opening_t *opening, const char *path);

/* --- names.c --- */

/*
 * A name of an archive as a path that may stand in the folder: each of its names is made safe.
 * MNET_E_REFUSED: it leads out of the folder (a name "..", an absolute path, a drive), or is empty,
 * or too deep; the sentence is said.
 */
apr_status_t mnet_names_path(mnet_opening_t *opening, const char *original, const char **path,
                             apr_pool_t *pool);
/* That path or, if there is one like it already (in another case, say), one with a number. */
apr_status_t mnet_names_claim(mnet_opening_t *opening, const char *path, const char **claimed);
/* The path is free again. */
void mnet_names_release(mnet_opening_t *opening, const char *path);
/* Text from outside as UTF-8: as it is, or from CP437.  Control characters go. */
const char *mnet_names_text(const char *text, apr_size_t len, apr_pool_t *pool);

/* --- folder.c --- */

/* The folders above a path in the package's folder. */
apr_status_t mnet_folder_make(mnet_opening_t *opening, const char *path);
/* A new file in it, open for writing; never through a link.  EEXIST, and nothing is said: there is
 * one already, perhaps by another name of the same meaning to the file system. */
apr_status_t mnet_folder_create(mnet_opening_t *opening, const char *path, int *fd);
/* Everything in it on disk. */
apr_status_t mnet_folder_sync(mnet_opening_t *opening);
const char *mnet_folder_path(const mnet_opening_t *opening, const char *path, apr_pool_t *pool);

/* --- unpack.c --- */

/* Unpacks the archive, or takes the single file, and adds to package->files. */
apr_status_t mnet_unpack(mnet_opening_t *opening);

/* --- manifest.c --- */

/* The sender's filesmanifest and totalsize against what is there. */
apr_status_t mnet_manifest_check(mnet_opening_t *opening);
/* The names that filesmanifest gives the files (protocol 7.2). */
apr_status_t mnet_manifest_rename(mnet_opening_t *opening);
/* manifest.txt, if the package has one that is one (protocol 7.3); *is_manifest says so. */
apr_status_t mnet_manifest_text(mnet_opening_t *opening, int *is_manifest);

/* --- kind.c --- */

/* The kind of a file by its first bytes, and by its name where they say nothing. */
void mnet_kind_of(mnet_package_file_t *file, const char *data, apr_size_t len);

/* --- detect.c, cartridge.c --- */

/* The format of the whole by XML namespaces; NULL: of none of the structured ones. */
apr_status_t mnet_detect(mnet_opening_t *opening, const char **format);

/* What an imsmanifest.xml says. */
typedef struct mnet_cartridge_t {
    const char *format;            /* imscc, blackboard, scorm; NULL: none of them */
    const char *title;             /* or NULL */
    apr_array_header_t *resources; /* mnet_package_resource_t: path as in the manifest, kind what
                                      SCORM calls it */
    apr_hash_t *titles;            /* of items: identifierref to title */
} mnet_cartridge_t;

/* MNET_E_XML, MNET_E_DOCTYPE, MNET_E_LIMIT: it cannot be read, *problem says why. */
apr_status_t mnet_cartridge_read(mnet_opening_t *opening, const mnet_package_file_t *file,
                                 mnet_cartridge_t *cartridge, const char **problem);

/* --- resource.c --- */

/* What each resource is, by the root of its XML and by its type; package->resources is filled. */
apr_status_t mnet_resources_map(mnet_opening_t *opening, const mnet_cartridge_t *cartridge);

/* --- report.c --- */

apr_status_t mnet_report_write(mnet_opening_t *opening);

#endif
