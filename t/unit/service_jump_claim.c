/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

static mnet_reply_t *authorise(place_t *from, const char *token, const char *user_agent)
{
    return call_texts(from, &world->a, IDP("user_authorise"), token, user_agent);
}

static const char *token(void)
{
    return token_for(&world->a, "alice", &world->b);
}

static void refused(const mnet_reply_t *reply, int code, const char *id)
{
    assert_int_equal(reply->kind, MNET_CALL_FAULT);
    assert_int_equal(reply->code, code);
    if (!world_logged(id)) {
        fail_msg("no %s in:\n%s", id, world->lines);
    }
}

/* The same call at another time, as the server would hand it over. */
static int claim_at(const char *token_text, apr_time_t now, apr_status_t *rv)
{
    mnet_call_t call = {.pool = world->pool,
                        .host = world->a.host,
                        .peer = world_peer(&world->a, &world->b),
                        .now = now,
                        .id = "x"};
    mnet_claim_t claim;

    *rv = mnet_jump_claim(&call, token_text, browser_hash(&world->a), &claim);
    return claim.fault;
}

static void test_claimed(void **state)
{
    mnet_reply_t *reply = authorise(&world->b, token(), browser_hash(&world->b));

    assert_int_equal(reply->kind, MNET_CALL_OK);
    assert_int_equal(reply->value->type, MNET_STRUCT);
    assert_string_equal(mnet_as_text(mnet_get(reply->value, "username"), world->pool), "alice");
    assert_int_equal(count_children(&world->a, "alice"), 1);
}

static void test_repeated_within_five_seconds(void **state)
{
    const char *text = token();
    apr_time_t now = apr_time_now();
    apr_status_t rv;

    assert_int_equal(claim_at(text, now, &rv), 0);
    assert_int_equal(claim_at(text, now + 5 * 1000000, &rv), 0);
    assert_int_equal(rv, 0);
    assert_int_equal(claim_at(text, now + 5 * 1000000 + 1, &rv), 1);
    assert_true(world_logged("MNET0856"));
    assert_int_equal(count_children(&world->a, "alice"), 1);
}

/* Claimed at the last moment it may still be repeated, and not for longer by repeating. */
static void test_repeats_do_not_add_up(void **state)
{
    const char *text = token();
    apr_time_t now = apr_time_now() + 29 * 1000000;
    apr_status_t rv;

    assert_int_equal(claim_at(text, now, &rv), 0);
    assert_int_equal(claim_at(text, now + 4 * 1000000, &rv), 0);
    assert_int_equal(mnet_jumps_tend(world->a.host, now + 4 * 1000000, world->pool), 0);
    assert_int_equal(claim_at(text, now + 5 * 1000000, &rv), 0);
    assert_int_equal(claim_at(text, now + 8 * 1000000, &rv), 1);
}

static void test_a_clock_that_was_set_back(void **state)
{
    const char *one = token(), *other = token();
    apr_time_t now = apr_time_now();
    apr_status_t rv;

    assert_int_equal(claim_at(one, now, &rv), 0);
    assert_int_equal(claim_at(one, now - 1 * 1000000, &rv), 0);
    assert_int_equal(claim_at(one, now - 3600 * APR_INT64_C(1000000), &rv), 1);
    assert_true(world_logged("MNET0856"));
    assert_int_equal(claim_at(other, now - 3600 * APR_INT64_C(1000000), &rv), 2);
    assert_true(world_logged("MNET0857"));
}

static void test_too_late(void **state)
{
    const char *text = token();
    apr_time_t now = apr_time_now();
    apr_status_t rv;

    assert_int_equal(claim_at(text, now + 31 * 1000000, &rv), 2);
    assert_true(world_logged("MNET0857"));
    world->a.site->token_lifetime = apr_time_from_sec(90);
    assert_int_equal(claim_at(token(), now + 80 * 1000000, &rv), 0);
}

static void test_another_browser(void **state)
{
    const char *text = token();

    refused(authorise(&world->b, text, "c22b5f9178342609428d6f51b2c5af4c0bde6a42"), 3, "MNET0855");
    refused(authorise(&world->b, text, ""), 3, "MNET0855");
    assert_int_equal(authorise(&world->b, text, browser_hash(&world->b))->kind, MNET_CALL_OK);
}

static void test_another_peers_token(void **state)
{
    static place_t c;
    mnet_jumping_t jumping;

    memset(&c, 0, sizeof(c));
    add_third(&world->a, &c, "https://c.example");
    jumping = jump_from(&world->a, "alice", c.wwwroot);
    mnet_jump(&jumping, world->pool);
    assert_int_equal(jumping.status, 303);
    refused(authorise(&world->b, parameter(jumping.location, "token"), browser_hash(&world->b)), 1,
            "MNET0853");
}

static void test_no_such_token(void **state)
{
    static const char *const tokens[] = {
        "", "x", "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33",
        "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a330beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33"};

    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        world->lines[0] = '\0';
        refused(authorise(&world->b, tokens[i], browser_hash(&world->b)), 1, "MNET0854");
    }
    assert_int_equal(count_children(&world->a, "alice"), 0);
}

static int lines_with(const char *id)
{
    int count = 0;

    for (const char *at = world->lines; (at = strstr(at, id)); at++) {
        count++;
    }
    return count;
}

/* One line tells of all the guesses above thirty; those who come with a token still come in. */
static void test_guesses_are_counted(void **state)
{
    apr_time_t now = apr_time_now();
    apr_status_t rv;

    for (int i = 0; i < 100; i++) {
        assert_int_equal(claim_at(apr_psprintf(world->pool, "guess%d", i), now, &rv), 1);
    }
    assert_int_equal(lines_with("MNET0854"), 30);
    assert_int_equal(lines_with("MNET0852"), 1);
    assert_int_equal(claim_at(token(), now, &rv), 0);
    assert_int_equal(rv, 0);
    assert_int_equal(claim_at("guess", now + 3 * MINUTE, &rv), 1);
    assert_int_equal(lines_with("MNET0854"), 31);
}

/* Byte for byte the same message: not answered again, however young. */
static void test_a_replayed_message(void **state)
{
    mnet_reply_t *reply = authorise(&world->b, token(), browser_hash(&world->b));
    mnet_spool_t *body = world->last_body;
    answer_t answer;

    assert_int_equal(reply->kind, MNET_CALL_OK);
    answer = world_give(body, &world->a, &world->b);
    assert_int_equal(answer.document->kind, MNET_FAULT);
    assert_int_equal(answer.document->fault_code, MNET_FAULT_REPLAY);
}

static void test_the_token_is_not_in_the_store(void **state)
{
    const char *text = token();
    mnet_name_t name;
    const void *data;
    apr_size_t len;
    mnet_txn_t *txn;

    assert_int_equal(mnet_jump_name(world->a.host, text, &name), 0);
    assert_int_equal(mnet_txn_begin(world->a.engine->store, MNET_READ, &txn, world->pool), 0);
    assert_int_equal(mnet_txn_get(txn, "jump", name.bytes, name.len, &data, &len), 0);
    assert_null(memmem(data, len, text, strlen(text)));
    mnet_txn_abort(txn);
    assert_null(strstr(world->lines, text));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sso_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_claimed),
        T(test_repeated_within_five_seconds),
        T(test_repeats_do_not_add_up),
        T(test_a_clock_that_was_set_back),
        T(test_too_late),
        T(test_another_browser),
        T(test_another_peers_token),
        T(test_no_such_token),
        T(test_guesses_are_counted),
        T(test_a_replayed_message),
        T(test_the_token_is_not_in_the_store),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
