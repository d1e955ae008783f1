/* SPDX-License-Identifier: Apache-2.0 */
/* The segment: its layout, its lock, its repair, its counters. */
#include "state/shared.h"

#include <string.h>

#include <apr_general.h>
#include <apr_shm.h>
#include <apr_strings.h>

#include "base/status.h"
#include "state/shared_int.h"

#define SAY_AGAIN       apr_time_from_sec(60)
#define ALIGN           64
#define SIZE_MAX_SHARED ((apr_size_t)1 << 36) /* indexes have 32 bits */

/* --- layout ------------------------------------------------------------------------------------
 */

typedef struct layout_t {
    unsigned char *base;
    apr_size_t used, size;
    int full;
} layout_t;

/* n things of size each, on a line of their own, or NULL with full set. */
static void *place(layout_t *layout, apr_size_t n, apr_size_t each)
{
    apr_size_t at = (layout->used + ALIGN - 1) / ALIGN * ALIGN;

    if (layout->full || at > layout->size || n > (layout->size - at) / each) {
        layout->full = 1;
        return NULL;
    }
    layout->used = at + n * each;
    return layout->base + at;
}

static void place_cells(layout_t *layout, mnet_cells_t *cells, apr_size_t size)
{
    cells->rows = (uint32_t)(size / (MNET_CELLS_ROW * sizeof(mnet_cell_t)));
    cells->cells = place(layout, cells->rows, MNET_CELLS_ROW * sizeof(mnet_cell_t));
}

/* Fixed parts first, then cells by their share, then the past with all the rest. */
static int lay_out(mnet_shared_t *shared, unsigned char *base, apr_size_t size)
{
    layout_t layout = {base, 0, size, 0};
    apr_size_t start[MNET_PARTS], each, rest;

    shared->head = place(&layout, 1, sizeof(*shared->head));
    start[MNET_PART_GATES] = layout.used;
    shared->gates = place(&layout, 1, sizeof(*shared->gates));
    start[MNET_PART_FAILURES] = layout.used;
    place_cells(&layout, &shared->failures, size / 8);
    start[MNET_PART_ONCE] = layout.used;
    place_cells(&layout, &shared->once, size / 32);
    start[MNET_PART_CONTACTS] = layout.used;
    place_cells(&layout, &shared->contacts, size / 8);
    start[MNET_PART_USED] = layout.used;
    shared->used_rows = (uint32_t)(size / 8 / (MNET_USED_ROW * sizeof(*shared->used)));
    shared->used = place(&layout, shared->used_rows, MNET_USED_ROW * sizeof(*shared->used));
    start[MNET_PART_PAST] = layout.used;
    shared->past = place(&layout, 1, sizeof(*shared->past));
    if (layout.full || size - layout.used < 8 * (apr_size_t)ALIGN) {
        return 0;
    }
    /* A ring to every four names, and a bucket to each of either; [0] is not used. */
    rest = size - layout.used - 8 * (apr_size_t)ALIGN;
    each = 4 * (sizeof(mnet_past_name_t) + sizeof(uint32_t)) + sizeof(mnet_past_ring_t) +
           sizeof(uint32_t);
    if (rest / each < 2) {
        return 0;
    }
    shared->rings_max = (uint32_t)(rest / each - 1);
    shared->names_max = 4 * shared->rings_max;
    shared->names = place(&layout, (apr_size_t)shared->names_max + 1, sizeof(mnet_past_name_t));
    shared->rings = place(&layout, (apr_size_t)shared->rings_max + 1, sizeof(mnet_past_ring_t));
    shared->name_buckets = place(&layout, shared->names_max, sizeof(uint32_t));
    shared->ring_buckets = place(&layout, shared->rings_max, sizeof(uint32_t));

    for (int part = MNET_PART_NONE + 1; part < MNET_PARTS; part++) {
        apr_size_t end = layout.used;

        for (int other = MNET_PART_NONE + 1; other < MNET_PARTS; other++) {
            if (start[other] > start[part] && start[other] < end) {
                end = start[other];
            }
        }
        shared->parts[part].at = base + start[part];
        shared->parts[part].size = end - start[part];
    }
    return !layout.full;
}

apr_uint32_t mnet_shared_layout(void)
{
    static const size_t parts[] = {
        MNET_SHARED_LAYOUT,
        sizeof(mnet_shared_t),
        sizeof(mnet_head_t),
        sizeof(mnet_past_t),
        sizeof(mnet_past_name_t),
        sizeof(mnet_past_ring_t),
        sizeof(mnet_cell_t),
        MNET_CELLS_ROW,
        sizeof(mnet_gates_t),
        MNET_USED_ROW,
        MNET_PARTS,
        MNET_COUNTS,
    };
    apr_uint32_t layout = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        layout = layout * 31 + (apr_uint32_t)parts[i];
    }
    return layout;
}

