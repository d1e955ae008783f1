/* SPDX-License-Identifier: Apache-2.0 */
/* The queue's threads: who is begun when, what whoever waits is told, and how it all ends. */
#include "sso_world.h"

#include <errno.h>

#include "failing_store.h"

#include "base/status.h"
#include "base/steady.h"
#include "portfolio/queue_int.h"
#include "portfolio/queue_run_int.h"

static mnet_host_t *host(void)
{
    return world->a.host;
}

/* Its threads take their pools from it while the test takes memory from its own. */
static apr_pool_t *threads_pool(void)
{
    apr_allocator_t *allocator;
    apr_thread_mutex_t *mutex;
    apr_pool_t *pool;

    assert_int_equal(apr_allocator_create(&allocator), 0);
    assert_int_equal(apr_pool_create_ex(&pool, NULL, NULL, allocator), 0);
    apr_allocator_owner_set(allocator, pool);
    assert_int_equal(apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, pool), 0);
    apr_allocator_mutex_set(allocator, mutex);
    return pool;
}

static apr_pool_t *theirs;       /* of the queue under test */
static mnet_queue_t *under_test; /* NULL: it has ended */

static mnet_queue_t *queue(void)
{
    mnet_portfolio_options_t *options =
        mnet_portfolio_options_create("/nonexistent/portfolio", world->pool);
    mnet_queue_t *made;

    ((mnet_site_t *)host()->site)->portfolio = options;
    theirs = threads_pool();
    assert_int_equal(mnet_queue_create(&made, host()->engine, NULL, theirs), 0);
    under_test = made;
    return made;
}

/* Of a kind that nobody knows: it is parked as soon as it is tried. */
static const char *put(const char *kind, const char *payload)
{
    mnet_queue_item_t item = {.kind = kind, .peer = "https://a.example", .user = "alice"};
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_put(host(), txn, &item, payload, payload ? strlen(payload) : 0,
                                    apr_time_now(), world->pool),
                     0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    return item.id;
}

static int state_of(const char *id)
{
    mnet_queue_item_t *item;

    return mnet_queue_look(host(), id, &item, NULL, world->pool) ? -1 : item->state;
}

static void end(mnet_queue_t *running)
{
    mnet_queue_stop(running);
    for (int i = 0; i < 500 && mnet_queue_busy(running); i++) {
        apr_sleep(10 * 1000);
    }
    assert_int_equal(mnet_queue_busy(running), 0);
    mnet_queue_end(running);
    apr_pool_destroy(theirs);
    under_test = NULL;
}

/* After a test that failed half-way, too, its threads must not outlive the world. */
static int teardown(void **state)
{
    if (under_test) {
        mnet_queue_stop(under_test);
        mnet_queue_end(under_test);
        apr_pool_destroy(theirs);
        under_test = NULL;
    }
    return world_teardown(state);
}

static int all_parked(const char *const *ids, int count)
{
    int parked = 1;

    for (int i = 0; i < count; i++) {
        parked &= state_of(ids[i]) == MNET_QUEUE_PARKED;
    }
    return parked;
}

static void test_what_is_due_is_begun(void **state)
{
    mnet_queue_t *running = queue();
    const char *ids[5];

    for (int i = 0; i < 5; i++) {
        ids[i] = put("unknown", NULL);
    }
    mnet_queue_tick(running, apr_time_now(), world->pool);
    /* More than a peer may have at once: one after another, and the last may be over before one
     * that was begun before it. */
    for (int i = 0; i < 500 && !all_parked(ids, 5); i++) {
        apr_sleep(10 * 1000);
    }
    assert_true(all_parked(ids, 5));
    end(running);
}

