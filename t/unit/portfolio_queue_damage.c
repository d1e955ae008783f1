/* SPDX-License-Identifier: Apache-2.0 */
/* Records of one peer that cannot be read: the queue goes on with the others'. */
#include "queue_help.h"

#define A "https://a.example"
#define B "https://b.example"

static void put_raw(const char *group, const mnet_name_t *name, const void *data, apr_size_t len)
{
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_txn_put(txn, group, name->bytes, name->len, data, len), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
}

static void name_peer(const char *peer, mnet_name_t *name)
{
    mnet_queue_peer_t digest;

    assert_int_equal(mnet_queue_peer(host(), peer, &digest), 0);
    mnet_queue_peer_name(host(), &digest, name);
}

static void name_part(const char *peer, mnet_name_t *name)
{
    mnet_queue_place_t last;

    name_peer(peer, name);
    memset(last.bytes, 0xff, sizeof(last.bytes));
    mnet_name_add(name, last.bytes, sizeof(last.bytes));
}

static int listed(void)
{
    apr_array_header_t *list;

    assert_int_equal(mnet_queue_list(host(), NULL, 0, &list, world->pool), 0);
    return list->nelts;
}

static void drop(const char *id)
{
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_drop(host(), txn, id, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
}

/* It says nothing of who works on what, and is written anew. */
static void test_what_is_kept_of_a_peer_is_damaged(void **state)
{
    apr_time_t now = apr_time_now();
    const char *a = put(A, now - 10, now), *b = put(B, now - 5, now);
    mnet_name_t name;

    name_peer(A, &name);
    put_raw(MNET_GROUP_LINE, &name, "\1damaged", 8);
    assert_int_equal(mnet_queue_reap(host(), us(), NULL, now, world->pool), 0);
    assert_int_equal(listed(), 2);
    assert_int_equal(look(a)->state, MNET_QUEUE_WAITING);
    assert_int_equal(claim(10, 10, now)->nelts, 2);
    assert_int_equal(look(a)->state, MNET_QUEUE_RUNNING);
    drop(a);
    drop(b);
    assert_int_equal(records(), 0);
}

/* These wait, and nothing is begun of them by halves. */
static void others_go_on(void (*name_it)(const char *peer, mnet_name_t *name), const char *bytes)
{
    apr_time_t now = apr_time_now();
    apr_array_header_t *items;
    const char *b;
    mnet_name_t name;

    (void)put(A, now - 10, now);
    b = put(B, now - 5, now);
    name_it(A, &name);
    put_raw(MNET_GROUP_LINE, &name, bytes, strlen(bytes));
    items = claim(10, 10, now);
    assert_int_equal(items->nelts, 1);
    assert_string_equal(item_at(items, 0)->id, b);
    assert_true(world_logged("MNET1026"));
    assert_int_equal(mnet_queue_reap(host(), us(), NULL, now + MINUTES(2), world->pool), 0);
    assert_int_equal(look(b)->state, MNET_QUEUE_WAITING);
    assert_int_equal(listed(), 2);
    assert_int_equal(claim(10, 10, now + MINUTES(2))->nelts, 1);
    drop(b);
}

static void test_what_is_kept_of_a_peer_is_a_later_version_s(void **state)
{
    others_go_on(name_peer, "\2later");
}

static void test_a_line_is_damaged(void **state)
{
    others_go_on(name_part, "\1damaged");
}

static void test_a_line_is_a_later_version_s(void **state)
{
    others_go_on(name_part, "\2later");
}

/* It is in the way of nothing, and is not taken for one that is gone. */
static void test_an_item_is_damaged(void **state)
{
    apr_time_t now = apr_time_now();
    const char *a = put(A, now - 10, now), *b = put(B, now - 5, now);
    apr_array_header_t *heads = apr_array_make(world->pool, 4, sizeof(mnet_queue_head_t));
    apr_array_header_t *items;
    mnet_name_t name;
    mnet_txn_t *txn;

    assert_int_equal(mnet_queue_name(host(), a, &name), 0);
    put_raw(MNET_GROUP_QUEUE, &name, "\1damaged", 8);
    items = claim(10, 10, now);
    assert_int_equal(items->nelts, 1);
    assert_string_equal(item_at(items, 0)->id, b);
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_READ, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_heads(host(), txn, NULL, now, 10, heads), 0);
    mnet_txn_abort(txn);
    assert_int_equal(heads->nelts, 0); /* it is not looked at for ever */
    assert_true(world_logged("MNET1076"));
    assert_int_equal(listed(), 2);
    assert_int_equal(mnet_queue_exists(host(), a, world->pool), 0);
    drop(b);
    assert_true(APR_STATUS_IS_NOTFOUND(mnet_queue_exists(host(), b, world->pool)));
    drop(a);
    assert_true(APR_STATUS_IS_NOTFOUND(mnet_queue_exists(host(), a, world->pool)));
    assert_int_equal(records(), 0);
}

