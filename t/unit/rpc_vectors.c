/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a real Moodle and a real Mahara sent each other (t/vectors), sent to this server and read by
 * this client in the place of the one it was meant for.
 */
#include "world.h"

#include "trust/key_record.h"
#include "wire_vectors.h"

#define MOODLE "http://moodle.test:8081"
#define MAHARA "http://mahara.test:8082"

static const mnet_method_t anything = {
    "*", "test", MNET_METHOD_CHANGES, NULL, 0, {NULL, "boolean", "true"}, "Notes.", note};

static int setup(void **state)
{
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    world = apr_pcalloc(pool, sizeof(*world));
    world->pool = pool;
    world->log.write = world_log;
    world->log.baton = world;
    world->log.level = MNET_LOG_WARNING;
    world->address = "192.0.2.1";
    world->registry = mnet_registry_create(pool);
    assert_int_equal(mnet_service_system(world->registry), 0);
    assert_int_equal(mnet_registry_add(world->registry, NULL, &anything), 0);
    open_place(&world->a, MOODLE, "moodle");
    open_place(&world->b, MAHARA, "mahara");
    world->a.site->clock_skew = world->b.site->clock_skew = 0;
    world_join(&world->a, &world->b, "mahara", 0);
    world_join(&world->b, &world->a, "moodle", 0);
    return 0;
}

static place_t *place(const char *name)
{
    return strcmp(name, "moodle") ? &world->b : &world->a;
}

static const char *pem_of(const char *name)
{
    apr_size_t len;

    return read_vector(name, &len, world->pool);
}

