/* SPDX-License-Identifier: Apache-2.0 */
/* Calling a peer: what is sent, what is believed, and what is said when it is not. */
#include "world.h"

#define ECHO "test/a/b.php/echo"
#define NOTE "test/a/b.php/note"

static mnet_reply_t *call(const char *method, const char *text)
{
    return world_call(&world->a, &world->b, method, text);
}

static void is(const mnet_reply_t *reply, mnet_call_kind_e kind, const char *part)
{
    if (reply->kind != kind || !strstr(reply->message, part)) {
        fail_msg("%s %d: %s", mnet_call_kind_name(reply->kind), reply->code, reply->message);
    }
}

static void a_call_is_answered(void **state)
{
    mnet_reply_t *reply = call(ECHO, "J\xc3\xb6rg \xe6\xbc\xa2 <&>");

    is(reply, MNET_CALL_OK, "");
    assert_string_equal(mnet_as_text(reply->value, world->pool), "J\xc3\xb6rg \xe6\xbc\xa2 <&>");
    assert_int_equal(world->posts, 1);
    assert_true(world_logged("MNET0430"));
    assert_int_equal(mnet_shared_get(world->a.shared, MNET_COUNT_CALLS_OUT), 1);
}

static void every_kind_has_a_name(void **state)
{
    assert_string_equal(mnet_call_kind_name(MNET_CALL_OK), "ok");
    assert_string_equal(mnet_call_kind_name(MNET_CALL_POLICY), "policy");
    assert_string_equal(mnet_call_kind_name(MNET_CALL_TRANSPORT), "transport");
    assert_string_equal(mnet_call_kind_name(MNET_CALL_TRUST), "trust");
    assert_string_equal(mnet_call_kind_name(MNET_CALL_FAULT), "fault");
}

static void every_send_is_sealed_afresh(void **state)
{
    is(call(NOTE, "x"), MNET_CALL_OK, "");
    is(call(NOTE, "x"), MNET_CALL_OK, "");
    assert_int_equal(world->calls, 2);
}

static void a_fault_is_told_with_its_code(void **state)
{
    mnet_reply_t *reply = call("test/a/b.php/fail", NULL);

    is(reply, MNET_CALL_FAULT, "token 7");
    assert_int_equal(reply->code, 8009);
    assert_int_equal(reply->no_rc4, 0);
}

static void policy_is_asked_before_anything_is_sent(void **state)
{
    mnet_outgoing_t stranger = {.host = world->a.host,
                                .peer = "https://c.example",
                                .method = ECHO,
                                .params = world_params(NULL)};
    mnet_reply_t *reply;

    is(call("other/a/b.php/echo", "x"), MNET_CALL_POLICY, "do not subscribe");
    is(call("no_slash", "x"), MNET_CALL_POLICY, "no name of a method");
    mnet_client_call(&stranger, &reply, world->pool);
    is(reply, MNET_CALL_POLICY, "no active peer");
    assert_int_equal(mnet_peers_remove(world->a.host->peers, world->b.wwwroot, world->pool), 0);
    world_join(&world->a, &world->b, "moodle", 0);
    is(call(ECHO, "x"), MNET_CALL_POLICY, "mnetctl peers confirm https://b.example");
    assert_int_equal(world->posts, 0);
}

static void the_gate_is_kept(void **state)
{
    int i;

    for (i = 0; i < 4; i++) {
        assert_int_equal(mnet_shared_enter(world->a.shared, MNET_GATE_OUTGOING, 4), 1);
    }
    is(call(ECHO, "x"), MNET_CALL_POLICY, "MnetOutgoingLimit");
    mnet_shared_leave(world->a.shared, MNET_GATE_OUTGOING);
    is(call(ECHO, "x"), MNET_CALL_OK, "");
    is(call(ECHO, "x"), MNET_CALL_OK, "");
}

static void a_status_other_than_200_is_transport(void **state)
{
    world->status = 404;
    is(call(ECHO, "x"), MNET_CALL_TRANSPORT, "404");
    world->status = 302;
    is(call(ECHO, "x"), MNET_CALL_TRANSPORT, "redirects");
}

