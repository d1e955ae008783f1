/* SPDX-License-Identifier: Apache-2.0 */
/* A call that a local application answers, with an application that says what a test wants. */
#include "world.h"

#include "service/backend.h"

#define GOOD                                                                                       \
    "<methodResponse><params><param><value><string>good</string></value></param></params>"         \
    "</methodResponse>"

/* What the application says, one after another; the last one again and again. */
typedef struct say_t {
    long status;
    const char *body;
    apr_status_t rv; /* not 0: no answer */
    int sent;
} say_t;

static const say_t *says;
static int asked;
static mnet_http_t last;
static const char *heads; /* of the last request, a line each */
static const char *bodies;
static unsigned char secret[MNET_BACKEND_SECRET] = "a secret of thirty-two bytes";

static apr_status_t perform(void *self, mnet_http_t *http, apr_pool_t *pool)
{
    const say_t *say = says;
    int i;

    for (i = 0; i < asked && (say[1].status || say[1].rv); i++) {
        say++;
    }
    asked++;
    last = *http;
    heads = "";
    for (i = 0; i < http->headers->nelts; i++) {
        heads = apr_pstrcat(world->pool, heads, APR_ARRAY_IDX(http->headers, i, const char *), "\n",
                            NULL);
    }
    bodies = apr_pstrdup(world->pool, mnet_spool_text(http->body));
    http->status = say->rv ? 0 : say->status;
    http->sent = say->rv ? say->sent : 1;
    http->timed_out = say->rv == APR_TIMEUP;
    if (!say->rv && say->body) {
        return mnet_sink_write(http->response, say->body, strlen(say->body));
    }
    return say->rv;
}

static const mnet_transport_ops_t application = {net_create, perform, NULL};

/* A method of one line of MnetBackend, called once. */
static const mnet_method_t *method_of(const char *line)
{
    char *words[16], *end = NULL, *copy = apr_pstrdup(world->pool, line);
    mnet_registry_t *registry = mnet_registry_create(world->pool);
    mnet_backend_options_t *options;
    const char *problem;
    int n = 0;

    for (char *word = apr_strtok(copy, " ", &end); word; word = apr_strtok(NULL, " ", &end)) {
        words[n++] = word;
    }
    problem = mnet_backend_parse(&options, n, words, world->pool);
    if (problem) {
        fail_msg("%s", problem);
    }
    world->a.engine->transport->ops = &application;
    assert_int_equal(mnet_backend_add(registry, world->a.wwwroot, options, secret, world->pool),
                     APR_SUCCESS);
    return APR_ARRAY_IDX(mnet_registry_list(registry, world->a.wwwroot, world->pool), 0,
                         const mnet_method_t *);
}

static mnet_call_t *call_method(const mnet_method_t *method, const char *path, mnet_value_t *param)
{
    mnet_call_t *call = apr_pcalloc(world->pool, sizeof(*call));
    apr_array_header_t *params = apr_array_make(world->pool, 1, sizeof(mnet_value_t *));

    if (param) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = param;
    }
    call->pool = world->pool;
    call->host = world->a.host;
    call->peer = world_peer(&world->a, &world->b);
    call->method = method;
    call->path = path;
    call->params = params;
    call->id = "test";
    assert_int_equal(method->handler(call, method->baton), APR_SUCCESS);
    return call;
}

static mnet_call_t *ask(const char *options, const say_t *answers)
{
    const char *line =
        apr_psprintf(world->pool, "a/b/c.php/d http://127.0.0.1:8080/x?y=1 service=s %s", options);

    says = answers;
    asked = 0;
    return call_method(method_of(line), "a/b/c.php/d", mnet_string("p", world->pool));
}

static const say_t *one(long status, const char *body)
{
    say_t *say = apr_pcalloc(world->pool, 2 * sizeof(*say));

    say[0] = (say_t){status, body, 0, 1};
    return say;
}

static void good(const mnet_call_t *call)
{
    if (call->fault_code) {
        fail_msg("fault %d: %s\n%s", call->fault_code, call->fault_text, world->lines);
    }
    assert_string_equal(mnet_as_text(call->result, world->pool), "good");
}

static void the_application_is_told_who_calls(void **state)
{
    good(ask("", one(200, GOOD)));
    assert_string_equal(last.url, "http://127.0.0.1:8080/x?y=1");
    assert_true(last.is_local);
    assert_non_null(strstr(heads, apr_pstrcat(world->pool, "X-Mnet-Peer: ", world->b.wwwroot,
                                              "\nX-Mnet-Application: moodle\nX-Mnet-Method: "
                                              "a/b/c.php/d\nX-Mnet-Proof: ",
                                              NULL)));
    assert_non_null(strstr(bodies, "<methodName>a/b/c.php/d</methodName>"));
    assert_non_null(strstr(bodies, "<string>p</string>"));
}

