/* SPDX-License-Identifier: Apache-2.0 */
/* Gates: never more holders than the limit, and none for ever. */
#include "shared_help.h"

#include <pthread.h>

static int enter(mnet_shared_t *shared, int limit)
{
    return mnet_shared_enter(shared, MNET_GATE_OUTGOING, limit);
}

static void leave(mnet_shared_t *shared)
{
    mnet_shared_leave(shared, MNET_GATE_OUTGOING);
}

static void a_gate_lets_in_as_many_as_its_limit(void **state)
{
    mnet_shared_t *shared = shared_new(*state, MNET_SHARED_SIZE_MIN, 0);

    mnet_shared_process_start(shared);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(enter(shared, 5), 1);
    }
    assert_int_equal(enter(shared, 5), 0);
    assert_int_equal(enter(shared, 6), 1);
    leave(shared);
    leave(shared);
    assert_int_equal(enter(shared, 5), 1);
    assert_int_equal(enter(shared, 5), 0);
    shared_is_sound(shared);
}

static void gates_do_not_mix(void **state)
{
    mnet_shared_t *shared = shared_new(*state, MNET_SHARED_SIZE_MIN, 0);

    assert_int_equal(enter(shared, 1), 1);
    assert_int_equal(mnet_shared_enter(shared, MNET_GATE_PRIVATE, 1), 1);
    assert_int_equal(enter(shared, 1), 0);
    leave(shared);
    assert_int_equal(mnet_shared_enter(shared, MNET_GATE_PRIVATE, 1), 0);
}

static void no_limit_is_counted_and_never_full(void **state)
{
    mnet_shared_t *shared = shared_new(*state, MNET_SHARED_SIZE_MIN, 0);

    for (int i = 0; i < 10000; i++) {
        assert_int_equal(enter(shared, 0), 1);
    }
    assert_int_equal(enter(shared, 10000), 0);
    for (int i = 0; i < 10000; i++) {
        leave(shared);
    }
    assert_int_equal(enter(shared, 1), 1);
}

static void leaving_without_having_entered_takes_nothing(void **state)
{
    mnet_shared_t *shared = shared_new(*state, MNET_SHARED_SIZE_MIN, 0);

    leave(shared);
    assert_int_equal(enter(shared, 1), 1);
    assert_int_equal(enter(shared, 1), 0);
    shared_is_sound(shared);
}

/* A child that enters n times and waits; it is ended by the caller. */
static pid_t holder(mnet_shared_t *shared, int n, int limit)
{
    int ready[2];
    char byte = 0;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = help_fork();
    if (pid == 0) {
        mnet_shared_process_start(shared);
        for (int i = 0; i < n; i++) {
            byte = (char)(byte + enter(shared, limit));
        }
        (void)!write(ready[1], &byte, 1);
        for (;;) {
            (void)pause();
        }
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    assert_int_equal(byte, n);
    return pid;
}

static void a_limit_is_over_all_processes_and_forgets_the_dead(void **state)
{
    mnet_shared_t *shared = shared_new(*state, MNET_SHARED_SIZE_MIN, 1);
    pid_t a = holder(shared, 3, 5), b = holder(shared, 2, 5);

    assert_int_equal(enter(shared, 5), 0);
    assert_int_equal(kill(a, SIGKILL), 0);
    assert_int_equal(help_wait(a), -SIGKILL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enter(shared, 5), 1);
    }
    assert_int_equal(enter(shared, 5), 0);
    assert_int_equal(kill(b, SIGKILL), 0);
    assert_int_equal(help_wait(b), -SIGKILL);
    assert_int_equal(enter(shared, 5), 1);
    shared_is_sound(shared);
}

static void a_process_that_ends_in_order_holds_nothing(void **state)
{
    mnet_shared_t *shared = shared_new(*state, MNET_SHARED_SIZE_MIN, 1);
    pid_t pid = help_fork();

    if (pid == 0) {
        int entered = enter(shared, 1);

        mnet_shared_process_end(shared);
        _exit(entered != 1 || shared->gates->held[MNET_GATE_OUTGOING] != 0);
    }
    assert_int_equal(help_wait(pid), 0);
    assert_int_equal(enter(shared, 1), 1);
}

