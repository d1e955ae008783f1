/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_T_SHARED_HELP_H
#define MNET_T_SHARED_HELP_H

/* A segment to test, with a lock as httpd makes it, and what must always hold in it. */

#include "state_help.h"

#include <apr_global_mutex.h>

#include "state/shared_int.h"

#define MINUTE apr_time_from_sec(60)
#define NOW    apr_time_from_sec(1700000000)

static inline mnet_shared_t *shared_new(help_t *help, apr_size_t size, int with_lock)
{
    mnet_shared_t *shared = NULL;
    apr_global_mutex_t *mutex = NULL;
    const char *why = NULL;

    if (with_lock) {
        assert_int_equal(apr_global_mutex_create(&mutex, NULL, APR_LOCK_DEFAULT, help->pool),
                         APR_SUCCESS);
    }
    assert_int_equal(mnet_shared_create(&shared, size, mutex, &help->log, &why, help->pool),
                     APR_SUCCESS);
    assert_null(why);
    return shared;
}

/* The name of the nth call of a peer. */
static inline const unsigned char *past_name(unsigned char name[32], apr_uint64_t peer, uint32_t n)
{
    memset(name, 0, 32);
    memcpy(name, &peer, sizeof(peer));
    memcpy(name + 8, &n, sizeof(n));
    return name;
}

static inline int past_seen(mnet_shared_t *shared, apr_uint64_t peer, uint32_t n)
{
    unsigned char name[32];

    return mnet_shared_seen(shared, peer, past_name(name, peer, n));
}

/* Is it remembered?  Without remembering it. */
static inline int past_has(mnet_shared_t *shared, apr_uint64_t peer, uint32_t n)
{
    unsigned char name[32];
    uint32_t at = shared->name_buckets[mnet_shared_hash(shared, past_name(name, peer, n), 32) %
                                       shared->names_max];

    while (at && memcmp(shared->names[at].name, name, 32) != 0) {
        at = shared->names[at].next;
    }
    return at != 0;
}

/* NULL, or what is wrong with the past: every index in bounds, every list with an end, every name
 * taken in one ring and one bucket. */
static inline const char *past_problem(mnet_shared_t *shared)
{
    const mnet_past_t *past = shared->past;
    uint32_t in_rings = 0, in_buckets = 0, listed = 0, used = 0, free_rings = 0, hashed = 0;

    if (past->names > shared->names_max || past->rings > shared->rings_max) {
        return "taken beyond the end";
    }
    for (uint32_t c = 0; c < 32; c++) {
        for (uint32_t r = past->longest[c], before = 0; r; r = shared->rings[r].after) {
            if (r > past->rings || ++listed > past->rings) {
                return "a list of rings without end";
            }
            if (shared->rings[r].before != before || shared->rings[r].count >> c != 1) {
                return "a ring in the wrong list";
            }
            before = r;
        }
    }
    for (uint32_t r = 1; r <= past->rings; r++) {
        uint32_t n = 0, last = 0;

        for (uint32_t at = shared->rings[r].count ? shared->rings[r].oldest : 0; at;
             at = shared->names[at].newer) {
            if (at > past->names || ++n > past->names) {
                return "a ring without end";
            }
            last = at;
        }
        if (n != shared->rings[r].count || (n && last != shared->rings[r].newest)) {
            return "a ring that is not as long as it says";
        }
        used += n > 0;
        in_rings += n;
    }
    for (uint32_t r = past->free_ring; r; r = shared->rings[r].next) {
        if (r > past->rings || ++free_rings > past->rings || shared->rings[r].count) {
            return "a bad list of free rings";
        }
    }
    for (uint32_t b = 0; b < shared->rings_max; b++) {
        for (uint32_t r = shared->ring_buckets[b]; r; r = shared->rings[r].next) {
            if (r > past->rings || ++hashed > past->rings) {
                return "a bucket of rings without end";
            }
        }
    }
    for (uint32_t b = 0; b < shared->names_max; b++) {
        for (uint32_t at = shared->name_buckets[b]; at; at = shared->names[at].next) {
            if (at > past->names || ++in_buckets > past->names) {
                return "a bucket of names without end";
            }
            if (mnet_shared_hash(shared, shared->names[at].name, 32) % shared->names_max != b) {
                return "a name in the wrong bucket";
            }
        }
    }
    if (in_rings != past->names || in_buckets != past->names) {
        return "a name that is not in one ring and one bucket";
    }
    return listed != used || hashed != used || used + free_rings != past->rings
               ? "a ring that is lost"
               : NULL;
}

/* NULL, or what is wrong with the gates. */
static inline const char *gates_problem(mnet_shared_t *shared)
{
    for (int g = 0; g < MNET_GATES; g++) {
        int sum = 0;

        for (int p = 0; p <= MNET_PROCESSES; p++) {
            const mnet_process_t *process = &shared->gates->processes[p];

            if (process->holds[g] < 0 || (p && !process->pid && process->holds[g])) {
                return "a process that holds what it cannot";
            }
            sum += process->holds[g];
        }
        if (sum != shared->gates->held[g]) {
            return "a gate whose sum is wrong";
        }
    }
    return NULL;
}

/* NULL, or what is wrong with cells: no key twice in a row. */
static inline const char *cells_problem(const mnet_cells_t *cells)
{
    for (uint32_t r = 0; r < cells->rows; r++) {
        const mnet_cell_t *row = cells->cells + (apr_size_t)r * MNET_CELLS_ROW;

        for (int i = 0; i < MNET_CELLS_ROW; i++) {
            if (row[i].key && row[i].key % cells->rows != r) {
                return "a cell in the wrong row";
            }
            for (int j = 0; j < i; j++) {
                if (row[i].key && row[i].key == row[j].key) {
                    return "a key twice";
                }
            }
        }
    }
    return NULL;
}

static inline void shared_is_sound(mnet_shared_t *shared)
{
    const char *problems[] = {past_problem(shared), gates_problem(shared),
                              cells_problem(&shared->failures), cells_problem(&shared->once),
                              cells_problem(&shared->contacts)};

    for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
        if (problems[i]) {
            fail_msg("%s", problems[i]);
        }
    }
}

#endif
