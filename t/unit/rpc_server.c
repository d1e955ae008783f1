/* SPDX-License-Identifier: Apache-2.0 */
/* The server's pipeline: what each kind of message is answered with, and in which envelope. */
#include "world.h"

#include "rpc/clock.h"
#include "rpc/doubt.h"
#include "rpc/exchange.h"

#define ECHO "test/a/b.php/echo"
#define NOTE "test/a/b.php/note"

/* A call of a's to b as it should be. */
static craft_t good(const char *method, const char *text)
{
    craft_t craft = {.inner = world->a.wwwroot,
                     .outer = world->a.wwwroot,
                     .sign = world_ring(&world->a)->keys[0],
                     .seal = world_peer(&world->a, &world->b)->certificate->key,
                     .method = method,
                     .text = text};

    return craft;
}

static answer_t give(const craft_t *craft)
{
    return world_give(world_craft(craft), &world->b, &world->a);
}

static void is_fault(const answer_t *answer, int code, mnet_envelope_e outer, mnet_envelope_e inner)
{
    assert_int_equal(answer->status, 200);
    assert_int_equal(answer->document->kind, MNET_FAULT);
    assert_int_equal(answer->document->fault_code, code);
    assert_int_equal(answer->outer, outer);
    assert_int_equal(answer->inner, inner);
    if (answer->signed_part) {
        assert_string_equal(answer->signed_part->wwwroot, world->b.wwwroot);
    }
}

static int by_current_key(const answer_t *answer)
{
    return !mnet_message_verify(world->a.engine->crypto, answer->signed_part,
                                world_ring(&world->b)->keys[0]);
}

static void a_call_is_answered_in_its_envelope(void **state)
{
    craft_t craft = good(ECHO, "J\xc3\xb6rg \xe6\xbc\xa2");
    answer_t answer = give(&craft);

    assert_int_equal(answer.document->kind, MNET_RESPONSE);
    assert_string_equal(
        mnet_as_text(APR_ARRAY_IDX(answer.document->params, 0, mnet_value_t *), world->pool),
        "J\xc3\xb6rg \xe6\xbc\xa2");
    assert_int_equal(answer.outer, MNET_ENCRYPTED);
    assert_int_equal(answer.inner, MNET_SIGNED);
    assert_true(by_current_key(&answer));
    assert_true(world_logged("MNET0400"));
    assert_int_equal(mnet_shared_get(world->b.shared, MNET_COUNT_CALLS_IN), 1);
    assert_int_equal(mnet_shared_get(world->b.shared, MNET_COUNT_FAULTS_OUT), 0);
}

static void length_is_told_before_the_bytes(void **state)
{
    craft_t craft = good(ECHO, "x");
    mnet_spool_t *out = mnet_spool_create(0, NULL, world->pool);
    mnet_sink_t sink = {mnet_spool_write, out};
    mnet_request_t request = {.host = world->b.host, .address = "192.0.2.1", .now = apr_time_now()};
    mnet_exchange_t *exchange;
    mnet_sink_t in = {mnet_exchange_write, NULL};
    apr_off_t length = -1;

    assert_int_equal(mnet_exchange_begin(&exchange, &request, world->pool), APR_SUCCESS);
    in.baton = exchange;
    assert_int_equal(mnet_spool_pour(world_craft(&craft), &in), APR_SUCCESS);
    assert_int_equal(mnet_exchange_finish(exchange, &length, &sink), APR_SUCCESS);
    assert_int_equal(length, mnet_spool_length(out));
}

/* The peer sent nothing wrong: it is not held against its address. */
static void no_room_for_the_opened_message_is_our_own_failure(void **state)
{
    char *text = apr_palloc(world->pool, 200001);
    const char *tmp = world->b.host->engine->tmp_dir;
    const char *away = apr_pstrcat(world->pool, tmp, ".away", NULL);
    craft_t craft = good(ECHO, text);
    mnet_spool_t *out = mnet_spool_create(0, NULL, world->pool);
    mnet_sink_t sink = {mnet_spool_write, out}, in = {mnet_exchange_write, NULL};
    mnet_request_t request = {.host = world->b.host, .address = "192.0.2.7", .now = apr_time_now()};
    mnet_exchange_t *exchange;
    apr_off_t length;
    apr_status_t rv;

    memset(text, 'x', 200000);
    text[200000] = '\0';
    assert_int_equal(mnet_exchange_begin(&exchange, &request, world->pool), APR_SUCCESS);
    in.baton = exchange;
    assert_int_equal(mnet_spool_pour(world_craft(&craft), &in), APR_SUCCESS);
    assert_int_equal(apr_file_rename(tmp, away, world->pool), APR_SUCCESS);
    rv = mnet_exchange_finish(exchange, &length, &sink);
    assert_int_equal(apr_file_rename(away, tmp, world->pool), APR_SUCCESS);
    assert_true(APR_STATUS_IS_ENOENT(rv));
    assert_true(world_logged("MNET0461"));
    assert_int_equal(
        mnet_shared_failures(world->b.shared, "192.0.2.7", request.now, APR_USEC_PER_SEC), 0);
}

