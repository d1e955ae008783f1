/* SPDX-License-Identifier: Apache-2.0 */
/* Intents that a announces to b: how many may be open at once. */
#include "sso_world.h"

#include <sys/stat.h>

#include "portfolio/intent.h"
#include "portfolio/portfolio.h"
#include "portfolio/queue_int.h"
#include "rpc/fault.h"

#define INTENT "portfolio/mahara/lib.php/send_content_intent"

static mnet_portfolio_t portfolio;

static int setup(void **state)
{
    const char *dir;
    mnet_txn_t *txn;

    assert_int_equal(sso_setup(state), 0);
    dir = apr_pstrcat(world->pool, world->b.dir, "/portfolio", NULL);
    assert_int_equal(mkdir(dir, 0700), 0);
    world->b.site->portfolio = mnet_portfolio_options_create(dir, world->pool);
    assert_int_equal(mnet_portfolio_register(world->registry, &portfolio, NULL, world->pool), 0);
    serve(&world->a, world->b.wwwroot, "pf", "pf");
    serve(&world->b, world->a.wwwroot, "pf", "pf");
    assert_int_equal(mnet_txn_begin(world->b.host->engine->store, MNET_WRITE, &txn, world->pool),
                     0);
    assert_int_equal(mnet_account_note(world->b.host, txn, world->a.wwwroot, "alice", NULL,
                                       apr_time_now(), world->pool),
                     0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    return 0;
}

/* So many more of that peer's; the status of the last. */
static apr_status_t announce(const char *peer, int count, const char **token)
{
    mnet_intent_t intent = {.peer = peer, .user = "alice"};
    apr_status_t rv = APR_SUCCESS;
    apr_pool_t *scratch;
    mnet_txn_t *txn;

    assert_int_equal(apr_pool_create(&scratch, world->pool), 0);
    assert_int_equal(mnet_txn_begin(world->b.host->engine->store, MNET_WRITE, &txn, world->pool),
                     0);
    for (int i = 0; !rv && i < count; i++) {
        apr_pool_clear(scratch);
        rv = mnet_intent_create(world->b.host, txn, &intent, apr_time_now(), token, scratch);
    }
    *token = rv ? NULL : apr_pstrdup(world->pool, *token);
    assert_int_equal(mnet_txn_commit(txn), 0);
    apr_pool_destroy(scratch);
    return rv;
}

static const char *answer(void)
{
    mnet_reply_t *reply = call_texts(&world->a, &world->b, INTENT, "alice", NULL);

    assert_int_equal(reply->kind, MNET_CALL_OK);
    return mnet_as_text(mnet_get(reply->value, "sendtype"), world->pool);
}

/* So many more bytes of a's wait at b. */
static void hold(apr_int64_t bytes)
{
    mnet_txn_t *txn;

    assert_int_equal(mnet_txn_begin(world->b.host->engine->store, MNET_WRITE, &txn, world->pool),
                     0);
    assert_int_equal(mnet_queue_add_bytes(world->b.host, txn, world->a.wwwroot, bytes,
                                          APR_INT64_MAX, world->pool),
                     0);
    assert_int_equal(mnet_txn_commit(txn), 0);
}

static mnet_reply_t *ready(mnet_value_t **values, int count)
{
    apr_array_header_t *params = apr_array_make(world->pool, 5, sizeof(mnet_value_t *));
    mnet_outgoing_t outgoing = {.host = world->a.host,
                                .peer = world->b.wwwroot,
                                .method = "portfolio/mahara/lib.php/send_content_ready",
                                .params = params};
    mnet_reply_t *reply;

    for (int i = 0; i < count; i++) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = values[i];
    }
    mnet_client_call(&outgoing, &reply, world->pool);
    return reply;
}

static void too_many(void **state)
{
    const char *token, *last;
    mnet_intent_t *intent;
    mnet_txn_t *txn;

    assert_int_equal(announce(world->a.wwwroot, MNET_INTENTS_OPEN - 1, &last), 0);
    assert_string_equal(answer(), "immediate");
    assert_string_equal(answer(), "none"); /* as a Moodle understands it */
    assert_int_equal(announce(world->a.wwwroot, 1, &token), MNET_E_LIMIT);
    assert_int_equal(announce("https://other.example", 1, &token), 0);

    /* What is sent makes room, once. */
    assert_int_equal(mnet_txn_begin(world->b.host->engine->store, MNET_WRITE, &txn, world->pool),
                     0);
    assert_int_equal(mnet_intent_get(world->b.host, txn, last, &intent, world->pool), 0);
    intent->state = MNET_INTENT_READY;
    assert_int_equal(mnet_intent_put(world->b.host, txn, last, intent, world->pool), 0);
    intent->state = MNET_INTENT_DONE;
    assert_int_equal(mnet_intent_put(world->b.host, txn, last, intent, world->pool), 0);
    assert_int_equal(mnet_intent_del(world->b.host, txn, last, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_string_equal(answer(), "immediate");
    assert_string_equal(answer(), "none");

    /* And so does time. */
    assert_int_equal(mnet_intents_tend(world->b.host,
                                       apr_time_now() + world->b.site->portfolio->expire + MINUTE,
                                       world->pool),
                     0);
    assert_int_equal(announce(world->a.wwwroot, MNET_INTENTS_OPEN, &token), 0);
    assert_string_equal(answer(), "none");
}

/* A list of files that waits takes room in the store: of one peer so much, and no more. */
static void too_much(void **state)
{
    mnet_value_t *file = mnet_struct(world->pool), *manifest = mnet_struct(world->pool),
                 *data = mnet_struct(world->pool);
    const char *sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709", *token;
    mnet_value_t *values[] = {NULL, mnet_string("alice", world->pool),
                              mnet_string("file", world->pool), data,
                              mnet_string("0", world->pool)};
    mnet_reply_t *reply;

    mnet_set(file, "filename", mnet_string("a.txt", world->pool));
    mnet_set(file, "sha1", mnet_string(sha1, world->pool));
    mnet_set(file, "size", mnet_string("0", world->pool));
    mnet_set(manifest, sha1, file);
    mnet_set(data, "filesmanifest", manifest);
    mnet_set(data, "zipfilesha1", mnet_string(sha1, world->pool));
    mnet_set(data, "totalsize", mnet_string("0", world->pool));
    assert_int_equal(announce(world->a.wwwroot, 1, &token), 0);
    values[0] = mnet_string(token, world->pool);

    hold(MNET_QUEUE_HELD - 10);
    reply = ready(values, 5);
    assert_int_equal(reply->kind, MNET_CALL_FAULT);
    assert_int_equal(reply->code, MNET_FAULT_BUSY);
    hold(-MNET_QUEUE_HELD);
    assert_int_equal(ready(values, 5)->kind, MNET_CALL_OK); /* the token is good still */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(too_many, setup, world_teardown),
        cmocka_unit_test_setup_teardown(too_much, setup, world_teardown)};
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
