/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recent past.  All names are in one stock and are found by their hash.  Each is also in the
 * ring of its peer, from the oldest to the newest, and rings are listed by their length in powers
 * of two.  Once the stock is used up, a new name takes the place of the oldest of its own ring if
 * that is among the longest, else of one that is.  So a peer that floods drops its own names, one
 * that does not keeps its own as long as it has less than half of the longest ring's, and every
 * step costs the same whatever the number of peers and names.
 */
#include "state/shared.h"

#include <string.h>

#include "state/shared_int.h"

/* The list a ring of this many names is in. */
static unsigned int class_of(uint32_t count)
{
    return 31U - (unsigned int)__builtin_clz(count);
}

static void unlist(mnet_shared_t *shared, uint32_t ring)
{
    mnet_past_ring_t *at = &shared->rings[ring];

    if (at->before) {
        shared->rings[at->before].after = at->after;
    } else {
        shared->past->longest[class_of(at->count)] = at->after;
    }
    if (at->after) {
        shared->rings[at->after].before = at->before;
    }
    at->before = at->after = 0;
}

static void list(mnet_shared_t *shared, uint32_t ring)
{
    mnet_past_ring_t *at = &shared->rings[ring];
    uint32_t *first = &shared->past->longest[class_of(at->count)];

    at->before = 0;
    at->after = *first;
    if (*first) {
        shared->rings[*first].before = ring;
    }
    *first = ring;
}

/* Another number of names, in the list for it. */
static void count_is(mnet_shared_t *shared, uint32_t ring, uint32_t count)
{
    mnet_past_ring_t *at = &shared->rings[ring];
    int moves = !at->count || !count || class_of(at->count) != class_of(count);

    if (moves && at->count) {
        unlist(shared, ring);
    }
    at->count = count;
    if (moves && count) {
        list(shared, ring);
    }
}

/* --- rings -------------------------------------------------------------------------------------
 */

static uint32_t ring_bucket(const mnet_shared_t *shared, apr_uint64_t peer)
{
    return (uint32_t)(mnet_shared_hash(shared, &peer, sizeof(peer)) % shared->rings_max);
}

static uint32_t find_ring(const mnet_shared_t *shared, uint32_t bucket, apr_uint64_t peer)
{
    uint32_t ring = shared->ring_buckets[bucket];

    while (ring && shared->rings[ring].peer != peer) {
        ring = shared->rings[ring].next;
    }
    return ring;
}

/* The peer's ring, a new one if it has none.  Should all be taken it shares another's. */
static uint32_t get_ring(mnet_shared_t *shared, apr_uint64_t peer)
{
    mnet_past_t *past = shared->past;
    uint32_t bucket = ring_bucket(shared, peer);
    uint32_t ring = find_ring(shared, bucket, peer);

    if (ring) {
        return ring;
    }
    if (past->free_ring) {
        ring = past->free_ring;
        past->free_ring = shared->rings[ring].next;
    } else if (past->rings < shared->rings_max) {
        ring = ++past->rings;
    } else {
        return 1 + bucket;
    }
    memset(&shared->rings[ring], 0, sizeof(shared->rings[ring]));
    shared->rings[ring].peer = peer;
    shared->rings[ring].next = shared->ring_buckets[bucket];
    shared->ring_buckets[bucket] = ring;
    return ring;
}

static void free_ring(mnet_shared_t *shared, uint32_t ring)
{
    mnet_past_ring_t *at = &shared->rings[ring];
    uint32_t *link = &shared->ring_buckets[ring_bucket(shared, at->peer)];

    while (*link && *link != ring) {
        link = &shared->rings[*link].next;
    }
    if (*link) {
        *link = at->next;
    }
    at->next = shared->past->free_ring;
    shared->past->free_ring = ring;
}

/* --- names -------------------------------------------------------------------------------------
 */

static uint32_t name_bucket(const mnet_shared_t *shared, const unsigned char name[32])
{
    return (uint32_t)(mnet_shared_hash(shared, name, 32) % shared->names_max);
}

static uint32_t find_name(const mnet_shared_t *shared, uint32_t bucket,
                          const unsigned char name[32])
{
    uint32_t at = shared->name_buckets[bucket];

    while (at && memcmp(shared->names[at].name, name, 32) != 0) {
        at = shared->names[at].next;
    }
    return at;
}

/* Takes the oldest name out of a ring that has one; its place. */
static uint32_t drop_oldest(mnet_shared_t *shared, uint32_t ring)
{
    mnet_past_ring_t *at = &shared->rings[ring];
    uint32_t place = at->oldest;
    mnet_past_name_t *name = &shared->names[place];
    uint32_t *link = &shared->name_buckets[name_bucket(shared, name->name)];

    while (*link && *link != place) {
        link = &shared->names[*link].next;
    }
    if (*link) {
        *link = name->next;
    }
    at->oldest = name->newer;
    if (!at->oldest) {
        at->newest = 0;
    }
    count_is(shared, ring, at->count - 1);
    return place;
}

/* A place for a new name of this ring. */
static uint32_t get_place(mnet_shared_t *shared, uint32_t ring)
{
    mnet_past_t *past = shared->past;
    uint32_t count = shared->rings[ring].count;
    uint32_t from, place;
    unsigned int top = 31;

    if (past->names < shared->names_max) {
        return ++past->names;
    }
    while (top > 0 && !past->longest[top]) {
        top--;
    }
    from = count && class_of(count) == top ? ring : past->longest[top];
    place = drop_oldest(shared, from);
    if (from != ring && shared->rings[from].count == 0) {
        free_ring(shared, from);
    }
    return place;
}

static void remember(mnet_shared_t *shared, uint32_t bucket, apr_uint64_t peer,
                     const unsigned char name[32])
{
    uint32_t ring = get_ring(shared, peer);
    uint32_t place = get_place(shared, ring);
    mnet_past_ring_t *at = &shared->rings[ring];
    mnet_past_name_t *slot = &shared->names[place];

    memcpy(slot->name, name, 32);
    slot->newer = 0;
    slot->next = shared->name_buckets[bucket];
    shared->name_buckets[bucket] = place;
    if (at->newest) {
        shared->names[at->newest].newer = place;
    } else {
        at->oldest = place;
    }
    at->newest = place;
    count_is(shared, ring, at->count + 1);
}

int mnet_shared_seen(mnet_shared_t *shared, apr_uint64_t peer, const unsigned char name[32])
{
    uint32_t bucket;
    int seen;

    if (!shared) {
        return 0;
    }
    bucket = name_bucket(shared, name);
    if (!mnet_shared_lock(shared)) {
        return 1; /* unknown is refused */
    }
    seen = find_name(shared, bucket, name) != 0;
    if (!seen) {
        mnet_shared_change(shared, MNET_PART_PAST);
        remember(shared, bucket, peer, name);
    }
    mnet_shared_unlock(shared);
    return seen;
}
