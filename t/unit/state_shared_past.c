/* SPDX-License-Identifier: Apache-2.0 */
/* The recent past: what is remembered, and who is pushed out when there is no more room. */
#include "shared_help.h"

static void a_name_is_seen_the_second_time(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);

    for (uint32_t n = 0; n < 100; n++) {
        assert_int_equal(past_seen(shared, n % 3, n), 0);
    }
    for (uint32_t n = 0; n < 100; n++) {
        assert_int_equal(past_seen(shared, n % 3, n), 1);
    }
    shared_is_sound(shared);
}

static void every_byte_of_a_name_counts(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);
    unsigned char name[32] = {0};

    assert_int_equal(mnet_shared_seen(shared, 1, name), 0);
    for (int i = 0; i < 32; i++) {
        name[i] ^= 1;
        assert_int_equal(mnet_shared_seen(shared, 1, name), 0);
        assert_int_equal(mnet_shared_seen(shared, 1, name), 1);
        name[i] ^= 1;
    }
}

static void another_process_sees_it(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);
    pid_t pid = help_fork();

    if (pid == 0) {
        _exit(past_seen(shared, 1, 1));
    }
    assert_int_equal(help_wait(pid), 0);
    assert_int_equal(past_seen(shared, 1, 1), 1);
}

static void one_peer_alone_has_all_the_room_and_drops_its_oldest(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);
    uint32_t all = shared->names_max;

    for (uint32_t n = 0; n < 3 * all; n++) {
        assert_int_equal(past_seen(shared, 1, n), 0);
        assert_true(n < all || !past_has(shared, 1, n - all));
    }
    for (uint32_t n = 2 * all; n < 3 * all; n++) {
        assert_int_equal(past_has(shared, 1, n), 1);
    }
    shared_is_sound(shared);
}

static void a_flood_pushes_out_nobody_else(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);
    uint32_t quiet = shared->names_max / 100; /* each of ten */

    for (uint32_t n = 0; n < quiet; n++) {
        for (apr_uint64_t peer = 1; peer <= 10; peer++) {
            assert_int_equal(past_seen(shared, peer, n), 0);
        }
    }
    for (uint32_t n = 0; n < 20 * shared->names_max; n++) {
        assert_int_equal(past_seen(shared, 99, n), 0);
    }
    for (uint32_t n = 0; n < quiet; n++) {
        for (apr_uint64_t peer = 1; peer <= 10; peer++) {
            assert_int_equal(past_has(shared, peer, n), 1);
        }
    }
    shared_is_sound(shared);
}

static void a_newcomer_finds_room_where_one_has_taken_all(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);
    uint32_t fair = shared->names_max / 4;

    for (uint32_t n = 0; n < 2 * shared->names_max; n++) {
        (void)past_seen(shared, 1, n);
    }
    for (uint32_t n = 0; n < fair; n++) {
        assert_int_equal(past_seen(shared, 2, n), 0);
        (void)past_seen(shared, 1, 3 * shared->names_max + n);
    }
    for (uint32_t n = 0; n < fair; n++) {
        assert_int_equal(past_has(shared, 2, n), 1);
    }
    shared_is_sound(shared);
}

static void two_floods_share(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);
    uint32_t quarter = shared->names_max / 4, n;

    for (n = 0; n < 5 * shared->names_max; n++) {
        (void)past_seen(shared, 1, n);
        (void)past_seen(shared, 2, n);
    }
    for (uint32_t last = n - quarter; last < n; last++) {
        assert_int_equal(past_has(shared, 1, last), 1);
        assert_int_equal(past_has(shared, 2, last), 1);
    }
    shared_is_sound(shared);
}

static void more_peers_than_rings_share_them(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);

    for (apr_uint64_t peer = 1; peer <= 5 * shared->names_max; peer++) {
        assert_int_equal(past_seen(shared, peer, 0), 0);
        assert_int_equal(past_seen(shared, peer, 0), 1);
    }
    shared_is_sound(shared);
}

static void rings_that_are_empty_are_used_again(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);

    for (uint32_t round = 0; round < 5; round++) {
        /* A name each from as many peers as there are rings, then some who take more. */
        for (apr_uint64_t peer = 1; peer <= shared->rings_max; peer++) {
            (void)past_seen(shared, 1000000 * (round + 1) + peer, 0);
        }
        for (uint32_t n = 0; n < 2 * shared->names_max; n++) {
            (void)past_seen(shared, n % 7, round << 24 | n);
        }
        shared_is_sound(shared);
    }
}

/* Against a plain account of who may be dropped: nobody with less than half of the longest. */
static void who_has_less_than_half_of_the_longest_loses_nothing(void **state)
{
    enum { PEERS = 20 };
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 0);
    uint32_t next[PEERS + 1] = {0};
    uint32_t r = 12345;

    for (uint32_t i = 0; i < 6 * shared->names_max; i++) {
        uint32_t before[PEERS + 1] = {0}, after[PEERS + 1] = {0}, longest = 0, peer;

        r = r * 1664525U + 1013904223U;
        peer = 1 + (r >> 16) % PEERS * ((r >> 8) % PEERS) / PEERS; /* some call more than others */
        for (uint32_t ring = 1; ring <= shared->past->rings; ring++) {
            before[shared->rings[ring].peer] = shared->rings[ring].count;
        }
        assert_int_equal(past_seen(shared, peer, next[peer]++), 0);
        for (uint32_t ring = 1; ring <= shared->past->rings; ring++) {
            after[shared->rings[ring].peer] = shared->rings[ring].count;
        }
        for (uint32_t p = 1; p <= PEERS; p++) {
            longest = before[p] > longest ? before[p] : longest;
        }
        for (uint32_t p = 1; p <= PEERS; p++) {
            assert_true(after[p] >= before[p] || 2 * before[p] > longest);
        }
    }
    shared_is_sound(shared);
}

#define T(f) cmocka_unit_test_setup_teardown(f, help_setup, help_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_name_is_seen_the_second_time),
        T(every_byte_of_a_name_counts),
        T(another_process_sees_it),
        T(one_peer_alone_has_all_the_room_and_drops_its_oldest),
        T(a_flood_pushes_out_nobody_else),
        T(a_newcomer_finds_room_where_one_has_taken_all),
        T(two_floods_share),
        T(more_peers_than_rings_share_them),
        T(rings_that_are_empty_are_used_again),
        T(who_has_less_than_half_of_the_longest_loses_nothing),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
