/* SPDX-License-Identifier: Apache-2.0 */
/* The segment: its sizes, its lock, its repair, its counters. */
#include "shared_help.h"

/* A lock that fails when it is told to; libmnet finds this one before APR's. */
static apr_status_t lock_fails_with;
static int locks, unlocks;

apr_status_t apr_global_mutex_lock(apr_global_mutex_t *mutex)
{
    (void)mutex;
    locks += lock_fails_with == APR_SUCCESS;
    return lock_fails_with;
}

apr_status_t apr_global_mutex_unlock(apr_global_mutex_t *mutex)
{
    (void)mutex;
    unlocks++;
    return APR_SUCCESS;
}

static void too_small_or_too_big_is_refused(void **state)
{
    static const apr_size_t sizes[] = {0, 1, MNET_SHARED_SIZE_MIN - 1, APR_SIZE_MAX,
                                       ((apr_size_t)1 << 36) + 1};
    help_t *help = *state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        mnet_shared_t *shared;
        const char *why = NULL;

        assert_int_equal(mnet_shared_create(&shared, sizes[i], NULL, &help->log, &why, help->pool),
                         MNET_E_INVALID);
        assert_null(shared);
        assert_non_null(strstr(why, "MnetSharedMemory"));
    }
}

static void every_size_is_laid_out_without_overlap(void **state)
{
    static const apr_size_t sizes[] = {
        MNET_SHARED_SIZE_MIN, MNET_SHARED_SIZE_MIN + 1, 300001, 1 << 20, 4 << 20, 64 << 20};
    help_t *help = *state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        mnet_shared_t *shared = shared_new(help, sizes[i], 0);
        const unsigned char *base = (const unsigned char *)shared->head;
        apr_size_t sum = 0;

        for (int a = 1; a < MNET_PARTS; a++) {
            const unsigned char *at = shared->parts[a].at;

            assert_true(at >= base + sizeof(mnet_head_t));
            assert_true(at + shared->parts[a].size <= base + sizes[i]);
            sum += shared->parts[a].size;
            for (int b = 1; b < a; b++) {
                const unsigned char *other = shared->parts[b].at;

                assert_true(at + shared->parts[a].size <= other ||
                            other + shared->parts[b].size <= at);
            }
        }
        /* Hardly anything of it is wasted. */
        assert_in_range(sum, sizes[i] - 2048, sizes[i]);
        assert_true((const unsigned char *)(shared->ring_buckets + shared->rings_max) <=
                    base + sizes[i]);
        assert_true((const unsigned char *)(shared->names + shared->names_max + 1) <=
                    (const unsigned char *)shared->rings);
    }
}

static void the_hash_is_siphash(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);
    unsigned char input[15];

    /* The example of the paper: key 00 to 0f, input 00 to 0e. */
    shared->key[0] = 0x0706050403020100ULL;
    shared->key[1] = 0x0f0e0d0c0b0a0908ULL;
    for (unsigned char i = 0; i < 15; i++) {
        input[i] = i;
    }
    assert_true(mnet_shared_hash(shared, input, 15) == 0xa129ca6149be45e5ULL);
}

static void two_segments_hash_differently(void **state)
{
    help_t *help = *state;
    mnet_shared_t *a = shared_new(help, MNET_SHARED_SIZE_MIN, 0);
    mnet_shared_t *b = shared_new(help, MNET_SHARED_SIZE_MIN, 0);

    assert_true(mnet_shared_hash(a, "x", 1) != mnet_shared_hash(b, "x", 1));
}

static void counters_count(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);
    pid_t pid = help_fork();

    if (pid == 0) {
        mnet_shared_add(shared, MNET_COUNT_CALLS_IN, 40);
        _exit(0);
    }
    assert_int_equal(help_wait(pid), 0);
    mnet_shared_add(shared, MNET_COUNT_CALLS_IN, 2);
    assert_int_equal(mnet_shared_get(shared, MNET_COUNT_CALLS_IN), 42);
    assert_int_equal(mnet_shared_get(shared, MNET_COUNT_CALLS_OUT), 0);
    mnet_shared_add(shared, MNET_COUNTS, 1);
    assert_int_equal(mnet_shared_get(shared, MNET_COUNTS), 0);
}

static void no_segment_answers_as_an_empty_one(void **state)
{
    mnet_contact_t contact;

    (void)state;
    assert_int_equal(past_seen(NULL, 1, 1), 0);
    mnet_shared_failed(NULL, "192.0.2.1", NOW, MINUTE);
    assert_int_equal(mnet_shared_failures(NULL, "192.0.2.1", NOW, MINUTE), 0);
    assert_int_equal(mnet_shared_enter(NULL, MNET_GATE_OUTGOING, 1), 1);
    mnet_shared_leave(NULL, MNET_GATE_OUTGOING);
    mnet_shared_process_start(NULL);
    mnet_shared_process_end(NULL);
    assert_int_equal(mnet_shared_once(NULL, "a", "b", NOW, MINUTE), 1);
    mnet_shared_heard(NULL, 1, NOW);
    mnet_shared_called(NULL, 1, NOW, 0);
    mnet_shared_contact(NULL, 1, &contact);
    assert_int_equal(contact.heard, 0);
    mnet_shared_add(NULL, MNET_COUNT_CALLS_IN, 1);
    assert_int_equal(mnet_shared_get(NULL, MNET_COUNT_CALLS_IN), 0);
}