static void no_header_can_be_smuggled_in(void **state)
{
    says = one(200, GOOD);
    asked = 0;
    assert_int_equal(
        call_method(method_of("a/* http://127.0.0.1/ service=s"), "a/b\r\nX-Mnet-Peer: evil", NULL)
            ->fault_code,
        MNET_FAULT_BACKEND);
    assert_int_equal(asked, 0);
}

static void json_rpc(void **state)
{
    good(ask("format=json", one(200, "{\"result\": \"good\"}")));
    assert_string_equal(last.content_type, "application/json");
    /* The id is another one in each call. */
    assert_int_equal(strncmp(bodies, "{\"jsonrpc\":\"2.0\",\"id\":", 22), 0);
    assert_string_equal(bodies + 22 + strspn(bodies + 22, "0123456789"),
                        ",\"method\":\"a/b/c.php/d\",\"params\":[\"p\"]}");
    good(ask("format=json", one(200, "{\"id\": null, \"result\": \"good\"}")));
}

/* A call that may have been heard is not sent again, unless it only reads. */
static void what_may_have_been_done_is_not_done_again(void **state)
{
    static const say_t unheard[] = {{0, NULL, APR_EGENERAL, 0}, {200, GOOD, 0, 1}, {0}},
                       heard[] = {{0, NULL, APR_EGENERAL, 1}, {200, GOOD, 0, 1}, {0}},
                       busy[] = {{503, "", 0, 1}, {200, GOOD, 0, 1}, {0}};

    good(ask("http://127.0.0.1:2/", unheard));
    assert_int_equal(asked, 2);
    assert_true(last.once);
    assert_int_equal(ask("http://127.0.0.1:2/", heard)->fault_code, MNET_FAULT_BACKEND);
    assert_int_equal(asked, 1);
    assert_int_equal(ask("http://127.0.0.1:2/", busy)->fault_code, MNET_FAULT_BUSY);
    assert_int_equal(asked, 1);
    good(ask("http://127.0.0.1:2/ readonly", heard));
    assert_int_equal(asked, 2);
    assert_false(last.once);
    good(ask("http://127.0.0.1:2/ readonly", busy));
    assert_int_equal(ask("", heard)->fault_code, MNET_FAULT_BACKEND);
}

static void bad_answers_are_7104(void **state)
{
    static const char *const xml[] = {
        "",
        "x",
        "<methodResponse>",
        "<methodCall><methodName>a/bb</methodName></methodCall>",
        "<methodResponse><fault><value>1</value></fault></methodResponse>",
        "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>7025</int>"
        "</value></member></struct></value></fault></methodResponse>"};
    static const char *const json[] = {"",
                                       "x",
                                       "[]",
                                       "1",
                                       "{}",
                                       "{\"result\":1",
                                       "{\"result\":1}x",
                                       "{\"error\":\"x\"}",
                                       "{\"id\":1,\"result\":1}",
                                       "{\"id\":1,\"error\":{\"code\":5,\"message\":\"x\"}}",
                                       "{\"error\":{\"code\":5}}",
                                       "{\"error\":{\"message\":\"x\"}}",
                                       "{\"error\":{\"code\":7025,\"message\":\"x\"}}"};
    apr_size_t i;

    for (i = 0; i < sizeof(xml) / sizeof(xml[0]); i++) {
        assert_int_equal(ask("", one(200, xml[i]))->fault_code, MNET_FAULT_BACKEND);
    }
    for (i = 0; i < sizeof(json) / sizeof(json[0]); i++) {
        assert_int_equal(ask("format=json", one(200, json[i]))->fault_code, MNET_FAULT_BACKEND);
    }
    assert_true(world_logged("MNET1104"));
    assert_int_equal(ask("", one(500, GOOD))->fault_code, MNET_FAULT_BACKEND);
    assert_int_equal(ask("", one(301, GOOD))->fault_code, MNET_FAULT_BACKEND);
    assert_int_equal(ask("", one(429, GOOD))->fault_code, MNET_FAULT_BUSY);
}

