/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_help.h"

#include <sys/wait.h>
#include <unistd.h>

static void test_remembers_the_last_use(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);

    assert_int_equal(mnet_shared_used(shared, 7), 0);
    assert_int_equal(mnet_shared_use(shared, 7, NOW), 0);
    assert_int_equal(mnet_shared_used(shared, 7), NOW);
    assert_int_equal(mnet_shared_use(shared, 7, NOW + MINUTE), NOW);
    assert_int_equal(mnet_shared_used(shared, 7), NOW + MINUTE);
}

/* Names that differ in either half are told apart. */
static void test_names_are_apart(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);

    mnet_shared_use(shared, 7, NOW);
    assert_int_equal(mnet_shared_used(shared, 8), 0);
    assert_int_equal(mnet_shared_used(shared, 7 + ((apr_uint64_t)1 << 32)), 0);
    mnet_shared_use(shared, 8, NOW + MINUTE);
    assert_int_equal(mnet_shared_used(shared, 7), NOW);
}

/* A name of zeroes is a name, and an empty slot is none. */
static void test_a_name_of_zeroes(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);

    assert_int_equal(mnet_shared_used(shared, 0), 0);
    assert_int_equal(mnet_shared_use(shared, 0, NOW), 0);
    assert_int_equal(mnet_shared_used(shared, 0), NOW);
}

static void test_the_longest_unused_of_a_row_goes(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);

    for (int i = 0; i < MNET_USED_ROW; i++) {
        mnet_shared_use(shared, (apr_uint64_t)i + 1, NOW + i * MINUTE);
    }
    mnet_shared_use(shared, 1, NOW + 100 * MINUTE);
    mnet_shared_use(shared, 99, NOW + 101 * MINUTE);
    assert_int_equal(mnet_shared_used(shared, 2), 0);
    assert_int_equal(mnet_shared_used(shared, 1), NOW + 100 * MINUTE);
    assert_int_equal(mnet_shared_used(shared, 3), NOW + 2 * MINUTE);
    assert_int_equal(mnet_shared_used(shared, 99), NOW + 101 * MINUTE);
}

static void test_times_that_do_not_fit(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);

    assert_int_equal(mnet_shared_use(shared, 7, 0), 0);
    assert_int_equal(mnet_shared_use(shared, 7, -1), 0);
    assert_int_equal(mnet_shared_use(shared, 7, APR_INT64_MAX), 0);
    assert_int_equal(mnet_shared_used(shared, 7), 0);
}

static void test_another_process_sees_it(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        mnet_shared_use(shared, 7, NOW);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(mnet_shared_used(shared, 7), NOW);
}

/* A table beside it is wiped by a repair; this one stays. */
static void test_repairs_leave_it_alone(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);

    mnet_shared_use(shared, 7, NOW);
    for (int part = MNET_PART_PAST; part < MNET_PARTS; part++) {
        if (part != MNET_PART_USED) {
            atomic_store(&shared->head->changing, part);
            assert_true(mnet_shared_lock(shared));
            mnet_shared_unlock(shared);
        }
    }
    assert_int_equal(mnet_shared_used(shared, 7), NOW);
}

static void test_without_a_segment(void **state)
{
    assert_int_equal(mnet_shared_use(NULL, 7, NOW), 0);
    assert_int_equal(mnet_shared_used(NULL, 7), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, help_setup, help_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_remembers_the_last_use), T(test_names_are_apart),
        T(test_a_name_of_zeroes),       T(test_the_longest_unused_of_a_row_goes),
        T(test_times_that_do_not_fit),  T(test_another_process_sees_it),
        T(test_repairs_leave_it_alone), T(test_without_a_segment),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