/* One of everything. */
static void use(mnet_shared_t *shared)
{
    mnet_contact_t contact;

    (void)past_seen(shared, 1, 1);
    mnet_shared_failed(shared, "192.0.2.1", NOW, MINUTE);
    (void)mnet_shared_failures(shared, "192.0.2.1", NOW, MINUTE);
    (void)mnet_shared_once(shared, "what", "name", NOW, MINUTE);
    mnet_shared_heard(shared, 7, NOW);
    mnet_shared_called(shared, 7, NOW, 1);
    mnet_shared_contact(shared, 7, &contact);
    assert_int_equal(mnet_shared_enter(shared, MNET_GATE_OUTGOING, 1), 1);
}

static void every_lock_is_released(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);

    locks = unlocks = 0;
    lock_fails_with = APR_SUCCESS;
    use(shared);
    use(shared_new(help, MNET_SHARED_SIZE_MIN, 1));
    assert_int_equal(mnet_shared_enter(shared, MNET_GATE_OUTGOING, 1), 0);
    mnet_shared_leave(shared, MNET_GATE_OUTGOING);
    mnet_shared_process_end(shared);
    assert_true(locks > 10);
    assert_int_equal(unlocks, locks);
    assert_int_equal(atomic_load(&shared->head->changing), MNET_PART_NONE);
}

static void without_its_lock_replays_are_refused_and_all_else_goes_on(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);
    const char *first;

    locks = unlocks = 0;
    lock_fails_with = APR_EINVAL;
    use(shared);
    assert_int_equal(past_seen(shared, 1, 2), 1);
    assert_int_equal(mnet_shared_failures(shared, "192.0.2.1", NOW, MINUTE), 0);
    assert_int_equal(mnet_shared_once(shared, "what", "name", NOW, MINUTE), 1);
    assert_int_equal(mnet_shared_enter(shared, MNET_GATE_OUTGOING, 1), 1);
    mnet_shared_leave(shared, MNET_GATE_OUTGOING);
    mnet_shared_process_end(shared);
    lock_fails_with = APR_SUCCESS;
    assert_int_equal(unlocks, 0);
    first = strstr(help->said, "MNET0220");
    assert_non_null(first);
    assert_null(strstr(first + 1, "MNET0220"));
}

/* As a process leaves it that dies in the middle of a change. */
static void die_in(mnet_shared_t *shared, mnet_part_e part)
{
    if (part != MNET_PART_GATES) {
        memset(shared->parts[part].at, 0xA5, shared->parts[part].size);
    }
    atomic_store(&shared->head->changing, part);
}

static void what_was_being_changed_is_wiped_and_nothing_else(void **state)
{
    help_t *help = *state;

    for (mnet_part_e part = MNET_PART_PAST; part < MNET_PARTS; part++) {
        mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);
        mnet_contact_t contact;

        use(shared);
        shared->gates->held[MNET_GATE_OUTGOING] += part == MNET_PART_GATES;
        die_in(shared, part);
        mnet_shared_contact(shared, 7, &contact);
        assert_int_equal(mnet_shared_get(shared, MNET_COUNT_REPAIRS), 1);
        assert_non_null(strstr(help->said, "MNET0221"));
        shared_is_sound(shared);
        assert_int_equal(past_has(shared, 1, 1), part != MNET_PART_PAST);
        assert_int_equal(mnet_shared_failures(shared, "192.0.2.1", NOW, MINUTE),
                         part != MNET_PART_FAILURES);
        assert_int_equal(mnet_shared_once(shared, "what", "name", NOW, MINUTE),
                         part == MNET_PART_ONCE);
        assert_int_equal(contact.heard == NOW, part != MNET_PART_CONTACTS);
        /* The gates are counted again, so that the living keep what they hold. */
        assert_int_equal(mnet_shared_enter(shared, MNET_GATE_OUTGOING, 1), 0);
        assert_int_equal(mnet_shared_get(shared, MNET_COUNT_REPAIRS), 1);
        use(shared_new(help, MNET_SHARED_SIZE_MIN, 0));
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, help_setup, help_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(too_small_or_too_big_is_refused),
        T(every_size_is_laid_out_without_overlap),
        T(the_hash_is_siphash),
        T(two_segments_hash_differently),
        T(counters_count),
        T(no_segment_answers_as_an_empty_one),
        T(every_lock_is_released),
        T(without_its_lock_replays_are_refused_and_all_else_goes_on),
        T(what_was_being_changed_is_wiped_and_nothing_else),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