static void test_who_waits_is_told(void **state)
{
    mnet_queue_t *running = queue();
    const char *id = put("unknown", NULL), *said;
    mnet_queue_outcome_e outcome;
    mnet_queue_ticket_t *ticket;

    assert_int_equal(mnet_queue_begin(running, host(), id, &ticket, world->pool), 0);
    assert_int_equal(mnet_queue_wait(ticket, apr_time_from_sec(20), &outcome, &said, world->pool),
                     0);
    assert_int_equal(outcome, MNET_QUEUE_PARK);
    assert_non_null(strstr(said, "does not know"));
    assert_int_equal(mnet_queue_begin(running, host(), id, &ticket, world->pool), MNET_E_BUSY);
    assert_true(APR_STATUS_IS_NOTFOUND(mnet_queue_begin(
        running, host(), "00112233445566778899aabbccddeeff", &ticket, world->pool)));
    end(running);
}

static void test_a_damaged_payload_is_parked(void **state)
{
    mnet_queue_t *running = queue();
    const char *id = put("fetch", "\1damaged"), *said;
    mnet_queue_outcome_e outcome;
    mnet_queue_ticket_t *ticket;

    assert_int_equal(mnet_queue_begin(running, host(), id, &ticket, world->pool), 0);
    assert_int_equal(mnet_queue_wait(ticket, apr_time_from_sec(20), &outcome, &said, world->pool),
                     0);
    assert_int_equal(outcome, MNET_QUEUE_PARK);
    assert_string_equal(said, "its record is damaged");
    end(running);
}

/* It came while the clock was a day ahead, which was set right since. */
static void test_the_clock_is_looked_after(void **state)
{
    mnet_queue_item_t item = {.kind = "unknown", .peer = "https://a.example"};
    mnet_queue_t *running = queue();
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_put(host(), txn, &item, NULL, 0,
                                    apr_time_now() + apr_time_from_sec(86400), world->pool),
                     0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    mnet_queue_tick(running, apr_time_now(), world->pool);
    for (int i = 0; i < 500 && state_of(item.id) != MNET_QUEUE_PARKED; i++) {
        apr_sleep(10 * 1000);
    }
    assert_int_equal(state_of(item.id), MNET_QUEUE_PARKED);
    end(running);
}

/* A child of an earlier version went on for a while after this one began. */
static void test_what_an_earlier_version_adds_is_found(void **state)
{
    mnet_queue_t *running = queue();
    unsigned char id[MNET_QUEUE_ID_BYTES] = {5};
    mnet_pack_t *pack = mnet_record_create(host(), 1, world->pool);
    const char *text = mnet_queue_id_text(id, world->pool);
    apr_time_t now = apr_time_now();
    apr_status_t rv = APR_NOTFOUND;
    mnet_name_t name;
    mnet_txn_t *txn;

    mnet_pack_text(pack, "unknown");
    mnet_pack_text(pack, "https://a.example");
    mnet_pack_text(pack, NULL);
    mnet_pack_text(pack, NULL);
    mnet_pack_i64(pack, now);
    mnet_pack_u8(pack, MNET_QUEUE_WAITING);
    mnet_pack_i64(pack, now);
    mnet_pack_i64(pack, 0);
    mnet_pack_text(pack, NULL);
    mnet_pack_i64(pack, 0);
    mnet_name_begin(host(), &name);
    mnet_name_add(&name, id, sizeof(id));
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_record_put(txn, "queue", &name, pack), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    mnet_queue_tick(running, now, world->pool);
    for (int i = 0; i < 500 && rv; i++) { /* not looked for, which would move it */
        mnet_queue_item_t *item;

        apr_sleep(10 * 1000);
        assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_READ, &txn, world->pool), 0);
        rv = mnet_queue_get(host(), txn, text, &item, world->pool);
        rv = rv ? rv : item->state == MNET_QUEUE_PARKED ? APR_SUCCESS : APR_EAGAIN;
        mnet_txn_abort(txn);
    }
    assert_int_equal(rv, 0);
    end(running);
}

/* --- a store that fails --- */

