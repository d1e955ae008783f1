/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children that change everything in the segment as fast as they can are killed, again and again:
 * the lock never stays locked, nothing is left half changed, and what is held is given back.
 */
#include "shared_help.h"

#include <sys/mman.h>
#include <time.h>

#define KILLS     200
#define KILLS_MAX 10000
#define REPAIRS   5
#define CHILDREN  3

/* Never returns.  *busy: 1 once it is at it. */
static void hammer(mnet_shared_t *shared, uint32_t seed, _Atomic int *busy)
{
    mnet_shared_process_start(shared);
    for (uint32_t n = seed << 20;; n++) {
        char name[24];
        apr_time_t now = NOW + n;

        (void)snprintf(name, sizeof(name), "10.0.%u.%u", n >> 8 & 255, n & 255);
        (void)past_seen(shared, n % 50, n);
        mnet_shared_failed(shared, name, now, MINUTE);
        (void)mnet_shared_once(shared, "what", name, now, 1000);
        mnet_shared_heard(shared, n % 500, now);
        mnet_shared_called(shared, n % 500, now, (int)(n & 1));
        if (mnet_shared_enter(shared, MNET_GATE_PRIVATE, 2 * CHILDREN)) {
            if (mnet_shared_enter(shared, MNET_GATE_OUTGOING, CHILDREN)) {
                mnet_shared_leave(shared, MNET_GATE_OUTGOING);
            }
            mnet_shared_leave(shared, MNET_GATE_PRIVATE);
        }
        mnet_shared_add(shared, MNET_COUNT_CALLS_IN, 1);
        atomic_store(busy, 1);
    }
}

static pid_t start(mnet_shared_t *shared, uint32_t seed, _Atomic int *busy)
{
    pid_t pid;

    atomic_store(busy, 0);
    pid = help_fork();
    if (pid == 0) {
        hammer(shared, seed, busy);
    }
    return pid;
}

static void kill_one(pid_t pid, _Atomic int *busy)
{
    struct timespec wait = {0, 100000L + rand() % 4000 * 1000L};

    do {
        (void)nanosleep(&wait, NULL);
    } while (!atomic_load(busy));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(help_wait(pid), -SIGKILL);
}

/* Under the lock, after whatever repair was due. */
static void look(mnet_shared_t *shared)
{
    assert_int_equal(mnet_shared_lock(shared), 1);
    shared_is_sound(shared);
    mnet_shared_unlock(shared);
}

static void killed_anywhere_they_leave_it_sound(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);
    pid_t pids[CHILDREN];
    _Atomic int *busy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint32_t seed = 0;
    int kills = 0;

    assert_true(busy != MAP_FAILED);
    srand(1);
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = start(shared, ++seed, &busy[i]);
    }
    /* However busy the machine is: until enough were killed in the middle of a change. */
    while (kills < KILLS ||
           (kills < KILLS_MAX && mnet_shared_get(shared, MNET_COUNT_REPAIRS) < REPAIRS)) {
        int i = kills++ % CHILDREN;

        kill_one(pids[i], &busy[i]);
        look(shared);
        pids[i] = start(shared, ++seed, &busy[i]);
    }
    for (int i = 0; i < CHILDREN; i++, kills++) {
        kill_one(pids[i], &busy[i]);
    }
    (void)munmap((void *)busy, 4096);
    look(shared);
    /* All are dead: the whole of each gate is free again. */
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(mnet_shared_enter(shared, MNET_GATE_OUTGOING, CHILDREN), 1);
    }
    assert_int_equal(past_seen(shared, 7, 1), 0);
    assert_int_equal(past_seen(shared, 7, 1), 1);
    print_message("# %d kills, %d repairs, %d rounds\n", kills,
                  (int)mnet_shared_get(shared, MNET_COUNT_REPAIRS),
                  (int)mnet_shared_get(shared, MNET_COUNT_CALLS_IN));
    assert_true(mnet_shared_get(shared, MNET_COUNT_REPAIRS) >= REPAIRS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_anywhere_they_leave_it_sound, help_setup,
                                        help_teardown),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
