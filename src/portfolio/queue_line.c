/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line of each peer, and which line is next.
 *
 * The places of a line lie side by side, a few dozen to a record: a record for each would spread
 * them over so many pages that a step of one item would write the more the more items there are.
 * A record is named after the place up to which it goes, the last one of a line after one that is
 * behind all.  So the one for a place is the first whose name is not before it.
 */
#include <string.h>

#include "base/status.h"
#include "portfolio/queue_int.h"

#define VERSION 1
#define PLACES  24 /* of a record: a few of those fill a page */
#define SIZE    sizeof(mnet_queue_place_t)

typedef struct part_t {
    mnet_name_t name; /* without bytes: there is none */
    int count;
    mnet_queue_place_t places[PLACES + 1];
} part_t;

static int compare(const mnet_queue_place_t *a, const mnet_queue_place_t *b)
{
    return memcmp(a->bytes, b->bytes, SIZE);
}

static apr_status_t del(mnet_txn_t *txn, const char *group, const mnet_name_t *name)
{
    apr_status_t rv = mnet_txn_del(txn, group, name->bytes, name->len);

    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* --- the parts of a line --- */

static apr_status_t read_part(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    part_t *part = baton;
    const unsigned char *bytes = data;

    if (key_len != MNET_SITE_PREFIX + sizeof(mnet_queue_peer_t) + SIZE) {
        return APR_SUCCESS;
    }
    part->name.len = 0;
    mnet_name_add(&part->name, key, key_len);
    if (len && bytes[0] != VERSION) {
        return MNET_E_VERSION;
    }
    if (len < 1 + SIZE || len > 1 + PLACES * SIZE || (len - 1) % SIZE) {
        return APR_EINCOMPLETE;
    }
    part->count = (int)((len - 1) / SIZE);
    memcpy(part->places, bytes + 1, len - 1);
    return APR_EOF;
}

/* Where to look for a place (NULL: the first one): behind what is kept of the peer. */
static void after_peer(const mnet_name_t *line, const mnet_queue_place_t *place, mnet_name_t *from)
{
    *from = *line;
    if (place) {
        mnet_name_add(from, place->bytes, SIZE);
    } else {
        mnet_name_add(from, "", 1);
    }
}

/* The part of a line that a place (NULL: the first one) is in, or would be. */
static apr_status_t find_part(mnet_txn_t *txn, const mnet_name_t *line,
                              const mnet_queue_place_t *place, part_t *part)
{
    mnet_name_t from;

    after_peer(line, place, &from);
    part->name.len = 0;
    part->count = 0;
    return mnet_txn_each(txn, MNET_GROUP_LINE, line->bytes, line->len, from.bytes, from.len,
                         read_part, part);
}

static apr_status_t write_part(mnet_txn_t *txn, const mnet_name_t *name,
                               const mnet_queue_place_t *places, int count)
{
    unsigned char record[1 + PLACES * SIZE] = {VERSION};

    if (!count) {
        return del(txn, MNET_GROUP_LINE, name);
    }
    memcpy(record + 1, places, (apr_size_t)count * SIZE);
    return mnet_txn_put(txn, MNET_GROUP_LINE, name->bytes, name->len, record,
                        1 + (apr_size_t)count * SIZE);
}

/* Where in the part the place is, or is to be. */
static int position(const part_t *part, const mnet_queue_place_t *place, int *there)
{
    int at = 0;

    while (at < part->count && compare(&part->places[at], place) < 0) {
        at++;
    }
    *there = at < part->count && !compare(&part->places[at], place);
    return at;
}

static apr_status_t line_add(mnet_txn_t *txn, const mnet_name_t *line,
                             const mnet_queue_place_t *place)
{
    part_t part;
    mnet_name_t name;
    int at, there, before;
    apr_status_t rv = find_part(txn, line, place, &part);

    if (rv) {
        return rv;
    }
    if (!part.name.len) {
        mnet_queue_place_t last;

        memset(last.bytes, 0xff, SIZE);
        part.name = *line;
        mnet_name_add(&part.name, last.bytes, SIZE);
    }
    at = position(&part, place, &there);
    if (there) {
        return APR_SUCCESS;
    }
    memmove(&part.places[at + 1], &part.places[at], (apr_size_t)(part.count - at) * SIZE);
    part.places[at] = *place;
    part.count++;
    if (part.count <= PLACES) {
        return write_part(txn, &part.name, part.places, part.count);
    }
    /* Full: what is before the new one if that is the last, else a half, gets a name of its own. */
    before = at == PLACES ? at : PLACES / 2;
    name = *line;
    mnet_name_add(&name, part.places[before - 1].bytes, SIZE);
    rv = write_part(txn, &name, part.places, before);
    return rv ? rv : write_part(txn, &part.name, part.places + before, part.count - before);
}

static apr_status_t line_remove(mnet_txn_t *txn, const mnet_name_t *line,
                                const mnet_queue_place_t *place)
{
    part_t part;
    int at, there;
    apr_status_t rv = find_part(txn, line, place, &part);

    at = position(&part, place, &there);
    if (rv || !there) {
        return rv;
    }
    part.count--;
    memmove(&part.places[at], &part.places[at + 1], (apr_size_t)(part.count - at) * SIZE);
    return write_part(txn, &part.name, part.places, part.count);
}

typedef struct reading_t {
    const mnet_queue_place_t *after;
    apr_time_t due;
    int max;
    apr_array_header_t *places;
} reading_t;

static apr_status_t read_places(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                                const void *data, apr_size_t len)
{
    reading_t *reading = baton;
    part_t part = {.count = 0};
    apr_status_t rv = read_part(&part, txn, key, key_len, data, len);

    for (int i = 0; rv == APR_EOF && i < part.count; i++) {
        if (reading->after && compare(&part.places[i], reading->after) <= 0) {
            continue;
        }
        if (reading->places->nelts == reading->max ||
            mnet_queue_read_time(part.places[i].bytes) > reading->due) {
            return APR_EOF;
        }
        APR_ARRAY_PUSH(reading->places, mnet_queue_place_t) = part.places[i];
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t mnet_queue_line(const mnet_host_t *host, mnet_txn_t *txn,
                             const mnet_queue_peer_t *peer, const mnet_queue_place_t *after,
                             apr_time_t due, int max, apr_array_header_t *places)
{
    reading_t reading = {after, due, max, places};
    mnet_name_t line, from;

    mnet_queue_peer_name(host, peer, &line);
    after_peer(&line, after, &from);
    places->nelts = 0;
    return mnet_txn_each(txn, MNET_GROUP_LINE, line.bytes, line.len, from.bytes, from.len,
                         read_places, &reading);
}

/* --- which line is next --- */

static apr_status_t first_due(mnet_txn_t *txn, const mnet_name_t *line, apr_time_t *due)
{
    part_t part;
    apr_status_t rv = find_part(txn, line, NULL, &part);

    *due = part.count ? mnet_queue_read_time(part.places[0].bytes) : MNET_QUEUE_NOWHERE;
    return rv;
}

static void head_name(const mnet_host_t *host, const mnet_queue_peer_t *peer, apr_time_t due,
                      mnet_name_t *name)
{
    mnet_name_begin(host, name);
    mnet_name_add_time(name, due);
    mnet_name_add(name, peer->bytes, sizeof(peer->bytes));
}

static apr_status_t move_head(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_peer_t *peer, apr_time_t before, apr_time_t after)
{
    mnet_name_t name;
    apr_status_t rv = APR_SUCCESS;

    if (before == after) {
        return APR_SUCCESS;
    }
    if (before != MNET_QUEUE_NOWHERE) {
        head_name(host, peer, before, &name);
        rv = del(txn, MNET_GROUP_NEXT, &name);
    }
    if (!rv && after != MNET_QUEUE_NOWHERE) {
        head_name(host, peer, after, &name);
        rv = mnet_txn_put(txn, MNET_GROUP_NEXT, name.bytes, name.len, "", 0);
    }
    return rv;
}

typedef struct looking_t {
    apr_time_t due;
    int max;
    apr_array_header_t *heads;
} looking_t;

static apr_status_t read_head(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    looking_t *looking = baton;
    mnet_queue_head_t *head;

    if (key_len != MNET_SITE_PREFIX + sizeof(head->bytes)) {
        return APR_SUCCESS;
    }
    if (mnet_queue_read_time((const unsigned char *)key + MNET_SITE_PREFIX) > looking->due ||
        looking->heads->nelts == looking->max) {
        return APR_EOF;
    }
    head = apr_array_push(looking->heads);
    memcpy(head->bytes, (const char *)key + MNET_SITE_PREFIX, sizeof(head->bytes));
    return APR_SUCCESS;
}

apr_status_t mnet_queue_heads(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_head_t *after, apr_time_t due, int max,
                              apr_array_header_t *heads)
{
    looking_t looking = {due, max, heads};
    mnet_name_t site, from;

    mnet_name_begin(host, &site);
    from = site;
    if (after) {
        mnet_name_add(&from, after->bytes, sizeof(after->bytes));
        mnet_name_add(&from, "", 1); /* the least name above it */
    }
    heads->nelts = 0;
    return mnet_txn_each(txn, MNET_GROUP_NEXT, site.bytes, site.len, from.bytes, from.len,
                         read_head, &looking);
}

/* --- both --- */

static void place_at(apr_time_t due, const unsigned char *id, mnet_queue_place_t *place)
{
    mnet_name_t name = {.len = 0};

    mnet_name_add_time(&name, due);
    mnet_name_add(&name, id, MNET_QUEUE_ID_BYTES);
    memcpy(place->bytes, name.bytes, SIZE);
}

apr_status_t mnet_queue_unplace(const mnet_host_t *host, mnet_txn_t *txn,
                                const mnet_queue_peer_t *peer, const mnet_queue_place_t *place)
{
    apr_time_t before = MNET_QUEUE_NOWHERE, after = MNET_QUEUE_NOWHERE;
    mnet_queue_place_t gone = *place;
    mnet_name_t line;
    apr_status_t rv;

    mnet_queue_peer_name(host, peer, &line);
    rv = first_due(txn, &line, &before);
    rv = rv ? rv : line_remove(txn, &line, &gone);
    rv = rv ? rv : first_due(txn, &line, &after);
    return rv ? rv : move_head(host, txn, peer, before, after);
}

static apr_status_t place_once(const mnet_host_t *host, mnet_txn_t *txn,
                               const mnet_queue_peer_t *peer, const unsigned char *id,
                               apr_time_t from, apr_time_t to)
{
    apr_time_t before = MNET_QUEUE_NOWHERE, after = MNET_QUEUE_NOWHERE;
    mnet_queue_place_t place;
    mnet_name_t line;
    apr_status_t rv;

    mnet_queue_peer_name(host, peer, &line);
    rv = first_due(txn, &line, &before);
    if (!rv && from != MNET_QUEUE_NOWHERE) {
        place_at(from, id, &place);
        rv = line_remove(txn, &line, &place);
    }
    if (!rv && to != MNET_QUEUE_NOWHERE) {
        place_at(to, id, &place);
        rv = line_add(txn, &line, &place);
    }
    rv = rv ? rv : first_due(txn, &line, &after);
    return rv ? rv : move_head(host, txn, peer, before, after);
}

/* --- a line that is damaged --- */

static apr_status_t drop_damaged(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                                 const void *data, apr_size_t len)
{
    part_t part;
    apr_status_t rv = read_part(&part, txn, key, key_len, data, len);

    if (rv == APR_EINCOMPLETE) {
        return mnet_txn_del(txn, MNET_GROUP_LINE, key, key_len);
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static apr_status_t drop_head(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len)
{
    const mnet_queue_peer_t *peer = baton;

    if (key_len < sizeof(*peer) ||
        memcmp((const char *)key + key_len - sizeof(*peer), peer->bytes, sizeof(*peer))) {
        return APR_SUCCESS;
    }
    return mnet_txn_del(txn, MNET_GROUP_NEXT, key, key_len);
}

static apr_status_t mend_line(const mnet_host_t *host, mnet_txn_t *txn, mnet_queue_peer_t *peer)
{
    apr_time_t due = MNET_QUEUE_NOWHERE;
    mnet_name_t site, line;
    apr_status_t rv;

    mnet_name_begin(host, &site);
    mnet_queue_peer_name(host, peer, &line);
    rv = mnet_txn_each(txn, MNET_GROUP_LINE, line.bytes, line.len, NULL, 0, drop_damaged, NULL);
    rv = rv ? rv
            : mnet_txn_each(txn, MNET_GROUP_NEXT, site.bytes, site.len, NULL, 0, drop_head, peer);
    rv = rv ? rv : first_due(txn, &line, &due);
    return rv ? rv : move_head(host, txn, peer, MNET_QUEUE_NOWHERE, due);
}

apr_status_t mnet_queue_place(const mnet_host_t *host, mnet_txn_t *txn,
                              const mnet_queue_item_t *item, apr_time_t from, apr_time_t to)
{
    unsigned char id[MNET_QUEUE_ID_BYTES] = {0};
    mnet_queue_peer_t peer;
    apr_status_t rv;

    if (from == to) {
        return APR_SUCCESS;
    }
    rv = mnet_queue_peer(host, item->peer, &peer);
    rv = rv ? rv : mnet_queue_id(item->id, id);
    rv = rv ? rv : place_once(host, txn, &peer, id, from, to);
    if (rv == APR_EINCOMPLETE) {
        rv = mend_line(host, txn, &peer);
        rv = rv ? rv : place_once(host, txn, &peer, id, from, to);
    }
    return rv;
}

apr_status_t mnet_queue_place_again(const mnet_host_t *host, mnet_txn_t *txn,
                                    const mnet_queue_item_t *item)
{
    apr_time_t due = MNET_QUEUE_NOWHERE;
    mnet_queue_peer_t peer;
    mnet_name_t line;
    apr_status_t rv = mnet_queue_peer(host, item->peer, &peer);

    rv = rv ? rv : mnet_queue_place(host, txn, item, item->due, MNET_QUEUE_NOWHERE);
    rv = rv ? rv : mnet_queue_place(host, txn, item, MNET_QUEUE_NOWHERE, item->due);
    mnet_queue_peer_name(host, &peer, &line);
    rv = rv ? rv : first_due(txn, &line, &due);
    return rv ? rv : move_head(host, txn, &peer, MNET_QUEUE_NOWHERE, due);
}

apr_status_t mnet_queue_is_placed(const mnet_host_t *host, mnet_txn_t *txn,
                                  const mnet_queue_item_t *item, int *placed)
{
    unsigned char id[MNET_QUEUE_ID_BYTES] = {0};
    apr_time_t due = MNET_QUEUE_NOWHERE;
    mnet_queue_place_t place;
    mnet_queue_peer_t peer;
    mnet_name_t line, head;
    const void *data;
    apr_size_t len;
    part_t part;
    apr_status_t rv = mnet_queue_peer(host, item->peer, &peer);

    *placed = 0;
    rv = rv ? rv : mnet_queue_id(item->id, id);
    mnet_queue_peer_name(host, &peer, &line);
    place_at(item->due, id, &place);
    rv = rv ? rv : find_part(txn, &line, &place, &part);
    rv = rv ? rv : first_due(txn, &line, &due);
    if (rv) {
        return rv == APR_EINCOMPLETE ? APR_SUCCESS : rv;
    }
    (void)position(&part, &place, placed);
    if (*placed) {
        head_name(host, &peer, due, &head);
        rv = mnet_txn_get(txn, MNET_GROUP_NEXT, head.bytes, head.len, &data, &len);
        *placed = !rv;
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}