static void a_fault_is_the_callers(void **state)
{
    mnet_call_t *call =
        ask("format=json", one(200, "{\"error\":{\"code\":-5,\"message\":\"no \\u00e9\"}}"));

    assert_int_equal(call->fault_code, -5);
    assert_string_equal(call->fault_text, "no \xc3\xa9");
    call = ask("format=json", one(200, "{\"error\":{\"code\":99999999999,\"message\":\"x\"}}"));
    assert_int_equal(call->fault_code, 1);
    assert_null(ask("format=json", one(200, "{\"error\":null,\"result\":null}"))->fault_text);
}

/* PHP's extension writes bytes as references; who writes bytes means them. */
static void text_of_either_kind_of_library(void **state)
{
    mnet_call_t *call =
        ask("", one(200, "<methodResponse><params><param><value>&#195;&#169;</value>"
                         "</param></params></methodResponse>"));

    assert_string_equal(mnet_as_text(call->result, world->pool), "\xc3\xa9");
    call = ask("", one(200, "<methodResponse><params><param><value>\xc3\x83\xc2\xa9</value></param>"
                            "</params></methodResponse>"));
    assert_string_equal(mnet_as_text(call->result, world->pool), "\xc3\x83\xc2\xa9");
}

/* The shared segment counts; a URL that failed three times is left alone for a while. */
static void one_that_fails_is_left_alone(void **state)
{
    static const say_t down[] = {{0, NULL, APR_EGENERAL, 0}, {0}};
    const mnet_method_t *method = method_of("a/b/c.php/d http://127.0.0.1:9/ service=s");
    int i;

    world->a.engine->shared = world_shared();
    says = down;
    asked = 0;
    for (i = 0; i < 10; i++) {
        assert_int_equal(call_method(method, "a/b/c.php/d", NULL)->fault_code, MNET_FAULT_BACKEND);
    }
    /* Three, and the one that was let through to look. */
    assert_in_range(asked, 3, 4);
    assert_true(world_logged("MNET1107"));
    assert_non_null(strstr(world->lines, "left alone"));
}

static void help_is_asked_for_once(void **state)
{
    const mnet_method_t *method = method_of("a/b/* http://127.0.0.1/ service=s");
    mnet_description_t told = {NULL, {NULL, "mixed", ""}, ""};
    int i;

    says = one(200, GOOD);
    asked = 0;
    for (i = 0; i < 3; i++) {
        told.help = "";
        method->asks->describe(world->a.host, method, "a/b/c.php/d", &told, world->pool);
        assert_string_equal(told.help, "good");
    }
    /* Its help, and its signature, which was none. */
    assert_int_equal(asked, 2);
    assert_null(told.parameters);
}

static void a_proof_is_good_where_it_was_meant(void **state)
{
    const mnet_crypto_t *crypto = world->a.engine->crypto;
    mnet_backend_told_t told = {"h:80", "/x", "https://p.example", "moodle", "a/bb"}, other;
    unsigned char another[MNET_BACKEND_SECRET] = "another";
    apr_time_t now = apr_time_now();
    apr_pool_t *pool = world->pool;
    const char *proof = mnet_backend_prove(crypto, secret, &told, now, pool);
    const char **parts[] = {&other.authority, &other.path, &other.peer, &other.application,
                            &other.method};
    apr_size_t i;

    assert_true(mnet_backend_proven(crypto, secret, proof, &told, now, pool));
    assert_true(
        mnet_backend_proven(crypto, secret, proof, &told, now + apr_time_from_sec(60), pool));
    assert_false(
        mnet_backend_proven(crypto, secret, proof, &told, now + apr_time_from_sec(180), pool));
    assert_false(mnet_backend_proven(crypto, another, proof, &told, now, pool));
    assert_false(mnet_backend_proven(crypto, NULL, proof, &told, now, pool));
    assert_false(mnet_backend_proven(crypto, secret, NULL, &told, now, pool));
    assert_false(mnet_backend_proven(crypto, secret, "", &told, now, pool));
    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        other = told;
        *parts[i] = "else";
        assert_false(mnet_backend_proven(crypto, secret, proof, &other, now, pool));
        *parts[i] = NULL;
        assert_false(mnet_backend_proven(crypto, secret, proof, &other, now, pool));
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(the_application_is_told_who_calls),
                                       T(no_header_can_be_smuggled_in),
                                       T(json_rpc),
                                       T(what_may_have_been_done_is_not_done_again),
                                       T(bad_answers_are_7104),
                                       T(a_fault_is_the_callers),
                                       T(text_of_either_kind_of_library),
                                       T(one_that_fails_is_left_alone),
                                       T(help_is_asked_for_once),
                                       T(a_proof_is_good_where_it_was_meant)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
