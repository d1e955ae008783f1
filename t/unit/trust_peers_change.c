/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "failing_store.h"
#include "trust/peers.h"

#define OURS "https://gw.example.org"
#define ONE  "https://one.example.org"

/* A site with one peer, in the store or in the configuration. */
typedef struct place_t {
    mnet_site_t *site;
    mnet_peers_t *peers;
    mnet_peer_facts_t *configured;
} place_t;

static apr_status_t say_it(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    state->facts = baton;
    return APR_SUCCESS;
}

static place_t stored(fixture_t *f)
{
    place_t place = {mnet_site_create(OURS, f->pool), NULL, NULL};
    place.peers = mnet_peers_create(f->crypto, f->store, place.site, &f->log, f->pool);
    OK(mnet_peers_change(place.peers, ONE, say_it, mnet_peer_facts_create(ONE, f->pool), f->pool));
    return place;
}

/* With MnetPeerCertificate, as after a restart with that content of the file. */
static place_t configured(fixture_t *f, const char *pem)
{
    place_t place = {mnet_site_create(OURS, f->pool), NULL, NULL};
    place.configured = mnet_peer_facts_create(ONE, f->pool);
    place.configured->certificate = pem;
    apr_hash_set(place.site->peers, ONE, APR_HASH_KEY_STRING, place.configured);
    place.peers = mnet_peers_create(f->crypto, f->store, place.site, &f->log, f->pool);
    return place;
}

static const mnet_peer_t *peer_of(fixture_t *f, const place_t *place)
{
    mnet_txn_t *txn;
    const mnet_peer_t *peer = NULL;
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    OK(mnet_peers_find(place->peers, txn, ONE, &peer, f->pool));
    mnet_txn_abort(txn);
    return peer;
}

static apr_uint64_t generation(fixture_t *f)
{
    mnet_txn_t *txn;
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    apr_uint64_t number = mnet_txn_generation(txn);
    mnet_txn_abort(txn);
    return number;
}

static void accepts(fixture_t *f, const place_t *place, const char *pem, mnet_trust_e trust)
{
    const char *why = NULL;
    apr_status_t rv = mnet_peers_accept(place->peers, ONE, pem, trust, NOON, &why, f->pool);
    if (rv != APR_SUCCESS) {
        print_error("%s\n", why);
    }
    OK(rv);
    assert_null(why);
}

/* The certificate in force, how it came to be, and the one before. */
static void check(fixture_t *f, const place_t *place, const char *pem, mnet_trust_e trust,
                  const char *previous)
{
    const mnet_peer_t *peer = peer_of(f, place);
    assert_non_null(peer->certificate);
    assert_string_equal(peer->certificate->pem, pem);
    assert_string_equal(peer->facts->certificate, pem);
    assert_int_equal(peer->state->trust, trust);
    if (previous) {
        assert_non_null(peer->state->previous);
        assert_string_equal(peer->state->previous, previous);
    } else {
        assert_null(peer->state->previous);
    }
}

/* --- change and remove --- */

static apr_status_t learn(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    state->methods = baton;
    return APR_SUCCESS;
}

static void test_change_touches(void **state)
{
    fixture_t *f = *state;
    place_t place = stored(f);
    apr_uint64_t before = generation(f);
    OK(mnet_peers_change(place.peers, ONE, learn, (void *)"pf portfolio/x\n", f->pool));
    assert_true(generation(f) > before);
    assert_string_equal(peer_of(f, &place)->state->methods, "pf portfolio/x\n");
}

static void test_no_change_writes_nothing(void **state)
{
    fixture_t *f = *state;
    place_t place = stored(f);
    OK(mnet_peers_change(place.peers, ONE, learn, (void *)"pf portfolio/x\n", f->pool));
    apr_uint64_t before = generation(f);
    OK(mnet_peers_change(place.peers, ONE, learn, (void *)"pf portfolio/x\n", f->pool));
    assert_int_equal(generation(f), before);
}

static apr_status_t refuse(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    state->methods = "nothing of this";
    return MNET_E_REFUSED;
}

static void test_refused_change_writes_nothing(void **state)
{
    fixture_t *f = *state;
    place_t place = stored(f);
    apr_uint64_t before = generation(f);
    assert_int_equal(mnet_peers_change(place.peers, ONE, refuse, NULL, f->pool), MNET_E_REFUSED);
    assert_int_equal(generation(f), before);
    assert_null(peer_of(f, &place)->state->methods);
}

static apr_status_t look(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    *(mnet_peer_state_t *)baton = *state;
    return MNET_E_REFUSED;
}