static void the_peer_is_heard(void **state)
{
    craft_t craft = good(ECHO, "x");
    mnet_contact_t contact;

    give(&craft);
    mnet_shared_contact(world->b.shared, world_peer(&world->b, &world->a)->id, &contact);
    assert_true(contact.heard > 0);
}

static void rubbish_is_7000_and_says_no_more(void **state)
{
    static const char *const bodies[] = {
        "",
        "hello",
        "<methodCall>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><methodCall><methodName>system/keyswap</methodName>"
        "</methodCall>",
        "<html><body/></html>",
        "<methodResponse><params><param><value>x</value></param></params></methodResponse>"};
    const char *first = NULL;
    apr_size_t i;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        answer_t answer = world_give(world_bytes(bodies[i]), &world->b, &world->a);

        is_fault(&answer, MNET_FAULT_INVALID, MNET_PLAIN, MNET_PLAIN);
        first = first ? first : answer.bytes;
        assert_string_equal(answer.bytes, first);
    }
    assert_true(world_logged("MNET0403"));
    assert_true(world_logged("MNET0420"));
}

static void an_oversize_body_is_refused_while_it_comes(void **state)
{
    world->b.site->max_body = 100;
    assert_int_equal(world_give(world_bytes("<methodCall>                                        "
                                            "                                                    "
                                            "                                                    "),
                                &world->b, &world->a)
                         .status,
                     413);
}

static void bare_calls_are_7021(void **state)
{
    craft_t craft = {.method = "system/listServices"};
    answer_t answer = give(&craft);

    is_fault(&answer, MNET_FAULT_PLAINTEXT, MNET_PLAIN, MNET_PLAIN);
}

static void an_unknown_wwwroot_is_7020(void **state)
{
    craft_t craft = good(ECHO, "x");
    answer_t answer;

    craft.outer = craft.inner = "https://c.example";
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_UNKNOWN_PEER, MNET_PLAIN, MNET_PLAIN);
    assert_true(world_logged("MNET0404"));
}

static void a_peer_without_certificate_is_7020(void **state)
{
    craft_t craft = good(ECHO, "x");
    answer_t answer;

    assert_int_equal(mnet_peers_remove(world->b.host->peers, world->a.wwwroot, world->pool), 0);
    world_join(&world->b, &world->a, "moodle", 0);
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_UNKNOWN_PEER, MNET_PLAIN, MNET_PLAIN);
    assert_non_null(strstr(world->lines, "mnetctl peers confirm https://a.example"));
}

static void what_does_not_open_is_always_the_same_7023(void **state)
{
    craft_t craft = good(ECHO, "x"), wrong = good(ECHO, "x"), rubbish = good(ECHO, "x");
    answer_t one, two, three;

    craft.seal = world_peer(&world->b, &world->a)->certificate->key; /* not b's */
    one = give(&craft);
    is_fault(&one, MNET_FAULT_NOT_OPENED, MNET_PLAIN, MNET_PLAIN);
    wrong.inner = NULL;
    wrong.document = "no message at all, though b's key opens it";
    two = give(&wrong);
    assert_string_equal(one.bytes, two.bytes);
    rubbish.inner = NULL;
    rubbish.document = "<?xml version=\"1.0\"?><signedMessage><object/></signedMessage>";
    three = give(&rubbish);
    assert_string_equal(one.bytes, three.bytes);
    assert_int_equal(mnet_shared_get(world->b.shared, MNET_COUNT_NOT_OPENED), 3);
}

