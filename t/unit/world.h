/* SPDX-License-Identifier: Apache-2.0 */
#ifndef T_UNIT_WORLD_H
#define T_UNIT_WORLD_H

/*
 * Two sites in one process, each with an engine and a state directory of its own, and a transport
 * that hands what one posts to the other's exchange.  A test may bend the network: change bodies,
 * answer in the other's stead, pretend verified TLS.
 */

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_global_mutex.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/call.h"
#include "rpc/client.h"
#include "rpc/client_keyswap.h"
#include "rpc/engine.h"
#include "rpc/fault.h"
#include "rpc/refetch.h"
#include "rpc/rekey.h"
#include "rpc/server.h"
#include "service/services.h"
#include "state/shared.h"
#include "trust/policy.h"
#include "wire/message.h"

typedef struct place_t {
    const char *wwwroot;
    const char *dir;
    mnet_site_t *site;
    mnet_engine_t *engine;
    mnet_host_t *host;
    mnet_shared_t *shared;
} place_t;

#ifndef WORLD_STATE_SIZE
#define WORLD_STATE_SIZE (64 * 1024 * 1024)
#endif

typedef struct world_t {
    apr_pool_t *pool;
    place_t a, b;
    mnet_registry_t *registry;
    mnet_log_t log;
    char lines[65536];  /* every log line, "ID text\n" */
    int calls;          /* of the test method that changes something */
    mnet_value_t *seen; /* its last parameter */
    /* the network */
    int posts;              /* requests that were sent */
    int verified;           /* what the channel is said to be */
    const char *user_agent; /* of the caller, as the callee sees it */
    const char *accept_charset;
    const char *address;
    long status;                 /* not 0: answered with that status, nothing else */
    apr_status_t down;           /* not 0: the connection fails so */
    int cut;                     /* the caller goes away with a part of the answer */
    const char *answer;          /* not NULL: answered with this body */
    apr_interval_time_t b_clock; /* b's clock is off by this */
    mnet_spool_t *last_body;     /* of the last post */
} world_t;

static world_t *world;

/* Threads log, too. */
static pthread_mutex_t world_lines = PTHREAD_MUTEX_INITIALIZER;

static void world_log(void *baton, int level, apr_status_t rv, const char *id, const char *text)
{
    world_t *w = baton;
    apr_size_t used;

    pthread_mutex_lock(&world_lines);
    used = strlen(w->lines);
    if (sizeof(w->lines) - used > strlen(text) + 16) {
        snprintf(w->lines + used, sizeof(w->lines) - used, "%s %s\n", id, text);
    }
    pthread_mutex_unlock(&world_lines);
    if (getenv("WORLD_LOG")) {
        fprintf(stderr, "# %s %s\n", id, text);
    }
}

static inline int world_logged(const char *id)
{
    int logged;

    pthread_mutex_lock(&world_lines);
    logged = strstr(world->lines, id) != NULL;
    pthread_mutex_unlock(&world_lines);
    return logged;
}

/* --- the network --- */

static apr_status_t net_create(void **self, const mnet_log_t *log, apr_pool_t *pool)
{
    *self = NULL;
    return APR_SUCCESS;
}

/* One request at a site, as httpd would hand it over.  Returns the HTTP status. */
static long world_deliver(place_t *to, mnet_spool_t *body, const mnet_sink_t *answer,
                          apr_pool_t *pool)
{
    mnet_request_t request = {
        .host = to->host,
        .address = world->address,
        .user_agent = world->user_agent,
        .accept_charset = world->accept_charset,
        .id = "test",
        .now = apr_time_now() + (to == &world->b ? world->b_clock : 0),
    };
    mnet_exchange_t *exchange;
    mnet_sink_t in = {mnet_exchange_write, NULL};
    apr_off_t length = -1;
    apr_status_t rv = mnet_exchange_begin(&exchange, &request, pool);

    if (rv == MNET_E_BUSY) {
        return 429;
    }
    in.baton = exchange;
    rv = mnet_spool_pour(body, &in);
    if (rv == MNET_E_LIMIT) {
        return 413;
    }
    rv = mnet_exchange_finish(exchange, &length, answer);
    mnet_exchange_answered(exchange, !rv && !world->cut);
    return rv ? 500 : 200;
}