static void test_fresh_state(void **state)
{
    fixture_t *f = *state;
    mnet_peer_state_t fresh;
    place_t place = stored(f);
    memset(&fresh, 0xff, sizeof(fresh));
    mnet_peers_change(place.peers, "https://new.example", look, &fresh, f->pool);
    assert_null(fresh.facts);
    assert_null(fresh.certificate);
    assert_int_equal(fresh.trust, MNET_TRUST_NONE);
    assert_true(fresh.added > 0);
}

static apr_status_t change_to(fixture_t *f, const place_t *place, const char *wwwroot,
                              const char *said)
{
    return mnet_peers_change(place->peers, wwwroot, say_it, mnet_peer_facts_create(said, f->pool),
                             f->pool);
}

static void test_peers_that_cannot_be(void **state)
{
    fixture_t *f = *state;
    place_t place = stored(f);
    assert_int_equal(change_to(f, &place, ONE "/", ONE "/"), MNET_E_INVALID);
    assert_int_equal(change_to(f, &place, "", ""), MNET_E_INVALID);
    assert_int_equal(change_to(f, &place, OURS, OURS), MNET_E_INVALID);
    assert_int_equal(change_to(f, &place, "http://gw.example.org", "http://gw.example.org"),
                     MNET_E_INVALID);
    assert_int_equal(change_to(f, &place, ONE, "https://else.example"), MNET_E_INVALID);
}

static void test_twins(void **state)
{
    fixture_t *f = *state;
    static const char twin[] = "http://one.example.org";
    place_t place = stored(f);
    assert_int_equal(change_to(f, &place, twin, twin), MNET_E_EXISTS);
    OK(mnet_peers_remove(place.peers, ONE, f->pool));
    place_t with = configured(f, NULL);
    assert_int_equal(change_to(f, &with, twin, twin), MNET_E_EXISTS);
    OK(change_to(f, &place, twin, twin));
}

static void test_remove(void **state)
{
    fixture_t *f = *state;
    const mnet_peer_t *peer = NULL;
    mnet_txn_t *txn;
    place_t place = stored(f);
    peer_of(f, &place);
    OK(mnet_peers_remove(place.peers, ONE, f->pool));
    assert_int_equal(mnet_peers_remove(place.peers, ONE, f->pool), APR_NOTFOUND);
    OK(mnet_txn_begin(f->store, MNET_READ, &txn, f->pool));
    assert_int_equal(mnet_peers_find(place.peers, txn, ONE, &peer, f->pool), APR_NOTFOUND);
    mnet_txn_abort(txn);
}

/* --- certificates --- */

static void test_first_and_next(void **state)
{
    fixture_t *f = *state;
    place_t place = stored(f);
    const char *a = fixture_pem(f, ONE), *b = fixture_pem(f, ONE);
    accepts(f, &place, a, MNET_TRUST_CONFIRMED);
    check(f, &place, a, MNET_TRUST_CONFIRMED, NULL);
    accepts(f, &place, b, MNET_TRUST_ROTATED);
    check(f, &place, b, MNET_TRUST_ROTATED, a);
    assert_int_equal(peer_of(f, &place)->state->rekeyed, NOON);
}

/* A stranger does not become trusted by making itself another key. */
static void test_unconfirmed_stays_so(void **state)
{
    fixture_t *f = *state;
    place_t place = stored(f);
    const char *a = fixture_pem(f, ONE), *b = fixture_pem(f, ONE);
    accepts(f, &place, a, MNET_TRUST_KEYSWAP);
    accepts(f, &place, b, MNET_TRUST_ROTATED);
    check(f, &place, b, MNET_TRUST_KEYSWAP, a);
    accepts(f, &place, b, MNET_TRUST_ROTATED); /* by two threads at once */
    check(f, &place, b, MNET_TRUST_KEYSWAP, a);
    accepts(f, &place, b, MNET_TRUST_CONFIRMED);
    check(f, &place, b, MNET_TRUST_CONFIRMED, a);
}

/* Nor by having been there before the administrator names the peer. */
static void test_claimed_before_it_was_configured(void **state)
{
    fixture_t *f = *state;
    const char *a = fixture_pem(f, ONE);
    place_t place = stored(f);
    accepts(f, &place, a, MNET_TRUST_KEYSWAP);
    place = configured(f, NULL);
    assert_null(peer_of(f, &place)->certificate);
    assert_int_equal(peer_of(f, &place)->state->trust, MNET_TRUST_NONE);
    accepts(f, &place, a, MNET_TRUST_CONFIRMED);
    check(f, &place, a, MNET_TRUST_CONFIRMED, NULL);
}

static void test_same_again_only_gains_trust(void **state)
{
    fixture_t *f = *state;
    place_t place = stored(f);
    const char *a = fixture_pem(f, ONE);
    accepts(f, &place, a, MNET_TRUST_KEYSWAP);
    accepts(f, &place, a, MNET_TRUST_CONFIRMED);
    check(f, &place, a, MNET_TRUST_CONFIRMED, NULL);
    accepts(f, &place, a, MNET_TRUST_KEYSWAP);
    check(f, &place, a, MNET_TRUST_CONFIRMED, NULL);
}