static void an_empty_envelope_is_7023_and_names_rc4(void **state)
{
    answer_t answer = world_give(
        world_bytes("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<encryptedMessage>"
                    "<EncryptedData Id=\"ED\" xmlns=\"http://www.w3.org/2001/04/xmlenc#\">"
                    "<CipherData><CipherValue></CipherValue></CipherData></EncryptedData>"
                    "<EncryptedKey Id=\"EK\" xmlns=\"http://www.w3.org/2001/04/xmlenc#\">"
                    "<CipherData><CipherValue></CipherValue></CipherData></EncryptedKey>"
                    "<wwwroot>https://a.example</wwwroot></encryptedMessage>"),
        &world->b, &world->a);

    is_fault(&answer, MNET_FAULT_NOT_OPENED, MNET_PLAIN, MNET_PLAIN);
    assert_true(world_logged("MNET0407"));
    assert_non_null(strstr(world->lines, "RC4"));
}

static void too_many_failures_are_turned_away(void **state)
{
    craft_t craft = good(ECHO, "x");
    mnet_spool_t *spoilt;
    int i;

    world->b.site->failure_limit = 3;
    craft.seal = world_peer(&world->b, &world->a)->certificate->key;
    spoilt = world_craft(&craft);
    for (i = 0; i < 3; i++) {
        assert_int_equal(world_give(spoilt, &world->b, &world->a).status, 200);
    }
    assert_int_equal(world_give(spoilt, &world->b, &world->a).status, 429);
    world->address = "192.0.2.99";
    assert_int_equal(world_give(spoilt, &world->b, &world->a).status, 200);
}

static void a_full_gate_is_7105(void **state)
{
    craft_t craft = good(ECHO, "x");
    answer_t answer;
    int i;

    for (i = 0; i < 4; i++) {
        assert_int_equal(mnet_shared_enter(world->b.shared, MNET_GATE_PRIVATE, 4), 1);
    }
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_BUSY, MNET_PLAIN, MNET_PLAIN);
    mnet_shared_leave(world->b.shared, MNET_GATE_PRIVATE);
    answer = give(&craft);
    assert_int_equal(answer.document->kind, MNET_RESPONSE);
    /* It gave its place back. */
    assert_int_equal(mnet_shared_enter(world->b.shared, MNET_GATE_PRIVATE, 4), 1);
}

static void encrypted_but_unsigned_is_711(void **state)
{
    craft_t craft = good(ECHO, "x");
    answer_t answer;

    craft.inner = NULL;
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_NO_SIGNATURE, MNET_ENCRYPTED, MNET_PLAIN);
}

static void two_names_are_7103(void **state)
{
    craft_t craft = good(ECHO, "x");
    answer_t answer;

    craft.inner = "https://c.example";
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_WWWROOT, MNET_ENCRYPTED, MNET_SIGNED);
    assert_true(by_current_key(&answer));
}

static void a_forged_signature_is_710_after_one_question(void **state)
{
    craft_t craft = good(ECHO, "x");
    answer_t answer;

    craft.sign = world_ring(&world->b)->keys[0]; /* not a's */
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_BAD_SIGNATURE, MNET_ENCRYPTED, MNET_SIGNED);
    assert_int_equal(world->posts, 1);
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_BAD_SIGNATURE, MNET_ENCRYPTED, MNET_SIGNED);
    assert_int_equal(world->posts, 1);
    assert_int_equal(mnet_shared_failures(world->b.shared, world->address, apr_time_now(),
                                          apr_time_from_sec(60)),
                     2);
}

static void a_peers_new_key_is_fetched(void **state)
{
    craft_t craft;
    answer_t answer;

    world_rotate(&world->a);
    craft = good(ECHO, "after"); /* signed with a key b does not know */
    answer = give(&craft);
    assert_int_equal(answer.document->kind, MNET_RESPONSE);
    assert_int_equal(world->posts, 2); /* listServices, and again after the 7025 */
    assert_string_equal(world_peer(&world->b, &world->a)->certificate->pem,
                        world_ring(&world->a)->pems[0]);
    assert_int_equal(mnet_shared_get(world->b.shared, MNET_COUNT_REKEYS), 1);
}

static void both_rotated(void **state)
{
    craft_t craft;
    answer_t answer;

    world_rotate(&world->a);
    world_rotate(&world->b);
    craft = good(ECHO, "x"); /* to b's old key, by a's new one */
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_KEY_CHANGED, MNET_ENCRYPTED, MNET_SIGNED);
    assert_int_equal(world->posts, 0);
    /* One put back from a backup would send this for ever. */
    assert_true(mnet_doubted(world->b.host, world->a.wwwroot, apr_time_now()));
}