static void no_answer_is_transport(void **state)
{
    mnet_reply_t *reply;

    world->down = APR_EGENERAL;
    reply = call(ECHO, "x");
    is(reply, MNET_CALL_TRANSPORT, "the network is down");
    assert_int_equal(reply->timed_out, 0);
    world->down = APR_TIMEUP;
    reply = call(ECHO, "x");
    assert_int_equal(reply->timed_out, 1);
}

static void the_circuit_opens_and_may_be_overruled(void **state)
{
    mnet_outgoing_t ping = {.host = world->a.host,
                            .peer = world->b.wwwroot,
                            .method = ECHO,
                            .params = world_params("x"),
                            .even_if_down = 1};
    mnet_reply_t *reply;
    int i;

    world->down = APR_EGENERAL;
    for (i = 0; i < 3; i++) {
        is(call(ECHO, "x"), MNET_CALL_TRANSPORT, "down");
    }
    assert_int_equal(world->posts, 3);
    world->down = APR_SUCCESS;
    is(call(ECHO, "x"), MNET_CALL_TRANSPORT, "asked again in");
    assert_int_equal(world->posts, 3);
    mnet_client_call(&ping, &reply, world->pool);
    is(reply, MNET_CALL_OK, "");
    is(call(ECHO, "x"), MNET_CALL_OK, "");
}

static void plain_answers_are_not_believed(void **state)
{
    world->answer = "<?xml version=\"1.0\"?><methodResponse><params><param><value>"
                    "<string>x</string></value></param></params></methodResponse>";
    is(call(ECHO, "x"), MNET_CALL_TRUST, "neither signed nor encrypted");
    world->answer = "<?xml version=\"1.0\"?><methodCall><methodName>a/bc</methodName></methodCall>";
    is(call(ECHO, "x"), MNET_CALL_TRUST, "neither signed nor encrypted");
}

static const char *plain_fault(int code, const char *text)
{
    return apr_psprintf(world->pool,
                        "<?xml version=\"1.0\"?><methodResponse><fault><value><struct><member>"
                        "<name>faultCode</name><value><int>%d</int></value></member><member>"
                        "<name>faultString</name><value><string>%s</string></value></member>"
                        "</struct></value></fault></methodResponse>",
                        code, text);
}

static void a_plain_fault_is_told_and_not_followed(void **state)
{
    const char *before = world_peer(&world->a, &world->b)->certificate->pem;
    mnet_reply_t *reply;

    world->answer = plain_fault(7025, world_ring(&world->a)->pems[0]);
    reply = call(ECHO, "x");
    assert_int_equal(reply->kind, MNET_CALL_FAULT);
    assert_int_equal(reply->code, 7025);
    assert_int_equal(world->posts, 1);
    assert_string_equal(world_peer(&world->a, &world->b)->certificate->pem, before);
}

static void plain_7023_may_be_missing_rc4(void **state)
{
    mnet_reply_t *reply;

    world->answer = plain_fault(7023, "mnet/encryption-invalid");
    reply = call(ECHO, "x");
    is(reply, MNET_CALL_FAULT, "RC4");
    assert_int_equal(reply->no_rc4, 1);
    assert_int_equal(reply->code, 7023);
}

static void an_empty_envelope_is_missing_rc4(void **state)
{
    mnet_reply_t *reply;

    world->answer = "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<encryptedMessage>"
                    "<EncryptedData Id=\"ED\" xmlns=\"http://www.w3.org/2001/04/xmlenc#\">"
                    "<CipherData><CipherValue></CipherValue></CipherData></EncryptedData>"
                    "<EncryptedKey Id=\"EK\" xmlns=\"http://www.w3.org/2001/04/xmlenc#\">"
                    "<CipherData><CipherValue></CipherValue></CipherData></EncryptedKey>"
                    "<wwwroot>https://b.example</wwwroot><X1>nothing</X1></encryptedMessage>";
    reply = call(ECHO, "x");
    is(reply, MNET_CALL_TRUST, "RC4");
    assert_int_equal(reply->no_rc4, 1);
}

