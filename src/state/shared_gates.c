/* SPDX-License-Identifier: Apache-2.0 */
/* Gates: every process has a slot with what it holds, so that a dead one's can be taken back. */
#include "state/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "state/shared_int.h"

/* When the process started, in ticks since the boot (proc(5), stat, field 22); 0: not known. */
static apr_uint64_t started(pid_t pid)
{
    char path[64], text[1024];
    const char *at;
    ssize_t n;
    int fd;

    (void)apr_snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = 0;
    at = strrchr(text, ')'); /* the end of the name, which may hold anything */
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

static int is_dead(const mnet_process_t *process, int thorough)
{
    apr_uint64_t now;

    if (kill(process->pid, 0) != 0 && errno == ESRCH) {
        return 1;
    }
    if (!thorough || !process->started) {
        return 0;
    }
    now = started(process->pid);
    return now && now != process->started;
}

/* In a locked segment, marked as changing. */
static void forget(mnet_gates_t *gates, mnet_process_t *process)
{
    for (int g = 0; g < MNET_GATES; g++) {
        gates->held[g] -= process->holds[g];
    }
    memset(process, 0, sizeof(*process));
}

/* Slots that are in use (and hold something of gate, unless it is MNET_GATES). */
static int candidates(mnet_shared_t *shared, mnet_gate_e gate, uint16_t *slots,
                      mnet_process_t *processes, int from, int max)
{
    int n = 0;

    for (int p = from; p <= MNET_PROCESSES && n < max; p++) {
        const mnet_process_t *process = &shared->gates->processes[p];

        if (process->pid && (gate == MNET_GATES || process->holds[gate] > 0)) {
            slots[n] = (uint16_t)p;
            processes[n++] = *process;
        }
    }
    return n;
}

/* Forgets the processes that died; how many.  The system is asked outside the lock. */
static int sweep(mnet_shared_t *shared, mnet_gate_e gate, int thorough)
{
    enum { BATCH = 128 };
    mnet_process_t processes[BATCH];
    uint16_t slots[BATCH];
    int n = BATCH, forgotten = 0;

    for (int from = 1; n == BATCH; from = slots[BATCH - 1] + 1) {
        if (!mnet_shared_lock(shared)) {
            break;
        }
        n = candidates(shared, gate, slots, processes, from, BATCH);
        mnet_shared_unlock(shared);
        for (int i = 0; i < n; i++) {
            mnet_process_t *process = &shared->gates->processes[slots[i]];

            if (!is_dead(&processes[i], thorough) || !mnet_shared_lock(shared)) {
                continue;
            }
            if (process->pid == processes[i].pid && process->started == processes[i].started) {
                mnet_shared_change(shared, MNET_PART_GATES);
                forget(shared->gates, process);
                forgotten++;
            }
            mnet_shared_unlock(shared);
        }
    }
    return forgotten;
}

/* In a locked segment: the slot of this process, a free one if it has none, 0 if there is none. */
static int take_slot(mnet_shared_t *shared, pid_t pid, apr_uint64_t start)
{
    int slot = 0;

    for (int p = 1; p <= MNET_PROCESSES; p++) {
        const mnet_process_t *process = &shared->gates->processes[p];

        if (process->pid == pid) {
            slot = p;
            break;
        }
        if (!process->pid && !slot) {
            slot = p;
        }
    }
    if (slot) {
        mnet_process_t *process = &shared->gates->processes[slot];

        mnet_shared_change(shared, MNET_PART_GATES);
        if (process->pid && process->started != start) {
            forget(shared->gates, process); /* a dead one's that had the same pid */
        }
        process->started = start;
        process->pid = pid;
    }
    return slot;
}

void mnet_shared_process_start(mnet_shared_t *shared)
{
    pid_t pid = getpid();
    apr_uint64_t start = started(pid);
    int slot;

    if (!shared) {
        return;
    }
    (void)sweep(shared, MNET_GATES, 1);
    if (!mnet_shared_lock(shared)) {
        return;
    }
    slot = take_slot(shared, pid, start);
    atomic_store(&shared->process, slot);
    atomic_store(&shared->pid, pid);
    mnet_shared_unlock(shared);
    if (!slot) {
        mnet_log(shared->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0222",
                 "more than %d processes: what this one holds is not taken back should it die",
                 MNET_PROCESSES);
    }
}

/* The slot of this process; of a child that has not said that it started, a new one. */
static int own_slot(mnet_shared_t *shared)
{
    pid_t pid = getpid();

    if (atomic_load(&shared->pid) != pid) {
        mnet_shared_process_start(shared);
    }
    return atomic_load(&shared->pid) == pid ? atomic_load(&shared->process) : 0;
}

void mnet_shared_process_end(mnet_shared_t *shared)
{
    if (shared && atomic_load(&shared->pid) == getpid() && mnet_shared_lock(shared)) {
        int slot = atomic_load(&shared->process);

        if (slot && shared->gates->processes[slot].pid == getpid()) {
            mnet_shared_change(shared, MNET_PART_GATES);
            forget(shared->gates, &shared->gates->processes[slot]);
        }
        atomic_store(&shared->pid, 0);
        atomic_store(&shared->process, 0);
        mnet_shared_unlock(shared);
    }
}

static int try_enter(mnet_shared_t *shared, int slot, mnet_gate_e gate, int limit)
{
    mnet_gates_t *gates = shared->gates;
    int entered;

    if (!mnet_shared_lock(shared)) {
        return 1;
    }
    entered = limit <= 0 || gates->held[gate] < limit;
    if (entered) {
        mnet_shared_change(shared, MNET_PART_GATES);
        gates->processes[slot].holds[gate]++;
        gates->held[gate]++;
    }
    mnet_shared_unlock(shared);
    return entered;
}

int mnet_shared_enter(mnet_shared_t *shared, mnet_gate_e gate, int limit)
{
    int slot;

    if (!shared || gate < 0 || gate >= MNET_GATES) {
        return 1;
    }
    slot = own_slot(shared);
    return try_enter(shared, slot, gate, limit) ||
           (sweep(shared, gate, 0) > 0 && try_enter(shared, slot, gate, limit));
}

void mnet_shared_leave(mnet_shared_t *shared, mnet_gate_e gate)
{
    int slot;

    if (!shared || gate < 0 || gate >= MNET_GATES) {
        return;
    }
    slot = own_slot(shared);
    if (mnet_shared_lock(shared)) {
        mnet_process_t *process = &shared->gates->processes[slot];

        /* None: its entry was under a lock that failed. */
        if (process->holds[gate] > 0) {
            mnet_shared_change(shared, MNET_PART_GATES);
            process->holds[gate]--;
            shared->gates->held[gate]--;
        }
        mnet_shared_unlock(shared);
    }
}