static apr_status_t net_perform(void *self, mnet_http_t *http, apr_pool_t *pool)
{
    place_t *to = NULL;

    world->posts++;
    world->last_body = http->body;
    http->status = 0;
    http->verified = world->verified;
    if (world->down) {
        http->problem = "the network is down";
        http->timed_out = world->down == APR_TIMEUP;
        return world->down;
    }
    if (world->status) {
        http->status = world->status;
        return APR_SUCCESS;
    }
    if (world->answer) {
        http->status = 200;
        return mnet_sink_write(http->response, world->answer, strlen(world->answer));
    }
    if (!strncmp(http->url, world->a.wwwroot, strlen(world->a.wwwroot))) {
        to = &world->a;
    } else if (!strncmp(http->url, world->b.wwwroot, strlen(world->b.wwwroot))) {
        to = &world->b;
    }
    if (!to) {
        http->problem = "no such site";
        return APR_EGENERAL;
    }
    http->status = world_deliver(to, http->body, http->response, pool);
    return APR_SUCCESS;
}

static const mnet_transport_ops_t world_transport = {net_create, net_perform};

/* --- methods for the tests --- */

static apr_status_t echo(mnet_call_t *call, void *baton)
{
    call->result = mnet_call_param(call, 0);
    return APR_SUCCESS;
}

static apr_status_t note(mnet_call_t *call, void *baton)
{
    world->calls++;
    world->seen = mnet_call_param(call, 0);
    call->result = mnet_boolean(1, call->pool);
    return APR_SUCCESS;
}

static apr_status_t note_claimed(mnet_call_t *call, void *baton)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(call->host->engine->store, MNET_WRITE, &txn, call->pool);

    rv = rv ? rv : mnet_call_claim(call, txn);
    if (rv) {
        mnet_txn_abort(txn);
        return rv;
    }
    rv = mnet_txn_commit(txn);
    return rv ? rv : note(call, baton);
}

static apr_status_t refuse_it(mnet_call_t *call, void *baton)
{
    return mnet_call_fault(call, 8009, "no <such> token %d", 7);
}

static apr_status_t broken(mnet_call_t *call, void *baton)
{
    return APR_EGENERAL;
}

static const mnet_parameter_t one_text[] = {{"text", "string", "any text"}, {NULL}};
static const mnet_method_t world_methods[] = {
    {"test/a/b.php/echo",
     "test",
     MNET_METHOD_READS,
     one_text,
     1,
     {NULL, "string", "it"},
     "Echoes.",
     echo},
    {"test/a/b.php/note",
     "test",
     MNET_METHOD_CHANGES,
     one_text,
     0,
     {NULL, "boolean", "true"},
     "Notes.",
     note},
    {"test/a/b.php/note_claimed",
     "test",
     MNET_METHOD_CLAIMS,
     one_text,
     0,
     {NULL, "boolean", "true"},
     "Notes.",
     note_claimed},
    {"test/a/b.php/fail",
     "test",
     MNET_METHOD_READS,
     one_text,
     0,
     {NULL, "string", ""},
     "Fails.",
     refuse_it},
    {"test/a/b.php/broken",
     "test",
     MNET_METHOD_READS,
     one_text,
     0,
     {NULL, "string", ""},
     "Breaks.",
     broken},
    {"other/a/b.php/echo",
     "other",
     MNET_METHOD_READS,
     one_text,
     0,
     {NULL, "string", "it"},
     "Echoes.",
     echo},
};

/* --- sites --- */