static void web_pages_and_nothing_are_told_apart(void **state)
{
    world->answer = "<!DOCTYPE html><html><body>Error</body></html>";
    is(call(ECHO, "x"), MNET_CALL_TRUST, "web page");
    world->answer = "";
    is(call(ECHO, "x"), MNET_CALL_TRUST, "empty page");
    world->answer = "<?xml version=\"1.0\"?><unknown/>";
    is(call(ECHO, "x"), MNET_CALL_TRUST, "no MNET message");
    world->answer =
        "<!DOCTYPE html><html><head><title>Down for\n<i>an hour</i></title></head><body>";
    is(call(ECHO, "x"), MNET_CALL_TRUST, "a web page (\"Down for an hour\")");
}

#define MESSAGE                                                                                    \
    "<?xml version=\"1.0\" "                                                                       \
    "encoding=\"iso-8859-1\"?>\n<methodResponse><params><param><value><int>1"                      \
    "</int></value></param></params></methodResponse>\n"

static void a_php_that_shows_its_warnings_is_told(void **state)
{
    mnet_reply_t *reply;

    world->answer = "<br />\n<b>Fatal error</b>:  Uncaught \"x\" in <b>/c.php</b> on line "
                    "<b>12</b><br />\n";
    is(call(ECHO, "x"), MNET_CALL_TRUST, "(\"Fatal error: Uncaught 'x' in /c.php on line 12\")");
    is(call(ECHO, "x"), MNET_CALL_TRUST, "display_errors");
    world->answer = "\nDeprecated: Creation of \x01 property in c.php on line 3\n";
    is(call(ECHO, "x"), MNET_CALL_TRUST,
       "(\"Deprecated: Creation of \\x01 property in c.php on line 3\")");
    world->answer = MESSAGE "<br />\n<b>Notice</b>: late";
    is(call(ECHO, "x"), MNET_CALL_TRUST, "(\"Notice: late\")");
    is(call(ECHO, "x"), MNET_CALL_TRUST, "display_errors");
    world->answer = MESSAGE;
    reply = call(ECHO, "x");
    assert_int_equal(reply->kind, MNET_CALL_TRUST);
    assert_null(strstr(reply->message, "display_errors"));
}

static void answer_with(const craft_t *craft)
{
    world->answer = mnet_spool_text(world_craft(craft));
}

static craft_t answer_by_b(void)
{
    craft_t craft = {.inner = world->b.wwwroot,
                     .outer = world->b.wwwroot,
                     .sign = world_ring(&world->b)->keys[0],
                     .seal = world_peer(&world->b, &world->a)->certificate->key,
                     .document = "<?xml version=\"1.0\"?><methodResponse><params><param><value>"
                                 "<string>yes</string></value></param></params>"
                                 "</methodResponse>"};

    return craft;
}

static void warnings_before_the_message_are_passed_over(void **state)
{
    craft_t craft = answer_by_b();

    answer_with(&craft);
    world->answer = apr_pstrcat(world->pool, "<br />\n<b>Warning</b>:  x in <b>c.php</b><br />\n",
                                world->answer, NULL);
    is(call(ECHO, "x"), MNET_CALL_OK, "");
    assert_true(world_logged("MNET0464"));
}

static void a_crafted_answer_is_believed_once(void **state)
{
    craft_t craft = answer_by_b();

    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_OK, "");
    is(call(ECHO, "x"), MNET_CALL_TRUST, "received before");
}

static void an_answer_must_be_the_peers(void **state)
{
    craft_t craft = answer_by_b();

    craft.sign = world_ring(&world->a)->keys[0];
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_TRUST, "not signed by the certificate");
    craft = answer_by_b();
    craft.inner = "https://c.example";
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_TRUST, "in the name of another site");
    craft = answer_by_b();
    craft.outer = "https://c.example";
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_TRUST, "calls itself https://c.example");
    craft = answer_by_b();
    craft.inner = NULL;
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_TRUST, "neither signed");
    craft = answer_by_b();
    craft.outer = NULL;
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_TRUST, "signed but not encrypted");
    craft = answer_by_b();
    craft.seal = world_peer(&world->a, &world->b)->certificate->key;
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_TRUST, "not ours");
}