static void the_clock_is_7101(void **state)
{
    craft_t craft = good(NOTE, "x");
    answer_t answer;

    craft.timestamp = apr_time_sec(apr_time_now()) - 3600;
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_CLOCK, MNET_ENCRYPTED, MNET_SIGNED);
    craft.timestamp = apr_time_sec(apr_time_now()) + 3600;
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_CLOCK, MNET_ENCRYPTED, MNET_SIGNED);
    assert_int_equal(world->calls, 0);
    craft.timestamp = 99999999999;
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_CLOCK, MNET_ENCRYPTED, MNET_SIGNED);
    world->b.site->clock_skew = 0;
    craft.timestamp = 1000000000;
    answer = give(&craft);
    assert_int_equal(answer.document->kind, MNET_RESPONSE);
}

static apr_int64_t answered_at(apr_int64_t ahead)
{
    craft_t craft = good(ECHO, "x");
    apr_int64_t now = apr_time_sec(apr_time_now());
    answer_t answer;

    craft.timestamp = now + ahead;
    answer = give(&craft);
    assert_int_equal(answer.document->kind, MNET_RESPONSE);
    return answer.signed_part->timestamp - now;
}

#define NEAR(seconds, expected) assert_in_range((seconds) - (expected) + 10, 10, 13)

/* A Moodle takes no answer from 15 seconds ahead of it, and tells nobody here. */
static void an_answer_bears_the_time_of_who_asked(void **state)
{
    NEAR(answered_at(-4), 0);
    NEAR(answered_at(3), 0);
    assert_false(world_logged("MNET0462"));
    NEAR(answered_at(-40), -40);
    assert_true(world_logged("MNET0462"));
    assert_non_null(strstr(world->lines, "40 seconds behind ours"));
    NEAR(answered_at(600), 600);
    NEAR(answered_at(-890), -890);
    world->b.site->clock_skew = 0;
    NEAR(answered_at(-3590), -3590);
    NEAR(answered_at(-7200), 0);
    NEAR(answered_at(86400), 0);
}

/* A Moodle that waited for 40 seconds takes no answer from the end of them. */
static void a_slow_answer_bears_the_time_of_the_middle(void **state)
{
    craft_t craft = good(ECHO, "x");
    mnet_spool_t *out = mnet_spool_create(0, NULL, world->pool);
    mnet_sink_t sink = {mnet_spool_write, out}, in = {mnet_exchange_write, NULL};
    mnet_request_t request = {.host = world->b.host, .address = "192.0.2.1", .now = apr_time_now()};
    mnet_exchange_t *exchange;
    apr_off_t length;
    answer_t answer;

    assert_int_equal(mnet_exchange_begin(&exchange, &request, world->pool), APR_SUCCESS);
    in.baton = exchange;
    assert_int_equal(mnet_spool_pour(world_craft(&craft), &in), APR_SUCCESS);
    assert_int_equal(mnet_exchange_finish(exchange, &length, &sink), APR_SUCCESS);
    exchange->started -= apr_time_from_sec(40);
    sink.baton = out = mnet_spool_create(0, NULL, world->pool);
    assert_int_equal(mnet_exchange_reply(exchange, &length, &sink), APR_SUCCESS);
    answer = world_read(out, &world->a);
    NEAR(answer.signed_part->timestamp - apr_time_sec(request.now), 20);
}

/* Somebody sent an old message again: whose clock it was by is not known. */
static void a_replay_tells_no_time(void **state)
{
    craft_t craft = good(ECHO, "x");
    apr_int64_t now = apr_time_sec(apr_time_now());
    mnet_spool_t *body;
    answer_t answer;

    craft.timestamp = now - 3;
    body = world_craft(&craft);
    world_give(body, &world->b, &world->a);
    world->b_clock = apr_time_from_sec(300);
    answer = world_give(body, &world->b, &world->a);
    is_fault(&answer, MNET_FAULT_REPLAY, MNET_ENCRYPTED, MNET_SIGNED);
    NEAR(answer.signed_part->timestamp - now, 300);
    assert_false(world_logged("MNET0462"));
}

