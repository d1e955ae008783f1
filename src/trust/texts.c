/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/texts.h"

#include <stdlib.h>
#include <string.h>

void mnet_texts_pack(mnet_pack_t *pack, const apr_array_header_t *texts)
{
    mnet_pack_i64(pack, texts ? texts->nelts : -1);
    for (int i = 0; texts && i < texts->nelts; i++) {
        mnet_pack_text(pack, APR_ARRAY_IDX(texts, i, const char *));
    }
}

apr_int64_t mnet_number_unpack(mnet_unpack_t *unpack, apr_int64_t low, apr_int64_t high)
{
    apr_int64_t value = mnet_unpack_i64(unpack);
    if (unpack->bad || value < low || value > high) {
        unpack->bad = 1;
        return low;
    }
    return value;
}

int mnet_count_unpack(mnet_unpack_t *unpack)
{
    return (int)mnet_number_unpack(unpack, -1, MNET_LIST_MAX);
}

apr_array_header_t *mnet_texts_unpack(mnet_unpack_t *unpack)
{
    int count = mnet_count_unpack(unpack);
    if (count < 0) {
        return NULL;
    }
    apr_array_header_t *texts = apr_array_make(unpack->pool, 4, sizeof(const char *));
    for (int i = 0; i < count && !unpack->bad; i++) {
        const char *text = mnet_unpack_text(unpack);
        if (!text) {
            unpack->bad = 1;
            break;
        }
        APR_ARRAY_PUSH(texts, const char *) = text;
    }
    return texts;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void mnet_texts_sort(apr_array_header_t *texts)
{
    if (texts->nelts > 1) {
        qsort(texts->elts, (size_t)texts->nelts, sizeof(const char *), by_bytes);
    }
}

apr_array_header_t *mnet_hash_names(apr_hash_t *hash, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 8, sizeof(const char *));
    for (apr_hash_index_t *hi = hash ? apr_hash_first(pool, hash) : NULL; hi;
         hi = apr_hash_next(hi)) {
        APR_ARRAY_PUSH(names, const char *) = apr_hash_this_key(hi);
    }
    mnet_texts_sort(names);
    return names;
}