static void test_another_sites_is_refused(void **state)
{
    fixture_t *f = *state;
    const char *why = NULL;
    place_t place = stored(f);
    const char *other = fixture_pem(f, "https://two.example.org");
    assert_int_equal(
        mnet_peers_accept(place.peers, ONE, other, MNET_TRUST_CONFIRMED, NOON, &why, f->pool),
        MNET_E_INVALID);
    assert_string_equal(why, "it names https://two.example.org, not " ONE);
    assert_int_equal(mnet_peers_offer(place.peers, ONE, other, "why", f->pool), MNET_E_INVALID);
    assert_null(peer_of(f, &place)->certificate);
}

static void test_rubbish_is_refused(void **state)
{
    fixture_t *f = *state;
    const char *why = NULL;
    place_t place = stored(f);
    assert_int_equal(
        mnet_peers_accept(place.peers, ONE, "x", MNET_TRUST_CONFIRMED, NOON, &why, f->pool),
        MNET_E_INVALID);
    assert_non_null(why);
    assert_int_equal(mnet_peers_accept(place.peers, ONE, fixture_pem(f, ONE), MNET_TRUST_NONE, NOON,
                                       &why, f->pool),
                     MNET_E_INVALID);
}

static void test_of_nobody(void **state)
{
    fixture_t *f = *state;
    const char *why = NULL, *pem = fixture_pem(f, ONE);
    place_t place = stored(f);
    OK(mnet_peers_remove(place.peers, ONE, f->pool));
    assert_int_equal(
        mnet_peers_accept(place.peers, ONE, pem, MNET_TRUST_CONFIRMED, NOON, &why, f->pool),
        APR_NOTFOUND);
    assert_int_equal(mnet_peers_offer(place.peers, ONE, pem, "why", f->pool), APR_NOTFOUND);
}

static void test_offer(void **state)
{
    fixture_t *f = *state;
    place_t place = stored(f);
    const char *a = fixture_pem(f, ONE), *b = fixture_pem(f, ONE);
    accepts(f, &place, a, MNET_TRUST_CONFIRMED);
    OK(mnet_peers_offer(place.peers, ONE, b, "it came unsigned", f->pool));
    check(f, &place, a, MNET_TRUST_CONFIRMED, NULL);
    assert_string_equal(peer_of(f, &place)->state->pending, b);
    assert_string_equal(peer_of(f, &place)->state->pending_why, "it came unsigned");
    accepts(f, &place, b, MNET_TRUST_CONFIRMED);
    check(f, &place, b, MNET_TRUST_CONFIRMED, a);
    assert_null(peer_of(f, &place)->state->pending);
    assert_null(peer_of(f, &place)->state->pending_why);
}

static void test_offer_of_the_one_in_force(void **state)
{
    fixture_t *f = *state;
    place_t place = stored(f);
    const char *a = fixture_pem(f, ONE);
    accepts(f, &place, a, MNET_TRUST_CONFIRMED);
    OK(mnet_peers_offer(place.peers, ONE, a, "again", f->pool));
    assert_null(peer_of(f, &place)->state->pending);
}

/* --- MnetPeerCertificate --- */

static void test_file_is_the_first(void **state)
{
    fixture_t *f = *state;
    const char *a = fixture_pem(f, ONE);
    place_t place = configured(f, a);
    check(f, &place, a, MNET_TRUST_CONFIG, NULL);
}

static void test_rotated_supersedes_the_file(void **state)
{
    fixture_t *f = *state;
    const char *a = fixture_pem(f, ONE), *b = fixture_pem(f, ONE);
    place_t place = configured(f, a);
    accepts(f, &place, b, MNET_TRUST_ROTATED);
    check(f, &place, b, MNET_TRUST_ROTATED, a);
    place = configured(f, a); /* a restart changes nothing */
    check(f, &place, b, MNET_TRUST_ROTATED, a);
    place = configured(f, apr_pstrcat(f->pool, "a comment\n", a, NULL));
    check(f, &place, b, MNET_TRUST_ROTATED, a);
}

static void test_new_content_of_the_file_wins(void **state)
{
    fixture_t *f = *state;
    const char *a = fixture_pem(f, ONE), *b = fixture_pem(f, ONE), *c = fixture_pem(f, ONE);
    place_t place = configured(f, a);
    accepts(f, &place, b, MNET_TRUST_ROTATED);
    place = configured(f, c);
    assert_string_equal(peer_of(f, &place)->certificate->pem, c);
    assert_int_equal(peer_of(f, &place)->state->trust, MNET_TRUST_CONFIG);
    const char *d = fixture_pem(f, ONE);
    accepts(f, &place, d, MNET_TRUST_ROTATED);
    check(f, &place, d, MNET_TRUST_ROTATED, c);
}