static char *fail_host(void)
{
    char *dir = apr_pstrdup(world->pool, "/tmp/mnet-unit-XXXXXX");
    mnet_host_t *failing = apr_pmemdup(world->pool, world->a.host, sizeof(*failing));
    mnet_engine_t *engine = apr_pmemdup(world->pool, world->a.engine, sizeof(*engine));
    const char *why = "";

    assert_non_null(mkdtemp(dir));
    memset(&failing_store, 0, sizeof(failing_store));
    failing_store.rv = EIO;
    assert_int_equal(
        mnet_store_open(&engine->store, &mnet_store_failing, dir, 0, NULL, &why, world->pool), 0);
    failing->engine = engine;
    world->a.host = failing;
    return dir;
}

static void mend_host(mnet_host_t *own, const char *dir)
{
    mnet_store_close(host()->engine->store);
    world->a.host = own;
    remove_tree(dir, world->pool);
}

/* Commits fail from the second on, which is the one of the outcome: the first is the claim's. */
static const char *fails_at_the_end(mnet_queue_t *running, int more, mnet_queue_ticket_t **ticket)
{
    const char *id = put("unknown", NULL);

    failing_store.count = 0;
    failing_store.commits = 1;
    failing_store.more = more;
    failing_store.at = 2;
    assert_int_equal(mnet_queue_begin(running, host(), id, ticket, world->pool), 0);
    return id;
}

/* It would keep one of its peer's two places for a minute. */
static void test_an_outcome_is_written_when_the_disk_can_again(void **state)
{
    mnet_host_t *own = host();
    char *dir = fail_host();
    mnet_queue_t *running = queue();
    mnet_queue_outcome_e outcome;
    mnet_queue_ticket_t *ticket;
    const char *said, *id = fails_at_the_end(running, 3, &ticket);

    assert_int_equal(mnet_queue_wait(ticket, apr_time_from_sec(20), &outcome, &said, world->pool),
                     0);
    assert_int_equal(outcome, MNET_QUEUE_PARK);
    assert_true(failing_store.count >= 6);
    assert_int_equal(state_of(id), MNET_QUEUE_PARKED);
    assert_false(world_logged("MNET1007"));
    assert_true(world_logged("MNET1005"));
    end(running);
    mend_host(own, dir);
}

static void test_a_process_that_stops_does_not_wait_for_the_disk(void **state)
{
    mnet_host_t *own = host();
    char *dir = fail_host();
    mnet_queue_t *running = queue();
    mnet_queue_outcome_e outcome;
    mnet_queue_ticket_t *ticket;
    const char *said, *id = fails_at_the_end(running, 1000, &ticket);
    apr_time_t started;

    for (int i = 0; i < 500 && failing_store.count < 4; i++) {
        apr_sleep(10 * 1000);
    }
    assert_true(failing_store.count >= 4); /* it tries */
    assert_int_equal(state_of(id), MNET_QUEUE_RUNNING);
    started = apr_time_now();
    mnet_queue_stop(running);
    assert_int_equal(mnet_queue_wait(ticket, apr_time_from_sec(20), &outcome, &said, world->pool),
                     0);
    assert_true(apr_time_now() - started < apr_time_from_sec(1));
    assert_true(world_logged("MNET1007"));
    end(running);
    mend_host(own, dir);
}

static void test_stopped_it_begins_nothing(void **state)
{
    mnet_queue_t *running = queue();
    const char *id = put("unknown", NULL);
    mnet_queue_ticket_t *ticket;

    mnet_queue_stop(running);
    mnet_queue_tick(running, apr_time_now(), world->pool);
    assert_int_equal(mnet_queue_begin(running, host(), id, &ticket, world->pool), MNET_E_BUSY);
    assert_int_equal(state_of(id), MNET_QUEUE_WAITING);
    end(running);
}

/* --- peers that let us wait --- */