/* Makes a captured key the current one of a site, as if it had rotated to it. */
static void use_key(place_t *at, const char *p8)
{
    static apr_uint64_t seq = 1000;
    apr_pool_t *pool = world->pool;
    const char *crt = apr_pstrcat(pool, apr_pstrndup(pool, p8, strlen(p8) - 2), "crt", NULL);
    unsigned char name[MNET_KEY_NAME_MAX];
    mnet_key_record_t record = {.created = apr_time_now()};
    mnet_certificate_t *certificate;
    const char *why = "";
    mnet_txn_t *txn;
    apr_size_t len;
    void *bytes;

    assert_int_equal(
        mnet_certificate_read(at->engine->crypto, pem_of(crt), &certificate, &why, pool), 0);
    record.pem = certificate->pem;
    if (!strcmp(world_ring(at)->pems[0], record.pem)) {
        return;
    }
    record.not_before = certificate->not_before;
    record.not_after = certificate->not_after;
    record.key_der = (const unsigned char *)read_vector(p8, &record.key_len, pool);
    bytes = mnet_key_pack(&record, &len, pool);
    seq++;
    assert_int_equal(mnet_txn_begin(at->engine->store, MNET_WRITE, &txn, pool), 0);
    assert_int_equal(
        mnet_txn_put(txn, MNET_KEY_GROUP, name, mnet_key_name(name, at->wwwroot, &seq), bytes, len),
        0);
    assert_int_equal(mnet_txn_touch(txn), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    assert_string_equal(world_ring(at)->pems[0], record.pem);
}

static void use_certificate(place_t *at, place_t *of, const char *crt)
{
    const char *why = "";

    if (mnet_peers_accept(at->host->peers, of->wwwroot, pem_of(crt), MNET_TRUST_CONFIRMED,
                          apr_time_now(), &why, world->pool)) {
        fail_msg("%s: %s", crt, why);
    }
}

static mnet_spool_t *spool_of(const char *name)
{
    apr_size_t len;
    const char *data = read_vector(name, &len, world->pool);
    mnet_spool_t *spool = mnet_spool_create(0, NULL, world->pool);

    assert_int_equal(mnet_spool_write(spool, data, len), 0);
    return spool;
}

static mnet_document_t *plain_of(const vector_t *vector)
{
    mnet_document_t *document = NULL;
    const char *why = "";

    if (mnet_xmlrpc_read(spool_of(vector->plain_file), MNET_CHARSET_UTF8, &mnet_xml_limits_peer,
                         &document, &why, world->pool)) {
        fail_msg("%s: %s", vector->plain_file, why);
    }
    return document;
}

/* Sealed, signed by a certificate that the vectors have, and valid. */
static int is_whole(const vector_t *vector, const char *role)
{
    return !strcmp(vector->role, role) && vector->is_encrypted && vector->is_signed &&
           vector->decrypt_key && vector->signature_cert && vector->signature_valid &&
           vector->plain_file;
}

static int expected_fault(const mnet_document_t *call)
{
    if (!mnet_method_name_ok(call->method)) {
        return MNET_FAULT_METHOD_NAME;
    }
    if (mnet_registry_find(world->registry, NULL, call->method)) {
        return 0;
    }
    return MNET_FAULT_NO_SYSTEM_METHOD;
}

/* A few bodies were sent to more than one server: the second time they are a replay. */
static int sent_before(const apr_array_header_t *all, int index)
{
    const char *session_key = APR_ARRAY_IDX(all, index, vector_t *)->session_key;
    int i;

    for (i = 0; i < index; i++) {
        const vector_t *earlier = APR_ARRAY_IDX(all, i, vector_t *);

        if (is_whole(earlier, "request") && !strcmp(earlier->session_key, session_key)) {
            return 1;
        }
    }
    return 0;
}

static void check_request(const vector_t *vector, int replayed)
{
    place_t *to = place(vector->receiver), *from = place(vector->sender);
    mnet_document_t *call = plain_of(vector);
    int code = replayed ? MNET_FAULT_REPLAY : expected_fault(call);
    answer_t answer;

    use_key(to, vector->decrypt_key);
    use_certificate(to, from, vector->signature_cert);
    world->user_agent = from == &world->b ? "Mahara" : "Moodle";
    world->accept_charset = from == &world->b ? NULL : "UTF-8,ISO-8859-1,US-ASCII";
    answer = world_give(spool_of(vector->wire), to, from);
    if (strcmp(vector->outer_wwwroot, from->wwwroot)) {
        assert_int_equal(answer.outer, MNET_PLAIN);
        assert_int_equal(answer.document->fault_code, MNET_FAULT_UNKNOWN_PEER);
        return;
    }
    if (answer.status != 200 || answer.outer != MNET_ENCRYPTED || answer.inner != MNET_SIGNED ||
        (code ? answer.document->fault_code != code : answer.document->kind != MNET_RESPONSE)) {
        fail_msg("%s: %s answered with %d (%s), not %d", vector->wire, call->method,
                 answer.document ? answer.document->fault_code : -1,
                 answer.document && answer.document->fault_text ? answer.document->fault_text : "",
                 code);
    }
    /* The sender's side accepts it: sealed to its key, signed by ours, in our name. */
    assert_string_equal(answer.signed_part->wwwroot, to->wwwroot);
    assert_int_equal(
        mnet_message_verify(to->engine->crypto, answer.signed_part, world_ring(to)->keys[0]), 0);
}

static void every_real_request_is_served(void **state)
{
    apr_array_header_t *all = read_vectors(world->pool);
    int i, n = 0;

    for (i = 0; i < all->nelts; i++) {
        const vector_t *vector = APR_ARRAY_IDX(all, i, vector_t *);

        if (is_whole(vector, "request")) {
            /* The answer is sealed to the certificate that signed: its key must be at hand. */
            use_key(place(vector->sender),
                    apr_pstrcat(world->pool,
                                apr_pstrndup(world->pool, vector->signature_cert,
                                             strlen(vector->signature_cert) - 3),
                                "p8", NULL));
            check_request(vector, sent_before(all, i));
            n++;
        }
    }
    print_message("# %d requests\n", n);
    assert_true(n > 60);
}

static void check_response(const vector_t *vector)
{
    place_t *to = place(vector->receiver), *from = place(vector->sender);
    mnet_document_t *document = plain_of(vector);
    mnet_outgoing_t call = {.host = to->host,
                            .peer = from->wwwroot,
                            .method = "a/b/c",
                            .params = world_params(NULL),
                            .max_reply = 64 * 1024 * 1024,
                            .no_follow = 1};
    mnet_reply_t *reply;

    use_key(to, vector->decrypt_key);
    use_certificate(to, from, vector->signature_cert);
    world->answer = mnet_spool_text(spool_of(vector->wire));
    if (!world->answer) {
        return; /* too long for this test's network */
    }
    mnet_client_call(&call, &reply, world->pool);
    if (document->kind == MNET_FAULT
            ? reply->kind != MNET_CALL_FAULT || reply->code != document->fault_code
            : reply->kind != MNET_CALL_OK) {
        fail_msg("%s: %s %d: %s", vector->wire, mnet_call_kind_name(reply->kind), reply->code,
                 reply->message);
    }
}

static void every_real_response_is_read(void **state)
{
    apr_array_header_t *all = read_vectors(world->pool);
    int i, n = 0;

    for (i = 0; i < all->nelts; i++) {
        const vector_t *vector = APR_ARRAY_IDX(all, i, vector_t *);

        if (is_whole(vector, "response")) {
            check_response(vector);
            n++;
        }
    }
    print_message("# %d responses\n", n);
    assert_true(n > 40);
}

/* Moodle signs a 7025 with the old key, Mahara with the new one. */
static void follow(const char *wire, const char *server, const char *ours, const char *old,
                   const char *new_one, int followed)
{
    place_t *from = place(server), *to = from == &world->a ? &world->b : &world->a;
    mnet_outgoing_t call = {.host = to->host,
                            .peer = from->wwwroot,
                            .method = "system/listServices",
                            .params = world_params(NULL)};
    const mnet_peer_t *peer;
    mnet_reply_t *reply;

    use_key(to, ours);
    use_certificate(to, from, old);
    world->answer = mnet_spool_text(spool_of(wire));
    mnet_client_call(&call, &reply, world->pool);
    peer = world_peer(to, from);
    assert_string_equal(followed ? peer->certificate->pem : peer->state->pending,
                        apr_pstrcat(world->pool, pem_of(new_one), NULL));
}

static void a_real_moodles_rotation_is_followed(void **state)
{
    follow("h2m-rotation-7025/01-response.wire.xml", "moodle", "keys/mahara-9d439e4d.p8",
           "keys/moodle-31130b1b.crt", "keys/moodle-2895f363.crt", 1);
}

static void a_real_maharas_rotation_waits_without_tls(void **state)
{
    apr_array_header_t *all = read_vectors(world->pool);
    const vector_t *vector = NULL;
    int i;

    for (i = 0; i < all->nelts && !vector; i++) {
        const vector_t *one = APR_ARRAY_IDX(all, i, vector_t *);

        vector = !strcmp(one->wire, "m2h-rotation-7025/01-response.wire.xml") ? one : NULL;
    }
    assert_non_null(vector);
    follow(vector->wire, "mahara", vector->decrypt_key, "keys/mahara-9d439e4d.crt",
           vector->signature_cert, 0);
}

static void a_real_peer_without_rc4_is_told(void **state)
{
    mnet_outgoing_t call = {.host = world->a.host,
                            .peer = MAHARA,
                            .method = "system/listServices",
                            .params = world_params(NULL)};
    mnet_reply_t *reply;

    use_certificate(&world->a, &world->b, "keys/mahara-f4b950dd.crt");
    world->answer = pem_of("nolegacy/03-response.wire.xml");
    mnet_client_call(&call, &reply, world->pool);
    assert_int_equal(reply->no_rc4, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_real_request_is_served), T(every_real_response_is_read),
        T(a_real_moodles_rotation_is_followed), T(a_real_maharas_rotation_waits_without_tls),
        T(a_real_peer_without_rc4_is_told)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
