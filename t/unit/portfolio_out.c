/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending, between the two sites of world.h: a sends, b is a peer whose methods do as each test
 * says.
 */
#include "sso_world.h"

#include <sys/stat.h>

#include "portfolio/out_int.h"

#define ALICE "alice"

/* What b does. */
static struct bent_t {
    int intents, readies, fetched; /* calls, and packages that it got */
    const char *sendtype;
    const char *type;  /* of ready's answer */
    const char *fault; /* of ready, after the fetch; code below */
    int code;
    int fetch; /* it fetches while it is told */
    int lose;  /* its answer to ready is lost */
    int once;  /* the above for the first ready alone */
} bent;

static mnet_reply_t *fetch(const char *token)
{
    return call_texts(&world->b, &world->a, "portfolio/mahara/lib.php/fetch_file", token, NULL);
}

static apr_status_t intent(mnet_call_t *call, void *baton)
{
    call->result = mnet_struct(call->pool);
    mnet_set(call->result, "sendtype", mnet_string(bent.sendtype, call->pool));
    mnet_set(call->result, "token",
             mnet_string(apr_psprintf(call->pool, "token%d", ++bent.intents), call->pool));
    return APR_SUCCESS;
}

static apr_status_t ready(mnet_call_t *call, void *baton)
{
    int bend = !(bent.once && bent.readies);

    bent.readies++;
    if (bent.fetch && bend) {
        bent.fetched += fetch(mnet_call_text(call, 0))->kind == MNET_CALL_OK;
    }
    if (bent.lose && bend) {
        return APR_EGENERAL;
    }
    if (bent.fault && (bend || bent.lose)) {
        return mnet_call_fault(call, bent.code, "%s", bent.fault);
    }
    call->result = mnet_struct(call->pool);
    mnet_set(call->result, "status", mnet_boolean(1, call->pool));
    mnet_set(call->result, "type", mnet_string(bent.type, call->pool));
    return APR_SUCCESS;
}

static const mnet_parameter_t no_parameters[] = {{NULL}};
static const mnet_method_t methods[] = {
    {.path = "portfolio/mahara/lib.php/send_content_intent",
     .service = "pf",
     .effect = MNET_METHOD_READS,
     .parameters = no_parameters,
     .help = "",
     .handler = intent},
    {.path = "portfolio/mahara/lib.php/send_content_ready",
     .service = "pf",
     .effect = MNET_METHOD_READS,
     .parameters = no_parameters,
     .help = "",
     .handler = ready},
};

static int setup(void **state)
{
    const char *dir;

    assert_int_equal(sso_setup(state), 0);
    memset(&bent, 0, sizeof(bent));
    bent.sendtype = "immediate";
    bent.type = "complete";
    bent.fetch = 1;
    assert_int_equal(mnet_registry_add(world->registry, NULL, &methods[0]), 0);
    assert_int_equal(mnet_registry_add(world->registry, NULL, &methods[1]), 0);
    assert_int_equal(mnet_out_register(world->registry, NULL), 0);
    dir = apr_pstrcat(world->pool, world->a.dir, "/portfolio", NULL);
    assert_int_equal(mkdir(dir, 0700), 0);
    world->a.site->portfolio = mnet_portfolio_options_create(dir, world->pool);
    serve(&world->a, world->b.wwwroot, "pf", "pf");
    serve(&world->b, world->a.wwwroot, "pf", "pf");
    return 0;
}

/* A file of that name and text, to be sent. */
static const char *file(const char *name, const char *text)
{
    const char *path = apr_pstrcat(world->pool, world->a.dir, "/", name, NULL);
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    return path;
}

static mnet_out_sending_t sending_of(const char *path)
{
    apr_array_header_t *paths = apr_array_make(world->pool, 1, sizeof(const char *));
    mnet_out_sending_t sending = {.host = world->a.host,
                                  .peer = world->b.wwwroot,
                                  .user = ALICE,
                                  .paths = paths,
                                  .wait = 1,
                                  .now = apr_time_now()};

    APR_ARRAY_PUSH(paths, const char *) = path;
    return sending;
}

static const mnet_out_t *sent(const char *name, const char *text)
{
    mnet_out_sending_t sending = sending_of(file(name, text));

    if (mnet_out_send(&sending, world->pool)) {
        fail_msg("%s", sending.why);
    }
    return sending.out;
}