static const char *put_of(const char *peer)
{
    mnet_queue_item_t item = {.kind = "unknown", .peer = peer};
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_put(host(), txn, &item, NULL, 0, apr_time_now(), world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    return item.id;
}

/* An attempt for which nothing came for so many seconds; without a thread. */
static mnet_queue_ticket_t *attempt_of(mnet_queue_t *running, const char *peer, apr_uint32_t silent)
{
    mnet_queue_ticket_t *ticket = apr_pcalloc(world->pool, sizeof(*ticket));
    mnet_queue_item_t *item = apr_pcalloc(world->pool, sizeof(*item));

    item->id = "00112233445566778899aabbccddeeff";
    item->peer = peer;
    ticket->queue = running;
    ticket->host = host();
    ticket->item = item;
    ticket->refs = 1;
    ticket->moved = (apr_uint32_t)apr_time_sec(mnet_steady()) - silent;
    assert_int_equal(mnet_queue_peer(host(), peer, &ticket->peer), 0);
    ticket->next = running->under_way;
    running->under_way = ticket;
    running->busy++;
    return ticket;
}

static void attempts_are_over(mnet_queue_t *running)
{
    apr_thread_mutex_lock(running->mutex);
    for (mnet_queue_ticket_t **at = &running->under_way; *at;) {
        if ((*at)->pool) { /* a real one, that is about to end */
            at = &(*at)->next;
        } else {
            *at = (*at)->next;
            running->busy--;
        }
    }
    apr_thread_mutex_unlock(running->mutex);
}

static int is_tried(mnet_queue_t *running, const char *id, int tries)
{
    for (int i = 0; i < tries && state_of(id) != MNET_QUEUE_PARKED; i++) {
        mnet_queue_tick(running, apr_time_now(), world->pool);
        apr_sleep(10 * 1000);
    }
    return state_of(id) == MNET_QUEUE_PARKED;
}

/* Four that had users wait, and hang: all threads there are.  Others do not wait for them. */
static void test_peers_that_hang_do_not_hold_up_others(void **state)
{
    mnet_queue_t *running = queue();
    mnet_queue_ticket_t *ticket;
    mnet_queue_outcome_e outcome;
    const char *said, *slow = put_of("https://hangs0.example");

    for (int i = 0; i < MNET_QUEUE_THREADS; i++) {
        attempt_of(running, apr_psprintf(world->pool, "https://hangs%d.example", i % 4), 15);
    }
    assert_true(is_tried(running, put_of("https://sound.example"), 500));
    assert_int_equal(
        mnet_queue_begin(running, host(), put_of("https://waits.example"), &ticket, world->pool),
        0);
    assert_int_equal(mnet_queue_wait(ticket, apr_time_from_sec(20), &outcome, &said, world->pool),
                     0);
    assert_false(is_tried(running, slow, 20));
    assert_int_equal(mnet_queue_begin(running, host(), slow, &ticket, world->pool), MNET_E_BUSY);
    attempts_are_over(running);
    assert_true(is_tried(running, slow, 500));
    end(running);
}

/* They are few enough that nobody is harmed by them, or at work: as ever. */
static void test_threads_at_work_are_not_made_up_for(void **state)
{
    mnet_queue_t *running = queue();
    const char *id = put_of("https://sound.example");

    for (int i = 0; i < MNET_QUEUE_THREADS; i++) {
        attempt_of(running, apr_psprintf(world->pool, "https://peer%d.example", i),
                   i < MNET_QUEUE_HALF ? 15 : 0);
    }
    assert_int_equal(mnet_queue_spare(running), 0);
    assert_false(is_tried(running, id, 20));
    attempts_are_over(running);
    end(running);
}

static int slow_max(mnet_queue_t *running, const char *peer, int *is)
{
    mnet_queue_slow_t slow;
    mnet_queue_peer_t digest;

    mnet_queue_slow(running, &slow, world->pool);
    assert_int_equal(mnet_queue_peer(host(), peer, &digest), 0);
    *is = mnet_queue_is_slow(&slow, &digest);
    return slow.max;
}

/* The attempt's thread noted it since we looked at the clock. */
static void test_what_moves_now_is_not_silent(void **state)
{
    mnet_queue_t *running = queue();
    int is;

    (void)attempt_of(running, "https://sound.example", (apr_uint32_t)-1);
    (void)slow_max(running, "https://sound.example", &is);
    assert_false(is);
    attempts_are_over(running);
    end(running);
}

/* One that failed so is remembered, whoever else does, until it does better. */
static void test_a_slow_peer_is_remembered(void **state)
{
    mnet_queue_t *running = queue();
    mnet_queue_ticket_t *ticket = attempt_of(running, "https://slow.example", 15), *quick;
    int is;

    assert_int_equal(slow_max(running, "https://slow.example", &is), MNET_QUEUE_HALF - 1);
    assert_true(is);
    mnet_queue_mark(running, ticket, MNET_QUEUE_RETRY);
    attempts_are_over(running);
    assert_int_equal(slow_max(running, "https://slow.example", &is), MNET_QUEUE_HALF);
    assert_true(is);
    quick = attempt_of(running, "https://quick.example", 0);
    mnet_queue_mark(running, quick, MNET_QUEUE_RETRY);
    attempts_are_over(running);
    (void)slow_max(running, "https://quick.example", &is);
    assert_false(is);
    (void)slow_max(running, "https://slow.example", &is);
    assert_true(is);
    mnet_queue_mark(running, ticket, MNET_QUEUE_DONE);
    (void)slow_max(running, "https://slow.example", &is);
    assert_false(is);
    for (int i = 0; i < 2 * MNET_QUEUE_MARKS; i++) {
        ticket = attempt_of(running, apr_psprintf(world->pool, "https://slow%d.example", i), 15);
        mnet_queue_mark(running, ticket, MNET_QUEUE_RETRY);
        attempts_are_over(running);
        (void)slow_max(running, ticket->item->peer, &is);
        assert_true(is);
    }
    end(running);
}

/* Of one that is slow one item is begun; and of all of them so many. */
static void test_slow_peers_have_one_item_each(void **state)
{
    mnet_queue_slow_t slow = {apr_array_make(world->pool, 4, sizeof(mnet_queue_peer_t)), 2};
    struct mnet_queue_owner_t owner = {getpid(), (apr_int64_t)7 << 32};
    apr_array_header_t *items;
    int of_slow = 0;

    for (int i = 0; i < 4; i++) {
        const char *peer = apr_psprintf(world->pool, "https://slow%d.example", i);

        (void)put_of(peer);
        (void)put_of(peer);
        assert_int_equal(mnet_queue_peer(host(), peer, apr_array_push(slow.peers)), 0);
    }
    (void)put_of("https://sound.example");
    (void)put_of("https://sound.example");
    assert_int_equal(
        mnet_queue_claim(host(), &owner, 20, 20, &slow, apr_time_now(), &items, world->pool), 0);
    for (int i = 0; i < items->nelts; i++) {
        of_slow += !strncmp(APR_ARRAY_IDX(items, i, mnet_queue_item_t *)->peer, "https://slow", 12);
    }
    assert_int_equal(of_slow, 2);
    assert_int_equal(items->nelts, 4);
    slow.max = 10;
    assert_int_equal(
        mnet_queue_claim(host(), &owner, 20, 20, &slow, apr_time_now(), &items, world->pool), 0);
    assert_int_equal(items->nelts, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_what_is_due_is_begun),
        T(test_who_waits_is_told),
        T(test_peers_that_hang_do_not_hold_up_others),
        T(test_threads_at_work_are_not_made_up_for),
        T(test_what_moves_now_is_not_silent),
        T(test_a_slow_peer_is_remembered),
        T(test_slow_peers_have_one_item_each),
        T(test_a_damaged_payload_is_parked),
        T(test_the_clock_is_looked_after),
        T(test_what_an_earlier_version_adds_is_found),
        T(test_stopped_it_begins_nothing),
        T(test_an_outcome_is_written_when_the_disk_can_again),
        T(test_a_process_that_stops_does_not_wait_for_the_disk),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
