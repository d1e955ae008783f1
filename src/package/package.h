/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_PACKAGE_PACKAGE_H
#define MNET_PACKAGE_PACKAGE_H

/*
 * What arrived: a zip archive or a single file, by somebody who may mean harm.  It is unpacked into
 * a folder of its own, held against what the sender said is in it, its format is found from its
 * content (protocol 7.2, 7.3, 10), and a report is written beside its files.  Nothing here knows of
 * peers, stores or httpd; whoever calls decides where the folder goes.
 *
 * Formats:
 *
 *   leap2a      an Atom feed with LEAP2A's namespace: leap2a.xml, leap2.xml or leap.xml at the root
 *   imscc       an IMS Common Cartridge, 1.0 to 1.3 (asked before Blackboard)
 *   blackboard  an IMS manifest with Blackboard's namespace
 *   scorm       an IMS manifest with ADL's namespaces: SCORM 1.2 and 2004
 *   manifest    several files with a manifest.txt, or with the sender's own list (filesmanifest)
 *   image, video, text, html, file
 *               one file, by its content; "file" is what any other package is, too
 *
 * A package is never executed, rendered or unpacked a second time: an archive within it is a file.
 */

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "base/log.h"
#include "wire/crypto.h"

/* The report's name in the folder of a package; a file of that name in it gets another. */
#define MNET_PACKAGE_REPORT "mnet-report.json"
/* Its folder in work. */
#define MNET_PACKAGE_FOLDER "package"

/* What is too much; every excess is refused for good. */
typedef struct mnet_package_limits_t {
    int files;       /* entries of the archive, folders included */
    apr_off_t total; /* bytes of all files, unpacked */
    apr_off_t file;  /* bytes of one */
    int ratio;       /* unpacked to packed bytes, once over MNET_PACKAGE_RATIO_FLOOR unpacked */
    int depth;       /* folders within folders */
    int name;        /* bytes of one name, at most 240; a longer one is cut, its ending kept */
} mnet_package_limits_t;

#define MNET_PACKAGE_RATIO_FLOOR (8 * 1024 * 1024)

/* 10,000 entries, 4 GiB in all and each, 200 to 1, 32 folders, 200 bytes. */
extern const mnet_package_limits_t mnet_package_limits_default;

/* One entry of the sender's filesmanifest (protocol 5.5). */
typedef struct mnet_package_expected_t {
    const char *filename; /* as the sender has it, UTF-8; sanitised here */
    const char *sha1;     /* 40 hexadecimal digits in either case */
    apr_off_t size;       /* -1: not said */
} mnet_package_expected_t;

/* What is to be opened.  Zeroed, then filled; NULL where nothing is known. */
typedef struct mnet_package_source_t {
    const char *path;                    /* the file received; only read */
    const char *name;                    /* what the sender called it, for a single file */
    const char *work;                    /* a folder of mode 0700 that nobody else uses, on the file
                                            system of the packages' last place */
    const mnet_package_limits_t *limits; /* NULL: mnet_package_limits_default */
    const apr_array_header_t *manifest;  /* mnet_package_expected_t; NULL: the sender sent none */
    apr_off_t total;    /* the sender's totalsize; negative: not said (0 is said, and is 0) */
    const char *format; /* the sender's word for it: "file", "leap2a", ... */
    /* for the report alone; id is written there, so it is no secret (not the token) */
    const char *id, *peer, *user, *title;
    apr_time_t now;
    /* Asked between pieces of at most 64 KiB: 1 to leave off.  May be NULL. */
    int (*stop)(void *baton);
    void *stop_baton;
    const mnet_crypto_t *crypto; /* never NULL */
    const mnet_log_t *log;
} mnet_package_source_t;

typedef struct mnet_package_file_t {
    const char *path;     /* in the folder: relative, safe, UTF-8, '/' between names */
    const char *original; /* as the archive has it, as UTF-8: for people, never to be opened */
    const char *sha1;     /* 40 hexadecimal digits */
    apr_off_t size;
    const char *format; /* of it alone: image, video, text, html, file */
    const char *type;   /* its MIME type, by its content; application/octet-stream if unknown */
} mnet_package_file_t;

/* A resource of a cartridge (protocol 10). */
typedef struct mnet_package_resource_t {
    const char *identifier; /* never NULL; may be "" */
    const char *type;       /* as the manifest has it: imsdt_xmlv1p0, webcontent, ... */
    const char *path;   /* its file, as in mnet_package_file_t.path; NULL: none of the package */
    const char *title;  /* of the topic, the link or the item; NULL: it has none */
    const char *url;    /* of a web link */
    const char *kind;   /* discussion topic, assessment, question bank, web link, web content,
                           learning tool, other; of a SCORM: sco, asset */
    const char *moodle; /* forum, quiz, question, url, page, resource, lti, scorm; NULL: it has
                           no equivalent there */
} mnet_package_resource_t;

typedef struct mnet_package_t {
    const char *format;
    const char *title;             /* the feed's or the cartridge's own; else the source's; else
                                      the single file's name; or NULL */
    const char *folder;            /* work/package: the files and the report, complete and synced */
    const char *report;            /* the report's path */
    apr_array_header_t *files;     /* mnet_package_file_t, in the archive's order */
    apr_array_header_t *resources; /* mnet_package_resource_t */
    apr_array_header_t *problems;  /* const char *: what was mended or is strange, for the report */
    apr_off_t total;               /* bytes of all files */
    int is_archive;                /* 0: the file received is itself the single file */
    const char *path;              /* the file received, as given */
} mnet_package_t;

/*
 * Unpacks, checks and reports.  On APR_SUCCESS *package is in pool and everything in its folder is
 * on disk.  Else *why is one sentence, fit for the peer and for the log, without a path of ours; no
 * debris is left in work; and the status says what to do:
 *
 *   MNET_E_REFUSED   the package is at fault: the same again will be refused again
 *   MNET_E_BUSY      stop() said so: try again
 *   anything else    a local failure (no room, no right, no memory): try again later
 *
 * What an earlier attempt left in work/package is removed first.  A local failure and a refusal are
 * logged here (MNET1040, MNET1041).  Memory depends on the number of files, not on their size.
 */
apr_status_t mnet_package_open(mnet_package_t **package, const mnet_package_source_t *source,
                               const char **why, apr_pool_t *pool);

/* Removes work/package and what is in it; nothing there is success. */
apr_status_t mnet_package_discard(const char *work, apr_pool_t *pool);
/* Removes a file, or a folder with what is in it; links are removed, not followed. */
apr_status_t mnet_package_remove(const char *path);

/*
 * A name from outside as one that may stand in a folder, in pool, never empty, never with a slash,
 * a backslash, a control character, a leading dot or a trailing dot or space, and at most max bytes
 * long (32 to 240), with its ending kept.  Bytes that are not UTF-8 are taken for CP437.
 */
const char *mnet_package_name(const char *name, apr_size_t len, int max, apr_pool_t *pool);

#endif