/* One attempt of the queue's; what came of it. */
static mnet_queue_outcome_e work(const mnet_out_t *out)
{
    mnet_host_t *host = world->a.host;
    volatile apr_uint32_t never = 0;
    mnet_queue_run_t run = {.host = host, .pool = world->pool, .stopping = &never};
    mnet_queue_item_t *item = NULL;
    mnet_queue_outcome_e outcome;
    int state = 0;

    assert_int_equal(mnet_queue_owner(&run.owner, host->engine->crypto), 0);
    (void)mnet_queue_retry(host, out->id, apr_time_now(), world->pool);
    assert_int_equal(
        mnet_queue_claim_one(host, &run.owner, out->id, NULL, apr_time_now(), &item, world->pool),
        0);
    run.item = item;
    outcome = mnet_queue_kind(item->kind)->work(&run);
    assert_int_equal(mnet_queue_give_back(host, &run.owner, item, outcome, run.reason, 0,
                                          apr_time_now(), &state, world->pool),
                     0);
    return outcome;
}

static const mnet_out_t *now(const mnet_out_t *out)
{
    mnet_out_t *found;

    assert_int_equal(mnet_out_look(world->a.host, out->id, &found, world->pool), 0);
    return found;
}

static int in_queue(const mnet_out_t *out)
{
    mnet_queue_item_t *item;

    return mnet_queue_look(world->a.host, out->id, &item, NULL, world->pool) == APR_SUCCESS;
}

static int has_package(const mnet_out_t *out)
{
    struct stat st;

    return stat(mnet_out_path(world->a.host, out->id, ".zip", world->pool), &st) == 0;
}

/* --- the tests --- */

static void test_delivered(void **state)
{
    const mnet_out_t *out = sent("a.txt", "text");

    assert_int_equal(out->state, MNET_OUT_STATE_QUEUED);
    assert_string_equal(out->token, "token1");
    assert_true(in_queue(out) && has_package(out));
    assert_int_equal(work(out), MNET_QUEUE_DONE);
    assert_int_equal(now(out)->state, MNET_OUT_STATE_DELIVERED);
    assert_int_equal(bent.fetched, 1);
    assert_false(in_queue(out) || has_package(out));
    assert_int_equal(fetch("token1")->code, 8009);
}

static void test_queued(void **state)
{
    const mnet_out_t *out;

    bent.sendtype = bent.type = "queue";
    bent.type = "queued";
    bent.fetch = 0;
    out = sent("a.txt", "text");
    assert_int_equal(out->wait, 0);
    assert_int_equal(fetch("token1")->code, 8013); /* it was not told yet */
    assert_int_equal(work(out), MNET_QUEUE_DONE);
    assert_int_equal(now(out)->state, MNET_OUT_STATE_OFFERED);
    assert_true(in_queue(out));
    world->cut = 1;
    assert_int_equal(fetch("token1")->kind, MNET_CALL_OK);
    world->cut = 0;
    assert_int_equal(now(out)->state, MNET_OUT_STATE_OFFERED);
    assert_int_equal(fetch("token1")->kind, MNET_CALL_OK);
    assert_int_equal(now(out)->state, MNET_OUT_STATE_DELIVERED);
    assert_false(in_queue(out));
    assert_int_equal(fetch("token1")->code, 8009);
}

static void test_not_wanted_after_all(void **state)
{
    const mnet_out_t *out = sent("a.txt", "text");

    bent.fault = "Exceeded user quota";
    assert_int_equal(work(out), MNET_QUEUE_PARK);
    assert_int_equal(now(out)->state, MNET_OUT_STATE_QUEUED);
    assert_null(now(out)->token);
    assert_true(has_package(out));
    bent.fault = NULL;
    assert_int_equal(work(out), MNET_QUEUE_DONE); /* an administrator had it tried again */
    assert_int_equal(now(out)->state, MNET_OUT_STATE_DELIVERED);
    assert_int_equal(bent.intents, 2);
}

static void test_a_fetch_that_broke(void **state)
{
    const mnet_out_t *out = sent("a.txt", "text");

    bent.fault = "transport error";
    world->cut = 1;
    assert_int_equal(work(out), MNET_QUEUE_RETRY);
    world->cut = 0;
    bent.fault = NULL;
    assert_int_equal(work(out), MNET_QUEUE_DONE);
    assert_int_equal(now(out)->state, MNET_OUT_STATE_DELIVERED);
}

static void test_an_answer_that_was_lost(void **state)
{
    const mnet_out_t *out = sent("a.txt", "text");

    bent.lose = bent.once = 1;
    bent.fault = "Could not find queue record with given token";
    assert_int_equal(work(out), MNET_QUEUE_RETRY);
    assert_int_equal(now(out)->state, MNET_OUT_STATE_QUEUED);
    assert_string_equal(now(out)->token, "token1");
    /* Nobody knows whether it kept it. */
    assert_int_equal(fetch("token1")->kind, MNET_CALL_OK);
    assert_int_equal(work(out), MNET_QUEUE_DONE);
    assert_int_equal(now(out)->state, MNET_OUT_STATE_DELIVERED);
    assert_int_equal(bent.intents, 1);
    assert_true(world_logged("MNET1065"));
}