static void a_peers_clock_is_spoken_of_once_an_hour(void **state)
{
    apr_time_t now = apr_time_now();
    int times = 0;

    mnet_clock_say(world->b.host, "https://x.example", 60, now);
    mnet_clock_say(world->b.host, "https://x.example", 60, now + apr_time_from_sec(3500));
    mnet_clock_say(world->b.host, "https://y.example", -60, now);
    mnet_clock_say(world->b.host, "https://x.example", 60, now + apr_time_from_sec(3700));
    for (const char *at = world->lines; (at = strstr(at, "MNET0462")); at++) {
        times++;
    }
    assert_int_equal(times, 3);
}

static void clocks_are_compared_over_a_span(void **state)
{
    apr_time_t from = apr_time_from_sec(1000) + 999999, until = apr_time_from_sec(5000);
    mnet_site_t site = {.clock_skew = apr_time_from_sec(900)};

    assert_int_equal(mnet_clock_apart(1000, from, until), 0);
    assert_int_equal(mnet_clock_apart(5000, from, until), 0);
    assert_int_equal(mnet_clock_apart(4000, from, until), 0);
    assert_int_equal(mnet_clock_apart(990, from, until), -10);
    assert_int_equal(mnet_clock_apart(5010, from, until), 10);
    assert_true(mnet_clock_apart(APR_INT64_MAX, from, until) > 900);
    assert_true(mnet_clock_apart(APR_INT64_MIN, from, until) < -900);
    assert_true(mnet_clock_ok(&site, -900) && mnet_clock_ok(&site, 900));
    assert_false(mnet_clock_ok(&site, -901) || mnet_clock_ok(&site, 901));
}

static void a_replay_is_7102(void **state)
{
    static const char *const methods[] = {ECHO, NOTE, "test/a/b.php/note_claimed"};
    apr_size_t i;

    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        craft_t craft = good(methods[i], "x");
        mnet_spool_t *body = world_craft(&craft);
        answer_t answer = world_give(body, &world->b, &world->a);

        assert_int_equal(answer.document->kind, MNET_RESPONSE);
        answer = world_give(body, &world->b, &world->a);
        is_fault(&answer, MNET_FAULT_REPLAY, MNET_ENCRYPTED, MNET_SIGNED);
    }
    assert_int_equal(world->calls, 2);
    assert_int_equal(mnet_shared_get(world->b.shared, MNET_COUNT_REPLAYS), 3);
}

static void changes_are_not_replayed_even_without_the_shared_memory(void **state)
{
    static const char *const methods[] = {NOTE, "test/a/b.php/note_claimed"};
    apr_size_t i;

    world->b.engine->shared = NULL;
    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        craft_t craft = good(methods[i], "x");
        mnet_spool_t *body = world_craft(&craft);
        answer_t answer = world_give(body, &world->b, &world->a);

        assert_int_equal(answer.document->kind, MNET_RESPONSE);
        answer = world_give(body, &world->b, &world->a);
        is_fault(&answer, MNET_FAULT_REPLAY, MNET_ENCRYPTED, MNET_SIGNED);
        assert_int_equal(world->calls, (int)i + 1);
    }
}

static void two_calls_alike_are_no_replay(void **state)
{
    craft_t craft = good(NOTE, "x");

    give(&craft);
    give(&craft);
    assert_int_equal(world->calls, 2);
}

static void an_old_key_is_7025_by_that_key(void **state)
{
    craft_t craft = good(NOTE, "x");
    EVP_PKEY *old = world_ring(&world->b)->keys[0];
    answer_t answer;

    world_rotate(&world->b);
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_KEY_CHANGED, MNET_ENCRYPTED, MNET_SIGNED);
    assert_string_equal(answer.document->fault_text, world_ring(&world->b)->pems[0]);
    assert_int_equal(mnet_message_verify(world->a.engine->crypto, answer.signed_part, old), 0);
    assert_int_equal(world->calls, 0);
}

static void the_method_decides_the_fault(void **state)
{
    static const struct {
        const char *method, *text;
        int code;
    } cases[] = {{"no_slash", NULL, MNET_FAULT_METHOD_NAME},
                 {"test/a/b.php/unknown", NULL, MNET_FAULT_PERMISSION},
                 {"other/a/b.php/echo", "x", MNET_FAULT_PERMISSION},
                 {"system/unknown", NULL, MNET_FAULT_NO_SYSTEM_METHOD},
                 {"system.unknown", NULL, MNET_FAULT_NO_SYSTEM_METHOD},
                 {ECHO, NULL, MNET_FAULT_INVALID},
                 {"test/a/b.php/fail", NULL, 8009},
                 {"test/a/b.php/broken", NULL, MNET_FAULT_INVALID}};
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        craft_t craft = good(cases[i].method, cases[i].text);
        answer_t answer = give(&craft);

        is_fault(&answer, cases[i].code, MNET_ENCRYPTED, MNET_SIGNED);
    }
}