static void remove_tree(const char *dir, apr_pool_t *pool)
{
    apr_dir_t *d;
    apr_finfo_t info;

    if (apr_dir_open(&d, dir, pool)) {
        return;
    }
    while (!apr_dir_read(&info, APR_FINFO_NAME | APR_FINFO_TYPE, d)) {
        const char *path = apr_pstrcat(pool, dir, "/", info.name, NULL);

        if (!strcmp(info.name, ".") || !strcmp(info.name, "..")) {
            continue;
        }
        if (info.filetype == APR_DIR) {
            remove_tree(path, pool);
        } else {
            apr_file_remove(path, pool);
        }
    }
    apr_dir_close(d);
    apr_dir_remove(dir, pool);
}

static inline mnet_shared_t *world_shared(void)
{
    apr_global_mutex_t *mutex;
    mnet_shared_t *shared;
    const char *why = "";

    assert_int_equal(apr_global_mutex_create(&mutex, NULL, APR_LOCK_DEFAULT, world->pool), 0);
    if (mnet_shared_create(&shared, 1024 * 1024, mutex, &world->log, &why, world->pool)) {
        fail_msg("%s", why);
    }
    mnet_shared_process_start(shared);
    return shared;
}

static void open_place(place_t *place, const char *wwwroot, const char *application)
{
    apr_pool_t *pool = world->pool;
    char dir[] = "/tmp/mnet-unit-XXXXXX";
    apr_array_header_t *sites = apr_array_make(pool, 1, sizeof(const mnet_site_t *));
    apr_array_header_t *applications = apr_array_make(pool, 1, sizeof(const mnet_application_t *));
    mnet_engine_options_t options = {0};
    const char *why = "";
    int made = 0;

    assert_non_null(mkdtemp(dir));
    place->wwwroot = wwwroot;
    place->dir = apr_pstrdup(pool, dir);
    place->site = mnet_site_create(wwwroot, pool);
    APR_ARRAY_PUSH(applications, const mnet_application_t *) =
        mnet_application_find(NULL, application);
    place->site->applications = applications;
    place->site->name = application;
    APR_ARRAY_PUSH(sites, const mnet_site_t *) = place->site;
    place->shared = world_shared();
    options.log = &world->log;
    options.state_dir = place->dir;
    options.state_size = WORLD_STATE_SIZE;
    options.shared = place->shared;
    options.registry = world->registry;
    options.transport = &world_transport;
    options.sites = sites;
    options.outgoing_limit = 4;
    options.private_limit = 4;
    if (mnet_engine_create(&place->engine, &options, &why, pool)) {
        fail_msg("%s", why);
    }
    place->host = mnet_engine_host(place->engine, wwwroot);
    assert_non_null(place->host);
    assert_int_equal(mnet_keyring_rotate(place->host->keyring, apr_time_now(), 0, &made, pool), 0);
    assert_int_equal(made, 1);
}

static inline const mnet_ring_t *world_ring(place_t *place)
{
    const mnet_ring_t *ring;

    assert_int_equal(mnet_host_look(place->host, NULL, NULL, &ring, world->pool), 0);
    return ring;
}

static inline const mnet_peer_t *world_peer(place_t *at, place_t *of)
{
    const mnet_peer_t *peer;

    assert_int_equal(mnet_host_look(at->host, of->wwwroot, &peer, NULL, world->pool), 0);
    return peer;
}

static inline void world_rotate(place_t *place)
{
    int made = 0;

    /* A ring's newest key is told by its time, in microseconds. */
    assert_int_equal(
        mnet_keyring_rotate(place->host->keyring, apr_time_now(), 1, &made, world->pool), 0);
    assert_int_equal(made, 1);
}

typedef struct joining_t {
    const char *wwwroot, *application;
    int charset;
} joining_t;