static void test_a_peer_that_is_down(void **state)
{
    mnet_out_sending_t sending = sending_of(file("a.txt", "text"));

    world->down = APR_ECONNREFUSED;
    assert_int_equal(mnet_out_send(&sending, world->pool), 0);
    assert_non_null(sending.postponed);
    assert_null(sending.out->token);
    assert_int_equal(work(sending.out), MNET_QUEUE_RETRY);
    world->down = 0;
    assert_int_equal(work(sending.out), MNET_QUEUE_DONE);
    assert_int_equal(now(sending.out)->state, MNET_OUT_STATE_DELIVERED);
}

static void test_expired(void **state)
{
    const mnet_out_t *out = sent("a.txt", "text");
    mnet_out_t *late = (mnet_out_t *)now(out);
    mnet_txn_t *txn;

    late->expires = apr_time_now() - 1;
    late->offered = late->created;
    assert_int_equal(mnet_txn_begin(world->a.engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(mnet_out_put(world->a.host, txn, late, world->pool), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_int_equal(fetch("token1")->code, 8010);
    assert_int_equal(work(out), MNET_QUEUE_GONE);
    assert_int_equal(now(out)->state, MNET_OUT_STATE_EXPIRED);
    assert_false(has_package(out) || in_queue(out));
    assert_int_equal(bent.readies, 0);
}

static void test_the_same_again(void **state)
{
    mnet_out_sending_t sending = sending_of(file("b.txt", "text"));

    sent("a.txt", "text");
    assert_int_equal(mnet_out_send(&sending, world->pool), MNET_E_EXISTS);
    assert_string_equal(sending.earlier->title, "a.txt");
    sending.again = 1;
    assert_int_equal(mnet_out_send(&sending, world->pool), 0);
    sending.user = "bob";
    sending.again = 0;
    assert_int_equal(mnet_out_send(&sending, world->pool), 0);
}

/* For a year; and who looks after it does that by itself. */
static void test_the_same_after_a_year(void **state)
{
    const apr_time_t day = apr_time_from_sec(86400);
    mnet_out_sending_t sending = sending_of(file("b.txt", "text"));

    sent("a.txt", "text");
    assert_int_equal(mnet_out_log_prune(world->a.host, apr_time_now() + 364 * day, world->pool), 0);
    assert_int_equal(mnet_out_send(&sending, world->pool), MNET_E_EXISTS);
    assert_int_equal(mnet_out_tend(world->a.host, apr_time_now() + 366 * day, world->pool), 0);
    assert_int_equal(mnet_out_send(&sending, world->pool), 0);
}

static void test_nothing_promised(void **state)
{
    mnet_out_sending_t sending = sending_of(file("a.txt", "text"));
    apr_array_header_t *list;

    bent.sendtype = "none";
    assert_int_equal(mnet_out_send(&sending, world->pool), MNET_E_REFUSED);
    serve(&world->a, world->b.wwwroot, "", "pf");
    assert_int_equal(mnet_out_send(&sending, world->pool), MNET_E_REFUSED);
    assert_non_null(strstr(sending.why, "MnetPublish"));
    assert_int_equal(mnet_out_list(world->a.host, NULL, NULL, 0, &list, world->pool), 0);
    assert_int_equal(list->nelts, 0);
}

static void test_kinds(void **state)
{
    static const struct {
        const char *name, *kind;
    } cases[] = {{"a.jpg", "image"},     {"a.JPEG", "image"},        {"a.html", "plainhtml"},
                 {"a.mp4", "video"},     {"a.txt", "text"},          {"a.pdf", "pdf"},
                 {"image/png", "image"}, {"text/html", "plainhtml"}, {"text/plain", "text"},
                 {"a.b/c", NULL},        {"noending", NULL},         {"a.xyz", NULL},
                 {"a.", NULL},           {".jpg", "image"},          {"a.verylongending", NULL}};

    for (apr_size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *kind = mnet_out_kind_of(cases[i].name);

        if (!cases[i].kind) {
            assert_null(kind);
        } else {
            assert_string_equal(kind ? kind : "none", cases[i].kind);
        }
    }
    assert_true(mnet_out_kind_ok("leap2a") && !mnet_out_kind_ok("tarot"));
    assert_true(mnet_out_is_squeezed("a.mp4") && !mnet_out_is_squeezed("a.txt"));
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(test_delivered),
        test(test_queued),
        test(test_not_wanted_after_all),
        test(test_a_fetch_that_broke),
        test(test_an_answer_that_was_lost),
        test(test_a_peer_that_is_down),
        test(test_expired),
        test(test_the_same_again),
        test(test_the_same_after_a_year),
        test(test_nothing_promised),
        test(test_kinds),
    };

    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