/* What was in force before there was a file does not supersede it. */
static void test_file_that_comes_later(void **state)
{
    fixture_t *f = *state;
    const char *a = fixture_pem(f, ONE), *b = fixture_pem(f, ONE);
    place_t place = configured(f, NULL);
    accepts(f, &place, b, MNET_TRUST_CONFIRMED);
    check(f, &place, b, MNET_TRUST_CONFIRMED, NULL);
    place = configured(f, a);
    assert_string_equal(peer_of(f, &place)->certificate->pem, a);
    place = configured(f, NULL); /* and it goes again */
    check(f, &place, b, MNET_TRUST_CONFIRMED, NULL);
}

/* A file that cannot be read is not a reason to trust what it had superseded. */
static void test_unreadable_file(void **state)
{
    fixture_t *f = *state;
    place_t place = configured(f, fixture_pem(f, ONE));
    accepts(f, &place, fixture_pem(f, ONE), MNET_TRUST_ROTATED);
    place = configured(f, "rubbish");
    const mnet_peer_t *peer = peer_of(f, &place);
    assert_null(peer->certificate);
    assert_null(peer->facts->certificate);
    assert_int_equal(peer->state->trust, MNET_TRUST_NONE);
    assert_true(fixture_logged(f, "MNET0311"));
}

/* What mnetctl said with a peer is its first, until one is accepted. */
static void test_said_certificate(void **state)
{
    fixture_t *f = *state;
    const char *a = fixture_pem(f, ONE), *b = fixture_pem(f, ONE);
    place_t place = stored(f);
    mnet_peer_facts_t *facts = mnet_peer_facts_create(ONE, f->pool);
    facts->certificate = apr_pstrcat(f->pool, "text\n", a, NULL);
    OK(mnet_peers_change(place.peers, ONE, say_it, facts, f->pool));
    check(f, &place, a, MNET_TRUST_CONFIRMED, NULL);
    accepts(f, &place, b, MNET_TRUST_ROTATED);
    check(f, &place, b, MNET_TRUST_ROTATED, a);
}

/* --- failures --- */

static void test_failing_at_every_operation(void **state)
{
    fixture_t *f = *state;
    const char *why;
    int at = 0;
    apr_status_t rv = MNET_E_FULL;
    mnet_store_close(f->store);
    memset(&failing_store, 0, sizeof(failing_store));
    fixture_open(f, &mnet_store_failing);
    place_t place = stored(f);
    const char *a = fixture_pem(f, ONE), *b = fixture_pem(f, ONE);
    accepts(f, &place, a, MNET_TRUST_CONFIRMED);
    while (rv != APR_SUCCESS) {
        failing_store.count = 0;
        failing_store.rv = MNET_E_FULL;
        failing_store.at = ++at;
        rv = mnet_peers_accept(place.peers, ONE, b, MNET_TRUST_ROTATED, NOON, &why, f->pool);
        failing_store.at = 0;
        check(f, &place, rv == APR_SUCCESS ? b : a,
              rv == APR_SUCCESS ? MNET_TRUST_ROTATED : MNET_TRUST_CONFIRMED,
              rv == APR_SUCCESS ? a : NULL);
    }
    assert_true(at > 4);
}

int main(void)
{
#define STORE_TEST(t)                                                                              \
    cmocka_unit_test_setup_teardown(t, fixture_store_setup, fixture_store_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_change_touches),
        STORE_TEST(test_no_change_writes_nothing),
        STORE_TEST(test_refused_change_writes_nothing),
        STORE_TEST(test_fresh_state),
        STORE_TEST(test_peers_that_cannot_be),
        STORE_TEST(test_twins),
        STORE_TEST(test_remove),
        STORE_TEST(test_first_and_next),
        STORE_TEST(test_unconfirmed_stays_so),
        STORE_TEST(test_claimed_before_it_was_configured),
        STORE_TEST(test_same_again_only_gains_trust),
        STORE_TEST(test_another_sites_is_refused),
        STORE_TEST(test_rubbish_is_refused),
        STORE_TEST(test_of_nobody),
        STORE_TEST(test_offer),
        STORE_TEST(test_offer_of_the_one_in_force),
        STORE_TEST(test_file_is_the_first),
        STORE_TEST(test_rotated_supersedes_the_file),
        STORE_TEST(test_new_content_of_the_file_wins),
        STORE_TEST(test_file_that_comes_later),
        STORE_TEST(test_unreadable_file),
        STORE_TEST(test_said_certificate),
        STORE_TEST(test_failing_at_every_operation),
    };
    alarm(300); /* a test that hangs fails */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
