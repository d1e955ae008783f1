/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_help.h"

#include <sys/wait.h>

static void test_due_ones_are_claimed_in_their_order(void **state)
{
    apr_time_t now = apr_time_now();
    const char *late = put("https://b.example", now + MINUTES(1), now);
    const char *second = put("https://a.example", now - 1, now);
    const char *first = put("https://c.example", now - 2, now);
    apr_array_header_t *items = claim(10, 10, now);

    assert_int_equal(items->nelts, 2);
    assert_string_equal(item_at(items, 0)->id, first);
    assert_string_equal(item_at(items, 1)->id, second);
    assert_int_equal(item_at(items, 0)->attempts, 1);
    assert_int_equal(look(first)->state, MNET_QUEUE_RUNNING);
    assert_int_equal(look(late)->state, MNET_QUEUE_WAITING);
    assert_int_equal(claim(10, 10, now)->nelts, 0);
    items = claim(10, 10, now + MINUTES(1) - 1);
    assert_int_equal(items->nelts, 0);
    items = claim(1, 0, now + MINUTES(1));
    assert_string_equal(item_at(items, 0)->id, late);
}

static void test_a_peer_has_so_many_at_once(void **state)
{
    apr_time_t now = apr_time_now();
    apr_array_header_t *items;

    for (int i = 0; i < 5; i++) {
        put("https://a.example", now - 10, now);
    }
    put("https://b.example", now - 1, now);
    items = claim(10, 10, now);
    assert_int_equal(items->nelts, MNET_QUEUE_PER_PEER + 1);
    give_back(item_at(items, 0), MNET_QUEUE_DONE, 0, now);
    assert_int_equal(claim(10, 10, now)->nelts, 1);
}

static void test_those_that_failed_do_not_take_every_thread(void **state)
{
    apr_time_t now = apr_time_now();
    apr_array_header_t *items;

    for (int i = 0; i < 4; i++) {
        put(apr_psprintf(world->pool, "https://%d.example", i), now, now);
    }
    items = claim(10, 0, now);
    assert_int_equal(items->nelts, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(give_back(item_at(items, i), MNET_QUEUE_RETRY, 0, now),
                         MNET_QUEUE_WAITING);
    }
    now += MINUTES(60);
    put("https://new.example", now, now);
    items = claim(10, 2, now);
    assert_int_equal(items->nelts, 3);
    assert_string_equal(item_at(items, 2)->peer, "https://new.example");
}

static void test_later_and_later_then_parked(void **state)
{
    apr_time_t now = apr_time_now(), last = 0;
    const char *id = put("https://a.example", 0, now);

    for (int i = 1; i <= MNET_QUEUE_ATTEMPTS; i++) {
        apr_array_header_t *items = claim(1, 1, now);
        mnet_queue_item_t *item;
        apr_time_t wait;

        assert_int_equal(items->nelts, 1);
        assert_int_equal(give_back(item_at(items, 0), MNET_QUEUE_RETRY, 0, now),
                         i < MNET_QUEUE_ATTEMPTS ? MNET_QUEUE_WAITING : MNET_QUEUE_PARKED);
        item = look(id);
        assert_string_equal(item->reason, "because");
        assert_int_equal(item->attempts, i);
        wait = item->due - now;
        if (i < MNET_QUEUE_ATTEMPTS) {
            assert_true(wait >= last * 5 / 6 && wait <= MNET_QUEUE_LATEST * 6 / 5);
            assert_true(i > 1 || (wait >= MINUTES(4) && wait <= MINUTES(6)));
        }
        last = wait < MNET_QUEUE_LATEST / 2 ? wait : last;
        now = item->due;
    }
    assert_int_equal(look(id)->state, MNET_QUEUE_PARKED);
    assert_int_equal(mnet_queue_retry(host(), id, now, world->pool), 0);
    assert_int_equal(look(id)->state, MNET_QUEUE_WAITING);
    assert_int_equal(look(id)->attempts, 0);
}

static void test_parked_ones_are_forgotten(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = put("https://a.example", 0, now);

    assert_int_equal(give_back(item_at(claim(1, 1, now), 0), MNET_QUEUE_PARK, 0, now),
                     MNET_QUEUE_PARKED);
    assert_int_equal(claim(1, 1, now + MINUTES(60))->nelts, 0);
    assert_non_null(look(id));
    assert_int_equal(claim(1, 1, look(id)->due)->nelts, 0);
    assert_null(look(id));
    assert_true(world_logged("MNET1001"));
    assert_int_equal(records(), 0);
}

static void test_what_is_wrong_is_parked_sooner(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = put("https://a.example", 0, now);

    for (int i = 1; i <= MNET_QUEUE_WRONGS; i++) {
        give_back(item_at(claim(1, 1, now), 0), MNET_QUEUE_WRONG, 0, now);
        now = look(id)->due;
    }
    assert_int_equal(look(id)->state, MNET_QUEUE_PARKED);
}