static void a_pid_used_again_is_no_holder(void **state)
{
    mnet_shared_t *shared = shared_new(*state, MNET_SHARED_SIZE_MIN, 1);
    pid_t pid = holder(shared, 1, 1);

    mnet_shared_process_start(shared);
    /* As if the holder had died and its pid were another process's, of another start. */
    for (int p = 1; p <= MNET_PROCESSES; p++) {
        mnet_process_t *process = &shared->gates->processes[p];

        if (process->pid == pid) {
            assert_true(process->started != 0);
            process->started--;
        }
    }
    assert_int_equal(enter(shared, 1), 0);
    mnet_shared_process_start(shared);
    assert_int_equal(enter(shared, 1), 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(help_wait(pid), -SIGKILL);
}

static void our_own_pid_used_again_begins_anew(void **state)
{
    mnet_shared_t *shared = shared_new(*state, MNET_SHARED_SIZE_MIN, 0);

    shared->gates->processes[5].pid = getpid();
    shared->gates->processes[5].started = 1;
    shared->gates->processes[5].holds[MNET_GATE_OUTGOING] = 1;
    shared->gates->held[MNET_GATE_OUTGOING] = 1;
    mnet_shared_process_start(shared);
    assert_int_equal(enter(shared, 1), 1);
    shared_is_sound(shared);
}

static void without_a_slot_a_process_still_counts(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);

    for (int p = 1; p <= MNET_PROCESSES; p++) {
        shared->gates->processes[p].pid = getppid(); /* alive */
    }
    mnet_shared_process_start(shared);
    assert_non_null(strstr(help->said, "MNET0222"));
    assert_int_equal(enter(shared, 1), 1);
    assert_int_equal(enter(shared, 1), 0);
    leave(shared);
    assert_int_equal(enter(shared, 1), 1);
    shared_is_sound(shared);
}

static void a_full_table_of_dead_processes_is_cleared(void **state)
{
    mnet_shared_t *shared = shared_new(*state, MNET_SHARED_SIZE_MIN, 0);
    pid_t pid = help_fork();

    if (pid == 0) {
        _exit(0);
    }
    assert_int_equal(help_wait(pid), 0);
    for (int p = 1; p <= MNET_PROCESSES; p++) {
        shared->gates->processes[p].pid = pid;
        shared->gates->processes[p].holds[MNET_GATE_OUTGOING] = 1;
    }
    shared->gates->held[MNET_GATE_OUTGOING] = MNET_PROCESSES;
    assert_int_equal(enter(shared, MNET_PROCESSES), 1);
    assert_int_equal(shared->gates->held[MNET_GATE_OUTGOING], 1);
    shared_is_sound(shared);
}

#define THREADS 4
#define LIMIT   3

typedef struct crowd_t {
    mnet_shared_t *shared;
    _Atomic int inside, most, entered;
} crowd_t;

static void *come_and_go(void *baton)
{
    crowd_t *crowd = baton;

    for (int i = 0; i < 20000; i++) {
        if (enter(crowd->shared, LIMIT)) {
            int inside = atomic_fetch_add(&crowd->inside, 1) + 1;
            int most = atomic_load(&crowd->most);

            while (inside > most && !atomic_compare_exchange_weak(&crowd->most, &most, inside)) {
            }
            atomic_fetch_add(&crowd->entered, 1);
            atomic_fetch_sub(&crowd->inside, 1);
            leave(crowd->shared);
        }
    }
    return NULL;
}

static void threads_never_exceed_the_limit(void **state)
{
    crowd_t crowd = {shared_new(*state, MNET_SHARED_SIZE_MIN, 1), 0, 0, 0};
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_in_range(crowd.most, 1, LIMIT);
    assert_true(crowd.entered > 20000);
    assert_int_equal(crowd.shared->gates->held[MNET_GATE_OUTGOING], 0);
    shared_is_sound(crowd.shared);
}

#define T(f) cmocka_unit_test_setup_teardown(f, help_setup, help_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_gate_lets_in_as_many_as_its_limit),
        T(gates_do_not_mix),
        T(no_limit_is_counted_and_never_full),
        T(leaving_without_having_entered_takes_nothing),
        T(a_limit_is_over_all_processes_and_forgets_the_dead),
        T(a_process_that_ends_in_order_holds_nothing),
        T(a_pid_used_again_is_no_holder),
        T(our_own_pid_used_again_begins_anew),
        T(without_a_slot_a_process_still_counts),
        T(a_full_table_of_dead_processes_is_cleared),
        T(threads_never_exceed_the_limit),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
