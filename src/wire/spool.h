/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_SPOOL_H
#define MNET_WIRE_SPOOL_H

/*
 * A text of unknown length: in memory up to 64 KiB, above that in a temporary file (mode 0600,
 * unlinked at once), so that a package of a gigabyte costs the memory of a small message.
 * Written once, then read as often as needed.  It belongs to its pool: the file is closed and the
 * memory cleansed when the pool goes.
 */

#include <apr_file_io.h>
#include <apr_pools.h>

#include "base/sink.h"

#define MNET_SPOOL_MEMORY (64 * 1024)

typedef struct mnet_spool_t mnet_spool_t;

/*
 * limit: the most bytes it takes (MNET_E_LIMIT above), 0 for none.  tmpdir: where the file would
 * go, NULL for APR's choice.  No file is made before one is needed.
 */
mnet_spool_t *mnet_spool_create(apr_off_t limit, const char *tmpdir, apr_pool_t *pool);

/*
 * A text that is kept nowhere but made anew each time it is read: pour writes length bytes, the
 * same every time, or fails.  It cannot be written to, is not in memory and has no file.
 */
typedef apr_status_t mnet_spool_pour_fn(void *baton, const mnet_sink_t *to);
mnet_spool_t *mnet_spool_made(apr_off_t length, mnet_spool_pour_fn *pour, void *baton,
                              apr_pool_t *pool);

/* A mnet_sink_fn; the baton is the mnet_spool_t. */
apr_status_t mnet_spool_write(void *spool, const char *data, apr_size_t len);

/* Appends another one's text without reading it: part stays as it is for as long as the spool is
 * used.  From then on the spool has neither a text in memory nor a file. */
apr_status_t mnet_spool_append(mnet_spool_t *spool, mnet_spool_t *part);

apr_off_t mnet_spool_length(const mnet_spool_t *spool);

/* Where its file would go; NULL for APR's choice. */
const char *mnet_spool_tmpdir(const mnet_spool_t *spool);

/*
 * The whole text, NUL-terminated, if it is in memory; NULL once it went to a file.  Owned by the
 * spool, valid until the next write.
 */
const char *mnet_spool_text(const mnet_spool_t *spool);

/* Everything, from the start, in pieces of at most 32 KiB, into a sink. */
apr_status_t mnet_spool_pour(mnet_spool_t *spool, const mnet_sink_t *to);

/* The file, if there is one, else NULL.  For sendfile: its position is undefined. */
apr_file_t *mnet_spool_file(const mnet_spool_t *spool);

#endif
