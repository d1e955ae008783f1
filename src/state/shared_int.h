/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_STATE_SHARED_INT_H
#define MNET_STATE_SHARED_INT_H

/*
 * How the segment is laid out, for shared*.c and their tests.  Indexes count from 1, 0 is none, and
 * a part that is all zeroes is an empty one: to wipe is to clear.
 */

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "state/shared.h"

/* One more when what is below comes to mean something else without another size. */
#ifndef MNET_SHARED_LAYOUT
#define MNET_SHARED_LAYOUT 1
#endif

typedef enum {
    MNET_PART_NONE,
    MNET_PART_PAST,
    MNET_PART_FAILURES,
    MNET_PART_ONCE,
    MNET_PART_CONTACTS,
    MNET_PART_GATES,
    MNET_PART_USED, /* changed without the lock */
    MNET_PARTS
} mnet_part_e;

/* --- the recent past: names in one stock, found by buckets, each in the ring of its peer ---------
 */

typedef struct mnet_past_name_t {
    unsigned char name[32];
    uint32_t next;  /* in its bucket */
    uint32_t newer; /* in its ring */
} mnet_past_name_t;

typedef struct mnet_past_ring_t {
    apr_uint64_t peer;
    uint32_t next; /* in its bucket; of a free ring: the next free one */
    uint32_t oldest, newest;
    uint32_t count;
    uint32_t before, after; /* in the list of rings of about its length */
} mnet_past_ring_t;

typedef struct mnet_past_t {
    uint32_t names;       /* taken so far; once all are, one is dropped for each new one */
    uint32_t rings;       /* taken at least once */
    uint32_t free_ring;   /* the first of those that are empty again */
    uint32_t longest[32]; /* [n]: the first ring of 2^n to 2^(n+1)-1 names */
} mnet_past_t;

/* --- cells: small facts under a hash, the oldest of a row replaced -------------------------------
 */

#define MNET_CELLS_ROW    8
#define MNET_CELLS_VALUES 4

typedef struct mnet_cell_t {
    apr_uint64_t key; /* 0: empty */
    apr_int64_t age;  /* the smallest of a row is replaced */
    apr_int64_t values[MNET_CELLS_VALUES];
} mnet_cell_t;

typedef struct mnet_cells_t {
    mnet_cell_t *cells;
    uint32_t rows;
} mnet_cells_t;

/* --- gates: who holds how many -------------------------------------------------------------------
 */

#define MNET_PROCESSES 2048

typedef struct mnet_process_t {
    pid_t pid; /* 0: free */
    int32_t holds[MNET_GATES];
    apr_uint64_t started; /* of the process, in the system's ticks: tells a pid used again */
} mnet_process_t;

typedef struct mnet_gates_t {
    int32_t held[MNET_GATES]; /* the sum over all processes */
    /* [0]: what processes hold that found no slot; it cannot be forgotten. */
    mnet_process_t processes[MNET_PROCESSES + 1];
} mnet_gates_t;

/* --- last uses: a tag of the name above, seconds below, 0 is empty; the oldest of a row replaced
 * --
 */

#define MNET_USED_ROW 8 /* one line of a processor's cache */

/* --- the segment ---------------------------------------------------------------------------------
 */

typedef struct mnet_head_t {
    _Atomic int changing; /* mnet_part_e */
    _Atomic apr_time_t said;
    _Atomic apr_int64_t counts[MNET_COUNTS];
} mnet_head_t;

/* Of the process; every child has the parent's, so that the pointers are the same in all. */
struct mnet_shared_t {
    mnet_head_t *head;
    mnet_past_t *past;
    mnet_past_name_t *names; /* [1] to [names_max] */
    mnet_past_ring_t *rings; /* [1] to [rings_max] */
    uint32_t *name_buckets;  /* names_max of them */
    uint32_t *ring_buckets;  /* rings_max of them */
    uint32_t names_max, rings_max;
    mnet_cells_t failures, once, contacts;
    mnet_gates_t *gates;
    _Atomic uint64_t *used; /* rows of MNET_USED_ROW */
    uint32_t used_rows;
    struct {
        void *at;
        apr_size_t size;
    } parts[MNET_PARTS];
    apr_uint64_t key[2]; /* of the hash */
    apr_global_mutex_t *mutex;
    const mnet_log_t *log;
    _Atomic pid_t pid; /* the process that process is the slot of */
    _Atomic int process;
};

/* 1: locked, every part as it should be.  0: the lock failed (said in the log). */
int mnet_shared_lock(mnet_shared_t *shared);
/* Between lock and unlock, before the first change of a part. */
void mnet_shared_change(mnet_shared_t *shared, mnet_part_e part);
void mnet_shared_unlock(mnet_shared_t *shared);

/* SipHash-2-4 with the segment's key: nobody outside can make names that collide. */
apr_uint64_t mnet_shared_hash(const mnet_shared_t *shared, const void *data, apr_size_t len);

#endif