static inline apr_status_t join_change(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    const joining_t *joining = baton;
    mnet_peer_facts_t *facts = mnet_peer_facts_create(joining->wwwroot, pool);
    apr_array_header_t *publish = apr_array_make(pool, 1, sizeof(const char *));
    apr_array_header_t *subscribe = apr_array_make(pool, 1, sizeof(mnet_subscription_t));
    mnet_subscription_t *one = apr_array_push(subscribe);

    APR_ARRAY_PUSH(publish, const char *) = "test";
    one->service = "test";
    one->patterns = NULL;
    facts->application = joining->application;
    facts->charset = joining->charset;
    facts->publish = publish;
    facts->subscribe = subscribe;
    facts->active = 1;
    state->facts = facts;
    state->added = apr_time_now();
    return APR_SUCCESS;
}

/* Makes of a peer of at's, with or without its certificate. */
static inline void world_join(place_t *at, place_t *of, const char *application, int trusted)
{
    joining_t joining = {of->wwwroot, application, -1};
    const char *why = "";

    assert_int_equal(
        mnet_peers_change(at->host->peers, of->wwwroot, join_change, &joining, world->pool), 0);
    if (trusted && mnet_peers_accept(at->host->peers, of->wwwroot, world_ring(of)->pems[0],
                                     MNET_TRUST_CONFIRMED, apr_time_now(), &why, world->pool)) {
        fail_msg("%s", why);
    }
}

static inline int world_setup(void **state)
{
    apr_pool_t *pool;
    apr_size_t i;

    apr_pool_create(&pool, NULL);
    world = apr_pcalloc(pool, sizeof(*world));
    world->pool = pool;
    world->log.write = world_log;
    world->log.baton = world;
    world->log.level = MNET_LOG_DEBUG;
    world->address = "192.0.2.1";
    world->user_agent = "Moodle";
    world->accept_charset = "UTF-8";
    world->registry = mnet_registry_create(pool);
    assert_int_equal(mnet_service_system(world->registry), 0);
    for (i = 0; i < sizeof(world_methods) / sizeof(world_methods[0]); i++) {
        assert_int_equal(mnet_registry_add(world->registry, NULL, &world_methods[i]), 0);
    }
    open_place(&world->a, "https://a.example", "moodle");
    open_place(&world->b, "https://b.example", "moodle");
    world_join(&world->a, &world->b, "moodle", 1);
    world_join(&world->b, &world->a, "moodle", 1);
    *state = world;
    return 0;
}

static inline int world_teardown(void **state)
{
    const char *a = strdup(world->a.dir), *b = strdup(world->b.dir);
    apr_pool_t *pool;

    apr_pool_destroy(world->pool);
    world = NULL;
    apr_pool_create(&pool, NULL);
    remove_tree(a, pool);
    remove_tree(b, pool);
    apr_pool_destroy(pool);
    free((void *)a);
    free((void *)b);
    return 0;
}

/* --- calls --- */

static inline apr_array_header_t *world_params(const char *text)
{
    apr_array_header_t *params = apr_array_make(world->pool, 1, sizeof(mnet_value_t *));

    if (text) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(text, world->pool);
    }
    return params;
}

static inline mnet_reply_t *world_call(place_t *from, place_t *to, const char *method,
                                       const char *text)
{
    mnet_outgoing_t call = {
        .host = from->host, .peer = to->wwwroot, .method = method, .params = world_params(text)};
    mnet_reply_t *reply = NULL;

    mnet_client_call(&call, &reply, world->pool);
    assert_non_null(reply);
    assert_non_null(reply->message);
    return reply;
}

/* A message of our own making. */
typedef struct craft_t {
    const char *inner, *outer; /* wwwroots; inner NULL: not signed; outer NULL: not sealed */
    EVP_PKEY *sign, *seal;
    apr_int64_t timestamp;
    const char *document; /* NULL: a call of method with text */
    const char *method, *text;
} craft_t;

