/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include <apr_atomic.h>
#include <apr_thread_proc.h>

#include "trust/peers_int.h"

#define OURS  "https://gw.example.org"
#define ONE   "https://one.example.org"
#define TWO   "https://two.example.org"
#define THREE "https://three.example.org"

static mnet_peers_t *peers_of(fixture_t *f, mnet_site_t *site)
{
    mnet_peers_t *peers = mnet_peers_create(f->crypto, f->store, site, &f->log, f->pool);
    assert_non_null(peers);
    return peers;
}

static mnet_peer_facts_t *configure(fixture_t *f, mnet_site_t *site, const char *wwwroot)
{
    mnet_peer_facts_t *facts = mnet_peer_facts_create(wwwroot, f->pool);
    apr_hash_set(site->peers, facts->wwwroot, APR_HASH_KEY_STRING, facts);
    return facts;
}

/* Says something of a peer in the store. */
static apr_status_t say_it(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    state->facts = baton;
    return APR_SUCCESS;
}

static mnet_peer_facts_t *say(fixture_t *f, mnet_peers_t *peers, const char *wwwroot,
                              const char *application)
{
    mnet_peer_facts_t *facts = mnet_peer_facts_create(wwwroot, f->pool);
    facts->application = application;
    OK(mnet_peers_change(peers, wwwroot, say_it, facts, f->pool));
    return facts;
}

static apr_status_t find_in(fixture_t *f, mnet_peers_t *peers, const char *wwwroot,
                            const mnet_peer_t **peer, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_pool_t *scratch;
    OK(apr_pool_create(&scratch, f->pool));
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, scratch));
    apr_status_t rv = mnet_peers_find(peers, txn, wwwroot, peer, pool);
    mnet_txn_abort(txn);
    apr_pool_destroy(scratch);
    return rv;
}

static const mnet_peer_t *found(fixture_t *f, mnet_peers_t *peers, const char *wwwroot)
{
    const mnet_peer_t *peer = NULL;
    OK(find_in(f, peers, wwwroot, &peer, f->pool));
    assert_string_equal(peer->facts->wwwroot, wwwroot);
    return peer;
}

static void not_found(fixture_t *f, mnet_peers_t *peers, const char *wwwroot)
{
    const mnet_peer_t *peer = NULL;
    assert_int_equal(find_in(f, peers, wwwroot, &peer, f->pool), APR_NOTFOUND);
    assert_null(peer);
}

static void touch(fixture_t *f)
{
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    OK(mnet_txn_touch(txn));
    OK(mnet_txn_commit(txn));
}

static void test_unknown(void **state)
{
    fixture_t *f = *state;
    mnet_peers_t *peers = peers_of(f, mnet_site_create(OURS, f->pool));
    char *endless = apr_palloc(f->pool, 100000);
    memset(endless, 'x', 99999);
    endless[99999] = '\0';
    not_found(f, peers, ONE);
    not_found(f, peers, "");
    not_found(f, peers, endless);
}

static void test_configured(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    configure(f, site, ONE)->application = "mahara";
    mnet_peers_t *peers = peers_of(f, site);
    const mnet_peer_t *peer = found(f, peers, ONE);
    assert_true(peer->configured);
    assert_string_equal(peer->application->name, "mahara");
    assert_null(peer->certificate);
    assert_int_equal(peer->state->trust, MNET_TRUST_NONE);
    not_found(f, peers, ONE "/");
    not_found(f, peers, "https://ONE.example.org");
}

static void test_stored(void **state)
{
    fixture_t *f = *state;
    mnet_peers_t *peers = peers_of(f, mnet_site_create(OURS, f->pool));
    say(f, peers, ONE, NULL);
    const mnet_peer_t *peer = found(f, peers, ONE);
    assert_false(peer->configured);
    assert_string_equal(peer->application->name, "moodle");
}

/* The first eight bytes of SHA-256: printf %s https://one.example.org | sha256sum */
static void test_id(void **state)
{
    fixture_t *f = *state;
    mnet_peers_t *peers = peers_of(f, mnet_site_create(OURS, f->pool));
    say(f, peers, ONE, NULL);
    assert_int_equal(found(f, peers, ONE)->id, 0xb51c043500ca92b3ULL);
}

static void test_parsed_once(void **state)
{
    fixture_t *f = *state;
    mnet_peers_t *peers = peers_of(f, mnet_site_create(OURS, f->pool));
    say(f, peers, ONE, NULL);
    const mnet_peer_t *peer = found(f, peers, ONE);
    assert_ptr_equal(found(f, peers, ONE), peer);
    touch(f);
    assert_ptr_equal(found(f, peers, ONE), peer);
    say(f, peers, TWO, NULL);
    assert_ptr_equal(found(f, peers, ONE), peer);
}

/* Another object over the same store stands for another process. */
static void test_change_elsewhere_is_seen(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    mnet_peers_t *here = peers_of(f, site), *there = peers_of(f, site);
    not_found(f, here, ONE);
    say(f, there, ONE, "moodle");
    const mnet_peer_t *before = found(f, here, ONE);
    say(f, there, ONE, "mahara");
    assert_string_equal(found(f, here, ONE)->application->name, "mahara");
    assert_string_equal(before->application->name, "moodle");
    OK(mnet_peers_remove(there, ONE, f->pool));
    not_found(f, here, ONE);
}

