/* SPDX-License-Identifier: Apache-2.0 */
/* Failures per address, what is done once in a while, contacts with peers. */
#include "shared_help.h"

#define SECOND apr_time_from_sec(1)

static mnet_shared_t *some(void **state)
{
    return shared_new(*state, MNET_SHARED_SIZE_MIN, 0);
}

static int failures(mnet_shared_t *shared, const char *address, apr_time_t now)
{
    return mnet_shared_failures(shared, address, now, MINUTE);
}

static void fail_often(mnet_shared_t *shared, const char *address, int n, apr_time_t now)
{
    while (n-- > 0) {
        mnet_shared_failed(shared, address, now, MINUTE);
    }
}

/* --- failures ----------------------------------------------------------------------------------
 */

static void failures_are_counted_exactly(void **state)
{
    mnet_shared_t *shared = some(state);

    for (int n = 0; n < 100; n++) {
        assert_int_equal(failures(shared, "192.0.2.1", NOW + n * SECOND / 2), n);
        mnet_shared_failed(shared, "192.0.2.1", NOW + n * SECOND / 2, MINUTE);
    }
    assert_int_equal(failures(shared, "192.0.2.2", NOW), 0);
}

static void failures_fade(void **state)
{
    mnet_shared_t *shared = some(state);
    int last = 30;

    fail_often(shared, "192.0.2.1", 30, NOW);
    assert_int_equal(failures(shared, "192.0.2.1", NOW + MINUTE - 1), 30);
    assert_int_equal(failures(shared, "192.0.2.1", NOW + MINUTE + SECOND), 29);
    assert_int_equal(failures(shared, "192.0.2.1", NOW + MINUTE * 3 / 2), 15);
    for (apr_time_t at = NOW; at < NOW + 2 * MINUTE; at += SECOND) {
        int now = failures(shared, "192.0.2.1", at);

        assert_true(now <= last);
        last = now;
    }
    assert_int_equal(failures(shared, "192.0.2.1", NOW + 2 * MINUTE), 0);
    assert_int_equal(failures(shared, "192.0.2.1", NOW + 1000 * MINUTE), 0);
}

static void a_burst_over_the_border_is_not_forgiven(void **state)
{
    mnet_shared_t *shared = some(state);

    fail_often(shared, "192.0.2.1", 1, NOW);
    fail_often(shared, "192.0.2.1", 28, NOW + MINUTE - SECOND);
    fail_often(shared, "192.0.2.1", 29, NOW + MINUTE + SECOND);
    assert_in_range(failures(shared, "192.0.2.1", NOW + MINUTE + SECOND), 50, 58);
}

static void a_clock_set_back_blocks_nobody_for_ever(void **state)
{
    mnet_shared_t *shared = some(state);

    fail_often(shared, "192.0.2.1", 30, NOW);
    assert_int_equal(failures(shared, "192.0.2.1", NOW - 1000 * MINUTE), 30);
    fail_often(shared, "192.0.2.1", 1, NOW - 1000 * MINUTE);
    assert_int_equal(failures(shared, "192.0.2.1", NOW - 998 * MINUTE), 0);
}

static void an_ipv6_address_is_its_network(void **state)
{
    mnet_shared_t *shared = some(state);

    fail_often(shared, "2001:db8:1:2:3:4:5:6", 3, NOW);
    assert_int_equal(failures(shared, "2001:DB8:1:2::1", NOW), 3);
    assert_int_equal(failures(shared, "2001:db8:1:2::1%eth0", NOW), 3);
    assert_int_equal(failures(shared, "2001:db8:1:3::1", NOW), 0);
}

static void an_ipv4_address_is_itself(void **state)
{
    mnet_shared_t *shared = some(state);

    fail_often(shared, "192.0.2.1", 3, NOW);
    assert_int_equal(failures(shared, "::ffff:192.0.2.1", NOW), 3);
    assert_int_equal(failures(shared, "192.0.2.2", NOW), 0);
    assert_int_equal(failures(shared, "::ffff:192.0.2.2", NOW), 0);
    fail_often(shared, "0.0.0.0", 1, NOW);
    assert_int_equal(failures(shared, "::", NOW), 0);
}

static void what_is_no_address_is_counted_too(void **state)
{
    mnet_shared_t *shared = some(state);

    fail_often(shared, "unix:", 2, NOW);
    assert_int_equal(failures(shared, "unix:", NOW), 2);
    assert_int_equal(failures(shared, "", NOW), 0);
    mnet_shared_failed(shared, NULL, NOW, MINUTE);
    assert_int_equal(failures(shared, NULL, NOW), 0);
}

static void periods_are_counted_apart(void **state)
{
    mnet_shared_t *shared = some(state);

    fail_often(shared, "192.0.2.1", 2, NOW);
    assert_int_equal(mnet_shared_failures(shared, "192.0.2.1", NOW, 2 * MINUTE), 0);
    mnet_shared_failed(shared, "192.0.2.1", NOW, 0);
    assert_int_equal(mnet_shared_failures(shared, "192.0.2.1", NOW, 0), 0);
    mnet_shared_failed(shared, "192.0.2.1", NOW, APR_INT64_MAX);
    assert_int_equal(mnet_shared_failures(shared, "192.0.2.1", NOW, APR_INT64_MAX), 0);
}

static void when_there_is_no_room_the_oldest_goes(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = some(state);
    int cells = (int)shared->failures.rows * MNET_CELLS_ROW;

    fail_often(shared, "192.0.2.1", 30, NOW);
    for (int i = 0; i < 20 * cells; i++) {
        const char *address =
            apr_psprintf(help->pool, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);

        /* Still failing, it is never the oldest. */
        mnet_shared_failed(shared, "192.0.2.1", NOW + i, MINUTE);
        mnet_shared_failed(shared, address, NOW + i, MINUTE);
        assert_int_equal(failures(shared, address, NOW + i), 1);
    }
    assert_int_equal(failures(shared, "192.0.2.1", NOW + 20 * cells), 30 + 20 * cells);
    shared_is_sound(shared);
}

