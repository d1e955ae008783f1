/* SPDX-License-Identifier: Apache-2.0 */
/* The system methods: what a caller may learn, and who becomes a peer by keyswap. */
#include "world.h"

static mnet_value_t *ask(const char *method, const char *text)
{
    mnet_reply_t *reply = world_call(&world->a, &world->b, method, text);

    if (reply->kind != MNET_CALL_OK) {
        fail_msg("%s", reply->message);
    }
    return reply->value;
}

static const char *text_of(const mnet_value_t *value)
{
    return mnet_as_text(value, world->pool);
}

static void methods_are_those_published_and_sorted(void **state)
{
    mnet_value_t *all = ask("system/listMethods", NULL);

    assert_int_equal(all->type, MNET_ARRAY);
    assert_int_equal(mnet_count(all), 5);
    assert_string_equal(text_of(mnet_item(all, 0)), "test/a/b.php/broken");
    assert_string_equal(text_of(mnet_item(all, 4)), "test/a/b.php/note_claimed");
}

static void methods_of_one_service(void **state)
{
    assert_int_equal(mnet_count(ask("system/listMethods", "test")), 5);
    assert_int_equal(mnet_count(ask("system/listMethods", "other")), 0);
    assert_int_equal(mnet_count(ask("system/listMethods", "nonesuch")), 0);
    assert_int_equal(mnet_count(ask("system/listMethods", "")), 5);
}

static void the_dotted_spelling_works(void **state)
{
    assert_int_equal(mnet_count(ask("system.listMethods", NULL)), 5);
}

static void a_signature_has_parameters_and_return(void **state)
{
    mnet_value_t *signature = ask("system/methodSignature", "test/a/b.php/echo");
    mnet_value_t *parameter = mnet_item(mnet_get(signature, "parameters"), 0);

    assert_int_equal(mnet_count(mnet_get(signature, "parameters")), 1);
    assert_string_equal(text_of(mnet_get(parameter, "name")), "text");
    assert_string_equal(text_of(mnet_get(parameter, "type")), "string");
    assert_string_equal(text_of(mnet_get(parameter, "description")), "any text");
    assert_string_equal(text_of(mnet_get(mnet_get(signature, "return"), "type")), "string");
    assert_string_equal(text_of(mnet_get(mnet_get(signature, "return"), "description")), "it");
}

static void what_is_not_published_is_false(void **state)
{
    static const char *const paths[] = {"other/a/b.php/echo", "test/a/b.php/nonesuch", "rubbish"};
    apr_size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        mnet_value_t *signature = ask("system/methodSignature", paths[i]);
        mnet_value_t *help = ask("system/methodHelp", paths[i]);

        assert_int_equal(signature->type, MNET_BOOLEAN);
        assert_int_equal(signature->integer, 0);
        assert_int_equal(help->type, MNET_BOOLEAN);
        assert_int_equal(help->integer, 0);
    }
}

static void help_is_a_text(void **state)
{
    assert_string_equal(text_of(ask("system/methodHelp", "test/a/b.php/echo")), "Echoes.");
}

static void services_say_what_goes_each_way(void **state)
{
    mnet_value_t *services = ask("system/listServices", NULL);
    mnet_value_t *one = mnet_item(services, 0);

    assert_int_equal(mnet_count(services), 1); /* nothing between the two of "other" */
    assert_string_equal(text_of(mnet_get(one, "name")), "test");
    assert_int_equal(mnet_get(one, "apiversion")->type, MNET_STRING);
    assert_string_equal(text_of(mnet_get(one, "apiversion")), "1");
    assert_int_equal(mnet_get(one, "publish")->type, MNET_STRING);
    assert_string_equal(text_of(mnet_get(one, "publish")), "1");
    assert_string_equal(text_of(mnet_get(one, "subscribe")), "1");
}

/* --- keyswap --- */

static const char *certificate_for(const char *wwwroot)
{
    mnet_new_key_t *made;

    assert_int_equal(mnet_certificate_make(world->a.engine->crypto, wwwroot, "C", "moodle", 2048,
                                           apr_time_now(), apr_time_from_sec(86400), &made,
                                           world->pool),
                     0);
    return made->pem;
}

/* A bare keyswap at b; the answer is always b's certificate. */
static void keyswap(const char *wwwroot, const char *pem, const char *application)
{
    apr_array_header_t *params = world_params(wwwroot);
    mnet_spool_t *body = mnet_spool_create(0, NULL, world->pool);
    mnet_sink_t to = {mnet_spool_write, body};
    answer_t answer;

    if (pem) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(pem, world->pool);
    }
    if (application) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(application, world->pool);
    }
    assert_int_equal(mnet_xmlrpc_write_call("system/keyswap", params, &to), 0);
    answer = world_give(body, &world->b, &world->a);
    assert_int_equal(answer.document->kind, MNET_RESPONSE);
    assert_int_equal(answer.outer, MNET_PLAIN);
    assert_string_equal(text_of(APR_ARRAY_IDX(answer.document->params, 0, mnet_value_t *)),
                        world_ring(&world->b)->pems[0]);
}

