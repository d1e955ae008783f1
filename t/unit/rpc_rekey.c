/* SPDX-License-Identifier: Apache-2.0 */
/* Which certificate offered in a 7025 is accepted, and which refetch is done. */
#include "world.h"

static const char *why;

/* A signed 7025 as b would send it, by that key. */
static mnet_message_t *fault_by(EVP_PKEY *key)
{
    mnet_reading_t how = {.crypto = world->a.engine->crypto,
                          .limits = &mnet_xml_limits_peer,
                          .charset = MNET_CHARSET_UTF8};
    mnet_message_reader_t *reader = mnet_message_reader_create(&how, world->pool);
    mnet_sink_t to = {mnet_message_reader_write, reader};
    craft_t craft = {.inner = world->b.wwwroot, .sign = key, .document = "<fault/>"};
    mnet_message_t *message;

    assert_int_equal(mnet_spool_pour(world_craft(&craft), &to), 0);
    assert_int_equal(mnet_message_reader_end(reader, &message), 0);
    return message;
}

static apr_status_t offer(EVP_PKEY *signer, const char *pem)
{
    why = "";
    return mnet_rekey_offered(world->a.host, world_peer(&world->a, &world->b), fault_by(signer),
                              pem, &why, world->pool);
}

static int in_force(const char *pem)
{
    return !strcmp(world_peer(&world->a, &world->b)->certificate->pem, pem);
}

static const char *pending(void)
{
    return world_peer(&world->a, &world->b)->state->pending;
}

static void signed_by_the_old_key_it_is_accepted(void **state)
{
    const mnet_ring_t *ring;

    world_rotate(&world->b);
    ring = world_ring(&world->b);
    assert_int_equal(offer(ring->keys[1], ring->pems[0]), APR_SUCCESS);
    assert_true(in_force(ring->pems[0]));
    assert_int_equal(world_peer(&world->a, &world->b)->state->trust, MNET_TRUST_ROTATED);
    assert_int_equal(world->posts, 0);
    assert_true(world_logged("MNET0441"));
}

static void signed_by_itself_it_needs_verified_tls(void **state)
{
    const mnet_ring_t *ring;

    world_rotate(&world->b);
    ring = world_ring(&world->b);
    assert_int_equal(offer(ring->keys[0], ring->pems[0]), MNET_E_REFUSED);
    assert_false(in_force(ring->pems[0]));
    assert_string_equal(pending(), ring->pems[0]);
    assert_non_null(strstr(why, "mnetctl peers confirm https://b.example"));
    assert_true(world_logged("MNET0443"));
    world->verified = 1;
    assert_int_equal(offer(ring->keys[0], ring->pems[0]), APR_SUCCESS);
    assert_true(in_force(ring->pems[0]));
    assert_null(pending());
}

static void another_one_by_keyswap_is_pending(void **state)
{
    const mnet_ring_t *ring;

    world->verified = 1;
    world_rotate(&world->b);
    ring = world_ring(&world->b);
    world_rotate(&world->b); /* keyswap gives the next one already */
    assert_int_equal(offer(ring->keys[0], ring->pems[0]), MNET_E_REFUSED);
    assert_false(in_force(ring->pems[0]));
    assert_string_equal(pending(), ring->pems[0]);
}

static void no_keyswap_is_pending(void **state)
{
    const mnet_ring_t *ring;

    world->verified = 1;
    world_rotate(&world->b);
    ring = world_ring(&world->b);
    world->down = APR_EGENERAL;
    assert_int_equal(offer(ring->keys[0], ring->pems[0]), MNET_E_REFUSED);
    assert_string_equal(pending(), ring->pems[0]);
}

static void signed_by_a_stranger_it_is_refused(void **state)
{
    world->verified = 1;
    world_rotate(&world->b);
    assert_int_equal(offer(world_ring(&world->a)->keys[0], world_ring(&world->b)->pems[0]),
                     MNET_E_REFUSED);
    assert_null(pending());
    assert_int_equal(world->posts, 0);
}

static void it_must_name_the_peer(void **state)
{
    assert_int_equal(offer(world_ring(&world->b)->keys[0], world_ring(&world->a)->pems[0]),
                     MNET_E_REFUSED);
    assert_non_null(strstr(why, "not its own"));
    assert_null(pending());
}

static void a_sentence_is_no_certificate(void **state)
{
    assert_int_equal(offer(world_ring(&world->b)->keys[0], "We know nothing about the key"),
                     MNET_E_REFUSED);
    assert_non_null(strstr(why, "We know nothing"));
}

static void the_one_we_have_is_no_new_one(void **state)
{
    const mnet_ring_t *ring = world_ring(&world->b);

    assert_int_equal(offer(ring->keys[0], ring->pems[0]), MNET_E_REFUSED);
}

static void one_already_followed_is_fine(void **state)
{
    const mnet_peer_t *before = world_peer(&world->a, &world->b);
    const mnet_ring_t *ring;
    const char *text = "";

    world_rotate(&world->b);
    ring = world_ring(&world->b);
    assert_int_equal(mnet_peers_accept(world->a.host->peers, world->b.wwwroot, ring->pems[0],
                                       MNET_TRUST_ROTATED, apr_time_now(), &text, world->pool),
                     0);
    assert_int_equal(mnet_rekey_offered(world->a.host, before, fault_by(ring->keys[1]),
                                        ring->pems[0], &why, world->pool),
                     APR_SUCCESS);
}

static apr_status_t refetch(apr_time_t now)
{
    why = "";
    return mnet_refetch(world->a.host, world_peer(&world->a, &world->b), now, &why, world->pool);
}

static void refetch_finds_a_rotation(void **state)
{
    world_rotate(&world->b);
    assert_int_equal(refetch(apr_time_now()), APR_SUCCESS);
    assert_true(in_force(world_ring(&world->b)->pems[0]));
}

static void refetch_without_a_rotation_tells_a_forgery(void **state)
{
    assert_int_equal(refetch(apr_time_now()), MNET_E_REFUSED);
    assert_non_null(strstr(why, "not from it"));
}

static void refetch_is_once_a_minute(void **state)
{
    apr_time_t now = apr_time_now();

    world->a.engine->outgoing_limit = 0; /* nobody waits for another's refetch */
    refetch(now);
    assert_int_equal(world->posts, 1);
    assert_int_equal(refetch(now + apr_time_from_sec(30)), MNET_E_REFUSED);
    assert_int_equal(world->posts, 1);
    refetch(now + apr_time_from_sec(61));
    assert_int_equal(world->posts, 2);
}

static void who_is_refused_takes_what_another_found(void **state)
{
    const mnet_peer_t *before = world_peer(&world->a, &world->b);
    apr_time_t now = apr_time_now();

    world_rotate(&world->b);
    assert_int_equal(refetch(now), APR_SUCCESS);
    assert_int_equal(mnet_refetch(world->a.host, before, now, &why, world->pool), APR_SUCCESS);
    assert_int_equal(world->posts, 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(signed_by_the_old_key_it_is_accepted),
                                       T(signed_by_itself_it_needs_verified_tls),
                                       T(another_one_by_keyswap_is_pending),
                                       T(no_keyswap_is_pending),
                                       T(signed_by_a_stranger_it_is_refused),
                                       T(it_must_name_the_peer),
                                       T(a_sentence_is_no_certificate),
                                       T(the_one_we_have_is_no_new_one),
                                       T(one_already_followed_is_fine),
                                       T(refetch_finds_a_rotation),
                                       T(refetch_without_a_rotation_tells_a_forgery),
                                       T(refetch_is_once_a_minute),
                                       T(who_is_refused_takes_what_another_found)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