static inline mnet_spool_t *world_craft(const craft_t *craft)
{
    apr_pool_t *pool = world->pool;
    mnet_spool_t *spool = mnet_spool_create(0, NULL, pool), *next;
    mnet_sink_t to = {mnet_spool_write, spool};
    mnet_wrapping_t how = {.crypto = world->a.engine->crypto,
                           .key_uri = "https://x.example/key",
                           .now =
                               craft->timestamp ? craft->timestamp : apr_time_sec(apr_time_now())};

    if (craft->document) {
        assert_int_equal(mnet_sink_write(&to, craft->document, strlen(craft->document)), 0);
    } else {
        assert_int_equal(mnet_xmlrpc_write_call(craft->method, world_params(craft->text), &to), 0);
    }
    if (craft->inner) {
        next = mnet_spool_create(0, NULL, pool);
        to.baton = next;
        how.sign = craft->sign;
        how.seal = NULL;
        how.wwwroot = craft->inner;
        assert_int_equal(mnet_message_wrap(&how, spool, NULL, &to, pool), 0);
        spool = next;
    }
    if (craft->outer) {
        next = mnet_spool_create(0, NULL, pool);
        to.baton = next;
        how.sign = NULL;
        how.seal = craft->seal;
        how.wwwroot = craft->outer;
        assert_int_equal(mnet_message_wrap(&how, spool, NULL, &to, pool), 0);
        spool = next;
    }
    return spool;
}

/* What came back, opened as its receiver would. */
typedef struct answer_t {
    long status;
    const char *bytes;
    mnet_envelope_e outer, inner; /* inner: PLAIN, SIGNED; as outer if it is not sealed */
    mnet_message_t *signed_part;
    mnet_document_t *document;
} answer_t;

static inline answer_t world_read(mnet_spool_t *bytes, place_t *receiver)
{
    apr_pool_t *pool = world->pool;
    answer_t answer = {.status = 200, .bytes = mnet_spool_text(bytes)};
    mnet_reading_t how = {.crypto = receiver->engine->crypto,
                          .limits = &mnet_xml_limits_peer,
                          .charset = MNET_CHARSET_UTF8};
    mnet_message_reader_t *reader = mnet_message_reader_create(&how, pool);
    mnet_sink_t to = {mnet_message_reader_write, reader};
    const mnet_ring_t *ring = world_ring(receiver);
    unsigned char session_key[MNET_SESSION_KEY];
    mnet_message_t *message;
    const char *why = "";
    int index;

    assert_int_equal(mnet_spool_pour(bytes, &to), 0);
    assert_int_equal(mnet_message_reader_end(reader, &message), 0);
    answer.outer = answer.inner = message->envelope;
    if (message->envelope == MNET_ENCRYPTED) {
        assert_int_equal(mnet_message_open(&how, message, ring->keys, ring->count, &index,
                                           session_key, &message, &why, pool),
                         0);
        answer.inner = message->envelope;
    }
    if (message->envelope == MNET_SIGNED) {
        answer.signed_part = message;
        assert_int_equal(mnet_xmlrpc_read(message->payload, MNET_CHARSET_UTF8,
                                          &mnet_xml_limits_peer, &answer.document, &why, pool),
                         0);
    } else {
        answer.document = message->document;
    }
    return answer;
}

/* Gives a body to a site; the answer is read with reader's keys. */
static inline answer_t world_give(mnet_spool_t *body, place_t *to, place_t *reader)
{
    mnet_spool_t *bytes = mnet_spool_create(0, NULL, world->pool);
    mnet_sink_t sink = {mnet_spool_write, bytes};
    answer_t answer = {.status = world_deliver(to, body, &sink, world->pool)};

    return answer.status == 200 ? world_read(bytes, reader) : answer;
}

static inline mnet_spool_t *world_bytes(const char *text)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, world->pool);

    assert_int_equal(mnet_spool_write(spool, text, strlen(text)), 0);
    return spool;
}

#endif
