/* SPDX-License-Identifier: Apache-2.0 */
/* How the queue lies in the store: long lines, what an earlier version left, a clock set back. */
#include "queue_help.h"

#define DAY  apr_time_from_sec(86400)
#define YEAR (365 * DAY)
#define MANY 300

/* --- lines --- */

static void drop(const char *id)
{
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_drop(host(), txn, id, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
}

/* All that is due is claimed and done; how many that were, in the order of their times. */
static int work_off(apr_time_t now)
{
    apr_time_t last = 0;
    int count = 0;

    for (;;) {
        apr_array_header_t *items = claim(1, 1, now);
        mnet_queue_item_t before;

        if (!items->nelts) {
            return count;
        }
        before = *item_at(items, 0);
        /* While it runs, due is its lease; when it was put it was told in its title. */
        assert_int_equal(before.due, now + MNET_QUEUE_LEASE);
        assert_true(apr_strtoi64(before.title, NULL, 10) >= last);
        last = apr_strtoi64(before.title, NULL, 10);
        assert_int_equal(give_back(&before, MNET_QUEUE_DONE, 0, now), -1);
        count++;
    }
}

static const char *put_told(const char *peer, apr_time_t due, apr_time_t now)
{
    mnet_queue_item_t item = {.kind = "fetch", .peer = peer, .due = due};
    mnet_txn_t *txn;

    item.title = apr_psprintf(world->pool, "%" APR_TIME_T_FMT, due);
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_put(host(), txn, &item, "load", 4, now, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    return item.id;
}

/* Put in order, against it and across; some leave from the middle. */
static void test_a_long_line_keeps_its_order(void **state)
{
    apr_time_t now = apr_time_now();
    const char *ids[3 * MANY];
    int dropped = 0;

    for (int i = 0; i < MANY; i++) {
        int across = (int)((unsigned)i * 7919 % MANY);

        ids[3 * i] = put_told("https://a.example", now - 2 * MANY + i, now);
        ids[3 * i + 1] = put_told("https://a.example", now - MANY - i, now);
        ids[3 * i + 2] = put_told("https://a.example", now - 3 * MANY + 2 * across, now);
    }
    for (int i = 0; i < 3 * MANY; i += 4, dropped++) {
        drop(ids[i]);
    }
    assert_int_equal(work_off(now), 3 * MANY - dropped);
    assert_int_equal(records(), 0);
}

/* A plain list, which must say the same. */
typedef struct known_t {
    const char *id;
    int peer, runs;
    apr_time_t due; /* -1: it is gone */
} known_t;

#define KNOWN  2000
#define PEERS  3
#define ROUNDS 4000

/* Who is next by the list: the first that is due, of a peer that may have another. */
static int next_of(const known_t *known, int count, apr_time_t now)
{
    int best = -1, running[PEERS] = {0};

    for (int i = 0; i < count; i++) {
        running[known[i].peer] += known[i].due >= 0 && known[i].runs;
    }
    for (int i = 0; i < count; i++) {
        if (known[i].due >= 0 && !known[i].runs && known[i].due <= now &&
            running[known[i].peer] < MNET_QUEUE_PER_PEER &&
            (best < 0 || known[i].due < known[best].due)) {
            best = i;
        }
    }
    return best;
}

static void step(known_t *known, int *count, unsigned dice, apr_time_t now)
{
    known_t *one = &known[dice / 7 % (*count ? *count : 1)];
    apr_array_header_t *items;
    int next, state;

    if (dice % 7 < 3 && *count < KNOWN) {
        one = &known[(*count)++];
        one->peer = (int)(dice / 7 % PEERS);
        one->due = now - 5000 + dice / 21 % 10000;
        one->id = put(apr_psprintf(world->pool, "https://%d.example", one->peer), one->due, now);
    } else if (dice % 7 < 5) {
        items = claim(1, 1, now);
        next = next_of(known, *count, now);
        assert_int_equal(items->nelts, next >= 0);
        if (next >= 0) {
            for (next = 0; strcmp(known[next].id, item_at(items, 0)->id); next++) {
            }
            assert_int_equal(known[next].due, known[next_of(known, *count, now)].due);
            known[next].runs = 1;
        }
    } else if (*count && one->due >= 0 && one->runs) {
        mnet_queue_item_t *item = look(one->id);

        state = give_back(item, dice % 2 ? MNET_QUEUE_DONE : MNET_QUEUE_RETRY, 0, now);
        one->runs = 0;
        one->due = state < 0 ? -1 : look(one->id)->due;
    } else if (*count && one->due >= 0 && dice % 3 == 0) {
        drop(one->id);
        one->due = -1;
    }
}

static void test_it_does_what_a_list_would(void **state)
{
    known_t *known = apr_pcalloc(world->pool, KNOWN * sizeof(*known));
    apr_time_t now = apr_time_now();
    unsigned dice = 20;
    int count = 0;

    for (int i = 0; i < ROUNDS; i++, now += 3) {
        dice = dice * 1664525 + 1013904223;
        step(known, &count, dice >> 4, now);
    }
    assert_true(count > ROUNDS / 3);
    for (int i = 0; i < count; i++) {
        if (known[i].due >= 0) {
            drop(known[i].id);
        }
    }
    assert_int_equal(records(), 0);
}

/* Of many peers the one that waits longest is next, however many of them there are. */
static void test_many_peers_take_turns(void **state)
{
    apr_time_t now = apr_time_now();

    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 3; k++) {
            (void)put_told(apr_psprintf(world->pool, "https://%d.example", i),
                           now - 1000 + 100 * k + i, now);
        }
    }
    /* Two of each at once, and no more. */
    assert_int_equal(claim(1000, 1000, now)->nelts, 100 * MNET_QUEUE_PER_PEER);
    assert_int_equal(claim(1000, 1000, now)->nelts, 0);
    now += MNET_QUEUE_LEASE - 1;
    assert_int_equal(mnet_queue_reap(host(), us(), NULL, now, world->pool), 0);
    assert_int_equal(claim(1000, 1000, now)->nelts, 0);
    assert_int_equal(mnet_queue_reap(host(), us(), NULL, ++now, world->pool), 0);
    assert_int_equal(claim(1000, 1000, now)->nelts, 100 * MNET_QUEUE_PER_PEER);
}