static void test_interrupted_is_no_failure(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = put("https://a.example", 0, now);

    assert_int_equal(give_back(item_at(claim(1, 1, now), 0), MNET_QUEUE_RETRY, 1, now),
                     MNET_QUEUE_WAITING);
    assert_int_equal(look(id)->attempts, 0);
    assert_null(look(id)->reason);
    assert_int_equal(claim(1, 0, now)->nelts, 1);
}

static void test_a_lease_that_is_over_is_another_s(void **state)
{
    struct mnet_queue_owner_t other = {getpid(), (apr_int64_t)8 << 32};
    apr_time_t now = apr_time_now();
    const char *id = put("https://a.example", 0, now);
    mnet_queue_run_t run = {.host = host(), .owner = *us(), .pool = world->pool};
    apr_array_header_t *items;
    mnet_txn_t *txn;

    run.item = item_at(claim(1, 1, now), 0);
    assert_int_equal(mnet_queue_renew(host(), us(), run.item, now + MINUTES(1), world->pool), 0);
    assert_int_equal(claim(1, 1, now + MINUTES(1) + 1)->nelts, 0);
    now += MINUTES(2) + MNET_QUEUE_LEASE;
    assert_int_equal(mnet_queue_reap(host(), &other, NULL, now, world->pool), 0);
    assert_int_equal(mnet_queue_claim(host(), &other, 1, 1, NULL, now, &items, world->pool), 0);
    assert_int_equal(items->nelts, 1);
    assert_int_equal(mnet_queue_renew(host(), us(), run.item, now, world->pool), MNET_E_REFUSED);
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_done_in(&run, txn), MNET_E_REFUSED);
    mnet_txn_abort(txn);
    assert_int_equal(give_back(run.item, MNET_QUEUE_DONE, 0, now), -1);
    assert_int_equal(look(id)->state, MNET_QUEUE_RUNNING);
    assert_int_equal(mnet_queue_progress(&run, 1, 2), MNET_E_REFUSED);
}

/* In one process, too: the attempt that lost its lease has nothing to say of the one after it. */
static void test_an_attempt_is_not_the_one_after_it(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = put("https://a.example", 0, now);
    mnet_queue_run_t run = {.host = host(), .owner = *us(), .pool = world->pool};
    apr_array_header_t *under_way = claim(1, 1, now);
    mnet_queue_item_t *second;
    mnet_txn_t *txn;

    run.item = item_at(under_way, 0);
    now += MINUTES(2);
    assert_int_equal(mnet_queue_reap(host(), us(), under_way, now, world->pool), 0);
    assert_int_equal(look(id)->state, MNET_QUEUE_RUNNING); /* late, but it is at work */
    assert_int_equal(mnet_queue_renew(host(), us(), run.item, now, world->pool), 0);
    now += MINUTES(2);
    assert_int_equal(mnet_queue_reap(host(), us(), NULL, now, world->pool), 0);
    second = item_at(claim(1, 1, now), 0);
    assert_int_equal(mnet_queue_renew(host(), us(), run.item, now, world->pool), MNET_E_REFUSED);
    assert_int_equal(mnet_queue_progress(&run, 1, 2), MNET_E_REFUSED);
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_holds(&run, txn), MNET_E_REFUSED);
    assert_int_equal(mnet_queue_done_in(&run, txn), MNET_E_REFUSED);
    mnet_txn_abort(txn);
    assert_int_equal(give_back(run.item, MNET_QUEUE_RETRY, 0, now), -1);
    assert_int_equal(look(id)->state, MNET_QUEUE_RUNNING);
    assert_int_equal(give_back(second, MNET_QUEUE_DONE, 0, now), -1);
    assert_null(look(id));
}

static void test_done_leaves_nothing(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = put("https://a.example", 0, now);
    mnet_queue_run_t run = {.host = host(), .owner = *us(), .pool = world->pool};
    mnet_queue_progress_t progress;
    mnet_queue_item_t *item;
    mnet_txn_t *txn;

    run.item = item_at(claim(1, 1, now), 0);
    assert_int_equal(mnet_queue_progress(&run, 10, 100), 0);
    assert_int_equal(mnet_queue_progress(&run, 20, 100), 0); /* within the second: not written */
    assert_int_equal(mnet_queue_look(host(), id, &item, &progress, world->pool), 0);
    assert_int_equal(progress.done, 10);
    assert_int_equal(progress.total, 100);
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_done_in(&run, txn), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_int_equal(records(), 0);
    assert_int_equal(give_back(run.item, MNET_QUEUE_DONE, 0, now), -1);
}