static void damage(const char *id)
{
    mnet_name_t name;

    assert_int_equal(mnet_queue_name(host(), id, &name), 0);
    put_raw(MNET_GROUP_QUEUE, &name, "\1damaged", 8);
}

/* It is dropped whether it waits, for whenever, or somebody is at it; and nothing of it is left. */
static void test_a_damaged_item_can_be_dropped(void **state)
{
    apr_time_t now = apr_time_now();
    const char *id;
    mnet_txn_t *txn;

    id = put(A, now + MINUTES(60), now);
    damage(id);
    drop(id);
    assert_int_equal(records(), 0);
    id = put(A, now, now);
    assert_int_equal(claim(10, 10, now)->nelts, 1);
    damage(id);
    drop(id);
    assert_int_equal(records(), 0);
    id = put(A, now, now);
    assert_int_equal(claim(10, 10, now)->nelts, 1);
    damage(id);
    assert_int_equal(mnet_queue_reap(host(), us(), NULL, now + MINUTES(2), world->pool), 0);
    assert_int_equal(records(), 1); /* no lease for ever */
    drop(id);
    assert_int_equal(records(), 0);
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_true(APR_STATUS_IS_NOTFOUND(mnet_queue_drop(host(), txn, id, world->pool)));
    mnet_txn_abort(txn);
}

/* Somebody is at it, and what says so is damaged: it is in nobody's hands then, and in no line. */
static void test_a_lost_lease_is_mended(void **state)
{
    apr_time_t now = apr_time_now(), later = now + MINUTES(10);
    const char *a = put(A, now - 10, now);
    mnet_name_t name;

    assert_int_equal(claim(10, 10, now)->nelts, 1);
    assert_int_equal(mnet_queue_mend(host(), later, world->pool), 0);
    assert_int_equal(claim(10, 10, later)->nelts, 0); /* it is in order */
    name_peer(A, &name);
    put_raw(MNET_GROUP_LINE, &name, "\1damaged", 8);
    assert_int_equal(claim(10, 10, later)->nelts, 0);
    assert_int_equal(mnet_queue_mend(host(), later, world->pool), 0);
    assert_true(world_logged("MNET1075"));
    assert_int_equal(claim(10, 10, later)->nelts, 1);
    assert_int_equal(look(a)->state, MNET_QUEUE_RUNNING);
    drop(a);
}

/* By the hour, or by `mnetctl queue retry` at once. */
static void test_a_damaged_line_is_mended(void **state)
{
    apr_time_t now = apr_time_now(), later = now + MINUTES(10);
    const char *ids[60];
    mnet_name_t name;
    int claimed = 0;

    for (int i = 0; i < 60; i++) {
        ids[i] = put(A, now - 100 + i, now);
    }
    name_part(A, &name);
    put_raw(MNET_GROUP_LINE, &name, "\1damaged", 8);
    assert_int_equal(mnet_queue_retry(host(), ids[59], now, world->pool), 0);
    assert_int_equal(mnet_queue_mend(host(), later, world->pool), 0);
    for (int n = 1; n;) {
        apr_array_header_t *items = claim(10, 10, later);

        n = items->nelts;
        claimed += n;
        for (int i = 0; i < n; i++) {
            give_back(item_at(items, i), MNET_QUEUE_DONE, 0, later);
        }
    }
    assert_int_equal(claimed, 60);
    assert_int_equal(records(), 0);
}

/* Two that are due at the same time are first, so that neither is when it is put in again. */
static void test_a_line_that_is_not_found_is_mended(void **state)
{
    apr_time_t now = apr_time_now(), later = now + MINUTES(10);
    mnet_queue_peer_t peer;
    mnet_txn_t *txn;
    mnet_name_t head;

    (void)put(A, now, now);
    (void)put(A, now, now);
    assert_int_equal(mnet_queue_peer(host(), A, &peer), 0);
    mnet_name_begin(host(), &head);
    mnet_name_add_time(&head, now);
    mnet_name_add(&head, peer.bytes, sizeof(peer.bytes));
    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_txn_del(txn, MNET_GROUP_NEXT, head.bytes, head.len), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_int_equal(claim(10, 10, later)->nelts, 0);
    assert_int_equal(mnet_queue_mend(host(), later, world->pool), 0);
    assert_int_equal(claim(10, 10, later)->nelts, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_what_is_kept_of_a_peer_is_damaged),
        T(test_what_is_kept_of_a_peer_is_a_later_version_s),
        T(test_a_line_is_damaged),
        T(test_a_line_is_a_later_version_s),
        T(test_an_item_is_damaged),
        T(test_a_damaged_item_can_be_dropped),
        T(test_a_lost_lease_is_mended),
        T(test_a_damaged_line_is_mended),
        T(test_a_line_that_is_not_found_is_mended),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