static void a_missing_parameter_is_named(void **state)
{
    craft_t craft = good(ECHO, NULL);
    answer_t answer = give(&craft);

    assert_string_equal(answer.document->fault_text, "The parameter text is missing.");
}

static void a_handlers_fault_keeps_its_text(void **state)
{
    craft_t craft = good("test/a/b.php/fail", NULL);
    answer_t answer = give(&craft);

    assert_string_equal(answer.document->fault_text, "no <such> token 7");
}

static void signed_rubbish_is_7000_in_the_envelope(void **state)
{
    craft_t craft = good(NULL, NULL);
    answer_t answer;

    craft.document = "<?xml version=\"1.0\"?><methodCall><methodName>a</methodCall>";
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_INVALID, MNET_ENCRYPTED, MNET_SIGNED);
    craft.document = "<?xml version=\"1.0\"?><methodResponse><params><param><value>x</value>"
                     "</param></params></methodResponse>";
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_INVALID, MNET_ENCRYPTED, MNET_SIGNED);
}

static void keyswap_is_served_in_any_envelope(void **state)
{
    craft_t bare = {.method = "system/keyswap"}, dotted = {.method = "system.keyswap"};
    craft_t whole = good("system/keyswap", NULL), sealed = good("system/keyswap", NULL),
            signed_only = good("system/keyswap", NULL);
    craft_t *all[] = {&bare, &dotted, &whole, &sealed, &signed_only};
    mnet_envelope_e outer[] = {MNET_PLAIN, MNET_PLAIN, MNET_ENCRYPTED, MNET_ENCRYPTED, MNET_PLAIN};
    mnet_envelope_e inner[] = {MNET_PLAIN, MNET_PLAIN, MNET_SIGNED, MNET_PLAIN, MNET_PLAIN};
    int i;

    sealed.inner = NULL;
    signed_only.outer = NULL;
    for (i = 0; i < 5; i++) {
        answer_t answer = give(all[i]);

        assert_int_equal(answer.document->kind, MNET_RESPONSE);
        assert_int_equal(answer.outer, outer[i]);
        assert_int_equal(answer.inner, inner[i]);
        assert_string_equal(
            mnet_as_text(APR_ARRAY_IDX(answer.document->params, 0, mnet_value_t *), world->pool),
            world_ring(&world->b)->pems[0]);
    }
}

static void allow_plaintext(void)
{
    apr_array_header_t *from = apr_array_make(world->pool, 1, sizeof(apr_ipsubnet_t *));
    apr_ipsubnet_t *net;

    assert_int_equal(apr_ipsubnet_create(&net, "192.0.2.0", "24", world->pool), APR_SUCCESS);
    APR_ARRAY_PUSH(from, apr_ipsubnet_t *) = net;
    world->b.site->plaintext_from = from;
}

static void plaintext_is_7021_where_it_is_not_allowed(void **state)
{
    craft_t craft = good(ECHO, "x");
    answer_t answer;

    craft.outer = NULL;
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_PLAINTEXT, MNET_PLAIN, MNET_PLAIN);
    allow_plaintext();
    world->address = "198.51.100.1";
    answer = give(&craft);
    is_fault(&answer, MNET_FAULT_PLAINTEXT, MNET_PLAIN, MNET_PLAIN);
}

static void plaintext_is_answered_signed_where_it_is(void **state)
{
    craft_t craft = good(ECHO, "x"), forged = good(ECHO, "x");
    answer_t answer;

    allow_plaintext();
    craft.outer = NULL;
    answer = give(&craft);
    assert_int_equal(answer.document->kind, MNET_RESPONSE);
    assert_int_equal(answer.outer, MNET_SIGNED);
    assert_true(by_current_key(&answer));
    forged.outer = NULL;
    forged.sign = world_ring(&world->b)->keys[0];
    answer = give(&forged);
    is_fault(&answer, MNET_FAULT_BAD_SIGNATURE, MNET_PLAIN, MNET_PLAIN);
    forged.inner = "https://c.example";
    answer = give(&forged);
    is_fault(&answer, MNET_FAULT_UNKNOWN_PEER, MNET_PLAIN, MNET_PLAIN);
}

