/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_STATE_SHARED_H
#define MNET_STATE_SHARED_H

/*
 * What is hot: one anonymous shared memory segment under all children.  It is only ever a cache
 * over the store, or counts whose loss costs nothing but a little patience.  Fixed slots and
 * indexes, no pointers.  One global mutex, held for well under a microsecond; a mark is set before
 * a change and cleared after, and whoever takes the lock and finds it set (a child died there)
 * wipes the table that was being changed, or counts the gates again.  Every function accepts NULL
 * for the segment (mnetctl, unit tests) and then answers as an empty one would.
 *
 * Should the lock itself fail, a replay is answered as seen (refused); all else goes on as if the
 * segment were empty.
 */

#include <apr_global_mutex.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "base/log.h"

typedef struct mnet_shared_t mnet_shared_t;

#define MNET_SHARED_SIZE_MIN ((apr_size_t)256 << 10) /* the least MnetSharedMemory */

/*
 * In the parent, on a pool that outlives the children.  mutex: made by the caller (httpd's Mutex
 * directive has its say), not a POSIX semaphore, which stays locked for ever when its holder is
 * killed; NULL if there is one process and one thread.  *why as everywhere.  size:
 * MnetSharedMemory.
 */
apr_status_t mnet_shared_create(mnet_shared_t **shared, apr_size_t size, apr_global_mutex_t *mutex,
                                const mnet_log_t *log, const char **why, apr_pool_t *pool);

/*
 * Of how the segment and what describes it are laid out: another number where that was changed.  A
 * graceful restart may load a newer module, which must not read what an older one made.
 */
apr_uint32_t mnet_shared_layout(void);

/* Another log from now on: the segment outlives the configuration that its log belongs to. */
void mnet_shared_log(mnet_shared_t *shared, const mnet_log_t *log);

/*
 * The recent past of calls that only read (design: a replay is a session key seen before).  Every
 * peer has a ring of its own in a common stock of slots; when the stock is used up, the longest
 * rings drop their oldest, so that a peer that floods pushes out nobody but itself.  name is
 * SHA-256(peer, session key), peer the first 8 bytes of SHA-256 of the peer's wwwroot.  Returns 1
 * if it was there, else puts it there and returns 0.
 */
int mnet_shared_seen(mnet_shared_t *shared, apr_uint64_t peer, const unsigned char name[32]);

/*
 * Failures per address (MnetFailureLimit): counts one; and says how many the address has had within
 * per.  A sliding window of two halves: exact up to the first per, then those of the per before
 * count for the part of it that is still within.  The address is hashed, an IPv6 one by its /64;
 * addresses with another per are counted apart.
 */
void mnet_shared_failed(mnet_shared_t *shared, const char *address, apr_time_t now,
                        apr_interval_time_t per);
int mnet_shared_failures(mnet_shared_t *shared, const char *address, apr_time_t now,
                         apr_interval_time_t per);

/*
 * A gate: at most limit holders over all processes (0: any number).  0 if it is full.  A holder
 * whose process died is forgotten.  Which: one of the gates below.  Every enter that gave 1 has its
 * leave, in the same process.
 */
typedef enum { MNET_GATE_OUTGOING, MNET_GATE_PRIVATE, MNET_GATE_BACKEND, MNET_GATES } mnet_gate_e;
int mnet_shared_enter(mnet_shared_t *shared, mnet_gate_e gate, int limit);
void mnet_shared_leave(mnet_shared_t *shared, mnet_gate_e gate);
/* In child_init and at a child's end: this process's slot of the gates.  Without the first, the
 * first enter does it. */
void mnet_shared_process_start(mnet_shared_t *shared);
void mnet_shared_process_end(mnet_shared_t *shared);

/*
 * At most once in a while, over all processes: returns 1 to the first caller for this name within
 * the interval and 0 to the others.  (One refetch of a peer's key a minute; one log line.)
 */
int mnet_shared_once(mnet_shared_t *shared, const char *what, const char *name, apr_time_t now,
                     apr_interval_time_t interval);
/* Would mnet_shared_once say 1?  Changes nothing. */
int mnet_shared_due(mnet_shared_t *shared, const char *what, const char *name, apr_time_t now,
                    apr_interval_time_t interval);
/* As if it had not been done. */
void mnet_shared_forget(mnet_shared_t *shared, const char *what, const char *name);

/*
 * When a peer was last heard from, and how its last calls by us went (the circuit breaker): from
 * the third failure in a row on it is not to be called for 10 seconds, then 20, 40, at most 5
 * minutes.
 */
typedef struct mnet_contact_t {
    apr_time_t heard;   /* a message of its verified; 0: not since the start */
    apr_time_t reached; /* a call of ours was answered */
    int failures;       /* calls of ours in a row that were not */
    apr_time_t retry;   /* not called before this */
} mnet_contact_t;
void mnet_shared_contact(mnet_shared_t *shared, apr_uint64_t peer, mnet_contact_t *contact);
void mnet_shared_heard(mnet_shared_t *shared, apr_uint64_t peer, apr_time_t now);
void mnet_shared_called(mnet_shared_t *shared, apr_uint64_t peer, apr_time_t now, int answered);

/*
 * When a session was last used, to the second, without the lock: name is the first 8 bytes of its
 * key, itself a digest.  Noting a use tells the one before, 0 if there is none or it was replaced:
 * with more sessions in use than MnetSharedMemory / 64, the ones longest unused are forgotten.
 */
apr_time_t mnet_shared_use(mnet_shared_t *shared, apr_uint64_t name, apr_time_t now);
/* One of both is to come: its row is brought near the processor.  Only the upper half of the name
 * counts. */
void mnet_shared_fetch(const mnet_shared_t *shared, apr_uint64_t name);
apr_time_t mnet_shared_used(mnet_shared_t *shared, apr_uint64_t name);

/* Counters, for mnet-status and tests. */
typedef enum {
    MNET_COUNT_CALLS_IN,
    MNET_COUNT_FAULTS_OUT,
    MNET_COUNT_CALLS_OUT,
    MNET_COUNT_NOT_OPENED,
    MNET_COUNT_REPLAYS,
    MNET_COUNT_REKEYS,
    MNET_COUNT_REPAIRS,
    MNET_COUNTS
} mnet_count_e;
void mnet_shared_add(mnet_shared_t *shared, mnet_count_e what, apr_int64_t n);
apr_int64_t mnet_shared_get(mnet_shared_t *shared, mnet_count_e what);

#endif