static void an_answers_time_is_looked_at(void **state)
{
    craft_t craft = answer_by_b();

    craft.timestamp = apr_time_sec(apr_time_now()) + 3600;
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_TRUST, "MnetClockSkew");
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_TRUST, " seconds after ours");
    craft.timestamp = apr_time_sec(apr_time_now()) - 86400;
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_TRUST, " seconds before ours");
    craft.timestamp = 1;
    world->a.site->clock_skew = 0;
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_OK, "");
}

/* All that a Moodle says of a service that it does not publish. */
static void a_fault_of_permission_names_its_mend(void **state)
{
    craft_t craft = answer_by_b();

    craft.document = "<?xml version=\"1.0\"?><methodResponse><fault><value><struct><member>"
                     "<name>faultCode</name><value><int>7012</int></value></member><member>"
                     "<name>faultString</name><value><string>mnet/nosuchfunction</string></value>"
                     "</member></struct></value></fault></methodResponse>";
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_FAULT, "mnet/nosuchfunction: it has no such method");
    answer_with(&craft);
    is(call(ECHO, "x"), MNET_CALL_FAULT, "does not publish the service test to ");
    assert_non_null(strstr(world->lines, world->a.wwwroot));
    assert_true(world_logged("MNET0431"));
}

static void an_answer_to_our_old_key_is_read(void **state)
{
    craft_t craft = answer_by_b();

    answer_with(&craft);
    world_rotate(&world->a);
    is(call(ECHO, "x"), MNET_CALL_OK, "");
}

static void too_long_an_answer_is_refused(void **state)
{
    mnet_outgoing_t long_call = {.host = world->a.host,
                                 .peer = world->b.wwwroot,
                                 .method = ECHO,
                                 .params = world_params("x"),
                                 .max_reply = 100};
    mnet_reply_t *reply;

    mnet_client_call(&long_call, &reply, world->pool);
    assert_int_equal(reply->kind, MNET_CALL_TRUST);
}

/* --- rotation --- */

static void the_peer_rotated(void **state)
{
    world_rotate(&world->b);
    is(call(NOTE, "x"), MNET_CALL_OK, "");
    assert_int_equal(world->posts, 2);
    assert_int_equal(world->calls, 1);
    assert_string_equal(world_peer(&world->a, &world->b)->certificate->pem,
                        world_ring(&world->b)->pems[0]);
    is(call(NOTE, "x"), MNET_CALL_OK, "");
    assert_int_equal(world->posts, 3);
}

static void we_rotated(void **state)
{
    world_rotate(&world->a);
    is(call(NOTE, "x"), MNET_CALL_OK, "");
    assert_int_equal(world->calls, 1);
    assert_string_equal(world_peer(&world->b, &world->a)->certificate->pem,
                        world_ring(&world->a)->pems[0]);
}

static void both_rotated(void **state)
{
    world_rotate(&world->a);
    world_rotate(&world->b);
    is(call(NOTE, "x"), MNET_CALL_OK, "");
    assert_int_equal(world->calls, 1);
    assert_string_equal(world_peer(&world->a, &world->b)->certificate->pem,
                        world_ring(&world->b)->pems[0]);
    assert_string_equal(world_peer(&world->b, &world->a)->certificate->pem,
                        world_ring(&world->a)->pems[0]);
}

static void no_follow_leaves_a_7025_alone(void **state)
{
    mnet_outgoing_t careful = {.host = world->a.host,
                               .peer = world->b.wwwroot,
                               .method = ECHO,
                               .params = world_params("x"),
                               .no_follow = 1};
    mnet_reply_t *reply;

    world_rotate(&world->b);
    mnet_client_call(&careful, &reply, world->pool);
    assert_int_equal(reply->kind, MNET_CALL_FAULT);
    assert_int_equal(reply->code, 7025);
    assert_int_equal(world->posts, 1);
}

