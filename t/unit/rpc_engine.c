/* SPDX-License-Identifier: Apache-2.0 */
/* The engine, and what a call offers to a handler. */
#include "world.h"

static void hosts_are_found_by_wwwroot(void **state)
{
    assert_ptr_equal(mnet_engine_host(world->a.engine, "https://a.example"), world->a.host);
    assert_null(mnet_engine_host(world->a.engine, "https://a.example/"));
    assert_null(mnet_engine_host(world->a.engine, NULL));
}

static void look_tells_what_is_missing(void **state)
{
    const mnet_peer_t *peer;
    const mnet_ring_t *ring;

    assert_int_equal(mnet_host_look(world->a.host, world->b.wwwroot, &peer, &ring, world->pool),
                     APR_SUCCESS);
    assert_string_equal(peer->facts->wwwroot, world->b.wwwroot);
    assert_int_equal(ring->count, 1);
    assert_int_equal(mnet_host_look(world->a.host, "https://c.example", &peer, &ring, world->pool),
                     APR_NOTFOUND);
}

static void a_site_without_a_key_says_so(void **state)
{
    apr_array_header_t *sites = apr_array_make(world->pool, 1, sizeof(const mnet_site_t *));
    mnet_engine_options_t options = {.log = &world->log,
                                     .state_size = 16 * 1024 * 1024,
                                     .registry = world->registry,
                                     .transport = &world_transport,
                                     .sites = sites};
    char dir[] = "/tmp/mnet-unit-XXXXXX";
    mnet_engine_t *engine;
    const mnet_ring_t *ring;
    const char *why;
    apr_pool_t *pool;

    assert_non_null(mkdtemp(dir));
    options.state_dir = dir;
    APR_ARRAY_PUSH(sites, const mnet_site_t *) = mnet_site_create("https://c.example", world->pool);
    apr_pool_create(&pool, world->pool);
    assert_int_equal(mnet_engine_create(&engine, &options, &why, pool), APR_SUCCESS);
    assert_int_equal(
        mnet_host_look(APR_ARRAY_IDX(engine->hosts, 0, mnet_host_t *), NULL, NULL, &ring, pool),
        APR_EINIT);
    apr_pool_destroy(pool);
    remove_tree(dir, world->pool);
}

static void sites_come_from_the_store(void **state)
{
    mnet_engine_options_t options = {.log = &world->log,
                                     .state_dir = world->a.dir,
                                     .state_size = 64 * 1024 * 1024,
                                     .registry = world->registry,
                                     .transport = &world_transport};
    mnet_engine_t *engine;
    const char *why;
    const void *data;
    apr_size_t len;
    mnet_txn_t *txn;

    data = mnet_site_pack(world->a.site, &len, world->pool);
    assert_int_equal(mnet_txn_begin(world->a.engine->store, MNET_WRITE, &txn, world->pool), 0);
    assert_int_equal(
        mnet_txn_put(txn, "site", world->a.wwwroot, strlen(world->a.wwwroot), data, len), 0);
    assert_int_equal(mnet_txn_commit(txn), 0);
    /* LMDB opens a file once in a process: the other one goes first. */
    mnet_store_close(world->a.engine->store);
    assert_int_equal(mnet_engine_create(&engine, &options, &why, world->pool), APR_SUCCESS);
    assert_non_null(mnet_engine_host(engine, world->a.wwwroot));
}

static void a_missing_directory_is_told(void **state)
{
    mnet_engine_options_t options = {.log = &world->log,
                                     .state_dir = "/nonexistent/mnet",
                                     .state_size = 16 * 1024 * 1024,
                                     .registry = world->registry,
                                     .transport = &world_transport};
    mnet_engine_t *engine;
    const char *why = "";

    assert_int_not_equal(mnet_engine_create(&engine, &options, &why, world->pool), APR_SUCCESS);
    assert_non_null(strstr(why, "/nonexistent/mnet"));
}

static void parameters_are_forgiving(void **state)
{
    apr_array_header_t *params = world_params("one");
    mnet_call_t call = {.pool = world->pool, .params = params};

    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_int(7, world->pool);
    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_array(world->pool);
    assert_string_equal(mnet_call_text(&call, 0), "one");
    assert_string_equal(mnet_call_text(&call, 1), "7");
    assert_null(mnet_call_text(&call, 2));
    assert_null(mnet_call_text(&call, 3));
    assert_null(mnet_call_param(&call, -1));
    assert_null(mnet_call_param(&call, 3));
    call.params = NULL;
    assert_null(mnet_call_param(&call, 0));
}

static void every_fault_has_a_text(void **state)
{
    static const int codes[] = {7000, 711,  710,  713,  7012, 7018, 7020, 7021,
                                7023, 7025, 7101, 7102, 7103, 7104, 7105};
    apr_size_t i;

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_string_not_equal(mnet_fault_text(codes[i]), mnet_fault_text(-1));
    }
    assert_string_equal(mnet_fault_text(12345), mnet_fault_text(-1));
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(hosts_are_found_by_wwwroot),   T(look_tells_what_is_missing),
        T(a_site_without_a_key_says_so), T(sites_come_from_the_store),
        T(a_missing_directory_is_told),  T(parameters_are_forgiving),
        T(every_fault_has_a_text)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