/* Its record is written when it waits, not when it is begun: what is told of it is right all the
 * same, and an attempt that was interrupted by a crash counts. */
static void test_a_lease_tells_of_its_item(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = put("https://a.example", 0, now);
    mnet_queue_item_t *claimed = item_at(claim(1, 1, now), 0);
    apr_array_header_t *list;

    assert_int_equal(mnet_queue_list(host(), NULL, 0, &list, world->pool), 0);
    assert_int_equal(list->nelts, 1);
    assert_int_equal(item_at(list, 0)->state, MNET_QUEUE_RUNNING);
    assert_int_equal(item_at(list, 0)->attempts, 1);
    assert_int_equal(mnet_queue_renew(host(), us(), claimed, now + MINUTES(1), world->pool), 0);
    assert_int_equal(look(id)->due, now + MINUTES(1) + MNET_QUEUE_LEASE);
    assert_int_equal(mnet_queue_retry(host(), id, now, world->pool), MNET_E_BUSY);
    now += MINUTES(10); /* its process hangs */
    assert_int_equal(mnet_queue_reap(host(), us(), NULL, now, world->pool), 0);
    assert_int_equal(look(id)->state, MNET_QUEUE_WAITING);
    assert_int_equal(item_at(claim(1, 1, now), 0)->attempts, 2);
    assert_int_equal(look(id)->attempts, 2);
}

/* --- an earlier version's --- */

static void put_raw(const char *group, const mnet_name_t *name, const void *data, apr_size_t len)
{
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_txn_put(txn, group, name->bytes, name->len, data, len), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
}