static void test_a_dead_process_loses_its_leases(void **state)
{
    struct mnet_queue_owner_t dead = {0, 9};
    apr_time_t now = apr_time_now();
    const char *id = put("https://a.example", 0, now), *ours = put("https://b.example", 0, now);
    apr_array_header_t *items;
    mnet_queue_item_t *item;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(0);
    }
    assert_true(pid > 0 && waitpid(pid, NULL, 0) == pid);
    dead.pid = pid;
    assert_int_equal(mnet_queue_claim_one(host(), &dead, id, NULL, now, &item, world->pool), 0);
    assert_int_equal(mnet_queue_claim_one(host(), &dead, id, NULL, now, &item, world->pool),
                     MNET_E_BUSY);
    items = claim(1, 1, now);
    assert_string_equal(item_at(items, 0)->id, ours);
    assert_int_equal(mnet_queue_reap(host(), us(), NULL, now, world->pool), 0);
    assert_int_equal(look(id)->state, MNET_QUEUE_WAITING);
    assert_int_equal(look(ours)->state, MNET_QUEUE_RUNNING);
    assert_true(world_logged("MNET1002"));
}

static void test_drop_and_list(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = put("https://a.example", now + 5, now);
    apr_array_header_t *list;
    mnet_txn_t *txn;

    put("https://b.example", now + 3, now);
    assert_int_equal(mnet_queue_list(host(), NULL, 0, &list, world->pool), 0);
    assert_int_equal(list->nelts, 2);
    assert_string_equal(item_at(list, 1)->id, id);
    assert_int_equal(mnet_queue_list(host(), "https://a.example", 1, &list, world->pool), 0);
    assert_int_equal(list->nelts, 1);
    assert_int_equal(mnet_queue_list(world->b.host, NULL, 0, &list, world->pool), 0);
    assert_int_equal(list->nelts, 0); /* another site's */
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_drop(host(), txn, id, world->pool), 0);
    assert_true(APR_STATUS_IS_NOTFOUND(mnet_queue_drop(host(), txn, id, world->pool)));
    assert_true(APR_STATUS_IS_NOTFOUND(mnet_queue_drop(host(), txn, "../x", world->pool)));
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_null(look(id));
}

/* Of one peer, too: those that have failed stand before the new one, and may not begin. */
static void test_those_that_failed_do_not_hold_up_new_ones(void **state)
{
    apr_time_t now = apr_time_now();
    const char *fresh;

    for (int i = 0; i < 3; i++) {
        apr_array_header_t *items;

        (void)put("https://a.example", 0, now);
        items = claim(1, 1, now);
        assert_int_equal(items->nelts, 1);
        assert_int_equal(give_back(item_at(items, 0), MNET_QUEUE_RETRY, 0, now),
                         MNET_QUEUE_WAITING);
    }
    now += MINUTES(60);
    fresh = put("https://a.example", 0, now);
    assert_int_equal(claim(16, 0, now)->nelts, 1);
    assert_int_equal(look(fresh)->state, MNET_QUEUE_RUNNING);
    assert_int_equal(claim(16, 1, now)->nelts, 1);
}

/* What one peer has waiting does not fill the store of all. */
static void test_a_peer_holds_so_much(void **state)
{
    apr_size_t len = (apr_size_t)(MNET_QUEUE_HELD / 8);
    void *load = apr_pcalloc(world->pool, len);
    apr_time_t now = apr_time_now();
    const char *first = NULL;
    apr_status_t rv = 0;
    mnet_txn_t *txn;

    for (int i = 0; i < 9; i++) {
        mnet_queue_item_t item = {.kind = "fetch", .peer = "https://a.example"};

        assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
        rv = mnet_queue_put(host(), txn, &item, load, len, now, world->pool);
        assert_int_equal(rv, i < 8 ? 0 : MNET_E_LIMIT);
        assert_int_equal(rv ? 0 : mnet_txn_commit(txn), 0);
        mnet_txn_abort(txn);
        first = first ? first : item.id;
    }
    (void)put("https://b.example", 0, now);
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_drop(host(), txn, first, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    (void)put("https://a.example", 0, now);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_due_ones_are_claimed_in_their_order),
        T(test_a_peer_has_so_many_at_once),
        T(test_those_that_failed_do_not_take_every_thread),
        T(test_those_that_failed_do_not_hold_up_new_ones),
        T(test_later_and_later_then_parked),
        T(test_parked_ones_are_forgotten),
        T(test_what_is_wrong_is_parked_sooner),
        T(test_interrupted_is_no_failure),
        T(test_a_lease_that_is_over_is_another_s),
        T(test_an_attempt_is_not_the_one_after_it),
        T(test_done_leaves_nothing),
        T(test_a_dead_process_loses_its_leases),
        T(test_drop_and_list),
        T(test_a_peer_holds_so_much),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