/* --- once --------------------------------------------------------------------------------------
 */

static void once_is_once_in_the_interval(void **state)
{
    mnet_shared_t *shared = some(state);

    assert_int_equal(mnet_shared_once(shared, "refetch", "a", NOW, MINUTE), 1);
    assert_int_equal(mnet_shared_once(shared, "refetch", "a", NOW, MINUTE), 0);
    assert_int_equal(mnet_shared_once(shared, "refetch", "a", NOW + MINUTE - 1, MINUTE), 0);
    assert_int_equal(mnet_shared_once(shared, "refetch", "a", NOW + MINUTE, MINUTE), 1);
    assert_int_equal(mnet_shared_once(shared, "refetch", "a", NOW + MINUTE + 1, MINUTE), 0);
    assert_int_equal(mnet_shared_once(shared, "refetch", "b", NOW, MINUTE), 1);
    assert_int_equal(mnet_shared_once(shared, "log", "a", NOW, MINUTE), 1);
    assert_int_equal(mnet_shared_once(shared, "log", "a", NOW - 10 * MINUTE, MINUTE), 1);
}

static void what_and_name_do_not_run_together(void **state)
{
    mnet_shared_t *shared = some(state);

    assert_int_equal(mnet_shared_once(shared, "ab", "c", NOW, MINUTE), 1);
    assert_int_equal(mnet_shared_once(shared, "a", "bc", NOW, MINUTE), 1);
}

static void once_is_once_over_all_processes(void **state)
{
    help_t *help = *state;
    mnet_shared_t *shared = shared_new(help, MNET_SHARED_SIZE_MIN, 1);
    int firsts = 0;
    pid_t pids[8];

    for (int i = 0; i < 8; i++) {
        pids[i] = help_fork();
        if (pids[i] == 0) {
            int n = 0;

            for (int k = 0; k < 100; k++) {
                n += mnet_shared_once(shared, "what", "name", NOW, MINUTE);
            }
            _exit(n);
        }
    }
    for (int i = 0; i < 8; i++) {
        firsts += help_wait(pids[i]);
    }
    assert_int_equal(firsts, 1);
}

/* --- contacts ----------------------------------------------------------------------------------
 */

static void a_contact_is_remembered(void **state)
{
    mnet_shared_t *shared = some(state);
    mnet_contact_t contact;

    mnet_shared_contact(shared, 7, &contact);
    assert_true(contact.heard == 0 && contact.reached == 0 && contact.failures == 0);
    mnet_shared_heard(shared, 7, NOW);
    mnet_shared_called(shared, 7, NOW + 1, 1);
    mnet_shared_called(shared, 7, NOW + 2, 0);
    mnet_shared_contact(shared, 7, &contact);
    assert_true(contact.heard == NOW);
    assert_true(contact.reached == NOW + 1);
    assert_int_equal(contact.failures, 1);
    assert_true(contact.retry == 0);
    mnet_shared_contact(shared, 8, &contact);
    assert_true(contact.heard == 0);
    mnet_shared_heard(shared, 0, NOW);
    mnet_shared_contact(shared, 0, &contact);
    assert_true(contact.heard == NOW);
}

static void the_breaker_waits_longer_and_longer(void **state)
{
    static const int waits[] = {0, 0, 10, 20, 40, 80, 160, 300, 300, 300};
    mnet_shared_t *shared = some(state);
    mnet_contact_t contact;

    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        mnet_shared_called(shared, 7, NOW, 0);
        mnet_shared_contact(shared, 7, &contact);
        assert_true(contact.retry == (waits[i] ? NOW + waits[i] * SECOND : 0));
    }
    for (int i = 0; i < 1000; i++) {
        mnet_shared_called(shared, 7, NOW, 0);
    }
    mnet_shared_contact(shared, 7, &contact);
    assert_true(contact.retry == NOW + 300 * SECOND);
    mnet_shared_called(shared, 7, NOW, 1);
    mnet_shared_contact(shared, 7, &contact);
    assert_int_equal(contact.failures, 0);
    assert_true(contact.retry == 0);
}

static void a_thousand_peers_have_room_in_the_default_size(void **state)
{
    mnet_shared_t *shared = shared_new(*state, 4 << 20, 0);
    mnet_contact_t contact;
    int kept = 0;

    for (apr_uint64_t peer = 1; peer <= 1000; peer++) {
        mnet_shared_heard(shared, peer, NOW);
    }
    for (apr_uint64_t peer = 1; peer <= 1000; peer++) {
        mnet_shared_contact(shared, peer, &contact);
        kept += contact.heard == NOW;
    }
    assert_int_equal(kept, 1000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, help_setup, help_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(failures_are_counted_exactly),
        T(failures_fade),
        T(a_burst_over_the_border_is_not_forgiven),
        T(a_clock_set_back_blocks_nobody_for_ever),
        T(an_ipv6_address_is_its_network),
        T(an_ipv4_address_is_itself),
        T(what_is_no_address_is_counted_too),
        T(periods_are_counted_apart),
        T(when_there_is_no_room_the_oldest_goes),
        T(once_is_once_in_the_interval),
        T(what_and_name_do_not_run_together),
        T(once_is_once_over_all_processes),
        T(a_contact_is_remembered),
        T(the_breaker_waits_longer_and_longer),
        T(a_thousand_peers_have_room_in_the_default_size),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