/* As they were written by the first layout. */
static const char *put_old(int i, int item_state, apr_time_t due, apr_time_t now)
{
    unsigned char id[MNET_QUEUE_ID_BYTES] = {1, (unsigned char)(i >> 8), (unsigned char)i};
    mnet_pack_t *pack = mnet_pack_create(1, world->pool), *lease = mnet_pack_create(1, world->pool);
    const char *peer = apr_psprintf(world->pool, "https://%d.example", i % 7);
    const void *data;
    apr_size_t len;
    mnet_name_t name;

    mnet_pack_text(pack, host()->site->wwwroot);
    mnet_pack_text(pack, "fetch");
    mnet_pack_text(pack, peer);
    mnet_pack_text(pack, "alice");
    mnet_pack_text(pack, apr_psprintf(world->pool, "%" APR_TIME_T_FMT, due));
    mnet_pack_i64(pack, due);
    mnet_pack_u8(pack, (unsigned char)item_state);
    mnet_pack_i64(pack, now);
    mnet_pack_i64(pack, item_state != MNET_QUEUE_WAITING);
    mnet_pack_text(pack, NULL);
    mnet_pack_i64(pack, 0);
    data = mnet_pack_end(pack, &len);
    mnet_name_begin(host(), &name);
    mnet_name_add(&name, id, sizeof(id));
    put_raw("queue", &name, data, len);
    mnet_name_add(&name, "\1", 1);
    put_raw("queue", &name, "load", 4);
    mnet_name_begin(host(), &name);
    assert_int_equal(mnet_name_add_digest(host(), &name, peer, NULL), 0);
    put_raw("queue-bytes", &name, "\1\0\0\0\0\0\0\0\4", 9);
    mnet_name_add_time(&name, due);
    mnet_name_add(&name, id, sizeof(id));
    put_raw("queue-line", &name, "", 0);
    if (item_state == MNET_QUEUE_RUNNING) {
        mnet_name_begin(host(), &name);
        assert_int_equal(mnet_name_add_digest(host(), &name, peer, NULL), 0);
        mnet_name_add(&name, id, sizeof(id));
        mnet_pack_i64(lease, 1);
        mnet_pack_i64(lease, 2);
        mnet_pack_i64(lease, now + YEAR);
        data = mnet_pack_end(lease, &len);
        put_raw("queue-busy", &name, data, len);
    }
    return mnet_queue_id_text(id, world->pool);
}

static int old_records(void)
{
    static const char *const groups[] = {"queue",      "queue-busy", "queue-bytes",
                                         "queue-done", "queue-head", "queue-line"};
    mnet_txn_t *txn;
    int count = 0;

    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_READ, &txn, world->pool), 0);
    for (int i = 0; i < 6; i++) {
        mnet_txn_each(txn, groups[i], NULL, 0, NULL, 0, count_one, &count);
    }
    mnet_txn_abort(txn);
    return count;
}

static void test_what_an_earlier_version_left_is_moved(void **state)
{
    apr_time_t now = apr_time_now();
    const char *running, *parked, *later;
    apr_array_header_t *list;
    const void *payload;
    apr_size_t len;
    mnet_txn_t *txn;

    for (int i = 0; i < 2 * MANY; i++) { /* more than go into one transaction */
        (void)put_old(i, MNET_QUEUE_WAITING, now - 10 * MANY + i, now - YEAR);
    }
    running = put_old(2 * MANY, MNET_QUEUE_RUNNING, now + MINUTES(1), now - YEAR);
    parked = put_old(2 * MANY + 1, MNET_QUEUE_PARKED, now + MINUTES(60), now - YEAR);
    later = put_old(2 * MANY + 2, MNET_QUEUE_WAITING, now + MINUTES(30), now - YEAR);
    assert_int_equal(mnet_queue_list(host(), NULL, 0, &list, world->pool), 0);
    assert_int_equal(list->nelts, 2 * MANY + 3);
    assert_true(world_logged("MNET1024"));
    assert_int_equal(old_records(), 0);
    assert_int_equal(look(running)->state, MNET_QUEUE_WAITING);
    assert_int_equal(look(running)->attempts, 1);
    assert_int_equal(look(parked)->state, MNET_QUEUE_PARKED);
    assert_int_equal(look(later)->due, now + MINUTES(30));
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_READ, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_payload(host(), txn, later, &payload, &len, world->pool), 0);
    mnet_txn_abort(txn);
    assert_int_equal(len, 4);
    assert_memory_equal(payload, "load", 4);
    assert_int_equal(work_off(apr_time_now()), 2 * MANY + 1);
    drop(parked);
    drop(later);
    assert_int_equal(records(), 0); /* nor bytes of anybody */
}

/* More bytes than go into one transaction lie before the items, and belong to none of them. */
static void test_what_belongs_to_nothing_hides_no_item(void **state)
{
    apr_size_t big = ((apr_size_t)1 << 20) + 10;
    apr_time_t now = apr_time_now();
    unsigned char id[MNET_QUEUE_ID_BYTES] = {0};
    const char *good = put_old(1, MNET_QUEUE_WAITING, now, now);
    mnet_name_t name;

    mnet_name_begin(host(), &name);
    mnet_name_add(&name, id, sizeof(id));
    mnet_name_add(&name, "\1", 1);
    put_raw("queue", &name, apr_pcalloc(world->pool, big), big);
    assert_non_null(look(good));
    assert_int_equal(old_records(), 0);
    assert_int_equal(work_off(apr_time_now()), 1);
    assert_int_equal(records(), 0);
}

