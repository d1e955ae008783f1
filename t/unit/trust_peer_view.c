/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

#include "trust/peers_int.h"

#define FILE_SHA "AA:BB"

/* Which certificate is in force, as a table over what there is. */
static void test_in_force(void **state)
{
    static const struct {
        const char *file; /* MnetPeerCertificate's content */
        int readable;     /* and whether it is one */
        const char *stored, *superseded, *said;
        mnet_in_force_e expected;
    } table[] = {
        {NULL, 0, NULL, NULL, NULL, MNET_IN_FORCE_NONE},
        {NULL, 0, "S", NULL, NULL, MNET_IN_FORCE_STORED},
        {NULL, 0, "S", "old", NULL, MNET_IN_FORCE_STORED},
        {NULL, 0, NULL, NULL, "D", MNET_IN_FORCE_SAID},
        {NULL, 0, "S", NULL, "D", MNET_IN_FORCE_STORED},
        {"F", 1, NULL, NULL, NULL, MNET_IN_FORCE_CONFIG},
        {"F", 1, NULL, NULL, "D", MNET_IN_FORCE_CONFIG},
        {"F", 1, "S", NULL, NULL, MNET_IN_FORCE_CONFIG},
        {"F", 1, "S", "old", NULL, MNET_IN_FORCE_CONFIG},
        {"F", 1, "S", FILE_SHA, NULL, MNET_IN_FORCE_STORED},
        {"F", 1, NULL, FILE_SHA, NULL, MNET_IN_FORCE_CONFIG},
        {"F", 0, NULL, NULL, "D", MNET_IN_FORCE_NONE},
        {"F", 0, "S", FILE_SHA, NULL, MNET_IN_FORCE_NONE},
    };
    fixture_t *f = *state;
    mnet_certificate_t file = {.sha256 = FILE_SHA};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        mnet_peer_facts_t *configured = mnet_peer_facts_create("https://p.example", f->pool);
        mnet_peer_facts_t *said = mnet_peer_facts_create("https://p.example", f->pool);
        configured->certificate = table[i].file;
        said->certificate = table[i].said;
        mnet_peer_state_t peer = {
            .facts = said, .certificate = table[i].stored, .config_sha256 = table[i].superseded};
        mnet_in_force_e is =
            mnet_peer_in_force(&peer, configured, table[i].readable ? &file : NULL);
        if (is != table[i].expected) {
            print_error("row %d\n", (int)i);
        }
        assert_int_equal(is, table[i].expected);
    }
}

static void test_in_force_without_a_section(void **state)
{
    mnet_peer_state_t stored = {.certificate = "S"}, none = {0};
    assert_int_equal(mnet_peer_in_force(&stored, NULL, NULL), MNET_IN_FORCE_STORED);
    assert_int_equal(mnet_peer_in_force(&none, NULL, NULL), MNET_IN_FORCE_NONE);
}

/* The configuration wins field by field, and the store fills in. */
static void test_one_view_of_both(void **state)
{
    fixture_t *f = *state;
    apr_size_t len = 0;
    mnet_peer_t *peer = NULL;
    mnet_site_t *site = mnet_site_create("https://gw.example.org", f->pool);
    mnet_peers_parts_t parts = {f->crypto, NULL, site, &f->log, {0}};
    mnet_peer_facts_t *over = mnet_peer_facts_create("https://p.example", f->pool);
    mnet_peer_facts_t *under = mnet_peer_facts_create("https://p.example", f->pool);
    over->application = "mahara";
    under->application = "moodle";
    under->endpoint = "http://127.0.0.1:1";
    apr_hash_set(site->peers, over->wwwroot, APR_HASH_KEY_STRING, over);
    mnet_peer_state_t stored = {.facts = under};
    const void *data = mnet_peer_state_pack(&stored, &len, f->pool);
    OK(mnet_peer_view(&parts, "https://p.example", data, len, &peer, f->pool));
    assert_string_equal(peer->application->name, "mahara");
    assert_string_equal(peer->facts->endpoint, "http://127.0.0.1:1");
    assert_string_equal(peer->state->facts->application, "moodle");
    assert_true(peer->configured);
}

static void test_no_peer(void **state)
{
    fixture_t *f = *state;
    apr_size_t len = 0;
    mnet_peer_t *peer = NULL;
    mnet_site_t *site = mnet_site_create("https://gw.example.org", f->pool);
    mnet_peers_parts_t parts = {f->crypto, NULL, site, &f->log, {0}};
    mnet_peer_state_t orphan = {.certificate = "S"};
    mnet_peer_state_t ourselves = {.facts =
                                       mnet_peer_facts_create("http://gw.example.org", f->pool)};
    assert_int_equal(mnet_peer_view(&parts, "https://p.example", NULL, 0, &peer, f->pool),
                     APR_NOTFOUND);
    const void *data = mnet_peer_state_pack(&orphan, &len, f->pool);
    assert_int_equal(mnet_peer_view(&parts, "https://p.example", data, len, &peer, f->pool),
                     APR_NOTFOUND);
    data = mnet_peer_state_pack(&ourselves, &len, f->pool);
    assert_int_equal(mnet_peer_view(&parts, "http://gw.example.org", data, len, &peer, f->pool),
                     APR_NOTFOUND);
    assert_null(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_force),
        cmocka_unit_test(test_in_force_without_a_section),
        cmocka_unit_test(test_one_view_of_both),
        cmocka_unit_test(test_no_peer),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