static const mnet_peer_t *peer_at_b(const char *wwwroot)
{
    const mnet_peer_t *peer;

    return mnet_host_look(world->b.host, wwwroot, &peer, NULL, world->pool) ? NULL : peer;
}

static void keyswap_registers_nobody_by_default(void **state)
{
    keyswap("https://c.example", certificate_for("https://c.example"), "moodle");
    assert_null(peer_at_b("https://c.example"));
}

static void keyswap_makes_a_peer_without_services(void **state)
{
    const char *pem = certificate_for("https://c.example");
    const mnet_peer_t *peer;

    world->b.site->register_all = 1;
    keyswap("https://c.example", pem, "mahara"); /* what it takes us for */
    peer = peer_at_b("https://c.example");
    assert_non_null(peer);
    assert_int_equal(peer->state->trust, MNET_TRUST_KEYSWAP);
    assert_string_equal(peer->certificate->pem, pem);
    assert_string_equal(peer->application->name, "moodle");
    assert_int_equal(mnet_policy_publishes(peer, "test"), 0);
    assert_int_equal(mnet_policy_subscribes(peer, "test"), 0);
    assert_true(world_logged("MNET0502"));
}

static void two_parameters_are_a_maharas(void **state)
{
    world->b.site->register_all = 1;
    keyswap("https://c.example", certificate_for("https://c.example"), NULL);
    assert_string_equal(peer_at_b("https://c.example")->application->name, "mahara");
}

static void keyswap_never_changes_a_peer(void **state)
{
    const char *before = peer_at_b(world->a.wwwroot)->certificate->pem;

    world->b.site->register_all = 1;
    keyswap(world->a.wwwroot, certificate_for(world->a.wwwroot), "moodle");
    assert_string_equal(peer_at_b(world->a.wwwroot)->certificate->pem, before);
    assert_int_equal(peer_at_b(world->a.wwwroot)->state->trust, MNET_TRUST_CONFIRMED);
}

static void keyswap_is_choosy(void **state)
{
    static const char *const wwwroots[] = {"https://c.example/",  "ftp://c.example",
                                           "https://u@c.example", "https://b.example",
                                           "http://b.example",    "http://a.example"};
    apr_size_t i;

    world->b.site->register_all = 1;
    for (i = 0; i < sizeof(wwwroots) / sizeof(wwwroots[0]); i++) {
        world->address = apr_psprintf(world->pool, "192.0.2.%d", (int)i + 10);
        keyswap(wwwroots[i], certificate_for(wwwroots[i]), "moodle");
        assert_null(peer_at_b(wwwroots[i]));
    }
    world->address = "192.0.2.50";
    keyswap("https://c.example", certificate_for("https://d.example"), "moodle");
    assert_null(peer_at_b("https://c.example"));
    world->address = "192.0.2.51";
    keyswap("https://c.example", "no certificate", "moodle");
    assert_null(peer_at_b("https://c.example"));
    world->address = "192.0.2.52";
    keyswap("https://c.example", NULL, NULL);
    keyswap(NULL, NULL, NULL);
    assert_null(peer_at_b("https://c.example"));
}

static void keyswap_is_rationed_by_address(void **state)
{
    world->b.site->register_all = 1;
    keyswap("https://c.example", certificate_for("https://c.example"), "moodle");
    keyswap("https://d.example", certificate_for("https://d.example"), "moodle");
    assert_non_null(peer_at_b("https://c.example"));
    assert_null(peer_at_b("https://d.example"));
    world->address = "192.0.2.77";
    keyswap("https://d.example", certificate_for("https://d.example"), "moodle");
    assert_non_null(peer_at_b("https://d.example"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(methods_are_those_published_and_sorted),
                                       T(methods_of_one_service),
                                       T(the_dotted_spelling_works),
                                       T(a_signature_has_parameters_and_return),
                                       T(what_is_not_published_is_false),
                                       T(help_is_a_text),
                                       T(services_say_what_goes_each_way),
                                       T(keyswap_registers_nobody_by_default),
                                       T(keyswap_makes_a_peer_without_services),
                                       T(two_parameters_are_a_maharas),
                                       T(keyswap_never_changes_a_peer),
                                       T(keyswap_is_choosy),
                                       T(keyswap_is_rationed_by_address)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