static void test_another_site_s_old_records_stay(void **state)
{
    apr_time_t now = apr_time_now();
    apr_array_header_t *list;
    int count;

    (void)put_old(1, MNET_QUEUE_WAITING, now, now);
    count = old_records();
    assert_int_equal(mnet_queue_list(world->b.host, NULL, 0, &list, world->pool), 0);
    assert_int_equal(list->nelts, 0);
    assert_int_equal(old_records(), count);
}

/* --- the clock --- */

static void test_a_clock_set_back_makes_nobody_wait_for_it(void **state)
{
    apr_time_t now = apr_time_now(), wrong = now + DAY;
    const char *fresh = put("https://a.example", 0, wrong), *failed, *parked, *chosen, *young;
    apr_array_header_t *items;

    failed = put("https://b.example", 0, now - MINUTES(1));
    give_back(item_at(claim(1, 1, now), 0), MNET_QUEUE_RETRY, 0, wrong);
    parked = put("https://c.example", 0, now - MINUTES(1));
    give_back(item_at(claim(1, 1, now), 0), MNET_QUEUE_PARK, 0, wrong);
    chosen = put("https://d.example", now + YEAR, now); /* for that time, and not by a clock */
    young = put("https://e.example", 0, now + MINUTES(1) - 1);
    assert_int_equal(claim(10, 10, now)->nelts, 0);

    assert_int_equal(mnet_queue_retime(host(), now, world->pool), 0);
    assert_true(world_logged("MNET1025"));
    assert_int_equal(look(fresh)->due, now);
    assert_int_equal(look(failed)->state, MNET_QUEUE_WAITING);
    assert_true(look(failed)->due > now + MINUTES(3) && look(failed)->due < now + MINUTES(7));
    assert_int_equal(look(failed)->failed, now);
    assert_int_equal(look(parked)->state, MNET_QUEUE_PARKED);
    assert_true(look(parked)->due > now && look(parked)->due < now + 15 * DAY / 2);
    assert_int_equal(look(chosen)->due, now + YEAR);
    assert_int_equal(look(young)->due, now + MINUTES(1) - 1);
    items = claim(10, 10, now);
    assert_string_equal(item_at(items, 0)->id, fresh);
    give_back(item_at(items, 0), MNET_QUEUE_DONE, 0, now);
    assert_int_equal(claim(10, 10, now + MINUTES(7))->nelts, 2); /* failed, and young */
}

/* It came while the clock was ahead, and failed when that was mended: the pause is the failure's.
 */
static void test_a_clock_set_back_shortens_no_pause(void **state)
{
    apr_time_t now = apr_time_now(), due;
    const char *id = put("https://a.example", 0, now + DAY);

    give_back(item_at(claim(1, 1, now + DAY), 0), MNET_QUEUE_RETRY, 0, now);
    due = look(id)->due;
    assert_true(due > now + MINUTES(3));
    assert_int_equal(mnet_queue_retime(host(), now + 1, world->pool), 0);
    assert_int_equal(look(id)->due, due);
}

/* One that is interrupted while the clock is wrong does not wait for that time either. */
static void test_interrupted_it_keeps_its_place(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id = put("https://a.example", 0, now);

    give_back(item_at(claim(1, 1, now), 0), MNET_QUEUE_RETRY, 1, now + YEAR);
    (void)put("https://a.example", 0, now + 1);
    assert_string_equal(item_at(claim(1, 1, now + 2), 0)->id, id);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_long_line_keeps_its_order),
        T(test_it_does_what_a_list_would),
        T(test_many_peers_take_turns),
        T(test_a_lease_tells_of_its_item),
        T(test_what_an_earlier_version_left_is_moved),
        T(test_what_belongs_to_nothing_hides_no_item),
        T(test_another_site_s_old_records_stay),
        T(test_a_clock_set_back_makes_nobody_wait_for_it),
        T(test_a_clock_set_back_shortens_no_pause),
        T(test_interrupted_it_keeps_its_place),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