static void a_mahara_that_just_learnt_our_key_is_asked_again(void **state)
{
    assert_int_equal(mnet_peers_remove(world->a.host->peers, world->b.wwwroot, world->pool), 0);
    world_join(&world->a, &world->b, "mahara", 1);
    world_rotate(&world->a);
    world->answer = plain_fault(0, "Sorry");
    is(call(ECHO, "x"), MNET_CALL_FAULT, "Sorry");
    assert_int_equal(world->posts, 2);
    is(call(ECHO, "x"), MNET_CALL_FAULT, "Sorry"); /* reached since: no more second tries */
    assert_int_equal(world->posts, 3);
}

/* --- keyswap --- */

static mnet_reply_t *swap(mnet_keyswap_t *keyswap)
{
    mnet_reply_t *reply;

    mnet_client_keyswap(world->a.host, world_peer(&world->a, &world->b)->facts, keyswap, &reply,
                        world->pool);
    return reply;
}

static void keyswap_gets_the_certificate(void **state)
{
    mnet_keyswap_t keyswap;

    is(swap(&keyswap), MNET_CALL_OK, "");
    assert_string_equal(keyswap.pem, world_ring(&world->b)->pems[0]);
    assert_int_equal(keyswap.verified, 0);
    world->verified = 1;
    is(swap(&keyswap), MNET_CALL_OK, "");
    assert_int_equal(keyswap.verified, 1);
    assert_non_null(strstr(mnet_spool_text(world->last_body), "<methodName>system/keyswap<"));
    assert_non_null(strstr(mnet_spool_text(world->last_body), "moodle"));
}

static void keyswap_in_an_envelope_is_read(void **state)
{
    craft_t craft = answer_by_b();
    mnet_keyswap_t keyswap;

    craft.document = apr_pstrcat(world->pool,
                                 "<?xml version=\"1.0\"?><methodResponse><params><param><value>"
                                 "<string>",
                                 world_ring(&world->b)->pems[0],
                                 "</string></value></param></params></methodResponse>", NULL);
    answer_with(&craft);
    is(swap(&keyswap), MNET_CALL_OK, "");
    assert_string_equal(keyswap.pem, world_ring(&world->b)->pems[0]);
}

static void keyswap_without_a_certificate_is_told(void **state)
{
    mnet_keyswap_t keyswap;

    world->answer = plain_fault(704, "not running");
    is(swap(&keyswap), MNET_CALL_FAULT, "not running");
    assert_null(keyswap.pem);
    world->answer = "<?xml version=\"1.0\"?><methodResponse><params><param><value>x</value></param>"
                    "</params></methodResponse>";
    is(swap(&keyswap), MNET_CALL_TRUST, "no certificate");
    assert_null(keyswap.pem);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(a_call_is_answered),
                                       T(every_kind_has_a_name),
                                       T(every_send_is_sealed_afresh),
                                       T(a_fault_is_told_with_its_code),
                                       T(policy_is_asked_before_anything_is_sent),
                                       T(the_gate_is_kept),
                                       T(a_status_other_than_200_is_transport),
                                       T(no_answer_is_transport),
                                       T(the_circuit_opens_and_may_be_overruled),
                                       T(plain_answers_are_not_believed),
                                       T(a_plain_fault_is_told_and_not_followed),
                                       T(plain_7023_may_be_missing_rc4),
                                       T(an_empty_envelope_is_missing_rc4),
                                       T(web_pages_and_nothing_are_told_apart),
                                       T(a_php_that_shows_its_warnings_is_told),
                                       T(warnings_before_the_message_are_passed_over),
                                       T(a_crafted_answer_is_believed_once),
                                       T(an_answer_must_be_the_peers),
                                       T(an_answers_time_is_looked_at),
                                       T(a_fault_of_permission_names_its_mend),
                                       T(an_answer_to_our_old_key_is_read),
                                       T(too_long_an_answer_is_refused),
                                       T(the_peer_rotated),
                                       T(we_rotated),
                                       T(both_rotated),
                                       T(no_follow_leaves_a_7025_alone),
                                       T(a_mahara_that_just_learnt_our_key_is_asked_again),
                                       T(keyswap_gets_the_certificate),
                                       T(keyswap_in_an_envelope_is_read),
                                       T(keyswap_without_a_certificate_is_told)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
