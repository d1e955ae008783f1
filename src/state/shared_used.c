/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When sessions were last used.  A slot is one atomic word, so that neither a lock nor a repair is
 * needed: whoever dies leaves either the old word or the new one.  Two that take one slot at once
 * lose one of the times, which costs a session nothing while the store's own time is young.
 */
#include "state/shared.h"

#include "state/shared_int.h"

#define SECONDS_MAX 0xFFFFFFFFLL

static _Atomic uint64_t *row_of(const mnet_shared_t *shared, apr_uint64_t name)
{
    return shared->used + (size_t)((name >> 32) % shared->used_rows) * MNET_USED_ROW;
}

/* The row comes of the upper half of the name, the tag of the lower one. */
static uint64_t word_of(apr_uint64_t name, apr_int64_t seconds)
{
    return name << 32 | (uint64_t)seconds;
}

static apr_int64_t seconds_of(uint64_t word)
{
    return (apr_int64_t)(word & 0xFFFFFFFFU);
}

static int is_of(uint64_t word, apr_uint64_t name)
{
    return word && word >> 32 == (name & 0xFFFFFFFFU);
}

void mnet_shared_fetch(const mnet_shared_t *shared, apr_uint64_t name)
{
    if (shared && shared->used_rows) {
        __builtin_prefetch((const void *)row_of(shared, name), 1);
    }
}

apr_time_t mnet_shared_use(mnet_shared_t *shared, apr_uint64_t name, apr_time_t now)
{
    apr_int64_t seconds = apr_time_sec(now), before;
    _Atomic uint64_t *row, *slot;
    uint64_t word, oldest;

    if (!shared || !shared->used_rows || seconds <= 0 || seconds > SECONDS_MAX) {
        return 0;
    }
    slot = row = row_of(shared, name);
    oldest = ~(uint64_t)0;
    for (int i = 0; i < MNET_USED_ROW; i++) {
        word = atomic_load_explicit(&row[i], memory_order_relaxed);
        if (is_of(word, name)) {
            before = seconds_of(word);
            if (before != seconds) { /* else the line stays where it is */
                atomic_store_explicit(&row[i], word_of(name, seconds), memory_order_relaxed);
            }
            return apr_time_from_sec(before);
        }
        if ((uint64_t)seconds_of(word) < oldest) {
            oldest = (uint64_t)seconds_of(word);
            slot = &row[i];
        }
    }
    atomic_store_explicit(slot, word_of(name, seconds), memory_order_relaxed);
    return 0;
}

apr_time_t mnet_shared_used(mnet_shared_t *shared, apr_uint64_t name)
{
    const _Atomic uint64_t *row;

    if (!shared || !shared->used_rows) {
        return 0;
    }
    row = row_of(shared, name);
    for (int i = 0; i < MNET_USED_ROW; i++) {
        uint64_t word = atomic_load_explicit(&row[i], memory_order_relaxed);

        if (is_of(word, name)) {
            return apr_time_from_sec(seconds_of(word));
        }
    }
    return 0;
}
