/* SPDX-License-Identifier: Apache-2.0 */
/* Leases are renewed while their work goes on, wherever the clock is set. */
#include "queue_help.h"

#include <apr_atomic.h>
#include <sys/time.h>
#include <time.h>

#include "portfolio/queue_run.h"

/* --- a clock that can be set --- */

static volatile apr_uint32_t set_back; /* seconds */

/* As APR asks for the time. */
int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec - (time_t)apr_atomic_read32(&set_back);
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}

/* --- work that lasts until it is told --- */

static volatile apr_uint32_t begun, enough;

static mnet_queue_outcome_e work(mnet_queue_run_t *run)
{
    apr_atomic_inc32(&begun);
    while (!apr_atomic_read32(&enough) && !mnet_queue_stopping(run)) {
        apr_sleep(10 * 1000);
    }
    return MNET_QUEUE_DONE;
}

static const mnet_queue_kind_t fetch = {"fetch", work, NULL};
const mnet_queue_kind_t *const mnet_queue_kinds[] = {&fetch, NULL};

static int is_leased_from_now(const char *id)
{
    apr_time_t now = apr_time_now();
    const mnet_queue_item_t *item = look(id);

    return item->state == MNET_QUEUE_RUNNING && item->due > now + MNET_QUEUE_LEASE / 2 &&
           item->due <= now + MNET_QUEUE_LEASE;
}

static void becomes_leased_from_now(const char *id)
{
    for (int i = 0; i < 1000 && !is_leased_from_now(id); i++) {
        apr_sleep(10 * 1000);
    }
    assert_true(is_leased_from_now(id));
}

static void test_a_clock_that_is_set_does_not_end_a_lease(void **state)
{
    apr_allocator_t *allocator;
    apr_thread_mutex_t *mutex;
    apr_pool_t *theirs;
    mnet_queue_t *queue;
    const char *id;

    assert_int_equal(apr_allocator_create(&allocator), 0);
    assert_int_equal(apr_pool_create_ex(&theirs, NULL, NULL, allocator), 0);
    apr_allocator_owner_set(allocator, theirs);
    assert_int_equal(apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, theirs), 0);
    apr_allocator_mutex_set(allocator, mutex);
    ((mnet_site_t *)host()->site)->portfolio =
        mnet_portfolio_options_create("/nonexistent/portfolio", world->pool);
    assert_int_equal(mnet_queue_create(&queue, host()->engine, NULL, theirs), 0);

    id = put("https://a.example", 0, apr_time_now());
    mnet_queue_tick(queue, apr_time_now(), world->pool);
    becomes_leased_from_now(id);
    apr_atomic_set32(&set_back, 3600);
    becomes_leased_from_now(id);
    apr_atomic_set32(&set_back, 0); /* set on: it looks as if it were over */
    mnet_queue_tick(queue, apr_time_now(), world->pool);
    becomes_leased_from_now(id);
    assert_int_equal(apr_atomic_read32(&begun), 1);
    assert_false(world_logged("MNET1002"));

    apr_atomic_set32(&enough, 1);
    for (int i = 0; i < 1000 && mnet_queue_busy(queue); i++) {
        apr_sleep(10 * 1000);
    }
    assert_int_equal(mnet_queue_busy(queue), 0); /* nor is there a beat without work */
    assert_null(look(id));
    mnet_queue_end(queue);
    apr_pool_destroy(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_clock_that_is_set_does_not_end_a_lease, sso_setup,
                                        world_teardown),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
