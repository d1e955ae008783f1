/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children that change everything in the segment as fast as they can are killed, again and again:
 * the lock never stays locked, nothing is left half changed, and what is held is given back.
 */
#include "shared_help.h"

#include <time.h>

#define KILLS    200
#define CHILDREN 3
#define MSEC     1000000L

/* Never returns. */
static void hammer(mnet_shared_t *shared, uint32_t seed)
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
    }
}

static pid_t start(mnet_shared_t *shared, uint32_t seed)
{
    pid_t pid = help_fork();

    if (pid == 0) {
        hammer(shared, seed);
    }
    return pid;
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
    apr_int64_t before = 0;
    uint32_t seed = 0;

    srand(1);
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = start(shared, ++seed);
    }
    for (int k = 0; k < KILLS; k++) {
        struct timespec wait = {0, MSEC + rand() % 4000 * 1000L};
        int i = k % CHILDREN;

        (void)nanosleep(&wait, NULL);
        assert_int_equal(kill(pids[i], SIGKILL), 0);
        assert_int_equal(help_wait(pids[i]), -SIGKILL);
        look(shared);
        pids[i] = start(shared, ++seed);
    }
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(kill(pids[i], SIGKILL), 0);
        assert_int_equal(help_wait(pids[i]), -SIGKILL);
    }
    look(shared);
    /* All are dead: the whole of each gate is free again. */
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(mnet_shared_enter(shared, MNET_GATE_OUTGOING, CHILDREN), 1);
    }
    assert_int_equal(past_seen(shared, 7, 1), 0);
    assert_int_equal(past_seen(shared, 7, 1), 1);
    before = mnet_shared_get(shared, MNET_COUNT_REPAIRS);
    print_message("# %d kills, %d repairs, %d rounds\n", KILLS + CHILDREN, (int)before,
                  (int)mnet_shared_get(shared, MNET_COUNT_CALLS_IN));
    assert_true(before > 0); /* else nobody was killed inside a change, and nothing was tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_anywhere_they_leave_it_sound, help_setup,
                                        help_teardown),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
