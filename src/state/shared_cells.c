/* SPDX-License-Identifier: Apache-2.0 */
/* Failures per address, what is done once in a while, contacts with peers. */
#include "state/shared.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>

#include "state/shared_int.h"

#define BREAKER_FAILURES 3
#define BREAKER_FIRST    apr_time_from_sec(10)
#define BREAKER_LAST     apr_time_from_sec(300)

/* --- cells -------------------------------------------------------------------------------------
 */

static mnet_cell_t *find(const mnet_cells_t *cells, apr_uint64_t key)
{
    mnet_cell_t *row = cells->cells + (key % cells->rows) * MNET_CELLS_ROW;

    for (int i = 0; i < MNET_CELLS_ROW; i++) {
        if (row[i].key == key) {
            return &row[i];
        }
    }
    return NULL;
}

/* The key's cell; else an empty one, or the oldest of its row, cleared. */
static mnet_cell_t *find_or_take(const mnet_cells_t *cells, apr_uint64_t key)
{
    mnet_cell_t *row = cells->cells + (key % cells->rows) * MNET_CELLS_ROW;
    mnet_cell_t *cell = find(cells, key);

    if (cell) {
        return cell;
    }
    cell = row;
    for (int i = 1; i < MNET_CELLS_ROW && cell->key; i++) {
        if (!row[i].key || row[i].age < cell->age) {
            cell = &row[i];
        }
    }
    memset(cell, 0, sizeof(*cell));
    cell->key = key;
    return cell;
}

static apr_uint64_t key_of(const mnet_shared_t *shared, const void *data, apr_size_t len)
{
    apr_uint64_t key = mnet_shared_hash(shared, data, len);

    return key ? key : 1;
}

/* --- failures ----------------------------------------------------------------------------------
 */

enum { WINDOW_START, WINDOW_COUNT, WINDOW_BEFORE };

/* The address in its network form, of IPv6 the first half, with per: the two make the key. */
static apr_uint64_t address_key(const mnet_shared_t *shared, const char *address,
                                apr_interval_time_t per)
{
    struct {
        apr_uint64_t network[2];
        apr_int64_t per;
    } name;
    unsigned char raw[16];
    char text[INET6_ADDRSTRLEN];
    apr_size_t len = strcspn(address, "%"); /* without a zone */

    memset(&name, 0, sizeof(name));
    name.per = per;
    memset(text, 0, sizeof(text));
    if (len < sizeof(text)) {
        memcpy(text, address, len);
    }
    if (inet_pton(AF_INET, text, raw) == 1) {
        memcpy(&name.network[1], raw, 4);
    } else if (inet_pton(AF_INET6, text, raw) == 1) {
        if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)raw)) {
            memcpy(&name.network[1], raw + 12, 4);
        } else {
            memcpy(&name.network[0], raw, 8);
            name.network[1] = 1; /* no IPv4 address: those have the second half 0 in front */
        }
    } else {
        name.network[0] = mnet_shared_hash(shared, address, strlen(address));
        name.network[1] = ~(apr_uint64_t)0;
    }
    return key_of(shared, &name, sizeof(name));
}

/* The window as it is now: values as in a cell. */
static void roll(apr_int64_t window[MNET_CELLS_VALUES], apr_time_t now, apr_interval_time_t per)
{
    apr_time_t start = window[WINDOW_START];

    if (now < start || now - start >= 2 * per) {
        window[WINDOW_START] = now; /* long past, or the clock was set back */
        window[WINDOW_COUNT] = now < start ? window[WINDOW_COUNT] : 0;
        window[WINDOW_BEFORE] = 0;
    } else if (now - start >= per) {
        window[WINDOW_START] = start + per;
        window[WINDOW_BEFORE] = window[WINDOW_COUNT];
        window[WINDOW_COUNT] = 0;
    }
}

void mnet_shared_failed(mnet_shared_t *shared, const char *address, apr_time_t now,
                        apr_interval_time_t per)
{
    apr_uint64_t key;

    if (!shared || !address || per <= 0 || per > APR_INT64_MAX / 4) {
        return;
    }
    key = address_key(shared, address, per);
    if (mnet_shared_lock(shared)) {
        mnet_cell_t *cell;

        mnet_shared_change(shared, MNET_PART_FAILURES);
        cell = find_or_take(&shared->failures, key);
        roll(cell->values, now, per);
        if (cell->values[WINDOW_COUNT] < INT_MAX / 4) {
            cell->values[WINDOW_COUNT]++;
        }
        cell->age = now;
        mnet_shared_unlock(shared);
    }
}

int mnet_shared_failures(mnet_shared_t *shared, const char *address, apr_time_t now,
                         apr_interval_time_t per)
{
    apr_int64_t window[MNET_CELLS_VALUES] = {0};
    const mnet_cell_t *cell = NULL;
    apr_uint64_t key;
    double within;

    if (!shared || !address || per <= 0 || per > APR_INT64_MAX / 4) {
        return 0;
    }
    key = address_key(shared, address, per);
    if (mnet_shared_lock(shared)) {
        cell = find(&shared->failures, key);
        if (cell) {
            memcpy(window, cell->values, sizeof(window));
        }
        mnet_shared_unlock(shared);
    }
    if (!cell) {
        return 0;
    }
    roll(window, now, per);
    within = (double)(per - (now - window[WINDOW_START])) / (double)per;
    return (int)(window[WINDOW_COUNT] + (apr_int64_t)((double)window[WINDOW_BEFORE] * within));
}

