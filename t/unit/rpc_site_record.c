/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "rpc/site_record.h"

#define GROUP   "test"
#define VERSION 2

/* Two sites that share a store. */
typedef struct sites_t {
    fixture_t *f;
    mnet_engine_t engine;
    mnet_site_t sites[2];
    mnet_host_t a, b;
} sites_t;

static void open_sites(sites_t *sites, fixture_t *f)
{
    memset(sites, 0, sizeof(*sites));
    sites->f = f;
    sites->engine.store = f->store;
    sites->engine.crypto = f->crypto;
    sites->sites[0].wwwroot = "https://a.example";
    sites->sites[1].wwwroot = "https://b.example";
    sites->a = (mnet_host_t){.engine = &sites->engine, .site = &sites->sites[0]};
    sites->b = (mnet_host_t){.engine = &sites->engine, .site = &sites->sites[1]};
}

static void name_of(const mnet_host_t *host, const char *what, mnet_name_t *name)
{
    mnet_name_begin(host, name);
    OK(mnet_name_add_digest(host, name, what, NULL));
}

static void put(sites_t *sites, const mnet_host_t *host, const char *what)
{
    mnet_pack_t *pack = mnet_record_create(host, VERSION, sites->f->pool);
    mnet_name_t name;
    mnet_txn_t *txn;

    name_of(host, what, &name);
    mnet_pack_text(pack, what);
    OK(mnet_txn_begin(sites->f->store, MNET_WRITE, &txn, sites->f->pool));
    OK(mnet_record_put(txn, GROUP, &name, pack));
    OK(mnet_txn_commit(txn));
    mnet_txn_abort(txn);
}

/* A record of a's as bytes, with the field "told". */
static const void *bytes_of(sites_t *sites, apr_size_t *len)
{
    mnet_pack_t *pack = mnet_record_create(&sites->a, VERSION, sites->f->pool);

    mnet_pack_text(pack, "told");
    return mnet_pack_end(pack, len);
}

static void test_read_again(void **state)
{
    fixture_t *f = *state;
    sites_t sites;
    mnet_unpack_t unpack;
    mnet_name_t name;
    mnet_txn_t *txn;
    const void *data;
    apr_size_t len;

    open_sites(&sites, f);
    put(&sites, &sites.a, "told");
    name_of(&sites.a, "told", &name);
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    OK(mnet_txn_get(txn, GROUP, name.bytes, name.len, &data, &len));
    OK(mnet_record_open(&unpack, &sites.a, data, len, VERSION, f->pool));
    mnet_txn_abort(txn);
    assert_string_equal(mnet_unpack_text(&unpack), "told");
    OK(mnet_unpack_end(&unpack));
}

static void test_another_sites(void **state)
{
    fixture_t *f = *state;
    sites_t sites;
    mnet_unpack_t unpack;
    const void *data;
    apr_size_t len;

    open_sites(&sites, f);
    data = bytes_of(&sites, &len);
    assert_int_equal(mnet_record_open(&unpack, &sites.b, data, len, VERSION, f->pool),
                     APR_NOTFOUND);
    assert_null(mnet_unpack_text(&unpack));
    assert_int_not_equal(mnet_unpack_end(&unpack), APR_SUCCESS);
}

static void test_of_later_version(void **state)
{
    fixture_t *f = *state;
    sites_t sites;
    mnet_unpack_t unpack;
    const void *data;
    apr_size_t len;

    open_sites(&sites, f);
    data = bytes_of(&sites, &len);
    assert_int_equal(mnet_record_open(&unpack, &sites.a, data, len, VERSION - 1, f->pool),
                     MNET_E_VERSION);
    assert_null(mnet_unpack_text(&unpack));
}

static void test_cut_short(void **state)
{
    fixture_t *f = *state;
    sites_t sites;
    const char *data;
    apr_size_t whole;

    open_sites(&sites, f);
    data = bytes_of(&sites, &whole);
    for (apr_size_t len = 0; len < whole; len++) {
        mnet_unpack_t unpack;
        apr_status_t rv = mnet_record_open(&unpack, &sites.a, data, len, VERSION, f->pool);

        assert_null(mnet_unpack_text(&unpack));
        rv = rv ? rv : mnet_unpack_end(&unpack);
        assert_int_equal(rv, APR_EINCOMPLETE);
    }
}

/* --- all of them --- */

typedef struct seen_t {
    const mnet_host_t *host;
    int seen, batches;
} seen_t;

static apr_status_t see(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                        apr_pool_t *scratch)
{
    seen_t *seen = baton;
    mnet_unpack_t unpack;

    OK(mnet_record_open(&unpack, seen->host, data, len, VERSION, scratch));
    seen->seen++;
    return APR_SUCCESS;
}

static apr_status_t done(void *baton, apr_pool_t *scratch)
{
    ((seen_t *)baton)->batches++;
    return APR_SUCCESS;
}

static void test_walk_sees_own(void **state)
{
    fixture_t *f = *state;
    sites_t sites;
    seen_t seen = {&sites.a, 0, 0};
    mnet_walk_t walk = {GROUP, see, done, &seen};

    open_sites(&sites, f);
    for (int i = 0; i < 501; i++) { /* more than one batch */
        put(&sites, &sites.a, apr_psprintf(f->pool, "one of a's, %d", i));
    }
    put(&sites, &sites.b, "one of b's");
    OK(mnet_walk(&sites.a, &walk, f->pool));
    assert_int_equal(seen.seen, 501);
    assert_int_equal(seen.batches, 2);
}

/* Asked a second time of its batch, every other one wants nothing any more. */
typedef struct wants_t {
    int batch;          /* records that a batch has */
    int asked, changed; /* in all */
} wants_t;

static int wants(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                 apr_pool_t *scratch)
{
    wants_t *asks = baton;
    int asked = asks->asked++ % (2 * asks->batch);

    return asked < asks->batch || asked % 2;
}

static apr_status_t change(void *baton, mnet_txn_t *txn, const mnet_name_t *name, const void *data,
                           apr_size_t len, apr_pool_t *scratch)
{
    ((wants_t *)baton)->changed++;
    return mnet_txn_del(txn, GROUP, name->bytes, name->len);
}

static void test_what_changed_meanwhile_is_left(void **state)
{
    fixture_t *f = *state;
    sites_t sites;
    wants_t asks = {.batch = 100};
    seen_t left = {&sites.a, 0, 0};
    mnet_tending_t tending = {GROUP, wants, change, &asks};
    mnet_walk_t walk = {GROUP, see, NULL, &left};

    open_sites(&sites, f);
    for (int i = 0; i < 100; i++) {
        put(&sites, &sites.a, apr_psprintf(f->pool, "one of a's, %d", i));
    }
    put(&sites, &sites.b, "one of b's");
    OK(mnet_tend(&sites.a, &tending, f->pool));
    assert_int_equal(asks.asked, 200);
    assert_int_equal(asks.changed, 50);
    OK(mnet_walk(&sites.a, &walk, f->pool));
    assert_int_equal(left.seen, 50);
}

int main(void)
{
#define TEST(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, fixture_store_setup, fixture_store_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_read_again), TEST(test_another_sites), TEST(test_of_later_version),
        TEST(test_cut_short),  TEST(test_walk_sees_own), TEST(test_what_changed_meanwhile_is_left),
    };
    alarm(300); /* a test that hangs fails */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