apr_status_t mnet_shared_create(mnet_shared_t **out, apr_size_t size, apr_global_mutex_t *mutex,
                                const mnet_log_t *log, const char **why, apr_pool_t *pool)
{
    mnet_shared_t *shared = apr_pcalloc(pool, sizeof(*shared));
    apr_shm_t *shm;
    apr_status_t rv;

    *out = NULL;
    *why = NULL;
    shared->mutex = mutex;
    shared->log = log;
    if (size < MNET_SHARED_SIZE_MIN || size > SIZE_MAX_SHARED) {
        *why = apr_psprintf(pool, "MnetSharedMemory is at least %dk and at most 64g",
                            (int)(MNET_SHARED_SIZE_MIN >> 10));
        return MNET_E_INVALID;
    }
    rv = apr_generate_random_bytes((unsigned char *)shared->key, sizeof(shared->key));
    if (rv != APR_SUCCESS) {
        *why = "no random numbers from the system";
        return rv;
    }
    /* All zeroes.  Anonymous: a named one would outlive a killed server and keep the next from
     * starting. */
    rv = apr_shm_create(&shm, size, NULL, pool);
    if (rv != APR_SUCCESS) {
        char text[200];

        *why = apr_psprintf(pool,
                            "no shared memory of %" APR_SIZE_T_FMT " bytes: %s: lower "
                            "MnetSharedMemory",
                            size, mnet_strerror(rv, text, sizeof(text)));
        return rv;
    }
    if (!lay_out(shared, apr_shm_baseaddr_get(shm), size)) {
        *why = "MnetSharedMemory is too small";
        return MNET_E_INVALID;
    }
    *out = shared;
    return APR_SUCCESS;
}

void mnet_shared_log(mnet_shared_t *shared, const mnet_log_t *log)
{
    if (shared) {
        shared->log = log;
    }
}

/* --- lock and repair ---------------------------------------------------------------------------
 */

/* After a death within: the sums anew. */
static void recount(mnet_gates_t *gates)
{
    memset(gates->held, 0, sizeof(gates->held));
    for (int p = 0; p <= MNET_PROCESSES; p++) {
        mnet_process_t *process = &gates->processes[p];

        for (int g = 0; g < MNET_GATES; g++) {
            if (process->holds[g] < 0 || (p > 0 && !process->pid)) {
                process->holds[g] = 0;
            }
            gates->held[g] += process->holds[g];
        }
    }
}

static void repair(mnet_shared_t *shared, int part)
{
    static const char *const names[] = {
        "nothing",          "the recent past", "failures", "what is done once in a while",
        "the peers' state", "gates",           "last uses"};

    if (part == MNET_PART_GATES) {
        recount(shared->gates);
    } else if (part > MNET_PART_NONE && part < MNET_PARTS) {
        memset(shared->parts[part].at, 0, shared->parts[part].size);
    } else {
        part = MNET_PART_NONE;
    }
    atomic_store(&shared->head->changing, MNET_PART_NONE);
    mnet_shared_add(shared, MNET_COUNT_REPAIRS, 1);
    mnet_log(shared->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET0221",
             "a process died while it changed shared memory: %s begun anew", names[part]);
}

static void say_lock(mnet_shared_t *shared, apr_status_t rv, const char *what)
{
    apr_time_t now = apr_time_now();
    apr_time_t before = atomic_load(&shared->head->said);

    if ((now - before > SAY_AGAIN || now < before) &&
        atomic_compare_exchange_strong(&shared->head->said, &before, now)) {
        mnet_log(shared->log, MNET_LOG_ERR, rv, "MNET0220",
                 "the lock of the shared memory cannot be %s: calls that only read are refused as "
                 "replays, limits do not hold",
                 what);
    }
}

int mnet_shared_lock(mnet_shared_t *shared)
{
    apr_status_t rv = shared->mutex ? apr_global_mutex_lock(shared->mutex) : APR_SUCCESS;
    int part;

    if (rv != APR_SUCCESS) {
        say_lock(shared, rv, "taken");
        return 0;
    }
    part = atomic_load(&shared->head->changing);
    if (part != MNET_PART_NONE) {
        repair(shared, part);
    }
    return 1;
}

/* Both are whole barriers: no change is seen before its mark, nor after the mark is gone. */
void mnet_shared_change(mnet_shared_t *shared, mnet_part_e part)
{
    atomic_store(&shared->head->changing, part);
}

void mnet_shared_unlock(mnet_shared_t *shared)
{
    apr_status_t rv;

    atomic_store(&shared->head->changing, MNET_PART_NONE);
    rv = shared->mutex ? apr_global_mutex_unlock(shared->mutex) : APR_SUCCESS;
    if (rv != APR_SUCCESS) {
        say_lock(shared, rv, "released");
    }
}

/* --- the hash ----------------------------------------------------------------------------------
 */

static apr_uint64_t rotate(apr_uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void sip_rounds(apr_uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void sip_word(apr_uint64_t v[4], apr_uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

/* OpenSSL has it too, at the price of an allocation and a fetch each. */
apr_uint64_t mnet_shared_hash(const mnet_shared_t *shared, const void *data, apr_size_t len)
{
    const unsigned char *at = data;
    apr_uint64_t v[4] = {
        shared->key[0] ^ 0x736f6d6570736575ULL, shared->key[1] ^ 0x646f72616e646f6dULL,
        shared->key[0] ^ 0x6c7967656e657261ULL, shared->key[1] ^ 0x7465646279746573ULL};
    apr_uint64_t word = 0;

    for (apr_size_t i = 0; i < len; i++) {
        word |= (apr_uint64_t)at[i] << (8 * (i % 8));
        if (i % 8 == 7) {
            sip_word(v, word);
            word = 0;
        }
    }
    sip_word(v, word | (apr_uint64_t)(len & 0xFF) << 56);
    v[2] ^= 0xFF;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- counters: no lock -------------------------------------------------------------------------
 */

void mnet_shared_add(mnet_shared_t *shared, mnet_count_e what, apr_int64_t n)
{
    if (shared && what >= 0 && what < MNET_COUNTS) {
        atomic_fetch_add_explicit(&shared->head->counts[what], n, memory_order_relaxed);
    }
}

apr_int64_t mnet_shared_get(mnet_shared_t *shared, mnet_count_e what)
{
    if (!shared || what < 0 || what >= MNET_COUNTS) {
        return 0;
    }
    return atomic_load_explicit(&shared->head->counts[what], memory_order_relaxed);
}
