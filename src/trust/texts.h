/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_TEXTS_H
#define MNET_TRUST_TEXTS_H

/* Lists in records, used by those of a site, of a peer's facts and of its state. */

#include <apr_hash.h>
#include <apr_tables.h>

#include "state/record.h"

#define MNET_LIST_MAX 1000000 /* entries of any list in a record; more spoil it */

/* An array of const char *, or NULL, which is told apart from an empty one. */
void mnet_texts_pack(mnet_pack_t *pack, const apr_array_header_t *texts);
apr_array_header_t *mnet_texts_unpack(mnet_unpack_t *unpack);

/* The number of entries of a list, -1 for NULL; spoils the reader if it is out of range. */
int mnet_count_unpack(mnet_unpack_t *unpack);
/* A number of a record that must be from low to high; spoils the reader and is low if not. */
apr_int64_t mnet_number_unpack(mnet_unpack_t *unpack, apr_int64_t low, apr_int64_t high);

/* Texts as a set: const char * in the order of bytes. */
void mnet_texts_sort(apr_array_header_t *texts);
/* The keys of a hash of texts in that order, so that equal things have equal records. */
apr_array_header_t *mnet_hash_names(apr_hash_t *hash, apr_pool_t *pool);

#endif