static void plaintext_is_not_replayed(void **state)
{
    craft_t craft = good(NOTE, "x");
    mnet_spool_t *body;
    answer_t answer;

    allow_plaintext();
    craft.outer = NULL;
    body = world_craft(&craft);
    world_give(body, &world->b, &world->a);
    answer = world_give(body, &world->b, &world->a);
    is_fault(&answer, MNET_FAULT_REPLAY, MNET_SIGNED, MNET_SIGNED);
    craft.timestamp = apr_time_sec(apr_time_now()) - 5; /* the same call at another time */
    answer = give(&craft);
    assert_int_equal(answer.document->kind, MNET_RESPONSE);
    assert_int_equal(world->calls, 2);
}

/* Text as the caller can read it: Mahara, and Moodle without Accept-Charset, get one reference a
 * byte. */
static const char *payload_for(const char *user_agent, const char *accept_charset)
{
    craft_t craft = good(ECHO, "J\xc3\xb6");

    world->user_agent = user_agent;
    world->accept_charset = accept_charset;
    return mnet_spool_text(give(&craft).signed_part->payload);
}

static void the_charset_follows_the_caller(void **state)
{
    const char *text = payload_for("Moodle", "UTF-8,ISO-8859-1");

    assert_true(strstr(text, "J\xc3\xb6") || strstr(text, "J&#246;"));
    assert_non_null(strstr(payload_for("Moodle", NULL), "J&#195;&#182;"));
    assert_non_null(strstr(payload_for("Mahara", NULL), "J&#195;&#182;"));
}

static void maharas_bytes_are_folded(void **state)
{
    craft_t craft = good(NULL, NULL);
    answer_t answer;

    world->user_agent = "Mahara";
    craft.document = "<?xml version=\"1.0\" encoding=\"utf-8\"?><methodCall><methodName>" NOTE
                     "</methodName><params><param><value><string>&#195;&#169;</string></value>"
                     "</param></params></methodCall>";
    answer = give(&craft);
    assert_int_equal(answer.document->kind, MNET_RESPONSE);
    assert_string_equal(mnet_as_text(world->seen, world->pool), "\xc3\xa9");
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(a_call_is_answered_in_its_envelope),
                                       T(length_is_told_before_the_bytes),
                                       T(no_room_for_the_opened_message_is_our_own_failure),
                                       T(the_peer_is_heard),
                                       T(rubbish_is_7000_and_says_no_more),
                                       T(an_oversize_body_is_refused_while_it_comes),
                                       T(bare_calls_are_7021),
                                       T(an_unknown_wwwroot_is_7020),
                                       T(a_peer_without_certificate_is_7020),
                                       T(what_does_not_open_is_always_the_same_7023),
                                       T(an_empty_envelope_is_7023_and_names_rc4),
                                       T(too_many_failures_are_turned_away),
                                       T(a_full_gate_is_7105),
                                       T(encrypted_but_unsigned_is_711),
                                       T(two_names_are_7103),
                                       T(a_forged_signature_is_710_after_one_question),
                                       T(a_peers_new_key_is_fetched),
                                       T(both_rotated),
                                       T(the_clock_is_7101),
                                       T(an_answer_bears_the_time_of_who_asked),
                                       T(a_slow_answer_bears_the_time_of_the_middle),
                                       T(a_replay_tells_no_time),
                                       T(a_peers_clock_is_spoken_of_once_an_hour),
                                       T(clocks_are_compared_over_a_span),
                                       T(a_replay_is_7102),
                                       T(changes_are_not_replayed_even_without_the_shared_memory),
                                       T(two_calls_alike_are_no_replay),
                                       T(an_old_key_is_7025_by_that_key),
                                       T(the_method_decides_the_fault),
                                       T(a_missing_parameter_is_named),
                                       T(a_handlers_fault_keeps_its_text),
                                       T(signed_rubbish_is_7000_in_the_envelope),
                                       T(keyswap_is_served_in_any_envelope),
                                       T(plaintext_is_7021_where_it_is_not_allowed),
                                       T(plaintext_is_answered_signed_where_it_is),
                                       T(plaintext_is_not_replayed),
                                       T(the_charset_follows_the_caller),
                                       T(maharas_bytes_are_folded)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