/* --- once in a while ---------------------------------------------------------------------------
 */

static apr_uint64_t once_key(const mnet_shared_t *shared, const char *what, const char *name)
{
    apr_uint64_t hashes[2];

    hashes[0] = mnet_shared_hash(shared, what, strlen(what));
    hashes[1] = mnet_shared_hash(shared, name, strlen(name));
    return key_of(shared, hashes, sizeof(hashes));
}

/* age: when it is due again; further away than the interval if the clock was set back. */
static int is_due(const mnet_cell_t *cell, apr_time_t now, apr_interval_time_t interval)
{
    return !cell || now >= cell->age || cell->age - now > interval;
}

int mnet_shared_due(mnet_shared_t *shared, const char *what, const char *name, apr_time_t now,
                    apr_interval_time_t interval)
{
    int due;

    if (!shared || !mnet_shared_lock(shared)) {
        return 1;
    }
    due = is_due(find(&shared->once, once_key(shared, what, name)), now, interval);
    mnet_shared_unlock(shared);
    return due;
}

int mnet_shared_once(mnet_shared_t *shared, const char *what, const char *name, apr_time_t now,
                     apr_interval_time_t interval)
{
    apr_uint64_t key;
    mnet_cell_t *cell;
    int due;

    if (!shared) {
        return 1;
    }
    key = once_key(shared, what, name);
    if (!mnet_shared_lock(shared)) {
        return 1;
    }
    due = is_due(find(&shared->once, key), now, interval);
    if (due) {
        mnet_shared_change(shared, MNET_PART_ONCE);
        cell = find_or_take(&shared->once, key);
        cell->age = now > APR_INT64_MAX - interval ? APR_INT64_MAX : now + interval;
    }
    mnet_shared_unlock(shared);
    return due;
}

void mnet_shared_forget(mnet_shared_t *shared, const char *what, const char *name)
{
    mnet_cell_t *cell;

    if (!shared || !mnet_shared_lock(shared)) {
        return;
    }
    cell = find(&shared->once, once_key(shared, what, name));
    if (cell) {
        mnet_shared_change(shared, MNET_PART_ONCE);
        memset(cell, 0, sizeof(*cell));
    }
    mnet_shared_unlock(shared);
}

/* --- contacts ----------------------------------------------------------------------------------
 */

enum { CONTACT_HEARD, CONTACT_REACHED, CONTACT_FAILURES, CONTACT_RETRY };

void mnet_shared_contact(mnet_shared_t *shared, apr_uint64_t peer, mnet_contact_t *contact)
{
    memset(contact, 0, sizeof(*contact));
    if (shared && mnet_shared_lock(shared)) {
        const mnet_cell_t *cell = find(&shared->contacts, key_of(shared, &peer, sizeof(peer)));

        if (cell) {
            contact->heard = cell->values[CONTACT_HEARD];
            contact->reached = cell->values[CONTACT_REACHED];
            contact->failures = (int)cell->values[CONTACT_FAILURES];
            contact->retry = cell->values[CONTACT_RETRY];
        }
        mnet_shared_unlock(shared);
    }
}

/* The peer's cell, in a locked segment, marked as changing. */
static mnet_cell_t *contact_of(mnet_shared_t *shared, apr_uint64_t peer, apr_time_t now)
{
    mnet_cell_t *cell;

    mnet_shared_change(shared, MNET_PART_CONTACTS);
    cell = find_or_take(&shared->contacts, key_of(shared, &peer, sizeof(peer)));
    cell->age = now;
    return cell;
}

void mnet_shared_heard(mnet_shared_t *shared, apr_uint64_t peer, apr_time_t now)
{
    if (shared && mnet_shared_lock(shared)) {
        contact_of(shared, peer, now)->values[CONTACT_HEARD] = now;
        mnet_shared_unlock(shared);
    }
}

void mnet_shared_called(mnet_shared_t *shared, apr_uint64_t peer, apr_time_t now, int answered)
{
    if (shared && mnet_shared_lock(shared)) {
        mnet_cell_t *cell = contact_of(shared, peer, now);
        apr_int64_t failures = cell->values[CONTACT_FAILURES];

        if (answered) {
            cell->values[CONTACT_REACHED] = now;
            cell->values[CONTACT_FAILURES] = 0;
            cell->values[CONTACT_RETRY] = 0;
        } else {
            failures += failures < INT_MAX;
            cell->values[CONTACT_FAILURES] = failures;
            if (failures >= BREAKER_FAILURES) {
                apr_int64_t doubled = failures - BREAKER_FAILURES;
                apr_interval_time_t wait = BREAKER_LAST;

                if (doubled < 8 && BREAKER_FIRST << doubled < BREAKER_LAST) {
                    wait = BREAKER_FIRST << doubled;
                }
                cell->values[CONTACT_RETRY] = now + wait;
            }
        }
        mnet_shared_unlock(shared);
    }
}