static void test_inactive(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    configure(f, site, ONE)->active = 0;
    mnet_peers_t *peers = peers_of(f, site);
    mnet_peer_facts_t *facts = mnet_peer_facts_create(TWO, f->pool);
    facts->active = 0;
    OK(mnet_peers_change(peers, TWO, say_it, facts, f->pool));
    not_found(f, peers, ONE);
    not_found(f, peers, TWO);
    not_found(f, peers, TWO);
}

/* A <MnetPeer> that is gone leaves what was learnt of it, which makes it no peer. */
static void test_record_without_facts(void **state)
{
    fixture_t *f = *state;
    const char *why;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    configure(f, site, ONE);
    OK(mnet_peers_accept(peers_of(f, site), ONE, fixture_pem(f, ONE), MNET_TRUST_ROTATED, NOON,
                         &why, f->pool));
    not_found(f, peers_of(f, mnet_site_create(OURS, f->pool)), ONE);
}

/* The store cannot bring in under http what the configuration has under https. */
static void test_twin_of_a_configured_one(void **state)
{
    fixture_t *f = *state;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    mnet_peers_t *before = peers_of(f, mnet_site_create(OURS, f->pool));
    say(f, before, "http://one.example.org", NULL);
    found(f, before, "http://one.example.org");
    configure(f, site, ONE);
    not_found(f, peers_of(f, site), "http://one.example.org");
}

static void test_sites_have_their_own(void **state)
{
    fixture_t *f = *state;
    mnet_peers_t *ours = peers_of(f, mnet_site_create(OURS, f->pool));
    mnet_peers_t *other = peers_of(f, mnet_site_create(OURS "/other", f->pool));
    say(f, ours, ONE, NULL);
    not_found(f, other, ONE);
}

static void test_unreadable_record(void **state)
{
    fixture_t *f = *state;
    unsigned char name[MNET_PEER_NAME_MAX];
    const mnet_peer_t *peer = NULL;
    mnet_txn_t *txn;
    mnet_peers_t *peers = peers_of(f, mnet_site_create(OURS, f->pool));
    say(f, peers, ONE, NULL);
    found(f, peers, ONE);
    OK(mnet_txn_begin(f->store, MNET_WRITE, &txn, f->pool));
    OK(mnet_txn_put(txn, MNET_PEER_GROUP, name, mnet_peer_name(mnet_peers_parts(peers), name, ONE),
                    "\x63junk", 5));
    OK(mnet_txn_touch(txn));
    OK(mnet_txn_commit(txn));
    assert_int_equal(find_in(f, peers, ONE, &peer, f->pool), MNET_E_VERSION);
    assert_null(peer);
    assert_true(fixture_logged(f, "MNET0310"));
}

static void test_application_no_longer_defined(void **state)
{
    fixture_t *f = *state;
    mnet_peers_t *peers = peers_of(f, mnet_site_create(OURS, f->pool));
    say(f, peers, ONE, "sakai");
    assert_string_equal(found(f, peers, ONE)->application->name, "moodle");
    assert_true(fixture_logged(f, "MNET0312"));
}

static void test_list(void **state)
{
    fixture_t *f = *state;
    mnet_txn_t *txn;
    apr_array_header_t *list = NULL;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    configure(f, site, TWO);
    configure(f, site, ONE)->active = 0;
    mnet_peers_t *peers = peers_of(f, site);
    say(f, peers, THREE, NULL);
    say(f, peers, TWO, "mahara");
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    OK(mnet_peers_list(peers, txn, &list, f->pool));
    mnet_txn_abort(txn);
    assert_int_equal(list->nelts, 3);
    assert_string_equal(APR_ARRAY_IDX(list, 0, mnet_peer_t *)->facts->wwwroot, ONE);
    assert_string_equal(APR_ARRAY_IDX(list, 1, mnet_peer_t *)->facts->wwwroot, THREE);
    assert_string_equal(APR_ARRAY_IDX(list, 2, mnet_peer_t *)->facts->wwwroot, TWO);
    assert_string_equal(APR_ARRAY_IDX(list, 2, mnet_peer_t *)->application->name, "mahara");
}

/* A peer that was lent outlives its replacement and the peers themselves. */
static void test_lent_until_the_pool_is_cleared(void **state)
{
    fixture_t *f = *state;
    apr_pool_t *life, *request;
    const mnet_peer_t *peer = NULL;
    const char *why;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    OK(apr_pool_create(&life, f->pool));
    OK(apr_pool_create(&request, f->pool));
    mnet_peers_t *peers = mnet_peers_create(f->crypto, f->store, site, &f->log, life);
    say(f, peers, ONE, NULL);
    OK(mnet_peers_accept(peers, ONE, fixture_pem(f, ONE), MNET_TRUST_CONFIRMED, NOON, &why,
                         f->pool));
    OK(find_in(f, peers, ONE, &peer, request));
    say(f, peers, ONE, "mahara");
    found(f, peers, ONE);
    apr_pool_destroy(life);
    assert_int_equal(EVP_PKEY_get_bits(peer->certificate->key), KEY_BITS);
    assert_string_equal(peer->application->name, "moodle");
    apr_pool_destroy(request);
}

