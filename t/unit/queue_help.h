/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_T_QUEUE_HELP_H
#define MNET_T_QUEUE_HELP_H

/* The queue of the first site of a world, for tests: put, claimed, given back, looked at. */

#include "sso_world.h"

#include <unistd.h>

#include "base/status.h"
#include "portfolio/queue_int.h"

#define MINUTES(n) apr_time_from_sec(60 * (n))

static inline mnet_host_t *host(void)
{
    return world->a.host;
}

static inline const struct mnet_queue_owner_t *us(void)
{
    struct mnet_queue_owner_t *owner = apr_pcalloc(world->pool, sizeof(*owner));

    owner->pid = getpid();
    owner->nonce = (apr_int64_t)7 << 32;
    return owner;
}

static inline const char *put(const char *peer, apr_time_t due, apr_time_t now)
{
    mnet_queue_item_t item = {.kind = "fetch", .peer = peer, .user = "alice", .due = due};
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_queue_put(host(), txn, &item, "load", 4, now, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    return item.id;
}

static inline apr_array_header_t *claim(int max, int again, apr_time_t now)
{
    apr_array_header_t *items;

    assert_int_equal(mnet_queue_claim(host(), us(), max, again, NULL, now, &items, world->pool), 0);
    return items;
}

static inline mnet_queue_item_t *item_at(const apr_array_header_t *items, int i)
{
    return APR_ARRAY_IDX(items, i, mnet_queue_item_t *);
}

static inline int give_back(const mnet_queue_item_t *item, mnet_queue_outcome_e outcome,
                            int stopped, apr_time_t now)
{
    int state;

    assert_int_equal(mnet_queue_give_back(host(), us(), item, outcome, "because", stopped, now,
                                          &state, world->pool),
                     0);
    return state;
}

static inline mnet_queue_item_t *look(const char *id)
{
    mnet_queue_item_t *item;
    apr_status_t rv = mnet_queue_look(host(), id, &item, NULL, world->pool);

    assert_true(!rv || APR_STATUS_IS_NOTFOUND(rv));
    return item;
}

/* Records of a group, of whatever item. */
static inline apr_status_t count_one(void *baton, mnet_txn_t *txn, const void *key,
                                     apr_size_t key_len, const void *data, apr_size_t len)
{
    ++*(int *)baton;
    return APR_SUCCESS;
}

static inline int records(void)
{
    static const char *const groups[] = {MNET_GROUP_QUEUE, MNET_GROUP_DONE, MNET_GROUP_NEXT,
                                         MNET_GROUP_LINE};
    mnet_txn_t *txn;
    int count = 0;

    assert_int_equal(mnet_txn_begin(host()->engine->store, MNET_READ, &txn, world->pool), 0);
    for (int i = 0; i < 4; i++) {
        mnet_txn_each(txn, groups[i], NULL, 0, NULL, 0, count_one, &count);
    }
    mnet_txn_abort(txn);
    return count;
}

#endif