/* More peers than are kept: all are found all the same, twice over. */
static void test_more_than_the_cache_holds(void **state)
{
    enum { MANY = 16384 + 200 };
    fixture_t *f = *state;
    apr_pool_t *request;
    const mnet_peer_t *peer = NULL;
    mnet_txn_t *txn;
    mnet_site_t *site = mnet_site_create(OURS, f->pool);
    for (int i = 0; i < MANY; i++) {
        configure(f, site, apr_psprintf(f->pool, "https://p%d.example", i));
    }
    mnet_peers_t *peers = peers_of(f, site);
    OK(apr_pool_create(&request, f->pool));
    for (int i = 0; i < 2 * MANY; i++) {
        const char *wwwroot = apr_psprintf(request, "https://p%d.example", i % MANY);
        OK(mnet_txn_begin(f->store, MNET_READ, &txn, request));
        OK(mnet_peers_find(peers, txn, wwwroot, &peer, request));
        assert_string_equal(peer->facts->wwwroot, wwwroot);
        apr_pool_clear(request);
    }
}

/* --- threads --- */

typedef struct reader_t {
    fixture_t *f;
    mnet_peers_t *peers;
    volatile apr_uint32_t *stop;
    int rounds, bad;
} reader_t;

static void *APR_THREAD_FUNC read_on(apr_thread_t *thread, void *data)
{
    reader_t *reader = data;
    apr_pool_t *pool;
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    while (!apr_atomic_read32(reader->stop) || reader->rounds < 200) {
        mnet_txn_t *txn;
        const mnet_peer_t *peer = NULL;
        const char *wwwroot = reader->rounds % 2 ? ONE : TWO;
        apr_status_t rv = mnet_txn_begin(reader->f->store, MNET_READ, &txn, pool);
        if (rv == APR_SUCCESS) {
            rv = mnet_peers_find(reader->peers, txn, wwwroot, &peer, pool);
            mnet_txn_abort(txn);
        }
        if (rv != APR_SUCCESS || strcmp(peer->facts->wwwroot, wwwroot) || !peer->certificate ||
            EVP_PKEY_get_bits(peer->certificate->key) != KEY_BITS) {
            reader->bad++;
        }
        reader->rounds++;
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void test_readers_beside_changes(void **state)
{
    fixture_t *f = *state;
    apr_thread_t *threads[3];
    reader_t readers[3];
    volatile apr_uint32_t stop = 0;
    apr_status_t rv;
    const char *why;
    mnet_peers_t *peers = peers_of(f, mnet_site_create(OURS, f->pool));
    const char *pems[] = {fixture_pem(f, ONE), fixture_pem(f, ONE)};
    say(f, peers, ONE, NULL);
    say(f, peers, TWO, NULL);
    OK(mnet_peers_accept(peers, ONE, pems[1], MNET_TRUST_CONFIRMED, NOON, &why, f->pool));
    OK(mnet_peers_accept(peers, TWO, fixture_pem(f, TWO), MNET_TRUST_CONFIRMED, NOON, &why,
                         f->pool));
    for (int i = 0; i < 3; i++) {
        readers[i] = (reader_t){f, peers, &stop, 0, 0};
        OK(apr_thread_create(&threads[i], NULL, read_on, &readers[i], f->pool));
    }
    for (int i = 0; i < 40; i++) {
        OK(mnet_peers_accept(peers, ONE, pems[i % 2], MNET_TRUST_ROTATED, NOON, &why, f->pool));
    }
    apr_atomic_set32(&stop, 1);
    for (int i = 0; i < 3; i++) {
        OK(apr_thread_join(&rv, threads[i]));
        assert_int_equal(readers[i].bad, 0);
        assert_true(readers[i].rounds >= 200);
    }
}

int main(void)
{
#define STORE_TEST(t)                                                                              \
    cmocka_unit_test_setup_teardown(t, fixture_store_setup, fixture_store_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_unknown),
        STORE_TEST(test_configured),
        STORE_TEST(test_stored),
        STORE_TEST(test_id),
        STORE_TEST(test_parsed_once),
        STORE_TEST(test_change_elsewhere_is_seen),
        STORE_TEST(test_inactive),
        STORE_TEST(test_record_without_facts),
        STORE_TEST(test_twin_of_a_configured_one),
        STORE_TEST(test_sites_have_their_own),
        STORE_TEST(test_unreadable_record),
        STORE_TEST(test_application_no_longer_defined),
        STORE_TEST(test_list),
        STORE_TEST(test_lent_until_the_pool_is_cleared),
        STORE_TEST(test_more_than_the_cache_holds),
        STORE_TEST(test_readers_beside_changes),
    };
    alarm(300); /* a test that hangs fails */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
